Feature: Certificates
  Every connection of the platform begins with certificates. Each side accepts exactly those peers that the
  responsible authority named, and refuses everybody else for a reason that it writes down.

  Around every attempt, another valid peer of the same service is accepted, before and after.

  Rule: A valid certificate is accepted

    Scenario Outline: <service> accepts <peer>
      When <peer> connects to <service>
      Then <peer> is accepted

      Examples:
        | peer              | service        |
        | the poller        | acme's agent   |
        | the administrator | acme's agent   |
        | acme's agent      | acme's agent   |
        | acme's agent      | the poller     |
        | globex's agent    | the poller     |
        | acme's agent      | the broker     |
        | globex's agent    | the broker     |
        | the poller        | the broker     |
        | the administrator | the broker     |

    Scenario Outline: <service> accepts <peer> with a certificate made this minute
      When <peer> connects to <service> with a certificate that is valid
      Then <peer> is accepted

      Examples:
        | peer         | service      |
        | the poller   | acme's agent |
        | acme's agent | the poller   |
        | acme's agent | the broker   |

  Rule: A valid certificate opens no connection but TLS 1.3

    Scenario Outline: <service> refuses <peer> that speaks TLS 1.2
      When <peer> connects to <service> with TLS 1.2
      Then <peer> is refused because its TLS is not accepted

      Examples:
        | peer         | service      |
        | the poller   | acme's agent |
        | acme's agent | the poller   |
        | acme's agent | the broker   |

    Scenario Outline: <service> refuses a caller that does not speak TLS
      When nobody connects to <service> without TLS
      Then nobody is refused because it does not speak TLS

      Examples:
        | service      |
        | acme's agent |
        | the poller   |
        | the broker   |

    Scenario Outline: <service> refuses <peer> that does not offer HTTP/2
      When <peer> connects to <service> without offering HTTP/2
      Then <peer> is refused because it does not offer HTTP/2

      Examples:
        | peer         | service      |
        | the poller   | acme's agent |
        | acme's agent | the poller   |

  Rule: A tenant's agent accepts no other tenant

    Scenario Outline: acme's agent refuses <peer>
      When <peer> connects to acme's agent
      Then <peer> is refused because <reason>

      Examples:
        | peer           | reason                 |
        | globex's agent | nobody knows its issuer |
        | nobody         | it shows no certificate |

  Rule: A tenant's agent refuses a false poller

    Scenario Outline: acme's agent refuses a poller whose certificate is <flaw>
      When the poller connects to acme's agent with a certificate that is <flaw>
      Then the poller is refused because <reason>

      Examples:
        | flaw                                  | reason                      |
        | self-signed                           | nobody knows its issuer     |
        | issued by an unknown authority        | nobody knows its issuer     |
        | issued by a copy of its authority     | its signature is wrong      |
        | issued by globex's authority          | nobody knows its issuer     |
        | issued by acme's authority            | its issuer may not name it  |
        | issued by the root authority          | nobody knows its issuer     |
        | issued with another certificate's key | nobody knows its issuer     |
        | issued by a subordinate authority     | nobody knows its issuer     |
        | expired                               | it has expired              |
        | not yet valid                         | it is not valid yet         |
        | revoked                               | it was revoked              |
        | altered                               | its signature is wrong      |
        | also naming globex's agent            | its issuer may not name it  |
        | also naming localhost                 | it breaks the profile       |
        | naming its owner in the subject only  | it breaks the profile       |
        | made for no purpose                   | it breaks the profile       |
        | made for servers only                 | it is for another purpose   |

  Rule: The poller refuses a false agent that reports to it

    Scenario Outline: the poller refuses an agent of acme's whose certificate is <flaw>
      When acme's agent connects to the poller with a certificate that is <flaw>
      Then acme's agent is refused because <reason>

      Examples:
        | flaw                                  | reason                      |
        | self-signed                           | nobody knows its issuer     |
        | issued by an unknown authority        | nobody knows its issuer     |
        | issued by a copy of its authority     | its signature is wrong      |
        | issued by globex's authority          | its issuer may not name it  |
        | issued by the platform's authority    | its issuer may not name it  |
        | expired                               | it has expired              |
        | not yet valid                         | it is not valid yet         |
        | revoked                               | it was revoked              |
        | altered                               | its signature is wrong      |
        | also naming globex's agent            | its issuer may not name it  |
        | also naming localhost                 | its issuer may not name it  |
        | naming its owner in the subject only  | it breaks the profile       |
        | made for servers only                 | it is for another purpose   |

    Scenario: the poller refuses a caller without a certificate
      When nobody connects to the poller
      Then nobody is refused because it shows no certificate

  Rule: Every connection is verified anew

    Scenario Outline: <service> does not take up an earlier session
      When <peer> connects to <service> again and offers its earlier session
      Then <peer> is verified anew

      Examples:
        | peer         | service      |
        | the poller   | acme's agent |
        | acme's agent | the poller   |

    Scenario: a session that the broker takes up is still its owner's
      When acme's agent connects to the broker again and offers its earlier session
      Then acme's agent is still acme to the broker

  Rule: The broker refuses a false agent

    Scenario Outline: the broker refuses an agent of acme's whose certificate is <flaw>
      When acme's agent connects to the broker with a certificate that is <flaw>
      Then acme's agent is refused because <reason>

      Examples:
        | flaw                                  | reason                     |
        | self-signed                           | nobody knows its issuer    |
        | issued by an unknown authority        | nobody knows its issuer    |
        | issued by a copy of its authority     | nobody knows its issuer    |
        | issued by globex's authority          | its issuer may not name it |
        | issued with another certificate's key | nobody knows its issuer    |
        | issued by a subordinate authority     | its path is too long       |
        | expired                               | it has expired             |
        | not yet valid                         | it is not valid yet        |
        | altered                               | its signature is wrong     |
        | also naming globex's agent            | its issuer may not name it |
        | naming its owner in the subject only  | the broker knows no such user |
        | made for servers only                 | it is for another purpose  |

    Scenario: the broker refuses the poller's name from a tenant's authority
      When the poller connects to the broker with a certificate that is issued by globex's authority
      Then the poller is refused because its issuer may not name it

    Scenario: the broker refuses a client without a certificate
      When nobody connects to the broker
      Then nobody is refused because it shows no certificate

    Scenario: the broker goes by the certificate and not by the name that a client gives
      When globex's agent logs in to the broker under the name of acme's agent
      Then globex's agent is still globex to the broker

  Rule: The poller refuses a false agent that it dials

    Scenario: the poller talks to the agent that it expects
      When the poller dials acme's agent and meets a certificate that is valid
      Then acme's agent is accepted

    Scenario Outline: the poller turns away from an agent of acme's whose certificate is <flaw>
      When the poller dials acme's agent and meets a certificate that is <flaw>
      Then acme's agent is refused because <reason>

      Examples:
        | flaw                                 | reason                      |
        | self-signed                          | nobody knows its issuer     |
        | issued by an unknown authority       | nobody knows its issuer     |
        | issued by a copy of its authority    | its signature is wrong      |
        | issued by globex's authority         | nobody knows its issuer     |
        | expired                              | it has expired              |
        | not yet valid                        | it is not valid yet         |
        | revoked                              | it was revoked              |
        | also naming localhost                | its issuer may not name it  |
        | naming its owner in the subject only | it breaks the profile       |
        | made for clients only                | it is for another purpose   |
        | globex's agent's own                 | nobody knows its issuer     |

  Rule: A tenant's agent refuses a false poller and a false broker that it dials

    Scenario Outline: acme's agent talks to <service> that it expects
      When acme's agent dials <service> and meets a certificate that is valid
      Then <service> is accepted

      Examples:
        | service    |
        | the poller |
        | the broker |

    Scenario Outline: acme's agent turns away from <service> whose certificate is <flaw>
      When acme's agent dials <service> and meets a certificate that is <flaw>
      Then <service> is refused because <reason>

      Examples:
        | service    | flaw                           | reason                     |
        | the poller | self-signed                    | nobody knows its issuer    |
        | the poller | issued by globex's authority   | nobody knows its issuer    |
        | the poller | issued by acme's authority     | its issuer may not name it |
        | the poller | expired                        | it has expired             |
        | the poller | revoked                        | it was revoked             |
        | the poller | also naming localhost          | it breaks the profile      |
        | the poller | acme's agent's own             | it is somebody else        |
        | the poller | the broker's own               | it is somebody else        |
        | the broker | self-signed                    | nobody knows its issuer    |
        | the broker | issued by globex's authority   | nobody knows its issuer    |
        | the broker | not yet valid                  | it is not valid yet        |
        | the broker | revoked                        | it was revoked             |
        | the broker | the poller's own               | it is somebody else        |
