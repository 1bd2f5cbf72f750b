//! What an error means: the rows of the operating guide, which is part of this program.
//!
//! Every table of it whose first column names errors or ends in backticks is read; nothing is said here that is not there.

use ebbtide_rules::suggestion::closest;

const GUIDE: &str = include_str!("../../docs/operating.md");
/// The first columns of the tables that are read.
const FIRST: [&str; 2] = ["error", "end"];

/// One row about a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The names in its first column.
    pub(crate) names: Vec<String>,
    /// The section of the guide.
    pub(crate) section: String,
    /// Each column's head and what the row has there, the first one among them.
    pub(crate) columns: Vec<(String, String)>,
}

/// The guide's rows.
pub(crate) fn entries() -> Vec<Entry> {
    let (mut entries, mut section, mut heads) = (Vec::new(), String::new(), Vec::new());
    for line in GUIDE.lines() {
        if let Some(title) = line.strip_prefix('#') {
            title
                .trim_start_matches('#')
                .trim()
                .clone_into(&mut section);
        }
        let Some(cells) = cells(line) else {
            heads.clear();
            continue;
        };
        if heads.is_empty() {
            heads = cells;
        } else if heads.first().is_some_and(|it| FIRST.contains(&it.as_str())) {
            let names = names(&cells);
            if !names.is_empty() {
                let columns = heads.iter().cloned().zip(cells).collect();
                entries.push(Entry {
                    names,
                    section: section.clone(),
                    columns,
                });
            }
        }
    }
    entries
}

/// The rows about a name; case does not matter, and `Lambda.*` is about every name that begins so.
///
/// # Errors
/// With the name that was probably meant, if there is none of this one.
pub(crate) fn about(name: &str) -> Result<Vec<Entry>, Option<String>> {
    let entries = entries();
    let wanted = name.to_lowercase();
    let is = |known: &String| {
        let known = known.to_lowercase();
        match known.strip_suffix('*') {
            Some(start) => wanted.starts_with(start),
            None => known == wanted,
        }
    };
    let found: Vec<Entry> = entries
        .iter()
        .filter(|entry| entry.names.iter().any(is))
        .cloned()
        .collect();
    if found.is_empty() {
        let names: Vec<&str> = entries
            .iter()
            .flat_map(|entry| entry.names.iter().map(String::as_str))
            .collect();
        return Err(closest(name, &names).map(str::to_owned));
    }
    Ok(found)
}

/// The cells of a table's row, links and marks taken off; none of another line.
fn cells(line: &str) -> Option<Vec<String>> {
    let row = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(row.split('|').map(|cell| unlinked(cell.trim())).collect())
}

/// The names in backticks of the first cell.
fn names(cells: &[String]) -> Vec<String> {
    let first = cells.first().map_or("", String::as_str);
    first
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// `[words](address)` as `words (address)`, within the guide as `words`.
fn unlinked(text: &str) -> String {
    let Some((before, rest)) = text.split_once('[') else {
        return text.to_owned();
    };
    let link = rest
        .split_once("](")
        .and_then(|(words, rest)| Some((words, rest.split_once(')')?)));
    match link {
        Some((words, (address, after))) if address.starts_with('#') => {
            format!("{before}{words}{}", unlinked(after))
        }
        Some((words, (address, after))) => {
            format!("{before}{words} (docs/{address}){}", unlinked(after))
        }
        None => format!("{before}[{}", unlinked(rest)),
    }
}

#[cfg(test)]
mod tests {
    use ebbtide_rules::ErrorName;

    use super::*;

    #[test]
    fn every_error_that_a_function_can_give_is_explained() {
        for name in ErrorName::ALL {
            assert!(
                about(name.as_str()).is_ok(),
                "{name} has no row in docs/operating.md"
            );
        }
    }

    #[test]
    fn every_end_of_the_state_machine_is_explained() {
        let definition: serde_json::Value =
            serde_json::from_str(include_str!("../../statemachine.asl.json")).unwrap();
        let states = definition["States"].as_object().unwrap();
        let ends = states.iter().filter(|(_, state)| {
            ["Succeed", "Fail"].contains(&state["Type"].as_str().unwrap_or_default())
        });
        let ends: Vec<&String> = ends.map(|(name, _)| name).collect();
        assert!(ends.len() >= 6, "{ends:?}");
        for end in ends {
            assert!(about(end).is_ok(), "{end} has no row in docs/operating.md");
        }
    }

    #[test]
    fn a_row_is_found_by_its_name_in_any_case_and_by_a_pattern() {
        let found = about("draindeadlineexceeded").unwrap();
        assert_eq!(found.len(), 1);
        let columns: Vec<&str> = found[0].columns.iter().map(|it| it.0.as_str()).collect();
        assert_eq!(
            columns,
            ["error", "in", "it means", "touched, serves", "do"]
        );
        assert!(found[0].columns.iter().all(|(_, text)| !text.is_empty()));
        assert!(about("InvalidInput").unwrap().len() > 1);
        assert!(about("Lambda.TooManyRequestsException").is_ok());
        assert_eq!(about("Superceded"), Err(Some("Superseded".to_owned())));
        assert_eq!(about("TotallyUnheardOf"), Err(None));
    }

    #[test]
    fn links_are_words_with_an_address_outside_the_guide() {
        assert_eq!(unlinked("[take over](#take-over), now"), "take over, now");
        assert_eq!(
            unlinked("see [account.md](account.md) and [x"),
            "see account.md (docs/account.md) and [x"
        );
    }
}
