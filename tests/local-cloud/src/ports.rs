//! Free TCP ports for emulators, balancer and servers.
//!
//! Picks below the range that the kernel takes outgoing connections' ports from (32768 and up on Linux), so that no
//! connection takes a port between its choice and its use; and at random, so that clouds side by side keep apart.

use std::net::{Ipv4Addr, TcpListener};

use rand::RngExt as _;

use crate::error::{Error, Result};

const RANGE: std::ops::Range<u16> = 15_000..32_000;
const TRIES: usize = 200;

/// A port that nothing listens on, on any loopback address.
///
/// # Errors
/// [`Error::Missing`] if none was found.
pub fn free() -> Result<u16> {
    let mut random = rand::rng();
    (0..TRIES)
        .map(|_| random.random_range(RANGE))
        .find(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok())
        .ok_or_else(|| {
            Error::Missing(format!(
                "no free port found from {} to {}",
                RANGE.start, RANGE.end
            ))
        })
}
