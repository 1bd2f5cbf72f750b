//! The session faults against the functions' own client and real tunnel servers: each fault is what it says, and its
//! caller knows nothing afterwards, for the reason that it should have.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions, not in what they call"
)]

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use ebbtide_local_cloud::faults::{Calls, Counts, SessionFault, SessionFaults};
use ebbtide_local_cloud::ports;
use ebbtide_local_cloud::wait::{Seen, until};
use ebbtide_rules::drain::Order;
use ebbtide_rules::report::{Admission, Reading, Reply, UnknownReason};
use ebbtide_rules::{Fence, Server as Listed};
use ebbtide_sessions::{Endpoint, SessionClient, UrlPath};
use tempfile::TempDir;
use tunnel::server::{Options, Server};

/// Tunnel servers on addresses of their own, with the proxy before them.
struct Fleet {
    faults: SessionFaults,
    listed: Vec<Listed>,
    /// By the proxy, as the functions call.
    client: SessionClient,
    /// The servers themselves.
    direct: SessionClient,
    _servers: Vec<Server>,
    _directory: TempDir,
}

/// Each server of this process has an address that no other one had.
static ADDRESSES: AtomicU16 = AtomicU16::new(1);

fn client(port: u16) -> SessionClient {
    let path = UrlPath::default();
    SessionClient::new(Endpoint { port, path }).unwrap()
}

async fn server(directory: &TempDir, instance: &str, ip: Ipv4Addr, port: u16) -> Server {
    let options = Options {
        instance: instance.to_owned(),
        listen: (ip, 0).into(),
        sessions: (ip, port).into(),
        state: directory.path().join(instance),
        peers: directory.path().join("peers"),
        keys: None,
        take_unsigned: false,
        idle_after: Duration::from_secs(2),
        ping_every: Duration::from_secs(20),
        hold_for: Duration::from_secs(10),
    };
    Server::start(options).await.unwrap()
}

impl Fleet {
    /// One server for each name.
    async fn start(names: &[String]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (port, server_port) = (ports::free().unwrap(), ports::free().unwrap());
        let faults = SessionFaults::new(port, server_port);
        let (mut servers, mut listed) = (Vec::new(), Vec::new());
        for name in names {
            let [high, low] = ADDRESSES.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            let ip = Ipv4Addr::new(127, 77, high, low);
            faults.stand_before(name, ip).unwrap();
            servers.push(server(&directory, name, ip, server_port).await);
            listed.push(Listed {
                instance: name.clone(),
                ip: ip.to_string(),
            });
        }
        Self {
            faults,
            listed,
            client: client(port),
            direct: client(server_port),
            _servers: servers,
            _directory: directory,
        }
    }

    /// One server for each fault, named after it.
    async fn of_all_faults() -> Self {
        let names: Vec<String> = SessionFault::ALL.iter().map(name).collect();
        Self::start(&names).await
    }
}

fn name(fault: &SessionFault) -> String {
    format!("i-{fault:?}").to_lowercase()
}

fn fence(epoch: u64) -> Fence {
    Fence {
        deployment: "blue-moon".to_owned(),
        epoch,
    }
}

fn expected(fault: SessionFault) -> UnknownReason {
    match fault {
        SessionFault::TimeOut | SessionFault::ByteByByte | SessionFault::Held => {
            UnknownReason::TimedOut
        }
        SessionFault::Refuse => UnknownReason::Refused,
        SessionFault::Unauthorized => UnknownReason::DemandsSignature,
        SessionFault::ServerError => UnknownReason::Status(500),
        SessionFault::BrokenJson => UnknownReason::NotAReport,
        SessionFault::NegativeCount => UnknownReason::Malformed("busy"),
        SessionFault::AbsurdCount => UnknownReason::Absurd("idle"),
        SessionFault::AnotherInstance => UnknownReason::OtherInstance,
        SessionFault::ReplyLost => UnknownReason::Broken,
    }
}

#[tokio::test]
async fn every_fault_is_unknown_for_its_own_reason_and_nothing_without_one() {
    let fleet = Fleet::of_all_faults().await;
    let well = |readings: Vec<Reading>| readings.iter().all(|reading| reading.report().is_some());
    assert!(well(fleet.client.read(&fleet.listed).await));
    for (fault, server) in SessionFault::ALL.iter().zip(&fleet.listed) {
        let set = fleet.faults.set(&server.instance, *fault, Calls::All).await;
        set.unwrap();
    }
    let readings = fleet.client.read(&fleet.listed).await;
    for (fault, reading) in SessionFault::ALL.iter().zip(readings) {
        assert_eq!(reading, Reading::Unknown(expected(*fault)), "{fault:?}");
        let counts = fleet.faults.counts(&name(fault), Calls::Read);
        let refused = *fault == SessionFault::Refuse;
        assert_eq!(counts.hits > 0, !refused, "{fault:?}: {counts:?}");
    }
    assert_eq!(fleet.faults.faulty().len(), SessionFault::ALL.len());
    assert!(well(fleet.direct.read(&fleet.listed).await));
    for server in &fleet.listed {
        fleet.faults.clear(&server.instance).await.unwrap();
    }
    assert!(well(fleet.client.read(&fleet.listed).await));
}

