//! Which instance a server runs on: orders for another one are refused, so it has to be right.
//!
//! Owns two ways to know: EC2's metadata service, version 2, and a file that somebody else has written. Refuses what does
//! not look like an instance's id.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The metadata service's address, on every instance.
const METADATA: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 80);
/// It answers within milliseconds, or a hop limit keeps its answers away.
const PATIENCE: Duration = Duration::from_secs(2);
/// Where cloud-init leaves the id, on Amazon Linux, Debian and Ubuntu.
pub const CLOUD_INIT: &str = "/var/lib/cloud/data/instance-id";

/// Why the instance is not known.
#[derive(Debug, Error)]
pub enum NoInstance {
    /// No answer, or a refusal: in a container the hop limit of the instance's metadata options has to be 2.
    #[error("the instance metadata service: {0}")]
    Metadata(io::Error),
    /// The file cannot be read.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is not of the form `i-0123456789abcdef0`.
    #[error("{0:?} is no instance id")]
    Other(String),
}

/// Asks the instance metadata service (IMDSv2).
///
/// # Errors
/// When it does not answer within two seconds: there is none outside EC2, and none in a container behind a hop limit of 1.
pub async fn from_metadata() -> Result<String, NoInstance> {
    ask(METADATA).await
}

/// Reads the id from a file, such as [`CLOUD_INIT`], or one that a container is given.
///
/// # Errors
/// When it cannot be read, or says something else.
pub fn from_file(path: impl AsRef<Path>) -> Result<String, NoInstance> {
    let path = path.as_ref();
    let text = std::fs::read_to_string(path).map_err(|error| NoInstance::File {
        path: path.into(),
        error,
    })?;
    checked(&text)
}

fn checked(text: &str) -> Result<String, NoInstance> {
    let text = text.trim();
    let digits = text.strip_prefix("i-").unwrap_or_default();
    let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits.len() < 8 || !hexadecimal {
        return Err(NoInstance::Other(text.chars().take(80).collect()));
    }
    Ok(text.to_owned())
}

async fn ask(service: SocketAddr) -> Result<String, NoInstance> {
    let asked = async {
        let ttl = "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n";
        let token = call(service, "PUT /latest/api/token", ttl).await?;
        let token = format!("X-aws-ec2-metadata-token: {}\r\n", token.trim());
        call(service, "GET /latest/meta-data/instance-id", &token).await
    };
    let answered = tokio::time::timeout(PATIENCE, asked).await;
    let answer = answered.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    checked(&answer.map_err(NoInstance::Metadata)?)
}

/// One call of HTTP/1.1, on a connection of its own: its answer's body if that is a 200.
async fn call(service: SocketAddr, line: &str, header: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect(service).await?;
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {}\r\n{header}Content-Length: 0\r\nConnection: close\r\n\r\n",
        service.ip()
    );
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    connection.take(16 * 1024).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(io::Error::other(format!("{line}: {status:?}")));
    }
    Ok(body.to_owned())
}

#[cfg(test)]
#[cfg(not(feature = "races"))]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// A metadata service that wants a token, as version 2 does; gives what it was asked.
    async fn service(status: &str, id: &str) -> (Result<String, NoInstance>, Vec<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answers = [
            "HTTP/1.1 200 OK\r\n\r\na-token".to_owned(),
            format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\n\r\n{id}"),
        ];
        let answering = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut connection, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(connection.read_u8().await.unwrap());
                }
                connection.write_all(answer.as_bytes()).await.unwrap();
                asked.push(String::from_utf8(request).unwrap());
            }
            asked
        });
        let id = ask(address).await;
        (id, answering.await.unwrap())
    }

    #[tokio::test]
    async fn the_metadata_service_is_asked_with_a_token() {
        let (id, asked) = service("200 OK", "i-0123456789abcdef0").await;
        assert_eq!(id.unwrap(), "i-0123456789abcdef0");
        assert!(asked[0].starts_with("PUT /latest/api/token HTTP/1.1\r\n"));
        assert!(asked[1].contains("\r\nX-aws-ec2-metadata-token: a-token\r\n"));
    }

    #[tokio::test]
    async fn what_is_no_id_is_no_instance() {
        let (id, _) = service("200 OK", "<html>a proxy</html>").await;
        assert!(matches!(id, Err(NoInstance::Other(_))));
        let (id, _) = service("401 Unauthorized", "i-0123456789abcdef0").await;
        assert!(matches!(id, Err(NoInstance::Metadata(_))));
    }

    #[test]
    fn a_file_may_end_in_a_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("instance-id");
        assert!(matches!(from_file(&path), Err(NoInstance::File { .. })));
        std::fs::write(&path, "i-0123456789abcdef0\n").unwrap();
        assert_eq!(from_file(&path).unwrap(), "i-0123456789abcdef0");
        std::fs::write(&path, "i-\n").unwrap();
        assert!(matches!(from_file(&path), Err(NoInstance::Other(_))));
    }
}
