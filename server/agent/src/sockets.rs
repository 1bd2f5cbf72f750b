//! The server's sockets, as the kernel has them: one INET_DIAG dump for each port and address family.
//!
//! Owns the netlink exchange. A dump is whole or it is an error: one that the kernel broke off, marked as inconsistent, or
//! had to drop messages of is not given. Needs no privilege.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP, TCP_ESTABLISHED};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags,
};
use netlink_sys::Socket as Netlink;
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use rustix::io::Errno;
use rustix::net::RecvFlags;
use rustix::net::sockopt::{Timeout, set_socket_recv_buffer_size, set_socket_timeout};

/// One connection to a port of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// Both its ends, as the kernel says them.
    pub id: SocketId,
    /// What the kernel knows it by: no other socket has had it since the machine started.
    pub cookie: u64,
    /// The server's port.
    pub port: u16,
    /// The client's address, an IPv4 one also where the server listens by IPv6.
    pub peer: SocketAddr,
    /// Both have shaken hands, and neither has said goodbye.
    pub established: bool,
    /// The server's inode of it; 0 while the server has not accepted it.
    pub inode: u32,
    /// Bytes that the server has not read.
    pub unread: u32,
    /// Bytes that the server has written and the client has not acknowledged.
    pub unacknowledged: u32,
    /// Its traffic, where the kernel says.
    pub traffic: Option<Traffic>,
}

/// What has passed over a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// How long ago the server last sent data.
    pub sent_ago: Duration,
    /// How long ago the client last sent data.
    pub received_ago: Duration,
    /// Bytes sent, repeated ones too.
    pub sent: u64,
    /// Bytes received in order.
    pub received: u64,
}

/// How much of each socket a dump tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// That it is there.
    Presence,
    /// Its traffic too.
    Traffic,
}

/// The kernel answers at once; one that does not is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// The kernel's messages of a dump are at most 32 KiB.
const LARGEST_MESSAGE: usize = 64 * 1024;

/// Every connection to these ports that termination would cut: in any state but TIME_WAIT and CLOSE, half-open ones and
/// those that the server has not accepted among them.
///
/// # Errors
/// When the kernel does not give all of them.
pub fn connections(ports: &[u16], detail: Detail) -> io::Result<Vec<Socket>> {
    let mut states = StateFlags::all();
    states.remove(StateFlags::LISTEN | StateFlags::TIME_WAIT | StateFlags::CLOSE);
    let mut connections = Vec::new();
    for port in ports {
        dump(*port, &states, detail, |response| {
            connections.push(socket(*port, response))
        })?;
    }
    Ok(connections)
}

/// Those of these ports that nobody listens on in this network namespace.
///
/// # Errors
/// When the kernel does not say.
pub fn without_listener(ports: &[u16]) -> io::Result<Vec<u16>> {
    let mut without = Vec::new();
    for port in ports {
        if listeners(*port)?.is_empty() {
            without.push(*port);
        }
    }
    Ok(without)
}

/// The inodes of the sockets that listen on this port.
///
/// # Errors
/// When the kernel does not say.
pub fn listeners(port: u16) -> io::Result<Vec<u32>> {
    let mut inodes = Vec::new();
    dump(port, &StateFlags::LISTEN, Detail::Presence, |response| {
        inodes.push(response.header.inode)
    })?;
    Ok(inodes)
}

/// The same socket now; None if it is gone.
///
/// # Errors
/// When the kernel does not say.
pub fn again(before: &Socket) -> io::Result<Option<Socket>> {
    let request = request(before.id.clone(), StateFlags::all(), Detail::Traffic);
    let mut now = None;
    let answered = exchange(request, NLM_F_REQUEST, |response| {
        now = Some(socket(before.port, response))
    });
    let gone = [Errno::NOENT, Errno::STALE].map(|gone| Some(gone.raw_os_error()));
    match answered {
        Ok(()) => Ok(now),
        // Stale: others have its addresses now.
        Err(error) if gone.contains(&error.raw_os_error()) => Ok(None),
        Err(error) => Err(error),
    }
}

fn dump(
    port: u16,
    states: &StateFlags,
    detail: Detail,
    mut each: impl FnMut(&InetResponse),
) -> io::Result<()> {
    for mut id in [SocketId::new_v4(), SocketId::new_v6()] {
        id.source_port = port;
        exchange(
            request(id, states.clone(), detail),
            NLM_F_REQUEST | NLM_F_DUMP,
            &mut each,
        )?;
    }
    Ok(())
}

