//! A WebSocket chat that Ebbtide can replace without cutting anyone off: all of it, the session endpoint included.
//!
//! `cargo run --example chat -- i-0123456789abcdef0 chat-state.json 127.0.0.1:8080 127.0.0.1:8081`

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::{Router, extract::State, response::Response, routing::get};
use ebbtide_endpoint::{Endpoint, Refusal, Session, Table, Unreadable};
use tokio::net::TcpListener;
use tokio::sync::broadcast;

#[derive(Clone)]
struct Chat {
    endpoint: Endpoint,
    guests: Arc<Table>,
    said: broadcast::Sender<Utf8Bytes>,
}

/// Why a guest's session is over.
enum End {
    Left,
    AskedToLeave,
}

async fn join(State(chat): State<Chat>, ws: WebSocketUpgrade) -> Result<Response, Refusal> {
    // Before the handshake is answered: a seal cannot slip in under it, and who is connected is counted. Refused, it is a 503.
    let place = chat.endpoint.enter_session()?;
    let guest = chat.guests.open(place);
    Ok(ws.on_upgrade(|mut socket| async move {
        if let End::AskedToLeave = talk(&chat, &guest, &mut socket).await {
            let (code, reason) = (1012, "reconnect".into());
            let close = Message::Close(Some(CloseFrame { code, reason }));
            let _ = socket.send(close).await;
        }
        drop(socket); // before the guest gives its place back
    }))
}

async fn talk(chat: &Chat, guest: &Session, socket: &mut WebSocket) -> End {
    let mut said = chat.said.subscribe();
    let mut ping = tokio::time::interval(Duration::from_secs(20)); // load balancers cut the silent
    loop {
        let sent = tokio::select! {
            () = guest.asked_to_leave() => return End::AskedToLeave,
            _ = ping.tick() => socket.send(Message::Ping(Default::default())).await,
            Ok(text) = said.recv() => socket.send(Message::Text(text)).await,
            heard = socket.recv() => match heard {
                Some(Ok(Message::Text(text))) => {
                    let Some(_work) = guest.begin() else { continue };
                    let _ = chat.said.send(text);
                    Ok(())
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_))) => Ok(()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Left,
            },
        };
        if sent.is_err() {
            return End::Left;
        }
    }
}

/// The public routes and the private ones. Who says nothing for `idle_after` will not notice a reconnection.
pub(crate) fn routes(
    instance: &str,
    state: &str,
    idle_after: Duration,
) -> Result<(Router, Router), Unreadable> {
    let guests = Table::new(idle_after);
    let endpoint = Endpoint::start(instance, state, guests.clone())?;
    let private = endpoint.router();
    let said = broadcast::Sender::new(256);
    let public = Router::new()
        .route("/chat", get(join))
        .route("/health", get(|| async { "ok\n" })) // also while draining, also once sealed
        .with_state(Chat {
            endpoint,
            guests,
            said,
        });
    Ok((public, private))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [instance, state, public, private] = &arguments[..] else {
        return Err("usage: chat INSTANCE STATE_FILE PUBLIC_ADDRESS PRIVATE_ADDRESS".into());
    };
    let (chat, sessions) = routes(instance, state, Duration::from_secs(30))?;
    let chat = axum::serve(TcpListener::bind(public).await?, chat);
    let sessions = axum::serve(TcpListener::bind(private).await?, sessions);
    tokio::try_join!(chat, sessions)?;
    Ok(())
}
