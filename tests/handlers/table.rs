//! The table: conditional writes as DynamoDB makes them, from the very expressions of the definition.
//!
//! Knows as much of the expressions' grammar as the definition uses, and panics at the rest: a write that is not
//! understood must not pass for one that was made.

use std::collections::BTreeMap;

use ebbtide_aws::fake::{Attribute, Item};
use serde_json::{Value, json};

/// The items of the one service, by their sort key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    items: BTreeMap<String, Item>,
}

impl Table {
    /// The service's record.
    pub(crate) fn record(&self) -> Option<&Item> {
        self.items.get("record")
    }

    /// One text or number of the record.
    pub(crate) fn of_record(&self, name: &str) -> Option<&str> {
        match self.record()?.get(name)? {
            Attribute::S(text) | Attribute::N(text) => Some(text),
        }
    }

    /// `GetItem`'s answer.
    pub(crate) fn get(&self, arguments: &Value) -> Value {
        match self.items.get(key(arguments)) {
            Some(item) => json!({ "Item": shown(item) }),
            None => json!({}),
        }
    }

    /// `UpdateItem`; none when its condition does not hold.
    pub(crate) fn update(&mut self, arguments: &Value) -> Option<Value> {
        let item = self.items.get(key(arguments)).cloned().unwrap_or_default();
        let write = Write {
            arguments,
            item: &item,
        };
        let condition = arguments["ConditionExpression"]
            .as_str()
            .expect("a condition");
        if !write.holds(condition) {
            return None;
        }
        let written = write.made();
        let answer = if arguments["ReturnValues"] == "ALL_NEW" {
            json!({ "Attributes": shown(&written) })
        } else {
            json!({})
        };
        self.items.insert(key(arguments).to_owned(), written);
        Some(answer)
    }
}

fn key(arguments: &Value) -> &str {
    arguments["Key"]["item"]["S"].as_str().expect("a sort key")
}

fn shown(item: &Item) -> Value {
    let shown = item.iter().map(|(name, value)| {
        let value = match value {
            Attribute::S(text) => json!({ "S": text }),
            Attribute::N(number) => json!({ "N": number }),
        };
        (name.clone(), value)
    });
    Value::Object(shown.collect())
}

/// One write on one item.
struct Write<'a> {
    arguments: &'a Value,
    item: &'a Item,
}

impl Write<'_> {
    fn holds(&self, condition: &str) -> bool {
        let condition = condition
            .replace('(', " ( ")
            .replace(')', " ) ")
            .replace(',', " , ");
        let mut words: Vec<&str> = condition.split_whitespace().rev().collect();
        let holds = self.any(&mut words);
        assert!(words.is_empty(), "not understood: {condition}");
        holds
    }

    fn any(&self, words: &mut Vec<&str>) -> bool {
        let mut holds = self.all(words);
        while next_is(words, "OR") {
            holds |= self.all(words);
        }
        holds
    }

    fn all(&self, words: &mut Vec<&str>) -> bool {
        let mut holds = self.one(words);
        while next_is(words, "AND") {
            holds &= self.one(words);
        }
        holds
    }

    fn one(&self, words: &mut Vec<&str>) -> bool {
        if next_is(words, "(") {
            let holds = self.any(words);
            assert!(next_is(words, ")"), "a parenthesis is open");
            return holds;
        }
        if next_is(words, "attribute_not_exists") {
            assert!(next_is(words, "("), "attribute_not_exists of what");
            let name = self.name(words.pop().expect("a name"));
            assert!(next_is(words, ")"), "attribute_not_exists of more");
            return !self.item.contains_key(name);
        }
        let held = self.item.get(self.name(words.pop().expect("a name")));
        match words.pop().expect("a comparison") {
            "=" => held == Some(&self.value(words.pop().expect("a value"))),
            "<=" => match (held, self.value(words.pop().expect("a value"))) {
                (Some(Attribute::N(held)), Attribute::N(value)) => number(held) <= number(&value),
                // Nothing is in no order with anything.
                (None, Attribute::N(_)) => false,
                other => panic!("compares {other:?}"),
            },
            "IN" => {
                assert!(next_is(words, "("), "IN what");
                let mut found = false;
                loop {
                    found |= held == Some(&self.value(words.pop().expect("a value")));
                    match words.pop() {
                        Some(",") => {}
                        Some(")") => return found,
                        other => panic!("IN ends with {other:?}"),
                    }
                }
            }
            other => panic!("the comparison {other} is not understood"),
        }
    }

    fn made(&self) -> Item {
        let update = self.arguments["UpdateExpression"]
            .as_str()
            .expect("an update");
        let update = update
            .strip_prefix("SET ")
            .expect("every write sets something");
        let (sets, removes) = update.split_once(" REMOVE ").unwrap_or((update, ""));
        let mut made = self.item.clone();
        for set in pieces(sets) {
            let (name, value) = set.split_once(" = ").expect("an assignment");
            let name = self.name(name);
            let value = match value.strip_prefix("if_not_exists(") {
                None => self.value(value),
                Some(rest) => {
                    let rest = rest.strip_suffix(')').expect("a closing parenthesis");
                    let (kept, value) = rest.split_once(", ").expect("two operands");
                    let kept = self.item.get(self.name(kept)).cloned();
                    kept.unwrap_or_else(|| self.value(value))
                }
            };
            made.insert(name.to_owned(), value);
        }
        for name in removes.split(", ").filter(|name| !name.is_empty()) {
            made.remove(self.name(name));
        }
        made
    }

    fn name(&self, placeholder: &str) -> &str {
        self.arguments["ExpressionAttributeNames"][placeholder]
            .as_str()
            .unwrap_or_else(|| panic!("no name {placeholder}"))
    }

    fn value(&self, placeholder: &str) -> Attribute {
        let value = &self.arguments["ExpressionAttributeValues"][placeholder];
        match (value["S"].as_str(), value["N"].as_str()) {
            (Some(text), None) => Attribute::S(text.to_owned()),
            (None, Some(text)) => Attribute::N(text.to_owned()),
            _ => panic!("the value {placeholder} is {value}"),
        }
    }
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn next_is(words: &mut Vec<&str>, word: &str) -> bool {
    let is = words.last() == Some(&word);
    if is {
        words.pop();
    }
    is
}

/// The assignments, of which one may have a comma in its parentheses.
fn pieces(sets: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut from, mut depth) = (0, 0_u32);
    for (at, letter) in sets.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                pieces.push(sets[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(sets[from..].trim());
    pieces
}
