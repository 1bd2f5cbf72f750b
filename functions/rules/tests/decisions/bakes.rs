//! Steps and bake once more: what counts as confirmed, when the bake is over, what a rollback needs.

use ebbtide_rules::document::Failure;
use ebbtide_rules::plan::Asked;
use ebbtide_rules::record::{Alarms, Facts, Kind};

use crate::passes::{baking, switched};
use crate::scene::{NOON, Run, check, free, holder, quiet, second};
use crate::told::Script;

/// An alarm fires.
pub(crate) fn firing() -> Facts {
    Facts {
        alarms: Some(Alarms {
            at: second(30),
            firing: vec!["errors".to_owned()],
            fired: Vec::new(),
            missing: Vec::new(),
        }),
        holder: None,
    }
}

#[test]
fn steps_are_taken_one_by_one() {
    let mut script = Script::default();
    let mut run = Run::planned("first", 0, "a", "b");
    let mut record = script.go("claimed", &free(), &mut run, Kind::Claim, &quiet(), NOON);
    record.front.as_mut().unwrap().plan.policy.steps = vec![10, 40, 100];
    record = script.go(
        "green is fit: the first step",
        &record,
        &mut run,
        Kind::Switch,
        &quiet(),
        second(20),
    );
    for (title, weights, at) in [
        ("10 of 100 for a minute", (90, 10), 20),
        ("before 40 are set", (90, 10), 90),
        ("40 of 100 for a minute", (60, 40), 160),
        ("before all of it is set", (60, 40), 230),
        ("all of it", (0, 100), 300),
    ] {
        run.document.switch = Some(run.switched(second(at), weights, &["a", "b"], 0));
        record = script.go(
            title,
            &record,
            &mut run,
            Kind::Pass,
            &quiet(),
            second(at + 60),
        );
    }
    insta::assert_snapshot!(script.text());
}

#[test]
fn what_blue_has_to_have_open_for_a_rollback() {
    let mut script = Script::default();
    let (record, run) = switched("first", &free(), "a", "b");
    script.tell(
        "an alarm before any weight was confirmed: blue never drained",
        &record,
        &run.ask(Kind::Pass),
        &firing(),
        second(30),
    );
    let mut ill = run.clone();
    ill.document.ill = Some(Failure {
        error: "GreenUnhealthy".to_owned(),
        cause: "{}".to_owned(),
    });
    script.tell(
        "green fell ill before any weight was confirmed: some may have moved",
        &record,
        &ill.ask(Kind::Pass),
        &quiet(),
        second(60),
    );
    let mut weighed = run;
    weighed.document.switch = Some(weighed.switched(second(20), (50, 50), &["a", "b"], 0));
    script.tell(
        "an alarm once weight was confirmed",
        &record,
        &weighed.ask(Kind::Pass),
        &firing(),
        second(30),
    );
    insta::assert_snapshot!(script.text());
}

#[test]
fn when_the_bake_is_over() {
    let mut script = Script::default();
    let (record, run) = baking("first", &free(), "a", "b");
    let pass = |settled_at: i64, epoch: u64| {
        let mut run = run.clone();
        let switch = run.document.switch.as_mut().unwrap();
        switch.answer.moments.settled_at = Some(second(settled_at));
        switch.answer.epoch = epoch;
        run.ask(Kind::Pass)
    };
    let mut tell = |title: &str, settled_at: i64, epoch: u64, at: i64| {
        let ask = pass(settled_at, epoch);
        script.tell(title, &record, &ask, &quiet(), second(at));
    };
    tell("a second before", 130, 1, 999);
    tell("at its last second", 130, 1, 1000);
    tell("the load balancer settles later", 1200, 1, 1000);
    tell("it has settled", 1200, 1, 1200);
    tell("its weights were confirmed at another epoch", 130, 0, 1000);
    insta::assert_snapshot!(script.text());
}

#[test]
fn whoever_waits_for_the_front_is_told_what_its_holder_waits_for() {
    let mut script = Script::default();
    let (record, mut run) = baking("first", &free(), "a", "b");
    run.document.check = Some(check(second(100), 3, 9, false));
    let record = script.go(
        "the bake goes on",
        &record,
        &mut run,
        Kind::Pass,
        &quiet(),
        second(101),
    );
    let held = Asked::Held { dry_run: false };
    script.tell(
        "the next deployment comes",
        &record,
        &Run::of("second", "second", 1, held).ask(Kind::Claim),
        &holder("RUNNING"),
        second(102),
    );
    insta::assert_snapshot!(script.text());
}
