//! What the input's validation accepts, and the sentence for each error.

use super::*;
use crate::plan::Halt;
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
fn everything_is_read() {
    let input = json!({
        "green": {"launchTemplateVersion": 7, "count": 3, "healthySeconds": 60},
        "traffic": {"steps": [10, 50, 100], "stepSeconds": 60},
        "bake": {"seconds": 10, "alarms": ["errors", "latency"]},
        "drain": {"settleSeconds": 2, "closuresPerSecond": 20, "pollSeconds": 30, "deadlineSeconds": 600, "detached": true},
        "approve": ["seal"],
        "pauseSeconds": 60,
        "minimumHealthyPercent": 50,
        "dryRun": true,
    });
    assert_eq!(
        Input::parse(&input),
        Ok(Input {
            launch_template_version: Some("7".to_owned()),
            count: Some(3),
            healthy_seconds: Some(60),
            request: Request::Deploy,
            steps: Some(vec![10, 50, 100]),
            step_seconds: Some(60),
            bake_seconds: Some(10),
            alarms: Some(vec!["errors".to_owned(), "latency".to_owned()]),
            detached: Some(true),
            settle_seconds: Some(2),
            closures_per_second: Some(20),
            poll_seconds: Some(30),
            deadline_seconds: Some(600),
            approve: Some(vec![Gate::Seal]),
            pause_seconds: Some(60),
            minimum_healthy_percent: Some(50),
            dry_run: true,
        })
    );
}

