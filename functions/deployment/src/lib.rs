//! The rules of a deployment, pure: no AWS, no async, no clock.
