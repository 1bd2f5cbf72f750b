//! The metrics by table: what each write tells, and what none does.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::check::{Check, Unheard};
use crate::document::Document;
use crate::examples::{
    self, after, answer, check, entry, environment, front, moments, owner, planned, record,
    recorded, rolling_back, told,
};
use crate::record::{Alarms, Doing, Entry, Facts, Front, Kind, decide};
use crate::shape::Environment;
use crate::terminate::{Terminated, Verdict};
use crate::weights::{Moments, Spans, Weights};

const ALL_GREEN: Weights = Weights {
    blue: 0,
    green: 100,
};

fn blue() -> Environment {
    environment("tunnel-a")
}

fn green() -> Environment {
    environment("tunnel-b")
}

fn plan() -> crate::plan::Recorded {
    recorded(&blue(), &green(), &[])
}

/// What `deploy-1` knows while it is about this.
fn document(doing: Doing) -> Document {
    Document {
        record: Some(answer(doing)),
        ..planned(plan(), &[])
    }
}

fn ask(kind: Kind, document: Document) -> Ask {
    Ask {
        kind,
        execution: examples::EXECUTION.to_owned(),
        state: format!("{kind:?}"),
        redrives: 0,
        document,
    }
}

fn seen(at: Timestamp, busy: u64, idle: u64) -> Check {
    let mut check = check(&[]);
    check.at = at;
    (check.counts.busy, check.counts.idle) = (busy, idle);
    check.counts.servers = 3;
    check.memory.deadline_at = moments().deadline_at;
    check
}

/// What is told when this is asked, line by line: the values by name, and the stamp's second after `NOW`.
struct Lines(Vec<Value>);

impl Lines {
    fn of(before: &Record, ask: &Ask, now: Timestamp) -> (Self, Record) {
        let facts = Facts::default();
        Self::with(before, ask, &facts, now)
    }

    fn with(before: &Record, ask: &Ask, facts: &Facts, now: Timestamp) -> (Self, Record) {
        let decision = decide(before, ask, facts, now).unwrap();
        let lines = lines(before, ask, &decision, now);
        let lines = lines.iter().map(|line| serde_json::from_str(line).unwrap());
        (Self(lines.collect()), decision.record)
    }

    /// The first line's metrics.
    fn values(&self) -> BTreeMap<String, f64> {
        metrics(&self.0[0])
    }

    fn value(&self, metric: Metric) -> Option<f64> {
        self.values().get(metric.name).copied()
    }
}

/// The metrics of a line as CloudWatch reads them: by the directives.
fn metrics(line: &Value) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
        assert_eq!(directive["Namespace"], NAMESPACE);
        for dimension in directive["Dimensions"][0].as_array().unwrap() {
            assert!(line[dimension.as_str().unwrap()].is_string(), "{line}");
        }
        for metric in directive["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            let known = ALL.iter().find(|it| it.name == name).unwrap();
            assert_eq!(metric["Unit"], known.unit);
            let dimensions: Vec<_> = known.dimensions.iter().map(|it| Value::from(*it)).collect();
            assert_eq!(directive["Dimensions"][0], Value::from(dimensions));
            assert!(
                found
                    .insert(name.to_owned(), line[name].as_f64().unwrap())
                    .is_none()
            );
        }
    }
    found
}

fn draining() -> (Record, Document) {
    let entry = entry(&blue(), owner(), plan());
    let doing = Doing::Draining {
        environment: blue(),
        moments: moments(),
    };
    (record(None, vec![entry]), document(doing))
}

fn baking() -> (Record, Document) {
    let mut front = front(plan(), Phase::Switched);
    front.weights = ALL_GREEN;
    let mut document = document(Doing::Watching { weights: ALL_GREEN });
    document.switch = Some(examples::switched(ALL_GREEN, &[&blue(), &green()]));
    (record(Some(front), Vec::new()), document)
}

fn going_back() -> (Front, Document) {
    let mut document = document(Doing::Returning { minimum_open: 0 });
    let back = Weights {
        blue: 100,
        green: 0,
    };
    let mut switched = examples::switched(back, &[&blue(), &green()]);
    let spans = Spans::of(&examples::policy(), true);
    switched.answer.moments = Moments::count(after(70), back, &spans);
    document.back = Some(switched);
    (front(plan(), rolling_back()), document)
}

