//! What a deployment may ask for.
