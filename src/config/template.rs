//! `%i`, `%n` and `%%` in the values of a template's files.

use super::ContainerName;
use super::diagnostics::{Mistake, Report};
use super::tree::{Node, Table, Value};
use super::verbatim_sections;

/// Replaces the specifiers of our own keys. The verbatim sections are systemd's, and so are the specifiers in them.
pub fn expand(table: &mut Table, name: &ContainerName, report: &Report) {
    let Some(instance) = name.instance() else { return };
    let ours = table.entries.iter_mut().filter(|entry| verbatim_sections::section(&entry.key).is_none());
    for entry in ours {
        expand_node(&mut entry.node, instance, name.as_str(), report);
    }
}

fn expand_node(node: &mut Node, instance: &str, name: &str, report: &Report) {
    match &mut node.value {
        Value::String(text) if text.contains('%') => match expanded(text, instance, name) {
            Ok(expanded) => *text = expanded,
            Err(mistake) => report.add(&node.place, mistake),
        },
        Value::Array(items) => items.iter_mut().for_each(|item| expand_node(item, instance, name, report)),
        Value::Table(table) => {
            table.entries.iter_mut().for_each(|entry| expand_node(&mut entry.node, instance, name, report));
        }
        _ => {}
    }
}

fn expanded(text: &str, instance: &str, name: &str) -> Result<String, Mistake> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        if next != '%' {
            out.push(next);
            continue;
        }
        match rest.next() {
            Some('i') => out.push_str(instance),
            Some('n') => out.push_str(name),
            Some('%') => out.push('%'),
            Some(other) => {
                let message = format!("“%{other}” has no meaning in a template");
                return Err(Mistake::new(message, "%i is the instance, %n the name; write %% for a per cent sign"));
            }
            None => {
                return Err(Mistake::new(
                    "a lone “%” at the end of a template's value",
                    "write %% for a per cent sign",
                ));
            }
        }
    }
    Ok(out)
}
