//! Gives up every capability of this thread, and of every thread and program that it starts.

use rustix::io::{Errno, Result};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, no_new_privs, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs,
};
use thiserror::Error;

/// Capabilities that stay.
#[derive(Debug, Error)]
pub enum NotDropped {
    /// The kernel refuses.
    #[error("capabilities cannot be given up: {0}")]
    Refused(#[from] Errno),
    /// It does not, and yet they are there.
    #[error("capabilities were given up and are still there: {0:?}")]
    Still(CapabilitySets),
}

/// Gives up all of them, effective, permitted, inheritable and ambient, for good: no program that is started from here on
/// gains any, whoever owns it.
///
/// # Errors
/// When that is not certain.
pub(crate) fn drop_all() -> std::result::Result<(), NotDropped> {
    set_no_new_privs(true)?;
    shrink_bounding_set()?;
    clear_ambient_capability_set()?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none)?;
    let left = capabilities(None)?;
    if left != none || !no_new_privs()? {
        return Err(NotDropped::Still(left));
    }
    Ok(())
}

/// As far as it may: without CAP_SETPCAP it stays, and means nothing to a process that can gain nothing.
fn shrink_bounding_set() -> Result<()> {
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        match capability_is_in_bounding_set(capability) {
            Ok(false) => {}
            Ok(true) => match remove_capability_from_bounding_set(capability) {
                Err(Errno::PERM) => return Ok(()),
                removed => removed?,
            },
            // The kernel has no more of them.
            Err(Errno::INVAL) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
