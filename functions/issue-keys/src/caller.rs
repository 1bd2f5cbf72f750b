//! Who asks.

/// An instance that asks for its own keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Its id.
    pub instance: String,
}

impl Caller {
    /// Reads `arn:aws:sts::123456789012:assumed-role/NAME/i-0123456789abcdef0`; none where the role is another one, or the
    /// session is none of an instance. A role's name is the only one of its account, whatever its path.
    pub fn of(arn: &str, role: &str) -> Option<Self> {
        let (partition, account, resource) = parts(arn, "sts")?;
        let (partition_of_role, account_of_role, role) = parts(role, "iam")?;
        let name = role.strip_prefix("role/")?.rsplit('/').next()?;
        let mut resource = resource.split('/');
        let is_assumed = resource.next() == Some("assumed-role") && resource.next() == Some(name);
        let instance = resource.next().filter(|session| is_instance(session))?;
        let is_here = (partition, account) == (partition_of_role, account_of_role);
        (is_here && is_assumed && resource.next().is_none()).then(|| Self {
            instance: instance.to_owned(),
        })
    }
}

/// Partition, account and resource of an ARN of a service without regions.
fn parts<'a>(arn: &'a str, service: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let mut parts = arn.splitn(6, ':');
    let arn = parts.next() == Some("arn");
    let partition = parts.next()?;
    let is_of = parts.next() == Some(service) && parts.next() == Some("");
    let (account, resource) = (parts.next()?, parts.next()?);
    (arn && is_of).then_some((partition, account, resource))
}

fn is_instance(session: &str) -> bool {
    let digits = session.strip_prefix("i-").unwrap_or_default();
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (8..=17).contains(&digits.len()) && digits.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::123456789012:role/platform/servers/tunnel";

    #[test]
    fn an_instance_of_the_role_is_known_by_its_session() {
        let arn = "arn:aws:sts::123456789012:assumed-role/tunnel/i-0123456789abcdef0";
        let instance = "i-0123456789abcdef0".to_owned();
        assert_eq!(Caller::of(arn, ROLE), Some(Caller { instance }));
    }

    #[test]
    fn whoever_else_asks_is_nobody() {
        for arn in [
            "",
            // Another role, account or partition.
            "arn:aws:sts::123456789012:assumed-role/other/i-0123456789abcdef0",
            "arn:aws:sts::000000000000:assumed-role/tunnel/i-0123456789abcdef0",
            "arn:aws-cn:sts::123456789012:assumed-role/tunnel/i-0123456789abcdef0",
            // A person, and a session that somebody named.
            "arn:aws:iam::123456789012:user/tunnel/i-0123456789abcdef0",
            "arn:aws:sts::123456789012:assumed-role/tunnel/somebody",
            "arn:aws:sts::123456789012:assumed-role/tunnel/i-0123456789ABCDEF0",
            "arn:aws:sts::123456789012:assumed-role/tunnel/i-0123456789abcdef0/x",
            "arn:aws:sts::123456789012:federated-user/tunnel/i-0123456789abcdef0",
            "arn:aws:sts::123456789012:assumed-role/tunnel",
        ] {
            assert_eq!(Caller::of(arn, ROLE), None, "{arn}");
        }
        let arn = "arn:aws:sts::123456789012:assumed-role/tunnel/i-0123456789abcdef0";
        for role in ["", "arn:aws:iam::123456789012:user/tunnel", "tunnel"] {
            assert_eq!(Caller::of(arn, role), None, "{role}");
        }
    }
}