#[test]
fn a_pass_of_the_bake_tells_of_the_front_of_blue_and_of_the_clocks() {
    let (before, mut document) = baking();
    let mut check = seen(after(60), 4, 6);
    check.counts.oldest_busy_seconds = 40;
    check.counts.closed = 3;
    check.outlook.forecast.ends_at = Some(after(90));
    document.check = Some(check);
    let (lines, _) = Lines::of(&before, &ask(Kind::Pass, document), after(60));
    assert_eq!(lines.0.len(), 1);
    let line = &lines.0[0];
    assert_eq!(
        (&line["Service"], &line["Environment"]),
        (&"tunnel".into(), &"tunnel-a".into())
    );
    assert_eq!(line["deployment"], "deploy-1");
    assert_eq!(line["_aws"]["Timestamp"], after(60).as_millisecond());
    let expected = [
        (PHASE, 3.0),
        (GREEN_WEIGHT, 100.0),
        (WAITING_SECONDS, 0.0),
        (REPAIRS, 0.0),
        (UNKNOWN_SECONDS, 0.0),
        (DEADLINE_USED, 100.0 * 60.0 / 86_400.0),
        (BUSY, 4.0),
        (IDLE, 6.0),
        (CLOSED, 3.0),
        (OLDEST_BUSY_SECONDS, 40.0),
        (SERVERS, 3.0),
        (SEALED, 0.0),
        (UNKNOWN, 0.0),
        (TERMINATED, 0.0),
        (DRAIN_SECONDS, 60.0),
        (FORECAST_SECONDS, 30.0),
    ];
    let expected = expected.map(|(metric, value)| (metric.name.to_owned(), value));
    assert_eq!(lines.values(), BTreeMap::from(expected));
}

#[test]
fn an_ask_that_writes_nothing_tells_nothing() {
    let (before, mut document) = baking();
    document.check = Some(seen(after(60), 4, 6));
    let asked = ask(Kind::Pass, document);
    let (first, written) = Lines::of(&before, &asked, after(60));
    assert!(!first.0.is_empty());
    let (again, same) = Lines::of(&written, &asked, after(61));
    assert_eq!((again.0.len(), same), (0, written));
    // Nor does one that knows of no service.
    let decision = decide(&before, &asked, &Facts::default(), after(60)).unwrap();
    let nobodys = ask(Kind::Pass, Document::default());
    assert!(lines(&before, &nobodys, &decision, after(60)).is_empty());
}

#[test]
fn a_pass_that_asked_no_server_repeats_no_counts() {
    let (before, mut document) = baking();
    document.check = Some(seen(after(60), 4, 6));
    let asked = ask(Kind::Pass, document.clone());
    let (_, written) = Lines::of(&before, &asked, after(60));
    document.record = Some(written.answers.last().unwrap().answer.clone());
    let (lines, _) = Lines::of(&written, &ask(Kind::Pass, document), after(70));
    assert_eq!(lines.value(REPAIRS), Some(0.0));
    assert_eq!(
        (lines.value(BUSY), lines.value(DRAIN_SECONDS)),
        (None, None)
    );
}

#[test]
fn a_repair_is_counted_once() {
    let (before, mut document) = baking();
    document.switch.as_mut().unwrap().answer.repairs.repaired = true;
    let (lines, _) = Lines::of(&before, &ask(Kind::Pass, document), after(60));
    assert_eq!(lines.value(REPAIRS), Some(1.0));
}

#[test]
fn a_rollback_is_counted_when_it_begins_and_green_is_told_of_from_then_on() {
    let (before, mut document) = baking();
    document.check = Some(seen(after(60), 4, 6));
    let firing = Facts {
        alarms: Some(Alarms {
            at: after(60),
            firing: vec!["errors".to_owned()],
            fired: Vec::new(),
            missing: Vec::new(),
        }),
        holder: None,
    };
    let asked = ask(Kind::Pass, document);
    let (lines, rolls_back) = Lines::with(&before, &asked, &firing, after(60));
    assert_eq!(
        (lines.value(PHASE), lines.value(ROLL_BACKS)),
        (Some(4.0), Some(1.0))
    );
    assert_eq!(lines.value(GREEN_WEIGHT), Some(0.0));
    assert_eq!(lines.0[0]["Environment"], "tunnel-a");

    let (mut front, mut document) = going_back();
    front.course = rolls_back.front.unwrap().course;
    front.course.unanswered_until = Some(after(600));
    document.check = Some(seen(after(90), 20, 9));
    let before = record(Some(front), Vec::new());
    let (lines, _) = Lines::of(&before, &ask(Kind::Pass, document), after(90));
    assert_eq!(
        (lines.value(PHASE), lines.value(ROLL_BACKS)),
        (Some(4.0), None)
    );
    assert_eq!(lines.0[0]["Environment"], "tunnel-b");
    assert_eq!(lines.value(BUSY), Some(20.0));
    // What green holds is no more than blue held: they are not the same servers.
    assert_eq!(lines.value(SESSIONS_GAINED), None);
}

