//! The fields of a TOML table, taken one by one: what is missing, ill-typed or unknown is an error, and all are collected.

use toml::{Table, Value};

/// A table that is being read.
pub(crate) struct Fields {
    prefix: String,
    table: Table,
    known: Vec<&'static str>,
    there: Vec<&'static str>,
    errors: Vec<String>,
}

impl Fields {
    /// `prefix` stands before every name in an error.
    pub(crate) fn new(prefix: &str, table: Table) -> Self {
        Self {
            prefix: prefix.into(),
            table,
            known: Vec::new(),
            there: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        let value = self.table.remove(name)?;
        self.there.push(name);
        Some(value)
    }

    /// Whether a field that was asked for is there, right or wrong.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.there.contains(&name)
    }

    /// A field that another one leaves no room for.
    pub(crate) fn excludes(&mut self, name: &'static str, other: &str) {
        if self.take(name).is_some() || self.has(name) {
            self.wrong(name, &format!("not together with {}{other}", self.prefix));
        }
    }

    pub(crate) fn wrong(&mut self, name: &str, what: &str) {
        self.errors.push(format!("{}{name}: {what}", self.prefix));
    }

    /// A field that may be left out.
    pub(crate) fn optional<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(name)?;
        let read = read(&value);
        if read.is_none() {
            self.wrong(name, &format!("expected {expected}, got {value}"));
        }
        read
    }

    /// A field that has to be there.
    pub(crate) fn needed<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        if !self.table.contains_key(name) {
            self.known.push(name);
            self.wrong(name, &format!("missing, expected {expected}"));
            return None;
        }
        self.optional(name, expected, read)
    }

    /// A table of its own that may be left out.
    pub(crate) fn within<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        match self.take(name)? {
            Value::Table(table) => {
                let mut fields = Self::new(&format!("{}{name}.", self.prefix), table);
                let read = read(&mut fields);
                self.errors.extend(fields.end());
                read
            }
            other => {
                self.wrong(name, &format!("expected a table, got {other}"));
                None
            }
        }
    }

    /// Everything that was wrong; what nobody took is unknown.
    pub(crate) fn end(mut self) -> Vec<String> {
        for name in std::mem::take(&mut self.table).keys() {
            let meant = closest(name, &self.known);
            let meant = meant.map(|meant| format!(", did you mean {}{meant}?", self.prefix));
            self.wrong(name, &format!("unknown field{}", meant.unwrap_or_default()));
        }
        self.errors
    }
}

/// The known name that most likely was meant.
fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    let likeness = |known: &&str| strsim::jaro_winkler(&plain(name), &plain(known));
    let closest = known
        .iter()
        .copied()
        .max_by(|one, other| likeness(one).total_cmp(&likeness(other)))?;
    (likeness(&closest) > 0.85).then_some(closest)
}
