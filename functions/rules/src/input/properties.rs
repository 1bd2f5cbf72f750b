//! Whatever an execution is started with is either refused by the name of each wrong field, or means what it says.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::arbitrary_json::{any_json, any_number, any_text, nested};

/// A field's path, and whether it admits a value.
type Field = (&'static str, fn(&Value) -> bool);

/// What each field may be, said a second time and in another way than the reader does.
const SCHEMA: [Field; 16] = [
    ("green.launchTemplateVersion", is_version),
    ("green.count", |value| is_within(value, 1, 500)),
    ("green.healthySeconds", |value| is_within(value, 10, 7200)),
    ("traffic.steps", are_steps),
    ("traffic.stepSeconds", |value| is_within(value, 0, 86_400)),
    ("bake.seconds", |value| is_within(value, 0, 604_800)),
    ("bake.alarms", are_names),
    ("drain.settleSeconds", |value| is_within(value, 1, 3600)),
    ("drain.closuresPerSecond", |value| {
        is_within(value, 1, 10_000)
    }),
    ("drain.pollSeconds", |value| is_within(value, 2, 300)),
    ("drain.deadlineSeconds", |value| {
        is_within(value, 10, 1_209_600)
    }),
    ("drain.detached", Value::is_boolean),
    ("approve", are_gates),
    ("pauseSeconds", |value| is_within(value, 10, 86_400)),
    ("minimumHealthyPercent", |value| is_within(value, 1, 100)),
    ("dryRun", Value::is_boolean),
];

fn is_within(value: &Value, least: u64, most: u64) -> bool {
    matches!(value, Value::Number(number) if number.as_u64().is_some_and(|it| least <= it && it <= most))
}

fn is_version(value: &Value) -> bool {
    let digits = match value {
        Value::String(text) if text == "$Latest" || text == "$Default" => return true,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let number = digits.parse::<u128>().unwrap_or(0);
    digits.bytes().all(|byte| byte.is_ascii_digit()) && (1..=u128::from(u64::MAX)).contains(&number)
}

fn are_steps(value: &Value) -> bool {
    let Some(steps) = value.as_array() else {
        return false;
    };
    let mut least = 1;
    for step in steps {
        if !is_within(step, least, 100) {
            return false;
        }
        least = step.as_u64().unwrap() + 1;
    }
    least == 101
}

fn are_gates(value: &Value) -> bool {
    let all = [
        json!([]),
        json!(["switch"]),
        json!(["seal"]),
        json!(["switch", "seal"]),
        json!(["seal", "switch"]),
    ];
    all.contains(value)
}

fn are_names(value: &Value) -> bool {
    let Some(names) = value.as_array() else {
        return false;
    };
    let is_name = |name: &Value| (1..=255).contains(&name.as_str().unwrap_or("").chars().count());
    let is_first = |at: usize| !names[..at].contains(&names[at]);
    names.len() <= 100 && names.iter().all(is_name) && (0..names.len()).all(is_first)
}

/// Values near enough to what a field admits that it is accepted and refused often.
fn near(path: &str) -> BoxedStrategy<Value> {
    match path {
        "green.launchTemplateVersion" => {
            let versions = [
                "$Latest", "$Default", "$latest", "7", "0", "+7", "-7", "007", "7.0", "1e3", " 7",
                "",
            ];
            let version = prop::sample::select(versions.to_vec());
            prop_oneof![
                version.prop_map(|it| json!(it)),
                any::<u64>().prop_map(|it| json!(it))
            ]
            .boxed()
        }
        "traffic.steps" => {
            let rising = prop::collection::btree_set(0_u64..100, 0..5);
            let steps = (rising, 98_u64..102).prop_map(|(rising, last)| {
                let steps: Vec<u64> = rising.into_iter().chain([last]).collect();
                json!(steps)
            });
            prop_oneof![
                steps,
                prop::collection::vec(0_u64..101, 0..4).prop_map(|it| json!(it))
            ]
            .boxed()
        }
        "bake.alarms" => {
            let names = prop::collection::vec(any_text(), 0..3).prop_map(|it| json!(it));
            let many = prop::collection::vec("[a-z]{250,256}", 99..102).prop_map(|it| json!(it));
            prop_oneof![3 => names, 1 => many].boxed()
        }
        "approve" => {
            let gates = prop::sample::select(vec!["switch", "seal", "Seal", "bake"]);
            prop::collection::vec(gates, 0..3)
                .prop_map(|it| json!(it))
                .boxed()
        }
        "drain.detached" | "dryRun" => any::<bool>().prop_map(Value::Bool).boxed(),
        _ => {
            let borders = [
                0, 1, 2, 9, 10, 100, 101, 300, 301, 500, 501, 3600, 3601, 7200, 7201, 10_000,
                10_001, 86_400,
            ];
            let borders = prop::sample::select(borders.to_vec());
            prop_oneof![
                borders.prop_map(|it| json!(it)),
                (0_u64..1_300_000).prop_map(|it| json!(it)),
                any_number()
            ]
            .boxed()
        }
    }
}

/// A field of the schema, what it admits, and a value for it.
fn any_field() -> impl Strategy<Value = (&'static str, fn(&Value) -> bool, Value)> {
    let field = prop::sample::select(SCHEMA.to_vec());
    field.prop_flat_map(|(path, admits)| {
        (
            Just(path),
            Just(admits),
            prop_oneof![3 => near(path), 1 => any_json()],
        )
    })
}

fn plant(input: &mut Value, path: &str, value: Value) {
    let mut place = input;
    for part in path.split('.') {
        place = &mut place[part];
    }
    *place = value;
}

/// What was read of a field, as JSON; null where the stack's default applies.
fn read(input: &Input, path: &str) -> Value {
    match path {
        "green.launchTemplateVersion" => json!(input.launch_template_version),
        "green.count" => json!(input.count),
        "green.healthySeconds" => json!(input.healthy_seconds),
        "traffic.steps" => json!(input.steps),
        "traffic.stepSeconds" => json!(input.step_seconds),
        "bake.seconds" => json!(input.bake_seconds),
        "bake.alarms" => json!(input.alarms),
        "drain.settleSeconds" => json!(input.settle_seconds),
        "drain.closuresPerSecond" => json!(input.closures_per_second),
        "drain.pollSeconds" => json!(input.poll_seconds),
        "drain.deadlineSeconds" => json!(input.deadline_seconds),
        "drain.detached" => json!(input.detached),
        "approve" => json!(input.approve),
        "pauseSeconds" => json!(input.pause_seconds),
        "minimumHealthyPercent" => json!(input.minimum_healthy_percent),
        "dryRun" => json!(input.dry_run),
        _ => panic!("{path} is not in the schema"),
    }
}

proptest! {
    #[test]
    fn any_json_is_read_or_refused_by_its_fields(input in any_json()) {
        let Err(errors) = Input::parse(&input) else {
            return Ok(());
        };
        prop_assert!(!errors.is_empty());
        for error in errors {
            let names = |field: &String| {
                let rest = error.strip_prefix(field.as_str());
                rest.is_some_and(|rest| rest.starts_with(": ") || rest.starts_with('.'))
            };
            let named = match input.as_object() {
                Some(fields) => fields.keys().any(names),
                None => error.starts_with("input: expected an object, got "),
            };
            prop_assert!(named, "{error}");
        }
    }

    #[test]
    fn fields_are_accepted_exactly_within_their_bounds_and_read_as_they_are(
        fields in prop::collection::vec(any_field(), 0..6),
    ) {
        let mut input = json!({});
        for (path, _, value) in &fields {
            plant(&mut input, path, value.clone());
        }
        let at = |path: &str| input.pointer(&format!("/{}", path.replace('.', "/"))).cloned();
        let given: Vec<_> = SCHEMA.iter().filter_map(|(path, admits)| Some((*path, *admits, at(path)?))).collect();
        match Input::parse(&input) {
            Ok(parsed) => for (path, admits, value) in given {
                prop_assert!(admits(&value), "{path}: {value}");
                let read = read(&parsed, path);
                let same = read == value || read == json!(value.to_string());
                prop_assert!(same, "{path}: {value} was read as {read}");
            },
            Err(errors) => {
                let wrong = given.iter().filter(|(_, admits, value)| !admits(value));
                let mut wrong: Vec<&str> = wrong.map(|(path, ..)| *path).collect();
                let named = errors.iter().map(|error| error.split(": ").next().unwrap_or_default());
                let mut named: Vec<&str> = named.collect();
                wrong.sort_unstable();
                named.sort_unstable();
                prop_assert_eq!(named, wrong, "{:?}", errors);
            }
        }
    }

    #[test]
    fn a_field_that_is_not_known_is_refused_by_its_path_wherever_it_is(
        section in prop::sample::select(vec!["", "green", "traffic", "bake", "drain"]),
        field in any_text(),
        value in any_json(),
    ) {
        let mut known = fields(section);
        known.extend(request::fields());
        prop_assume!(!known.contains(&field.as_str()));
        let unknown = json!({field.clone(): value});
        let (input, path) = match section {
            "" => (unknown, field),
            section => (json!({section: unknown}), format!("{section}.{field}")),
        };
        let errors = Input::parse(&input).unwrap_err();
        prop_assert_eq!(errors.len(), 1);
        let expected = format!("{path}: unknown field, ");
        prop_assert!(errors[0].starts_with(&expected), "{}", errors[0]);
    }

    #[test]
    fn a_section_that_is_no_object_is_refused_by_its_name(
        section in prop::sample::select(vec!["green", "traffic", "bake", "drain"]),
        value in any_json().prop_filter("an object", |value| !value.is_object()),
    ) {
        let errors = Input::parse(&json!({section: value})).unwrap_err();
        prop_assert_eq!(errors.len(), 1);
        let expected = format!("{section}: expected an object, got ");
        prop_assert!(errors[0].starts_with(&expected), "{}", errors[0]);
    }

    #[test]
    fn what_stands_alone_names_a_deployment_and_nothing_else(deployment in any_json(), then in any_json()) {
        let is_name = deployment.as_str().is_some_and(|name| !name.is_empty());
        for verb in Verb::ALL {
            let asked = json!({verb.field(): deployment});
            match Input::parse(&asked) {
                Ok(input) => {
                    let named = deployment.as_str().unwrap_or_default();
                    prop_assert!(is_name);
                    prop_assert_eq!(input.request, Request::Wish(Wish::new(verb, named)));
                }
                Err(errors) => prop_assert!(!is_name && errors.len() == 1, "{errors:?}"),
            }
        }
        let is_end = then == json!("continue") || then == json!("rollBack");
        let asked = json!({"takeOver": {"deployment": deployment, "then": then}});
        match Input::parse(&asked) {
            Ok(input) => prop_assert_eq!(json!({"takeOver": match input.request {
                Request::TakeOver(taken) => json!({"deployment": taken.deployment, "then": taken.then}),
                other => panic!("{other:?}"),
            }}), asked),
            Err(errors) => prop_assert_eq!(errors.len(), usize::from(!is_name) + usize::from(!is_end)),
        }
    }
}

#[test]
fn a_long_value_is_cut_in_its_refusal() {
    for value in [json!(vec![0; 9000]), json!("ä".repeat(9000)), nested(100)] {
        let errors = Input::parse(&json!({"green": {"count": value}})).unwrap_err();
        let told = "green.count: expected a whole number from 1 to 500, got ".len() + 60;
        assert_eq!(errors[0].chars().count(), told, "{}", errors[0]);
    }
}
