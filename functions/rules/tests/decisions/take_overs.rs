//! Going on with a deployment whose execution has ended.

use ebbtide_rules::input::Then;
use ebbtide_rules::plan::Asked;
use ebbtide_rules::record::{Alarms, Ask, Facts, Kind, Phase, Record};
use ebbtide_rules::terminate::Verdict;

use crate::drains::draining;
use crate::passes::switched;
use crate::scene::{NOON, Run, ended, free, holder, quiet, recorded, second};
use crate::told::Script;

pub(crate) fn heir(record: &Record, then: Then, green_weight: u32) -> Run {
    let asked = Asked::TakeOver {
        then,
        green_weight,
        recorded: recorded("a", "b"),
    };
    Run::of("heir", "first", record.epoch, asked)
}

fn ask(record: &Record, then: Then, green_weight: u32) -> Ask {
    heir(record, then, green_weight).ask(Kind::Claim)
}

#[test]
fn of_the_front() {
    let mut script = Script::default();
    let mut first = Run::planned("first", 0, "a", "b");
    let claimed = Script::default().go("", &free(), &mut first, Kind::Claim, &quiet(), NOON);
    let failed = holder("FAILED");
    script.tell(
        "of nobody",
        &free(),
        &ask(&free(), Then::Continue, 0),
        &failed,
        NOON,
    );
    script.tell(
        "of one that runs",
        &claimed,
        &ask(&claimed, Then::Continue, 0),
        &holder("RUNNING"),
        NOON,
    );
    script.tell(
        "claimed, to continue",
        &claimed,
        &ask(&claimed, Then::Continue, 0),
        &failed,
        second(9),
    );
    script.tell(
        "claimed, to roll back",
        &claimed,
        &ask(&claimed, Then::RollBack, 0),
        &failed,
        second(9),
    );
    let (record, mut former) = switched("first", &free(), "a", "b");
    let record_of = record.clone();
    script.tell(
        "switched, to continue",
        &record,
        &ask(&record, Then::Continue, 50),
        &failed,
        second(99),
    );
    script.tell(
        "switched, to roll back before any weight had moved",
        &record,
        &ask(&record, Then::RollBack, 0),
        &failed,
        second(99),
    );
    let mut run = heir(&record, Then::RollBack, 50);
    let record = script.go(
        "switched, to roll back",
        &record,
        &mut run,
        Kind::Claim,
        &failed,
        second(99),
    );
    former.document.switch = Some(former.switched(second(20), (50, 50), &["a", "b"], 0));
    script.tell(
        "the former execution is redriven",
        &record,
        &former.ask(Kind::Pass),
        &quiet(),
        second(120),
    );
    let record = script.go(
        "blue is listed",
        &record,
        &mut run,
        Kind::Pass,
        &quiet(),
        second(180),
    );
    script.tell(
        "rolling back, to continue",
        &record,
        &ask(&record, Then::Continue, 50),
        &failed,
        second(200),
    );
    let mut outdated = record_of;
    outdated.epoch += 1;
    script.tell(
        "the record has changed since the plan",
        &outdated,
        &ask(&record, Then::Continue, 50),
        &failed,
        second(200),
    );
    let mut superseding = claimed;
    let clearing = ebbtide_rules::record::Clearing {
        deployment: "zeroth".to_owned(),
        blue: crate::scene::environment("a"),
        green: crate::scene::environment("b"),
        green_version: None,
        listeners: vec!["arn:listener".to_owned()],
    };
    superseding.front.as_mut().unwrap().phase = Phase::Superseding { clearing };
    script.tell(
        "superseding",
        &superseding,
        &ask(&superseding, Then::Continue, 0),
        &failed,
        second(9),
    );
    insta::assert_snapshot!(script.text());
}

#[test]
fn of_an_entry() {
    let mut script = Script::default();
    let (record, mut first) = draining("first", &free(), "a", "b");
    let failed = holder("FAILED");
    script.tell(
        "to roll back",
        &record,
        &ask(&record, Then::RollBack, 100),
        &failed,
        second(2000),
    );
    script.tell(
        "of one that runs",
        &record,
        &ask(&record, Then::Continue, 100),
        &holder("RUNNING"),
        second(2000),
    );
    script.tell(
        "to continue",
        &record,
        &ask(&record, Then::Continue, 100),
        &failed,
        second(2000),
    );
    let (both, _) = draining("second", &record, "b", "c");
    script.tell(
        "while another drains",
        &both,
        &ask(&both, Then::Continue, 100),
        &failed,
        second(2000),
    );
    first.document.terminate = Some(ended(Verdict::Gone, 0, second(2001)));
    let detaching = script.go(
        "gone: it detaches",
        &record,
        &mut first,
        Kind::Release,
        &quiet(),
        second(2001),
    );
    let mut run = heir(&detaching, Then::Continue, 100);
    let record = script.go(
        "while it detaches",
        &detaching,
        &mut run,
        Kind::Claim,
        &failed,
        second(2010),
    );
    script.tell(
        "the former execution leaves",
        &record,
        &first.ask(Kind::Release),
        &quiet(),
        second(2011),
    );
    script.go(
        "its heir detaches",
        &record,
        &mut run,
        Kind::Release,
        &quiet(),
        second(2090),
    );
    insta::assert_snapshot!(script.text());
}

