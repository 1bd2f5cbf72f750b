//! The session endpoint, version 1, in a server's own process: owns admission, seal, standing order, state file and HTTP.

#![cfg_attr(feature = "serve", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "serve"),
    doc = "The decisions of the session endpoint, without a server."
)]

pub mod admission;
mod kept;
pub mod order;
mod report;
pub mod wire;

#[cfg(feature = "fake")]
pub mod fake;

#[cfg(feature = "serve")]
mod control;
#[cfg(feature = "serve")]
mod drain;
#[cfg(feature = "serve")]
mod endpoint;
#[cfg(feature = "serve")]
mod gate;
#[cfg(feature = "signed")]
mod guard;
#[cfg(feature = "serve")]
mod http;
#[cfg(feature = "serve")]
pub mod instance;
#[cfg(feature = "races")]
pub mod races;
#[cfg(feature = "serve")]
mod sessions;
#[cfg(feature = "serve")]
mod standing;
#[cfg(feature = "serve")]
mod state_file;
#[doc(hidden)]
pub mod sync;
#[cfg(feature = "serve")]
mod table;

pub use admission::{Place, Refusal};
pub use kept::{Keeper, Kept, Unreadable, WriteFailed};
pub use report::Report;

#[cfg(feature = "serve")]
pub use control::NotStarted;
#[cfg(feature = "serve")]
pub use endpoint::Endpoint;
#[cfg(feature = "serve")]
pub use gate::{Gate, Unknown};
#[cfg(feature = "signed")]
pub use guard::{Guard, NoKeys, Unsigned};
#[cfg(feature = "serve")]
pub use sessions::{Count, SessionNumber, Sessions};
#[cfg(feature = "serve")]
pub use table::{Session, Table, Work};