/// The build of pipeline.yaml writes this very file: tests/definition/test_build.py runs it.
#[test]
fn what_the_pipeline_s_build_writes_is_read() {
    let written = include_str!("../../../../tests/definition/deployment.json");
    assert_eq!(
        Input::parse(&serde_json::from_str(written).unwrap()),
        Ok(Input {
            launch_template_version: Some("2".to_owned()),
            detached: Some(true),
            ..Input::default()
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
            json!({"green": {"launchTemplateVersion": "0"}}),
            "green.launchTemplateVersion: expected \"$Latest\", \"$Default\" or a version's number, got \"0\"",
        ),
        (
            json!({"green": {"launchTemplateVersion": "+7"}}),
            "green.launchTemplateVersion: expected \"$Latest\", \"$Default\" or a version's number, got \"+7\"",
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
            "bake.alarms: expected a list of at most 100 alarms' names, each of 1 to 255 characters and named once, got [1]",
        ),
        (
            json!({"takeOver": {"deployment": "a", "then": "wait"}}),
            "takeOver.then: expected \"continue\" or \"rollBack\", got \"wait\"",
        ),
        (
            json!({"takeOver": {"then": "continue"}}),
            "takeOver.deployment: expected a deployment's name, got null",
        ),
        (
            json!({"takeOver": {"deployment": "a", "then": "continue"}, "dryRun": true}),
            "takeOver: stands alone, remove dryRun",
        ),
        (
            json!({"rollBack": "a", "bake": {}, "green": {"count": 3}}),
            "rollBack: stands alone, remove bake, green",
        ),
        (
            json!({"rollBack": ""}),
            "rollBack: expected a deployment's name, got \"\"",
        ),
        (
            json!({"drain": {"detached": "yes"}}),
            "drain.detached: expected true or false, got \"yes\"",
        ),
        (
            json!({"traffic": {"stepSeconds": 86_401}}),
            "traffic.stepSeconds: expected a whole number from 0 to 86400, got 86401",
        ),
        (
            json!({"rollBack": true}),
            "rollBack: expected a deployment's name, got true",
        ),
        (
            json!({"colour": "green"}),
            "colour: unknown field, expected one of green, traffic, bake, drain, approve, pauseSeconds, \
             minimumHealthyPercent, dryRun, takeOver, pause, resume, promote, rollBack, abort, who, why, force, at",
        ),
    ];
    for (input, expected) in cases {
        assert_eq!(errors(&input), [expected], "{input}");
    }
}

#[test]
fn requests_that_stand_alone_are_read() {
    let request = |input: &Value| Input::parse(input).unwrap().request;
    for verb in Verb::ALL {
        assert_eq!(
            request(&json!({verb.field(): "a"})),
            Request::Wish(Wish::new(verb, "a"))
        );
    }
    let promote = json!({"promote": "a", "who": "on-call", "why": "a hotfix", "force": true});
    assert_eq!(
        request(&promote),
        Request::Wish(Wish {
            who: Some("on-call".to_owned()),
            why: Some("a hotfix".to_owned()),
            force: true,
            ..Wish::new(Verb::Promote, "a")
        })
    );
    for at in [Halt::Switch, Halt::Seal, Halt::Pause] {
        let resume = json!({"resume": "a", "at": at.word()});
        let wish = Wish {
            at: Some(at),
            ..Wish::new(Verb::Resume, "a")
        };
        assert_eq!(request(&resume), Request::Wish(wish));
    }
    for (word, then) in [("continue", Then::Continue), ("rollBack", Then::RollBack)] {
        assert_eq!(
            request(&json!({"takeOver": {"deployment": "a", "then": word}})),
            Request::TakeOver(TakeOver {
                deployment: "a".to_owned(),
                then
            })
        );
    }
    let told =
        errors(&json!({"rollBack": "a", "takeOver": {"deployment": "a", "then": "continue"}}));
    assert_eq!(told.len(), 2, "{told:?}");
    let cases = [
        (
            json!({"pause": "a", "force": true}),
            "pause: stands alone, remove force",
        ),
        (
            json!({"pause": "a", "bake": {}}),
            "pause: stands alone, remove bake",
        ),
        (
            json!({"why": "it looks odd"}),
            "why: stands beside pause or resume or promote or rollBack or abort only",
        ),
        (json!({"at": "seal"}), "at: stands beside resume only"),
        (
            json!({"resume": "a", "at": "bake"}),
            "at: expected \"switch\", \"seal\" or \"pause\", got \"bake\"",
        ),
        (
            json!({"abort": "a", "at": "seal"}),
            "abort: stands alone, remove at",
        ),
        (
            json!({"promote": "a", "force": "yes"}),
            "force: expected true or false, got \"yes\"",
        ),
        (
            json!({"abort": "a", "who": ""}),
            "who: expected a text of 1 to 256 characters, got \"\"",
        ),
        (
            json!({"abort": true}),
            "abort: expected a deployment's name, got true",
        ),
    ];
    for (input, expected) in cases {
        assert_eq!(errors(&input), [expected], "{input}");
    }
    let (long, longer) = ("é".repeat(256), "é".repeat(257));
    assert!(Input::parse(&json!({"abort": "a", "why": long})).is_ok());
    assert!(Input::parse(&json!({"abort": "a", "why": longer})).is_err());
}

#[test]
fn steps_rise_to_100_and_nothing_else_is_a_list_of_steps() {
    let admitted = |steps: Value| Input::parse(&json!({"traffic": {"steps": steps}})).is_ok();
    assert!(admitted(json!([100])));
    assert!(admitted(json!([1, 2, 100])));
    for steps in [
        json!([]),
        json!([0, 100]),
        json!([10]),
        json!([10, 10, 100]),
        json!([10.5, 100]),
        json!(["10", 100]),
        json!([100, 101]),
        json!(100),
    ] {
        assert!(!admitted(steps.clone()), "{steps}");
    }
}

#[test]
fn alarms_are_at_most_100_distinct_names() {
    let admitted = |alarms: Value| Input::parse(&json!({"bake": {"alarms": alarms}})).is_ok();
    let named = |count: usize| (0..count).map(|it| it.to_string()).collect::<Vec<_>>();
    assert!(admitted(json!([])));
    assert!(admitted(json!(named(100))));
    assert!(!admitted(json!(named(101))));
    assert!(!admitted(json!(["a", "a"])));
    assert!(!admitted(json!([""])));
    assert!(!admitted(json!(["a".repeat(256)])));
    assert!(!admitted(json!("a")));
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

#[test]
fn the_link_that_aws_adds_for_the_console_asks_for_nothing() {
    let link = "arn:aws:states:eu-west-1:123456789012:execution:deploy:1";
    let parse = |mut input: serde_json::Value| {
        input["AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"] = link.into();
        Input::parse(&input)
    };
    assert_eq!(parse(serde_json::json!({})), Ok(Input::default()));
    let wish = parse(serde_json::json!({"rollBack": "deploy-1"})).unwrap();
    assert_eq!(
        wish.request,
        Request::Wish(Wish::new(Verb::RollBack, "deploy-1"))
    );
    let unknown = serde_json::json!({"AWS_STEP_FUNCTIONS_STARTED": 1});
    assert!(Input::parse(&unknown).is_err());
}
