//! The agent's nftables table: rules that never change, and sets that say what they do.
//!
//! Owns the table. Whatever refuses before a seal is on disk is an element with a time-out, so it lapses if this process
//! dies. Knows whether the rules still stand: a rule that was taken away and put back has another handle.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::nft::{Nft, NftFailed};
use crate::orders::Client;

/// For how long a seal that is being tried keeps everything out, at most.
pub const DROP_LASTS: Duration = Duration::from_secs(1);
/// For how long new connections are refused unless that is said again.
pub const REFUSAL_LASTS: Duration = Duration::from_secs(2);
/// For how long a session is frozen while it is closed, unless that is said again.
pub const FREEZE_LASTS: Duration = Duration::from_secs(1);

/// How many rules the table has.
const RULES: usize = 5;

/// What stands in the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Tables, chains, sets and rules, handles included, without the sets' elements.
    frame: Vec<Value>,
    dropped: Ports,
    refused: Ports,
    sealed: Ports,
}

/// Which ports are in a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Ports {
    All,
    /// Some of them, or others.
    Other,
    None,
}

impl Standing {
    /// Whether these are the rules of `then`, untouched.
    pub fn is_untouched_since(&self, then: &Self) -> bool {
        self.frame == then.frame
    }

    /// Whether the drop stands, on every port.
    pub fn drops(&self) -> bool {
        self.dropped == Ports::All
    }

    /// Whether new connections are refused, on every port, and not for good.
    pub fn refuses(&self) -> bool {
        (self.refused, self.sealed) == (Ports::All, Ports::None)
    }

    /// Whether everything is refused for good, on every port.
    pub fn is_sealed(&self) -> bool {
        self.sealed == Ports::All
    }

    /// Whether everything is refused for good by a table that another process has put there, and all its rules.
    pub fn was_sealed(&self) -> bool {
        let is_rule = |object: &&Value| object.get("rule").is_some();
        self.is_sealed() && self.frame.iter().filter(is_rule).count() == RULES
    }

    /// Whether nothing is refused; dropped neither, unless a seal is being tried.
    pub fn accepts(&self, sealing: bool) -> bool {
        (self.refused, self.sealed) == (Ports::None, Ports::None)
            && (sealing || self.dropped == Ports::None)
    }
}

/// What a table refuses from the moment at which it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Begin {
    /// Nothing.
    Accepting,
    /// New connections, for [`REFUSAL_LASTS`].
    Refusing,
    /// Everything, for good, as the table before; at first everything is dropped for [`DROP_LASTS`], so that whoever is there
    /// after all can be counted before anybody is reset.
    Sealed,
}

/// The rules for some ports.
#[derive(Debug, Clone)]
pub struct Rules {
    nft: Nft,
    table: String,
    ports: Vec<u16>,
}

impl Rules {
    /// The rules for these ports, in a table of this name; nothing is put there yet.
    pub fn new(nft: Nft, table: &str, ports: &[u16]) -> Self {
        Self {
            nft,
            table: table.into(),
            ports: ports.into(),
        }
    }

    /// Puts the table in place of whatever stands there, in one transaction, and says how it then looks. What it
    /// refuses from that moment, `begin` says.
    ///
    /// # Errors
    /// When it does not stand.
    pub fn install(&self, begin: Begin) -> Result<Standing, NftFailed> {
        let table = &self.table;
        let mut script = format!(
            "add table inet {table}\n\
             delete table inet {table}\n\
             table inet {table} {{\n\
                 set dropped {{ type inet_service; flags timeout; }}\n\
                 set refused {{ type inet_service; flags timeout; }}\n\
                 set sealed {{ type inet_service; }}\n\
                 set frozen4 {{ type ipv4_addr . inet_service . inet_service; flags timeout; }}\n\
                 set frozen6 {{ type ipv6_addr . inet_service . inet_service; flags timeout; }}\n\
                 chain input {{\n\
                     type filter hook input priority -10; policy accept;\n\
                     tcp dport @dropped drop\n\
                     tcp dport @sealed reject with tcp reset\n\
                     tcp dport @refused tcp flags & (fin | syn | rst | ack) == syn reject with tcp reset\n\
                     ip saddr . tcp sport . tcp dport @frozen4 drop\n\
                     ip6 saddr . tcp sport . tcp dport @frozen6 drop\n\
                 }}\n\
             }}\n"
        );
        if begin != Begin::Accepting {
            script.push_str(&self.refusal());
        }
        if begin == Begin::Sealed {
            let elements = self.elements("");
            script.push_str(&self.dropping());
            script.push_str(&format!("add element inet {table} sealed {elements}\n"));
        }
        self.nft.run(&script)?;
        self.standing()
    }

    /// Takes the table away, and with it all that it refuses.
    ///
    /// # Errors
    /// When it may still stand.
    pub fn remove(&self) -> Result<(), NftFailed> {
        let table = &self.table;
        self.nft.run(&format!(
            "add table inet {table}\ndelete table inet {table}\n"
        ))
    }

    /// What stands there now.
    ///
    /// # Errors
    /// When that cannot be told.
    pub fn standing(&self) -> Result<Standing, NftFailed> {
        let listing = self.nft.list(&self.table)?;
        read(&listing, &self.ports)
            .ok_or_else(|| NftFailed::Refused("the listing of the table makes no sense".into()))
    }

    /// Refuses new connections, for [`REFUSAL_LASTS`] from now.
    ///
    /// # Errors
    /// When they may not be refused.
    pub fn refuse(&self) -> Result<(), NftFailed> {
        self.nft.run(&self.refusal())
    }

