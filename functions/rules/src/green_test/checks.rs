//! The user's own checks: pages that answer 2xx, and WebSockets that stay open.
//!
//! Owns what is demanded of an answer, and its words; none of them is the server's own. A check that asking again may mend
//! is told apart from one that it will not.

use super::Finding;
use crate::report::{UnknownReason, brief};

/// What a page of the user's answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageAnswer {
    /// Status is when there was an HTTP answer.
    Status(u16),
    /// Unknown is when there was none.
    Unknown(UnknownReason),
}

/// What became of a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketAnswer {
    /// Held is when it stayed open for its seconds, and a ping was answered at their beginning and at their end.
    Held,
    /// Status is when the handshake was answered with another status than 101.
    Status(u16),
    /// NotAWebSocket is when 101 was answered, and this header of the answer is not as RFC 6455, section 4.1, wants it.
    NotAWebSocket(&'static str),
    /// NoPong is when a ping was not answered in time.
    NoPong,
    /// Closed is when the server closed it.
    Closed {
        /// The code of its close frame, if there was one.
        code: Option<u16>,
        /// Whole seconds that it was open for.
        after: u64,
    },
    /// HungUp is when the connection ended without a close frame.
    HungUp {
        /// Whole seconds that it was open for.
        after: u64,
    },
    /// Garbled is when the server sent what no WebSocket client takes.
    Garbled,
    /// Unknown is when the handshake had no answer.
    Unknown(UnknownReason),
}

impl SocketAnswer {
    /// What is wrong with it; none of a WebSocket that was held for `seconds`.
    fn wrong(&self, seconds: u32) -> Option<String> {
        let open = |after: &u64| format!("after {after} of {seconds} seconds");
        Some(match self {
            Self::Held => return None,
            Self::Status(status) => format!("answers {status}, expected 101"),
            Self::NotAWebSocket(header) => format!("answers 101 with a wrong {header}"),
            Self::NoPong => "answers no ping".to_owned(),
            Self::Closed { code, after } => {
                let code = code.map_or("no code".to_owned(), |code| format!("code {code}"));
                format!("is closed by the server with {code} {}", open(after))
            }
            Self::HungUp { after } => {
                format!("ends without a close frame {}", open(after))
            }
            Self::Garbled => "sends what is no WebSocket message of up to 64 KiB".to_owned(),
            Self::Unknown(reason) => format!("is not opened: {reason}"),
        })
    }

    /// Whether asking again may mend it. Behind a handshake there may be something that still starts.
    fn may_mend(&self) -> bool {
        match self {
            Self::Status(status) => status_may_mend(*status),
            Self::NotAWebSocket(_) => false,
            _ => true,
        }
    }
}

/// Judges the user's pages: every one must answer 2xx. A server that says 5xx may still be starting.
pub fn of_pages(pages: &[(String, PageAnswer)]) -> Finding {
    let mut not_yet = None;
    for (path, answer) in pages {
        let path = brief(path);
        match answer {
            PageAnswer::Status(200..=299) => {}
            PageAnswer::Status(status) if status_may_mend(*status) => {
                not_yet = Some(format!("{path} answers {status}"));
            }
            PageAnswer::Status(status) => {
                return Finding::Unfit(format!("{path} answers {status}, expected 2xx"));
            }
            PageAnswer::Unknown(reason) => not_yet = Some(format!("{path}: {reason}")),
        }
    }
    not_yet.map_or(Finding::Fit, Finding::NotYet)
}

/// Judges the user's WebSockets: every one must be held for its `seconds`.
pub fn of_sockets(sockets: &[(String, SocketAnswer)], seconds: u32) -> Finding {
    let mut not_yet = None;
    for (path, answer) in sockets {
        let Some(wrong) = answer.wrong(seconds) else {
            continue;
        };
        let told = format!("ws:{} {wrong}", brief(path));
        if !answer.may_mend() {
            return Finding::Unfit(told);
        }
        not_yet = Some(told);
    }
    not_yet.map_or(Finding::Fit, Finding::NotYet)
}

