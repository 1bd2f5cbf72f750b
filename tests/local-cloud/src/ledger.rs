//! What DynamoDB says of the service: its record, and how each deployment ended.
//!
//! Reads alone, consistently. The deployment has its own reader; this one hands out the same types.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use ebbtide_rules::record::Record;

use crate::error::{Error, Result};

/// The table of one service.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// DynamoDB's client.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The table.
    pub table: String,
    /// The service.
    pub service: String,
}

impl Ledger {
    /// The service's record; free at epoch 0 if there is none.
    ///
    /// # Errors
    /// If DynamoDB does not answer, or the record cannot be read.
    pub async fn record(&self) -> Result<Record> {
        let item = self.item("record").await?;
        if item.is_empty() {
            return Ok(Record::default());
        }
        serde_dynamo::from_item(item).map_err(|error| Error::Aws {
            call: "GetItem".to_owned(),
            why: format!("the record cannot be read: {error}"),
        })
    }

    /// One of the service's items; empty if there is none.
    ///
    /// # Errors
    /// If DynamoDB does not answer.
    pub async fn item(&self, item: &str) -> Result<HashMap<String, AttributeValue>> {
        let key = |value: &str| AttributeValue::S(value.to_owned());
        let asked = self
            .dynamodb
            .get_item()
            .table_name(&self.table)
            .consistent_read(true)
            .key("service", key(&self.service))
            .key("item", key(item));
        let answer = asked.send().await.map_err(Error::aws("GetItem"))?;
        Ok(answer.item.unwrap_or_default())
    }
}
