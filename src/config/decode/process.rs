//! The keys at the top of the file that say what runs and as whom, `[sysctls]` and `[rlimits]`.

use std::collections::BTreeMap;

use crate::config::diagnostics::Mistake;
use crate::config::item::{Item, Section};
use crate::config::tree::{Entry, Value};
use crate::config::{LimitRange, Reload, ResourceLimit, Signal, parse};
use crate::unit::signal as signals;

/// A list of words; `[]` is a command of none. A shell's line is no list.
pub fn command(item: Item) -> Option<Vec<String>> {
    match &item.node.value {
        Value::String(line) => {
            let words: Vec<String> = line.split_whitespace().map(|word| format!("{word:?}")).collect();
            let shell = line.contains(['"', '\'', '$', '|', '&', ';', '<', '>', '*', '`', '\\']);
            let help = match shell {
                true => format!("no shell reads it; write [\"sh\", \"-c\", {line:?}] to have one"),
                false => format!("write [{}]", words.join(", ")),
            };
            item.fail(Mistake::new("expected an array of strings, found a string", help))
        }
        _ => item.strings(),
    }
}

/// `[environment]`, or a list of `NAME=value` in other tools' form, which is told ours.
pub fn environment(root: Section) -> BTreeMap<String, String> {
    let Some(item) = root.item("environment") else { return BTreeMap::new() };
    if let Value::Array(items) = &item.node.value {
        let first = items.iter().find_map(|node| match &node.value {
            Value::String(text) => text.split_once('='),
            _ => None,
        });
        let (name, value) = first.unwrap_or(("NAME", "value"));
        let help = format!("write {{ {name} = {value:?} }}");
        item.fail::<()>(Mistake::new("expected a table, found an array", help));
        return BTreeMap::new();
    }
    map(item, parse::environment_name, |item| item.string().map(str::to_owned))
}

pub fn passed_variable(item: Item) -> Option<String> {
    item.parsed(|name| match parse::environment_name(name) {
        Err(mistake) if name.contains('=') => Err(mistake.help("a variable with a value stands in “environment”")),
        checked => checked.map(|()| name.to_owned()),
    })
}

pub fn labels(root: Section, key: &str) -> BTreeMap<String, String> {
    let Some(item) = root.item(key) else { return BTreeMap::new() };
    map(item, parse::label_key, |item| item.string().map(str::to_owned))
}

/// A table of the user's own names.
fn map<'a, T>(
    item: Item<'a>,
    check: impl Fn(&str) -> Result<(), Mistake>,
    read: impl Fn(Item<'a>) -> Option<T>,
) -> BTreeMap<String, T> {
    let mut map = BTreeMap::new();
    for entry in item.entries().unwrap_or_default() {
        if let Err(mistake) = check(&entry.key) {
            item.report.add(&entry.key_place, mistake);
        }
        if let Some(value) = read(Item::of(entry, item.report)) {
            map.insert(entry.key.clone(), value);
        }
    }
    map
}

/// By name: numbers differ between machines.
pub fn signal(item: Item) -> Option<Signal> {
    match &item.node.value {
        Value::Integer(number) => {
            let mistake = Mistake::from("expected a string, found an integer");
            let known = i32::try_from(*number).ok().filter(|number| (1..=31).contains(number));
            item.fail(match known {
                Some(number) => mistake.help(format!("write \"{}\"", signals::name(number))),
                None => mistake,
            })
        }
        _ => item.parsed(parse::signal),
    }
}

pub fn umask(item: Item) -> Option<u32> {
    match &item.node.value {
        Value::Integer(_) => {
            let mistake = Mistake::new("expected a string, found an integer", "write it in octal, such as \"0022\"");
            item.fail(mistake)
        }
        _ => item.parsed(|text| parse::mode(text, 0o777)),
    }
}

/// A signal or a command, not both.
pub fn reload(root: Section) -> Option<Reload> {
    let signal = root.read("reload-signal", signal).map(Reload::Signal);
    let words = root.read("reload-command", |item| match command(item)?.as_slice() {
        [] => item.fail("expected a command of at least one word"),
        words => Some(Reload::Command(words.to_vec())),
    });
    if let (Some(signal), Some(command)) = (root.place("reload-signal"), root.place("reload-command")) {
        let message = "“reload-signal” and “reload-command” exclude each other";
        root.report.add(signal.max(command), Mistake::new(message, "keep one of the two"));
    }
    signal.or(words)
}

pub fn sysctls(root: Section) -> BTreeMap<String, String> {
    let Some(item) = root.item("sysctls") else { return BTreeMap::new() };
    let mut sysctls = BTreeMap::new();
    for entry in item.entries().unwrap_or_default() {
        if let Value::Table(_) = entry.node.value {
            let help = format!("write the name in quotes: \"{}.…\" = …", entry.key);
            let message = format!("“{}” is only a part of a kernel parameter's name", entry.key);
            item.report.add(&entry.key_place, Mistake::new(message, help));
            continue;
        }
        if let Err(mistake) = parse::sysctl(&entry.key) {
            item.report.add(&entry.key_place, mistake);
            continue;
        }
        let line = |text: &str| match text.is_empty() || text.contains(char::is_control) {
            true => Err(Mistake::from("expected a value of one line")),
            false => Ok(text.to_owned()),
        };
        if let Some(value) = Item::of(entry, item.report).amount("a string or an integer", line) {
            sysctls.insert(entry.key.clone(), value);
        }
    }
    sysctls
}

pub fn rlimits(root: Section) -> BTreeMap<ResourceLimit, LimitRange> {
    let Some(item) = root.item("rlimits") else { return BTreeMap::new() };
    let read = |entry: &Entry| {
        let limit = match parse::rlimit(&entry.key) {
            Ok(limit) => limit,
            Err(mistake) => {
                item.report.add(&entry.key_place, mistake);
                return None;
            }
        };
        let value = Item::of(entry, item.report);
        let range = value.amount("a string or an integer", |text| parse::limit_range(limit, text))?;
        Some((limit, range))
    };
    item.entries().unwrap_or_default().iter().filter_map(read).collect()
}
