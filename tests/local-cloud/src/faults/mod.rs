//! Faults on purpose: proxies that can be told to misbehave, and the killing of a function in mid-call.
//!
//! Two proxies, both transparent until told otherwise: [`SessionFaults`] stands before every server's session endpoint,
//! [`AwsFaults`] before the AWS services that the functions call. Neither knows a state of the workflow or judges what
//! comes of a fault; both count, so that a test can tell that its fault really happened. Started with
//! [`crate::Options::faults`]; without it no call takes a way through here.

mod aws;
mod aws_call;
mod caller;
mod front;
mod session;
mod session_call;

pub use aws::{AwsFault, AwsFaults, Held};
pub use caller::function_of;
pub use front::Told;
pub use session::{Counts, HeldOrder, SessionFaults};
pub use session_call::{Calls, SessionFault};
