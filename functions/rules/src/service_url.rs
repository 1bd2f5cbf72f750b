//! Where users reach the service: a scheme, a host and a port, and nothing that leads elsewhere.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The beginning of a URL, up to its path: `https://tunnels.example.com`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceUrl(String);

/// A text that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a URL without a path, such as https://tunnels.example.com, got \"{0}\"")]
pub struct WrongUrl(String);

impl FromStr for ServiceUrl {
    type Err = WrongUrl;

    fn from_str(text: &str) -> Result<Self, WrongUrl> {
        let rest = ["https://", "http://"].map(|scheme| text.strip_prefix(scheme));
        let (host, port) = match rest.into_iter().flatten().next() {
            Some(rest) => rest
                .split_once(':')
                .map_or((rest, None), |(host, port)| (host, Some(port))),
            None => ("", None),
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        let is_host = !host.is_empty() && host.chars().all(is_plain);
        let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        if is_host && is_port {
            Ok(Self(text.to_owned()))
        } else {
            Err(WrongUrl(text.to_owned()))
        }
    }
}

impl TryFrom<String> for ServiceUrl {
    type Error = WrongUrl;

    fn try_from(text: String) -> Result<Self, WrongUrl> {
        text.parse()
    }
}

impl From<ServiceUrl> for String {
    fn from(url: ServiceUrl) -> Self {
        url.0
    }
}

impl ServiceUrl {
    /// Its text, on which a [`UrlPath`](crate::url_path::UrlPath) follows.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_reached_by_scheme_host_and_port_alone() {
        for good in [
            "https://tunnels.example.com",
            "http://10.0.0.4:8080",
            "https://internal-x-1.eu-central-1.elb.amazonaws.com:443",
        ] {
            let url: ServiceUrl = good.parse().unwrap();
            assert_eq!(url.as_str(), good);
            let json = serde_json::to_string(&url).unwrap();
            assert_eq!(serde_json::from_str::<ServiceUrl>(&json).unwrap(), url);
        }
        for bad in [
            "",
            "example.com",
            "wss://example.com",
            "https://",
            "https://example.com/",
            "https://example.com/x",
            "https://user@example.com",
            "https://example.com:0",
            "https://example.com:http",
            "https://[::1]:80",
            "https://example.com?x",
        ] {
            assert!(bad.parse::<ServiceUrl>().is_err(), "{bad}");
        }
    }
}
