//! After a rollback green is emptied, and blue serves on, still tagged as retiring by the same deployment.

use super::*;

const GREEN: [&str; 2] = ["i-4", "i-5"];

/// Both environments are held by this deployment, and blue has all the weight again.
fn rolled_back() -> Fake {
    let fake = drained();
    let mut world = fake.world();
    world.add_green("i-5", "subnet-2");
    for id in GREEN {
        world.retire(id, "tunnel-b");
    }
    world.weigh(&[("a", 100), ("b", 0)]);
    drop(world);
    fake
}

/// What the state TerminateBlue passes when green is the one that retires.
fn of_green(seals: &[&str]) -> Value {
    let mut payload = sealed(seals);
    payload["environment"] = plan("b");
    payload["servers"] = json!(GREEN.map(|id| json!({"instance": id, "ip": "10.0.0.4"})));
    payload
}

fn blue_lives(fake: &Fake) {
    for id in ALL {
        assert_eq!(state(fake, id), InstanceState::Running, "{id}");
    }
}

#[tokio::test]
async fn a_sealed_green_is_ended_and_blue_serves_on() {
    let fake = rolled_back();
    let answer = terminate(&fake, &of_green(&GREEN)).await.unwrap();
    let each = "TerminateInstances";
    assert_eq!(fake.changes(), ["DeregisterTargets", each, each]);
    assert_eq!(answer.ending, GREEN);
    assert!(answer.refused.is_empty(), "{answer:?}");
    gone(&fake);
    assert!(terminate(&fake, &of_green(&[])).await.unwrap().empty);
    blue_lives(&fake);
    let mut world = fake.world();
    let blue = world.group(&environment("a").target_group_arn);
    assert!(blue.targets.iter().all(|target| target.registered));
}

#[tokio::test]
async fn green_lives_while_it_has_any_weight() {
    for weights in [
        &[("a", 99), ("b", 1)],
        &[("a", 50), ("b", 50)],
        &[("a", 0), ("b", 100)],
    ] {
        let fake = rolled_back();
        fake.world().weigh(weights);
        foreign(&fake, &of_green(&GREEN), "has weight").await;
    }
}

#[tokio::test]
async fn green_lives_without_its_seal_though_it_was_rolled_back() {
    all_refused(&rolled_back(), &of_green(&[]), "not acknowledged a seal").await;
    let mut unserved = of_green(&[]);
    unserved["licence"] = json!("neverServed");
    foreign(&rolled_back(), &unserved, "switched since").await;
}

#[tokio::test]
async fn an_order_for_green_never_touches_blue_whatever_it_names() {
    let fake = rolled_back();
    let everyone = [&GREEN[..], &ALL].concat();
    let answer = terminate(&fake, &of_green(&everyone)).await.unwrap();
    assert_eq!(answer.ending, GREEN);
    assert_eq!(answer.refused.len(), ALL.len());
    blue_lives(&fake);

    // Out of its group, blue is no target of a group with weight, and its tag alone keeps it.
    let fake = rolled_back();
    let blue = environment("a").target_group_arn;
    fake.world().group(&blue).targets.clear();
    let answer = terminate(&fake, &of_green(&everyone)).await.unwrap();
    assert_eq!(answer.ending, GREEN);
    for refused in &answer.refused {
        assert!(refused.reason.contains(ENVIRONMENT_TAG), "{refused:?}");
    }
    blue_lives(&fake);
}

#[tokio::test]
async fn an_order_for_blue_ends_nobody_once_blue_has_the_weight_back() {
    foreign(&rolled_back(), &sealed(&ALL), "has weight 100").await;
}

#[tokio::test]
async fn a_server_in_both_groups_lives() {
    let fake = rolled_back();
    let blue = environment("a").target_group_arn;
    for id in GREEN {
        fake.world().group(&blue).targets.push(target(id, true));
    }
    all_refused(&fake, &of_green(&GREEN), "also a target of").await;
}

#[tokio::test]
async fn the_epoch_from_before_the_rollback_ends_nobody() {
    let fake = rolled_back();
    fake.world().record.as_mut().unwrap().epoch = 6;
    let failed = failure(&fake, &of_green(&GREEN)).await;
    assert_eq!(failed, ErrorName::Superseded);
    assert_eq!(fake.changes(), [""; 0]);
}
