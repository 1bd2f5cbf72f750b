//! The proxy before every server's session endpoint.
//!
//! The stack is told this proxy's port; behind it, at the same address, each server listens on a port of its own. The
//! servers' calls to each other do not come by here. A server that is dead shows as a connection that breaks, not as one
//! that is refused.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method, Response};

use super::front::{Call, Front, Handle, Onward, Outcome, Told};
use super::session_call::{Calls, SessionFault, made_up};
use crate::error::{Error, Result};

/// Misbehaves in the servers' stead.
#[derive(Clone, Debug)]
pub struct SessionFaults(Arc<Shared>);

/// How often calls were made, for one server and some kind of call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub calls: usize,
    /// Those that met with a fault. A refused connection is none: nobody was there to count it.
    pub hits: usize,
}

/// An order that is kept back.
#[derive(Debug)]
pub struct HeldOrder {
    call: Call,
    server: String,
    onward: Onward,
}

#[derive(Debug)]
struct Shared {
    port: u16,
    server_port: u16,
    onward: Onward,
    servers: Mutex<BTreeMap<String, Server>>,
    coming: Mutex<VecDeque<(SessionFault, Calls)>>,
}

#[derive(Debug)]
struct Server {
    ip: Ipv4Addr,
    /// None while connections are refused.
    front: Option<Front>,
    /// Its instance is gone, and nobody listens at its address any more.
    left: bool,
    fault: Option<(SessionFault, Calls)>,
    counts: BTreeMap<Calls, Counts>,
    held: VecDeque<HeldOrder>,
}

impl SessionFaults {
    /// Proxies on `port` of every server's address, before the server's own port.
    pub fn new(port: u16, server_port: u16) -> Self {
        Self(Arc::new(Shared {
            port,
            server_port,
            onward: Onward::new(),
            servers: Mutex::default(),
            coming: Mutex::default(),
        }))
    }

    /// From now on, these calls of a server meet with this fault, and no others do.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no such server; [`Error::Io`] if its port is taken.
    pub async fn set(&self, instance: &str, fault: SessionFault, calls: Calls) -> Result<()> {
        self.change(instance, Some((fault, calls))).await
    }

    /// From now on, the server answers as it wants to.
    ///
    /// # Errors
    /// As [`SessionFaults::set`].
    pub async fn clear(&self, instance: &str) -> Result<()> {
        self.change(instance, None).await
    }

    /// The next `servers` instances that start have this fault from the start.
    pub fn of_coming(&self, servers: usize, fault: SessionFault, calls: Calls) {
        let mut coming = lock(&self.0.coming);
        coming.extend(std::iter::repeat_n((fault, calls), servers));
    }

    /// The servers that have a fault now.
    pub fn faulty(&self) -> Vec<String> {
        let servers = lock(&self.0.servers);
        let faulty = servers.iter().filter(|(_, server)| server.fault.is_some());
        faulty.map(|(id, _)| id.clone()).collect()
    }

    /// What was counted since the server started; zeros for one that is not known.
    pub fn counts(&self, instance: &str, calls: Calls) -> Counts {
        let servers = lock(&self.0.servers);
        let counts = servers.get(instance).into_iter().flat_map(|it| &it.counts);
        let of_these = counts.filter(|(call, _)| calls.include(**call));
        of_these.fold(Counts::default(), |sum, (_, counted)| Counts {
            calls: sum.calls + counted.calls,
            hits: sum.hits + counted.hits,
        })
    }

    /// The calls of a server that are kept back, the first one first; they are handed over.
    pub fn held(&self, instance: &str) -> Vec<HeldOrder> {
        let mut servers = lock(&self.0.servers);
        let held = servers.get_mut(instance).map(|server| &mut server.held);
        held.into_iter().flat_map(std::mem::take).collect()
    }

    /// Stands before a server that is about to start; nothing if it does already.
    ///
    /// # Errors
    /// [`Error::Io`] if the port is taken at its address.
    pub fn stand_before(&self, instance: &str, ip: Ipv4Addr) -> Result<()> {
        let mut servers = lock(&self.0.servers);
        if servers.contains_key(instance) {
            return Ok(());
        }
        let fault = lock(&self.0.coming).pop_front();
        let refuses = fault.is_some_and(refuses);
        let front = (!refuses).then(|| self.listen(instance, ip)).transpose()?;
        let server = Server {
            ip,
            front,
            left: false,
            fault,
            counts: BTreeMap::new(),
            held: VecDeque::new(),
        };
        servers.insert(instance.to_owned(), server);
        Ok(())
    }

    /// Leaves a server that is gone; connecting to its address is refused from then on.
    pub async fn leave(&self, instance: &str) {
        let front = {
            let mut servers = lock(&self.0.servers);
            servers.get_mut(instance).and_then(|server| {
                server.left = true;
                server.front.take()
            })
        };
        if let Some(front) = front {
            front.close().await;
        }
    }

