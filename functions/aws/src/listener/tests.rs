//! Action lists: what is read from them, what is kept, what is refused.

use super::*;
use aws_sdk_elasticloadbalancingv2::types::{
    AuthenticateOidcActionConfig, TargetGroupStickinessConfig,
};

fn forward_to(arn: &str) -> Action {
    Action::builder()
        .r#type(ActionTypeEnum::Forward)
        .target_group_arn(arn)
        .order(2)
        .build()
}

fn sign_in() -> Action {
    let oidc = AuthenticateOidcActionConfig::builder()
        .issuer("https://sign.in.example")
        .authorization_endpoint("https://sign.in.example/authorize")
        .token_endpoint("https://sign.in.example/token")
        .user_info_endpoint("https://sign.in.example/me")
        .client_id("tunnel")
        .build();
    Action::builder()
        .r#type(ActionTypeEnum::AuthenticateOidc)
        .authenticate_oidc_config(oidc)
        .order(1)
        .build()
}

fn weights(blue: u32, green: u32) -> Vec<GroupWeight> {
    [("arn:a", blue), ("arn:b", green)]
        .map(|(arn, weight)| GroupWeight {
            target_group_arn: arn.to_owned(),
            weight,
        })
        .into()
}

#[test]
fn a_plain_forward_has_all_the_weight() {
    let live = live("arn", vec![forward_to("arn:a")]).unwrap();
    assert_eq!(live.forward.weight("arn:a"), 1);
    assert!(!live.forward.sticky);
}

#[test]
fn weights_change_and_everything_else_is_kept() {
    let live = live("arn", vec![sign_in(), forward_to("arn:a")]).unwrap();
    let set = weighted(&live, &weights(100, 0));
    let oidc = set[0].authenticate_oidc_config().unwrap();
    assert_eq!(oidc.client_id(), Some("tunnel"));
    assert_eq!(oidc.use_existing_client_secret(), Some(true));
    assert_eq!(set[1].order(), Some(2));
    assert_eq!(set[1].target_group_arn(), None);
    assert_eq!(read(&set[1]).groups, weights(100, 0));
}

#[test]
fn stickiness_is_seen_and_kept() {
    let stickiness = TargetGroupStickinessConfig::builder()
        .enabled(true)
        .duration_seconds(60)
        .build();
    let config = ForwardActionConfig::builder()
        .target_groups(
            TargetGroupTuple::builder()
                .target_group_arn("arn:a")
                .weight(7)
                .build(),
        )
        .target_group_stickiness_config(stickiness.clone())
        .build();
    let action = Action::builder()
        .r#type(ActionTypeEnum::Forward)
        .forward_config(config)
        .build();
    let live = live("arn", vec![action]).unwrap();
    assert!(live.forward.sticky);
    let set = weighted(&live, &weights(0, 100));
    assert_eq!(
        set[0]
            .forward_config()
            .unwrap()
            .target_group_stickiness_config(),
        Some(&stickiness)
    );
}

#[test]
fn lists_that_cannot_be_kept_are_refused() {
    let refusal = |actions| live("arn", actions).unwrap_err();
    let count = |count| UnfitAction::NotOneForward {
        arn: "arn".to_owned(),
        count,
    };
    assert_eq!(refusal(vec![sign_in()]), count(0));
    assert_eq!(
        refusal(vec![forward_to("arn:a"), forward_to("arn:b")]),
        count(2)
    );
    let future = Action::builder()
        .r#type(ActionTypeEnum::from("teleport"))
        .build();
    assert_eq!(
        refusal(vec![future, forward_to("arn:a")]),
        UnfitAction::UnknownAction {
            arn: "arn".to_owned(),
            kind: "teleport".to_owned()
        }
    );
}

#[test]
fn a_rule_knows_its_listener() {
    let config = aws_sdk_elasticloadbalancingv2::Config::builder()
        .behavior_version(aws_sdk_elasticloadbalancingv2::config::BehaviorVersion::latest())
        .build();
    let client = Client::from_conf(config);
    let arn = |kind: &str| format!("arn:aws:elasticloadbalancing:eu-west-1:123456789012:{kind}");
    let rule = Listener::new(client.clone(), arn("listener-rule/app/tunnel/1f/2e/3d"));
    assert_eq!(rule.listener_arn(), arn("listener/app/tunnel/1f/2e"));
    let listener = Listener::new(client, arn("listener/net/tunnel/1f/2e"));
    assert_eq!(listener.listener_arn(), arn("listener/net/tunnel/1f/2e"));
}
