//! No count comes out of a broken report: what is believed is what every reader of the same bytes would see.

use std::fmt;

use proptest::prelude::*;
use serde::de::{MapAccess, Visitor};
use serde::{Deserializer, de};
use serde_json::{Map, json};

use super::*;
use crate::arbitrary_json::{any_json, any_text};

const INSTANCE: &str = "i-0abc";
const COUNTS: [&str; 4] = ["busy", "idle", "closed", "oldestBusySeconds"];

/// A JSON object as it is written: every field in its order, those named twice too.
struct Written(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Written, A::Error> {
                let mut written = Vec::new();
                while let Some(field) = fields.next_entry()? {
                    written.push(field);
                }
                Ok(Written(written))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, _: A) -> Result<Written, A::Error> {
                Err(de::Error::custom("an array is no object"))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

impl Written {
    /// The value of a field that is named exactly once.
    fn only(&self, field: &str) -> Option<&Value> {
        let mut named = self.0.iter().filter(|(name, _)| name == field);
        let value = named.next().map(|(_, value)| value);
        value.filter(|_| named.next().is_none())
    }

    fn count(&self, field: &str, most: u64) -> Option<u64> {
        self.only(field)?.as_u64().filter(|count| *count <= most)
    }

    /// Whether an agent is named; a server without one says nothing of it.
    fn agent(&self) -> Option<bool> {
        let mut named = self.0.iter().filter(|(name, _)| name == "agent");
        match (named.next().map(|(_, value)| value), named.next()) {
            (None | Some(Value::Null), None) => Some(false),
            (Some(Value::String(_)), None) => Some(true),
            _ => None,
        }
    }
}

/// The report that these bytes are, said in another way than the reader does.
fn true_report(body: &[u8]) -> Option<SessionReport> {
    let written: Written = serde_json::from_slice(body).ok()?;
    let errors = written.0.iter().filter(|(name, _)| name == "error").count();
    let report = SessionReport {
        instance: written.only("instance")?.as_str()?.to_owned(),
        admission: serde_json::from_value(written.only("admission")?.clone()).ok()?,
        epoch: written.count("epoch", (1 << 53) - 1)?,
        busy: written.count("busy", 10_000_000)?,
        idle: written.count("idle", 10_000_000)?,
        closed: written.count("closed", (1 << 53) - 1)?,
        oldest_busy_seconds: written.count("oldestBusySeconds", 3650 * 86_400)?,
        agent: written.agent()?,
    };
    let holds = report.busy > 0 || report.idle > 0;
    let is_true = report.instance == INSTANCE
        && written.count("version", u64::MAX) == Some(1)
        && errors <= 1
        && !(holds && report.admission == Admission::Sealed);
    is_true.then_some(report)
}

fn any_report() -> impl Strategy<Value = SessionReport> {
    let admissions = [Admission::Open, Admission::Draining, Admission::Sealed];
    let counts = (
        0_u64..=10_000_000,
        0_u64..=10_000_000,
        0_u64..1 << 53,
        0_u64..=315_360_000,
        any::<bool>(),
    );
    (
        prop::sample::select(admissions.to_vec()),
        0_u64..1 << 53,
        counts,
    )
        .prop_map(
            |(admission, epoch, (busy, idle, closed, oldest_busy_seconds, agent))| {
                let (busy, idle) = if admission == Admission::Sealed {
                    (0, 0)
                } else {
                    (busy, idle)
                };
                let instance = INSTANCE.to_owned();
                SessionReport {
                    instance,
                    admission,
                    epoch,
                    busy,
                    idle,
                    closed,
                    oldest_busy_seconds,
                    agent,
                }
            },
        )
}

fn fields_of(report: &SessionReport) -> Vec<(String, String)> {
    [
        ("version", json!(1)),
        ("instance", json!(report.instance)),
        ("admission", json!(report.admission)),
        ("epoch", json!(report.epoch)),
        ("busy", json!(report.busy)),
        ("idle", json!(report.idle)),
        ("closed", json!(report.closed)),
        ("oldestBusySeconds", json!(report.oldest_busy_seconds)),
    ]
    .into_iter()
    .chain(
        report
            .agent
            .then(|| ("agent", json!("ebbtide-agent 1.0.0"))),
    )
    .map(|(field, value)| (field.to_owned(), value.to_string()))
    .collect()
}

/// The object with these fields, each value as it is written.
fn object(fields: &[(String, String)]) -> String {
    let field = |(name, value): &(String, String)| format!("{}:{value}", json!(name));
    let fields: Vec<String> = fields.iter().map(field).collect();
    format!("{{{}}}", fields.join(","))
}

/// Numbers that are no count, as they may be written.
fn no_count() -> impl Strategy<Value = String> {
    let written = [
        "-1",
        "-0",
        "0.5",
        "2.0",
        "2e0",
        "1e400",
        "-1e400",
        "18446744073709551616",
        "9007199254740992",
        "0x2",
        "02",
        "+2",
        "NaN",
        "Infinity",
        "\"2\"",
        "true",
        "null",
        "[2]",
        "{}",
        "",
    ];
    prop_oneof![
        prop::sample::select(written.to_vec()).prop_map(str::to_owned),
        (i64::MIN..0).prop_map(|number| number.to_string()),
        (1_u64 << 53..).prop_map(|number| number.to_string()),
        any_json()
            .prop_filter("a count", |value| !value.is_u64())
            .prop_map(|value| value.to_string()),
    ]
}

fn believed(body: &[u8]) -> Option<SessionReport> {
    parse_report(body, INSTANCE).report().cloned()
}

fn is_unknown(body: &[u8]) -> bool {
    believed(body).is_none()
}

proptest! {
    #[test]
    fn any_bytes_are_unknown_or_the_report_that_they_are(body in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert_eq!(believed(&body), true_report(&body));
        prop_assert!(parse_refusal(&body, INSTANCE, 5).report().is_none());
    }

    #[test]
    fn any_json_is_unknown_or_the_report_that_it_is(
        values in prop::collection::vec((prop::sample::select(vec![
            "version", "instance", "admission", "epoch", "busy", "idle", "closed", "oldestBusySeconds", "agent", "error",
        ]), any_json()), 0..3),
        report in any_report(),
    ) {
        let mut written: Map<String, Value> = serde_json::from_str(&object(&fields_of(&report))).unwrap();
        written.extend(values.into_iter().map(|(field, value)| (field.to_owned(), value)));
        let body = Value::Object(written).to_string();
        prop_assert_eq!(believed(body.as_bytes()), true_report(body.as_bytes()), "{}", body);
    }

    #[test]
    fn a_report_damaged_on_its_way_gives_no_count_that_is_not_in_it(
        report in any_report(),
        at in any::<prop::sample::Index>(),
        damage in prop::collection::vec(any::<u8>(), 0..4),
        lost in 0_usize..4,
    ) {
        let mut body = object(&fields_of(&report)).into_bytes();
        let at = at.index(body.len());
        let end = (at + lost).min(body.len());
        body.splice(at..end, damage);
        prop_assert_eq!(believed(&body), true_report(&body));
        body.truncate(at);
        prop_assert!(is_unknown(&body), "a part of a report is none");
    }

    #[test]
    fn whatever_else_a_server_says_in_whatever_order_its_counts_are_read(
        report in any_report(),
        more in prop::collection::vec((any_text(), any_json()), 0..4),
        seed in any::<prop::sample::Index>(),
        space in "[ \t\r\n]{0,9}",
    ) {
        let mut fields = fields_of(&report);
        let known = |name: &String| name == "error" || name == "agent" || fields.iter().any(|(field, _)| field == name);
        prop_assume!(!more.iter().any(|(name, _)| known(name)));
        fields.extend(more.into_iter().map(|(name, value)| (name, value.to_string())));
        let turns = seed.index(fields.len());
        fields.rotate_left(turns);
        let body = format!("{space}{}{space}", object(&fields));
        prop_assert_eq!(parse_report(body.as_bytes(), INSTANCE), Reading::Report(report));
    }

    #[test]
    fn a_broken_count_is_unknown(report in any_report(), field in prop::sample::select(COUNTS.to_vec()), wrong in no_count()) {
        let mut fields = fields_of(&report);
        for (name, value) in &mut fields {
            if name == field {
                value.clone_from(&wrong);
            }
        }
        prop_assert!(is_unknown(object(&fields).as_bytes()), "{field}: {wrong}");
        fields.retain(|(name, _)| name != field);
        prop_assert!(is_unknown(object(&fields).as_bytes()), "no {field}");
    }

    #[test]
    fn a_field_named_twice_is_unknown_however_it_is_spelled(report in any_report(), which in 0_usize..8, count in 0_u64..9) {
        let fields = fields_of(&report);
        let (name, value) = &fields[which];
        let escaped: String = name.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        for (name, value) in [(name, value.clone()), (name, count.to_string()), (name, "null".to_owned()), (&escaped, value.clone())] {
            let body = object(&fields).replacen('{', &format!("{{\"{name}\":{value},"), 1);
            prop_assert!(is_unknown(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn what_stands_before_or_behind_a_report_makes_it_none(report in any_report(), more in any_json()) {
        let body = object(&fields_of(&report));
        let around = [
            format!("\u{feff}{body}"), format!("{more}{body}"), format!("{body}{more}"), format!("{body},"),
            format!("[{body}]"), format!("{body}\0"), format!(")]}}'\n{body}"), format!("{{\"report\":{body}}}"),
        ];
        for body in around {
            prop_assert!(is_unknown(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn another_version_or_another_instance_gives_no_count(report in any_report(), version in 2_u64.., instance in any_text()) {
        let fields = fields_of(&report);
        let other = |field: &str, value: Value| {
            let mut fields = fields.clone();
            fields.retain(|(name, _)| name != field);
            fields.push((field.to_owned(), value.to_string()));
            parse_report(object(&fields).as_bytes(), INSTANCE)
        };
        prop_assert_eq!(other("version", json!(version)), Reading::Unknown(UnknownReason::Version(version)));
        prop_assert_eq!(other("version", json!(0)), Reading::Unknown(UnknownReason::Version(0)));
        prop_assume!(instance != INSTANCE);
        prop_assert_eq!(other("instance", json!(instance)), Reading::Unknown(UnknownReason::OtherInstance));
    }

    #[test]
    fn a_refusal_is_believed_only_with_a_true_report_that_proves_it(
        report in any_report(),
        error in prop_oneof![
            prop::sample::select(vec!["StaleEpoch", "Sealed", "InUse", "WrongInstance"]).prop_map(|name| json!(name)),
            any_json(),
        ],
        field in prop::sample::select(COUNTS.to_vec()),
        damage in prop::option::of(any_json()),
        epoch in 0_u64..1 << 53,
    ) {
        let mut body: Map<String, Value> = serde_json::from_str(&object(&fields_of(&report))).unwrap();
        body.insert("error".to_owned(), error.clone());
        if let Some(damage) = damage {
            body.insert(field.to_owned(), damage);
        }
        let body = Value::Object(body).to_string();
        let proven = |report: &SessionReport| match error.as_str() {
            Some("StaleEpoch") if report.epoch > epoch => Some(Refusal::StaleEpoch),
            Some("Sealed") if report.admission == Admission::Sealed => Some(Refusal::Sealed),
            Some("InUse") if report.admission != Admission::Sealed => Some(Refusal::InUse),
            _ => None,
        };
        let expected = true_report(body.as_bytes()).and_then(|report| Some((proven(&report)?, report)));
        let believed = match parse_refusal(body.as_bytes(), INSTANCE, epoch) {
            Reply::Refused(refusal, report) => Some((refusal, report)),
            Reply::Unknown(_) => None,
            Reply::Report(report) => panic!("a refusal is no {report:?}"),
        };
        prop_assert_eq!(believed, expected, "{}", body);
    }
}

#[test]
fn nesting_without_end_is_passed_over_or_refused_and_no_crash() {
    let report = r#""version":1,"instance":"i-0abc","admission":"open","epoch":1,"idle":0,"closed":0,"oldestBusySeconds":0"#;
    let nested = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let body = format!("{{{report},\"busy\":0,\"rooms\":{nested}}}");
    assert!(!is_unknown(body.as_bytes()), "nobody reads the rooms");
    let body = format!("{{{report},\"busy\":{nested}}}");
    assert!(is_unknown(body.as_bytes()));
}
