//! What can be different from one local cloud to the next.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::host::{NewServer, ServerProgram};
use crate::machines::Machines;

/// How to start a local cloud. The default is the one that the demo shows.
#[derive(Clone, Debug)]
pub struct Options {
    /// The cloud's private directory; a fresh one below `target/` if `None`, removed when the cloud is stopped.
    pub directory: Option<PathBuf>,
    /// The service's name.
    pub service: String,
    /// How many blue servers.
    pub blue: usize,
    /// How many of the three environments the stack is told of, from the first one on.
    pub environments: usize,
    /// How many listeners carry the service's traffic, each with target groups of its own.
    pub listeners: usize,
    /// How many rules of the first listener do besides, each for a host name and with target groups of its own.
    pub rules: usize,
    /// Whether each environment has a test forward, a listener of its own.
    pub tests: bool,
    /// Template parameters besides those that the cloud knows; they also replace the latter.
    pub parameters: Vec<(String, String)>,
    /// Arguments of every tunnel server, such as `--idle-after`.
    pub tunnel_arguments: Vec<String>,
    /// What the instances run, where each is a machine of its own behind a Network Load Balancer: a network namespace with an
    /// address of the VPC 10.0.0.0/16, and an agent that answers for the server. The calling process is in a network
    /// namespace of its own then, see [`Machines::enter`]. Otherwise they are processes on loopback addresses.
    pub machines: Option<Machines>,
    /// Which program an instance gets; by default what its user data says.
    pub choice: Choice,
    /// Whether calls of servers and of AWS go by proxies that can be told to misbehave: see [`crate::faults`].
    pub faults: bool,
    /// Whether calls of servers are signed: the stack has a secret, and every tunnel server its keys of it.
    pub signed: bool,
    /// When the load balancer closes a connection on which nothing moves.
    pub idle_timeout: Duration,
    /// How long after a change of weights the load balancer goes on by those of before, on however busy a machine.
    pub follows_after: Duration,
    /// Is told what is being done, line by line.
    pub progress: Progress,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            directory: None,
            service: "tunnel".to_owned(),
            blue: 3,
            environments: 3,
            listeners: 1,
            rules: 0,
            tests: false,
            parameters: Vec::new(),
            tunnel_arguments: Vec::new(),
            machines: None,
            choice: Choice::default(),
            faults: false,
            signed: false,
            idle_timeout: Duration::from_secs(600),
            follows_after: crate::balancer::FOLLOWS_AFTER,
            progress: Progress::default(),
        }
    }
}

/// Chooses the program of each new instance.
#[derive(Clone)]
pub struct Choice(Arc<dyn Fn(&NewServer) -> ServerProgram + Send + Sync>);

impl Choice {
    /// A choice of one's own.
    pub fn new(choose: impl Fn(&NewServer) -> ServerProgram + Send + Sync + 'static) -> Self {
        Self(Arc::new(choose))
    }

    pub(crate) fn of(&self, server: &NewServer) -> ServerProgram {
        (self.0)(server)
    }
}

impl Default for Choice {
    fn default() -> Self {
        Self::new(|server| ServerProgram::of_user_data(&server.user_data))
    }
}

impl fmt::Debug for Choice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Choice")
    }
}

/// Is told what is being done.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(&str) + Send + Sync>);

impl Progress {
    /// Hands every line to `say`.
    pub fn new(say: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(say))
    }

    pub(crate) fn say(&self, line: &str) {
        (self.0)(line);
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new(|_| ())
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Progress")
    }
}
