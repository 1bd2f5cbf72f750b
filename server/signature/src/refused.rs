//! Why a signature is not taken.

/// Why a message is not taken for its alleged sender's. Names no key's secret, and repeats nothing that was sent but ids.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Unsigned is when there is no signature for this protocol.
    #[error("it is not signed")]
    Unsigned,
    /// Malformed is when the headers are not those of RFC 9421 and 9530, or are larger than any signer's.
    #[error("its {0} is malformed")]
    Malformed(&'static str),
    /// UnknownKey is when none of its signatures is by a key that is known here.
    #[error("it is signed with {0}, and known is {1}")]
    UnknownKey(String, String),
    /// NotCovered is when the signature leaves out what it must cover.
    #[error("its signature does not cover {0}")]
    NotCovered(&'static str),
    /// Wrong is when the signature is not that of the message.
    #[error("its signature is wrong")]
    Wrong,
    /// Altered is when the body is not the one that was signed.
    #[error("its body is not the one that was signed")]
    Altered,
    /// Skewed is when it was signed too long ago or ahead, in seconds from now.
    #[error("it was signed {0} s from now; set the clocks, or it is a replay")]
    Skewed(i64),
    /// BeforeStart is when it may have been signed before this server's start, whose calls are not remembered.
    #[error("it may have been signed before this server started; call again")]
    BeforeStart,
    /// Replayed is when the same request was taken before.
    #[error("it was taken before")]
    Replayed,
}
