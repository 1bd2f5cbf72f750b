//! A service with two listeners: both are changed, one after the other, and whatever stops it in between is finished later.

use super::*;
use ebbtide_aws::fake::SECOND_LISTENER;

fn of_two() -> Fake {
    let fake = ready();
    fake.world().add_listener();
    fake.changes();
    fake
}

/// The plan travels with the document, and the record has the same.
fn call(fake: &Fake, act: Act) -> Invocation {
    let plan = fake.world().front().unwrap().plan.clone();
    examples::invocation(act, examples::about(plan, Doing::Launching))
}

async fn weigh(fake: &Fake, act: Act) -> Result<Told<Switched>, Failed> {
    answer(fake, call(fake, act), 0).await
}

fn weights(fake: &Fake) -> [(i32, i32); 2] {
    let world = fake.world();
    [world.weights(), world.second_weights()]
}

#[tokio::test]
async fn weights_move_at_both_and_all_their_groups_are_named() {
    let fake = of_two();
    fake.world().group(&arn("b-tls")).targets[0].healthy = false;
    fake.world().front().unwrap().plan.policy.minimum_healthy = 2;
    let switched = weigh(&fake, Act::Weigh).await.unwrap();
    assert_eq!(weights(&fake), [(0, 100), (0, 100)]);
    assert_eq!(fake.changes(), ["ModifyListener", "ModifyListener"]);
    assert_eq!(switched.weights, of_pair((0, 100)));
    assert_eq!(switched.groups, ["a", "b", "a-tls", "b-tls"].map(arn));
    assert_eq!((switched.blue_healthy, switched.green_healthy), (3, 2));
    assert!(!weigh(&fake, Act::Weigh).await.unwrap().changed);
}

#[tokio::test]
async fn what_follows_counts_from_the_last_of_them() {
    let fake = of_two();
    let slow = AtomicI64::default();
    let clock = || at(slow.fetch_add(20, Ordering::Relaxed));
    let (cloud, call) = (fake.cloud(), call(&fake, Act::Weigh));
    let switched = Box::pin(handle(&cloud, clock, call)).await.unwrap();
    let looks = slow.load(Ordering::Relaxed);
    assert_eq!(
        switched.moments.at,
        at(looks - 20),
        "the last look at the clock"
    );
}

#[tokio::test]
async fn neither_is_changed_where_one_must_not_be() {
    let fake = of_two();
    for target in &mut fake.world().group(&arn("b-tls")).targets {
        target.healthy = false;
    }
    let refused = weigh(&fake, Act::Weigh).await.unwrap_err();
    assert_eq!(refused.name(), ErrorName::GreenUnhealthy);
    let words = refused.to_string();
    assert!(
        words.contains(&format!("at {SECOND_LISTENER}: green tunnel-b-tls has 0")),
        "{words}"
    );
    assert_eq!(fake.changes(), [""; 0]);
}

/// The call after `calls` ones goes wrong, then the same is asked again.
async fn broken(calls: usize, fault: Fault, act: Act) -> Option<Fake> {
    let fake = of_two();
    if act == Act::WeighBack {
        weigh(&fake, Act::Weigh).await.unwrap();
        fake.world().phase(examples::rolling_back());
    }
    fake.fail_after(Some((calls, fault)));
    let first = weigh(&fake, act).await;
    let reached = fake.world().is_struck();
    fake.fail_after(None);
    if !reached {
        assert!(first.is_ok());
        return None;
    }
    for (blue, green) in weights(&fake) {
        assert!(
            [(100, 0), (0, 100)].contains(&(blue, green)),
            "{blue}/{green}"
        );
    }
    Some(fake)
}

#[tokio::test]
async fn whatever_stops_it_between_two_changes_the_next_call_finishes_it() {
    let mut halves = 0;
    for (act, wanted) in [(Act::Weigh, (0, 100)), (Act::WeighBack, (100, 0))] {
        for fault in [
            Fault::Refused("Throttling"),
            Fault::ReplyLost,
            Fault::Unreachable,
        ] {
            for calls in 0.. {
                let Some(fake) = broken(calls, fault, act).await else {
                    break;
                };
                let [one, other] = weights(&fake);
                halves += usize::from(one != other);
                weigh(&fake, act).await.unwrap();
                assert_eq!(
                    weights(&fake),
                    [wanted, wanted],
                    "{act:?} {fault:?} {calls}"
                );
            }
        }
    }
    assert!(halves >= 6, "only {halves} were stopped half-way");
}

#[tokio::test]
async fn half_a_switch_is_rolled_back() {
    let fake = of_two();
    fake.world().weigh(&[("a", 0), ("b", 100)]);
    assert_eq!(weights(&fake), [(0, 100), (100, 0)]);
    fake.world().phase(examples::rolling_back());
    weigh(&fake, Act::WeighBack).await.unwrap();
    assert_eq!(weights(&fake), [(100, 0), (100, 0)]);
    assert_eq!(fake.changes(), ["ModifyListener"]);
}

#[tokio::test]
async fn who_is_superseded_between_two_changes_changes_no_more() {
    let fake = of_two();
    fake.fail("ModifyListener", Fault::Superseding);
    let refused = weigh(&fake, Act::Weigh).await.unwrap_err();
    assert_eq!(refused.name(), ErrorName::Superseded);
    assert_eq!(weights(&fake), [(0, 100), (100, 0)]);
}

#[tokio::test]
async fn one_hand_that_moves_both_is_one_repair() {
    let fake = of_two();
    let first = weigh(&fake, Act::Weigh).await.unwrap();
    fake.world().weigh(&[("a", 50), ("b", 50)]);
    fake.world().second = Some(vec![forward(&[("a-tls", 100), ("b-tls", 0)])]);
    let mut again = call(&fake, Act::Weigh);
    again.document.switch = Some(first);
    let second = answer(&fake, again, 60).await.unwrap();
    assert_eq!(weights(&fake), [(0, 100), (0, 100)]);
    assert_eq!((second.repairs.total, second.repairs.repaired), (1, true));
    assert_eq!(second.repairs.found, "tunnel-a 50, tunnel-b 50");
}

#[tokio::test]
async fn what_is_gone_leaves_both() {
    let fake = of_two();
    fake.world().weigh(&[("a", 0), ("b", 100)]);
    fake.world().second = Some(vec![forward(&[("a-tls", 0), ("b-tls", 100)])]);
    for group in ["a", "a-tls"] {
        fake.world().group(&arn(group)).targets.clear();
    }
    let plan = fake.world().front().unwrap().plan.clone();
    let environment = plan.blue.environment;
    fake.world().phase(Phase::Detaching { environment });
    let detached = weigh(&fake, Act::Detach).await.unwrap();
    assert_eq!(detached.groups, ["b", "b-tls"].map(arn));
    assert_eq!(fake.world().action().len(), 2);
}

#[tokio::test]
async fn a_plan_that_names_no_listener_is_to_be_taken_over() {
    let fake = ready();
    let mut call = call(&fake, Act::Weigh);
    let mut plan = recorded("a", "b");
    plan.listeners.clear();
    call.document = examples::about(plan, Doing::Launching);
    let refused = answer(&fake, call, 0).await.unwrap_err();
    assert_eq!(refused.name(), ErrorName::InvalidInput);
    assert!(refused.to_string().contains("take the deployment over"));
}
