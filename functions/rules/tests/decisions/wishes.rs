//! What operators wish, at every stage; and where a deployment stands still.

use ebbtide_rules::input::{Then, Verb, Wish};
use ebbtide_rules::plan::{Asked, Gate};
use ebbtide_rules::record::{Clearing, Facts, Kind, Phase, Record};

use crate::bakes::firing;
use crate::drains::draining;
use crate::passes::{baking, switched};
use crate::scene::{NOON, Run, environment, free, holder, quiet, recorded, second};
use crate::told::Script;

/// An operator's execution.
pub(crate) fn operator(wish: Wish) -> Run {
    Run::of("operator", "operator", 1, Asked::Wish { wish })
}

pub(crate) fn another(name: &'static str, wish: Wish) -> Run {
    Run::of(name, name, 1, Asked::Wish { wish })
}

pub(crate) fn running() -> Facts {
    holder("RUNNING")
}

/// Claimed, with these gates.
pub(crate) fn claimed(gates: &[Gate]) -> (Record, Run) {
    let mut run = Run::planned("first", 0, "a", "b");
    if let Some(Asked::Deploy(deploy)) = run.document.plan.as_mut().map(|it| &mut it.asked) {
        deploy.recorded.policy.approve = gates.to_vec();
    }
    let record = Script::default().go("", &free(), &mut run, Kind::Claim, &quiet(), NOON);
    (record, run)
}

/// Every wish, told to the deployment that the record names, by an execution of its own each.
fn every(script: &mut Script, title: &str, record: &Record, facts: &Facts) {
    for verb in Verb::ALL {
        let title = format!("{title}: {}", verb.field());
        let ask = operator(Wish::new(verb, "first")).ask(Kind::Claim);
        script.tell(&title, record, &ask, facts, second(500));
    }
}

#[test]
fn every_wish_at_every_stage() {
    let mut script = Script::default();
    let (claimed, _) = claimed(&[]);
    every(&mut script, "claimed", &claimed, &running());
    let (switched, _) = switched("first", &free(), "a", "b");
    every(&mut script, "in the first step", &switched, &running());
    let (baking, _) = baking("first", &free(), "a", "b");
    every(&mut script, "baking", &baking, &running());
    let (draining, _) = draining("first", &free(), "a", "b");
    every(
        &mut script,
        "draining: the race with the bake's end is lost",
        &draining,
        &running(),
    );
    let mut back = switched.clone();
    back.front.as_mut().unwrap().phase = Phase::RollingBack {
        reason: "an alarm".to_owned(),
    };
    every(&mut script, "rolling back", &back, &running());
    let mut clearing = claimed.clone();
    clearing.front.as_mut().unwrap().phase = Phase::Superseding {
        clearing: Clearing {
            deployment: "zeroth".to_owned(),
            blue: environment("a"),
            green: environment("b"),
            green_version: None,
            listeners: Vec::new(),
        },
    };
    every(
        &mut script,
        "clearing another's green",
        &clearing,
        &running(),
    );
    let mut detaching = claimed.clone();
    detaching.front.as_mut().unwrap().phase = Phase::Detaching {
        environment: environment("a"),
    };
    every(&mut script, "detaching", &detaching, &running());
    every(
        &mut script,
        "its execution has failed",
        &baking,
        &holder("FAILED"),
    );
    every(&mut script, "nobody knows it", &free(), &Facts::default());
    insta::assert_snapshot!(script.text());
}

#[test]
fn a_pause_holds_the_next_step_and_the_first_seal_until_somebody_says_resume() {
    let mut script = Script::default();
    let (record, mut run) = switched("first", &free(), "a", "b");
    run.document.switch = Some(run.switched(second(20), (50, 50), &["a", "b"], 0));
    let mut pause = operator(Wish {
        who: Some("on-call".to_owned()),
        why: Some("latency looks odd".to_owned()),
        ..Wish::new(Verb::Pause, "first")
    });
    let paused = script.go(
        "pause",
        &record,
        &mut pause,
        Kind::Claim,
        &running(),
        second(30),
    );
    let twice = another("other", Wish::new(Verb::Pause, "first"));
    script.tell(
        "it comes twice",
        &paused,
        &twice.ask(Kind::Claim),
        &running(),
        second(40),
    );
    let stands = script.go(
        "the step's time is over",
        &paused,
        &mut run,
        Kind::Pass,
        &quiet(),
        second(90),
    );
    script.tell(
        "an alarm fires: it rolls back all the same",
        &stands,
        &run.ask(Kind::Pass),
        &firing(),
        second(95),
    );
    let resume = another("resumed", Wish::new(Verb::Resume, "first")).ask(Kind::Claim);
    let resumed = script
        .tell("resume", &stands, &resume, &running(), second(100))
        .unwrap()
        .record;
    let late = another("late", Wish::new(Verb::Resume, "first")).ask(Kind::Claim);
    script.tell(
        "once more: there is nothing to resume",
        &resumed,
        &late,
        &running(),
        second(101),
    );
    script.tell(
        "the same execution asks again: its reply was lost",
        &resumed,
        &resume,
        &running(),
        second(102),
    );
    script.tell(
        "the step is taken",
        &resumed,
        &run.ask(Kind::Pass),
        &quiet(),
        second(110),
    );
    let (record, run) = baking("first", &free(), "a", "b");
    let pause = operator(Wish::new(Verb::Pause, "first")).ask(Kind::Claim);
    let paused = script
        .tell(
            "pause in the bake",
            &record,
            &pause,
            &running(),
            second(900),
        )
        .unwrap()
        .record;
    script.tell(
        "the bake's time is over, nothing seals",
        &paused,
        &run.ask(Kind::Pass),
        &quiet(),
        second(1000),
    );
    insta::assert_snapshot!(script.text());
}

