//! Free TCP ports for emulators, balancer and servers.
//!
//! Picks below the range that the kernel takes outgoing connections' ports from (32768 and up on Linux), so that no
//! connection takes a port between its choice and its use; and at random, so that clouds of other processes keep apart.
//! Within one process no port is given twice: a server binds its port long after it was chosen.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

use rand::RngExt as _;

use crate::error::{Error, Result};

const RANGE: std::ops::Range<u16> = 15_000..32_000;
const TRIES: usize = 200;

static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port that nothing listens on, on any loopback address, and that this process has not given before.
///
/// # Errors
/// [`Error::Missing`] if none was found.
pub fn free() -> Result<u16> {
    let mut random = rand::rng();
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    (0..TRIES)
        .map(|_| random.random_range(RANGE))
        .find(|port| {
            let free = TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok();
            free && given.insert(*port)
        })
        .ok_or_else(|| {
            Error::Missing(format!(
                "no free port found from {} to {}",
                RANGE.start, RANGE.end
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let ports: BTreeSet<u16> = (0..2_000).map(|_| free().unwrap()).collect();
        assert_eq!(ports.len(), 2_000);
    }
}
