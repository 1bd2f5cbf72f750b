//! The service's items: the record, and how each deployment ended.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use ebbtide_rules::record::{OUTCOME, OutcomeItem, RECORD, Record};
use serde_json::Value;

use super::Aws;
use crate::failed::Failed;

type Item = HashMap<String, AttributeValue>;

impl Aws {
    /// The record as it is now; a service that was never deployed has a free one.
    ///
    /// # Errors
    /// When AWS does not answer, or the record is of a version that this one does not know.
    pub(crate) async fn record(&self) -> Result<Record, Failed> {
        match self.item(RECORD).await? {
            None => Ok(Record::default()),
            Some(item) => {
                Record::stored(item).map_err(|unread| Failed::Unreadable(unread.to_string()))
            }
        }
    }

    /// How a deployment ended; none while it has not.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub(crate) async fn outcome(&self, deployment: &str) -> Result<Option<OutcomeItem>, Failed> {
        let item = self.item(&format!("{OUTCOME}{deployment}")).await?;
        item.map(outcome).transpose()
    }

    /// How every deployment ended, in no order.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub(crate) async fn outcomes(&self) -> Result<Vec<OutcomeItem>, Failed> {
        let mut pages = self
            .dynamodb
            .query()
            .table_name(&self.table)
            .key_condition_expression("service = :service AND begins_with(#item, :outcome)")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":service", AttributeValue::S(self.service.clone()))
            .expression_attribute_values(":outcome", AttributeValue::S(OUTCOME.to_owned()))
            .into_paginator()
            .items()
            .send();
        let mut outcomes = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| Failed::call("Query", &error))?;
            outcomes.push(outcome(json(item)?)?);
        }
        Ok(outcomes)
    }

    async fn item(&self, key: &str) -> Result<Option<Value>, Failed> {
        let answer = self
            .dynamodb
            .get_item()
            .table_name(&self.table)
            .key("service", AttributeValue::S(self.service.clone()))
            .key("item", AttributeValue::S(key.to_owned()))
            .consistent_read(true)
            .send()
            .await;
        let answer = answer.map_err(|error| Failed::call("GetItem", &error))?;
        answer.item.map(json).transpose()
    }
}

fn json(item: Item) -> Result<Value, Failed> {
    serde_dynamo::from_item(item).map_err(|error| Failed::Unreadable(error.to_string()))
}

fn outcome(item: Value) -> Result<OutcomeItem, Failed> {
    let unread = |error| Failed::Unreadable(format!("an outcome cannot be read: {error}"));
    serde_json::from_value(item).map_err(unread)
}
