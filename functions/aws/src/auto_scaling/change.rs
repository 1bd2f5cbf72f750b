//! What holding, ending and parking change of an Auto Scaling group: processes, protection, tags, its members' ends.

use aws_sdk_autoscaling::error::ProvideErrorMetadata;
use aws_sdk_autoscaling::types::Tag;
use ebbtide_rules::scaling::HOLD_HOOK;

use super::{AutoScaling, CHUNK};
use crate::CloudError;
use crate::error::Called;
use crate::once::once;

/// For how long the hook holds up an end without a heartbeat, in seconds: the longest that AWS takes. All in all it holds
/// for 48 hours (PutLifecycleHook's reference).
const HEARTBEAT_SECONDS: i32 = 7200;

impl AutoScaling {
    /// Suspends processes of a group.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn suspend(&self, group: &str, processes: &[String]) -> Result<(), CloudError> {
        let call = self
            .client
            .suspend_processes()
            .auto_scaling_group_name(group);
        let call = call.set_scaling_processes(Some(processes.to_vec()));
        once!(aws_sdk_autoscaling, call)
            .await
            .called(|| format!("SuspendProcesses of {group}"))?;
        Ok(())
    }

    /// Resumes processes of a group; none if none are named, which to AWS would mean all of them (ResumeProcesses'
    /// reference).
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn resume(&self, group: &str, processes: &[String]) -> Result<(), CloudError> {
        if processes.is_empty() {
            return Ok(());
        }
        let call = self
            .client
            .resume_processes()
            .auto_scaling_group_name(group);
        let call = call.set_scaling_processes(Some(processes.to_vec()));
        once!(aws_sdk_autoscaling, call)
            .await
            .called(|| format!("ResumeProcesses of {group}"))?;
        Ok(())
    }

    /// Protects members of a group from scale-in.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn protect(&self, group: &str, instances: &[String]) -> Result<(), CloudError> {
        self.set_protection(group, instances, true).await
    }

    /// Lets scale-in have members of a group again.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn unprotect(&self, group: &str, instances: &[String]) -> Result<(), CloudError> {
        self.set_protection(group, instances, false).await
    }

    async fn set_protection(
        &self,
        group: &str,
        instances: &[String],
        protected: bool,
    ) -> Result<(), CloudError> {
        for chunk in instances.chunks(CHUNK) {
            let call = self
                .client
                .set_instance_protection()
                .auto_scaling_group_name(group);
            let call = call
                .set_instance_ids(Some(chunk.to_vec()))
                .protected_from_scale_in(protected);
            once!(aws_sdk_autoscaling, call)
                .await
                .called(|| format!("SetInstanceProtection in {group}"))?;
        }
        Ok(())
    }

    /// Tags a group, and nothing that it launches.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn tag(&self, group: &str, key: &str, value: &str) -> Result<(), CloudError> {
        let tag = tag(group, key).value(value).propagate_at_launch(false);
        let call = self.client.create_or_update_tags().tags(tag.build());
        once!(aws_sdk_autoscaling, call)
            .await
            .called(|| format!("CreateOrUpdateTags on {group}"))?;
        Ok(())
    }

    /// Drops a group's tag, whatever its value.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn untag(&self, group: &str, key: &str) -> Result<(), CloudError> {
        let call = self.client.delete_tags().tags(tag(group, key).build());
        once!(aws_sdk_autoscaling, call)
            .await
            .called(|| format!("DeleteTags on {group}"))?;
        Ok(())
    }

    /// Ends one member; `shrinks` lowers the desired capacity, so that it is not replaced.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn terminate(&self, instance: &str, shrinks: bool) -> Result<(), CloudError> {
        let call = self
            .client
            .terminate_instance_in_auto_scaling_group()
            .instance_id(instance);
        let call = call.should_decrement_desired_capacity(shrinks);
        once!(aws_sdk_autoscaling, call)
            .await
            .called(|| format!("TerminateInstanceInAutoScalingGroup of {instance}"))?;
        Ok(())
    }

    /// Puts Ebbtide's hook on a group: whatever ends a member waits for it. A time-out lets the end go on.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn hook(&self, group: &str) -> Result<(), CloudError> {
        let call = self.client.put_lifecycle_hook();
        let call = call
            .auto_scaling_group_name(group)
            .lifecycle_hook_name(HOLD_HOOK)
            .lifecycle_transition("autoscaling:EC2_INSTANCE_TERMINATING")
            .heartbeat_timeout(HEARTBEAT_SECONDS)
            .default_result("CONTINUE");
        once!(aws_sdk_autoscaling, call)
            .await
            .called(|| format!("PutLifecycleHook on {group}"))?;
        Ok(())
    }

    /// Takes Ebbtide's hook from a group, which lets everything go on that waits for it.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn unhook(&self, group: &str) -> Result<(), CloudError> {
        let call = self.client.delete_lifecycle_hook();
        let call = call
            .auto_scaling_group_name(group)
            .lifecycle_hook_name(HOLD_HOOK);
        once!(aws_sdk_autoscaling, call)
            .await
            .called(|| format!("DeleteLifecycleHook on {group}"))?;
        Ok(())
    }

    /// Lets the hook hold up a member's end anew. One that it holds up no longer has ended by itself, or ends.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn hold_up(&self, group: &str, instance: &str) -> Result<(), CloudError> {
        let call = self.client.record_lifecycle_action_heartbeat();
        let call = call
            .auto_scaling_group_name(group)
            .lifecycle_hook_name(HOLD_HOOK)
            .instance_id(instance);
        let answer = once!(aws_sdk_autoscaling, call).await;
        if answer.as_ref().is_err_and(is_over) {
            tracing::warn!(
                group,
                instance,
                "the hook does not hold up its end any more"
            );
            return Ok(());
        }
        answer.called(|| format!("RecordLifecycleActionHeartbeat of {instance}"))?;
        Ok(())
    }

    /// Lets a member end that the hook holds up. One that it holds up no longer is let go already.
    ///
    /// # Errors
    /// AWS's failure.
    pub async fn release(&self, group: &str, instance: &str) -> Result<(), CloudError> {
        let call = self.client.complete_lifecycle_action();
        let call = call
            .auto_scaling_group_name(group)
            .lifecycle_hook_name(HOLD_HOOK)
            .lifecycle_action_result("CONTINUE")
            .instance_id(instance);
        let answer = once!(aws_sdk_autoscaling, call).await;
        if answer.as_ref().is_err_and(is_over) {
            return Ok(());
        }
        answer.called(|| format!("CompleteLifecycleAction of {instance}"))?;
        Ok(())
    }
}

/// Whether AWS says that no action waits: "No active Lifecycle Action found with instance ID …", a ValidationError.
fn is_over(error: &impl ProvideErrorMetadata) -> bool {
    let message = error.message().unwrap_or_default();
    message.contains("No active Lifecycle Action found")
}

fn tag(group: &str, key: &str) -> aws_sdk_autoscaling::types::builders::TagBuilder {
    Tag::builder()
        .resource_id(group)
        .resource_type("auto-scaling-group")
        .key(key)
}
