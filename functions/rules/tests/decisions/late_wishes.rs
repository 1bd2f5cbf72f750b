//! Who says `resume` has looked at one place: at another one nothing opens.

use ebbtide_rules::input::{Verb, Wish};
use ebbtide_rules::plan::{Gate, Halt};
use ebbtide_rules::record::{Kind, Record};

use crate::scene::{Run, quiet, second};
use crate::told::Script;
use crate::wishes::{another, claimed, running};

/// Told to the deployment of this record: what the record is then, none where it is refused.
fn resume(script: &mut Script, title: &str, record: &Record, at: Option<Halt>) -> Option<Record> {
    let wish = Wish {
        at,
        ..Wish::new(Verb::Resume, "first")
    };
    let ask = another("resumed", wish).ask(Kind::Claim);
    let made = script.tell(title, record, &ask, &running(), second(1450));
    made.map(|made| made.record)
}

/// At the gate before the first seal, after that before the switch was opened.
fn at_the_second_gate(script: &mut Script) -> (Record, Run) {
    let (record, mut run) = claimed(&[Gate::Switch, Gate::Seal]);
    let mut go = |record: &Record, run: &mut Run, kind, at| {
        script.go("", record, run, kind, &quiet(), second(at))
    };
    let record = go(&record, &mut run, Kind::Switch, 20);
    let wish = Wish {
        at: Some(Halt::Switch),
        ..Wish::new(Verb::Resume, "first")
    };
    let mut opened = another("opened", wish);
    let record = Script::default().go(
        "",
        &record,
        &mut opened,
        Kind::Claim,
        &running(),
        second(30),
    );
    let record = go(&record, &mut run, Kind::Switch, 40);
    run.document.switch = Some(run.switched(second(50), (50, 50), &["a", "b"], 0));
    let record = go(&record, &mut run, Kind::Pass, 110);
    run.document.switch = Some(run.switched(second(120), (0, 100), &["a", "b"], 0));
    let record = go(&record, &mut run, Kind::Pass, 1400);
    (record, run)
}

#[test]
fn a_late_resume_opens_no_gate_but_the_one_that_was_looked_at() {
    let mut script = Script::default();
    let (record, _) = at_the_second_gate(&mut Script::default());
    let waits = |record: &Record| record.front.as_ref().and_then(|front| front.waits.clone());
    assert_eq!(waits(&record).unwrap().at, Halt::Seal);
    for (title, at) in [
        ("the first gate, late", Halt::Switch),
        ("a pause that somebody else has lifted", Halt::Pause),
    ] {
        assert!(resume(&mut script, title, &record, Some(at)).is_none());
    }
    for at in [Some(Halt::Seal), None] {
        let record = resume(&mut script, "this gate", &record, at).unwrap();
        assert_eq!(waits(&record), None);
        let approved = &record.front.as_ref().unwrap().wishes.approved;
        let gates: Vec<Gate> = approved.iter().map(|it| it.gate).collect();
        assert_eq!(gates, [Gate::Switch, Gate::Seal]);
    }
    insta::assert_snapshot!(script.text());
}
