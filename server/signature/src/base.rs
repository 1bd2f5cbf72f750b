//! The text that is signed (RFC 9421, section 2.5), and the fields that carry it.

use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{
    BareItem, DictSerializer, FieldType as _, InnerList, Item, ItemSerializer, KeyRef, List,
    ListEntry,
};

use crate::refused::Refused;

/// What a signature covers: a name, and whether it is the request's, in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Component {
    pub(crate) name: &'static str,
    pub(crate) of_request: bool,
}

/// The parameter that binds an answer to its request.
const REQ: &str = "req";

impl Component {
    pub(crate) const fn of(name: &'static str) -> Self {
        Self {
            name,
            of_request: false,
        }
    }

    pub(crate) const fn of_request(name: &'static str) -> Self {
        Self {
            name,
            of_request: true,
        }
    }

    /// As an item of the list of what is covered; the names are constants of this crate, all of them printable.
    pub(crate) fn item(self) -> Option<Item> {
        let name = sfv::String::from_string(self.name.to_owned()).ok()?;
        let mut item = Item::new(BareItem::String(name));
        if self.of_request {
            let key = KeyRef::from_str(REQ).ok()?;
            item.params.insert(key.to_owned(), BareItem::Boolean(true));
        }
        Some(item)
    }

    /// Whether an item of a list is this component.
    pub(crate) fn is(self, item: &Item) -> bool {
        name(item) == Some(self.name) && is_of_request(item) == Some(self.of_request)
    }
}

fn name(item: &Item) -> Option<&str> {
    item.bare_item.as_string().map(|name| name.as_str())
}

/// None where it has another parameter, which would mean something that is not understood here.
fn is_of_request(item: &Item) -> Option<bool> {
    let mut parameters = item.params.iter();
    match (parameters.next(), parameters.next()) {
        (None, _) => Some(false),
        (Some((key, BareItem::Boolean(true))), None) if key.as_str() == REQ => Some(true),
        _ => None,
    }
}

/// The text that is signed. `value` answers what a component is in the message; none for what it does not have.
pub(crate) fn base(
    covered: &InnerList,
    value: impl Fn(&str, bool) -> Option<String>,
) -> Result<String, Refused> {
    let not_understood = || Refused::Malformed("Signature-Input");
    let mut text = String::new();
    for item in &covered.items {
        let name = name(item).ok_or_else(not_understood)?;
        let of_request = is_of_request(item).ok_or_else(not_understood)?;
        let value = value(name, of_request).ok_or_else(not_understood)?;
        let id = ItemSerializer::new()
            .bare_item(&item.bare_item)
            .parameters(item.params.iter().map(|(key, value)| (key.as_ref(), value)))
            .finish();
        text.push_str(&format!("{id}: {value}\n"));
    }
    let parameters = serialized(covered).ok_or_else(not_understood)?;
    text.push_str(&format!("\"@signature-params\": {parameters}"));
    Ok(text)
}

fn serialized(list: &InnerList) -> Option<String> {
    let list: List = vec![ListEntry::InnerList(list.clone())];
    list.serialize()
}

/// A field's value, as a signature takes it: several are joined, white space around them is not theirs. None where it is
/// absent or no text.
pub(crate) fn value(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values = headers.get_all(name).iter();
    let texts: Option<Vec<&str>> = values
        .map(|value| value.to_str().ok().map(str::trim))
        .collect();
    texts
        .filter(|texts| !texts.is_empty())
        .map(|texts| texts.join(", "))
}

/// A dictionary with this one entry.
pub(crate) fn bytes_field(key: &'static str, bytes: &[u8]) -> HeaderValue {
    let entry = ListEntry::Item(Item::new(BareItem::ByteSequence(bytes.to_vec())));
    dictionary([(key.to_owned(), entry)])
}

/// A dictionary of these entries. Whoever calls names keys of lower-case letters, digits and hyphens, which all fit.
pub(crate) fn dictionary(entries: impl IntoIterator<Item = (String, ListEntry)>) -> HeaderValue {
    let entries: Vec<_> = entries
        .into_iter()
        .filter_map(|(key, entry)| Some((sfv::Key::from_string(key).ok()?, entry)))
        .collect();
    let mut serializer = DictSerializer::new();
    serializer.members(entries.iter().map(|(key, entry)| (key.as_ref(), entry)));
    let text = serializer.finish().unwrap_or_default();
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use sfv::{Dictionary, Parser};

    use super::*;

    /// https://www.rfc-editor.org/rfc/rfc9421.html#appendix-B.2.5
    #[test]
    fn the_base_is_the_one_of_the_rfc() {
        let input = r#"sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#;
        let parsed: Dictionary = Parser::new(input).parse().unwrap();
        let Some(ListEntry::InnerList(covered)) = parsed.get("sig-b25") else {
            panic!("{parsed:?}");
        };
        let value = |name: &str, of_request: bool| {
            assert!(!of_request);
            let value = match name {
                "date" => "Tue, 20 Apr 2021 02:07:55 GMT",
                "@authority" => "example.com",
                _ => "application/json",
            };
            Some(value.to_owned())
        };
        let expected = "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\
            \"@authority\": example.com\n\
            \"content-type\": application/json\n\
            \"@signature-params\": (\"date\" \"@authority\" \"content-type\")\
            ;created=1618884473;keyid=\"test-shared-secret\"";
        assert_eq!(base(covered, value).unwrap(), expected);
    }
}
