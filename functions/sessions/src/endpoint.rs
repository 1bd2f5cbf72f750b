//! Where a server's endpoints are: one port and one path, the same on every server.

use std::net::Ipv4Addr;
use std::str::FromStr;

use ebbtide_deployment::report::UnknownReason;

/// The session endpoint's place on every server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its private port.
    pub port: u16,
    /// The path below which the calls are.
    pub path: UrlPath,
}

/// The path of a URL: from `/`, without a query, and without what could lead elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlPath(String);

/// A text that is no such path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a path such as /sessions, of letters, digits and -._~/%, got \"{0}\"")]
pub struct WrongPath(String);

impl Default for UrlPath {
    fn default() -> Self {
        Self("/sessions".to_owned())
    }
}

impl FromStr for UrlPath {
    type Err = WrongPath;

    fn from_str(text: &str) -> Result<Self, WrongPath> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~/%".contains(c);
        let climbs = text.split('/').any(|part| part == ".." || part == ".");
        if text.starts_with('/') && text.chars().all(is_plain) && !climbs {
            Ok(Self(text.to_owned()))
        } else {
            Err(WrongPath(text.to_owned()))
        }
    }
}

impl UrlPath {
    /// The path's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Endpoint {
    /// The URL of a call on the server at `ip`; `call` is empty or begins with `/`.
    pub(crate) fn url(&self, ip: &str, call: &str) -> Result<String, UnknownReason> {
        let path = self.path.as_str().trim_end_matches('/');
        url(ip, self.port, &format!("{path}{call}"))
    }
}

/// A URL on a listed address. A host name is refused: whoever answers for it would be called instead.
pub(crate) fn url(ip: &str, port: u16, path: &str) -> Result<String, UnknownReason> {
    let ip: Ipv4Addr = ip.parse().map_err(|_| UnknownReason::NoAddress)?;
    Ok(format!("http://{ip}:{port}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_nowhere_else() {
        for good in ["/", "/sessions", "/v1/sessions/", "/a%20b"] {
            assert!(good.parse::<UrlPath>().is_ok(), "{good}");
        }
        for bad in [
            "", "sessions", "@other/", "/a?b", "/a#b", "/a b", "/../x", "/a/./b", "/ä",
        ] {
            assert!(bad.parse::<UrlPath>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_an_address_is_called() {
        let endpoint = Endpoint {
            port: 7070,
            path: "/sessions/".parse().unwrap(),
        };
        assert_eq!(
            endpoint.url("10.0.0.4", "/seal").unwrap(),
            "http://10.0.0.4:7070/sessions/seal"
        );
        assert_eq!(
            endpoint.url("10.0.0.4", "").unwrap(),
            "http://10.0.0.4:7070/sessions"
        );
        for bad in [
            "localhost",
            "10.0.0.4@evil",
            "10.0.0.4:80",
            "",
            "10.0.0.256",
            "::1",
        ] {
            assert_eq!(endpoint.url(bad, ""), Err(UnknownReason::NoAddress));
        }
    }
}
