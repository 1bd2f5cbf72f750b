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
        green_version: None,
        listeners: vec!["arn:listener".to_owned()],
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
    document.back = Some(switched(weights, &[]));
    assert_eq!(drained_from(&document), None, "nor has that settled");
    document.back.as_mut().unwrap().answer.confirmed_at = settled_at.unwrap();
    assert_eq!(drained_from(&document), settled_at);
    document.record = Some(examples::answer(draining("blue")));
    (document.switch, document.back) = (None, None);
    assert_eq!(
        drained_from(&document),
        settled_at,
        "the front was left since, whoever left it"
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

#[test]
fn each_function_gets_its_own_servers_or_the_name_of_the_key_that_it_lacks() {
    let mut document = Document::default();
    assert_eq!(document.record(), Err(Incomplete("record")));
    assert_eq!(document.green_servers(), Err(Incomplete("green")));
    assert_eq!(document.unopened(), Err(Incomplete("resume")));
    assert_eq!(document.sealed(), Err(Incomplete("check")));
    assert_eq!(document.refused(), []);
    document = planned(plan(), &servers(&["i-1", "i-2"]));
    assert_eq!(
        document.planned_servers(),
        Ok(&servers(&["i-1", "i-2"])[..])
    );
    document.green = Some(examples::told(crate::launch::Launched {
        verdict: crate::launch::Verdict::Healthy,
        reason: String::new(),
        wait_seconds: 5,
        environment: environment("green"),
        servers: servers(&["i-4"]),
        healthy: 1,
        wanted: 1,
        launching: Default::default(),
    }));
    assert_eq!(document.green_servers(), Ok(&servers(&["i-4"])[..]));
    document.resume = Some(crate::resume::Resumed {
        at: NOW,
        open: 1,
        waiting: servers(&["i-2"]),
        sealed: Vec::new(),
        unknown: Vec::new(),
        reason: String::new(),
    });
    assert_eq!(document.unopened(), Ok(&servers(&["i-2"])[..]));
    document.check = Some(examples::check(&["i-1"]));
    assert_eq!(document.sealed(), Ok(&["i-1".to_owned()][..]));
    let held_back = vec![HeldBack {
        instance: "i-3".to_owned(),
        reason: "in another target group".to_owned(),
    }];
    document.terminate = Some(examples::told(crate::terminate::Terminated {
        verdict: crate::terminate::Verdict::Left,
        terminated: Vec::new(),
        ending: Vec::new(),
        refused: held_back.clone(),
        remaining: 1,
        tried: None,
    }));
    assert_eq!(document.refused(), held_back);
}

#[test]
fn servers_are_planned_only_by_a_deployment() {
    let mut document = planned(plan(), &servers(&["i-1"]));
    document.plan.as_mut().unwrap().asked = Asked::Held { dry_run: false };
    assert_eq!(document.planned_servers(), Err(Incomplete("plan.servers")));
}

#[test]
fn what_drains_is_not_baking_and_is_asked_at_the_pace_of_the_plan() {
    let weights = Weights {
        blue: 0,
        green: 100,
    };
    let mut document = about(plan(), Doing::Watching { weights });
    assert!(document.drain().unwrap().baking);
    document.record = Some(examples::answer(draining("blue")));
    document.check = Some(examples::check(&[]));
    let question = document.drain().unwrap();
    assert!(!question.baking);
    assert_eq!(question.pace, Pace::of(20));
    assert_eq!(question.poll_seconds, 30);
    assert_eq!(question.changed_at, Some(NOW));
}

#[test]
fn a_check_knows_when_a_step_began_and_by_when_a_drain_has_to_be_over() {
    let asked = |doing: Doing, moments: Moments| {
        let mut document = about(plan(), doing);
        document.retiring = Some(listed(&environment("blue"), &servers(&["i-1"])));
        let mut confirmed = switched(
            Weights {
                blue: 50,
                green: 50,
            },
            &[],
        );
        confirmed.answer.moments = moments;
        document.switch = Some(confirmed);
        let mut call = invocation(Act::Check, document);
        call.redrives = 2;
        let fence = call.document.fence().unwrap();
        let question = call.check(&fence).unwrap();
        (
            question.step_began_at.zip(question.step_ends_at),
            question.settled_at.zip(question.baked_at),
            question.deadline,
            question.may_seal,
        )
    };
    let weights = Weights {
        blue: 50,
        green: 50,
    };
    let spans = crate::weights::Spans {
        step: 60,
        settle: 30,
        bake: 900,
        deadline: 86_400,
    };
    let deadline = |at| Deadline {
        at,
        term_seconds: 86_400,
        redrives: 2,
    };
    let step = Moments::count(NOW, weights, &spans);
    assert_eq!(
        asked(Doing::Watching { weights }, step),
        (Some((NOW, after(60))), None, deadline(None), false)
    );
    assert_eq!(
        asked(draining("blue"), step),
        (
            None,
            Some((after(30), after(900))),
            deadline(Some(after(86_400))),
            true
        )
    );
}
