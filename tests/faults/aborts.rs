//! The operator stops the execution at each stage, and redrives it.

use crate::trial::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    Vec::new()
}
