//! Records that another version of Ebbtide wrote.

use std::collections::HashMap;

use ebbtide_aws::fake::Fake;
use ebbtide_rules::document::Act;
use ebbtide_rules::record::{Doing, Record, SHAPE, Work};
use ebbtide_rules::{ErrorName, Fence};
use serde_json::{Value, json};

use crate::{Run, draining};

const ACTS: [Act; 6] = [
    Act::Claim,
    Act::Adopt,
    Act::Switch,
    Act::Pass,
    Act::HandOn,
    Act::Release,
];

/// The table holds this item.
fn found(item: Value) -> Fake {
    let fake = Fake::new();
    let item: HashMap<_, _> = serde_dynamo::to_item(item).unwrap();
    let mut world = fake.world();
    world.record = None;
    world.former = Some(item);
    drop(world);
    fake
}

#[tokio::test]
async fn a_record_of_a_newer_shape_is_never_written_over() {
    let record = Fake::new().world().record.clone().unwrap();
    let mut newer = serde_json::to_value(record).unwrap();
    newer["shape"] = json!(SHAPE + 1);
    newer["front"]["somethingNew"] = json!({"of": "tomorrow"});
    let unreadable =
        json!({"shape": 9, "revision": 40, "epoch": 5, "front": ["no", "such", "front"]});
    for (item, shape) in [(newer, SHAPE + 1), (unreadable, 9)] {
        for act in ACTS {
            let fake = found(item.clone());
            let run = Run::of_deploy_1(Doing::Launching);
            let cause = run.is_refused(&fake, act, ErrorName::RecordTooNew).await;
            assert!(cause.contains(&format!("shape {shape}")), "{cause}");
            assert!(
                cause.contains(r#""takeOver": {"deployment": "deploy-1""#),
                "{cause}"
            );
            assert_eq!(fake.changes(), [""; 0]);
        }
    }
}

#[tokio::test]
async fn a_newer_record_that_can_be_read_still_says_who_may_act() {
    let record = Fake::new().world().record.clone().unwrap();
    let mut newer = serde_json::to_value(record).unwrap();
    newer["shape"] = json!(SHAPE + 1);
    let records = found(newer).cloud().records;
    let fence = |epoch| Fence {
        deployment: "deploy-1".to_owned(),
        epoch,
    };
    assert!(records.admit(&fence(5), Work::Green).await.is_ok());
    let late = records.admit(&fence(4), Work::Green).await.unwrap_err();
    assert_eq!(ebbtide_rules::Failure::name(&late), ErrorName::Superseded);
    let records = found(json!({"shape": 9, "retiring": "?"})).cloud().records;
    let unread = records.admit(&fence(5), Work::Green).await.unwrap_err();
    assert_eq!(
        ebbtide_rules::Failure::name(&unread),
        ErrorName::RecordTooNew
    );
}

#[tokio::test]
async fn a_record_of_before_shapes_that_nobody_holds_gives_its_epoch() {
    let fake = found(json!({
        "service": "tunnel", "item": "record", "epoch": 5, "stage": "promoted", "switched": "no",
    }));
    let run = Run::deploys("second", 5);
    let answer = run.asks(&fake, Act::Claim).await.unwrap();
    assert_eq!(answer.epoch, 6);
    let record = fake.world().record.clone().unwrap();
    assert_eq!((record.shape, record.revision), (SHAPE, 1));
    assert!(fake.world().former.is_none());
}

#[tokio::test]
async fn one_that_somebody_holds_is_left_to_the_version_that_wrote_it() {
    let fake = found(json!({
        "service": "tunnel", "item": "record", "epoch": 5, "owner": "first", "execution": "arn", "stage": "switched",
    }));
    for run in [Run::deploys("second", 5), Run::of_deploy_1(draining())] {
        for act in ACTS {
            let cause = run.is_refused(&fake, act, ErrorName::AwsRefused).await;
            assert!(cause.contains("deployment first"), "{cause}");
        }
    }
    assert_eq!(fake.changes(), [""; 0]);
    assert_eq!(fake.world().record, None::<Record>);
}
