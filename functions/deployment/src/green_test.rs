//! Whether green may be given traffic.