/// Sends a request and reads its whole answer.
fn exchange(
    request: InetRequest,
    flags: u16,
    mut each: impl FnMut(&InetResponse),
) -> io::Result<()> {
    // A socket for each: nothing that an earlier one left unread can be taken for an answer.
    let netlink = Netlink::new(NETLINK_SOCK_DIAG)?;
    set_socket_timeout(&netlink, Timeout::Recv, Some(PATIENCE))?;
    // Without the privilege for more the kernel grants what it grants; too little shows as ENOBUFS.
    set_socket_recv_buffer_size(&netlink, 4 << 20)?;
    netlink.send(&message(request, flags), 0)?;
    let mut buffer = Vec::with_capacity(LARGEST_MESSAGE);
    loop {
        buffer.clear();
        // With MSG_TRUNC the answer is the message's length, also of one that the buffer cannot hold.
        let length = netlink.recv(&mut buffer, RecvFlags::TRUNC.bits().cast_signed())?;
        if length != buffer.len() || length == 0 {
            return Err(io::Error::other("a message of the dump was cut short"));
        }
        let ended = read(&buffer, &mut each)?;
        if ended || flags & NLM_F_DUMP == 0 {
            return Ok(());
        }
    }
}

fn request(socket_id: SocketId, states: StateFlags, detail: Detail) -> InetRequest {
    InetRequest {
        family: if socket_id.source_address.is_ipv4() {
            AF_INET
        } else {
            AF_INET6
        },
        protocol: IPPROTO_TCP,
        extensions: match detail {
            Detail::Presence => ExtensionFlags::empty(),
            Detail::Traffic => ExtensionFlags::INFO,
        },
        states,
        socket_id,
    }
}

fn message(request: InetRequest, flags: u16) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// Reads what one receive brought; true at the end of the dump.
fn read(mut bytes: &[u8], each: &mut impl FnMut(&InetResponse)) -> io::Result<bool> {
    while !bytes.is_empty() {
        let message =
            NetlinkMessage::<SockDiagMessage>::deserialize(bytes).map_err(io::Error::other)?;
        if message.header.flags & NLM_F_DUMP_INTR != 0 {
            return Err(io::Error::other(
                "the kernel's tables changed under the dump",
            ));
        }
        match &message.payload {
            NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => each(response),
            NetlinkPayload::Done(done) if done.code == 0 => return Ok(true),
            NetlinkPayload::Done(done) => {
                return Err(io::Error::from_raw_os_error(done.code.abs()));
            }
            NetlinkPayload::Error(error) => return Err(error.to_io()),
            NetlinkPayload::Overrun(_) => {
                return Err(io::Error::other("the kernel dropped a part of the dump"));
            }
            _ => return Err(io::Error::other("the dump holds what was not asked for")),
        }
        let length = (message.header.length as usize).next_multiple_of(4);
        bytes = bytes.get(length..).unwrap_or_default();
    }
    Ok(false)
}

fn socket(port: u16, response: &InetResponse) -> Socket {
    let header = &response.header;
    let id = &header.socket_id;
    let address = match id.destination_address {
        IpAddr::V6(address) => IpAddr::V6(address).to_canonical(),
        address => address,
    };
    let info = response.nlas.iter().find_map(|attribute| match attribute {
        Nla::TcpInfo(info) => Some(info.as_slice()),
        _ => None,
    });
    Socket {
        id: id.clone(),
        cookie: u64::from_ne_bytes(id.cookie),
        port,
        peer: SocketAddr::new(address, id.destination_port),
        established: header.state == TCP_ESTABLISHED,
        inode: header.inode,
        unread: header.recv_queue,
        unacknowledged: header.send_queue,
        traffic: info.and_then(traffic),
    }
}

/// Reads `struct tcp_info` (linux/tcp.h), which has grown with every kernel: one that is too short to say how much was sent
/// (Linux 4.18 and older) says nothing.
fn traffic(info: &[u8]) -> Option<Traffic> {
    let word = |at: usize| Some(u32::from_ne_bytes(info.get(at..at + 4)?.try_into().ok()?));
    let long = |at: usize| Some(u64::from_ne_bytes(info.get(at..at + 8)?.try_into().ok()?));
    let ago = |at| Some(Duration::from_millis(word(at)?.into()));
    Some(Traffic {
        sent_ago: ago(44)?,
        received_ago: ago(52)?,
        received: long(128)?,
        sent: long(200)?,
    })
}