#[tokio::test]
async fn a_seal_whose_reply_is_lost_or_slow_is_a_seal_and_no_other_fault_lets_it_through() {
    let fleet = Fleet::of_all_faults().await;
    for (fault, server) in SessionFault::ALL.iter().zip(&fleet.listed) {
        let set = fleet.faults.set(&server.instance, *fault, Calls::Seal);
        set.await.unwrap();
    }
    let answers = fleet.client.seal(&fence(5), &fleet.listed).await;
    let after = fleet.direct.read(&fleet.listed).await;
    for ((fault, answer), reading) in SessionFault::ALL.iter().zip(answers).zip(after) {
        // For some of the calls only, a connection cannot be refused before they are made.
        let wanted = match fault {
            SessionFault::Refuse => UnknownReason::Broken,
            other => expected(*other),
        };
        assert_eq!(answer, Reply::Unknown(wanted), "{fault:?}");
        let sealed = reading.report().unwrap().admission == Admission::Sealed;
        let reaches = matches!(fault, SessionFault::ReplyLost | SessionFault::ByteByByte);
        assert_eq!(sealed, reaches, "{fault:?}");
    }
}

#[tokio::test]
async fn a_drain_order_released_after_a_resume_meets_the_higher_epoch() {
    let fleet = Fleet::start(&["i-late".to_owned()]).await;
    let set = fleet.faults.set("i-late", SessionFault::Held, Calls::Drain);
    set.await.unwrap();
    let order = Order {
        per_second: 20.0,
        lease_seconds: 60,
    };
    let orders = [(fleet.listed[0].clone(), order)];
    let drained = fleet.client.drain(&fence(5), &orders).await;
    assert_eq!(drained, [Reply::Unknown(UnknownReason::TimedOut)]);
    let resumed = fleet.client.resume(&fence(6), &fleet.listed).await;
    assert!(resumed[0].report().is_some_and(|report| report.epoch == 6));
    let held = fleet.faults.held("i-late");
    assert_eq!(held.len(), 1, "{held:?}");
    for order in held {
        assert_eq!(order.kind(), Some(Calls::Drain));
        let told = order.release().await.unwrap();
        assert!(
            told.status == 409 && told.body.contains("StaleEpoch"),
            "{told:?}"
        );
    }
    let after = fleet.direct.read(&fleet.listed).await;
    assert!(
        after[0]
            .report()
            .is_some_and(|it| it.admission == Admission::Open)
    );
}

#[tokio::test]
async fn a_coming_server_has_its_fault_from_the_start_and_a_gone_one_refuses() {
    let fleet = Fleet::start(&["i-there".to_owned()]).await;
    let faults = &fleet.faults;
    faults.of_coming(1, SessionFault::Unauthorized, Calls::Resume);
    for (name, ip) in [("i-first", 1), ("i-second", 2)] {
        let ip = Ipv4Addr::new(127, 78, 0, ip);
        faults.stand_before(name, ip).unwrap();
    }
    assert_eq!(faults.faulty(), ["i-first"]);
    assert_eq!(faults.counts("i-there", Calls::All), Counts::default());
    // Nothing listens behind the second one: its connection breaks.
    let second = Listed {
        instance: "i-second".to_owned(),
        ip: "127.78.0.2".to_owned(),
    };
    let read = fleet.client.read(std::slice::from_ref(&second)).await;
    assert_eq!(read, [Reading::Unknown(UnknownReason::Broken)]);
    faults.leave("i-second").await;
    let read = fleet.client.read(&[second]).await;
    assert_eq!(read, [Reading::Unknown(UnknownReason::Refused)]);
    assert!(
        faults
            .set("i-nobody", SessionFault::TimeOut, Calls::All)
            .await
            .is_err()
    );
    // A read that is held is handed over even when its caller has long gone.
    let there = fleet.listed[0].clone();
    let set = faults.set("i-there", SessionFault::Held, Calls::Read).await;
    set.unwrap();
    let held = until("a held read", Duration::from_secs(20), || async {
        Ok(match faults.held("i-there").pop() {
            Some(held) => Seen::Done(held),
            None => Seen::NotYet("none".to_owned()),
        })
    });
    let there = [there];
    let held = tokio::select! {
        held = held => held.unwrap(),
        read = fleet.client.read(&there) => panic!("it was answered: {read:?}"),
    };
    assert_eq!(held.release().await.unwrap().status, 200);
}
