//! A function's environment variables, parsed at the start with every error told together.

use std::str::FromStr;

type Reader = Box<dyn Fn(&str) -> Option<String>>;

/// Reads variables and collects what is wrong with them; [`Variables::finish`] tells it all at once.
pub struct Variables {
    read: Reader,
    errors: Vec<String>,
}

/// Why a function refuses to start.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the function's environment is wrong: {}", .0.join("; "))]
pub struct InvalidVariables(pub Vec<String>);

impl Variables {
    /// Those of this process.
    pub fn of_process() -> Self {
        Self::reading(|name| std::env::var(name).ok())
    }

    /// Those that `read` knows; for tests.
    pub fn reading(read: impl Fn(&str) -> Option<String> + 'static) -> Self {
        Self {
            read: Box::new(read),
            errors: Vec::new(),
        }
    }

    /// A variable that may be unset or empty, trimmed; empty then.
    pub fn optional(&self, name: &str) -> String {
        (self.read)(name)
            .map(|value| value.trim().to_owned())
            .unwrap_or_default()
    }

    /// A variable that must be set; empty, with an error noted, when it is not.
    pub fn required(&mut self, name: &str) -> String {
        let value = self.optional(name);
        if value.is_empty() {
            self.errors.push(format!("{name} is not set"));
        }
        value
    }

    /// A variable that must parse; `T`'s default, with an error noted, when it does not. `expected` says what would.
    pub fn parsed<T: FromStr + Default>(&mut self, name: &str, expected: &str) -> T {
        let text = self.required(name);
        if text.is_empty() {
            T::default()
        } else {
            self.parse(name, &text, expected).unwrap_or_default()
        }
    }

    /// A comma-separated list that may be empty; items are trimmed, empty ones dropped.
    pub fn list(&self, name: &str) -> Vec<String> {
        self.optional(name)
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Notes errors that were found elsewhere, so that they are told with the rest.
    pub fn refuse(&mut self, errors: impl IntoIterator<Item = String>) {
        self.errors.extend(errors);
    }

    /// Says whether everything was as it must be.
    ///
    /// # Errors
    /// Every error noted so far, also logged, because a Lambda that does not start has no other voice.
    pub fn finish(self) -> Result<(), InvalidVariables> {
        if self.errors.is_empty() {
            return Ok(());
        }
        let invalid = InvalidVariables(self.errors);
        tracing::error!(cause = %invalid, "cannot start");
        Err(invalid)
    }

    fn parse<T: FromStr>(&mut self, name: &str, text: &str, expected: &str) -> Option<T> {
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.errors
                .push(format!("{name}: expected {expected}, got \"{text}\""));
        }
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &'static [(&'static str, &'static str)]) -> Variables {
        Variables::reading(move |name| {
            pairs
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn every_error_is_told_together() {
        let mut variables = variables(&[("PORT", "many"), ("PATH_PREFIX", " ")]);
        assert_eq!(variables.parsed::<u16>("PORT", "a port number"), 0);
        assert_eq!(variables.required("PATH_PREFIX"), "");
        assert_eq!(variables.parsed::<u16>("OTHER", "a port number"), 0);
        let InvalidVariables(errors) = variables.finish().unwrap_err();
        assert_eq!(
            errors,
            [
                "PORT: expected a port number, got \"many\"",
                "PATH_PREFIX is not set",
                "OTHER is not set"
            ]
        );
    }

    #[test]
    fn lists_are_trimmed() {
        let variables = variables(&[("SUBNETS", " a, b,,")]);
        assert_eq!(variables.list("SUBNETS"), ["a", "b"]);
        assert_eq!(variables.list("NONE"), Vec::<String>::new());
        assert_eq!(variables.finish(), Ok(()));
    }
}
