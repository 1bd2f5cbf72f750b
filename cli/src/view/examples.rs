//! What real deployments on the local cloud showed, kept by `ebbtide seen`, and their views some seconds later.

use jiff::Timestamp;

use super::View;
use crate::seen::Seen;

/// A look, and a moment some seconds after it.
pub(crate) fn kept(name: &str) -> (Seen, Timestamp) {
    let (file, now) = match name {
        "launching" => (
            include_str!("examples/launching.json"),
            "2026-11-29T16:13:19Z",
        ),
        "gate" => (include_str!("examples/gate.json"), "2026-11-29T17:05:31Z"),
        "step" => (include_str!("examples/step.json"), "2026-11-29T16:13:26Z"),
        "bake" => (include_str!("examples/bake.json"), "2026-11-29T16:13:44Z"),
        "paused" => (include_str!("examples/paused.json"), "2026-11-29T17:05:59Z"),
        "drain" => (include_str!("examples/drain.json"), "2026-11-29T16:14:12Z"),
        _ => (include_str!("examples/failed.json"), "2026-11-29T16:16:18Z"),
    };
    (serde_json::from_str(file).unwrap(), now.parse().unwrap())
}

/// Its view.
pub(crate) fn view(name: &str) -> View {
    let (seen, now) = kept(name);
    View::of(&seen, now)
}
