//! The session endpoint's client: the only code that calls servers.