#[test]
fn whose_place_was_taken() {
    let mut script = Script::default();
    let mut first = Run::planned("first", 0, "a", "b");
    let refused = Facts {
        alarms: Some(Alarms {
            firing: vec!["errors".to_owned()],
            ..quiet().alarms.unwrap()
        }),
        holder: None,
    };
    script.tell(
        "a claim that writes nothing",
        &free(),
        &first.ask(Kind::Claim),
        &refused,
        NOON,
    );
    first.redrives = 1;
    let ask = first.ask(Kind::Claim);
    let claimed = script
        .tell("redriven, it may", &free(), &ask, &quiet(), second(60))
        .unwrap()
        .record;
    script.tell(
        "its reply was lost",
        &claimed,
        &ask,
        &holder("FAILED"),
        second(61),
    );
    let mut run = heir(&claimed, Then::RollBack, 0);
    let taken = script.go(
        "it is taken over, to roll back",
        &claimed,
        &mut run,
        Kind::Claim,
        &holder("FAILED"),
        second(90),
    );
    let again = |epoch| Run::planned("first", epoch, "a", "b").ask(Kind::Claim);
    let held = Run::of("first", "first", 2, Asked::Held { dry_run: false });
    script.tell(
        "redriven while its heir acts",
        &taken,
        &held.ask(Kind::Claim),
        &holder("RUNNING"),
        second(120),
    );
    script.tell(
        "redriven when its heir has failed",
        &taken,
        &held.ask(Kind::Claim),
        &holder("FAILED"),
        second(130),
    );
    run.document.rejected = Some(ended(Verdict::Gone, 0, second(170)));
    run.document.detached = Some(run.switched(second(175), (100, 0), &["a"], 0));
    let over = script.go(
        "its heir ends it",
        &taken,
        &mut run,
        Kind::Release,
        &quiet(),
        second(180),
    );
    script.tell(
        "redriven, and planned again, when its heir has ended it",
        &over,
        &again(2),
        &quiet(),
        second(300),
    );
    script.tell(
        "another name may claim",
        &over,
        &Run::planned("second", 2, "a", "b").ask(Kind::Claim),
        &quiet(),
        second(300),
    );
    script.tell(
        "so may an execution of a name that has ended: AWS gives it again after 90 days",
        &over,
        &Run::planned("heir", 2, "a", "b").ask(Kind::Claim),
        &quiet(),
        second(8_000_000),
    );
    insta::assert_snapshot!(script.text());
}

#[test]
fn a_superseder_plans_again_and_is_not_begun_again_once_it_is_superseded() {
    let mut script = Script::default();
    let mut first = Run::planned("first", 0, "a", "b");
    let claimed = script.go("claimed", &free(), &mut first, Kind::Claim, &quiet(), NOON);
    let held = |name, epoch| Run::of(name, name, epoch, Asked::Held { dry_run: false });
    let failed = holder("FAILED");
    let mut run = held("second", 1);
    let record = script.go(
        "superseded",
        &claimed,
        &mut run,
        Kind::Claim,
        &failed,
        second(10),
    );
    run.document.rejected = Some(ended(Verdict::Gone, 0, second(90)));
    run.document.detached = Some(run.switched(second(95), (100, 0), &["a"], 0));
    let record = script.go(
        "cleared",
        &record,
        &mut run,
        Kind::Release,
        &quiet(),
        second(100),
    );
    script.tell(
        "planned again: the front is its own",
        &record,
        &Run::planned("second", 2, "a", "b").ask(Kind::Claim),
        &quiet(),
        second(105),
    );
    script.tell(
        "the superseded one is redriven",
        &record,
        &held("first", 2).ask(Kind::Claim),
        &failed,
        second(110),
    );
    let record = script.go(
        "superseded in its turn",
        &record,
        &mut held("third", 2),
        Kind::Claim,
        &failed,
        second(120),
    );
    script.tell(
        "the superseder is redriven",
        &record,
        &held("second", 3).ask(Kind::Claim),
        &failed,
        second(130),
    );
    insta::assert_snapshot!(script.text());
}
