//! Going on with a deployment whose execution has ended.

use ebbtide_rules::input::Then;
use ebbtide_rules::plan::Asked;
use ebbtide_rules::record::{Ask, Kind, Phase, Record};
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
