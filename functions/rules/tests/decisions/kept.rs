//! What the record keeps: bounded answers, one epoch for each owner, a shape.

use ebbtide_rules::record::{Kind, Record};
use proptest::prelude::*;

use crate::drains::draining;
use crate::passes::baking;
use crate::scene::{Run, free, holder, quiet, second};
use crate::told::Script;

#[test]
fn answers_of_those_who_act_are_never_dropped() {
    let (mut record, first) = draining("first", &free(), "a", "b");
    for turn in 0..20 {
        let asked = ebbtide_rules::plan::Asked::RollBack {
            deployment: "first".to_owned(),
        };
        let name: &'static str = Box::leak(format!("wish-{turn}").into_boxed_str());
        let wisher = Run::of(name, name, record.epoch, asked);
        if let Some(decision) = Script::default().tell(
            "",
            &record,
            &wisher.ask(Kind::Claim),
            &holder("RUNNING"),
            second(turn),
        ) {
            record = decision.record;
        }
    }
    let before = record.clone();
    let again = Script::default()
        .tell("", &record, &first.ask(Kind::Pass), &quiet(), second(1003))
        .unwrap();
    assert!(again.record.answers.len() <= 9);
    assert_eq!(again.record.revision, before.revision + 1);
}

#[test]
fn a_record_survives_its_json() {
    let (record, _) = draining("first", &free(), "a", "b");
    let (record, _) = baking("second", &record, "b", "c");
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
}

proptest! {
    /// Whatever is asked, in whatever order and however often: epoch and revision only grow, an owner's epoch is never
    /// above the record's, no environment retires twice, and what serves does not retire.
    #[test]
    fn the_record_keeps_its_order(asks in prop::collection::vec((0_usize..6, 0_i64..2000), 1..40)) {
        const KINDS: [Kind; 6] = [Kind::Claim, Kind::Adopt, Kind::Switch, Kind::Pass, Kind::HandOn, Kind::Release];
        let (mut record, mut first) = draining("first", &free(), "a", "b");
        let (next, mut second_run) = baking("second", &record, "b", "c");
        record = next;
        for (index, at) in asks {
            for run in [&mut first, &mut second_run] {
                let Some(decision) = Script::default().tell("", &record, &run.ask(KINDS[index]), &quiet(), second(at)) else { continue };
                let next = decision.record;
                prop_assert!(next.epoch >= record.epoch && next.revision >= record.revision);
                let owners = next.front.iter().map(|it| &it.owner).chain(next.retiring.iter().map(|it| &it.owner));
                for owner in owners {
                    prop_assert!(owner.epoch <= next.epoch);
                }
                for entry in &next.retiring {
                    let same = next.retiring.iter().filter(|it| it.environment == entry.environment).count();
                    prop_assert_eq!(same, 1);
                    let front = next.front.as_ref();
                    prop_assert!(front.is_none_or(|front| front.plan.green.environment != entry.environment));
                }
                let repeat = Script::default().tell("", &next, &run.ask(KINDS[index]), &quiet(), second(at + 1));
                if next != record {
                    prop_assert_eq!(repeat.map(|it| it.record), Some(next.clone()), "the same ask changes nothing twice");
                }
                run.take(decision.answer);
                record = next;
            }
        }
    }
}
