//! Steps, bake, and the way back.

use ebbtide_rules::document::Failure;
use ebbtide_rules::plan::Policy;
use ebbtide_rules::record::{Alarms, Facts, Kind, Record};

use crate::scene::{NOON, Run, check, free, listed, quiet, second};
use crate::told::Script;

/// A deployment that may move weight, at second 20.
pub(crate) fn switched(
    name: &'static str,
    record: &Record,
    blue: &str,
    green: &str,
) -> (Record, Run) {
    let mut script = Script::default();
    let mut run = Run::planned(name, record.epoch, blue, green);
    let claimed = script.go("", record, &mut run, Kind::Claim, &quiet(), NOON);
    let record = script.go("", &claimed, &mut run, Kind::Switch, &quiet(), second(20));
    (record, run)
}

/// The same with all the weight at green, confirmed at second 100.
pub(crate) fn baking(
    name: &'static str,
    record: &Record,
    blue: &str,
    green: &str,
) -> (Record, Run) {
    let (record, mut run) = switched(name, record, blue, green);
    let mut script = Script::default();
    run.document.switch = Some(run.switched(second(20), (50, 50), &[blue, green], 0));
    let record = script.go("", &record, &mut run, Kind::Pass, &quiet(), second(90));
    run.document.switch = Some(run.switched(second(100), (0, 100), &[blue, green], 0));
    run.document.check = Some(check(second(100), 3, 9, false));
    (record, run)
}

/// A deployment that an alarm has sent back, and whose blue has its weight again, confirmed at second 510.
pub(crate) fn back(name: &'static str, set: impl FnOnce(&mut Policy)) -> (Record, Run) {
    let (mut record, mut run) = baking(name, &free(), "a", "b");
    set(&mut record.front.as_mut().unwrap().plan.policy);
    let mut script = Script::default();
    let record = script.go("", &record, &mut run, Kind::Pass, &fired(), second(500));
    run.document.back = Some(run.switched(second(510), (100, 0), &["a", "b"], 0));
    run.document.held = Some(listed("a", 0, second(511)));
    (record, run)
}

fn fired() -> Facts {
    Facts {
        alarms: Some(Alarms {
            at: second(500),
            firing: Vec::new(),
            fired: vec!["errors".to_owned()],
            missing: Vec::new(),
        }),
        holder: None,
    }
}

#[test]
fn steps_and_bake() {
    let mut script = Script::default();
    let (record, mut run) = switched("first", &free(), "a", "b");
    run.document.switch = Some(run.switched(second(20), (50, 50), &["a", "b"], 0));
    run.document.check = Some(check(second(21), 3, 9, false));
    let record = script.go(
        "the step lasts",
        &record,
        &mut run,
        Kind::Pass,
        &quiet(),
        second(21),
    );
    let before = run.clone();
    let stepped = script.go(
        "the step is over",
        &record,
        &mut run,
        Kind::Pass,
        &quiet(),
        second(81),
    );
    script.tell(
        "the same pass again counts once",
        &stepped,
        &before.ask(Kind::Pass),
        &quiet(),
        second(85),
    );
    run.document.switch = Some(run.switched(second(90), (0, 100), &["a", "b"], 0));
    let record = script.go(
        "the bake",
        &stepped,
        &mut run,
        Kind::Pass,
        &quiet(),
        second(90),
    );
    script.tell(
        "an older pass comes late",
        &record,
        &before.ask(Kind::Pass),
        &quiet(),
        second(95),
    );
    script.tell(
        "an alarm has fired and cleared",
        &record,
        &run.ask(Kind::Pass),
        &fired(),
        second(500),
    );
    let mut ill = run.clone();
    ill.document.ill = Some(Failure {
        error: "GreenUnhealthy".to_owned(),
        cause: "{}".to_owned(),
    });
    script.tell(
        "green is ill",
        &record,
        &ill.ask(Kind::Pass),
        &quiet(),
        second(500),
    );
    let mut late = run.clone();
    late.document.retiring = Some(listed("a", 1, second(985)));
    script.tell(
        "the bake is over, and a call was not answered",
        &record,
        &late.ask(Kind::Pass),
        &quiet(),
        second(991),
    );
    let mut redriven = run.clone();
    redriven.redrives = 1;
    script.tell(
        "the bake is over, and the execution was redriven",
        &record,
        &redriven.ask(Kind::Pass),
        &quiet(),
        second(991),
    );
    script.tell(
        "the bake is over",
        &record,
        &run.ask(Kind::Pass),
        &quiet(),
        second(991),
    );
    script.tell(
        "an alarm at the last pass of the bake",
        &record,
        &run.ask(Kind::Pass),
        &fired(),
        second(991),
    );
    let mut detached = record.clone();
    detached.front.as_mut().unwrap().plan.policy.detached = true;
    script.tell(
        "the bake of a detached drain is over",
        &detached,
        &run.ask(Kind::Pass),
        &quiet(),
        second(991),
    );
    insta::assert_snapshot!(script.text());
}

#[test]
fn the_way_back() {
    let mut script = Script::default();
    let (record, mut run) = baking("first", &free(), "a", "b");
    let record = script.go(
        "an alarm",
        &record,
        &mut run,
        Kind::Pass,
        &fired(),
        second(500),
    );
    script.tell(
        "a pass without blue's weight",
        &record,
        &run.ask(Kind::Pass),
        &quiet(),
        second(501),
    );
    run.document.back = Some(run.switched(second(510), (100, 0), &["a", "b"], 1));
    run.document.held = Some(listed("a", 0, second(511)));
    let waiting = script.go(
        "blue has its weight, and a call was not answered",
        &record,
        &mut run,
        Kind::Pass,
        &quiet(),
        second(512),
    );
    script.go(
        "it cannot arrive any more",
        &waiting,
        &mut run,
        Kind::Pass,
        &quiet(),
        second(590),
    );
    insta::assert_snapshot!(script.text());
}
