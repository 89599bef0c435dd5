Feature: Messages
  Tenants share one broker. What a tenant says reaches that tenant and the platform, and nobody speaks in
  another's name.

  Around every refused attempt, the same peer sends and receives messages of its own.

  Rule: A tenant's messages reach that tenant and the platform

    Scenario: acme and the platform receive acme's results
      Given acme listens to acme's results
      And the platform listens to acme's results
      When acme publishes a result
      Then acme receives the result
      And the platform receives the result

    Scenario: the platform hears every tenant at once
      Given the platform listens to everybody's results
      When acme publishes a result
      Then the platform receives the result

  Rule: A tenant's messages reach no other tenant

    Scenario Outline: <outsider> cannot listen to <what>
      Given acme listens to acme's results
      And <outsider> listens to <what>
      When acme publishes a result
      Then <outsider> receives nothing of acme's
      And acme receives the result
      And <outsider> is refused because it may not listen there

      Examples:
        | outsider          | what                          |
        | globex            | acme's results                |
        | globex            | everything of acme's          |
        | globex            | everybody's results           |
        | globex            | everything                    |
        | globex            | acme's jobs                   |
        | globex            | the broker's own events       |
        | globex            | the platform's services       |
        | the administrator | acme's results                |
        | the administrator | everything                    |

    Scenario: globex cannot take a share of acme's work
      Given acme listens to acme's results in a group of workers
      And globex listens to acme's results in a group of workers
      When acme publishes a result
      Then globex receives nothing of acme's
      And acme receives the result
      And globex is refused because it may not listen there

  Rule: Nobody speaks in a tenant's name

    Scenario Outline: <outsider> cannot publish <what>
      Given acme listens to acme's results
      And the platform listens to acme's results
      When <outsider> publishes <what>
      Then <outsider> is refused because it may not publish there
      And acme does not receive it
      And the platform does not receive it

      Examples:
        | outsider          | what            |
        | globex            | acme's results  |
        | the administrator | acme's results  |

    Scenario Outline: <who> cannot publish <what>
      When <who> publishes <what>
      Then <who> is refused because it may not publish there

      Examples:
        | who    | what                 |
        | globex | acme's jobs          |
        | globex | acme's health        |
        | globex | orders to the broker |
        | acme   | acme's health        |

    Scenario: globex cannot grant itself acme's subjects by answering itself
      Given acme listens to acme's results
      And the platform listens to acme's results
      When globex answers a message of its own on acme's results
      Then acme does not receive it
      And the platform does not receive it
      And globex is refused because it stays in its own account

  Rule: Questions and answers stay between those who ask and those who answer

    Scenario: acme's agent answers acme
      When acme gives acme's agent a job
      Then acme's agent answers with acme's result

    Scenario: the platform gives acme's agent a job
      When the platform gives acme's agent a job
      Then acme's agent answers with acme's result

    Scenario: globex cannot give acme's agent a job
      When globex gives acme's agent a job
      Then globex is refused because it may not publish there

    Scenario: globex cannot overhear the answers that acme gets
      Given globex listens to everybody's answers
      When acme gives acme's agent a job
      Then acme's agent answers with acme's result
      And globex receives nothing of acme's

    Scenario: globex cannot have an answer sent to acme
      Given acme listens to acme's results
      And the platform offers a service
      When globex asks the service and wants the answer sent to acme's results
      Then acme does not receive it
      And the service was asked by globex

    Scenario Outline: acme cannot have the platform's receipt sent to <where>
      Given globex listens to globex's jobs
      When acme publishes a result and wants the receipt sent to <where>
      Then acme is refused because it stays in its own account
      And the administrator finds it among the stored results of acme
      And the administrator finds nothing of it among the stored results of globex

      Examples:
        | where            |
        | globex's jobs    |
        | globex's results |

    Scenario: globex cannot ask as acme
      Given the platform offers a service
      When globex asks the service, claiming to be acme
      Then the service was asked by globex
