//! What a sum of samples is, and what is refused.

use super::*;

const METRICS: &str = r#"
# HELP jobs Jobs, by state.
# TYPE jobs gauge
jobs{state="active",queue="a"} 3
jobs{queue="b", state="active",} 4.0 1700000000000
  jobs { state = "waiting" }	1e2
jobs_total 9
latency_seconds{quantile="0.5"} NaN
latency_seconds{quantile="0.9"} +Inf
half 0.5
below -1
quoted{text="a \"b\" \\ \n } ,"} 6
"#;

fn summed(name: &str, labels: &[(&str, &str)]) -> Result<u64, String> {
    let labels = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    sum(METRICS.as_bytes(), name, &labels.collect())
}

#[test]
fn samples_of_the_name_with_the_labels_are_summed() {
    assert_eq!(summed("jobs", &[]), Ok(107));
    assert_eq!(summed("jobs", &[("state", "active")]), Ok(7));
    assert_eq!(
        summed("jobs", &[("state", "active"), ("queue", "b")]),
        Ok(4)
    );
    assert_eq!(summed("jobs_total", &[]), Ok(9));
    assert_eq!(summed("quoted", &[("text", "a \"b\" \\ \n } ,")]), Ok(6));
}

#[test]
fn what_is_no_whole_number_or_not_there_is_unknown() {
    for (name, labels) in [
        ("job", [].as_slice()),
        ("jobs", &[("state", "gone")]),
        ("jobs", &[("stat", "active")]),
        ("latency_seconds", &[("quantile", "0.5")]),
        ("latency_seconds", &[("quantile", "0.9")]),
        ("half", &[]),
        ("below", &[]),
    ] {
        assert!(summed(name, labels).is_err(), "{name} {labels:?}");
    }
    assert!(sum(b"jobs 1e300", "jobs", &Labels::new()).is_err());
    assert!(sum(b"jobs 1\n\xff", "jobs", &Labels::new()).is_err());
}

#[test]
fn a_line_that_is_not_understood_is_unknown() {
    for line in [
        "jobs",
        "jobs x",
        "jobs 1 x",
        "jobs 1 2 3",
        "2jobs 1",
        "jobs{a=\"b\" 1",
        "jobs{a=b} 1",
        "jobs{a=\"b\"c=\"d\"} 1",
        "jobs{,} 1",
        "jobs{a=\"b\",a=\"c\"} 1",
        "jobs{a=\"\\x\"} 1",
        "jobs{a} 1",
        "{\"jobs\"} 1",
        "<html>",
        "jobs{a=\"b\"}",
    ] {
        let text = format!("jobs 1\n{line}\n");
        assert!(
            sum(text.as_bytes(), "jobs", &Labels::new()).is_err(),
            "{line}"
        );
    }
}
