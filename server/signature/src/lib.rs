//! Signed calls of the session endpoint: HTTP Message Signatures (RFC 9421, `hmac-sha256`, with a Content-Digest of RFC
//! 9530), a key for each server, and answers that are bound to their requests.
//!
//! Owns keys ([`Master`], [`Key`]), what is signed, and what is refused ([`Refused`]); [`Replays`] is a server's memory of
//! what it has taken. It makes no call, reads no clock and no file, and never prints a key.
//!
//! A request is signed with every key that its caller may have for the server, a label each, so a server that knows only
//! the former one answers too; the answer is signed with the key that the server found first.

mod base;
mod digest;
mod key;
mod message;
mod refused;
mod replays;

pub use key::{Key, Master, NoKey, WeakMaster};
pub use message::{
    Answer, Request, Signed, sign_answer, sign_request, verify_answer, verify_request,
};
pub use refused::Refused;
pub use replays::{AHEAD_SECONDS, Replays, SKEW_SECONDS};
