//! What a cloud stands on before anything of it runs: the repository, its tools, and a private directory.

use std::path::PathBuf;

use crate::directory::Directory;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::package::Sam;
use crate::places;
use crate::venv::Venv;

/// Everything that must be there before a cloud is started.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) repository: PathBuf,
    pub(crate) venv: Venv,
    /// The Python programs of the local cloud.
    pub(crate) scripts: PathBuf,
    /// What machines boot from.
    pub(crate) machines: PathBuf,
    pub(crate) tunnel_server: PathBuf,
    pub(crate) directory: Directory,
}

impl Ground {
    /// Finds or makes all of it.
    pub(crate) async fn prepare(options: &Options) -> Result<Self> {
        let repository = places::repository()?;
        let tunnel_server = program("tunnel-server")?;
        let venv = Venv::ensure(&repository, &|line| options.progress.say(line)).await?;
        let directory = match &options.directory {
            Some(path) => Directory::lent(path),
            None => Directory::fresh(&repository.join("target/local-clouds"))?,
        };
        Ok(Self {
            scripts: repository.join("tests/local-cloud/python"),
            machines: repository.join("tests/local-cloud/machines"),
            repository,
            venv,
            tunnel_server,
            directory,
        })
    }

    pub(crate) fn sam(&self) -> Sam<'_> {
        Sam {
            repository: &self.repository,
            venv: &self.venv,
            directory: self.directory.path(),
        }
    }
}

fn program(name: &str) -> Result<PathBuf> {
    let path = places::programs()?.join(name);
    if path.is_file() {
        Ok(path)
    } else {
        Err(Error::Missing(format!(
            "{} is missing: make build",
            path.display()
        )))
    }
}
