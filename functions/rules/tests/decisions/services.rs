//! What the user's checks through the load balancer do to steps and bake.

use ebbtide_rules::input::{Verb, Wish};
use ebbtide_rules::record::{Kind, Record};
use ebbtide_rules::service::{MOST_FAILURES, Service};

use crate::passes::{baking, switched};
use crate::scene::{Run, check, free, holder, quiet, second};
use crate::told::Script;
use crate::wishes::operator;

/// The pass has found them to have failed so often in a row.
fn failed(run: &mut Run, at: i64, failures: u32) {
    run.document.check = Some(check(second(at), 3, 9, false));
    run.document.service = Some(Service {
        failures,
        failed: (failures > 0).then(|| "/health answers 503".to_owned()),
        reason: String::new(),
    });
}

/// Promoted by its operator, by force or not.
fn promoted(record: &Record, force: bool) -> Record {
    let wish = Wish {
        force,
        ..Wish::new(Verb::Promote, "first")
    };
    let ask = operator(wish).ask(Kind::Claim);
    let told = Script::default().tell("", record, &ask, &holder("RUNNING"), second(150));
    told.unwrap().record
}

#[test]
fn three_failures_in_a_row_roll_back_and_fewer_let_nothing_go_on() {
    let mut script = Script::default();
    let (record, mut run) = switched("first", &free(), "a", "b");
    run.document.switch = Some(run.switched(second(20), (50, 50), &["a", "b"], 0));
    let at_the_end_of_the_step = [
        ("one failure at the end of the first step", 1),
        ("three", MOST_FAILURES),
        ("none any more", 0),
    ];
    for (title, failures) in at_the_end_of_the_step {
        failed(&mut run, 85, failures);
        let ask = run.ask(Kind::Pass);
        script.tell(title, &record, &ask, &quiet(), second(90));
    }
    let (record, mut run) = baking("first", &free(), "a", "b");
    for (title, failures, at) in [
        ("two failures in the middle of the bake", 2, 500),
        ("two failures at its end", 2, 1010),
        ("three at its end", MOST_FAILURES, 1010),
        ("none any more", 0, 1010),
    ] {
        failed(&mut run, at, failures);
        let ask = run.ask(Kind::Pass);
        script.tell(title, &record, &ask, &quiet(), second(at));
    }
    for (title, force, failures) in [
        ("promoted, with a failure", false, 1),
        ("promoted, with three", false, MOST_FAILURES),
        ("promoted by force, with three", true, MOST_FAILURES),
    ] {
        failed(&mut run, 200, failures);
        let ask = run.ask(Kind::Pass);
        script.tell(
            title,
            &promoted(&record, force),
            &ask,
            &quiet(),
            second(200),
        );
    }
    insta::assert_snapshot!(script.text());
}
