//! Pages made from observations made by hand.

use super::*;

fn page(seen: &Observation) -> String {
    let report = super::super::report::compute(seen);
    write(seen, &report, &[], jiff::Timestamp::UNIX_EPOCH)
}

#[test]
fn an_empty_observation_gives_a_whole_page() {
    let page = page(&Observation::default());
    assert!(!page.contains("{{"), "a placeholder is left");
    assert!(page.contains("Traffic was never switched"));
    assert!(page.trim_end().ends_with("</html>"));
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let page = page(&Observation::default());
    for outside in ["src=", "<link", "@import", "url(", "fetch("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn text_from_outside_cannot_become_markup() {
    let mut seen = Observation::default();
    seen.clients.push(super::super::observe::Client {
        name: "</script><script>alert(1)</script>{{json}}".into(),
        events: vec![],
    });
    seen.execution.status = "<b>FAILED</b>".into();
    let page = page(&seen);
    assert!(!page.contains("<script>alert"));
    assert!(!page.contains("<b>FAILED"));
    assert!(
        page.contains("{{json}}"),
        "what came from outside is not filled in again"
    );
}

#[test]
fn titles_say_what_happened() {
    let moved = |reconnected_to_green, busy_cut| {
        title(&Report {
            reconnected_to_green,
            busy_cut,
            switched_at_seconds: Some(1.0),
            ..Report::default()
        })
    };
    assert_eq!(moved(300, 0), "300 sessions moved, 0 cut");
    assert_eq!(moved(1, 2), "1 session moved, 2 cut");
    assert_eq!(moved(10_000, 0), "10\u{2009}000 sessions moved, 0 cut");
}
