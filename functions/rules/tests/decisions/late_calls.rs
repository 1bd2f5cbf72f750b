//! Calls that nobody had an answer of: their last second, and who stays for them.

use ebbtide_rules::record::{Kind, Record};
use ebbtide_rules::terminate::Verdict;

use crate::drains::draining;
use crate::passes::back;
use crate::scene::{NOON, Run, ended, free, quiet, second};
use crate::told::Script;

#[test]
fn the_front_after_a_rollback() {
    let mut script = Script::default();
    let (record, mut run) = back("first", |_| {});
    run.document.back = Some(run.switched(second(510), (100, 0), &["a", "b"], 1));
    let record = script.go(
        "SwitchBack was tried twice",
        &record,
        &mut run,
        Kind::Pass,
        &quiet(),
        second(512),
    );
    for (title, at) in [
        ("a second before its first call can arrive no more", 584),
        (
            "in that second: what was looked at may have changed since",
            585,
        ),
    ] {
        let mut run = run.clone();
        run.document.back = Some(run.switched(second(at), (100, 0), &["a", "b"], 0));
        let record = script.go(title, &record, &mut run, Kind::Pass, &quiet(), second(at));
        run.document.back = Some(run.switched(second(at + 7), (100, 0), &["a", "b"], 0));
        script.go(
            "the next look finds nothing more to order",
            &record,
            &mut run,
            Kind::Pass,
            &quiet(),
            second(at + 7),
        );
    }
    script.tell(
        "blue's weight was confirmed at another epoch",
        &record,
        &{
            let mut run = run;
            run.document.back.as_mut().unwrap().answer.epoch = 1;
            run.ask(Kind::Pass)
        },
        &quiet(),
        second(700),
    );
    insta::assert_snapshot!(script.text());
}

#[test]
fn a_drain() {
    let mut script = Script::default();
    let (record, mut first) = draining("first", &free(), "a", "b");
    let (record, _) = draining("second", &record, "b", "c");
    first.document.terminate = Some(ended(Verdict::Gone, 1, second(1100)));
    for (title, at) in [
        ("TerminateBlue was tried twice", 1100),
        ("a second before its first call can arrive no more", 1174),
        ("in that second", 1175),
    ] {
        script.tell(
            title,
            &record,
            &first.ask(Kind::Release),
            &quiet(),
            second(at),
        );
    }
    let mut run = first.clone();
    let waiting = script.go(
        "it waits",
        &record,
        &mut run,
        Kind::Release,
        &quiet(),
        second(1100),
    );
    run.document.terminate = Some(ended(Verdict::Left, 0, second(1176)));
    script.tell(
        "and something is left after all",
        &waiting,
        &run.ask(Kind::Release),
        &quiet(),
        second(1176),
    );
    run.document.terminate = Some(ended(Verdict::Gone, 0, second(1176)));
    script.go(
        "it has waited",
        &waiting,
        &mut run,
        Kind::Release,
        &quiet(),
        second(1176),
    );
    let mut elder = first;
    elder.document.terminate = Some(ended(Verdict::Gone, 0, second(1100)));
    elder.document.record.as_mut().unwrap().epoch = 0;
    script.tell(
        "at an epoch of before it may not leave",
        &record,
        &elder.ask(Kind::Release),
        &quiet(),
        second(1100),
    );
    insta::assert_snapshot!(script.text());
}

/// A deployment whose green never served and is gone; AttachGreen's first call may arrive until second 80.
fn rejecting() -> (Record, Run) {
    let mut run = Run::planned("first", 0, "a", "b");
    let claimed = Script::default().go("", &free(), &mut run, Kind::Claim, &quiet(), NOON);
    run.document.attach = Some(run.switched(second(5), (100, 0), &["a", "b"], 1));
    run.document.rejected = Some(ended(Verdict::Gone, 0, second(41)));
    run.document.detached = Some(run.switched(second(42), (100, 0), &["a"], 0));
    (claimed, run)
}

#[test]
fn a_rejection() {
    let mut script = Script::default();
    let (claimed, run) = rejecting();
    for (title, at) in [
        ("AttachGreen was tried twice", 43),
        ("a few seconds before its first call can arrive no more", 75),
        ("in that second", 80),
    ] {
        script.tell(
            title,
            &claimed,
            &run.ask(Kind::Release),
            &quiet(),
            second(at),
        );
    }
    let mut elsewhere = run.clone();
    elsewhere.document.detached.as_mut().unwrap().answer.epoch = 0;
    script.tell(
        "the action was confirmed at another epoch",
        &claimed,
        &elsewhere.ask(Kind::Release),
        &quiet(),
        second(300),
    );
    let mut left = run;
    left.document.rejected = Some(ended(Verdict::Left, 0, second(41)));
    script.tell(
        "something of green is left",
        &claimed,
        &left.ask(Kind::Release),
        &quiet(),
        second(300),
    );
    insta::assert_snapshot!(script.text());
}
