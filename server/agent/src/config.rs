//! The configuration: a TOML file, read once, with every error at once.
//!
//! Owns the keys, their bounds and their defaults. Refuses what it does not know, and says what was meant.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ebbtide_endpoint::Unsigned;
use thiserror::Error;
use toml::{Table, Value};
use url::Url;

use crate::fields::Fields;
use crate::samples::{self, Labels};

/// What the agent is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The TCP ports that the server serves; every connection to one of them is a session.
    pub ports: Vec<u16>,
    /// Where the session endpoint and the health check listen.
    pub listen: SocketAddr,
    /// Where epoch and seal are kept.
    pub state_file: PathBuf,
    /// How the agent knows its instance.
    pub instance: Instance,
    /// The name of its nftables table; another agent on the same machine has another.
    pub table: String,
    /// The program `nft`.
    pub nft: PathBuf,
    /// When a session counts as idle.
    pub idle: IdlePolicy,
    /// The server's own health check, asked beside the look for its listening sockets.
    pub health: Option<Url>,
    /// What the server itself says is in use.
    pub busy: Option<Busy>,
    /// The keys of signed calls.
    pub keys: Option<Keys>,
}

/// Where the server says how much is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Busy {
    /// An address answers with it.
    Url {
        /// The address.
        url: Url,
        /// Where in the answer it is.
        within: Within,
    },
    /// A program prints it: the program and its arguments.
    Command(Vec<String>),
}

/// Where in an answer the number is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Within {
    /// In JSON, at this pointer (RFC 6901); empty if it is all there is.
    Json(String),
    /// In Prometheus's text format: the sum of the samples of this name that have these labels.
    Metric {
        /// The name.
        name: String,
        /// The labels.
        labels: Labels,
    },
}

/// How the agent knows its instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instance {
    /// It asks EC2's metadata service.
    Metadata,
    /// It reads this file.
    File(PathBuf),
    /// It is told.
    Id(String),
}

/// When a session counts as idle. The kernel sees bytes, not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IdlePolicy {
    /// After so long without data; never if the operator has not said.
    pub after: Option<Duration>,
    /// A session whose client spoke last waits for an answer, and is busy: until then, or for so long.
    pub answer_within: Option<Duration>,
    /// Traffic of at most so many bytes between two samples is the protocol's own pings, and no data.
    pub keepalive_bytes: u64,
    /// Idle sessions are closed while draining. Needs to look into the server's processes.
    pub close: bool,
}

/// The keys of signed calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Their file: one a line.
    pub file: PathBuf,
    /// What becomes of unsigned calls.
    pub unsigned: Unsigned,
}

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum BadConfig {
    /// The file cannot be read.
    #[error("{path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// It is no TOML.
    #[error(transparent)]
    Syntax(#[from] toml::de::Error),
    /// What is wrong, one line each.
    #[error("{}", .0.join("\n"))]
    Wrong(Vec<String>),
}

const STATE_FILE: &str = "/var/lib/ebbtide-agent/state.json";
/// The longest silence or wait that makes sense: a year.
const LONGEST: u64 = 31_536_000;

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or with everything that is wrong with it.
    pub fn of_file(path: &Path) -> Result<Self, BadConfig> {
        Self::read(&Self::text(path)?)
    }

    /// The text of a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn text(path: &Path) -> Result<String, BadConfig> {
        std::fs::read_to_string(path).map_err(|error| BadConfig::Unreadable {
            path: path.into(),
            error,
        })
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub fn read(text: &str) -> Result<Self, BadConfig> {
        let table: Table = text.parse()?;
        let mut fields = Fields::new("", table);
        let config = Self::of_fields(&mut fields);
        let mut errors = fields.end();
        match config {
            Some(config) => {
                errors.extend(config.contradictions());
                if errors.is_empty() {
                    return Ok(config);
                }
            }
            // Some field has said why.
            None if errors.is_empty() => errors.push("incomplete".into()),
            None => {}
        }
        Err(BadConfig::Wrong(errors))
    }

    /// Reads every field, so that every error is found, and only then looks whether all were there.
    fn of_fields(fields: &mut Fields) -> Option<Self> {
        let ports = fields.needed("ports", "a list of TCP ports from 1 to 65535", ports);
        let listen = fields.needed(
            "listen",
            "an address and a port such as \"0.0.0.0:7070\"",
            parsed,
        );
        let state_file = fields.optional("stateFile", "a path", path);
        let instance = fields.optional(
            "instance",
            "\"metadata\", an id such as \"i-0123456789abcdef0\", or \"file:/path\"",
            instance,
        );
        let table = fields.optional("table", "a name of lower-case letters, digits and _", name);
        let nft = fields.optional("nft", "a path", path);
        let seconds = "a whole number of seconds, at least 1";
        let idle = IdlePolicy {
            after: fields.optional("idleAfterSeconds", seconds, duration),
            answer_within: fields.optional("answerWithinSeconds", seconds, duration),
            keepalive_bytes: fields
                .optional("keepaliveBytes", "a whole number of bytes", number)
                .unwrap_or(0),
            close: fields
                .optional("closeIdle", "true or false", Value::as_bool)
                .unwrap_or(false),
        };
        let health = fields.within("health", |health| {
            health.needed("url", "an http URL", http_url)
        });
        let busy = fields.within("busy", busy);
        let keys = fields.within("keys", |keys| {
            let file = keys.needed("file", "a path", path);
            let unsigned = keys.optional("unsigned", "\"refused\" or \"taken\"", unsigned);
            Some(Keys {
                file: file?,
                unsigned: unsigned.unwrap_or(Unsigned::Refused),
            })
        });
        Some(Self {
            ports: ports?,
            listen: listen?,
            state_file: state_file.unwrap_or_else(|| STATE_FILE.into()),
            instance: instance.unwrap_or(Instance::Metadata),
            table: table.unwrap_or_else(|| "ebbtide".into()),
            nft: nft.unwrap_or_else(|| "nft".into()),
            idle,
            health,
            busy,
            keys,
        })
    }

    fn contradictions(&self) -> Vec<String> {
        let mut errors = Vec::new();
        let own = self.listen.port();
        if self.ports.contains(&own) {
            errors.push(format!(
                "listen: {own} is among ports: the agent would count its own callers"
            ));
        }
        let own = self.health.as_ref().map(|url| ("health", url));
        let busy = match &self.busy {
            Some(Busy::Url { url, .. }) => Some(("busy", url)),
            _ => None,
        };
        for (name, url) in own.into_iter().chain(busy) {
            if let Some(port) = url.port_or_known_default()
                && self.ports.contains(&port)
            {
                errors.push(format!(
                    "{name}.url: {port} is among ports: whoever connects there spoils the seal"
                ));
            }
        }
        let IdlePolicy {
            after,
            answer_within,
            keepalive_bytes,
            close,
        } = self.idle;
        if after.is_none() && (answer_within.is_some() || keepalive_bytes > 0 || close) {
            errors.push("idleAfterSeconds: missing; without it every session is busy, and the other settings of what is idle mean nothing".into());
        }
        errors
    }
}

