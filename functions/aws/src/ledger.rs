//! What keep-record reads and writes: the record, executions and alarms; no server and nothing that serves.

use crate::{AlarmReader, Executions, Records, configuration};

/// The SDK's clients, built once per process.
#[derive(Debug, Clone)]
pub struct LedgerClients {
    /// DynamoDB's.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Step Functions'.
    pub sfn: aws_sdk_sfn::Client,
    /// CloudWatch's.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
}

impl LedgerClients {
    /// Builds the clients from the process's environment.
    pub async fn connect() -> Self {
        let config = configuration().await;
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            sfn: aws_sdk_sfn::Client::new(&config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
        }
    }
}

/// One service's record, and what a decision about it needs.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// The record.
    pub records: Records,
    /// The executions of the state machine.
    pub executions: Executions,
    /// The alarms that are watched.
    pub alarms: AlarmReader,
}

impl Ledger {
    /// The ledger of `service` in `table`, behind clients of the process's environment.
    pub async fn connect(table: String, service: String) -> Self {
        Self::new(LedgerClients::connect().await, table, service)
    }

    /// The ledger of `service` in `table`, behind these clients.
    pub fn new(clients: LedgerClients, table: String, service: String) -> Self {
        Self {
            records: Records::new(clients.dynamodb, table, service),
            executions: Executions::new(clients.sfn),
            alarms: AlarmReader::new(clients.cloudwatch),
        }
    }
}
