//! Whatever a client writes into its tunnel: the server does not panic, and its count neither grows nor stays.

use bytes::Bytes;
use ebbtide_endpoint::Count;
use http::Request;
use http_body_util::{BodyExt, Empty};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, WriteHalf, duplex, split};
use tokio_tungstenite::tungstenite::protocol::Role;

use super::super::body::Outbox;
use super::super::forward::forward;
use super::super::parts;
use super::*;
use crate::link::websocket_config;

const BOUND: Duration = Duration::from_secs(60);

/// HTTP/2 with and without its sense: frames of every type with flags, streams and lengths that need not fit.
fn http2() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop::collection::vec(any::<u8>(), 0..40);
    let frame = (payload, 0u8..12, any::<u8>(), 0u32..6, 0usize..4);
    let frame = frame.prop_map(|(payload, kind, flags, stream, wrong)| {
        let length = (payload.len() + wrong / 3) as u32;
        let mut frame = length.to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        frame
    });
    let settings = Just(vec![0, 0, 0, 4, 0, 0, 0, 0, 0]);
    prop::collection::vec(prop_oneof![1 => settings, 3 => frame], 0..6)
        .prop_map(|frames| frames.concat())
}

/// A WebSocket frame as a client may send it, masked with zeros; its length may be a lie.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![http2(), prop::collection::vec(any::<u8>(), 0..300)];
    let first = prop_oneof![4 => Just(0x82u8), 1 => Just(0x88), 1 => Just(0x89), 1 => Just(0x8a), 2 => any::<u8>()];
    (
        first,
        payload,
        prop_oneof![9 => Just(0u64), 1 => any::<u64>()],
    )
        .prop_map(|(first, payload, lie)| {
            let length = payload.len() as u64 ^ lie;
            let mut frame = vec![first];
            match length {
                0..=125 => frame.push(0x80 | length as u8),
                126..=65_535 => {
                    frame.push(0x80 | 126);
                    frame.extend((length as u16).to_be_bytes());
                }
                _ => {
                    frame.push(0x80 | 127);
                    frame.extend(length.to_be_bytes());
                }
            }
            frame.extend([0; 4]);
            frame.extend(payload);
            frame
        })
}

fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let noise = prop::collection::vec(any::<u8>(), 0..100);
    prop::collection::vec(prop_oneof![8 => frame(), 1 => noise], 0..12)
}

async fn write(mut theirs: WriteHalf<DuplexStream>, pieces: Vec<Vec<u8>>) {
    for piece in pieces {
        // It fails once the server has had enough of it.
        if theirs.write_all(&piece).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
    let _ = theirs.shutdown().await;
}

async fn tell(pieces: Vec<Vec<u8>>, with_request: bool) {
    let directory = tempfile::tempdir().unwrap();
    let shared = parts(directory.path(), Duration::ZERO);
    let in_use = || shared.endpoint.state().in_use;
    let place = shared.endpoint.enter_session().unwrap();
    let now = std::time::Instant::now();
    let tunnel = shared.registry.open("a", 1, now);
    let (ours, theirs) = duplex(1024);
    let socket =
        WebSocketStream::from_raw_socket(ours, Role::Server, Some(websocket_config())).await;
    let its = shared.clone();
    let carrying = tokio::spawn(async move { carry(&its, tunnel, socket, place).await });
    let asking = with_request.then(|| {
        let shared = shared.clone();
        tokio::spawn(async move {
            let outbox = Outbox::default();
            let mut request = Request::new(Empty::<Bytes>::new());
            request.extensions_mut().insert(outbox.clone());
            let response = forward(&shared, "a", "/", request).await;
            // Its body may be cut: nobody promises anything about such an application.
            let _ = response.into_body().collect().await;
            outbox.clear();
        })
    });
    let (mut reading, writing) = split(theirs);
    let read = tokio::spawn(async move {
        let mut all = Vec::new();
        let _ = reading.read_to_end(&mut all).await;
    });
    let written = tokio::spawn(write(writing, pieces));
    while !written.is_finished() {
        assert!(in_use() <= 1 + u64::from(with_request));
        tokio::task::yield_now().await;
    }
    written.await.unwrap();
    carrying.await.expect("no panic");
    if let Some(asked) = asking {
        asked.await.expect("no panic");
    }
    read.await.unwrap();
    assert_eq!(in_use(), 0);
    assert_eq!(shared.registry.count(now), Count::default());
    assert_eq!(shared.carrying.count().0, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_frame_brings_the_server_down_or_its_count_out_of_step(pieces in pieces(), with_request: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            tokio::time::timeout(BOUND, tell(pieces, with_request)).await.expect("an end");
        });
    }
}
