//! How deployments leave the record, and groups the forward action.

use ebbtide_rules::document::{Failure, Told};
use ebbtide_rules::launch::{Launched, Verdict as Fit};
use ebbtide_rules::plan::Asked;
use ebbtide_rules::record::{Kind, Next, Record, decide};
use ebbtide_rules::terminate::Verdict;

use crate::bakes::firing;
use crate::drains::{draining, resumed};
use crate::passes::{back, baking};
use crate::scene::{NOON, Run, ended, environment, free, holder, quiet, second};
use crate::told::Script;

#[test]
fn drains_end() {
    let mut script = Script::default();
    let (record, mut run) = draining("first", &free(), "a", "b");
    script.tell(
        "before anything is gone",
        &record,
        &run.ask(Kind::Release),
        &quiet(),
        second(1100),
    );
    let mut late = run.clone();
    late.document.terminate = Some(ended(Verdict::Gone, 2, second(1100)));
    script.tell(
        "gone, and a call was not answered",
        &record,
        &late.ask(Kind::Release),
        &quiet(),
        second(1100),
    );
    run.document.terminate = Some(ended(Verdict::Gone, 0, second(1100)));
    let asked = run.clone();
    let detaching = script.go(
        "gone, and nobody holds the front",
        &record,
        &mut run,
        Kind::Release,
        &quiet(),
        second(1100),
    );
    script.tell(
        "the same again",
        &detaching,
        &asked.ask(Kind::Release),
        &quiet(),
        second(1101),
    );
    script.tell(
        "asked without the action being set",
        &detaching,
        &run.ask(Kind::Release),
        &quiet(),
        second(1102),
    );
    let mut detached = run.clone();
    detached.document.detached = Some(run.switched(second(1103), (0, 100), &["b"], 0));
    script.go(
        "the action is set",
        &detaching,
        &mut detached.clone(),
        Kind::Release,
        &quiet(),
        second(1104),
    );
    detached.document.detached = Some(run.switched(second(1103), (0, 100), &["b"], 3));
    script.tell(
        "the action is set, and a call was not answered",
        &detaching,
        &detached.ask(Kind::Release),
        &quiet(),
        second(1104),
    );
    let mut second_run = Run::planned("second", detaching.epoch, "b", "c");
    let overtaken = script.go(
        "a claim overtakes it",
        &detaching,
        &mut second_run,
        Kind::Claim,
        &quiet(),
        second(1105),
    );
    script.tell(
        "it leaves detaching to the front's holder",
        &overtaken,
        &run.ask(Kind::Release),
        &quiet(),
        second(1106),
    );
    insta::assert_snapshot!(script.text());
}

#[test]
fn a_drain_ends_while_another_holds_the_front() {
    let mut script = Script::default();
    let (record, mut first) = draining("first", &free(), "a", "b");
    let (record, mut run) = baking("second", &record, "b", "c");
    run.document.switch = Some(run.switched(second(100), (0, 100), &["b", "c", "a"], 0));
    script.tell(
        "while it drains, the action names it at weight 0, and the front may be left",
        &record,
        &run.ask(Kind::Pass),
        &quiet(),
        second(1100),
    );
    first.document.terminate = Some(ended(Verdict::Gone, 0, second(1100)));
    let record = script.go(
        "its group is left to the front's holder",
        &record,
        &mut first,
        Kind::Release,
        &quiet(),
        second(1100),
    );
    run.document.switch = Some(run.switched(second(100), (0, 100), &["b", "c", "a"], 0));
    let record = script.go(
        "who may not leave while the action names it",
        &record,
        &mut run,
        Kind::Pass,
        &quiet(),
        second(1101),
    );
    run.document.switch = Some(run.switched(second(100), (0, 100), &["b", "c"], 0));
    script.go(
        "and may when it does not",
        &record,
        &mut run,
        Kind::Pass,
        &quiet(),
        second(1102),
    );
    insta::assert_snapshot!(script.text());
}

#[test]
fn green_that_never_served() {
    let mut script = Script::default();
    let mut run = Run::planned("first", 0, "a", "b");
    let claimed = script.go("claimed", &free(), &mut run, Kind::Claim, &quiet(), NOON);
    run.document.rejection = Some(Failure {
        error: "GreenUnfit".to_owned(),
        cause: "{\"errorMessage\": \"i-1: busy\"}".to_owned(),
    });
    script.tell(
        "before green is gone",
        &claimed,
        &run.ask(Kind::Release),
        &quiet(),
        second(40),
    );
    run.document.rejected = Some(ended(Verdict::Gone, 0, second(41)));
    run.document.detached = Some(run.switched(second(42), (100, 0), &["a"], 0));
    script.go(
        "it is gone and out of the action",
        &claimed,
        &mut run.clone(),
        Kind::Release,
        &quiet(),
        second(43),
    );
    run.document.attach = Some(run.switched(second(5), (100, 0), &["a", "b"], 1));
    script.go(
        "and a call was not answered",
        &claimed,
        &mut run,
        Kind::Release,
        &quiet(),
        second(43),
    );
    let mut superseding = Run::of("second", "second", 1, Asked::Held { dry_run: false });
    let record = script.go(
        "superseded",
        &claimed,
        &mut superseding,
        Kind::Claim,
        &holder("FAILED"),
        second(100),
    );
    superseding.document.rejected = Some(ended(Verdict::Gone, 0, second(180)));
    superseding.document.detached = Some(superseding.switched(second(181), (100, 0), &["a"], 0));
    let cleared = script.go(
        "what was in the way is cleared",
        &record,
        &mut superseding,
        Kind::Release,
        &quiet(),
        second(182),
    );
    let mut again = Run::planned("second", cleared.epoch, "a", "b");
    script.go(
        "and it claims at the same epoch",
        &cleared,
        &mut again,
        Kind::Claim,
        &quiet(),
        second(185),
    );
    insta::assert_snapshot!(script.text());
}

