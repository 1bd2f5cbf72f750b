//! The service's record in DynamoDB, read consistently; the state machine writes it.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use ebbtide_rules::Fence;
use ebbtide_rules::record::Record;

use crate::CloudError;

/// Reads the record of one service.
#[derive(Debug, Clone)]
pub struct Records {
    client: Client,
    table: String,
    service: String,
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
    /// AWS's failure, or a record whose epoch is no number.
    pub async fn read(&self) -> Result<Record, CloudError> {
        let operation = || format!("GetItem of {}'s record in {}", self.service, self.table);
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("service", AttributeValue::S(self.service.clone()))
            .key("item", AttributeValue::S("record".to_owned()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| CloudError::of(operation(), &error))?;
        let Some(item) = answer.item else {
            return Ok(Record::default());
        };
        parse(&item).ok_or_else(|| {
            CloudError::unexpected(operation(), "the record's epoch is not a whole number")
        })
    }

    /// The record, if it admits the bearer of `fence`; to be asked just before anything is changed.
    ///
    /// # Errors
    /// As [`Records::read`], or `Superseded`.
    pub async fn admit(&self, fence: &Fence) -> Result<Record, CloudError> {
        let record = self.read().await?;
        record.admits(fence)?;
        Ok(record)
    }
}

fn parse(item: &HashMap<String, AttributeValue>) -> Option<Record> {
    let text = |name: &str| {
        item.get(name)
            .and_then(|value| value.as_s().ok())
            .filter(|text| !text.is_empty())
            .cloned()
    };
    let epoch = match item.get("epoch") {
        None => 0,
        Some(value) => value.as_n().ok()?.parse().ok()?,
    };
    let owner = text("owner");
    Some(Record {
        execution: text("execution"),
        epoch,
        stage: text("stage"),
        // Text, because the SDK integration of Step Functions spells the boolean type in another way than DynamoDB.
        // Whatever is not a clear no counts as yes: green may hold sessions then.
        switched: owner.is_some() && text("switched").as_deref() != Some("no"),
        owner,
        blue: text("blue"),
        green: text("green"),
        plan: text("plan"),
        clearing: text("clearing"),
        roll_back: text("rollBack"),
        claimed_at: text("claimedAt"),
        switched_at: text("switchedAt"),
        baked_at: text("bakedAt"),
        deadline_at: text("deadlineAt"),
        updated_at: text("updatedAt"),
        waiting_for: text("waitingFor"),
        forecast: text("forecast"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(attributes: &[(&str, AttributeValue)]) -> HashMap<String, AttributeValue> {
        attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }

    #[test]
    fn a_record_is_read_attribute_by_attribute() {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let record = parse(&item(&[
            ("owner", text("deploy-1")),
            ("execution", text("arn:execution")),
            ("epoch", AttributeValue::N("5".to_owned())),
            ("stage", text("claimed")),
            ("switched", text("yes")),
            ("blue", text("arn:a")),
            ("green", text("arn:b")),
            ("plan", text("{}")),
            ("clearing", text("deploy-0")),
            ("rollBack", text("operator")),
            ("claimedAt", text("1")),
            ("switchedAt", text("2")),
            ("bakedAt", text("3")),
            ("deadlineAt", text("4")),
            ("updatedAt", text("5")),
            ("waitingFor", text("1 busy session")),
            ("forecast", text("in an hour")),
        ]));
        let expected = Record {
            owner: Some("deploy-1".to_owned()),
            execution: Some("arn:execution".to_owned()),
            epoch: 5,
            stage: Some("claimed".to_owned()),
            switched: true,
            blue: Some("arn:a".to_owned()),
            green: Some("arn:b".to_owned()),
            plan: Some("{}".to_owned()),
            clearing: Some("deploy-0".to_owned()),
            roll_back: Some("operator".to_owned()),
            claimed_at: Some("1".to_owned()),
            switched_at: Some("2".to_owned()),
            baked_at: Some("3".to_owned()),
            deadline_at: Some("4".to_owned()),
            updated_at: Some("5".to_owned()),
            waiting_for: Some("1 busy session".to_owned()),
            forecast: Some("in an hour".to_owned()),
        };
        assert_eq!(record, Some(expected));
    }

    #[test]
    fn only_a_clear_no_lets_an_owner_be_superseded() {
        let switched =
            |attributes: &[(&str, AttributeValue)]| parse(&item(attributes)).unwrap().switched;
        let text = |text: &str| AttributeValue::S(text.to_owned());
        assert!(!switched(&[("owner", text("a")), ("switched", text("no"))]));
        assert!(switched(&[("owner", text("a")), ("switched", text("yes"))]));
        assert!(switched(&[
            ("owner", text("a")),
            ("switched", AttributeValue::Bool(false))
        ]));
        assert!(switched(&[("owner", text("a"))]));
        assert!(!switched(&[("switched", text("yes"))]), "nobody owns it");
    }

    #[test]
    fn a_released_record_keeps_its_epoch_and_a_damaged_one_is_none() {
        let released = parse(&item(&[("epoch", AttributeValue::N("5".to_owned()))])).unwrap();
        assert_eq!((released.owner, released.epoch), (None, 5));
        assert_eq!(
            parse(&item(&[("epoch", AttributeValue::N("five".to_owned()))])),
            None
        );
    }
}
