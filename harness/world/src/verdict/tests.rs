//! Traces that must be red, and one that must not.

use super::*;
use crate::disturbance::{Bounds, Deed};
use crate::trace::Moment;

const fn ms(number: u64) -> Moment {
    Duration::from_millis(number)
}

const BOUNDS: Bounds = Bounds { delay: ms(500), recovery: ms(1000), green: ms(5000) };

const fn disturbance(reach: Reach) -> Disturbance {
    Disturbance {
        id: "made-up",
        title: "nothing happens",
        deed: Deed::FloodSubjects,
        lasts: ms(1000),
        reach,
        bounds: BOUNDS,
        not_on_processes: None,
    }
}

/// A second of calm, a second of disturbance, a second after it; a canary every 20 ms on each way of both tenants.
fn observed() -> Observed {
    let mut trace = Trace::default();
    for tenant in ["acme", "globex"] {
        for way in Way::ALL {
            let flock = trace.flock(tenant, way);
            for number in 0..150 {
                flock.began(number, ms(number * 20));
                flock.arrived(number, ms(number * 20 + 2));
            }
        }
    }
    let kept = |tenant: &str| Kept { tenant: tenant.to_owned(), acknowledged: 150, holds: Some(150) };
    Observed {
        tenants: vec!["acme".to_owned(), "globex".to_owned()],
        trace,
        calm: Span { from: ms(0), to: ms(1000) },
        during: Span { from: ms(1000), to: ms(2000) },
        deed: Ok(vec!["nothing".to_owned()]),
        wrong: Vec::new(),
        meanwhile: Ok(Meanwhile { as_predicted: 10, ..Meanwhile::default() }),
        afterwards: Afterwards { green_after: Some(ms(1000)), runs: 1, ..Afterwards::default() },
        kept: vec![kept("acme"), kept("globex")],
    }
}

/// The verdict when one thing is changed, with everything that it rests on.
fn verdict(reach: Reach, change: impl FnOnce(&mut Observed)) -> (Verdict, String) {
    let mut observed = observed();
    change(&mut observed);
    let judgement = judge(&disturbance(reach), observed);
    (judgement.verdict, format!("{:?} {:?}", judgement.violations, judgement.doubts))
}

fn must_be(wanted: Verdict, reach: Reach, said: &str, change: impl FnOnce(&mut Observed)) {
    let (found, why) = verdict(reach, change);
    assert_eq!(found, wanted, "{why}");
    assert!(why.contains(said), "{why:?} should say {said:?}");
}

/// The 60th sets out in the middle of the disturbance.
fn lose(observed: &mut Observed, tenant: &str, way: Way) {
    observed.trace.flock(tenant, way).began(60, ms(1200));
}

#[test]
fn nothing_happened_and_all_held() {
    must_be(Verdict::Held, Reach::OneTenant, "", |_| {});
    must_be(Verdict::Held, Reach::Everybody, "", |_| {});
}

#[test]
fn a_bystander_s_lost_canary_is_a_violation_on_every_way() {
    for way in Way::ALL {
        must_be(Verdict::Violated, Reach::OneTenant, "1 of 100 were lost", |observed| {
            lose(observed, "globex", way);
        });
    }
}

#[test]
fn whoever_may_be_hit_may_lose_and_must_recover() {
    must_be(Verdict::Held, Reach::OneTenant, "", |observed| lose(observed, "acme", Way::ToMember));
    must_be(Verdict::Held, Reach::Everybody, "", |observed| lose(observed, "globex", Way::ToMember));
    must_be(Verdict::Violated, Reach::Everybody, "not well again", |observed| {
        observed.trace.flock("globex", Way::Stored).failed(149, "no answer");
    });
    must_be(Verdict::Violated, Reach::OneTenant, "in trouble until", |observed| {
        observed.during.to = ms(1500);
        observed.trace.flock("acme", Way::Stored).failed(140, "no answer");
    });
}

#[test]
fn what_somebody_else_hears_is_a_violation_whoever_is_hit() {
    for reach in [Reach::OneTenant, Reach::Everybody] {
        must_be(Verdict::Violated, reach, "acme has heard a canary of globex", |observed| {
            observed.trace.crossings.push(Crossing {
                of: "globex".to_owned(),
                heard_by: "acme".to_owned(),
                message: "globex.agents.canary".to_owned(),
            });
        });
    }
}

#[test]
fn twice_is_a_violation_whoever_is_hit() {
    for reach in [Reach::OneTenant, Reach::Everybody] {
        must_be(Verdict::Violated, reach, "more than once", |observed| {
            observed.trace.flock("acme", Way::ToPlatform).arrived(7, ms(160));
        });
    }
}

