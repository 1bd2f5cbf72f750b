//! Views of what real deployments showed.

use serde_json::Value;

use super::examples::{kept, view};
use super::*;
use crate::rows::{rows, text};

fn drawn(view: &View) -> String {
    rows(view).iter().map(text).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_stage_is_drawn() {
    for name in [
        "launching",
        "gate",
        "step",
        "bake",
        "paused",
        "drain",
        "failed",
    ] {
        insta::assert_snapshot!(name, drawn(&view(name)));
    }
}

#[test]
fn a_view_is_json_for_programs() {
    let json = serde_json::to_string_pretty(&view("bake")).unwrap();
    insta::assert_snapshot!("json", json);
}

#[test]
fn what_retires_beside_a_front_is_drawn_below_it() {
    let (mut seen, now) = kept("bake");
    let (drain, _) = kept("drain");
    seen.record.retiring = drain.record.retiring;
    for entry in &mut seen.record.retiring {
        entry.owner.deployment = "deploy-before".to_owned();
        entry.owner.execution = "arn:before".to_owned();
    }
    let view = View::of(&seen, now);
    let names: Vec<&str> = view.deployments().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["deploy-20261129-161316994", "deploy-before"]);
    // Its execution was not looked at: it is drawn from the record alone
    let before = &view.retiring[0];
    assert_eq!(before.acting.status, "not looked at");
    assert_eq!(before.empties.as_ref().map(|it| it.busy), Some(4));
    let drawn = drawn(&view);
    let (front, retiring) = (drawn.find("● front"), drawn.find("○ retiring"));
    assert!(front.is_some() && front < retiring, "{drawn}");
}

#[test]
fn what_is_gone_needs_a_person_only_if_its_execution_has_failed() {
    let (mut seen, now) = kept("failed");
    seen.record.retiring[0].state = ebbtide_rules::record::State::Gone;
    let failed = View::of(&seen, now).retiring.remove(0);
    assert!(failed.stopped && !failed.advice.is_empty(), "{failed:?}");
    seen.executions[0].status = "SUCCEEDED".to_owned();
    let ended = View::of(&seen, now).retiring.remove(0);
    assert!(!ended.stopped && ended.advice.is_empty(), "{ended:?}");
    assert_eq!(ended.empties, None);
}

#[test]
fn without_the_history_the_record_says_what_it_knows() {
    let (mut seen, now) = kept("bake");
    seen.executions.clear();
    let front = View::of(&seen, now).front.unwrap();
    assert_eq!(front.bars, []);
    assert_eq!(front.stage, "moves the weights");
    let emptied = front.empties.unwrap();
    let recorded = &seen.record.front.unwrap().course.progress.unwrap();
    assert_eq!(emptied.at, recorded.at);
    assert_eq!(emptied.servers.len(), 3);
}

#[test]
fn weights_that_are_not_those_of_the_record_have_no_bars() {
    let (mut seen, now) = kept("bake");
    let front = seen.record.front.as_mut().unwrap();
    front.owner.epoch += 1;
    assert_eq!(View::of(&seen, now).front.unwrap().bars, []);
}

#[test]
fn an_older_document_does_not_hide_what_the_record_says() {
    let (mut seen, now) = kept("bake");
    let front = seen.record.front.as_mut().unwrap();
    let progress = front.course.progress.as_mut().unwrap();
    progress.at = now;
    progress.counts.busy = 99;
    let emptied = View::of(&seen, now).front.unwrap().empties.unwrap();
    assert_eq!((emptied.at, emptied.busy), (now, 99));
}

#[test]
fn a_service_that_was_never_deployed_is_free() {
    let (mut seen, now) = kept("bake");
    seen.record = Default::default();
    seen.executions.clear();
    let view = View::of(&seen, now);
    assert!(view.is_quiet());
    insta::assert_snapshot!(drawn(&view), @r"
    tunnel  stack ebbtide, epoch 0, 16:13:44Z
    the front is free, the next deployment may start
    ");
}

#[test]
fn what_another_version_writes_otherwise_is_none_and_the_rest_is_known() {
    let document = serde_json::json!({
        "green": {"verdict": "somethingNew"},
        "record": {"waitSeconds": 7, "reason": "the bake goes on", "next": "somethingNew"},
        "switch": Value::Null,
    });
    let known = crate::seen::Known::of(&document);
    assert_eq!(known.green, None);
    assert_eq!(known.record.unwrap().wait_seconds, 7);
}

#[test]
fn on_the_way_back_green_is_what_is_emptied_and_what_was_counted_of_blue_is_forgotten() {
    let (mut seen, now) = kept("bake");
    let front = seen.record.front.as_mut().unwrap();
    front.phase = ebbtide_rules::record::Phase::RollingBack {
        reason: "in state ALARM: errors".to_owned(),
    };
    (front.weights.blue, front.weights.green) = (100, 0);
    let view = View::of(&seen, now).front.unwrap();
    assert_eq!(view.stage, "rolls back: in state ALARM: errors");
    assert_eq!(view.bars, []);
    let weights: Vec<u32> = view.sides.iter().map(|side| side.weight).collect();
    assert_eq!(weights, [100, 0]);
    // What was counted last is blue's, and not taken for green's
    assert_eq!(view.empties, None);
    assert_eq!(view.waiting_for, None);
    let check = &mut seen.executions[0].document.check;
    let mut later = serde_json::to_value(&check).unwrap();
    later["memory"]["measured"]["environment"] = "tunnel-c".into();
    *check = serde_json::from_value(later).unwrap();
    let emptied = View::of(&seen, now).front.unwrap().empties.unwrap();
    assert_eq!(emptied.environment, "tunnel-c");
}

#[test]
fn servers_beyond_those_that_are_named_are_counted() {
    let (mut seen, now) = kept("bake");
    let check = seen.executions[0].document.check.as_mut().unwrap();
    check.counts.servers = 50;
    let view = View::of(&seen, now);
    assert_eq!(
        view.front.as_ref().unwrap().empties.as_ref().unwrap().more,
        47
    );
    assert!(drawn(&view).contains("└ and 47 more"), "{}", drawn(&view));
}
