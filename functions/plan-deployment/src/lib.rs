//! The Lambda plan-deployment.