    fn refusal(&self) -> String {
        let (table, lasts) = (&self.table, REFUSAL_LASTS.as_millis());
        let elements = self.elements(&format!(" timeout {lasts}ms"));
        // An element that is there already would keep its end.
        format!("flush set inet {table} refused\nadd element inet {table} refused {elements}\n")
    }

    /// Lets new connections in again.
    ///
    /// # Errors
    /// When they may still be refused.
    pub fn accept(&self) -> Result<(), NftFailed> {
        let table = &self.table;
        self.nft.run(&format!(
            "flush set inet {table} refused\nflush set inet {table} dropped\n"
        ))
    }

    /// Keeps every packet out, for at most [`DROP_LASTS`] from now.
    ///
    /// # Errors
    /// When packets may come in.
    pub fn drop_all(&self) -> Result<(), NftFailed> {
        self.nft.run(&self.dropping())
    }

    fn dropping(&self) -> String {
        let (table, lasts) = (&self.table, DROP_LASTS.as_millis());
        let elements = self.elements(&format!(" timeout {lasts}ms"));
        format!("flush set inet {table} dropped\nadd element inet {table} dropped {elements}\n")
    }

    /// Ends what [`Rules::drop_all`] began.
    ///
    /// # Errors
    /// When it may still last; it ends by itself.
    pub fn lift(&self) -> Result<(), NftFailed> {
        self.nft
            .run(&format!("flush set inet {} dropped\n", self.table))
    }

    /// Refuses everything for good, if what [`Rules::drop_all`] began still stands: the kernel takes away an element that
    /// has lapsed no more than one that was never there, and a transaction of which a part fails does nothing.
    ///
    /// # Errors
    /// When it had lapsed, or everything may still come in.
    pub fn seal(&self) -> Result<(), NftFailed> {
        let (table, elements) = (&self.table, self.elements(""));
        self.nft.run(&format!(
            "delete element inet {table} dropped {elements}\nadd element inet {table} sealed {elements}\n"
        ))
    }

    /// Takes back [`Rules::seal`], and nothing is dropped any more; new connections are refused for a while.
    ///
    /// # Errors
    /// When everything may still be refused.
    pub fn unseal(&self) -> Result<(), NftFailed> {
        let (table, refusal) = (&self.table, self.refusal());
        self.nft.run(&format!(
            "{refusal}flush set inet {table} sealed\nflush set inet {table} dropped\n"
        ))
    }

    /// Takes no packet of this client, for [`FREEZE_LASTS`] from now.
    ///
    /// # Errors
    /// When packets may come.
    pub fn freeze(&self, client: &Client) -> Result<(), NftFailed> {
        let (table, (set, element)) = (&self.table, frozen(client));
        let add = format!(
            "add element inet {table} {set} {{ {element} timeout {}ms }}\n",
            FREEZE_LASTS.as_millis()
        );
        // An element that is there already would keep its end, and one that is not cannot be taken away.
        let again = format!(
            "add element inet {table} {set} {{ {element} timeout 1s }}\ndelete element inet {table} {set} {{ {element} }}\n{add}"
        );
        self.nft.run(&again)
    }

    /// Ends what [`Rules::freeze`] began.
    ///
    /// # Errors
    /// When it had ended by itself, or may still last.
    pub fn thaw(&self, client: &Client) -> Result<(), NftFailed> {
        let (table, (set, element)) = (&self.table, frozen(client));
        self.nft.run(&format!(
            "delete element inet {table} {set} {{ {element} }}\n"
        ))
    }

    fn elements(&self, each: &str) -> String {
        let elements: Vec<String> = self
            .ports
            .iter()
            .map(|port| format!("{port}{each}"))
            .collect();
        format!("{{ {} }}", elements.join(", "))
    }

    /// Whether this is one of the ports.
    pub(crate) fn has(&self, port: u16) -> bool {
        self.ports.contains(&port)
    }
}

/// The set and the element that freeze a session.
fn frozen(client: &Client) -> (&'static str, String) {
    let set = if client.peer.is_ipv4() {
        "frozen4"
    } else {
        "frozen6"
    };
    (
        set,
        format!(
            "{} . {} . {}",
            client.peer.ip(),
            client.peer.port(),
            client.port
        ),
    )
}

/// Reads what `nft -j list table` says. None if it is not of the form that is documented (libnftables-json(5)).
fn read(listing: &[u8], all: &[u16]) -> Option<Standing> {
    let listing: Value = serde_json::from_slice(listing).ok()?;
    let mut standing = Standing {
        frame: Vec::new(),
        dropped: Ports::None,
        refused: Ports::None,
        sealed: Ports::None,
    };
    for object in listing.get("nftables")?.as_array()? {
        if object.get("metainfo").is_some() {
            continue;
        }
        let mut object = object.clone();
        if let Some(set) = object.get_mut("set") {
            let elements = set.as_object_mut()?.remove("elem");
            let into = match set.get("name")?.as_str()? {
                "dropped" => Some(&mut standing.dropped),
                "refused" => Some(&mut standing.refused),
                "sealed" => Some(&mut standing.sealed),
                _ => None,
            };
            if let (Some(into), Some(elements)) = (into, elements) {
                *into = ports(&elements, all)?;
            }
        }
        standing.frame.push(object);
    }
    Some(standing)
}

fn ports(elements: &Value, all: &[u16]) -> Option<Ports> {
    let port = |element: &Value| {
        let value = element.pointer("/elem/val").unwrap_or(element);
        u16::try_from(value.as_u64()?).ok()
    };
    let mut ports: Vec<u16> = elements
        .as_array()?
        .iter()
        .map(port)
        .collect::<Option<_>>()?;
    ports.sort_unstable();
    Some(match ports.as_slice() {
        [] => Ports::None,
        ports if ports == all => Ports::All,
        _ => Ports::Other,
    })
}
