//! The local cloud that `ebbtide-local up` keeps: its directory, `cloud.json`, and who holds it.
//!
//! A file lock says whether it is up. The kernel frees the lock when the holder ends, however it ends, so what a crash
//! left behind is never taken for a cloud that runs.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cloud::LocalCloud;
use crate::error::{Error, Result};
use crate::{REGION, directory, places, warden};

/// `cloud.json`: what somebody outside needs to use the cloud. Credentials are `test` and `test`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CloudFile {
    /// The load balancer, `http://host:port`.
    pub listener: String,
    /// The region that everything is in.
    pub region: String,
    /// The deployed state machine.
    pub state_machine_arn: String,
    /// The listener that deployments switch.
    pub listener_arn: String,
    /// URL for CloudFormation, Lambda, Step Functions, DynamoDB.
    pub ministack: String,
    /// URL for EC2, Elastic Load Balancing, Auto Scaling.
    pub moto: String,
    /// The target groups' ARNs by name; the first name is blue's at the start.
    pub target_groups: BTreeMap<String, String>,
    /// The table of the service's record.
    pub table: String,
    /// The service's name.
    pub service: String,
    /// The launch template that green comes from.
    pub launch_template_id: String,
    /// Port of every server's public side.
    pub service_port: u16,
    /// Port of every server's session endpoint.
    pub session_port: u16,
    /// Where the logs are.
    pub logs: PathBuf,
}

impl CloudFile {
    /// What a running cloud says of itself.
    ///
    /// # Errors
    /// If its emulators were stopped.
    pub fn of(cloud: &LocalCloud) -> Result<Self> {
        let (world, emulators) = (cloud.world(), cloud.emulators()?);
        let groups = world
            .groups()
            .map(|group| (group.name.clone(), group.arn.clone()));
        Ok(Self {
            listener: cloud.listener().to_owned(),
            region: REGION.to_owned(),
            state_machine_arn: cloud.stack().state_machine_arn.clone(),
            listener_arn: world.listener_arn.clone(),
            ministack: emulators.ministack.clone(),
            moto: emulators.moto.clone(),
            target_groups: BTreeMap::from(groups),
            table: cloud.stack().table.clone(),
            service: cloud.service().to_owned(),
            launch_template_id: world.launch_template.clone(),
            service_port: cloud.service_port(),
            session_port: cloud.session_port(),
            logs: cloud.directory().join("logs"),
        })
    }
}

/// The directory of the kept cloud.
#[derive(Clone, Debug)]
pub struct Kept {
    directory: PathBuf,
}

/// Holding it means being the kept cloud.
#[derive(Debug)]
pub struct Hold {
    _lock: File,
}

impl Kept {
    /// The repository's kept cloud, up or not.
    ///
    /// # Errors
    /// If its directory cannot be made.
    pub fn of(repository: &Path) -> Result<Self> {
        let directory = places::kept(repository);
        let logs = directory.join("logs");
        std::fs::create_dir_all(&logs).map_err(Error::io("cannot make", &logs))?;
        Ok(Self { directory })
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A log in its directory.
    pub fn log(&self, name: &str) -> PathBuf {
        self.directory.join("logs").join(name)
    }

    /// Takes hold of it; `None` if somebody else has.
    ///
    /// # Errors
    /// If the lock file cannot be used.
    pub fn hold(&self) -> Result<Option<Hold>> {
        let path = self.directory.join("lock");
        let file = File::create(&path).map_err(Error::io("cannot write", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Hold { _lock: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(Error::io("cannot lock", &path)(source)),
        }
    }

    /// What `cloud.json` says, if the cloud is ready.
    pub fn read(&self) -> Option<CloudFile> {
        serde_json::from_slice(&std::fs::read(self.file()).ok()?).ok()
    }

    /// Writes `cloud.json`, whole or not at all: from then on the cloud is ready.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, cloud: &CloudFile, _hold: &Hold) -> Result<()> {
        let text =
            serde_json::to_string_pretty(cloud).map_err(|error| Error::Input(error.to_string()))?;
        let new = self.directory.join("cloud.json.new");
        std::fs::write(&new, text + "\n").map_err(Error::io("cannot write", &new))?;
        std::fs::rename(&new, self.file()).map_err(Error::io("cannot replace", &self.file()))
    }

    /// Notes who holds it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_pid(&self, _hold: &Hold) -> Result<()> {
        let path = self.directory.join("pid");
        std::fs::write(&path, std::process::id().to_string())
            .map_err(Error::io("cannot write", &path))
    }

    /// The process that holds it; meaningful only while somebody does.
    pub fn pid(&self) -> Option<u32> {
        std::fs::read_to_string(self.directory.join("pid"))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// Removes all that a cloud leaves here but its logs, and ends what may still run. Returns whether there was any of
    /// it, which means that a cloud was not stopped in order.
    pub fn clean(&self, _hold: &Hold) -> bool {
        let left = !warden::marked(&self.directory).is_empty() || self.file().exists();
        warden::end_marked(&self.directory);
        for name in ["cloud.json", "cloud.json.new", "pid"] {
            let _ = std::fs::remove_file(self.directory.join(name));
        }
        directory::remove_all_but_logs(&self.directory);
        left
    }

    /// Removes the logs of the cloud before.
    pub fn forget_logs(&self, _hold: &Hold) {
        let logs = std::fs::read_dir(self.directory.join("logs"));
        for log in logs.into_iter().flatten().flatten() {
            let _ = std::fs::remove_file(log.path());
        }
    }

    fn file(&self) -> PathBuf {
        self.directory.join("cloud.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_holds_it_and_cleaning_keeps_the_logs() {
        let repository = tempfile::tempdir().unwrap();
        let kept = Kept::of(repository.path()).unwrap();
        std::fs::write(kept.log("old.log"), "x").unwrap();
        std::fs::write(kept.directory().join("cloud.json"), "{ cut off").unwrap();
        let hold = kept.hold().unwrap().expect("nobody holds it");
        assert!(kept.hold().unwrap().is_none(), "held twice");
        assert!(kept.clean(&hold), "the leftover was not noticed");
        assert!(kept.read().is_none() && kept.log("old.log").exists());
        assert!(!kept.clean(&hold));
        drop(hold);
        assert!(kept.hold().unwrap().is_some());
    }
}
