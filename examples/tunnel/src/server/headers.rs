//! Headers on their way through: which of them belong to one connection only.
//!
//! Owns the list of RFC 9110, 7.6.1. `forward`, `peers` and the client's own forwarder call it.

use http::HeaderMap;
use http::header::{self, HeaderName};

/// Names the server that holds the tunnel, in responses; never passed on from a request.
pub(crate) const SERVER: HeaderName = HeaderName::from_static("tunnel-server");
/// Redeems a reservation at a peer; never passed on from a user.
pub(crate) const RESERVATION: HeaderName = HeaderName::from_static("tunnel-reservation");

const HOP_BY_HOP: [HeaderName; 10] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    // Answered by the server that the user is connected to.
    header::EXPECT,
];

/// Removes what concerns only the connection that the message came on, and our own headers.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP).chain(&[RESERVATION]) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_one_connection_does_not_pass() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("te", "trailers"),
            ("tunnel-reservation", "stolen"),
            ("content-length", "5"),
            ("x-yours", "2"),
        ] {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        strip(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "x-yours"]);
    }
}
