//! The session endpoint's client: the only code that calls servers.
//!
//! Owns how a server is called: at its listed private address only, no redirects, no proxies, within three seconds and
//! 64 KiB, 256 servers at a time, one retry; signed, where there are masters, and then only signed answers are believed.
//! Every call here is idempotent, but for the user's WebSockets, which are sessions while they are open. It refuses to
//! make anything of an answer:
//! whatever is not a well-formed one is Unknown (`ebbtide_rules::report`), and what follows from it is decided
//! there. Called by `test-green`, `drain-idle`, `check-drained`,
//! `resume-blue` and `ask-service`.

mod call;
mod checks;
mod client;
mod endpoint;
#[cfg(feature = "fake")]
pub mod fake;
mod signing;
mod web_socket;

pub use call::{Limits, NoClient};
pub use checks::CheckClient;
pub use client::SessionClient;
pub use ebbtide_rules::url_path::{UrlPath, WrongPath};
pub use ebbtide_signature::{Master, WeakMaster};
pub use endpoint::Endpoint;
