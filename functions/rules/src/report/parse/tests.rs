//! What is believed of a report and of a refusal, field by field.

use serde_json::json;

use super::*;

fn good() -> Value {
    json!({"version": 1, "instance": "i-0abc", "admission": "draining", "epoch": 7,
           "busy": 2, "idle": 10, "closed": 37, "oldestBusySeconds": 431})
}

fn with(field: &str, value: Value) -> Value {
    let mut report = good();
    report[field] = value;
    report
}

fn read(report: &Value) -> Reading {
    parse_report(report.to_string().as_bytes(), "i-0abc")
}

fn unknown(report: &Value) -> UnknownReason {
    match read(report) {
        Reading::Unknown(reason) => reason,
        Reading::Report(report) => panic!("believed {report:?}"),
    }
}

#[test]
fn a_good_report_is_read_whole() {
    let expected = SessionReport {
        instance: "i-0abc".to_owned(),
        admission: Admission::Draining,
        epoch: 7,
        busy: 2,
        idle: 10,
        closed: 37,
        oldest_busy_seconds: 431,
        agent: false,
    };
    assert_eq!(read(&good()), Reading::Report(expected.clone()));
    assert_eq!(
        read(&with("rooms", json!(["a"]))),
        Reading::Report(expected.clone())
    );
    let of_agent = SessionReport {
        agent: true,
        ..expected
    };
    let told = with("agent", json!("ebbtide-agent 1.0.0"));
    assert_eq!(read(&told), Reading::Report(of_agent));
    assert_eq!(
        unknown(&with("agent", json!(true))),
        UnknownReason::Malformed("agent")
    );
}

#[test]
fn every_field_is_needed_and_none_may_be_null_or_of_another_type() {
    let fields = [
        "version",
        "instance",
        "admission",
        "epoch",
        "busy",
        "idle",
        "closed",
        "oldestBusySeconds",
    ];
    for field in fields {
        let mut report = good();
        report.as_object_mut().unwrap().remove(field);
        assert_eq!(unknown(&report), UnknownReason::Missing(field));
        assert_eq!(
            unknown(&with(field, Value::Null)),
            UnknownReason::Missing(field)
        );
        for wrong in [json!(true), json!([0]), json!({}), json!(-1), json!(0.5)] {
            assert_eq!(
                unknown(&with(field, wrong)),
                UnknownReason::Malformed(field)
            );
        }
    }
    for number in [
        "version",
        "epoch",
        "busy",
        "idle",
        "closed",
        "oldestBusySeconds",
    ] {
        assert_eq!(
            unknown(&with(number, json!("0"))),
            UnknownReason::Malformed(number)
        );
    }
    assert_eq!(
        unknown(&with("admission", json!("Sealed"))),
        UnknownReason::Malformed("admission")
    );
}

#[test]
fn absurd_numbers_are_not_believed() {
    for field in ["epoch", "busy", "idle", "closed", "oldestBusySeconds"] {
        assert_eq!(
            unknown(&with(field, json!(u64::MAX))),
            UnknownReason::Absurd(field)
        );
    }
    assert_eq!(
        unknown(&with("busy", json!(10_000_001))),
        UnknownReason::Absurd("busy")
    );
}

#[test]
fn the_largest_numbers_that_are_believed_are_these() {
    for (field, most) in [
        ("epoch", 9_007_199_254_740_991_u64),
        ("closed", 9_007_199_254_740_991),
        ("busy", 10_000_000),
        ("idle", 10_000_000),
        ("oldestBusySeconds", 315_360_000),
    ] {
        assert!(
            read(&with(field, json!(most))).report().is_some(),
            "{field}"
        );
        assert_eq!(
            unknown(&with(field, json!(most + 1))),
            UnknownReason::Absurd(field)
        );
    }
}