    async fn change(&self, instance: &str, fault: Option<(SessionFault, Calls)>) -> Result<()> {
        let closing = {
            let mut servers = lock(&self.0.servers);
            let server = servers
                .get_mut(instance)
                .ok_or_else(|| Error::Missing(format!("no proxy stands before {instance}")))?;
            server.fault = fault;
            if fault.is_some_and(refuses) {
                server.front.take()
            } else {
                if server.front.is_none() && !server.left {
                    server.front = Some(self.listen(instance, server.ip)?);
                }
                None
            }
        };
        if let Some(front) = closing {
            front.close().await;
        }
        Ok(())
    }

    fn listen(&self, instance: &str, ip: Ipv4Addr) -> Result<Front> {
        let (shared, instance) = (Arc::downgrade(&self.0), instance.to_owned());
        let server = format!("{ip}:{}", self.0.server_port);
        let handle: Handle = Arc::new(move |call| {
            let (shared, instance, server) = (shared.clone(), instance.clone(), server.clone());
            Box::pin(async move {
                match shared.upgrade() {
                    Some(shared) => shared.outcome(&instance, &server, call).await,
                    None => Outcome::Reset,
                }
            })
        });
        Front::listen(SocketAddr::from((ip, self.0.port)), handle)
    }
}

impl Shared {
    async fn outcome(&self, instance: &str, server: &str, call: Call) -> Outcome {
        let Some(fault) = self.fault(instance, &call) else {
            return self.pass(&call, server).await.unwrap_or(Outcome::Reset);
        };
        match fault {
            SessionFault::TimeOut => Outcome::Silence,
            SessionFault::Refuse => Outcome::Reset,
            SessionFault::ReplyLost => {
                // Whether or not the server answers, nobody is told.
                let _ = self.pass(&call, server).await;
                Outcome::Reset
            }
            SessionFault::ByteByByte => match self.onward.pass(&call, server).await {
                Ok(answer) => Outcome::ByteByByte(answer),
                Err(_) => Outcome::Reset,
            },
            SessionFault::Held => {
                self.hold(instance, server, call);
                Outcome::Silence
            }
            made_up => self.made_up(made_up, &call, server).await,
        }
    }

    /// Counts a call, and says which fault it meets with.
    fn fault(&self, instance: &str, call: &Call) -> Option<SessionFault> {
        let kind = Calls::of(&call.head)?;
        let mut servers = lock(&self.servers);
        let server = servers.get_mut(instance)?;
        let fault = server.fault.filter(|(_, calls)| calls.include(kind));
        let counts = server.counts.entry(kind).or_default();
        counts.calls += 1;
        counts.hits += usize::from(fault.is_some());
        fault.map(|(fault, _)| fault)
    }

    async fn pass(&self, call: &Call, server: &str) -> Option<Outcome> {
        let passed = self.onward.pass(call, server).await;
        let passed = passed.inspect_err(|error| tracing::debug!(%error, "a server broke off"));
        passed.ok().map(Outcome::Answer)
    }

    fn hold(&self, instance: &str, server: &str, call: Call) {
        if let Some(known) = lock(&self.servers).get_mut(instance) {
            known.held.push_back(HeldOrder {
                call,
                server: server.to_owned(),
                onward: self.onward.clone(),
            });
        }
    }

    async fn made_up(&self, fault: SessionFault, call: &Call, server: &str) -> Outcome {
        let Some(kind) = Calls::of(&call.head) else {
            return Outcome::Reset;
        };
        let own = self.onward.pass(&read(call), server).await;
        let own = own.map(Response::into_body).unwrap_or_default();
        made_up(fault, kind, &call.body, &own).map_or(Outcome::Reset, Outcome::Answer)
    }
}

impl HeldOrder {
    /// Which call it is.
    pub fn kind(&self) -> Option<Calls> {
        Calls::of(&self.call.head)
    }

    /// Lets it go on to the server, late, and says what that answers.
    ///
    /// # Errors
    /// [`Error::Aws`] if the server does not answer.
    pub async fn release(self) -> Result<Told> {
        let answer = self.onward.pass(&self.call, &self.server).await?;
        Ok(Told::of(&answer))
    }
}

/// Whether nothing listens while this fault is set.
fn refuses((fault, calls): (SessionFault, Calls)) -> bool {
    fault == SessionFault::Refuse && calls == Calls::All
}

/// A read of the same server's report, in place of this call.
fn read(call: &Call) -> Call {
    let mut read = call.clone();
    read.head.method = Method::GET;
    read.head.uri = http::Uri::from_static("/sessions");
    read.head.headers = HeaderMap::new();
    read.body = Bytes::new();
    read
}

/// A panic elsewhere leaves what is locked whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
