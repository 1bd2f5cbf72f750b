//! What a cloud stands on before anything of it runs: the repository, its tools, and a private directory.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::options::Options;
use crate::stack::Sam;
use crate::venv::Venv;
use crate::{places, warden};

/// Everything that must be there before a cloud is started.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) repository: PathBuf,
    pub(crate) venv: Venv,
    /// The Python programs of the local cloud.
    pub(crate) scripts: PathBuf,
    pub(crate) tunnel_server: PathBuf,
    pub(crate) directory: Directory,
}

impl Ground {
    /// Finds or makes all of it.
    pub(crate) async fn prepare(options: &Options) -> Result<Self> {
        let repository = places::repository()?;
        let tunnel_server = program("tunnel-server")?;
        let venv = Venv::ensure(&repository, &|line| options.progress.say(line)).await?;
        let (path, fresh) = match &options.directory {
            Some(path) => (path.clone(), false),
            None => (places::fresh(&repository, "cloud")?, true),
        };
        Ok(Self {
            scripts: repository.join("tests/local-cloud/python"),
            repository,
            venv,
            tunnel_server,
            directory: Directory { path, fresh },
        })
    }

    pub(crate) fn sam(&self) -> Sam<'_> {
        Sam {
            repository: &self.repository,
            venv: &self.venv,
            directory: &self.directory.path,
        }
    }
}

/// The private directory, removed with the cloud if it was made for it and nothing went wrong.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) path: PathBuf,
    fresh: bool,
}

impl Drop for Directory {
    fn drop(&mut self) {
        warden::end_marked(&self.path);
        if self.fresh && !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.path);
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
