//! What became of somebody's attempt.

use bulkhead_plan::access::Expectation;
use cucumber::then;

use crate::scene::{Scene, Step};
use crate::words::{Peer, Reason};

#[then(expr = "{peer} is accepted")]
#[then(expr = "{peer} is answered")]
#[then(expr = "{peer} is within reach")]
async fn is_allowed(scene: &mut Scene, peer: Peer) -> Step {
    scene.expect(&peer, &Expectation::Allowed)
}

#[then(expr = "{peer} is refused because {reason}")]
async fn is_refused(scene: &mut Scene, peer: Peer, reason: Reason) -> Step {
    scene.expect(&peer, &reason.expectation())
}

#[then(expr = "{peer} is out of reach")]
async fn is_out_of_reach(scene: &mut Scene, peer: Peer) -> Step {
    scene.expect(&peer, &Expectation::Unreachable)
}
