//! What other servers ask of this one: keep a tunnel for a request, and let go of a name.
//!
//! Owns the reservations: each counts as a request in flight, so a drain cannot close the tunnel between the question
//! and the request, and lapses after a few seconds if the request never comes.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::announce::Notice;
use super::body::Work;
use super::problem::problem;
use crate::sync::{Mutex, MutexGuard, now, sleep, spawn};

/// How long a tunnel is kept for a request that another server announced.
const LAPSE: Duration = Duration::from_secs(5);

/// The question of a peer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ask {
    pub(crate) name: String,
}

/// The answer of the server that holds the tunnel.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Granted {
    pub(crate) token: String,
}

/// Tunnels kept for requests that have not come yet.
#[derive(Clone, Default)]
pub(crate) struct Reservations(Arc<Mutex<HashMap<String, Work>>>);

impl Reservations {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Work>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, work: Work) -> String {
        let token = format!("{:032x}", rand::random::<u128>());
        self.all().insert(token.clone(), work);
        let (all, lapsing) = (self.clone(), token.clone());
        spawn(async move {
            sleep(LAPSE).await;
            drop(all.redeem(&lapsing));
        });
        token
    }

    /// The work that a token stands for, once.
    pub(crate) fn redeem(&self, token: &str) -> Option<Work> {
        self.all().remove(token)
    }
}

/// `POST /peers/reserve`
pub(crate) async fn reserve(State(shared): State<Arc<Shared>>, Json(ask): Json<Ask>) -> Response {
    let not_held = || {
        problem(
            StatusCode::NOT_FOUND,
            "NotHeld",
            "this server does not hold that tunnel",
        )
    };
    // A sealed server holds none.
    let Ok(place) = shared.endpoint.enter_request() else {
        return not_held();
    };
    let Some(in_flight) = shared.registry.begin(&ask.name, now()) else {
        return not_held();
    };
    let work = Work {
        in_flight: Some(in_flight),
        carried: None,
        _place: place,
    };
    Json(Granted {
        token: shared.reservations.keep(work),
    })
    .into_response()
}

/// `POST /peers/taken`
pub(crate) async fn taken(
    State(shared): State<Arc<Shared>>,
    Json(notice): Json<Notice>,
) -> StatusCode {
    for taken in notice.tunnels {
        if shared
            .registry
            .taken_elsewhere(&taken.name, taken.opened_at)
        {
            tracing::debug!("a newer tunnel of the same name is on another server");
        }
    }
    StatusCode::NO_CONTENT
}
