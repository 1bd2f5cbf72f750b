//! What the input's validation accepts, and the sentence for each error.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn errors(input: &Value) -> Vec<String> {
    Input::parse(input).unwrap_err()
}

#[test]
fn nothing_is_required() {
    assert_eq!(Input::parse(&json!({})), Ok(Input::default()));
    assert_eq!(
        Input::parse(&json!({"green": {}, "drain": {}, "bake": {}, "traffic": {}})),
        Ok(Input::default())
    );
}

#[test]
fn everything_that_is_available_is_read() {
    let input = json!({
        "green": {"launchTemplateVersion": 7, "count": 3, "healthySeconds": 60},
        "traffic": {"steps": [100], "stepSeconds": 60},
        "bake": {"seconds": 10, "alarms": []},
        "drain": {"settleSeconds": 2, "closuresPerSecond": 20, "pollSeconds": 30, "deadlineSeconds": 600, "detached": false},
        "minimumHealthyPercent": 50,
        "dryRun": true,
    });
    assert_eq!(
        Input::parse(&input),
        Ok(Input {
            launch_template_version: Some("7".to_owned()),
            count: Some(3),
            healthy_seconds: Some(60),
            bake_seconds: Some(10),
            settle_seconds: Some(2),
            closures_per_second: Some(20),
            poll_seconds: Some(30),
            deadline_seconds: Some(600),
            minimum_healthy_percent: Some(50),
            dry_run: true,
        })
    );
}

#[test]
fn every_error_is_told_at_once() {
    let mut told = errors(&json!({"drain": {"pollSeconds": "soon"}, "trafic": {}}));
    told.sort();
    assert_eq!(
        told,
        [
            "drain.pollSeconds: expected a whole number from 2 to 300, got \"soon\"",
            "trafic: unknown field, did you mean traffic?",
        ]
    );
}

#[test]
fn each_wrong_field_has_its_sentence() {
    let cases = [
        (json!([]), "input: expected an object, got []"),
        (json!(null), "input: expected an object, got null"),
        (json!({"green": 3}), "green: expected an object, got 3"),
        (
            json!({"green": {"count": 0}}),
            "green.count: expected a whole number from 1 to 500, got 0",
        ),
        (
            json!({"green": {"count": 2.5}}),
            "green.count: expected a whole number from 1 to 500, got 2.5",
        ),
        (
            json!({"green": {"cuont": 2}}),
            "green.cuont: unknown field, did you mean green.count?",
        ),
        (
            json!({"green": {"launchTemplateVersion": "latest"}}),
            "green.launchTemplateVersion: expected \"$Latest\", \"$Default\" or a version's number, got \"latest\"",
        ),
        (
            json!({"dryRun": "yes"}),
            "dryRun: expected true or false, got \"yes\"",
        ),
        (
            json!({"minimumHealthyPercent": 101}),
            "minimumHealthyPercent: expected a whole number from 1 to 100, got 101",
        ),
        (
            json!({"traffic": {"steps": [50, 10, 100]}}),
            "traffic.steps: expected a list of rising whole numbers from 1 to 100, the last of them 100, got [50,10,100]",
        ),
        (
            json!({"bake": {"alarms": [1]}}),
            "bake.alarms: expected a list of alarms' names, got [1]",
        ),
        (
            json!({"takeOver": {"deployment": "a", "then": "wait"}}),
            "takeOver.then: expected \"continue\" or \"rollBack\", got \"wait\"",
        ),
        (
            json!({"rollBack": true}),
            "rollBack: expected a deployment's name, got true",
        ),
        (
            json!({"colour": "green"}),
            "colour: unknown field, expected one of green, traffic, bake, drain, minimumHealthyPercent, dryRun, takeOver, rollBack",
        ),
    ];
    for (input, expected) in cases {
        assert_eq!(errors(&input), [expected], "{input}");
    }
}

#[test]
fn later_features_are_recognised_and_refused() {
    let cases = [
        json!({"traffic": {"steps": [10, 50, 100]}}),
        json!({"bake": {"alarms": ["errors"]}}),
        json!({"drain": {"detached": true}}),
        json!({"takeOver": {"deployment": "a", "then": "continue"}}),
        json!({"rollBack": "a"}),
    ];
    for input in cases {
        let told = errors(&input);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].ends_with("is not available in this version"),
            "{}",
            told[0]
        );
    }
}

proptest! {
    #[test]
    fn no_text_is_a_number(text in ".{0,80}") {
        let input = json!({"drain": {"pollSeconds": text}});
        prop_assert!(Input::parse(&input).is_err());
    }

    #[test]
    fn numbers_are_admitted_exactly_within_bounds(number in 0_u64..2000) {
        let admitted = Input::parse(&json!({"drain": {"pollSeconds": number}})).is_ok();
        prop_assert_eq!(admitted, (2..=300).contains(&number));
    }
}
