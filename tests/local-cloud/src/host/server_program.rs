//! Which program the host starts for an instance.
//!
//! The launch template's user data says it, as it would on EC2; a scenario may also choose by itself, per instance.

use std::path::PathBuf;

use crate::observation::Instance;

/// A program for one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerProgram {
    /// The tunnel server, with these arguments besides the usual ones.
    Tunnel(Vec<String>),
    /// The stand-in of `python/stand_in_server.py`, with these arguments besides its addresses.
    StandIn(Vec<String>),
    /// Any program with any arguments.
    Command(PathBuf, Vec<String>),
    /// User data that a machine runs by itself, in a network namespace of its own.
    Machine(String),
}

/// What a choice of program can go by.
#[derive(Clone, Debug)]
pub struct NewServer {
    /// The instance, with its tags; `aws:ec2launchtemplate:version` is among them.
    pub instance: Instance,
    /// Its user data, decoded; empty if it has none.
    pub user_data: String,
}

impl ServerProgram {
    /// What user data asks for: a script is run by a machine; `stand-in --health 503` starts the stand-in with these
    /// arguments; anything else is taken as arguments of the tunnel server, such as `--idle-after 5s`.
    pub fn of_user_data(user_data: &str) -> Self {
        if user_data.starts_with("#!") {
            return Self::Machine(user_data.to_owned());
        }
        let mut words = user_data
            .split_whitespace()
            .map(ToOwned::to_owned)
            .peekable();
        match words.next_if(|word| word == "stand-in") {
            Some(_) => Self::StandIn(words.collect()),
            None => Self::Tunnel(words.collect()),
        }
    }

    /// A stand-in that is healthy and answers garbage on its session endpoint.
    pub fn garbage() -> Self {
        Self::StandIn(Vec::new())
    }

    /// A stand-in that answers its first request with this report and everything after it with garbage.
    pub fn garbage_after(report: &str) -> Self {
        Self::StandIn(vec!["--once".to_owned(), report.to_owned()])
    }

    /// A stand-in that fails every health check.
    pub fn never_healthy() -> Self {
        Self::StandIn(vec!["--health".to_owned(), "503".to_owned()])
    }
}
