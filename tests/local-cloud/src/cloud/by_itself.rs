//! What AWS does by itself, and no call brings about: instances that end or are forgotten, launches that are refused, health
//! checks that fail, alarms and hours that come, time that goes by.

use std::time::Duration;

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

    /// EC2 refuses this group's launches from now on, with a code and a message, of which a scaling activity has the latter.
    ///
    /// # Errors
    /// If there is no such group.
    pub async fn launches_fail(&self, group: &str, code: &str, message: &str) -> Result<()> {
        let asked = json!({ "group": group, "code": code, "message": message });
        self.emulators()?.control("launches-fail", &asked).await
    }

    /// EC2 takes this group's launches again; those that it owes are made.
    ///
    /// # Errors
    /// If there is no such group.
    pub async fn launches_succeed(&self, group: &str) -> Result<()> {
        let asked = json!({ "group": group });
        self.emulators()?.control("launches-fail", &asked).await
    }

    /// A group's member fails every health check from now on.
    ///
    /// # Errors
    /// If the instance is no group's member.
    pub async fn unhealthy(&self, instance: &str) -> Result<()> {
        let asked = json!({ "instance": instance });
        self.emulators()?.control("unhealthy", &asked).await
    }

    /// So much time goes by for lifecycle hooks, which know no other: a heartbeat that is over ends with the default result.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn hooks_wait(&self, time: Duration) -> Result<()> {
        let asked = json!({ "seconds": time.as_secs() });
        self.emulators()?.control("hooks-time", &asked).await
    }

    /// The group's active instance refresh goes on by one member, unless something that it needs is suspended.
    ///
    /// # Errors
    /// If no refresh is active.
    pub async fn refresh_goes_on(&self, group: &str) -> Result<()> {
        let asked = json!({ "group": group });
        self.emulators()?.control("refresh", &asked).await
    }

    /// The group's active instance refresh has this status from now on, such as `InProgress` or `Failed`.
    ///
    /// # Errors
    /// If no refresh is active.
    pub async fn refresh_becomes(&self, group: &str, status: &str) -> Result<()> {
        let asked = json!({ "group": group, "status": status });
        self.emulators()?.control("refresh", &asked).await
    }

    /// The alarm of the group's scaling policy goes off, unless AlarmNotification is suspended.
    ///
    /// # Errors
    /// If there is no such policy.
    pub async fn alarm_scales(&self, group: &str, policy: &str) -> Result<()> {
        let asked = json!({ "group": group, "policy": policy });
        self.emulators()?.control("alarm", &asked).await
    }

    /// The hour of the group's scheduled action comes, unless ScheduledActions is suspended.
    ///
    /// # Errors
    /// If there is no such action.
    pub async fn hour_comes(&self, group: &str, action: &str) -> Result<()> {
        let asked = json!({ "group": group, "action": action });
        self.emulators()?.control("hour", &asked).await
    }

    /// The group balances its zones: one member is launched, an unprotected one ends, unless AZRebalance is suspended.
    ///
    /// # Errors
    /// If there is no such group.
    pub async fn zones_are_balanced(&self, group: &str) -> Result<()> {
        let asked = json!({ "group": group });
        self.emulators()?.control("rebalance", &asked).await
    }
}
