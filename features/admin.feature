Feature: The platform's administrator
  The administrator may read across tenants. Each access is recorded, and nobody else can do it.

  Rule: The administrator reads across tenants, on record

    Scenario Outline: the administrator reads <tenant>'s stored results
      When the administrator asks for the stored results of <tenant>
      Then the administrator is answered
      And the access to <tenant> is on record under the administrator's name

      Examples:
        | tenant |
        | acme   |
        | globex |

    Scenario: the administrator's reading of acme's agent is on record
      When the administrator asks acme's agent for its status
      Then the administrator is answered
      And acme's agent has recorded that the administrator was accepted

  Rule: Nobody else reads across tenants

    Scenario Outline: <outsider> cannot read acme's stored results
      When <outsider> asks for the stored results of acme
      Then <outsider> is refused because it may not publish there

      Examples:
        | outsider |
        | globex   |
        | acme     |

  Rule: Reading is all that the administrator does

    Scenario: the administrator cannot give acme's agent a job
      When the administrator gives acme's agent a job
      Then the administrator is refused because it may not publish there

    Scenario: the administrator cannot report to the poller
      When the administrator reports to the poller, claiming no tenant
      Then the administrator is refused because it may not call this
