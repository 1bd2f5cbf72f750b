//! Whether a deployment may begin.