#[test]
fn a_pause_lasts_as_long_as_it_may_and_a_redrive_grants_it_anew() {
    let mut script = Script::default();
    let (record, mut run) = baking("first", &free(), "a", "b");
    let pause = operator(Wish::new(Verb::Pause, "first")).ask(Kind::Claim);
    let paused = script
        .tell("pause", &record, &pause, &running(), second(0))
        .unwrap()
        .record;
    script.tell(
        "at its last second",
        &paused,
        &run.ask(Kind::Pass),
        &quiet(),
        second(3600),
    );
    script.tell(
        "a second later",
        &paused,
        &run.ask(Kind::Pass),
        &quiet(),
        second(3601),
    );
    run.redrives = 1;
    let granted = script
        .tell(
            "redriven",
            &paused,
            &run.ask(Kind::Pass),
            &quiet(),
            second(5000),
        )
        .unwrap()
        .record;
    script.tell(
        "that counts once",
        &granted,
        &run.ask(Kind::Pass),
        &quiet(),
        second(8601),
    );
    run.redrives = 2;
    script.tell(
        "for three days in all",
        &granted,
        &run.ask(Kind::Pass),
        &quiet(),
        second(259_201),
    );
    let take_over = Run::of(
        "second",
        "first",
        1,
        Asked::TakeOver {
            then: Then::Continue,
            green_weight: 100,
            recorded: recorded("a", "b"),
        },
    );
    script.tell(
        "a take-over begins to count anew",
        &granted,
        &take_over.ask(Kind::Claim),
        &holder("FAILED"),
        second(259_300),
    );
    insta::assert_snapshot!(script.text());
}

#[test]
fn a_gate_is_waited_at_and_opened_by_a_person() {
    let mut script = Script::default();
    let (record, mut run) = claimed(&[Gate::Switch, Gate::Seal]);
    let early = operator(Wish::new(Verb::Resume, "first")).ask(Kind::Claim);
    script.tell(
        "too early: nobody has looked at green",
        &record,
        &early,
        &running(),
        second(5),
    );
    let mut record = script.go(
        "green is fit",
        &record,
        &mut run,
        Kind::Switch,
        &quiet(),
        second(20),
    );
    record = script.go(
        "nobody has said anything",
        &record,
        &mut run,
        Kind::Switch,
        &quiet(),
        second(320),
    );
    script.tell(
        "an alarm fires before the switch",
        &record,
        &run.ask(Kind::Switch),
        &firing(),
        second(330),
    );
    script.tell(
        "nobody comes",
        &record,
        &run.ask(Kind::Switch),
        &quiet(),
        second(3621),
    );
    let mut resume = another("resumed", Wish::new(Verb::Resume, "first"));
    record = script.go(
        "resume",
        &record,
        &mut resume,
        Kind::Claim,
        &running(),
        second(400),
    );
    record = script.go(
        "the gate is open",
        &record,
        &mut run,
        Kind::Switch,
        &quiet(),
        second(410),
    );
    run.document.switch = Some(run.switched(second(420), (50, 50), &["a", "b"], 0));
    record = script.go(
        "the step",
        &record,
        &mut run,
        Kind::Pass,
        &quiet(),
        second(480),
    );
    run.document.switch = Some(run.switched(second(490), (0, 100), &["a", "b"], 0));
    record = script.go(
        "the bake is over: the second gate",
        &record,
        &mut run,
        Kind::Pass,
        &quiet(),
        second(1400),
    );
    let mut resume = another("again", Wish::new(Verb::Resume, "first"));
    record = script.go(
        "resume",
        &record,
        &mut resume,
        Kind::Claim,
        &running(),
        second(1500),
    );
    script.tell(
        "blue retires",
        &record,
        &run.ask(Kind::Pass),
        &quiet(),
        second(1510),
    );
    let aborted = another("aborted", Wish::new(Verb::Abort, "first")).ask(Kind::Claim);
    let (record, mut run) = claimed(&[Gate::Switch]);
    let record = script.go(
        "another waits",
        &record,
        &mut run,
        Kind::Switch,
        &quiet(),
        second(20),
    );
    let record = script
        .tell(
            "it is given up there",
            &record,
            &aborted,
            &running(),
            second(30),
        )
        .unwrap()
        .record;
    for verb in [Verb::Pause, Verb::Resume, Verb::Promote] {
        let late = another("late", Wish::new(verb, "first")).ask(Kind::Claim);
        let refused = script.tell("too late", &record, &late, &running(), second(35));
        assert!(refused.is_none());
    }
    script.tell(
        "green is rejected",
        &record,
        &run.ask(Kind::Switch),
        &quiet(),
        second(40),
    );
    insta::assert_snapshot!(script.text());
}

