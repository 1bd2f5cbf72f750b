//! README.md and template.yaml say of every default what the table of knobs says.
#![expect(clippy::unwrap_used, reason = "a test's own functions may fail it")]

use ebbtide_rules::knobs::{Knob, TABLE, Takes};

fn file(name: &str) -> String {
    let path = format!("{}/../../{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap()
}

/// A knob's row in the README.
fn row(knob: &Knob) -> String {
    let code = |text: &str| format!("`{text}` ");
    let parameter = knob.parameter.map(code).unwrap_or_default();
    let cells = match knob.path {
        Some(path) => format!("| `{path}` | {parameter}| {} |", knob.shown),
        None => format!("| {parameter}| {} |", knob.shown),
    };
    if knob.what.is_empty() {
        format!("{cells} |")
    } else {
        format!("{cells} {} |", knob.what)
    }
}

#[test]
fn the_readme_has_every_knob_and_no_other() {
    let readme = file("README.md");
    for knob in TABLE {
        assert!(
            readme.lines().any(|line| line == row(&knob)),
            "no row in README.md: {}",
            row(&knob)
        );
    }
    let settings = readme.split("\n## Settings\n").nth(1).unwrap();
    let settings = settings.split("\n## ").next().unwrap();
    for line in settings.lines().filter(|line| line.starts_with("| `")) {
        let alone = ["| `takeOver`", "| `pause`", "| `AlertTopicArn`"];
        let known = TABLE.iter().any(|knob| line == row(knob));
        assert!(
            known || alone.iter().any(|it| line.starts_with(it)),
            "no knob: {line}"
        );
    }
}

/// The lines of a parameter in the template.
fn parameter(template: &str, name: &str) -> Vec<String> {
    let parameters = template.split("\nParameters:\n").nth(1).unwrap();
    let mut lines = parameters
        .lines()
        .skip_while(|line| *line != format!("  {name}:"));
    assert!(lines.next().is_some(), "{name} is no parameter");
    lines
        .take_while(|line| line.starts_with("    "))
        .map(|line| line.trim().replace('"', ""))
        .collect()
}

#[test]
fn the_template_has_the_same_defaults_and_bounds() {
    let template = file("template.yaml");
    for knob in TABLE {
        let Some(name) = knob.parameter else { continue };
        let lines = parameter(&template, name);
        let mut expected = vec![format!("Default: {}", knob.default)];
        match knob.takes {
            Takes::Number(least, most) => {
                expected.push(format!("MinValue: {least}"));
                expected.push(format!("MaxValue: {most}"));
            }
            Takes::NumberOrByKind(_, most) => {
                expected.push("MinValue: 0".to_owned());
                expected.push(format!("MaxValue: {most}"));
            }
            Takes::Switch => expected.push("AllowedValues: [false, true]".to_owned()),
            Takes::Steps | Takes::Alarms | Takes::Gates | Takes::Version => {}
        }
        for line in expected {
            assert!(lines.contains(&line), "{name}: no {line} in {lines:?}");
        }
    }
}

#[test]
fn the_definition_hands_every_setting_over_and_the_template_fills_it_in() {
    let (definition, template) = (file("statemachine.asl.json"), file("template.yaml"));
    let definition: serde_json::Value = serde_json::from_str(&definition).unwrap();
    let payload = &definition["States"]["PlanDeployment"]["Arguments"]["Payload"];
    let settings = payload["settings"].as_object().unwrap();
    for name in TABLE.iter().filter_map(|knob| knob.parameter) {
        assert_eq!(
            settings.get(name),
            Some(&format!("${{{name}}}").into()),
            "{name}"
        );
    }
    let filled = |value: &str| -> std::collections::BTreeMap<String, String> {
        let of = |name: &String| (name.clone(), value.to_owned());
        settings.keys().map(of).collect()
    };
    // No key is unknown: with nonsense in every one, each is refused for its value and none for its name.
    let refused = ebbtide_rules::settings::Settings::parse(&filled("?")).unwrap_err();
    assert!(
        refused
            .iter()
            .all(|error| !error.ends_with("unknown setting")),
        "{refused:?}"
    );
    for name in settings.keys() {
        let filled_in = [
            format!("        {name}: !Ref {name}\n"),
            format!("        {name}: !Join [\",\", !Ref {name}]\n"),
        ];
        assert!(
            filled_in.iter().any(|line| template.contains(line)),
            "{name}"
        );
    }
}
