//! The barrier between a rule and a count: whatever packet passed the rules before has left its mark in the tables after.
//!
//! The kernel delivers a packet within one RCU read-side section, from the hook that asks the rules to the socket table, and
//! `membarrier(MEMBARRIER_CMD_GLOBAL)` is `synchronize_rcu()` (kernel/sched/membarrier.c): it waits for every such section
//! that had begun.

use std::io;

use rustix::thread::{MembarrierCommand, MembarrierQuery, membarrier, membarrier_query};

/// Waits until every packet that is being delivered has arrived. 5 to 15 ms, and no privilege.
///
/// # Errors
/// Where the kernel has no such barrier: with `nohz_full` processors (EINVAL).
pub fn barrier() -> io::Result<()> {
    Ok(membarrier(MembarrierCommand::Global)?)
}

/// Whether this kernel has the barrier. Without it nothing may be sealed.
pub fn is_offered() -> bool {
    membarrier_query().contains(MembarrierQuery::GLOBAL) && !is_preempted_alone()
}

/// On a single processor the system call waits for nothing, which is right unless deliveries are preempted there.
fn is_preempted_alone() -> bool {
    let says =
        |file, text: &str| std::fs::read_to_string(file).is_ok_and(|said| said.trim() == text);
    says("/sys/kernel/realtime", "1") && says("/sys/devices/system/cpu/online", "0")
}
