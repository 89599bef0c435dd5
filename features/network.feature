Feature: Network walls
  A tenant's agents live on a network of their own. From there the broker and the poller can be reached, and
  no other tenant's agents.

  A wall shows as silence, and so does a dead service. A target therefore counts as walled off only when it
  answered on its own network in the same moment.

  Rule: A tenant's agent reaches the platform

    Scenario Outline: acme's agent reaches <service>
      When acme's agent tries to reach <service>
      Then <service> is within reach

      Examples:
        | service      |
        | the broker   |
        | the poller   |
        | acme's agent |

  Rule: A tenant's agent reaches no other tenant

    @network-walls
    Scenario Outline: <one>'s agent does not reach <other>'s agent
      When <one>'s agent tries to reach <other>'s agent
      Then <other>'s agent is out of reach

      Examples:
        | one    | other  |
        | acme   | globex |
        | globex | acme   |
