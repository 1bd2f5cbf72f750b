//! One call of a Lambda, and what becomes of it when nobody knows.

use ebbtide_rules::Fence;
use ebbtide_rules::document::{Act, Invocation};
use jiff::Timestamp;
use serde_json::Value;

use crate::aws::Table;

/// One call of a Lambda.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The function, as the definition's variable names it.
    pub(crate) function: String,
    /// The Task's state.
    pub(crate) state: String,
    pub(crate) payload: Value,
    /// The payload of every function but plan-deployment, read.
    pub(crate) invocation: Option<Invocation>,
    /// Whether it comes late.
    pub(crate) is_late: bool,
}

/// A call of unknown outcome: it may still arrive.
#[derive(Debug, Clone)]
pub(crate) struct Ghost {
    pub(crate) call: Call,
    /// The table when it was made: what it has read, if it had read before it was held up.
    pub(crate) read: Table,
    pub(crate) until: Timestamp,
}

impl Call {
    /// Reads the payload that the definition made.
    pub(crate) fn new(state: &str, arguments: &Value) -> Result<Self, String> {
        let function = arguments["FunctionName"].as_str().unwrap_or_default();
        let payload = arguments["Payload"].clone();
        let invocation = if function == "PlanDeployment" {
            None
        } else {
            let read = serde_json::from_value(payload.clone());
            Some(read.map_err(|error| format!("{state}: {error}: {payload}"))?)
        };
        Ok(Self {
            function: function.to_owned(),
            state: state.to_owned(),
            payload,
            invocation,
            is_late: false,
        })
    }

    /// What it is to do; none for plan-deployment.
    pub(crate) fn act(&self) -> Option<Act> {
        self.invocation.as_ref().map(|it| it.act)
    }

    /// Who acts; none before anything was planned.
    pub(crate) fn fence(&self) -> Option<Fence> {
        let document = self.invocation.as_ref().map(|it| &it.document);
        document.and_then(|document| document.fence().ok())
    }
}
