//! Beside the pair: whoever retires stays in the action at weight 0, and what is gone leaves it, once it is empty.

use ebbtide_aws::fake::environment;
use ebbtide_rules::record::{Entry, State};

use super::*;

/// The record lists the third environment, for another deployment.
fn list(fake: &Fake, state: State) {
    let entry = Entry {
        state,
        ..examples::entry(&environment("c"), examples::another(), recorded("c", "a"))
    };
    fake.world().record.as_mut().unwrap().retiring.push(entry);
}

/// The third environment, with a server, still drains for another deployment.
fn with_a_drain() -> Fake {
    let fake = ready();
    fake.world().add("i-9", "subnet-1", Some("c"), &[]);
    fake.world().weigh(&[("a", 100), ("b", 0), ("c", 0)]);
    list(&fake, State::Draining);
    fake
}

/// What the action names, with its weights, by the groups' last letters.
fn action(fake: &Fake) -> Vec<(String, i32)> {
    let action = fake.world().action();
    let letter = |arn: &str| arn.rsplit('/').next().unwrap_or_default().to_owned();
    let named = action.iter();
    named.map(|(arn, weight)| (letter(arn), *weight)).collect()
}

fn weights(of: &[(&str, i32)]) -> Vec<(String, i32)> {
    let of = of.iter();
    of.map(|(letter, weight)| ((*letter).to_owned(), *weight))
        .collect()
}

#[tokio::test]
async fn whoever_retires_stays_at_weight_0_through_every_act_of_the_front() {
    let fake = with_a_drain();
    fake.world().phase(Phase::Claimed);
    answer(&fake, invocation(Act::Attach), 0).await.unwrap();
    assert_eq!(action(&fake), weights(&[("a", 100), ("b", 0), ("c", 0)]));
    want(&fake, (90, 10));
    switch(&fake).await.unwrap();
    assert_eq!(action(&fake), weights(&[("a", 90), ("b", 10), ("c", 0)]));
    let switched = back(&fake).await.unwrap();
    assert_eq!(action(&fake), weights(&[("a", 100), ("b", 0), ("c", 0)]));
    assert_eq!(switched.groups, [arn("a"), arn("b"), arn("c")]);
}

#[tokio::test]
async fn weight_that_somebody_gave_to_what_retires_is_taken_from_it() {
    let fake = with_a_drain();
    fake.world().weigh(&[("a", 0), ("b", 90), ("c", 10)]);
    assert!(switch(&fake).await.unwrap().changed);
    assert_eq!(action(&fake), weights(&[("a", 0), ("b", 100), ("c", 0)]));
}

#[tokio::test]
async fn what_is_gone_leaves_the_action_at_the_fronts_next_confirmation() {
    let fake = ready();
    fake.world().weigh(&[("a", 0), ("b", 100), ("c", 0)]);
    list(&fake, State::Gone);
    let switched = switch(&fake).await.unwrap();
    assert_eq!(action(&fake), weights(&[("a", 0), ("b", 100)]));
    assert_eq!(switched.groups, [arn("a"), arn("b")]);
}

#[tokio::test]
async fn a_group_with_a_target_never_leaves_the_action() {
    let fake = ready();
    fake.world().add("i-9", "subnet-1", Some("c"), &[]);
    fake.world().weigh(&[("a", 0), ("b", 100), ("c", 0)]);
    list(&fake, State::Gone);
    let error = switch(&fake).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotConfirmed);
    let cause = error.to_string();
    assert!(cause.contains("tunnel-c would leave"), "{cause}");
    assert!(cause.contains("redrive"), "{cause}");
    assert_eq!(fake.changes(), [""; 0]);
}

#[tokio::test]
async fn a_drain_that_ended_is_detached_and_whoever_serves_or_drains_stays() {
    let fake = ready();
    fake.world().group(&arn("a")).targets.clear();
    fake.world().weigh(&[("a", 0), ("b", 7), ("c", 0)]);
    list(&fake, State::Draining);
    fake.world().phase(Phase::Detaching {
        environment: environment("a"),
    });
    let detached = answer(&fake, invocation(Act::Detach), 0).await.unwrap();
    assert_eq!(action(&fake), weights(&[("b", 7), ("c", 0)]));
    assert_eq!(detached.groups, [arn("b"), arn("c")]);
    fake.changes();
    let call = invocation(Act::Detach);
    assert!(!answer(&fake, call, 60).await.unwrap().changed);
    assert_eq!(fake.changes(), [""; 0]);
}

#[tokio::test]
async fn a_green_that_was_rejected_leaves_the_action_and_blue_serves_on() {
    let fake = Fake::new();
    let rejected = answer(&fake, invocation(Act::Detach), 0).await.unwrap();
    assert_eq!(action(&fake), weights(&[("a", 100)]));
    assert_eq!(rejected.groups, [arn("a")]);
    let fake = ready();
    fake.world().phase(Phase::Claimed);
    let error = answer(&fake, invocation(Act::Detach), 0).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotConfirmed, "green has targets");
    assert_eq!(fake.changes(), [""; 0]);
}

#[tokio::test]
async fn where_aws_takes_no_third_group_the_cause_says_how_many_there_may_be() {
    let fake = with_a_drain();
    fake.world().weigh(&[("a", 100), ("c", 0)]);
    fake.world().phase(Phase::Claimed);
    let code = "TargetGroupAssociationLimit";
    fake.fail("ModifyListener", Fault::Refused(code));
    let error = answer(&fake, invocation(Act::Attach), 0).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::AwsRefused);
    let cause = error.to_string();
    assert!(
        cause.contains("3 target groups: an ALB takes five"),
        "{cause}"
    );
    fake.fail("ModifyListener", Fault::Refused("Throttling"));
    let error = answer(&fake, invocation(Act::Attach), 0).await.unwrap_err();
    assert!(!error.to_string().contains("ALB"), "{error}");
}
