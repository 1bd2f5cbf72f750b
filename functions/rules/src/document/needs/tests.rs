//! What each function picks of the document, and what it refuses by its name.

use super::*;
use crate::examples::{
    self, NOW, about, after, environment, invocation, listed, planned, recorded, switched,
};
use crate::record::Clearing;
use crate::weights::Weights;

fn plan() -> Recorded {
    let third = environment("third");
    recorded(&environment("blue"), &environment("green"), &[third])
}

fn servers(ids: &[&str]) -> Vec<Server> {
    let server = |id: &&str| Server {
        instance: (*id).to_owned(),
        ip: "10.0.0.1".to_owned(),
    };
    ids.iter().map(server).collect()
}

fn returning(minimum_open: u32) -> Doing {
    Doing::Returning { minimum_open }
}

fn draining(name: &str) -> Doing {
    Doing::Draining {
        environment: environment(name),
        moments: examples::moments(),
    }
}

fn clearing() -> Doing {
    Doing::Clearing(Clearing {
        deployment: "deploy-0".to_owned(),
        blue: environment("third"),
        green: environment("blue"),
    })
}

#[test]
fn before_the_claim_the_fence_is_the_one_to_come() {
    let before = planned(plan(), &[]);
    assert_eq!(before.fence().unwrap().epoch, examples::EPOCH);
    let claimed = Document {
        record: Some(Answer {
            epoch: 9,
            ..examples::answer(Doing::Launching)
        }),
        ..before
    };
    assert_eq!(claimed.fence().unwrap().epoch, 9);
    assert_eq!(Document::default().fence(), Err(Incomplete("plan")));
}

#[test]
fn what_is_held_and_what_is_let_go_follow_from_what_the_deployment_is_about() {
    let held = |doing| about(plan(), doing).to_hold().cloned();
    let weights = Weights {
        blue: 0,
        green: 100,
    };
    assert_eq!(held(Doing::Watching { weights }), Ok(environment("blue")));
    let reopening = Doing::Reopening { minimum_open: 3 };
    assert_eq!(held(reopening), Ok(environment("blue")));
    assert_eq!(held(returning(3)), Ok(environment("green")));
    assert_eq!(held(draining("third")), Ok(environment("third")));
    for nothing in [
        Doing::Launching,
        Doing::Detaching {
            outcome: crate::record::Outcome::Promoted,
        },
        clearing(),
    ] {
        assert_eq!(held(nothing), Err(Incomplete("record.doing")));
    }
    let let_go = |doing| about(plan(), doing).to_let_go().cloned();
    assert_eq!(let_go(Doing::Rejecting), Ok(environment("blue")));
    assert_eq!(let_go(returning(0)), Ok(environment("blue")));
    assert_eq!(let_go(clearing()), Ok(environment("third")));
}

#[test]
fn a_list_of_another_environment_is_no_list() {
    let mut document = about(plan(), draining("blue"));
    assert_eq!(document.retiring(), Err(Incomplete("retiring")));
    document.retiring = Some(listed(&environment("green"), &servers(&["i-4"])));
    assert_eq!(document.retiring(), Err(Incomplete("retiring")));
    document.retiring = Some(listed(&environment("blue"), &servers(&["i-1"])));
    assert_eq!(document.retiring().unwrap().servers, servers(&["i-1"]));
}

#[test]
fn blue_is_opened_by_the_list_of_the_pass_and_on_a_further_look_by_the_list_of_who_let_it_go() {
    let mut document = about(plan(), returning(3));
    assert_eq!(document.blue_servers(), Err(Incomplete("list of blue")));
    document.retiring = Some(listed(&environment("blue"), &servers(&["i-1", "i-2"])));
    assert_eq!(document.blue_servers(), Ok(&servers(&["i-1", "i-2"])[..]));
    document.retiring = Some(listed(&environment("green"), &servers(&["i-4"])));
    assert_eq!(document.blue_servers(), Err(Incomplete("list of blue")));
    document.held = Some(listed(&environment("blue"), &servers(&["i-1"])));
    assert_eq!(document.blue_servers(), Ok(&servers(&["i-1"])[..]));
}

