//! Connections that are not established yet: half-open ones, those that live in a SYN cookie alone, and unaccepted ones.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use ebbtide_agent::gate::KernelGate;
use ebbtide_endpoint::admission::Mode;
use ebbtide_endpoint::order::Refused;
use ebbtide_endpoint::{Gate as _, Refusal};

use crate::namespace::alone;
use crate::world::{Echo, Session, gate, present, rules, runtime, until};

fn nft(script: &str) {
    assert!(
        Command::new("nft").arg(script).status().unwrap().success(),
        "{script}"
    );
}

fn syn_cookies(value: &str) {
    std::fs::write("/proc/sys/net/ipv4/tcp_syncookies", value).unwrap();
}

/// A client that believes itself connected, while the last packet of its handshake is held back.
fn half_open(server: &Echo) -> TcpStream {
    let port = server.port();
    nft(&format!(
        "add table inet client; add chain inet client out {{ type filter hook output priority 0; }}; \
         add rule inet client out tcp dport {port} tcp flags & (syn | ack) == ack drop"
    ));
    TcpStream::connect(server.address).unwrap()
}

fn let_it_through(mut client: &TcpStream) {
    nft("delete table inet client");
    client.write_all(b"hello").unwrap();
}

fn in_use(shut: Result<(), Refused>) -> u64 {
    match shut {
        Err(Refused::Admission(Refusal::InUse(held))) => held,
        other => panic!("{other:?}"),
    }
}

alone! {
    fn a_handshake_under_way_is_in_use() {
        let runtime = runtime();
        let _entered = runtime.enter();
        syn_cookies("0");
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let server = Echo::listen(address);
            let gate = gate(&[server.port()]);
            gate.set(Mode::Draining).unwrap();
            gate.set(Mode::Open).unwrap();
            let client = half_open(&server);
            assert_eq!((server.accepted(), in_use(gate.shut())), (0, 1));
            let_it_through(&client);
            until("the session is accepted", || server.accepted() == 1);
            assert_eq!(in_use(gate.shut()), 1);
        }
    }
}

/// Seals while a cookie alone knows of a client, which then completes its handshake. None if the machine was too slow for
/// the second that a drop lasts.
fn sealed_while_half_open(server: &Echo, gate: &KernelGate) -> Option<(TcpStream, u64)> {
    let (ports, rules) = ([server.port()], rules(&[server.port()]));
    gate.set(Mode::Open).unwrap();
    let (client, accepted) = (half_open(server), server.accepted());
    let shut = gate.shut();
    let_it_through(&client);
    let came = present(&ports);
    if shut.is_ok() && rules.standing().unwrap().drops() {
        assert_eq!(came, 0, "what completes the handshake is dropped");
        if gate.set(Mode::Sealed).is_ok() {
            return Some((client, accepted));
        }
    }
    drop(client);
    until("it is gone", || present(&ports) == 0);
    None
}

alone! {
    fn a_connection_that_lives_in_a_cookie_alone_does_not_outlive_the_seal() {
        let runtime = runtime();
        let _entered = runtime.enter();
        syn_cookies("2");
        // Refusing SYNs alone: nothing to count, and yet a session comes.
        let server = Echo::listen("127.0.0.1:0");
        let ports = [server.port()];
        let gate = gate(&ports);
        gate.set(Mode::Open).unwrap();
        let client = half_open(&server);
        rules(&ports).refuse().unwrap();
        assert_eq!(present(&ports), 0, "a cookie is no socket");
        let_it_through(&client);
        until("a refusal of SYNs alone lets it in", || server.accepted() == 1);
        drop(client);
        until("it is gone", || present(&ports) == 0);
        // The seal drops everything.
        let (client, accepted) = (0..20).find_map(|_| sealed_while_half_open(&server, &gate)).expect("a seal within its second");
        // What is sent now is refused too, and comes after what the client has sent.
        until("the client is refused", || (&client).write_all(b"again").is_err());
        assert!(TcpStream::connect(server.address).is_err());
        assert_eq!((server.accepted(), present(&ports)), (accepted, 0));
    }
}

alone! {
    fn a_connection_that_the_server_has_not_accepted_is_in_use() {
        let runtime = runtime();
        let _entered = runtime.enter();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let gate = gate(&[address.port()]);
        gate.set(Mode::Open).unwrap();
        until("a seal in its second", || gate.shut().is_ok());
        gate.set(Mode::Open).unwrap();
        let client = TcpStream::connect(address).unwrap();
        assert_eq!(in_use(gate.shut()), 1);
        assert_eq!((gate.look().unwrap().busy, gate.look().unwrap().idle), (1, 0));
        drop(client);
        // The server has not said goodbye: CLOSE_WAIT.
        assert_eq!(in_use(gate.shut()), 1);
        drop(listener.accept().unwrap());
        until("nothing is in use", || gate.shut().is_ok());
    }
}

alone! {
    fn several_ports_are_one_server() {
        let runtime = runtime();
        let _entered = runtime.enter();
        let (one, other) = (Echo::listen("127.0.0.1:0"), Echo::listen("[::]:0"));
        let mut ports = [one.port(), other.port()];
        ports.sort_unstable();
        let gate = gate(&ports);
        gate.set(Mode::Open).unwrap();
        let mapped = (std::net::Ipv4Addr::LOCALHOST, other.port()).into();
        let mut sessions = [Session::open(one.address).unwrap(), Session::open(mapped).unwrap()];
        assert_eq!((gate.look().unwrap().busy, in_use(gate.shut())), (2, 2));
        gate.set(Mode::Draining).unwrap();
        for address in [one.address, mapped] {
            assert!(TcpStream::connect(address).is_err(), "{address} is refused");
        }
        for session in &mut sessions {
            session.talk().unwrap();
        }
        drop(sessions);
        until("nothing is in use", || gate.shut().is_ok());
        until("it is sealed", || gate.set(Mode::Sealed).is_ok());
        for address in [one.address, mapped] {
            assert!(TcpStream::connect(address).is_err(), "{address} is refused");
        }
    }
}

alone! {
    fn a_seal_whose_disk_was_slower_than_the_drop_lasts_looks_again_and_cuts_nobody() {
        let runtime = runtime();
        let _entered = runtime.enter();
        let server = Echo::listen("127.0.0.1:0");
        let ports = [server.port()];
        let (gate, rules) = (gate(&ports), rules(&ports));
        let lapsed = || until("the drop lapses", || !rules.standing().unwrap().drops());
        gate.set(Mode::Open).unwrap();
        until("a seal in its second", || gate.shut().is_ok());
        lapsed();
        let mut session = Session::open(server.address).unwrap();
        assert_eq!(in_use(gate.set(Mode::Sealed)), 1);
        session.talk().unwrap();
        gate.keep_up();
        assert!(TcpStream::connect(server.address).is_err(), "until it is sealed nobody else comes in");
        assert_eq!(gate.look().unwrap().busy, 1);
        drop(session);
        until("nothing is in use", || gate.shut().is_ok());
        lapsed();
        until("it is sealed", || gate.set(Mode::Sealed).is_ok());
        assert!(TcpStream::connect(server.address).is_err());
    }
}