#[test]
fn sessions_that_came_are_told_where_two_passes_can_be_compared() {
    // (what, the pass before: its second, busy, idle, servers, unknown; this one likewise; what is told)
    let settled = 40;
    let cases = [
        (
            "as many came",
            (settled, 3, 3, 3, 0),
            (3, 3, 3, 0),
            Some(0.0),
        ),
        ("two came", (settled, 3, 3, 3, 0), (4, 4, 3, 0), Some(2.0)),
        (
            "idle became busy",
            (settled, 3, 3, 3, 0),
            (6, 0, 3, 0),
            Some(0.0),
        ),
        ("some ended", (settled, 3, 3, 3, 0), (1, 1, 3, 0), Some(0.0)),
        (
            "a server ended",
            (settled, 3, 3, 3, 0),
            (4, 3, 2, 0),
            Some(1.0),
        ),
        ("before it settled", (29, 3, 3, 3, 0), (9, 9, 3, 0), None),
        (
            "one is heard again",
            (settled, 3, 3, 3, 1),
            (9, 9, 3, 0),
            None,
        ),
        ("one fell silent", (settled, 3, 3, 3, 0), (9, 9, 3, 1), None),
        ("one joined", (settled, 3, 3, 3, 0), (9, 9, 4, 0), None),
    ];
    for (case, was, is, told) in cases {
        let (mut before, mut document) = draining();
        let look = |at: i64, busy, idle, servers, unknown| {
            let mut check = seen(after(at), busy, idle);
            (check.counts.servers, check.counts.unknown) = (servers, unknown);
            check
        };
        document.check = Some(look(was.0, was.1, was.2, was.3, was.4));
        let first = ask(Kind::Pass, document.clone());
        let (lines, written) = Lines::of(&before, &first, after(was.0));
        assert_eq!(
            lines.value(SESSIONS_GAINED),
            None,
            "{case}: nothing to compare with"
        );
        before = written;
        document.record = Some(before.answers.last().unwrap().answer.clone());
        document.check = Some(look(70, is.0, is.1, is.2, is.3));
        let (lines, _) = Lines::of(&before, &ask(Kind::Pass, document), after(70));
        assert_eq!(lines.value(SESSIONS_GAINED), told, "{case}");
    }
}

#[test]
fn the_longest_silence_and_the_deadline_that_was_granted_anew_are_told() {
    let (before, mut document) = draining();
    let mut check = seen(after(1000), 0, 0);
    check.counts.unknown = 1;
    check.counts.unknown_servers = vec![Unheard {
        instance: "i-1".to_owned(),
        reason: "connection refused".to_owned(),
        since: after(100),
    }];
    check.memory.deadline_at = Some(after(2000));
    document.check = Some(check);
    let (lines, _) = Lines::of(&before, &ask(Kind::Pass, document), after(1000));
    assert_eq!(lines.value(UNKNOWN_SECONDS), Some(900.0));
    assert_eq!(lines.value(UNKNOWN), Some(1.0));
    assert_eq!(lines.value(DEADLINE_USED), Some(50.0));
    assert_eq!(lines.value(PHASE), Some(0.0), "the front is free");
    assert_eq!(
        (lines.value(REPAIRS), lines.value(GREEN_WEIGHT)),
        (None, None)
    );
    let line = lines.0[0].to_string();
    assert!(lines.value(DRAIN_SECONDS).is_some());
    assert!(!line.contains("i-1") && !line.contains("refused"), "{line}");
}

#[test]
fn how_long_it_stands_at_a_gate_is_told() {
    let mut front = front(plan(), Phase::Claimed);
    front.plan.policy.approve = vec![crate::plan::Gate::Switch];
    let document = document(Doing::Launching);
    let before = record(Some(front), Vec::new());
    let (lines, waits) = Lines::of(&before, &ask(Kind::Switch, document.clone()), after(60));
    assert_eq!(lines.value(WAITING_SECONDS), Some(0.0));
    let mut next = document;
    next.record = Some(waits.answers.last().unwrap().answer.clone());
    let (lines, _) = Lines::of(&waits, &ask(Kind::Switch, next), after(360));
    assert_eq!(lines.value(WAITING_SECONDS), Some(300.0));
    assert_eq!((lines.value(PHASE), lines.value(BUSY)), (Some(2.0), None));
}

#[test]
fn a_deadline_is_told_of_while_there_are_servers() {
    for (servers, told) in [(3, true), (0, false)] {
        let (before, mut document) = draining();
        let mut check = seen(after(60), 0, 0);
        check.counts.servers = servers;
        document.check = Some(check);
        let (lines, _) = Lines::of(&before, &ask(Kind::Pass, document), after(60));
        assert_eq!(lines.value(DEADLINE_USED).is_some(), told);
        assert_eq!(lines.value(DRAIN_SECONDS), Some(60.0));
    }
}

