//! The service's record in DynamoDB: read consistently, written as a whole, and only on the revision that was read.
//!
//! A write that arrives late finds another revision and is lost, whatever it was. Only `keep-record` writes.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use ebbtide_rules::Fence;
use ebbtide_rules::record::{OUTCOME, OutcomeItem, RECORD, Record, Unread, Work};
use serde::Serialize;

use crate::CloudError;
use crate::error::Called;
use crate::once::once;

/// Reads and writes the record of one service.
#[derive(Debug, Clone)]
pub struct Records {
    client: Client,
    table: String,
    service: String,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It was made.
    Made,
    /// The record has another revision by now, or somebody writes at this moment: read it again.
    Lost,
}

impl Records {
    pub(crate) fn new(client: Client, table: String, service: String) -> Self {
        Self {
            client,
            table,
            service,
        }
    }

    /// The record as it is now; a service without one is free at epoch 0.
    ///
    /// # Errors
    /// AWS's failure, or a record that cannot be read.
    pub async fn read(&self) -> Result<Record, CloudError> {
        let operation = || format!("GetItem of {}'s record in {}", self.service, self.table);
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("service", AttributeValue::S(self.service.clone()))
            .key("item", AttributeValue::S(RECORD.to_owned()))
            .consistent_read(true)
            .send()
            .await
            .called(operation)?;
        match answer.item {
            None => Ok(Record::default()),
            Some(item) => parse(item).map_err(|unread| match unread {
                Unread::Newer(shape) => CloudError::Unreadable(shape),
                Unread::Unfit(reason) => CloudError::unexpected(operation(), reason),
            }),
        }
    }

    /// The record, if it admits `work` of the bearer of `fence`; to be asked just before anything is changed.
    ///
    /// # Errors
    /// As [`Records::read`], or `Superseded`.
    pub async fn admit(&self, fence: &Fence, work: Work<'_>) -> Result<Record, CloudError> {
        let record = self.read().await?;
        record.admits(fence, work)?;
        Ok(record)
    }

    /// Writes the whole record, decided on `revision`, and the outcome with it or neither.
    ///
    /// # Errors
    /// AWS's failure: nobody knows then whether it was written.
    pub async fn write(
        &self,
        revision: u64,
        record: &Record,
        outcome: Option<&OutcomeItem>,
    ) -> Result<Written, CloudError> {
        let Some(outcome) = outcome else {
            return self.put(revision, record).await;
        };
        self.put_both(revision, record, outcome).await
    }

    async fn put(&self, revision: u64, record: &Record) -> Result<Written, CloudError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(self.item(RECORD, record)?))
            .condition_expression(condition(revision))
            .expression_attribute_names("#revision", "revision")
            .set_expression_attribute_values(values(revision));
        let operation = || format!("PutItem of {}'s record in {}", self.service, self.table);
        match once!(aws_sdk_dynamodb, put).await {
            Ok(_) => Ok(Written::Made),
            Err(error) if put_is_lost(&error) => Ok(Written::Lost),
            Err(error) => Err(error).called(operation),
        }
    }

    async fn put_both(
        &self,
        revision: u64,
        record: &Record,
        outcome: &OutcomeItem,
    ) -> Result<Written, CloudError> {
        let operation = || {
            format!(
                "TransactWriteItems of {}'s record and outcome in {}",
                self.service, self.table
            )
        };
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(self.item(RECORD, record)?))
            .condition_expression(condition(revision))
            .expression_attribute_names("#revision", "revision")
            .set_expression_attribute_values(values(revision));
        let key = format!("{OUTCOME}{}", outcome.deployment);
        let leave = Put::builder()
            .table_name(&self.table)
            .set_item(Some(self.item(&key, outcome)?));
        let mut call = self.client.transact_write_items();
        for put in [put, leave] {
            let put = put
                .build()
                .map_err(|error| CloudError::unexpected(operation(), error.to_string()))?;
            call = call.transact_items(TransactWriteItem::builder().put(put).build());
        }
        match once!(aws_sdk_dynamodb, call).await {
            Ok(_) => Ok(Written::Made),
            Err(error) => not_made(&error, operation()),
        }
    }

    fn item(
        &self,
        key: &str,
        what: &impl Serialize,
    ) -> Result<HashMap<String, AttributeValue>, CloudError> {
        let mut item: HashMap<String, AttributeValue> = serde_dynamo::to_item(what)
            .map_err(|error| CloudError::unexpected("the record", error.to_string()))?;
        item.insert(
            "service".to_owned(),
            AttributeValue::S(self.service.clone()),
        );
        item.insert("item".to_owned(), AttributeValue::S(key.to_owned()));
        Ok(item)
    }
}