#[test]
fn another_version_and_another_instance_are_unknown() {
    assert_eq!(
        unknown(&with("version", json!(2))),
        UnknownReason::Version(2)
    );
    assert_eq!(
        unknown(&with("version", json!(0))),
        UnknownReason::Version(0)
    );
    assert_eq!(
        unknown(&with("instance", json!("i-0abd"))),
        UnknownReason::OtherInstance
    );
}

#[test]
fn a_seal_with_sessions_is_a_contradiction() {
    let mut report = with("admission", json!("sealed"));
    assert_eq!(
        unknown(&report),
        UnknownReason::Contradiction("sealed with sessions")
    );
    report["busy"] = json!(0);
    assert_eq!(
        unknown(&report),
        UnknownReason::Contradiction("sealed with sessions")
    );
    report["idle"] = json!(0);
    assert!(read(&report).report().is_some());
}

#[test]
fn what_is_no_json_object_is_no_report() {
    let twice =
        br#"{"version":1,"instance":"i-0abc","admission":"open","epoch":1,"busy":2,"busy":0,
                     "idle":0,"closed":0,"oldestBusySeconds":0}"#;
    let by_position = br#"[1, "i-0abc", "sealed", 5, 0, 0, 0, 0, null]"#;
    let bodies: [&[u8]; 8] = [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"<html>drained</html>",
        twice,
        by_position,
    ];
    for body in bodies {
        assert_eq!(
            parse_report(body, "i-0abc"),
            Reading::Unknown(UnknownReason::NotAReport)
        );
    }
    let mut two = good().to_string();
    two.push_str(&good().to_string());
    assert_eq!(
        parse_report(two.as_bytes(), "i-0abc"),
        Reading::Unknown(UnknownReason::NotAReport)
    );
}

#[test]
fn a_reason_holds_no_text_of_the_body() {
    for report in [
        with("admission", json!("hunter2")),
        with("instance", json!("hunter2")),
        json!("hunter2"),
    ] {
        assert!(!unknown(&report).to_string().contains("hunter2"));
    }
    let refusal = json!({"error": "hunter2", "message": "hunter2"}).to_string();
    match parse_refusal(refusal.as_bytes(), "i-0abc", 7) {
        Reply::Unknown(reason) => assert!(!reason.to_string().contains("hunter2")),
        answer => panic!("believed {answer:?}"),
    }
}

fn refusal(error: &str, report: Value) -> Reply {
    let mut body = report;
    body["error"] = json!(error);
    body["message"] = json!("why");
    parse_refusal(body.to_string().as_bytes(), "i-0abc", 6)
}

#[test]
fn a_refusal_is_believed_with_the_report_that_proves_it() {
    let sealed = json!({"version": 1, "instance": "i-0abc", "admission": "sealed", "epoch": 6,
                        "busy": 0, "idle": 0, "closed": 37, "oldestBusySeconds": 0});
    let cases = [
        ("StaleEpoch", good(), Some(Refusal::StaleEpoch)),
        ("StaleEpoch", with("epoch", json!(6)), None),
        ("Sealed", sealed.clone(), Some(Refusal::Sealed)),
        ("Sealed", good(), None),
        ("InUse", good(), Some(Refusal::InUse)),
        ("InUse", sealed, None),
        ("InUse", with("idle", json!(-1)), None),
        ("InUse", with("instance", json!("i-0abd")), None),
        ("InUse", json!({}), None),
        ("WrongInstance", good(), None),
        ("Busy", good(), None),
    ];
    for (error, report, expected) in cases {
        match (refusal(error, report.clone()), expected) {
            (Reply::Refused(got, _), Some(wanted)) => assert_eq!(got, wanted),
            (Reply::Unknown(_), None) => {}
            (got, _) => panic!("{error} with {report}: {got:?}"),
        }
    }
    assert_eq!(
        refusal("WrongInstance", with("instance", json!("i-0abd"))),
        Reply::Unknown(UnknownReason::OtherInstance)
    );
}
