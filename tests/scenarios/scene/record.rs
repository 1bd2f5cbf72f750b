//! The record, as a scenario asks for it.

use ebbtide_rules::record::{Entry, Record};

use super::Scene;

impl Scene {
    /// The service's record.
    pub async fn record(&self) -> Record {
        self.cloud.record().await.expect("the record")
    }

    /// The deployment that holds the front.
    pub async fn front(&self) -> Option<String> {
        let front = self.record().await.front;
        front.map(|front| front.owner.deployment)
    }

    /// What retires for a deployment.
    pub async fn entry_of(&self, deployment: &str) -> Entry {
        let record = self.record().await;
        let entry = record.entry_of(deployment).cloned();
        entry.unwrap_or_else(|| panic!("nothing retires for {deployment}: {record:?}"))
    }

    /// When a deployment's bake, or its rollback, is over: it has left the front, and empties this environment.
    pub async fn retires(&self, deployment: &str, environment: &str) {
        self.then(
            &format!("{environment} to retire for {deployment}"),
            || async {
                let record = self.cloud.record().await?;
                let entry = record.entry_of(deployment);
                let retires = entry.is_some_and(|entry| entry.environment.name == environment)
                    && record.front_of(deployment).is_none();
                Ok(if retires {
                    Ok(())
                } else {
                    Err(format!("{record:?}"))
                })
            },
        )
        .await;
    }
}
