//! What the record keeps: bounded answers, one epoch for each owner, a shape.

use ebbtide_rules::input::{Then, Verb, Wish};
use ebbtide_rules::plan::Asked;
use ebbtide_rules::record::{Ask, Facts, Kind, Next, Record, SHAPE, decide, decide_in};
use ebbtide_rules::{ErrorName, Failure};
use proptest::prelude::*;

use crate::drains::draining;
use crate::passes::{baking, switched};
use crate::scene::{Run, free, holder, quiet, second};
use crate::take_overs::heir;
use crate::told::Script;
use crate::wishes::operator;

#[test]
fn eight_answers_are_kept_and_those_of_who_acts_are_among_them() {
    let (record, first) = draining("first", &free(), "a", "b");
    let (mut record, mut second_run) = baking("second", &record, "b", "c");
    let lost = second_run.ask(Kind::Pass);
    record = decide(&record, &lost, &quiet(), second(101))
        .unwrap()
        .record;
    for turn in 0..20 {
        let asked = Asked::Wish {
            wish: Wish::new(Verb::RollBack, "second"),
        };
        let name: &'static str = Box::leak(format!("wish-{turn}").into_boxed_str());
        let wish = Run::of(name, name, record.epoch, asked).ask(Kind::Claim);
        let told = decide(&record, &wish, &holder("RUNNING"), second(102)).unwrap();
        assert_eq!(told.answer.next, Next::Told);
        record = told.record;
        assert!(record.answers.len() <= 8, "{}", record.answers.len());
    }
    assert_eq!(record.answers.len(), 8);
    let newest: Vec<&str> = record
        .answers
        .iter()
        .map(|it| it.deployment.as_str())
        .collect();
    assert_eq!(newest[..2], ["first", "second"], "they act");
    assert_eq!(
        newest[2..],
        [14, 15, 16, 17, 18, 19].map(|turn| format!("wish-{turn}"))
    );
    // The reply was lost all that time: the pass counts once.
    let again = decide(&record, &lost, &quiet(), second(400)).unwrap();
    assert_eq!(again.record, record);
    second_run.take(again.answer);
    let next = decide(&record, &second_run.ask(Kind::Pass), &quiet(), second(401)).unwrap();
    assert_eq!(next.answer.next, Next::RollBack);
    assert_eq!(
        decide(&next.record, &first.ask(Kind::Pass), &quiet(), second(402))
            .unwrap()
            .answer
            .next,
        Next::Terminate
    );
}

#[test]
fn only_a_claim_with_an_epoch_of_its_own_raises_the_shape() {
    let newer = |record: &Record, ask: &Ask, facts: &Facts| {
        let decided = decide_in(SHAPE + 1, record, ask, facts, second(30)).unwrap();
        (decided.record, decided.answer)
    };
    let (record, run) = switched("first", &free(), "a", "b");
    assert_eq!(
        newer(&record, &run.ask(Kind::Pass), &quiet()).0.shape,
        SHAPE,
        "a pass"
    );
    let wish = operator(Wish::new(Verb::RollBack, "first"));
    let (told, _) = newer(&record, &wish.ask(Kind::Claim), &holder("RUNNING"));
    assert_eq!(
        told.shape, SHAPE,
        "a wish: another version's execution reads it"
    );
    let (back, _) = newer(&told, &run.ask(Kind::Pass), &quiet());
    assert_eq!(
        (back.epoch, back.shape),
        (2, SHAPE),
        "a rollback has a new epoch and the same execution"
    );
    let heir = heir(&record, Then::Continue, 50).ask(Kind::Claim);
    assert_eq!(
        newer(&record, &heir, &holder("FAILED")).0.shape,
        SHAPE + 1,
        "a take-over"
    );
    let claim = Run::planned("first", 0, "a", "b").ask(Kind::Claim);
    let (claimed, _) = newer(&free(), &claim, &quiet());
    assert_eq!(claimed.shape, SHAPE + 1, "a claim");
    let refused = decide(&claimed, &run.ask(Kind::Pass), &quiet(), second(31)).unwrap_err();
    assert_eq!(refused.name(), ErrorName::RecordTooNew);
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
