//! Which AWS calls the functions make, kept for the simulation of their permissions.
//!
//! Where `EBBTIDE_CALLS` names a directory, each cloud writes a file there: a line for each stack that it deploys, with
//! the parameters that the policies are made of, then a line for each call that differs from those of before, with the
//! function that made it and, for what changes something, what IAM would know of the resources then. Nothing here
//! judges; `tests/permissions` does.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::error::{Error, Result};

/// Names the directory of the recordings.
const CALLS: &str = "EBBTIDE_CALLS";

/// One cloud's recording.
#[derive(Clone, Debug)]
pub(crate) struct Recording(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    file: File,
    seen: HashSet<String>,
}

impl Recording {
    /// A file of its own in the directory that the environment names; `None` if it names none.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be made.
    pub(crate) fn of_environment() -> Result<Option<Self>> {
        let Some(directory) = std::env::var_os(CALLS) else {
            return Ok(None);
        };
        let directory = Path::new(&directory);
        let file = tempfile::Builder::new()
            .prefix("cloud-")
            .suffix(".jsonl")
            .tempfile_in(directory)
            .and_then(|file| file.keep().map_err(|kept| kept.error))
            .map_err(Error::io("cannot record calls in", directory))?
            .0;
        Ok(Some(Self(Arc::new(Mutex::new(Kept {
            file,
            seen: HashSet::new(),
        })))))
    }

    /// The stack that the calls from now on are made by.
    pub(crate) fn stack(&self, name: &str, table: &str, parameters: &[(String, String)]) {
        let parameters: serde_json::Map<String, Value> = parameters
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        self.write(&json!({"stack": name, "table": table, "parameters": parameters}));
    }

    /// A call of a function; `known` is what IAM would know of resources.
    pub(crate) fn call(&self, function: &str, action: &str, parameters: &Value, known: &Value) {
        self.write(&json!({
            "function": function, "action": action, "parameters": parameters, "known": known,
        }));
    }

    /// What is said again is written once for each stack.
    fn write(&self, line: &Value) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if line.get("stack").is_some() {
            kept.seen.clear();
        }
        let line = format!("{line}\n");
        if kept.seen.insert(line.clone())
            && let Err(error) = kept.file.write_all(line.as_bytes())
        {
            tracing::warn!(%error, "a call is not on record");
        }
    }
}
