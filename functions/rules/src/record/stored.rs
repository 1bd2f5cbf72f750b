//! A record as it is stored: read back by whoever acts on it, and by whoever only looks.

use std::str::FromStr;

use serde_json::Value;

use super::{Record, SHAPE};

/// The sort key of a service's record in the table; its partition key is the service's name.
pub const RECORD: &str = "record";
/// What the sort key of an outcome begins with; the deployment's name follows.
pub const OUTCOME: &str = "deployment ";

/// Why a stored record is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It has a shape that this version cannot read.
    #[error("the record has shape {0}, which only a newer version of Ebbtide can read")]
    Newer(u32),
    /// It is none, or one of a version that had no shapes and holds the service.
    #[error("{0}")]
    Unfit(String),
}

impl Record {
    /// Reads a stored item, numbers as numbers.
    ///
    /// The shape is read before the rest, which only the version that wrote it may know. A newer record that can be read all
    /// the same still says who may act; the rules see to it that nothing is written over it.
    ///
    /// # Errors
    /// [`Unread`].
    pub fn stored(item: Value) -> Result<Self, Unread> {
        let Some(shape) = number(&item, "shape")? else {
            return before_shapes(&item);
        };
        serde_json::from_value(item).map_err(|error| {
            if shape > SHAPE {
                Unread::Newer(shape)
            } else {
                Unread::Unfit(error.to_string())
            }
        })
    }
}

/// A record without a shape is one of before there was one: free, it gives its epoch; held, it is refused.
fn before_shapes(item: &Value) -> Result<Record, Unread> {
    if let Some(owner) = item["owner"].as_str() {
        return Err(Unread::Unfit(format!(
            "deployment {owner} of an older version of Ebbtide holds the service; let it end, then start again"
        )));
    }
    Ok(Record {
        epoch: number(item, "epoch")?.unwrap_or_default(),
        ..Record::default()
    })
}

fn number<T: FromStr>(item: &Value, name: &str) -> Result<Option<T>, Unread> {
    let Some(value) = item.get(name) else {
        return Ok(None);
    };
    let number = value.is_number().then(|| value.to_string().parse().ok());
    let unfit = || Unread::Unfit(format!("the record's {name} is not a whole number"));
    number.flatten().ok_or_else(unfit).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_of_before_shapes_gives_its_epoch_if_nobody_holds_it() {
        assert_eq!(
            Record::stored(json!({"epoch": 5})).map(|it| it.epoch),
            Ok(5)
        );
        assert_eq!(Record::stored(json!({})).map(|it| it.epoch), Ok(0));
        let held = Record::stored(json!({"epoch": 5, "owner": "first"}));
        assert!(
            matches!(&held, Err(Unread::Unfit(reason)) if reason.contains("deployment first")),
            "{held:?}"
        );
        assert!(Record::stored(json!({"epoch": "five"})).is_err());
        assert!(Record::stored(json!({"epoch": 5.5})).is_err());
    }

    #[test]
    fn a_newer_shape_is_known_by_its_number_whatever_the_rest_is() {
        let other = Record::stored(json!({"shape": 9, "epoch": "five"}));
        assert_eq!(other, Err(Unread::Newer(9)));
        let mut written = serde_json::to_value(Record::default()).unwrap();
        written["shape"] = json!(9);
        written["somethingNew"] = json!("x");
        assert_eq!(Record::stored(written).map(|record| record.shape), Ok(9));
        let broken = Record::stored(json!({"shape": "one"}));
        assert!(matches!(broken, Err(Unread::Unfit(_))), "{broken:?}");
    }
}
