//! `explain`: the operating guide's rows about an error.

use serde_json::{Map, Value};

use crate::arguments::{Explain, Output};
use crate::failed::Failed;
use crate::guide::{self, Entry};
use crate::print;

pub(crate) fn explain(asked: &Explain, output: Output) -> Result<(), Failed> {
    let Some(name) = &asked.name else {
        return list(output);
    };
    let found = guide::about(name).map_err(|meant| {
        let meant = meant.map(|meant| format!(", did you mean {meant}?"));
        let meant = meant.unwrap_or_else(|| "; `ebbtide explain` lists what there is".to_owned());
        Failed::Unknown(format!(
            "the operating guide has nothing about {name}{meant}"
        ))
    })?;
    if output == Output::Json {
        return print::json(&found.iter().map(json).collect::<Vec<_>>());
    }
    for (place, entry) in found.iter().enumerate() {
        if place > 0 {
            print::line("");
        }
        print::line(&text(entry));
    }
    Ok(())
}

fn list(output: Output) -> Result<(), Failed> {
    let mut names: Vec<String> = Vec::new();
    for name in guide::entries().into_iter().flat_map(|entry| entry.names) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if output == Output::Json {
        return print::json(&names);
    }
    names.iter().for_each(|name| print::line(name));
    Ok(())
}

fn text(entry: &Entry) -> String {
    let mut lines = vec![format!("docs/operating.md, {}", entry.section)];
    for (head, text) in &entry.columns {
        lines.push(format!("  {head:<16} {text}"));
    }
    lines.join("\n")
}

fn json(entry: &Entry) -> Value {
    let mut row = Map::new();
    row.insert("section".to_owned(), entry.section.clone().into());
    for (head, text) in &entry.columns {
        row.insert(head.clone(), text.clone().into());
    }
    Value::Object(row)
}
