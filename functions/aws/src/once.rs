//! What changes something is called in one attempt.
//!
//! An attempt that the SDK gave up may still arrive, and the SDK would have made another one by then: nobody could tell
//! that a call is on its way whose outcome is not known. The Task that failed is repeated by Step Functions instead, which
//! counts, and what is counted is waited out before anything is left (`Told`). What only reads keeps its three attempts.

/// Sends a call in one attempt.
macro_rules! once {
    ($sdk:ident, $call:expr) => {
        $call
            .customize()
            .config_override(
                $sdk::config::Builder::new()
                    .retry_config(aws_smithy_types::retry::RetryConfig::disabled()),
            )
            .send()
    };
}

pub(crate) use once;
