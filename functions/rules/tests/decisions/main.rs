//! Golden scripts of the record's decisions: each situation with the decision as a reviewer reads it, in `snapshots/`.
//!
//! A changed rule shows as a changed line. Accept with `INSTA_UPDATE=always cargo test -p ebbtide-rules --test decisions`
//! after reading the difference.
#![expect(clippy::unwrap_used, reason = "a test's own functions may fail it")]

mod bakes;
mod claims;
mod counts;
mod drains;
mod hand_ons;
mod kept;
mod late_calls;
mod late_wishes;
mod leaving;
mod passes;
mod roads;
mod scene;
mod services;
mod take_overs;
mod told;
mod wishes;
