//! What the record counts of a deployment's way: repairs of weights, and what was closed and ended.

use ebbtide_rules::record::{Kind, OutcomeItem};
use ebbtide_rules::terminate::Verdict;

use crate::passes::{back, baking};
use crate::scene::{check, ended, free, quiet, second};
use crate::told::Script;

#[test]
fn a_repair_counts_once_in_the_pass_that_made_it() {
    let mut script = Script::default();
    let (mut record, mut run) = baking("first", &free(), "a", "b");
    for (repaired, at, total) in [
        (true, 110, 1),
        (false, 120, 1),
        (true, 130, 2),
        (true, 140, 3),
    ] {
        let switch = run.document.switch.as_mut().unwrap();
        switch.answer.repairs.repaired = repaired;
        record = script.go("", &record, &mut run, Kind::Pass, &quiet(), second(at));
        assert_eq!(record.front.as_ref().unwrap().course.repairs, total);
    }
}

#[test]
fn on_the_way_back_the_weights_that_are_given_back_count() {
    let mut script = Script::default();
    let (mut record, mut run) = back("first", |_| {});
    run.document.back.as_mut().unwrap().answer.repairs.repaired = true;
    run.document
        .switch
        .as_mut()
        .unwrap()
        .answer
        .repairs
        .repaired = false;
    record = script.go("", &record, &mut run, Kind::Pass, &quiet(), second(520));
    let front = record.front.as_ref().map(|front| &front.course);
    let course = front.or(record.retiring.last().map(|entry| &entry.course));
    assert_eq!(course.unwrap().repairs, 1);
}

/// The outcome of a deployment whose blue is gone, as the document and the record count.
fn outcome(documents: (u64, usize), records: (u64, usize)) -> OutcomeItem {
    let mut script = Script::default();
    let (mut record, mut run) = baking("first", &free(), "a", "b");
    record = script.go("", &record, &mut run, Kind::Pass, &quiet(), second(1100));
    let mut counted = check(second(1200), 0, 0, true);
    counted.counts.closed = documents.0;
    run.document.check = Some(counted);
    let progress = record.retiring[0].course.progress.as_mut().unwrap();
    (progress.counts.closed, progress.terminated) = records;
    let mut gone = ended(Verdict::Gone, 0, second(1200));
    gone.answer.terminated = (0..documents.1).map(|index| format!("i-{index}")).collect();
    run.document.terminate = Some(gone);
    let ask = run.ask(Kind::Release);
    let made = script.tell("", &record, &ask, &quiet(), second(1300));
    made.unwrap().outcome.unwrap()
}

#[test]
fn an_outcome_counts_what_the_document_or_the_record_knows_whichever_is_more() {
    for (documents, records, counted) in [
        ((5, 2), (3, 1), (5, 2)),
        ((3, 1), (5, 2), (5, 2)),
        ((4, 1), (4, 1), (4, 1)),
    ] {
        let item = outcome(documents, records);
        assert_eq!((item.closed, item.terminated), counted);
    }
}
