//! A drop-in over what came before it: tables merge, lists append and `[]` resets, everything else is replaced.

use super::tree::{Entry, Node, Place, Table, Value};
use super::verbatim_sections::section;
use crate::unit::Setting;

/// How a later value of one key meets an earlier one.
enum Meeting {
    Replace,
    Append,
    /// One line of a unit file each, so that a single value is a list of one.
    AppendLines,
    /// `[[mount]]`: by target.
    Mounts,
}

pub fn merge(base: &mut Table, over: Table) {
    merge_table(base, over, "");
}

fn merge_table(base: &mut Table, over: Table, path: &str) {
    for Entry { key, key_place, node } in over.entries {
        let Some(old) = base.get_mut(&key) else {
            base.entries.push(Entry { key, key_place, node });
            continue;
        };
        match (&mut old.node.value, node.value) {
            (Value::Table(old), Value::Table(new)) => {
                let path = if path.is_empty() { key } else { format!("{path}.{key}") };
                merge_table(old, new, &path);
            }
            (earlier, later) => {
                let node = Node { value: later, ..node };
                match meeting(path, &key, &node.value) {
                    Meeting::Append => match (earlier, node.value) {
                        (Value::Array(earlier), Value::Array(later)) if !later.is_empty() => earlier.extend(later),
                        (_, value) => (old.key_place, old.node) = (key_place, Node { value, ..node }),
                    },
                    Meeting::AppendLines => append_lines(&mut old.node, node),
                    Meeting::Mounts => match (earlier, node.value) {
                        (Value::Array(earlier), Value::Array(later)) => {
                            later.into_iter().for_each(|it| mount(earlier, it))
                        }
                        (_, value) => (old.key_place, old.node) = (key_place, Node { value, ..node }),
                    },
                    Meeting::Replace => (old.key_place, old.node) = (key_place, node),
                }
            }
        }
    }
}

fn meeting(path: &str, key: &str, value: &Value) -> Meeting {
    let empty = matches!(value, Value::Array(items) if items.is_empty());
    match (path, key) {
        ("", "command" | "entrypoint" | "reload-command") => Meeting::Replace,
        ("", "mount") if !empty => Meeting::Mounts,
        _ => match section(path) {
            Some(verbatim) => match Setting::verbatim(verbatim, key) {
                Some(setting) if setting.reset().is_ok() => Meeting::AppendLines,
                _ => Meeting::Replace,
            },
            None => Meeting::Append,
        },
    }
}

fn append_lines(old: &mut Node, new: Node) {
    let place = new.place.clone();
    let mut lines = lines(std::mem::replace(&mut old.value, Value::Array(Vec::new())), &old.place);
    match new.value {
        // The list is reset, and so is what stands in the unit itself: an empty line, as systemd has it.
        Value::Array(items) if items.is_empty() => {
            lines = vec![Node { place: place.clone(), value: Value::String(String::new()) }];
        }
        Value::Array(items) => lines.extend(items),
        value => lines.push(Node { place, value }),
    }
    old.value = Value::Array(lines);
}

fn lines(value: Value, place: &Place) -> Vec<Node> {
    match value {
        Value::Array(items) if items.is_empty() => {
            vec![Node { place: place.clone(), value: Value::String(String::new()) }]
        }
        Value::Array(items) => items,
        value => vec![Node { place: place.clone(), value }],
    }
}

fn mount(mounts: &mut Vec<Node>, new: Node) {
    let same = target(&new).and_then(|wanted| mounts.iter().position(|old| target(old) == Some(wanted)));
    match same {
        Some(at) => mounts[at] = new,
        None => mounts.push(new),
    }
}

fn target(mount: &Node) -> Option<&str> {
    let Value::Table(table) = &mount.value else { return None };
    match &table.get("target")?.node.value {
        Value::String(target) => Some(target.trim_end_matches('/')),
        _ => None,
    }
}