/// Judges what both came to at one place.
pub fn of_both(
    pages: &[(String, PageAnswer)],
    sockets: &[(String, SocketAnswer)],
    seconds: u32,
) -> Finding {
    match (of_pages(pages), of_sockets(sockets, seconds)) {
        (Finding::Fit, sockets) => sockets,
        (Finding::NotYet(_), sockets @ Finding::Unfit(_)) => sockets,
        (pages, _) => pages,
    }
}

fn status_may_mend(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_answers_2xx() {
        let pages = |answers: &[PageAnswer]| {
            let pages: Vec<_> = answers
                .iter()
                .map(|answer| ("/health".to_owned(), answer.clone()))
                .collect();
            of_pages(&pages)
        };
        let unfit = |finding: &Finding| matches!(finding, Finding::Unfit(_));
        assert_eq!(pages(&[]), Finding::Fit);
        assert_eq!(
            pages(&[PageAnswer::Status(200), PageAnswer::Status(204)]),
            Finding::Fit
        );
        for status in [302, 401, 404] {
            let answers = [PageAnswer::Status(200), PageAnswer::Status(status)];
            assert!(unfit(&pages(&answers)), "{status}");
        }
        for answer in [
            PageAnswer::Status(500),
            PageAnswer::Status(503),
            PageAnswer::Status(429),
            PageAnswer::Unknown(UnknownReason::Refused),
        ] {
            let then = |status| pages(&[answer.clone(), PageAnswer::Status(status)]);
            assert!(matches!(then(200), Finding::NotYet(_)), "{answer:?}");
            assert!(unfit(&then(404)), "{answer:?}");
        }
    }

    #[test]
    fn every_socket_is_held_and_what_is_wrong_with_one_is_told_without_its_words() {
        let one = |answer| of_sockets(&[("/tunnel".to_owned(), answer)], 5);
        assert_eq!(of_sockets(&[], 5), Finding::Fit);
        assert_eq!(one(SocketAnswer::Held), Finding::Fit);
        let unfit = |told: &str| Finding::Unfit(told.to_owned());
        let not_yet = |told: &str| Finding::NotYet(told.to_owned());
        for (answer, finding) in [
            (
                SocketAnswer::Status(200),
                unfit("ws:/tunnel answers 200, expected 101"),
            ),
            (
                SocketAnswer::Status(503),
                not_yet("ws:/tunnel answers 503, expected 101"),
            ),
            (
                SocketAnswer::NotAWebSocket("Sec-WebSocket-Accept"),
                unfit("ws:/tunnel answers 101 with a wrong Sec-WebSocket-Accept"),
            ),
            (SocketAnswer::NoPong, not_yet("ws:/tunnel answers no ping")),
            (
                SocketAnswer::Closed {
                    code: Some(1011),
                    after: 2,
                },
                not_yet("ws:/tunnel is closed by the server with code 1011 after 2 of 5 seconds"),
            ),
            (
                SocketAnswer::Closed {
                    code: None,
                    after: 0,
                },
                not_yet("ws:/tunnel is closed by the server with no code after 0 of 5 seconds"),
            ),
            (
                SocketAnswer::HungUp { after: 4 },
                not_yet("ws:/tunnel ends without a close frame after 4 of 5 seconds"),
            ),
            (
                SocketAnswer::Garbled,
                not_yet("ws:/tunnel sends what is no WebSocket message of up to 64 KiB"),
            ),
            (
                SocketAnswer::Unknown(UnknownReason::TimedOut),
                not_yet("ws:/tunnel is not opened: no answer in time"),
            ),
        ] {
            assert_eq!(one(answer.clone()), finding, "{answer:?}");
            let both = of_sockets(
                &[
                    ("/tunnel".to_owned(), answer),
                    ("/chat".to_owned(), SocketAnswer::Status(404)),
                ],
                5,
            );
            assert!(matches!(both, Finding::Unfit(_)), "{both:?}");
        }
    }
}
