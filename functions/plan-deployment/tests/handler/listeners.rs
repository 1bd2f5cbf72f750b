//! A service with two listeners: the plan reads both.

use super::*;
use ebbtide_aws::fake::{SECOND_LISTENER, at_both};

fn of_two() -> Fake {
    let fake = free();
    fake.world().add_listener();
    fake
}

/// A stack that names both listeners, and the groups of the first one before those of the second.
fn both(groups: &[&str]) -> Payload {
    let mut payload = payload("deploy-2", json!({}));
    let mut set = |key: &str, value: String| payload.settings.insert(key.to_owned(), value);
    set("ListenerArn", format!("{LISTENER},{SECOND_LISTENER}"));
    let arns: Vec<String> = groups.iter().map(|group| arn(group)).collect();
    set("TargetGroupArns", arns.join(","));
    payload
}

async fn refused(fake: &Fake, payload: Payload) -> String {
    ask(fake, payload).await.unwrap_err().to_string()
}

#[tokio::test]
async fn each_environment_has_its_group_at_each_of_them() {
    let plan = ask(&of_two(), both(&["a", "b", "a-tls", "b-tls"]))
        .await
        .unwrap();
    let recorded = plan.recorded().unwrap();
    assert_eq!(recorded.listeners, [LISTENER, SECOND_LISTENER]);
    assert_eq!(recorded.blue.environment, at_both(environment("a")));
    assert_eq!(recorded.green.environment, at_both(environment("b")));
    assert_eq!((recorded.blue.healthy, recorded.green.count), (3, 3));
}

#[tokio::test]
async fn groups_in_another_order_are_refused_with_the_right_one() {
    let told = refused(&of_two(), both(&["a", "a-tls", "b", "b-tls"])).await;
    assert!(
        told.contains("names tunnel-a-tls, which TargetGroupArns has among the groups of"),
        "{told}"
    );
    assert!(
        told.contains("list the groups of the first listener"),
        "{told}"
    );
}

#[tokio::test]
async fn a_listener_that_the_stack_does_not_name_is_advised_to_be_named() {
    let fake = of_two();
    fake.world().second = Some(vec![forward(&[("a", 1)])]);
    let told = refused(&fake, payload("deploy-2", json!({}))).await;
    let advice = format!("{SECOND_LISTENER} forwards to tunnel-a too");
    assert!(
        told.contains(&advice) && told.contains("name it in ListenerArn as well"),
        "{told}"
    );
}

#[tokio::test]
async fn listeners_that_do_not_agree_on_blue_are_refused() {
    let fake = of_two();
    fake.world().second = Some(vec![forward(&[("a-tls", 0), ("b-tls", 100)])]);
    let told = refused(&fake, both(&["a", "b", "a-tls", "b-tls"])).await;
    assert!(
        told.contains("does not forward to the environment that"),
        "{told}"
    );
}

#[tokio::test]
async fn a_take_over_sees_the_half_of_a_switch_that_was_made() {
    let fake = Fake::new();
    fake.world().add_listener();
    fake.world().phase(Phase::Switched);
    fake.world().second = Some(vec![forward(&[("a-tls", 50), ("b-tls", 50)])]);
    let mut payload = both(&["a", "b", "a-tls", "b-tls"]);
    payload.input = json!({"takeOver": {"deployment": "deploy-1", "then": "rollBack"}});
    let plan = ask(&fake, payload).await.unwrap();
    let Asked::TakeOver { green_weight, .. } = plan.asked else {
        panic!("no take-over");
    };
    assert_eq!(green_weight, 50);
}

#[tokio::test]
async fn a_plan_of_before_gets_the_stacks_first_listener_when_it_is_taken_over() {
    let fake = Fake::new();
    fake.world().phase(Phase::Switched);
    fake.world().front().unwrap().plan.listeners.clear();
    let mut payload = payload("deploy-2", json!({}));
    payload.input = json!({"takeOver": {"deployment": "deploy-1", "then": "continue"}});
    let plan = ask(&fake, payload).await.unwrap();
    assert_eq!(plan.recorded().unwrap().listeners, [LISTENER]);
}
