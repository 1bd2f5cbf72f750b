//! What a configuration may say, and that all that is wrong is said at once.

use super::*;

fn errors(text: &str) -> Vec<String> {
    match Config::read(text) {
        Err(BadConfig::Wrong(errors)) => errors,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_lines_are_enough() {
    let config = Config::read("ports = [1883]\nlisten = '0.0.0.0:7070'").unwrap();
    assert_eq!(config.ports, [1883]);
    assert_eq!(config.instance, Instance::Metadata);
    assert_eq!(config.state_file, Path::new(STATE_FILE));
    assert_eq!(
        (config.table.as_str(), config.nft.to_str()),
        ("ebbtide", Some("nft"))
    );
    assert_eq!(config.idle, IdlePolicy::default());
    assert!(config.health.is_none() && config.keys.is_none());
}

#[test]
fn everything_can_be_said() {
    let text = r#"
        ports = [8883, 1883, 8883]
        listen = "[::]:7070"
        stateFile = "/var/lib/broker/ebbtide.json"
        instance = "file:/etc/instance-id"
        table = "broker_2"
        nft = "/usr/sbin/nft"
        idleAfterSeconds = 90
        answerWithinSeconds = 600
        keepaliveBytes = 64
        closeIdle = true
        health.url = "http://127.0.0.1:8081/ready"
        busy.url = "http://127.0.0.1:8081/metrics"
        busy.metric = "broker_jobs"
        busy.labels = { state = "active" }
        [keys]
        file = "/run/broker/keys"
        unsigned = "taken"
    "#;
    let config = Config::read(text).unwrap();
    assert_eq!(config.ports, [1883, 8883]);
    assert_eq!(config.instance, Instance::File("/etc/instance-id".into()));
    assert_eq!(config.idle.after, Some(Duration::from_secs(90)));
    assert_eq!(config.idle.answer_within, Some(Duration::from_secs(600)));
    assert_eq!((config.idle.keepalive_bytes, config.idle.close), (64, true));
    assert_eq!(
        config.health.unwrap().as_str(),
        "http://127.0.0.1:8081/ready"
    );
    let within = Within::Metric {
        name: "broker_jobs".into(),
        labels: [("state".to_owned(), "active".to_owned())].into(),
    };
    assert!(matches!(config.busy, Some(Busy::Url { within: w, .. }) if w == within));
    assert_eq!(config.keys.unwrap().unsigned, Unsigned::Taken);
}

#[test]
fn the_packages_example_is_right_and_knows_what_it_leaves_out() {
    let example = include_str!("../packaging/ebbtide-agent.toml");
    Config::read(example).unwrap();
    let settings = example.lines().filter_map(|line| line.strip_prefix("# "));
    let settings: Vec<_> = settings.filter(|line| line.contains(" = ")).collect();
    assert!(settings.len() > 8);
    for setting in settings {
        match Config::read(&format!("{example}\n{setting}")) {
            // Alone, some settings of what is idle mean nothing.
            Err(BadConfig::Wrong(errors)) => assert!(
                errors[0].starts_with("idleAfterSeconds: missing"),
                "{errors:?}"
            ),
            read => drop(read.unwrap()),
        }
    }
}

#[test]
fn every_error_is_said_at_once_and_what_was_meant() {
    let text = r#"
        port = [1883]
        listen = "7070"
        idle_after_seconds = 5
        keepaliveBytes = -1
        table = "drop table"
        colour = "blue"
        [health]
        urll = "http://127.0.0.1/"
        [keys]
        file = ""
    "#;
    let errors = errors(text);
    for expected in [
        "ports: missing, expected a list of TCP ports from 1 to 65535",
        "port: unknown field, did you mean ports?",
        "listen: expected an address and a port such as \"0.0.0.0:7070\", got \"7070\"",
        "idle_after_seconds: unknown field, did you mean idleAfterSeconds?",
        "keepaliveBytes: expected a whole number of bytes, got -1",
        "table: expected a name of lower-case letters, digits and _, got \"drop table\"",
        "colour: unknown field",
        "health.url: missing, expected an http URL",
        "health.urll: unknown field, did you mean health.url?",
        "keys.file: expected a path, got \"\"",
    ] {
        assert!(
            errors.iter().any(|error| error == expected),
            "{expected}\n{errors:#?}"
        );
    }
    assert_eq!(errors.len(), 10, "{errors:#?}");
}

fn busy(fields: &str) -> Result<Busy, Vec<String>> {
    let text = format!("ports = [80]\nlisten = '0.0.0.0:7070'\n[busy]\n{fields}");
    match Config::read(&text) {
        Ok(config) => Ok(config.busy.unwrap()),
        Err(BadConfig::Wrong(errors)) => Err(errors),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn the_busy_hook_is_json_a_metric_or_a_command() {
    let url: Url = "http://localhost:81/stats".parse().unwrap();
    let json = |pointer: &str| Busy::Url {
        url: url.clone(),
        within: Within::Json(pointer.into()),
    };
    assert_eq!(busy("url = 'http://localhost:81/stats'"), Ok(json("")));
    let pointer = "url = 'http://localhost:81/stats'\npointer = '/active'";
    assert_eq!(busy(pointer), Ok(json("/active")));
    let command = Busy::Command(["/usr/bin/x", "arg"].map(Into::into).into());
    assert_eq!(busy("command = ['/usr/bin/x', 'arg']"), Ok(command));
}

#[test]
fn every_error_of_the_busy_hook_is_said_at_once() {
    for (fields, expected) in [
        (
            "",
            ["busy.url: missing, expected an http URL, or a command in its place"].as_slice(),
        ),
        (
            "url = 'http://localhost/'",
            &["busy.url: 80 is among ports: whoever connects there spoils the seal"],
        ),
        (
            "url = 'https://a/'\nmetric = '2x'\nlabels = { a = 1 }\npointer = 'active'\ncolour = 1",
            &[
                "busy.pointer: expected a JSON pointer such as \"/sessions/active\", got \"active\"",
                "busy.metric: expected the name of a Prometheus metric, got \"2x\"",
                "busy.labels: expected a table of labels and their values, such as { state = \"active\" }, got { a = 1 }",
                "busy.url: expected an http URL, or a command in its place, got \"https://a/\"",
                "busy.pointer: not together with busy.metric",
                "busy.colour: unknown field",
            ],
        ),
        (
            "url = 'http://a:81/'\nlabels = { a = 'b' }",
            &["busy.labels: of no metric"],
        ),
        (
            "command = ['x']\nurl = 'http://a/'\nmetrics = 'x'",
            &[
                "busy.command: expected a list of a program's path, from the root, and its arguments, got [\"x\"]",
                "busy.url: not together with busy.command",
                "busy.metrics: unknown field, did you mean busy.metric?",
            ],
        ),
        (
            "command = []",
            &[
                "busy.command: expected a list of a program's path, from the root, and its arguments, got []",
            ],
        ),
        (
            "command = ['/x']\npointer = ''\nmetric = 'x'\nlabels = {}",
            &[
                "busy.pointer: not together with busy.command",
                "busy.metric: not together with busy.command",
                "busy.labels: not together with busy.command",
            ],
        ),
    ] {
        assert_eq!(
            busy(fields),
            Err(expected.iter().map(ToString::to_string).collect()),
            "{fields}"
        );
    }
}

#[test]
fn contradictions_are_refused() {
    let errors = errors(
        "ports = [80, 7070]\nlisten = '0.0.0.0:7070'\nkeepaliveBytes = 9\nhealth.url = 'http://localhost/'",
    );
    assert!(
        errors[0].starts_with("listen: 7070 is among ports"),
        "{errors:?}"
    );
    assert!(
        errors[1].starts_with("health.url: 80 is among ports"),
        "{errors:?}"
    );
    assert!(
        errors[2].starts_with("idleAfterSeconds: missing"),
        "{errors:?}"
    );
    assert!(matches!(
        Config::read("ports = ["),
        Err(BadConfig::Syntax(_))
    ));
}
