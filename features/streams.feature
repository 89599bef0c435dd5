Feature: Streams and buckets
  Tenants keep messages and values with the broker. Nobody reads, changes, destroys or copies what another
  tenant keeps, whatever it is called.

  Before and after each attempt the owner reads its stream, and the two readings are compared. The peer that
  is refused does the same with a stream of its own, and succeeds.

  Rule: A tenant keeps and reads its own

    Scenario: acme reads what it kept
      Given acme keeps three notes
      When acme reads acme's notes
      Then acme is answered

    Scenario: acme reads what it put into a bucket
      Given acme keeps a value
      When acme reads acme's value
      Then acme is answered

  Rule: Nobody reads or destroys another tenant's stream

    Scenario Outline: globex <attack> acme's notes in vain
      Given acme keeps three notes
      When globex <attack> acme's notes
      Then acme's notes are unchanged
      And globex is refused because there is no such thing in its account

      Examples:
        | attack              |
        | reads               |
        | describes           |
        | subscribes to       |
        | purges              |
        | removes one of      |
        | reconfigures        |
        | deletes             |
        | backs up            |

    Scenario: globex finds no notes of acme's among its own
      Given acme keeps three notes
      When globex lists its streams
      Then globex finds nothing of acme's

    Scenario: acme cannot reach what the platform keeps about it
      When acme reads the platform's record of acme
      Then acme is refused because there is no such thing in its account

    Scenario: globex cannot have the broker purge acme's account
      Given acme keeps three notes
      When globex has the broker purge acme's account
      Then acme's notes are unchanged
      And globex is refused because it may not publish there

  Rule: Equal names do not meet

    Scenario Outline: globex <attack> its own notes of the same name
      Given acme keeps three notes
      And globex keeps three notes of the same name
      When globex <attack> its own notes
      Then globex is answered
      And globex has seen nothing of acme's
      And acme's notes are unchanged

      Examples:
        | attack         |
        | reads          |
        | purges         |
        | deletes        |

  Rule: Nobody copies another tenant's messages

    Scenario Outline: globex's stream that <copies> acme's notes stays empty
      Given acme keeps three notes
      When globex keeps a stream that <copies> acme's notes
      And acme keeps another note
      Then globex's stream holds nothing of acme's
      And acme's notes are complete

      Examples:
        | copies   |
        | captures |
        | mirrors  |
        | sources  |

  Rule: Nobody reads or changes another tenant's bucket

    Scenario Outline: globex <attack> acme's value in vain
      Given acme keeps a value
      When globex <attack> acme's value
      Then acme's value is unchanged
      And globex is refused because <reason>

      Examples:
        | attack   | reason                               |
        | reads    | there is no such thing in its account |
        | replaces | it stays in its own account          |
        | purges   | there is no such thing in its account |
        | deletes  | there is no such thing in its account |

  Rule: One tenant's appetite is its own limit

    Scenario: globex cannot reserve more than its share, and acme keeps its own
      When globex reserves more storage than its share
      Then globex is refused because its share is spent
      And acme can still keep a note
