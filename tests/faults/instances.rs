//! Instances that end, die, hang or restart, and addresses that others get.

use crate::trial::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    Vec::new()
}
