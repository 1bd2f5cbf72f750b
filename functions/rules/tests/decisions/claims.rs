//! Who may take the front.

use ebbtide_rules::input::{Verb, Wish};
use ebbtide_rules::plan::Asked;
use ebbtide_rules::record::{Alarms, Facts, Kind, Phase, State};

use crate::drains::draining;
use crate::scene::{NOON, Run, free, holder, quiet, second};
use crate::told::Script;

#[test]
fn claims() {
    let mut script = Script::default();
    let mut first = Run::planned("first", 0, "a", "b");
    let claimed = script.go(
        "a service never deployed",
        &free(),
        &mut first,
        Kind::Claim,
        &quiet(),
        NOON,
    );
    let again = Run::planned("first", 0, "a", "b").ask(Kind::Claim);
    script.tell(
        "the same claim again: its reply was lost",
        &claimed,
        &again,
        &quiet(),
        second(3),
    );
    let mut second_run = Run::planned("second", 0, "a", "b");
    script.go(
        "planned on the record that it saw free",
        &claimed,
        &mut second_run,
        Kind::Claim,
        &holder("RUNNING"),
        NOON,
    );
    let held = |name| Run::of(name, name, 1, Asked::Held { dry_run: false });
    script.tell(
        "the holder runs",
        &claimed,
        &held("second").ask(Kind::Claim),
        &holder("RUNNING"),
        NOON,
    );
    let dry = Run::of("second", "second", 1, Asked::Held { dry_run: true });
    script.tell(
        "a dry run supersedes nobody",
        &claimed,
        &dry.ask(Kind::Claim),
        &holder("FAILED"),
        NOON,
    );
    let mut superseding = held("second");
    let cleared = script.go(
        "the holder ended before its switch",
        &claimed,
        &mut superseding,
        Kind::Claim,
        &holder("FAILED"),
        second(100),
    );
    script.tell(
        "a superseder that ended is superseded: the first one's green is still the one to end",
        &cleared,
        &held("third").ask(Kind::Claim),
        &holder("ABORTED"),
        second(200),
    );
    let late = Run::planned("first", 0, "a", "b").ask(Kind::Switch);
    let mut late = late;
    late.document.record = first.document.record.clone();
    script.tell(
        "the superseded one asks to switch",
        &cleared,
        &late,
        &quiet(),
        second(201),
    );
    let mut switched = claimed.clone();
    switched.front.as_mut().unwrap().phase = Phase::Switched;
    script.tell(
        "the holder ended after its switch",
        &switched,
        &held("second").ask(Kind::Claim),
        &holder("FAILED"),
        NOON,
    );
    let mut outdated = Run::planned("second", 0, "a", "b");
    let mut freed = claimed.clone();
    freed.front = None;
    script.go(
        "the record has changed since the plan",
        &freed,
        &mut outdated,
        Kind::Claim,
        &quiet(),
        NOON,
    );
    let mut now_free = held("second");
    script.go(
        "held at the plan, free now",
        &freed,
        &mut now_free,
        Kind::Claim,
        &quiet(),
        NOON,
    );
    let firing = Facts {
        alarms: Some(Alarms {
            at: NOON,
            firing: vec!["errors".to_owned()],
            fired: Vec::new(),
            missing: vec!["gone".to_owned()],
        }),
        holder: None,
    };
    script.tell(
        "an alarm fires, another does not exist",
        &free(),
        &Run::planned("first", 0, "a", "b").ask(Kind::Claim),
        &firing,
        NOON,
    );
    let mut dry = Run::planned("first", 0, "a", "b");
    if let Some(Asked::Deploy(deploy)) = dry.document.plan.as_mut().map(|it| &mut it.asked) {
        deploy.dry_run = true;
    }
    script.tell("a dry run", &free(), &dry.ask(Kind::Claim), &quiet(), NOON);
    let mut newer = free();
    newer.shape = 9;
    script.tell(
        "a newer version has written",
        &newer,
        &Run::planned("first", 0, "a", "b").ask(Kind::Claim),
        &quiet(),
        NOON,
    );
    insta::assert_snapshot!(script.text());
}

#[test]
fn wishes_and_the_switch() {
    let mut script = Script::default();
    let mut first = Run::planned("first", 0, "a", "b");
    let claimed = script.go("claimed", &free(), &mut first, Kind::Claim, &quiet(), NOON);
    let wish = |of: &str| crate::wishes::operator(Wish::new(Verb::RollBack, of)).ask(Kind::Claim);
    script.tell(
        "of a deployment that nobody knows",
        &claimed,
        &wish("zeroth"),
        &holder("RUNNING"),
        NOON,
    );
    script.tell(
        "of one that does not run",
        &claimed,
        &wish("first"),
        &holder("FAILED"),
        NOON,
    );
    let told = script
        .tell(
            "of one that runs",
            &claimed,
            &wish("first"),
            &holder("RUNNING"),
            second(5),
        )
        .unwrap()
        .record;
    script.tell(
        "once more: it stays the first one's",
        &told,
        &wish("first"),
        &holder("RUNNING"),
        second(9),
    );
    script.tell(
        "it may not switch then",
        &told,
        &first.ask(Kind::Switch),
        &quiet(),
        second(20),
    );
    let firing = Facts {
        alarms: Some(Alarms {
            at: NOON,
            firing: vec!["errors".to_owned()],
            fired: Vec::new(),
            missing: Vec::new(),
        }),
        holder: None,
    };
    script.tell(
        "nor while an alarm fires",
        &claimed,
        &first.ask(Kind::Switch),
        &firing,
        second(20),
    );
    let mut switched = first.clone();
    let record = script.go(
        "otherwise it may",
        &claimed,
        &mut switched,
        Kind::Switch,
        &quiet(),
        second(20),
    );
    script.tell(
        "the same ask again",
        &record,
        &first.ask(Kind::Switch),
        &quiet(),
        second(25),
    );
    script.tell(
        "a claim that comes late takes nothing back",
        &record,
        &Run::planned("first", 1, "a", "b").ask(Kind::Claim),
        &quiet(),
        second(30),
    );
    let mut back = record.clone();
    back.front.as_mut().unwrap().phase = Phase::RollingBack {
        reason: "an alarm".to_owned(),
    };
    script.tell(
        "a wish while it rolls back already",
        &back,
        &wish("first"),
        &holder("RUNNING"),
        second(40),
    );
    insta::assert_snapshot!(script.text());
}

#[test]
fn no_environment_that_retires_serves_or_is_green() {
    let mut script = Script::default();
    let (record, _) = draining("first", &free(), "a", "b");
    let claim = |blue, green| Run::planned("second", record.epoch, blue, green).ask(Kind::Claim);
    script.tell(
        "its green retires",
        &record,
        &claim("b", "a"),
        &quiet(),
        second(1010),
    );
    script.tell(
        "its blue retires",
        &record,
        &claim("a", "c"),
        &quiet(),
        second(1010),
    );
    let mut gone = record.clone();
    gone.retiring[0].state = State::Gone;
    script.tell(
        "its green is gone, and the forward action may still name it",
        &gone,
        &claim("b", "a"),
        &quiet(),
        second(1010),
    );
    script.tell(
        "both are free",
        &record,
        &claim("b", "c"),
        &quiet(),
        second(1010),
    );
    insta::assert_snapshot!(script.text());
}
