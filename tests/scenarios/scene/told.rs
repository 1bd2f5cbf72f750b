//! What a deployment tells of the servers that it empties, as its history shows it.

use ebbtide_local_cloud::{Execution, Result};
use serde_json::Value;

use super::Scene;

impl Scene {
    /// The deployment's last check of the sessions left, as its document has it.
    pub async fn last_check(&self, execution: &Execution) -> Result<Value> {
        let history = execution.history().await?;
        let outputs = history
            .iter()
            .rev()
            .filter_map(|event| event.state_exited_event_details())
            .filter(|details| details.name() == "CheckDrained");
        let documents = outputs
            .filter_map(|details| details.output())
            .filter_map(|output| serde_json::from_str::<Value>(output).ok());
        Ok(documents
            .map(|document| document["check"].clone())
            .next()
            .unwrap_or_default())
    }

    /// Then the check names this instance as unknown, and says since when.
    pub async fn named_as_unknown(&self, execution: &Execution, instance: &str) {
        self.then("the server to be named as unknown", || async {
            let check = self.last_check(execution).await?;
            let named = check["counts"]["unknownServers"]
                .as_array()
                .is_some_and(|unknown| {
                    unknown
                        .iter()
                        .any(|one| one["instance"] == instance && one["since"].is_string())
                });
            let told = check["outlook"]["waitingFor"]
                .as_str()
                .is_some_and(|sentence| {
                    sentence.contains(instance) && sentence.contains("unknown since")
                });
            Ok(if named && told {
                Ok(())
            } else {
                Err(check.to_string())
            })
        })
        .await;
    }

    /// Then the check says that something else is ending this server, and that a hook holds that up.
    pub async fn only_a_hook_keeps(&self, execution: &Execution, instance: &str) {
        self.then("the check to name the server", || async {
            let check = self.last_check(execution).await?;
            let waiting = check["outlook"]["waitingFor"].to_string();
            let named = waiting.contains("only a hook keeps") && waiting.contains(instance);
            Ok(if named { Ok(()) } else { Err(waiting) })
        })
        .await;
    }
}
