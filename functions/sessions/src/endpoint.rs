//! Where a server's endpoints are: one port and one path, the same on every server.

use std::net::Ipv4Addr;

use ebbtide_rules::report::UnknownReason;
use ebbtide_rules::url_path::UrlPath;

/// The session endpoint's place on every server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its private port.
    pub port: u16,
    /// The path below which the calls are.
    pub path: UrlPath,
}

impl Endpoint {
    /// The endpoint that the stack's variables name, and what is wrong with them; `read` answers a variable's value, empty
    /// when it is unset. With an error the endpoint is none to be called.
    pub fn of_variables(read: impl Fn(&str) -> String) -> (Self, Vec<String>) {
        let mut errors = Vec::new();
        let port = read("EBBTIDE_SESSION_PORT");
        let port = port.parse().unwrap_or_else(|_| {
            errors.push(format!(
                "EBBTIDE_SESSION_PORT: expected a port number, got \"{port}\""
            ));
            0
        });
        let path = match read("EBBTIDE_SESSION_PATH").as_str() {
            "" => UrlPath::default(),
            text => text.parse().unwrap_or_else(|wrong| {
                errors.push(format!("EBBTIDE_SESSION_PATH: {wrong}"));
                UrlPath::default()
            }),
        };
        (Self { port, path }, errors)
    }

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
    fn the_variables_of_the_stack_are_read_and_every_error_is_told() {
        let read = |port: &'static str, path: &'static str| {
            Endpoint::of_variables(move |name| match name {
                "EBBTIDE_SESSION_PORT" => port.to_owned(),
                "EBBTIDE_SESSION_PATH" => path.to_owned(),
                _ => String::new(),
            })
        };
        let (endpoint, errors) = read("7070", "/v1");
        assert_eq!((endpoint.port, endpoint.path.as_str()), (7070, "/v1"));
        assert!(errors.is_empty());
        assert_eq!(read("7070", "").0.path, UrlPath::default());
        for (port, path, count) in [
            ("", "", 1),
            ("70000", "", 1),
            ("7070", "v1", 1),
            ("x", "/a?b", 2),
        ] {
            assert_eq!(read(port, path).1.len(), count, "{port} {path}");
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
