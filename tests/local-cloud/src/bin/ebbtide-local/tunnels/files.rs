//! How many files this process and those that it starts may have open.

use ebbtide_local_cloud::{Error, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open files, for this process and the servers that it starts.
///
/// # Errors
/// [`Error::Missing`] if the hard limit is lower than `wanted`.
pub(crate) fn allow_files(wanted: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|maximum| maximum < wanted) {
        return Err(Error::Missing(format!(
            "so many tunnels need {wanted} open files in one process and the hard limit (ulimit -Hn) is {}: ask for fewer with --tunnels",
            limit.maximum.unwrap_or_default()
        )));
    }
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit {
            current: Some(wanted),
            ..limit
        };
        setrlimit(Resource::Nofile, raised).map_err(|error| Error::Io {
            what: format!("cannot raise the limit of open files to {wanted}"),
            source: error.into(),
        })?;
    }
    Ok(())
}
