//! What AWS does by itself, and no call brings about: instances that end, and instances that are forgotten.

use serde_json::json;

use super::LocalCloud;
use crate::error::Result;

impl LocalCloud {
    /// AWS ends an instance, for a reason that EC2 tells from then on (`StateReason`).
    ///
    /// # Errors
    /// If there is no such instance.
    pub async fn ends_by_itself(&self, instance: &str, code: &str, message: &str) -> Result<()> {
        let asked = json!({ "instance": instance, "code": code, "message": message });
        self.emulators()?.control("end", &asked).await
    }

    /// EC2 forgets every instance that has ended, as it does after an hour.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn forget_ended(&self) -> Result<()> {
        self.emulators()?.control("forget", &json!({})).await
    }
}
