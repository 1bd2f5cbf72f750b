//! Where things are: the repository, the programs built from it, and a cloud's private directory.
//!
//! Everything that a local cloud writes lies in the repository's own `target/`, whatever CARGO_TARGET_DIR says.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The repository's root: where this crate was built if it is still there, else from the current directory upwards.
///
/// # Errors
/// [`Error::Missing`] if neither is the repository.
pub fn repository() -> Result<PathBuf> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let current = std::env::current_dir().map_err(Error::io("cannot read", Path::new(".")))?;
    std::iter::once(built.as_path())
        .chain(current.ancestors())
        .find(|path| {
            path.join("template.yaml").is_file()
                && path.join("tests/local-cloud/requirements.txt").is_file()
        })
        .ok_or_else(|| {
            Error::Missing(
                "run this in the repository: no template.yaml and tests/local-cloud here"
                    .to_owned(),
            )
        })?
        .canonicalize()
        .map_err(Error::io("cannot resolve", &built))
}

/// The directory of the programs that cargo built along with the running one.
///
/// # Errors
/// [`Error::Io`] if the running program cannot be found.
pub fn programs() -> Result<PathBuf> {
    let this = std::env::current_exe()
        .map_err(Error::io("cannot find", Path::new("the running program")))?;
    let directory = this.parent().unwrap_or(Path::new("."));
    // A test runs in `deps`, one below the programs.
    Ok(match directory.file_name() {
        Some(name) if name == "deps" => directory.parent().unwrap_or(directory).to_owned(),
        _ => directory.to_owned(),
    })
}

/// Where the local cloud that `ebbtide-local up` keeps is: `cloud.json`, its logs and its private files.
pub fn kept(repository: &Path) -> PathBuf {
    repository.join("target/local")
}