fn condition(revision: u64) -> &'static str {
    if revision == 0 {
        "attribute_not_exists(#revision)"
    } else {
        "#revision = :revision"
    }
}

fn values(revision: u64) -> Option<HashMap<String, AttributeValue>> {
    (revision > 0).then(|| {
        let value = AttributeValue::N(revision.to_string());
        HashMap::from([(":revision".to_owned(), value)])
    })
}

/// A condition that fails, and a write that meets another, are a write that was lost. Sources: the errors of PutItem and
/// TransactWriteItems, and CancellationReason, in the DynamoDB API reference.
const LOST: [&str; 5] = [
    "ConditionalCheckFailed",
    "ConditionalCheckFailedException",
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
];

fn put_is_lost(error: &SdkError<PutItemError>) -> bool {
    error.code().is_some_and(|code| LOST.contains(&code))
}

/// What came of a transaction that was not made. It tells why it was cancelled for each of its writes, and not every
/// reason is another's write.
fn not_made(
    error: &SdkError<TransactWriteItemsError>,
    operation: String,
) -> Result<Written, CloudError> {
    let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) =
        error.as_service_error()
    else {
        let lost = error.code().is_some_and(|code| LOST.contains(&code));
        return lost
            .then_some(Written::Lost)
            .ok_or_else(|| CloudError::of(operation, error));
    };
    let reasons = canceled.cancellation_reasons().iter();
    let codes: Vec<&str> = reasons.filter_map(|reason| reason.code()).collect();
    if codes.iter().any(|code| LOST.contains(code)) {
        return Ok(Written::Lost);
    }
    let code = codes.into_iter().find(|code| *code != "None");
    let code = code.unwrap_or("TransactionCanceledException");
    let words = "the transaction was cancelled";
    Err(CloudError::refused(operation, code, words))
}

/// Numbers are numbers in the item and in JSON.
fn parse(item: HashMap<String, AttributeValue>) -> Result<Record, Unread> {
    let item = serde_dynamo::from_item(item);
    Record::stored(item.map_err(|error| Unread::Unfit(error.to_string()))?)
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::config::http::HttpResponse;
    use aws_sdk_dynamodb::types::CancellationReason;
    use aws_sdk_dynamodb::types::error::TransactionCanceledException;
    use aws_smithy_types::body::SdkBody;
    use ebbtide_rules::{ErrorName, Failure};

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let record = Record {
            epoch: 7,
            revision: 3,
            ..Record::default()
        };
        let written: HashMap<String, AttributeValue> = serde_dynamo::to_item(&record).unwrap();
        assert_eq!(parse(written), Ok(record));
    }

    #[test]
    fn a_transaction_is_lost_only_by_another_write() {
        let canceled = |codes: &[&str]| {
            let reasons = codes
                .iter()
                .map(|code| CancellationReason::builder().code(*code).build());
            let canceled = TransactionCanceledException::builder()
                .set_cancellation_reasons(Some(reasons.collect()))
                .build();
            let response = HttpResponse::new(400_u16.try_into().unwrap(), SdkBody::empty());
            SdkError::service_error(
                TransactWriteItemsError::TransactionCanceledException(canceled),
                response,
            )
        };
        let made = |codes: &[&str]| {
            not_made(&canceled(codes), "TransactWriteItems".to_owned())
                .map_err(|error| error.name())
        };
        assert_eq!(made(&["ConditionalCheckFailed", "None"]), Ok(Written::Lost));
        assert_eq!(made(&["None", "TransactionConflict"]), Ok(Written::Lost));
        assert_eq!(
            made(&["None", "ThrottlingError"]),
            Err(ErrorName::Throttled)
        );
        assert_eq!(
            made(&["ValidationError", "None"]),
            Err(ErrorName::AwsRefused)
        );
    }
}
