Feature: Agents and the poller
  The platform's poller reads every tenant's agents, and agents report to the poller. Which tenant a caller
  speaks for is decided by its certificate and by nothing else.

  Around every call, another rightful caller is answered by the same service, before and after.

  Rule: The platform reads a tenant's agent

    Scenario Outline: <caller> reads the <what> of acme's agent
      When <caller> asks acme's agent for its <what>
      Then <caller> is answered

      Examples:
        | caller            | what             |
        | the poller        | status           |
        | the poller        | results          |
        | the poller        | streamed results |
        | the poller        | health           |
        | the administrator | status           |

  Rule: A tenant's members see each other's health and nothing more

    Scenario: an agent of acme's sees the health of acme's agent
      When acme's agent asks acme's agent for its health
      Then acme's agent is answered

    Scenario Outline: an agent of acme's cannot read the <what> of acme's agent
      When acme's agent asks acme's agent for its <what>
      Then acme's agent is refused because it may not call this

      Examples:
        | what             |
        | status           |
        | results          |
        | streamed results |

  Rule: Another tenant reads nothing of an agent

    Scenario Outline: globex cannot read the <what> of acme's agent
      When globex's agent asks acme's agent for its <what>
      Then globex's agent is refused because nobody knows its issuer

      Examples:
        | what             |
        | status           |
        | results          |
        | streamed results |
        | health           |

  Rule: Metadata moves nobody to another tenant

    Scenario Outline: the poller is answered by acme's agent when it claims <claim>
      When the poller asks acme's agent for its status, claiming <claim>
      Then the poller is answered

      Examples:
        | claim     |
        | acme      |
        | no tenant |

    Scenario Outline: the poller is not answered by acme's agent when it claims <claim>
      When the poller asks acme's agent for its status, claiming <claim>
      Then the poller is refused because it claims another tenant

      Examples:
        | claim           |
        | globex          |
        | acme twice      |
        | acme and globex |
        | globex and acme |
        | acme in binary  |
        | an empty tenant |

    Scenario: acme's agent reports to the poller
      When acme's agent reports to the poller, claiming acme
      Then acme's agent is answered

    Scenario Outline: acme's agent cannot report to the poller as <claim>
      When acme's agent reports to the poller, claiming <claim>
      Then acme's agent is refused because it claims another tenant

      Examples:
        | claim           |
        | globex          |
        | acme twice      |
        | acme and globex |
        | acme in binary  |

  Rule: What an agent reports is kept as its tenant's and as nobody else's

    Scenario Outline: what acme's agent reports, claiming <claim>, is kept as acme's
      When acme's agent reports to the poller, claiming <claim>
      Then acme's agent is answered
      And the poller has recorded that acme's agent was accepted
      And the administrator finds it among the stored results of acme
      And the administrator finds nothing of it among the stored results of globex

      Examples:
        | claim     |
        | acme      |
        | no tenant |

    Scenario: what acme's agent reports as globex is kept nowhere
      When acme's agent reports to the poller, claiming globex
      Then acme's agent is refused because it claims another tenant
      And the administrator finds nothing of it among the stored results of globex
      And the administrator finds nothing of it among the stored results of acme

  Rule: A call for one service is not answered by another

    Scenario Outline: acme's agent does not answer in the name of <other>
      When the poller calls acme's agent under the name of <other>
      Then the poller is refused because it names another service

      Examples:
        | other          |
        | globex's agent |
        | the broker     |

  Rule: Every call is on record

    Scenario: an accepted call is audited with its caller and its trace
      When the poller asks acme's agent for its status
      Then acme's agent has recorded that the poller was accepted

    Scenario: a refused call is audited with its caller and its reason
      When acme's agent asks acme's agent for its status
      Then acme's agent is refused because it may not call this
      And acme's agent has recorded that acme's agent was refused