#[test]
fn how_many_have_to_open_is_said_only_on_the_way_back() {
    assert_eq!(about(plan(), returning(2)).minimum_open(), Ok(2));
    let reopening = Doing::Reopening { minimum_open: 2 };
    let refused = about(plan(), reopening).minimum_open();
    assert_eq!(refused, Err(Incomplete("record.doing")));
}

#[test]
fn what_never_served_is_ones_own_green_or_that_of_whom_one_supersedes() {
    let launched = |name: &str| {
        examples::told(crate::launch::Launched {
            verdict: crate::launch::Verdict::Healthy,
            reason: String::new(),
            wait_seconds: 5,
            environment: environment(name),
            servers: servers(&["i-4"]),
            healthy: 1,
            wanted: 1,
            launching: Default::default(),
        })
    };
    let mut document = about(plan(), Doing::Rejecting);
    assert_eq!(document.unserved().unwrap().0, examples::DEPLOYMENT);
    assert_eq!(document.unserved_servers(), Ok(&[][..]));
    document.green = Some(launched("green"));
    assert_eq!(document.unserved_servers(), Ok(&servers(&["i-4"])[..]));
    document.record = Some(examples::answer(clearing()));
    let (deployment, green) = document.unserved().unwrap();
    assert_eq!((deployment, green), ("deploy-0", &environment("blue")));
    assert_eq!(document.unserved_servers(), Ok(&[][..]));
    document.green = Some(launched("blue"));
    assert_eq!(
        document.unserved_servers(),
        Ok(&[][..]),
        "those are one's own"
    );
}

#[test]
fn the_moments_are_the_records_while_draining_and_the_last_answers_before() {
    let weights = Weights {
        blue: 0,
        green: 100,
    };
    let mut document = about(plan(), Doing::Watching { weights });
    assert_eq!(document.moments(), None);
    document.switch = Some(switched(weights, &[]));
    assert_eq!(document.moments(), Some(examples::moments()));
    assert!(!document.may_seal());
    document.record = Some(examples::answer(returning(3)));
    assert_eq!(document.moments(), None, "blue has no weight back yet");
    assert!(!document.may_seal());
    document.switch = None;
    document.record = Some(examples::answer(draining("blue")));
    assert_eq!(document.moments(), Some(examples::moments()));
    assert!(document.may_seal());
}

#[test]
fn nothing_is_drained_by_weights_that_were_last_confirmed_before_they_had_settled() {
    let weights = Weights {
        blue: 0,
        green: 100,
    };
    let mut document = about(plan(), Doing::Watching { weights });
    let mut confirmed = switched(weights, &[]);
    let settled_at = confirmed.moments.settled_at;
    let drained_from = |document: &Document| document.drain().unwrap().settled_at;
    document.switch = Some(confirmed.clone());
    assert_eq!(
        drained_from(&document),
        None,
        "a late call may have come since"
    );
    confirmed.answer.confirmed_at = settled_at.unwrap();
    document.switch = Some(confirmed);
    assert_eq!(drained_from(&document), settled_at);
    document.record = Some(examples::answer(returning(0)));
    assert_eq!(drained_from(&document), None, "blue has no weight back yet");
    document.record = Some(examples::answer(draining("blue")));
    assert_eq!(
        drained_from(&document),
        settled_at,
        "the front was left since"
    );
}

#[test]
fn a_call_that_may_move_weights_is_unknown_of_a_retry_a_redrive_and_what_was_told() {
    let weights = Weights {
        blue: 0,
        green: 100,
    };
    let mut call = invocation(Act::Weigh, about(plan(), Doing::Watching { weights }));
    let until = |call: &Invocation| call.weights_unanswered_until(NOW);
    assert_eq!(until(&call), None);
    call.retries = 1;
    assert_eq!(until(&call), Some(after(75)));
    call.retries = 0;
    call.redrives = 1;
    assert_eq!(until(&call), Some(after(75)));
    call.redrives = 0;
    let mut attach = switched(weights, &[]);
    attach.unanswered_until = Some(after(20));
    call.document.attach = Some(attach);
    assert_eq!(until(&call), Some(after(20)));
}
