//! `%i`, `%n` and `%%` in the values of a template's files.

use super::ContainerName;
use super::diagnostics::{Mistake, Report};
use super::tree::{Node, Table, Value};
use super::verbatim_sections;

/// Replaces the specifiers of our own keys. The verbatim sections are systemd's, and so are the specifiers in them;
/// only `%i` is the template's instance there too: systemd's own is `web@blue`, of which no other unit is an instance.
pub fn expand(table: &mut Table, name: &ContainerName, report: &Report) {
    let Some(instance) = name.instance() else { return };
    for entry in &mut table.entries {
        match verbatim_sections::section(&entry.key) {
            Some(_) => expand_instance(&mut entry.node, instance),
            None => expand_node(&mut entry.node, instance, name.as_str(), report),
        }
    }
}

fn expand_instance(node: &mut Node, instance: &str) {
    match &mut node.value {
        Value::String(text) => *text = with_instance(text, instance),
        Value::Array(items) => items.iter_mut().for_each(|item| expand_instance(item, instance)),
        Value::Table(table) => table.entries.iter_mut().for_each(|entry| expand_instance(&mut entry.node, instance)),
        _ => {}
    }
}

/// Every other specifier stays for systemd, `%%` among them.
fn with_instance(text: &str, instance: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        match (next, rest.clone().next()) {
            ('%', Some('i')) => out.push_str(instance),
            ('%', Some(other)) => out.extend(['%', other]),
            _ => {
                out.push(next);
                continue;
            }
        }
        rest.next();
    }
    out
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_systemds_sections_only_the_instance_is_replaced() {
        let text = "container@db@%i.service on %H at 50%%i, %n, %";
        assert_eq!(with_instance(text, "blue"), "container@db@blue.service on %H at 50%%i, %n, %");
    }
}
