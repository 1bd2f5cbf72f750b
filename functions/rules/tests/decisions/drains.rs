//! Retiring environments: passes, the next deployment meanwhile, hand-ons.

use ebbtide_rules::Server;
use ebbtide_rules::document::Document;
use ebbtide_rules::record::{Kind, Record};
use ebbtide_rules::resume::Resumed;
use ebbtide_rules::terminate::Verdict;
use serde_json::json;

use crate::passes::baking;
use crate::scene::{Run, check, ended, free, quiet, second};
use crate::told::Script;

/// A drain, begun at second 1001.
pub(crate) fn draining(
    name: &'static str,
    record: &Record,
    blue: &str,
    green: &str,
) -> (Record, Run) {
    let (record, mut run) = baking(name, record, blue, green);
    let record = Script::default().go("", &record, &mut run, Kind::Pass, &quiet(), second(1001));
    run.document.check = Some(check(second(1002), 3, 0, true));
    (record, run)
}

#[test]
fn drains() {
    let mut script = Script::default();
    let (record, mut run) = draining("first", &free(), "a", "b");
    let mut unsettled = run.clone();
    unsettled.document.check = Some(check(second(1002), 3, 0, false));
    script.tell(
        "not settled",
        &record,
        &unsettled.ask(Kind::Pass),
        &quiet(),
        second(1002),
    );
    let mut outlook = |title: &str, baking: bool, settled: bool| {
        let mut run = run.clone();
        let seen = &mut run.document.check.as_mut().unwrap().outlook;
        (seen.baking, seen.settled) = (baking, settled);
        let ask = run.ask(Kind::Pass);
        script.tell(title, &record, &ask, &quiet(), second(1002));
    };
    outlook(
        "after a rollback nothing bakes, and the load balancer has not settled",
        false,
        false,
    );
    outlook(
        "by the clock of the last check the bake goes on: nothing is ended by it",
        true,
        true,
    );
    let record = script.go(
        "settled",
        &record,
        &mut run,
        Kind::Pass,
        &quiet(),
        second(1002),
    );
    script.tell(
        "its name is used once more",
        &record,
        &Run::planned("first", record.epoch, "b", "c").ask(Kind::Claim),
        &quiet(),
        second(1003),
    );
    let (both, mut next) = draining("second", &record, "b", "c");
    script.go(
        "another drains too",
        &both,
        &mut next,
        Kind::Pass,
        &quiet(),
        second(1010),
    );
    let mut opening = run.clone();
    opening.document.resume = Some(resumed());
    script.tell(
        "after a rollback some of blue's servers are not open",
        &both,
        &opening.ask(Kind::Pass),
        &quiet(),
        second(1011),
    );
    let mut full = both.clone();
    full.retiring[0].plan.policy.most_passes = 1;
    let handing = script.go(
        "its passes are over",
        &full,
        &mut run,
        Kind::Pass,
        &quiet(),
        second(1020),
    );
    let repeated = run.clone();
    let named = script.go(
        "the next execution is named",
        &handing,
        &mut run,
        Kind::HandOn,
        &quiet(),
        second(1021),
    );
    script.tell(
        "the same again",
        &named,
        &repeated.ask(Kind::HandOn),
        &quiet(),
        second(1022),
    );
    let mut heir = Run {
        name: "first-0123456789ab-1-part-2",
        document: Document {
            continued: Some(json!(true)),
            ..run.document.clone()
        },
        redrives: 0,
    };
    let stranger = Run {
        name: "stranger",
        ..heir.clone()
    };
    script.tell(
        "another execution may not go on",
        &named,
        &stranger.ask(Kind::Adopt),
        &quiet(),
        second(1023),
    );
    let adopted = script.go(
        "the one that is named may",
        &named,
        &mut heir,
        Kind::Adopt,
        &quiet(),
        second(1024),
    );
    script.tell(
        "the former one asks again after that",
        &adopted,
        &repeated.ask(Kind::HandOn),
        &quiet(),
        second(1025),
    );
    heir.document.terminate = Some(ended(Verdict::Gone, 0, second(1100)));
    let detaching = script.go(
        "the next execution ends",
        &adopted,
        &mut heir,
        Kind::Release,
        &quiet(),
        second(1100),
    );
    script.tell(
        "the former one's reply was lost until then: it has ended well",
        &detaching,
        &repeated.ask(Kind::HandOn),
        &quiet(),
        second(1101),
    );
    insta::assert_snapshot!(script.text());
}

/// ResumeBlue's answer, with one server that is not open.
pub(crate) fn resumed() -> Resumed {
    Resumed {
        at: second(1000),
        open: 2,
        waiting: vec![Server {
            instance: "i-9".to_owned(),
            ip: "10.0.0.9".to_owned(),
        }],
        sealed: Vec::new(),
        unknown: Vec::new(),
        reason: String::new(),
    }
}