#[test]
fn a_late_one_is_a_violation_unless_this_program_was_late_itself() {
    let late = |observed: &mut Observed| {
        let flock = observed.trace.flock("globex", Way::ToMember);
        flock.began(60, ms(1200));
        flock.arrived(60, ms(1800));
    };
    must_be(Verdict::Violated, Reach::OneTenant, "one took 600 ms", late);
    must_be(Verdict::NotJudged, Reach::OneTenant, "one took 600 ms", |observed| {
        late(observed);
        observed.trace.lateness.push((ms(1300), ms(400)));
    });
}

#[test]
fn a_failed_one_is_a_violation_unless_this_program_was_late_itself() {
    let failed =
        |observed: &mut Observed| observed.trace.flock("globex", Way::CallAgent).failed(60, "refused");
    must_be(Verdict::Violated, Reach::OneTenant, "1 of 100 failed: refused", failed);
    must_be(Verdict::NotJudged, Reach::OneTenant, "refused", |observed| {
        failed(observed);
        observed.trace.lateness.push((ms(1300), ms(400)));
    });
    must_be(Verdict::Violated, Reach::OneTenant, "were lost", |observed| {
        lose(observed, "globex", Way::ToMember);
        observed.trace.lateness.push((ms(1300), ms(400)));
    });
}

#[test]
fn trouble_before_the_disturbance_is_no_finding_of_it() {
    must_be(Verdict::NotJudged, Reach::Everybody, "before anything was disturbed", |observed| {
        observed.trace.flock("acme", Way::ToMember).failed(3, "no answer");
    });
}

#[test]
fn who_has_no_canary_is_not_proven_to_be_well() {
    must_be(Verdict::NotJudged, Reach::OneTenant, "has no canary", |observed| {
        observed.trace.flocks.remove(&("globex".to_owned(), Way::Stored));
    });
    must_be(Verdict::NotJudged, Reach::OneTenant, "nothing set out during", |observed| {
        // Between two of them, and with others after it.
        observed.during = Span { from: ms(2005), to: ms(2010) };
    });
    must_be(Verdict::NotJudged, Reach::Everybody, "nothing set out after the end", |observed| {
        observed.during.to = ms(3000);
    });
}

#[test]
fn what_was_acknowledged_is_kept() {
    must_be(Verdict::Violated, Reach::Everybody, "acknowledged 150 messages and holds 149", |observed| {
        observed.kept[1].holds = Some(149);
    });
    must_be(Verdict::NotJudged, Reach::Everybody, "does not say", |observed| observed.kept[0].holds = None);
}

#[test]
fn the_matrix_is_never_violated_and_green_again() {
    let cell = || vec!["js.purge".to_owned()];
    let meanwhile = |change: fn(&mut Meanwhile, Vec<String>)| {
        move |observed: &mut Observed| {
            let mut matrix = Meanwhile::default();
            change(&mut matrix, cell());
            observed.meanwhile = Ok(matrix);
        }
    };
    let everybody = Reach::Everybody;
    must_be(Verdict::Violated, everybody, "js.purge", meanwhile(|matrix, cells| matrix.violated = cells));
    must_be(Verdict::Violated, everybody, "js.purge", meanwhile(|matrix, cells| matrix.broken = cells));
    must_be(Verdict::NotJudged, everybody, "js.purge", meanwhile(|matrix, cells| matrix.unjudged = cells));
    must_be(Verdict::Held, everybody, "", meanwhile(|matrix, cells| matrix.hindered = cells));
    must_be(Verdict::NotJudged, everybody, "hung", |observed| observed.meanwhile = Err("hung".to_owned()));
    must_be(Verdict::Violated, everybody, "not green again", |observed| {
        observed.afterwards = Afterwards { red: cell(), ..Afterwards::default() };
    });
    must_be(Verdict::Violated, everybody, "are the bound", |observed| {
        observed.afterwards.green_after = Some(ms(6000));
    });
    must_be(Verdict::Violated, everybody, "afterwards, violated", |observed| {
        observed.afterwards.violated = cell();
    });
}

#[test]
fn a_deed_that_could_not_be_done_proves_nothing() {
    must_be(Verdict::NotJudged, Reach::OneTenant, "no engine", |observed| {
        observed.deed = Err("no engine".to_owned());
    });
    must_be(Verdict::Violated, Reach::OneTenant, "let in", |observed| {
        observed.wrong.push("it was let in".to_owned());
    });
}
