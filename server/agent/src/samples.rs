//! Prometheus's text format (version 0.0.4), as far as a sum of samples needs it.
//!
//! Strict: a line that is not understood is an error, because it might be one of those that count.

use std::collections::BTreeMap;

/// The labels of a sample, or those that it has to have.
pub type Labels = BTreeMap<String, String>;

/// The largest whole number that every smaller one is exact beside.
const LARGEST: f64 = 9_007_199_254_740_992.0;

/// The sum of all samples of this name that have these labels, and perhaps others.
///
/// # Errors
/// When there is none, a line is not understood, or the sum is no whole number.
pub(crate) fn sum(text: &[u8], name: &str, labels: &Labels) -> Result<u64, String> {
    let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
    let mut found = None;
    for line in text.lines().map(|line| line.trim_matches([' ', '\t'])) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let sample = Sample::read(line).ok_or_else(|| format!("no sample: {line:?}"))?;
        let wanted = |(label, value)| sample.labels.get(label) == Some(value);
        if sample.name == name && labels.iter().all(wanted) {
            *found.get_or_insert(0.0) += sample.value;
        }
    }
    let sum: f64 = found.ok_or_else(|| format!("no sample of {name} with {labels:?}"))?;
    whole(sum).ok_or_else(|| format!("{name} is {sum}, and no whole number"))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(sum: f64) -> Option<u64> {
    // NaN and the infinities are in no range.
    let is_whole = (0.0..LARGEST).contains(&sum) && sum.fract() == 0.0;
    is_whole.then_some(sum as u64)
}

#[derive(Debug, PartialEq)]
struct Sample<'a> {
    name: &'a str,
    labels: Labels,
    value: f64,
}

impl<'a> Sample<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (name, mut rest) = named(line, is_of_metric)?;
        let mut labels = Labels::new();
        rest = rest.trim_start();
        if let Some(listed) = rest.strip_prefix('{') {
            (labels, rest) = read_labels(listed)?;
        }
        let mut fields = rest.split_ascii_whitespace();
        let value = fields.next()?.parse().ok()?;
        // When it was taken, in milliseconds.
        let taken: Option<Result<i64, _>> = fields.next().map(str::parse);
        let ends = fields.next().is_none() && taken.is_none_or(|taken| taken.is_ok());
        ends.then_some(Self {
            name,
            labels,
            value,
        })
    }
}

/// What stands between the braces, and what comes after them.
fn read_labels(mut rest: &str) -> Option<(Labels, &str)> {
    let mut labels = Labels::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = named(rest, is_of_label)?;
        let after = after.trim_start().strip_prefix('=')?.trim_start();
        let (value, after) = quoted(after)?;
        if labels.insert(name.into(), value).is_some() {
            return None;
        }
        rest = after.trim_start();
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.starts_with('}') => {}
            None => return None,
        }
    }
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix('"')?;
    let (mut value, mut characters) = (String::new(), text.char_indices());
    while let Some((at, character)) = characters.next() {
        value.push(match character {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => match characters.next()?.1 {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                _ => return None,
            },
            other => other,
        });
    }
    None
}

/// A name at the beginning of a text, and the rest.
fn named(text: &str, is_of_name: fn(char) -> bool) -> Option<(&str, &str)> {
    let end = text
        .find(|character| !is_of_name(character))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    is_name(name, is_of_name).then_some((name, rest))
}

fn is_name(name: &str, is_of_name: fn(char) -> bool) -> bool {
    let begins = name.chars().next();
    begins.is_some_and(|first| !first.is_ascii_digit()) && name.chars().all(is_of_name)
}

fn is_of_label(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn is_of_metric(character: char) -> bool {
    is_of_label(character) || character == ':'
}

/// Whether a metric may be called so.
pub(crate) fn is_metric(name: &str) -> bool {
    is_name(name, is_of_metric)
}

/// Whether a label may be called so.
pub(crate) fn is_label(name: &str) -> bool {
    is_name(name, is_of_label)
}

#[cfg(test)]
#[path = "samples_tests.rs"]
mod tests;