#[test]
fn a_promotion_skips_steps_gates_and_bake_and_lets_the_load_balancer_settle() {
    let mut script = Script::default();
    let promote = |force| {
        let wish = Wish {
            force,
            ..Wish::new(Verb::Promote, "first")
        };
        another(if force { "forced" } else { "promoted" }, wish).ask(Kind::Claim)
    };
    let (record, mut run) = claimed(&[Gate::Switch, Gate::Seal]);
    let mut record = script.go(
        "it waits at the first gate",
        &record,
        &mut run,
        Kind::Switch,
        &quiet(),
        second(20),
    );
    let firing_and_running = Facts {
        holder: running().holder,
        ..firing()
    };
    script.tell(
        "promote while an alarm fires",
        &record,
        &promote(false),
        &firing_and_running,
        second(30),
    );
    record = script
        .tell("promote", &record, &promote(false), &running(), second(30))
        .unwrap()
        .record;
    script.tell(
        "an alarm counts all the same",
        &record,
        &run.ask(Kind::Switch),
        &firing(),
        second(40),
    );
    let forced = script
        .tell(
            "promote by force",
            &record,
            &promote(true),
            &firing_and_running,
            second(35),
        )
        .unwrap()
        .record;
    script.tell(
        "then it does not",
        &forced,
        &run.ask(Kind::Switch),
        &firing(),
        second(40),
    );
    record = script.go(
        "all the weight at once",
        &record,
        &mut run,
        Kind::Switch,
        &quiet(),
        second(40),
    );
    run.document.switch = Some(run.switched(second(50), (0, 100), &["a", "b"], 0));
    script.tell(
        "a second before it has settled",
        &record,
        &run.ask(Kind::Pass),
        &quiet(),
        second(79),
    );
    script.tell(
        "settled",
        &record,
        &run.ask(Kind::Pass),
        &quiet(),
        second(80),
    );
    let (record, mut run) = switched("first", &free(), "a", "b");
    run.document.switch = Some(run.switched(second(20), (50, 50), &["a", "b"], 0));
    let record = script
        .tell(
            "promote in the first step",
            &record,
            &promote(false),
            &running(),
            second(30),
        )
        .unwrap()
        .record;
    let record = script.go(
        "the rest of the steps",
        &record,
        &mut run,
        Kind::Pass,
        &quiet(),
        second(31),
    );
    script.tell(
        "the weights are not confirmed",
        &record,
        &run.ask(Kind::Pass),
        &quiet(),
        second(100),
    );
    let pause = operator(Wish::new(Verb::Pause, "first")).ask(Kind::Claim);
    let paused = script
        .tell("paused after all", &record, &pause, &running(), second(35))
        .unwrap()
        .record;
    run.document.switch = Some(run.switched(second(40), (0, 100), &["a", "b"], 0));
    script.tell(
        "it stands",
        &paused,
        &run.ask(Kind::Pass),
        &quiet(),
        second(80),
    );
    insta::assert_snapshot!(script.text());
}

#[test]
fn what_was_wished_while_another_s_green_is_cleared_away_holds_for_the_deployment_that_follows() {
    let mut script = Script::default();
    let (mut record, run) = claimed(&[]);
    let front = record.front.as_mut().unwrap();
    front.phase = Phase::Superseding {
        clearing: Clearing {
            deployment: "zeroth".to_owned(),
            blue: environment("a"),
            green: environment("b"),
            green_version: None,
            listeners: Vec::new(),
        },
    };
    let mut again = Run::planned("first", 1, "a", "b");
    again.document.record = run.document.record;
    for verb in [Verb::Abort, Verb::Pause] {
        let wish = another("told", Wish::new(verb, "first")).ask(Kind::Claim);
        let wished = script
            .tell(verb.field(), &record, &wish, &running(), second(30))
            .unwrap()
            .record;
        let mut begins = again.clone();
        let claimed = script.go(
            "it plans and claims",
            &wished,
            &mut begins,
            Kind::Claim,
            &quiet(),
            second(60),
        );
        script.tell(
            "and asks to switch",
            &claimed,
            &begins.ask(Kind::Switch),
            &quiet(),
            second(90),
        );
    }
    insta::assert_snapshot!(script.text());
}
