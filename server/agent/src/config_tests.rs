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
        busy.url = "http://127.0.0.1:8081/stats"
        busy.pointer = "/active"
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
    assert_eq!(config.busy.unwrap().pointer, "/active");
    assert_eq!(config.keys.unwrap().unsigned, Unsigned::Taken);
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
