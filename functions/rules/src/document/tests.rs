//! Answers, late calls, and failures as Step Functions tells them.

use super::*;
use crate::examples::{NOW, about, after, answer, environment, listed, planned, recorded, told};
use crate::record::Doing;

#[test]
fn an_answer_tells_until_when_its_earlier_call_may_arrive() {
    let first = Told::new("a", 0, None, NOW);
    assert_eq!(first.unanswered_until, None);
    let retried = Told::new("b", 1, Some(&first), NOW);
    assert_eq!(retried.unanswered_until, Some(after(75)));
    let next = Told::new("c", 0, Some(&retried), after(5));
    assert_eq!(next.unanswered_until, Some(after(75)), "it still may");
    let again = Told::new("d", 2, Some(&next), after(10));
    assert_eq!(again.unanswered_until, Some(after(85)));
    assert_eq!(*again, "d");
}

#[test]
fn of_all_calls_the_one_that_may_arrive_last_counts() {
    let (blue, green) = (environment("blue"), environment("green"));
    let mut document = about(recorded(&blue, &green, &[]), Doing::Launching);
    assert_eq!(document.unanswered_until(), None);
    let mut list = listed(&blue, &[]);
    list.unanswered_until = Some(after(20));
    document.held = Some(list.clone());
    assert_eq!(document.unanswered_until(), Some(after(20)));
    list.unanswered_until = Some(after(30));
    document.retiring = Some(list);
    assert_eq!(document.unanswered_until(), Some(after(30)));
    document.terminate = Some(told(Terminated {
        verdict: crate::terminate::Verdict::Left,
        terminated: Vec::new(),
        ending: Vec::new(),
        refused: Vec::new(),
        remaining: 1,
        tried: None,
    }));
    assert_eq!(document.unanswered_until(), Some(after(30)));
}

#[test]
fn a_documents_turn_is_that_of_its_last_answer() {
    let plan = recorded(&environment("blue"), &environment("green"), &[]);
    let mut document = planned(plan, &[]);
    assert_eq!(document.turn(), 0);
    document.record = Some(answer(Doing::Launching));
    assert_eq!(document.turn(), 3);
}

#[test]
fn a_lambdas_failure_is_told_in_its_own_words_and_any_other_as_it_came() {
    let failed = |cause: &str| Failure {
        error: "GreenUnfit".to_owned(),
        cause: cause.to_owned(),
    };
    let lambda = r#"{"errorType": "GreenUnfit", "errorMessage": "i-1: busy"}"#;
    assert_eq!(failed(lambda).reason(), "i-1: busy");
    assert_eq!(failed("the Task timed out").reason(), "the Task timed out");
    assert_eq!(failed("{}").reason(), "{}");
}
