//! A service with two listeners: a server leaves both of its groups, and weight at either one lets it live.

use super::*;
use ebbtide_aws::fake::{at_both, forward};
use ebbtide_rules::plan::Asked;

/// Blue has drained, and has no weight at either listener.
fn of_two() -> Fake {
    let fake = drained();
    fake.world().add_listener();
    fake
}

/// What TerminateBlue passes of the same plan as the record has.
fn ended(fake: &Fake) -> Invocation {
    let mut call = sealed(&ALL);
    let plan = fake.world().record.as_ref().unwrap().retiring[0]
        .plan
        .clone();
    if let Some(Asked::Deploy(deploy)) = call.document.plan.as_mut().map(|plan| &mut plan.asked) {
        deploy.recorded = plan;
    }
    let blue = at_both(environment("a"));
    if let Some(answer) = &mut call.document.record {
        answer.doing = Doing::Draining {
            environment: blue.clone(),
            moments: examples::moments(),
        };
    }
    call.document.retiring = Some(examples::listed(&blue, &servers(&ALL)));
    call
}

fn registered(fake: &Fake, group: &str) -> usize {
    let mut world = fake.world();
    let targets = world.group(&arn(group)).targets.iter();
    targets.filter(|target| target.registered).count()
}

#[tokio::test]
async fn a_server_is_deregistered_everywhere_before_it_ends() {
    let fake = of_two();
    terminate(&fake, &ended(&fake)).await.unwrap();
    let each = "TerminateInstances";
    let leave = "DeregisterTargets";
    assert_eq!(fake.changes(), [leave, leave, each, each, each]);
    assert_eq!((registered(&fake, "a"), registered(&fake, "a-tls")), (0, 0));
    gone(&fake);
    assert_gone(&fake, &ended(&fake)).await;
}

#[tokio::test]
async fn a_registration_that_is_left_at_one_listener_is_taken_away_before_all_is_gone() {
    let fake = of_two();
    fake.fail(
        "TerminateInstances",
        Fault::Refused("OperationNotPermitted"),
    );
    terminate(&fake, &ended(&fake)).await.unwrap_err();
    fake.world().group(&arn("a-tls")).targets[0] = target("i-1", true);
    terminate(&fake, &ended(&fake)).await.unwrap();
    gone(&fake);
    assert_eq!(registered(&fake, "a-tls"), 0);
    assert_gone(&fake, &ended(&fake)).await;
}

#[tokio::test]
async fn weight_at_the_second_listener_stops_every_end() {
    let fake = of_two();
    fake.world().second = Some(vec![forward(&[("a-tls", 1), ("b-tls", 99)])]);
    let refused = terminate(&fake, &ended(&fake)).await.unwrap_err();
    assert_eq!(refused.name(), ErrorName::NotConfirmed);
    assert!(refused.to_string().contains("has weight 1"), "{refused}");
    assert_eq!(fake.changes(), [""; 0]);
}

#[tokio::test]
async fn a_server_that_serves_another_environment_at_the_second_listener_lives() {
    let fake = of_two();
    fake.world()
        .group(&arn("b-tls"))
        .targets
        .push(target("i-2", true));
    let answer = terminate(&fake, &ended(&fake)).await.unwrap();
    assert_eq!(answer.ending, ["i-1", "i-3"]);
    assert!(
        answer.refused[0].reason.contains("tunnel-b-tls"),
        "{answer:?}"
    );
}
