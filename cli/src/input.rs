//! The input of a deployment, from what was typed; checked here as PlanDeployment checks it, by the same rules.

use std::io::Read as _;

use ebbtide_rules::input::Input;
use ebbtide_rules::knobs::{Knob, TABLE, Takes};
use ebbtide_rules::suggestion::closest;
use serde_json::{Map, Value};

use crate::arguments::Asked;
use crate::failed::Failed;

/// The input, with every field that was set.
///
/// # Errors
/// [`Failed::Usage`], with all that is wrong.
pub(crate) fn input(asked: &Asked) -> Result<Value, Failed> {
    let text = text(&asked.input)?;
    let parsed = serde_json::from_str(&text);
    let mut input: Value =
        parsed.map_err(|error| Failed::Usage(format!("the input is no JSON: {error}")))?;
    for field in &asked.set {
        set(&mut input, field)?;
    }
    Input::parse(&input).map_err(|errors| {
        Failed::Usage(format!(
            "the input is not valid:\n  {}",
            errors.join("\n  ")
        ))
    })?;
    Ok(input)
}

fn text(given: &str) -> Result<String, Failed> {
    let Some(file) = given.strip_prefix('@') else {
        return Ok(given.to_owned());
    };
    let read = if file == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    read.map_err(|error| Failed::Usage(format!("{file} cannot be read: {error}")))
}

/// Sets `FIELD=VALUE`.
fn set(input: &mut Value, given: &str) -> Result<(), Failed> {
    let (path, text) = given
        .split_once('=')
        .ok_or_else(|| Failed::Usage(format!("--set {given}: expected FIELD=VALUE")))?;
    let paths: Vec<&str> = TABLE.iter().filter_map(|knob| knob.path).collect();
    let knob = TABLE.iter().find(|knob| knob.path == Some(path));
    let knob = knob.ok_or_else(|| {
        let meant = closest(path, &paths).map(|it| format!(", did you mean {it}?"));
        Failed::Usage(format!(
            "--set {path}: unknown field{}",
            meant.unwrap_or_default()
        ))
    })?;
    let mut place = input;
    for part in path.split('.') {
        let no_object = || Failed::Usage(format!("--set {path}: the input has no room for it"));
        let object = place.as_object_mut().ok_or_else(no_object)?;
        place = object
            .entry(part)
            .or_insert_with(|| Value::Object(Map::new()));
    }
    *place = value(knob, text);
    Ok(())
}

/// What was typed, as what the knob takes; what is no such thing is left as text, for the check to refuse.
fn value(knob: &Knob, text: &str) -> Value {
    let json = || serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let list = |of: fn(&str) -> Value| match serde_json::from_str(text) {
        Ok(Value::Array(list)) => Value::Array(list),
        _ => text.split(',').map(str::trim).map(of).collect(),
    };
    match knob.takes {
        Takes::Version => Value::from(text),
        Takes::Number(..) | Takes::NumberOrByKind(..) | Takes::Switch => json(),
        Takes::Steps => list(|it| it.parse::<u32>().map_or_else(|_| it.into(), Value::from)),
        Takes::Alarms | Takes::Gates => list(|it| it.into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(input: &str, set: &[&str]) -> Result<Value, String> {
        let asked = Asked {
            input: input.to_owned(),
            set: set.iter().map(|it| (*it).to_owned()).collect(),
        };
        super::input(&asked).map_err(|error| error.to_string())
    }

    #[test]
    fn fields_are_set_as_what_they_take() {
        let set = [
            "bake.seconds=20",
            "traffic.steps=10, 50,100",
            "bake.alarms=errors,latency",
            "drain.detached=true",
            "green.launchTemplateVersion=7",
        ];
        assert_eq!(
            asked(r#"{"bake": {"seconds": 5}}"#, &set),
            Ok(json!({
                "bake": {"seconds": 20, "alarms": ["errors", "latency"]},
                "traffic": {"steps": [10, 50, 100]},
                "drain": {"detached": true},
                "green": {"launchTemplateVersion": "7"},
            }))
        );
        let steps = asked("{}", &["traffic.steps=[50,100]"]).unwrap();
        assert_eq!(steps["traffic"]["steps"], json!([50, 100]));
    }

    #[test]
    fn every_field_of_the_table_can_be_set() {
        for knob in TABLE.iter().filter(|knob| knob.path.is_some()) {
            let value = match knob.takes {
                Takes::Number(least, _) | Takes::NumberOrByKind(least, _) => least.to_string(),
                Takes::Switch => "true".to_owned(),
                Takes::Steps => "100".to_owned(),
                Takes::Alarms => "errors".to_owned(),
                Takes::Gates => "switch,seal".to_owned(),
                Takes::Version => "$Latest".to_owned(),
            };
            let set = format!("{}={value}", knob.path.unwrap());
            assert!(asked("{}", &[&set]).is_ok(), "{set}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_before_anything_is_started() {
        let wrong = |input, set: &[&str]| asked(input, set).unwrap_err();
        assert!(wrong("{", &[]).contains("no JSON"));
        assert!(wrong("{}", &["bake.second=1"]).contains("did you mean bake.seconds?"));
        assert!(wrong("{}", &["bake"]).contains("FIELD=VALUE"));
        assert!(wrong("{}", &["bake.seconds=soon"]).contains("got \"soon\""));
        assert!(wrong(r#"{"bake": 1}"#, &["bake.seconds=1"]).contains("no room"));
        assert!(wrong(r#"{"backe": {}}"#, &[]).contains("did you mean bake?"));
        assert!(wrong("@/no/such/file", &[]).contains("cannot be read"));
    }
}
