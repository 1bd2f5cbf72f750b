//! After a rollback green is emptied, and blue serves on, still tagged as retiring by the same deployment.

use super::*;

const GREEN: [&str; 2] = ["i-4", "i-5"];

/// Both environments were held by this deployment, blue has all the weight again, and green is on the list.
fn rolled_back() -> Fake {
    let fake = drained();
    let mut world = fake.world();
    world.record.as_mut().unwrap().retiring[0].environment = environment("b");
    world.add_green("i-5", "subnet-2");
    for id in GREEN {
        world.retire(id, "tunnel-b");
    }
    world.weigh(&[("a", 100), ("b", 0)]);
    drop(world);
    fake
}

/// What TerminateBlue passes when green is the one that retires.
fn of_green(sealed: &[&str]) -> Invocation {
    ending("b", &GREEN, sealed)
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
    assert_gone(&fake, &of_green(&[])).await;
    blue_lives(&fake);
    let mut world = fake.world();
    let blue = world.group(&arn("a"));
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
    let fake = rolled_back();
    assert_eq!(failure(&fake, &never_served()).await, ErrorName::Superseded);
    assert_eq!(fake.changes(), [""; 0]);
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
    let blue = ebbtide_aws::fake::arn("a");
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
    let fake = rolled_back();
    assert_eq!(failure(&fake, &sealed(&ALL)).await, ErrorName::Superseded);
    // Even if the record were wrong.
    fake.world().record.as_mut().unwrap().retiring[0].environment = environment("a");
    foreign(&fake, &sealed(&ALL), "has weight 100").await;
}

#[tokio::test]
async fn a_server_in_both_groups_lives() {
    let fake = rolled_back();
    let blue = ebbtide_aws::fake::arn("a");
    for id in GREEN {
        fake.world().group(&blue).targets.push(target(id, true));
    }
    all_refused(&fake, &of_green(&GREEN), "also a target of").await;
}

#[tokio::test]
async fn the_epoch_from_before_the_rollback_ends_nobody() {
    let fake = rolled_back();
    fake.world().record.as_mut().unwrap().retiring[0]
        .owner
        .epoch = 6;
    let failed = failure(&fake, &of_green(&GREEN)).await;
    assert_eq!(failed, ErrorName::Superseded);
    assert_eq!(fake.changes(), [""; 0]);
}