/// One of three: a program, a metric, or JSON.
fn busy(fields: &mut Fields) -> Option<Busy> {
    let command = fields.optional(
        "command",
        "a list of a program's path, from the root, and its arguments",
        command,
    );
    let pointer = fields.optional(
        "pointer",
        "a JSON pointer such as \"/sessions/active\"",
        pointer,
    );
    let name = fields.optional("metric", "the name of a Prometheus metric", metric);
    let labels = fields.optional(
        "labels",
        "a table of labels and their values, such as { state = \"active\" }",
        labels,
    );
    if fields.has("command") {
        for other in ["url", "pointer", "metric", "labels"] {
            fields.excludes(other, "command");
        }
        return command.map(Busy::Command);
    }
    let url = fields.needed("url", "an http URL, or a command in its place", http_url);
    if fields.has("metric") {
        fields.excludes("pointer", "metric");
    } else if fields.has("labels") {
        fields.wrong("labels", "of no metric");
    }
    let within = match name {
        Some(name) => Within::Metric {
            name,
            labels: labels.unwrap_or_default(),
        },
        None => Within::Json(pointer.unwrap_or_default()),
    };
    Some(Busy::Url { url: url?, within })
}

fn ports(value: &Value) -> Option<Vec<u16>> {
    let port = |value: &Value| {
        u16::try_from(value.as_integer()?)
            .ok()
            .filter(|port| *port > 0)
    };
    let mut ports: Vec<u16> = value.as_array()?.iter().map(port).collect::<Option<_>>()?;
    ports.sort_unstable();
    ports.dedup();
    (!ports.is_empty()).then_some(ports)
}

fn parsed<T: std::str::FromStr>(value: &Value) -> Option<T> {
    value.as_str()?.parse().ok()
}

fn path(value: &Value) -> Option<PathBuf> {
    value
        .as_str()
        .filter(|text| !text.is_empty())
        .map(Into::into)
}

fn instance(value: &Value) -> Option<Instance> {
    let text = value.as_str()?;
    Some(match text.strip_prefix("file:") {
        Some(path) => Instance::File(path.into()),
        None if text == "metadata" => Instance::Metadata,
        None if text.starts_with("i-") => Instance::Id(text.into()),
        None => return None,
    })
}

fn name(value: &Value) -> Option<String> {
    let name = value.as_str()?;
    let right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase());
    (begins && name.len() <= 32 && name.bytes().all(right)).then(|| name.into())
}

fn number(value: &Value) -> Option<u64> {
    u64::try_from(value.as_integer()?).ok()
}

fn duration(value: &Value) -> Option<Duration> {
    number(value)
        .filter(|seconds| (1..=LONGEST).contains(seconds))
        .map(Duration::from_secs)
}

fn http_url(value: &Value) -> Option<Url> {
    parsed::<Url>(value).filter(|url| url.scheme() == "http" && url.has_host())
}

fn pointer(value: &Value) -> Option<String> {
    let pointer = value.as_str()?;
    (pointer.is_empty() || pointer.starts_with('/')).then(|| pointer.into())
}

fn metric(value: &Value) -> Option<String> {
    let name = value.as_str()?;
    samples::is_metric(name).then(|| name.into())
}

fn labels(value: &Value) -> Option<Labels> {
    let label = |(name, value): (&String, &Value)| {
        samples::is_label(name).then_some(())?;
        Some((name.clone(), value.as_str()?.into()))
    };
    value.as_table()?.iter().map(label).collect()
}

fn command(value: &Value) -> Option<Vec<String>> {
    let word = |value: &Value| Some(value.as_str()?.to_owned());
    let command: Vec<String> = value.as_array()?.iter().map(word).collect::<Option<_>>()?;
    command.first()?.starts_with('/').then_some(command)
}

fn unsigned(value: &Value) -> Option<Unsigned> {
    match value.as_str()? {
        "refused" => Some(Unsigned::Refused),
        "taken" => Some(Unsigned::Taken),
        _ => None,
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
