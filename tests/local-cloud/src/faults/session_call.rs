//! The calls of the session endpoint as its proxy sees them, and what it answers where a fault makes up the answer.
//!
//! A made-up answer is the most tempting one: the report of a server that did as it was asked and holds nothing, wrong in
//! the one point that the fault is about. Only the kind of a call is read here, never what it orders.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response, StatusCode, request};
use serde_json::{Value, json};

/// What a session endpoint does wrong. What it is told does not reach the server, unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SessionFault {
    /// TimeOut is when the connection is accepted and nothing is ever answered.
    TimeOut,
    /// Refuse is when nothing listens there; where it is for some calls only, their connections are reset.
    Refuse,
    /// Unauthorized is when the answer is 401.
    Unauthorized,
    /// ServerError is when the answer is 500, with a report that would be good news.
    ServerError,
    /// BrokenJson is when a report breaks off in the middle.
    BrokenJson,
    /// NegativeCount is when a report counts -1 busy sessions.
    NegativeCount,
    /// AbsurdCount is when a report counts 0 busy sessions, 2^64-1 idle ones and 1e30 closed ones.
    AbsurdCount,
    /// AnotherInstance is when a good report of an empty server is that of another instance.
    AnotherInstance,
    /// ByteByByte is when the call reaches the server and its true report comes too slowly to be waited for.
    ByteByByte,
    /// ReplyLost is when the call reaches the server and the connection is reset before the answer.
    ReplyLost,
    /// Held is when the call is kept back until it is released, whether or not somebody still waits for its answer.
    Held,
}

/// Which calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Calls {
    /// Every call of the session endpoint.
    All,
    /// `GET /sessions`.
    Read,
    /// `POST /sessions/drain`.
    Drain,
    /// `POST /sessions/resume`.
    Resume,
    /// `POST /sessions/seal`.
    Seal,
}

impl SessionFault {
    /// Every fault there is.
    pub const ALL: [Self; 11] = [
        Self::TimeOut,
        Self::Refuse,
        Self::Unauthorized,
        Self::ServerError,
        Self::BrokenJson,
        Self::NegativeCount,
        Self::AbsurdCount,
        Self::AnotherInstance,
        Self::ByteByByte,
        Self::ReplyLost,
        Self::Held,
    ];
}

impl Calls {
    /// What a request asks for; `None` if it is no call of the session endpoint.
    pub(super) fn of(head: &request::Parts) -> Option<Self> {
        let path = head.uri.path();
        let last = path.rsplit('/').next().unwrap_or_default();
        match (&head.method, last) {
            (&Method::GET, "sessions") => Some(Self::Read),
            (&Method::POST, "drain") => Some(Self::Drain),
            (&Method::POST, "resume") => Some(Self::Resume),
            (&Method::POST, "seal") => Some(Self::Seal),
            _ => None,
        }
    }

    /// Whether a call is among these.
    pub(super) fn include(self, call: Self) -> bool {
        self == Self::All || self == call
    }

    /// The admission of a server that did as this call asks; `None` for a call that asks nothing.
    fn admission(self) -> Option<&'static str> {
        match self {
            Self::Drain => Some("draining"),
            Self::Resume => Some("open"),
            Self::Seal => Some("sealed"),
            Self::Read | Self::All => None,
        }
    }
}

/// The answer that a fault makes up to `call`, whose body is `asked`, from the server's own report; `None` for a fault that
/// is about the connection.
pub(super) fn made_up(
    fault: SessionFault,
    call: Calls,
    asked: &[u8],
    own: &[u8],
) -> Option<Response<Bytes>> {
    let mut report = obedient(call, asked, own);
    Some(match fault {
        SessionFault::Unauthorized => answer(
            StatusCode::UNAUTHORIZED,
            json!({"error": "Unauthorized"}).to_string(),
        ),
        SessionFault::ServerError => answer(StatusCode::INTERNAL_SERVER_ERROR, report.to_string()),
        SessionFault::BrokenJson => {
            let mut text = report.to_string();
            text.truncate(text.len() / 2);
            answer(StatusCode::OK, text)
        }
        SessionFault::NegativeCount => {
            report["busy"] = json!(-1);
            answer(StatusCode::OK, report.to_string())
        }
        SessionFault::AbsurdCount => {
            report["idle"] = json!(u64::MAX);
            report["closed"] = json!(1e30);
            answer(StatusCode::OK, report.to_string())
        }
        SessionFault::AnotherInstance => {
            report["instance"] = json!("i-0another000000000");
            answer(StatusCode::OK, report.to_string())
        }
        SessionFault::TimeOut
        | SessionFault::Refuse
        | SessionFault::ByteByByte
        | SessionFault::ReplyLost
        | SessionFault::Held => return None,
    })
}

/// The server's own report as it would be if it held nothing and had done as it was asked.
fn obedient(call: Calls, asked: &[u8], own: &[u8]) -> Value {
    let mut report: Value = serde_json::from_slice(own).unwrap_or_else(|_| json!({"version": 1}));
    for count in ["busy", "idle", "closed", "oldestBusySeconds"] {
        report[count] = json!(0);
    }
    if let Some(admission) = call.admission() {
        report["admission"] = json!(admission);
    }
    if let Ok(Value::Object(asked)) = serde_json::from_slice(asked)
        && let Some(epoch) = asked.get("epoch")
    {
        report["epoch"] = epoch.clone();
    }
    report
}

fn answer(status: StatusCode, text: String) -> Response<Bytes> {
    let mut answer = Response::new(text.into());
    *answer.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    answer
}