/// How `deploy-1` leaves when everything of this environment is gone.
fn leaves(entry: Entry) -> Lines {
    let doing = Doing::Draining {
        environment: entry.environment.clone(),
        moments: moments(),
    };
    let mut document = document(doing);
    document.terminate = Some(told(Terminated {
        verdict: Verdict::Gone,
        terminated: vec!["i-1".to_owned(), "i-2".to_owned()],
        ending: Vec::new(),
        refused: Vec::new(),
        remaining: 0,
        tried: None,
    }));
    // Somebody else holds the front, so that the group is left to them.
    let mut front = front(plan(), Phase::Claimed);
    front.owner = examples::another();
    let before = record(Some(front), vec![entry]);
    Lines::of(&before, &ask(Kind::Release, document), after(7200)).0
}

#[test]
fn a_deployment_ends_with_one_outcome_and_its_length() {
    let lines = leaves(entry(&blue(), owner(), plan()));
    let expected = [
        (PHASE, 2.0),
        (GREEN_WEIGHT, 0.0),
        (WAITING_SECONDS, 0.0),
        (PROMOTED, 1.0),
        (DEPLOYMENT_SECONDS, 7200.0),
        (SERVERS, 0.0),
        (CLOSED, 0.0),
        (TERMINATED, 2.0),
    ];
    let expected = expected.map(|(metric, value)| (metric.name.to_owned(), value));
    assert_eq!(lines.values(), BTreeMap::from(expected));
    assert_eq!(lines.0.len(), 1, "no verdict");
}

#[test]
fn a_verdict_is_told_for_its_minute_and_the_two_that_follow() {
    let rolled_back = Entry {
        outcome: Outcome::RolledBack {
            reason: "for this test".to_owned(),
        },
        ..entry(&green(), owner(), plan())
    };
    let lines = leaves(rolled_back);
    assert_eq!(
        (lines.value(ROLLED_BACK), lines.value(VERDICTS)),
        (Some(1.0), None)
    );
    let verdicts: Vec<_> = lines.0[1..]
        .iter()
        .map(|line| (metrics(line), line["_aws"]["Timestamp"].as_i64().unwrap()))
        .collect();
    let expected = [0, 60, 120].map(|seconds| {
        let verdict = BTreeMap::from([("Verdicts".to_owned(), 1.0)]);
        (verdict, after(7200 + seconds).as_millisecond())
    });
    assert_eq!(verdicts, expected);
}

#[test]
fn green_that_never_served_is_an_outcome_without_an_environment() {
    let mut document = document(Doing::Rejecting);
    document.rejected = Some(told(Terminated {
        verdict: Verdict::Gone,
        terminated: Vec::new(),
        ending: Vec::new(),
        refused: Vec::new(),
        remaining: 0,
        tried: None,
    }));
    let blue_alone = Weights {
        blue: 100,
        green: 0,
    };
    document.detached = Some(examples::switched(blue_alone, &[&blue()]));
    let before = record(Some(front(plan(), Phase::Claimed)), Vec::new());
    let (lines, _) = Lines::of(&before, &ask(Kind::Release, document), after(300));
    let expected = [
        (PHASE, 0.0),
        (GREEN_REJECTED, 1.0),
        (DEPLOYMENT_SECONDS, 300.0),
    ];
    let expected = expected.map(|(metric, value)| (metric.name.to_owned(), value));
    assert_eq!(lines.values(), BTreeMap::from(expected));
    assert_eq!(lines.0[0].get("Environment"), None);
    assert_eq!(lines.0.len(), 4);
}

#[test]
fn names_are_unique_and_stand_together_by_their_dimensions() {
    let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ALL.len());
    let first_of_environment = ALL
        .iter()
        .position(|it| it.dimensions == ENVIRONMENT)
        .unwrap();
    assert!(
        ALL[first_of_environment..]
            .iter()
            .all(|it| it.dimensions == ENVIRONMENT)
    );
}

/// The list that the templates' rules read: `tests/definition/metrics.json`. `EBBTIDE_WRITE_METRICS=1` writes it anew.
#[test]
fn the_list_is_the_one_that_dashboard_and_alarms_are_checked_against() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/definition/metrics.json"
    );
    let mut list = serde_json::to_string_pretty(ALL).unwrap();
    list.push('\n');
    if std::env::var_os("EBBTIDE_WRITE_METRICS").is_some() {
        std::fs::write(path, &list).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), list);
}
