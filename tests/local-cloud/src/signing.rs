//! The service's signing secret, at the emulated Secrets Manager, and the servers' keys that come of it.
//!
//! Stands for what an instance does before its server starts: it asks for its keys and writes them to a file. The masters
//! are random for each cloud, so that a search for one of them finds what this cloud gave away.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_secretsmanager::Client;
use ebbtide_signature::{Key, Master};
use secrecy::ExposeSecret as _;

use crate::error::{Error, Result};

/// A secret with its masters, the newest first; what clones of it see is the same.
#[derive(Clone, Debug)]
pub struct SigningSecret {
    client: Client,
    arn: String,
    masters: Arc<Mutex<Vec<String>>>,
}

impl SigningSecret {
    /// Makes the secret, with one master.
    pub(crate) async fn make(client: &Client, service: &str) -> Result<Self> {
        let master = master();
        let made = client
            .create_secret()
            .name(format!("{service}-signing"))
            .secret_string(&master)
            .send()
            .await
            .map_err(Error::aws("CreateSecret"))?;
        Ok(Self {
            client: client.clone(),
            arn: made.arn.unwrap_or_default(),
            masters: Arc::new(Mutex::new(vec![master])),
        })
    }

    /// Its ARN.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// Puts a new master into it, as a rotation does: the former one is the previous from then on.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn rotate(&self) -> Result<()> {
        let master = master();
        let put = self.client.put_secret_value().secret_id(&self.arn);
        put.secret_string(&master)
            .send()
            .await
            .map_err(Error::aws("PutSecretValue"))?;
        let mut masters = self.lock();
        masters.insert(0, master);
        Ok(())
    }

    /// Every master that it has had.
    pub fn masters(&self) -> Vec<String> {
        self.lock().clone()
    }

    /// The keys that an instance gets now: of the current master and the previous one.
    ///
    /// # Panics
    /// Never: every master here is long enough.
    pub fn keys_of(&self, instance: &str) -> Vec<Key> {
        let masters = self.lock();
        let newest = masters.iter().take(2);
        let masters = newest.filter_map(|text| Master::new(&text.as_str().into()).ok());
        masters.map(|master| master.key_of(instance)).collect()
    }

    /// The same, as they are written: for who looks whether they are where they should not be.
    pub fn written_keys_of(&self, instance: &str) -> Vec<String> {
        let line = |key: &Key| key.write().expose_secret().to_owned();
        self.keys_of(instance).iter().map(line).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.masters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn master() -> String {
    format!(
        "{:032x}{:032x}",
        rand::random::<u128>(),
        rand::random::<u128>()
    )
}
