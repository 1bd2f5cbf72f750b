//! DynamoDB in the fake: the one record, written on its revision, and the outcomes beside it.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::get_item::{GetItemError, GetItemInput, GetItemOutput};
use aws_sdk_dynamodb::operation::put_item::{PutItemError, PutItemInput, PutItemOutput};
use aws_sdk_dynamodb::operation::transact_write_items::{
    TransactWriteItemsError, TransactWriteItemsInput, TransactWriteItemsOutput,
};
use aws_sdk_dynamodb::types::error::TransactionCanceledException;
use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, Put};
use aws_smithy_runtime_api::client::interceptors::context::Input;
use aws_smithy_types::error::ErrorMetadata;
use ebbtide_rules::record::{OutcomeItem, Record};

use super::World;
use super::answer::{Acted, Answer, operation};

type Item = HashMap<String, AttributeValue>;

pub(super) fn answer(world: &mut World, input: &Input) -> Option<Answer> {
    operation(world, input, "GetItem", GetItemError::generic, get_item)
        .or_else(|| operation(world, input, "PutItem", PutItemError::generic, put_item))
        .or_else(|| operation(world, input, "TransactWriteItems", cancelled, transact))
}

/// A transaction's refusal, with the reason for each of its two writes where it is the record's condition.
fn cancelled(metadata: ErrorMetadata) -> TransactWriteItemsError {
    if metadata.code() != Some("TransactionCanceledException") {
        return TransactWriteItemsError::generic(metadata);
    }
    let reason = |code: &str| CancellationReason::builder().code(code).build();
    let cancelled = TransactionCanceledException::builder()
        .cancellation_reasons(reason("ConditionalCheckFailed"))
        .cancellation_reasons(reason("None"))
        .meta(metadata);
    TransactWriteItemsError::TransactionCanceledException(cancelled.build())
}

fn get_item(world: &mut World, input: &GetItemInput) -> Acted<GetItemOutput> {
    if input.consistent_read() != Some(true) {
        return Err((
            "ValidationException",
            "the record must be read consistently".to_owned(),
        ));
    }
    let written = match (&world.former, &world.record) {
        (Some(former), _) => Some(former.clone()),
        (None, Some(record)) => Some(written(record)?),
        (None, None) => None,
    };
    Ok(GetItemOutput::builder().set_item(written).build())
}

fn put_item(world: &mut World, input: &PutItemInput) -> Acted<PutItemOutput> {
    let record = refuse_late(
        world,
        input.item(),
        input.condition_expression(),
        input.expression_attribute_values(),
    )
    .ok_or((
        "ConditionalCheckFailedException",
        "The conditional request failed".to_owned(),
    ))??;
    keep(world, record);
    Ok(PutItemOutput::builder().build())
}

fn transact(world: &mut World, input: &TransactWriteItemsInput) -> Acted<TransactWriteItemsOutput> {
    let mut record = None;
    let mut outcomes = Vec::new();
    let puts = input.transact_items().iter().filter_map(|item| item.put());
    for put in puts {
        if is_record(put) {
            record = refuse_late(
                world,
                Some(put.item()),
                put.condition_expression(),
                put.expression_attribute_values(),
            );
        } else {
            let outcome: Result<OutcomeItem, _> = serde_dynamo::from_item(put.item().clone());
            outcomes.push(outcome.map_err(|error| ("ValidationException", error.to_string()))?);
        }
    }
    let record = record.ok_or((
        "TransactionCanceledException",
        "Transaction cancelled, please refer cancellation reasons for specific reasons \
         [ConditionalCheckFailed, None]"
            .to_owned(),
    ))??;
    keep(world, record);
    world.outcomes.extend(outcomes);
    Ok(TransactWriteItemsOutput::builder().build())
}

fn is_record(put: &Put) -> bool {
    put.item().get("item") == Some(&AttributeValue::S(ebbtide_rules::record::RECORD.to_owned()))
}

fn keep(world: &mut World, record: Record) {
    world.former = None;
    world.record = Some(record);
}

/// The record that is to be written; none when it was decided on another revision than the one that is there.
fn refuse_late(
    world: &World,
    item: Option<&Item>,
    condition: Option<&str>,
    values: Option<&Item>,
) -> Option<Acted<Record>> {
    let revision = match (&world.former, &world.record) {
        (Some(former), _) => former.get("revision").cloned(),
        (None, record) => record
            .as_ref()
            .map(|record| AttributeValue::N(record.revision.to_string())),
    };
    let holds = match condition {
        Some("attribute_not_exists(#revision)") => revision.is_none(),
        Some("#revision = :revision") => {
            let expected = values.and_then(|values| values.get(":revision"));
            expected == revision.as_ref()
        }
        other => {
            return Some(Err((
                "ValidationException",
                format!("no such condition: {other:?}"),
            )));
        }
    };
    if !holds {
        return None;
    }
    let record = serde_dynamo::from_item(item.cloned().unwrap_or_default());
    Some(record.map_err(|error| ("ValidationException", error.to_string())))
}

fn written(record: &Record) -> Acted<Item> {
    serde_dynamo::to_item(record).map_err(|error| ("InternalServerError", error.to_string()))
}
