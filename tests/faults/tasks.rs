//! Tasks that fail before their effect and after it, and calls of a deployment that ended, come late.

use crate::trial::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    Vec::new()
}
