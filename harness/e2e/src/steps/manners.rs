//! Callers that open a connection in another manner than the platform's.

use std::str::FromStr;

use bulkhead_plan::access::Manner;
use cucumber::{Parameter, when};

use crate::engage;
use crate::scene::{Scene, Step};
use crate::words::{Peer, UnknownWord};

/// How somebody connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Parameter)]
#[param(name = "manner", regex = r"with TLS 1\.2|without TLS|without offering HTTP/2")]
struct MannerWord(Manner);

impl FromStr for MannerWord {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "with TLS 1.2" => Ok(Self(Manner::OldTls)),
            "without TLS" => Ok(Self(Manner::InTheClear)),
            "without offering HTTP/2" => Ok(Self(Manner::NoAlpn)),
            _ => Err(UnknownWord::new("manner of connecting", word)),
        }
    }
}

#[when(expr = "{peer} connects to {peer} {manner}")]
async fn connects(scene: &mut Scene, who: Peer, service: Peer, manner: MannerWord) -> Step {
    engage::connect_in(scene, &who, &service, manner.0).await
}
