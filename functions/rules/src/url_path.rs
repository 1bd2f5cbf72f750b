//! The path of a URL on a server: what may be called there, and nothing that leads elsewhere.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The path of a URL: from `/`, without a query, and without what could lead elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UrlPath(String);

/// A text that is no such path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a path such as /sessions, of letters, digits and -._~/%*, got \"{0}\"")]
pub struct WrongPath(String);

impl Default for UrlPath {
    fn default() -> Self {
        Self("/sessions".to_owned())
    }
}

impl FromStr for UrlPath {
    type Err = WrongPath;

    fn from_str(text: &str) -> Result<Self, WrongPath> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~/%*".contains(c);
        let climbs = text.split('/').any(|part| part == ".." || part == ".");
        if text.starts_with('/') && text.chars().all(is_plain) && !climbs {
            Ok(Self(text.to_owned()))
        } else {
            Err(WrongPath(text.to_owned()))
        }
    }
}

impl TryFrom<String> for UrlPath {
    type Error = WrongPath;

    fn try_from(text: String) -> Result<Self, WrongPath> {
        text.parse()
    }
}

impl From<UrlPath> for String {
    fn from(path: UrlPath) -> Self {
        path.0
    }
}

impl UrlPath {
    /// The path's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path with `whom` in place of each `*`: where a session has a name that only one may have, each server is asked
    /// for its own.
    #[must_use]
    pub fn naming(&self, whom: &str) -> String {
        self.0.replace('*', whom)
    }
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
    fn a_star_stands_for_whom_is_asked() {
        let path: UrlPath = "/tunnel/check-*".parse().unwrap();
        assert_eq!(path.naming("i-0a"), "/tunnel/check-i-0a");
        assert_eq!(path.as_str(), "/tunnel/check-*");
    }

    #[test]
    fn a_plan_hands_it_over_as_its_text_and_one_that_leads_elsewhere_is_no_plan() {
        let path: UrlPath = "/v1/sessions".parse().unwrap();
        let json = serde_json::to_string(&path).unwrap();
        assert_eq!(json, r#""/v1/sessions""#);
        assert_eq!(serde_json::from_str::<UrlPath>(&json).unwrap(), path);
        let wrong = serde_json::from_str::<UrlPath>(r#""@other/""#).unwrap_err();
        assert!(wrong.to_string().contains("expected a path"), "{wrong}");
    }
}
