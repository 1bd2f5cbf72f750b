//! Why a tunnel's WebSocket is closed: the codes and the reason that tells a client when to come back.
//!
//! Owns the wire format that the server writes and the client reads; README.md documents it for other clients.

use std::time::Duration;

/// RFC 6455: done, on purpose. The client stopped.
pub const NORMAL: u16 = 1000;
/// RFC 6455: the peer sent what this protocol does not allow.
pub const PROTOCOL_ERROR: u16 = 1002;
/// IANA registry "Service Restart": reconnect, at the moment that the reason names.
pub const RESTART: u16 = 1012;
/// Our own: a newer tunnel of the same name took this one's place. Do not reconnect.
pub const REPLACED: u16 = 4001;

/// The reason that goes with [`REPLACED`].
pub const REPLACED_REASON: &str = "replaced by a newer tunnel of this name";

const PREFIX: &str = "reconnect in ";
const SUFFIX: &str = " ms";

/// The longest wait that a client believes; a reason that asks for more is taken for a mistake.
const LONGEST: Duration = Duration::from_secs(60);

/// The reason that goes with [`RESTART`]: `reconnect in 350 ms`.
pub fn reconnect_in(after: Duration) -> String {
    format!("{PREFIX}{}{SUFFIX}", after.as_millis())
}

/// When to reconnect according to a reason of [`reconnect_in`]'s form; none if it has another form.
pub fn reconnect_after(reason: &str) -> Option<Duration> {
    let millis = reason.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let after = Duration::from_millis(millis.parse().ok()?);
    (after <= LONGEST).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_reads_back_as_it_was_written() {
        for millis in [0, 1, 350, 1000] {
            let after = Duration::from_millis(millis);
            assert_eq!(reconnect_after(&reconnect_in(after)), Some(after));
        }
        assert_eq!(
            reconnect_in(Duration::from_millis(350)),
            "reconnect in 350 ms"
        );
    }

    #[test]
    fn reasons_fit_a_close_frame() {
        // RFC 6455, 5.5: a control frame carries 125 bytes, two of which are the code.
        assert!(reconnect_in(LONGEST).len() <= 123);
        assert!(REPLACED_REASON.len() <= 123);
    }

    #[test]
    fn any_other_reason_says_nothing() {
        for reason in [
            "",
            "bye",
            "reconnect in ms",
            "reconnect in -1 ms",
            "reconnect in 5 s",
            "reconnect in 600000 ms",
        ] {
            assert_eq!(reconnect_after(reason), None, "{reason}");
        }
    }
}
