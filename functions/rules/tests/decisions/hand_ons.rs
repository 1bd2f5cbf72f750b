//! A deployment that goes on for longer than an execution's history has room for.

use ebbtide_rules::document::Document;
use ebbtide_rules::record::{Kind, Record, decide};
use serde_json::json;

use crate::drains::{draining, resumed};
use crate::passes::{back, baking};
use crate::scene::{Run, arn, check, free, quiet, second};
use crate::told::Script;

/// The execution that the record names, with the document that it is started with.
fn successor(name: &'static str, former: &Run) -> Run {
    Run {
        name,
        redrives: 0,
        document: Document {
            continued: Some(json!(true)),
            ..former.document.clone()
        },
    }
}

#[test]
fn a_drain_of_three_executions() {
    let mut script = Script::default();
    let (mut record, mut first) = draining("first", &free(), "a", "b");
    record.retiring[0].plan.policy.most_passes = 3;
    first.redrives = 2;
    let pass = |script: &mut Script, title: &str, record: &Record, run: &mut Run, at: i64| {
        run.document.check = Some(check(second(at), 3, 0, true));
        script.go(title, record, run, Kind::Pass, &quiet(), second(at))
    };
    let record = pass(
        &mut script,
        "the first execution, redriven twice, has room for three passes, two of which were the bake's",
        &record,
        &mut first,
        1002,
    );
    let named = script.go(
        "and names the next one",
        &record,
        &mut first,
        Kind::HandOn,
        &quiet(),
        second(1003),
    );
    let mut heir = successor("first-0123456789ab-1-part-2", &first);
    let adopted = script.go(
        "which goes on",
        &named,
        &mut heir,
        Kind::Adopt,
        &quiet(),
        second(1004),
    );
    script.tell(
        "its predecessor holds nothing any more",
        &adopted,
        &first.ask(Kind::Pass),
        &quiet(),
        second(1005),
    );
    let record = pass(
        &mut script,
        "it counts its own passes",
        &adopted,
        &mut heir,
        1100,
    );
    heir.redrives = 1;
    let record = pass(
        &mut script,
        "and its own redrives",
        &record,
        &mut heir,
        1200,
    );
    let record = pass(&mut script, "its passes are over", &record, &mut heir, 1300);
    script.go(
        "the third has a name of its own",
        &record,
        &mut heir,
        Kind::HandOn,
        &quiet(),
        second(1301),
    );
    insta::assert_snapshot!(script.text());
}

#[test]
fn a_bake_of_two_executions() {
    let mut script = Script::default();
    let (mut record, mut first) = baking("first", &free(), "a", "b");
    record.front.as_mut().unwrap().plan.policy.most_passes = 2;
    let record = script.go(
        "the bake goes on, and the execution's passes are over",
        &record,
        &mut first,
        Kind::Pass,
        &quiet(),
        second(200),
    );
    let named = script.go(
        "it names the next one",
        &record,
        &mut first,
        Kind::HandOn,
        &quiet(),
        second(201),
    );
    let mut heir = successor("first-0123456789ab-1-part-2", &first);
    let late = Run {
        name: "first",
        ..heir.clone()
    };
    script.tell(
        "which alone may move weights: its predecessor may not, at the same epoch",
        &named,
        &late.ask(Kind::Pass),
        &quiet(),
        second(202),
    );
    script.tell(
        "nor may it leave",
        &named,
        &late.ask(Kind::Release),
        &quiet(),
        second(202),
    );
    let mut forgotten = named.clone();
    forgotten.answers.clear();
    script.tell(
        "it may ask for the same again, although its answer is not kept any more",
        &forgotten,
        &late.ask(Kind::HandOn),
        &quiet(),
        second(202),
    );
    let adopted = script.go(
        "it goes on",
        &named,
        &mut heir,
        Kind::Adopt,
        &quiet(),
        second(203),
    );
    let mut forgotten = adopted.clone();
    forgotten.answers.clear();
    script.tell(
        "from now on its predecessor may not ask for that, it would name the third",
        &forgotten,
        &late.ask(Kind::HandOn),
        &quiet(),
        second(203),
    );
    script.go(
        "and watches",
        &adopted,
        &mut heir,
        Kind::Pass,
        &quiet(),
        second(204),
    );
    insta::assert_snapshot!(script.text());
}

#[test]
fn the_record_knows_the_executions_that_act_or_are_to_by_name() {
    let (record, mut first) = draining("first", &free(), "a", "b");
    let (mut record, _) = baking("second", &record, "b", "c");
    let acts = |record: &Record| {
        ["first", "second", "first-0123456789ab-1-part-2", "third"]
            .map(|name| record.is_acted_for_by(name))
    };
    assert_eq!(acts(&record), [true, true, false, false]);
    record.retiring[0].plan.policy.most_passes = 1;
    let script = &mut Script::default();
    let record = script.go("", &record, &mut first, Kind::Pass, &quiet(), second(1002));
    let record = script.go(
        "",
        &record,
        &mut first,
        Kind::HandOn,
        &quiet(),
        second(1003),
    );
    assert_eq!(
        acts(&record),
        [false, true, true, false],
        "named before it is started"
    );
    assert_eq!(acts(&free()), [false; 4]);
}

#[test]
fn a_detached_rollback_has_ended_for_the_pipeline_and_green_drains_in_another_execution() {
    let mut script = Script::default();
    let (record, run) = back("first", |policy| policy.detached = true);
    let (mut first, mut second_part) = (run.clone(), run);
    let left = script.go(
        "blue has all the weight: green drains in an execution of its own",
        &record,
        &mut first,
        Kind::Pass,
        &quiet(),
        second(520),
    );
    first.document.resume = Some(resumed());
    script.go(
        "the pipeline's execution ends as rolled back",
        &left,
        &mut first,
        Kind::HandOn,
        &quiet(),
        second(521),
    );
    let mut later = record;
    later.front.as_mut().unwrap().course.part = 2;
    script.go(
        "one that was handed on before hands nothing on again",
        &later,
        &mut second_part,
        Kind::Pass,
        &quiet(),
        second(520),
    );
    insta::assert_snapshot!(script.text());
}

#[test]
fn only_who_hands_on_has_a_successor_to_start() {
    let (mut record, first) = draining("first", &free(), "a", "b");
    record.retiring[0].plan.policy.most_passes = 1;
    let passed = decide(&record, &first.ask(Kind::Pass), &quiet(), second(1002)).unwrap();
    assert_eq!(passed.answer.successor(), None);
    let mut run = first;
    run.take(passed.answer);
    let named = decide(
        &passed.record,
        &run.ask(Kind::HandOn),
        &quiet(),
        second(1003),
    )
    .unwrap();
    let part = "first-0123456789ab-1-part-2";
    assert_eq!(named.answer.successor(), Some(part));
    assert_eq!(named.record.retiring[0].owner.execution, arn(part));
}