#[test]
fn the_front_is_left_by_a_look_that_began_when_no_call_could_arrive_any_more() {
    let mut script = Script::default();
    let mut run = Run::planned("first", 0, "a", "b");
    let claimed = script.go("claimed", &free(), &mut run, Kind::Claim, &quiet(), NOON);
    run.document.attach = Some(run.switched(second(5), (100, 0), &["a", "b"], 1));
    run.document.rejected = Some(ended(Verdict::Gone, 0, second(41)));
    run.document.detached = Some(run.switched(second(42), (100, 0), &["a"], 0));
    let mut ask = |record: &Record, at: i64| {
        let decided = decide(record, &run.ask(Kind::Release), &quiet(), second(at)).unwrap();
        run.document.record = Some(decided.answer.clone());
        decided
    };
    // The call at second 5 may have put green back after the action was confirmed at second 42.
    let again = ask(&claimed, 90);
    assert_eq!(again.answer.next, Next::Reject, "{}", again.answer.reason);
    assert_eq!(again.answer.wait_seconds, 10);
    let left = ask(&again.record, 101);
    assert_eq!(left.answer.next, Next::GreenRejected);
    assert_eq!(left.record.front, None);
}

#[test]
fn a_drain_whose_answer_was_lost_has_ended_well_although_another_has_detached_for_it() {
    let mut script = Script::default();
    let (record, mut run) = draining("first", &free(), "a", "b");
    run.document.terminate = Some(ended(Verdict::Gone, 0, second(1100)));
    let lost = run.ask(Kind::Release);
    let detaching = decide(&record, &lost, &quiet(), second(1100)).unwrap();
    let mut other = Run::planned("second", detaching.record.epoch, "b", "c");
    let mut overtaken = script.go(
        "a claim overtakes it",
        &detaching.record,
        &mut other,
        Kind::Claim,
        &quiet(),
        second(1105),
    );
    // The front's holder has left the group out of the action, and the front.
    overtaken.retiring.clear();
    overtaken.front = None;
    let repeated = decide(&overtaken, &lost, &quiet(), second(1300)).unwrap();
    assert_eq!(repeated.answer.next, Next::Promoted);
    assert_eq!(repeated.outcome, None, "it is on record already");
}

#[test]
fn why_green_was_rejected() {
    let mut run = Run::planned("first", 0, "a", "b");
    let mut script = Script::default();
    let claimed = script.go("claimed", &free(), &mut run, Kind::Claim, &quiet(), NOON);
    let launched = |verdict: Fit, reason: &str| {
        let green = Launched {
            verdict,
            reason: reason.to_owned(),
            wait_seconds: 0,
            environment: environment("b"),
            servers: Vec::new(),
            healthy: 1,
            wanted: 3,
            launching: Default::default(),
        };
        Some(Told::new(green, 0, None, second(30)))
    };
    let gone = |mut run: Run| {
        run.document.rejected = Some(ended(Verdict::Gone, 0, second(41)));
        run.document.detached = Some(run.switched(second(42), (100, 0), &["a"], 0));
        run
    };
    run.document.green = launched(Fit::Rejected, "2 of 3 instances have ended by themselves");
    script.go(
        "LaunchGreen gave it up",
        &claimed,
        &mut gone(run.clone()),
        Kind::Release,
        &quiet(),
        second(43),
    );
    run.document.green = launched(Fit::Healthy, "3 of 3 servers healthy");
    let record = script.go(
        "it was healthy, and an alarm fires",
        &claimed,
        &mut run,
        Kind::Switch,
        &firing(),
        second(31),
    );
    script.go(
        "so that is why",
        &record,
        &mut gone(run),
        Kind::Release,
        &quiet(),
        second(43),
    );
    insta::assert_snapshot!(script.text());
}

#[test]
fn a_rollback_ends_and_tells_why_and_which_of_blues_servers_never_opened() {
    let mut script = Script::default();
    let (record, mut run) = back("first", |_| {});
    let record = script.go(
        "green retires",
        &record,
        &mut run,
        Kind::Pass,
        &quiet(),
        second(520),
    );
    run.document.terminate = Some(ended(Verdict::Gone, 0, second(600)));
    let record = script.go(
        "it is gone",
        &record,
        &mut run,
        Kind::Release,
        &quiet(),
        second(600),
    );
    run.document.detached = Some(run.switched(second(601), (100, 0), &["a"], 0));
    script.tell(
        "and out of the action",
        &record,
        &run.ask(Kind::Release),
        &quiet(),
        second(602),
    );
    run.document.resume = Some(resumed());
    script.tell(
        "while a server of blue did not open",
        &record,
        &run.ask(Kind::Release),
        &quiet(),
        second(602),
    );
    insta::assert_snapshot!(script.text());
}
