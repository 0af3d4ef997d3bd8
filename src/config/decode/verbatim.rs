//! `[unit]`, `[service]`, `[resources]` and `[install]`: systemd's own names, an allow-list, every value checked.

use crate::config::diagnostics::{MOST, Mistake};
use crate::config::item::{Item, Section};
use crate::config::schema;
use crate::config::suggest::{nearest, plain};
use crate::config::tree::{Entry, Value};
use crate::config::verbatim_sections::{self, bracketed, header};
use crate::config::{VerbatimSection, VerbatimSetting};
use crate::unit::{Kind, Owner, Setting, ValueError, table};

pub fn decode(root: Section) -> Vec<VerbatimSetting> {
    let mut settings = Vec::new();
    for section in verbatim_sections::TABLES {
        settings.extend(root.item(header(section)).and_then(|item| table(section, item)).unwrap_or_default());
    }
    settings
}

/// The settings of one table.
pub fn table(section: VerbatimSection, item: Item) -> Option<Vec<VerbatimSetting>> {
    let entries = match &item.node.value {
        Value::Table(table) => table.entries.as_slice(),
        other => {
            let message = format!("expected a table, found {}", other.kind());
            return item.fail(Mistake::new(message, format!("its keys stand below {}", bracketed(section))));
        }
    };
    let mut settings = Vec::new();
    for entry in entries {
        let Some(setting) = Setting::verbatim(section, &entry.key) else { continue };
        let values = values(setting, Item::of(entry, item.report));
        settings.extend(values.map(|values| VerbatimSetting { section, key: entry.key.clone(), values }));
    }
    let strangers = entries.iter().filter(|entry| Setting::verbatim(section, &entry.key).is_none());
    for entry in strangers.take(MOST) {
        item.report.add(&entry.key_place, unknown(section, entry));
    }
    Some(settings)
}

/// The lines of a unit file; only those after the last reset count, and the reset itself.
fn values(setting: &'static Setting, item: Item) -> Option<Vec<String>> {
    let is_list = setting.reset().is_ok();
    let lines = match &item.node.value {
        Value::Array(_) if !is_list => {
            return item.fail(Mistake::new("expected a single value, found an array", "leave the brackets out"));
        }
        Value::Array(items) => {
            let lines: Vec<Option<String>> = items.iter().map(|node| line(setting, Item { node, ..item })).collect();
            lines.into_iter().collect::<Option<Vec<String>>>()?
        }
        _ => vec![line(setting, item)?],
    };
    let reset = lines.iter().rposition(String::is_empty);
    let mut lines = lines;
    if let Some(reset) = reset {
        lines.drain(..reset);
    }
    Some(if lines.len() == 1 && lines[0].is_empty() { Vec::new() } else { lines })
}

/// One value as systemd writes it.
fn line(setting: &'static Setting, item: Item) -> Option<String> {
    let text = match &item.node.value {
        Value::String(_) => item.string()?.to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.clone(),
        Value::Boolean(true) => "yes".to_owned(),
        Value::Boolean(false) => "no".to_owned(),
        Value::Datetime => item.string()?.to_owned(),
        Value::Array(_) | Value::Table(_) => return item.expected("a string, a number or a boolean"),
    };
    if text.contains(['\n', '\r']) {
        return item.fail(Mistake::new("a unit file's value is a single line", "write several as an array of strings"));
    }
    match setting.parse(&text) {
        Ok(_) => Some(text),
        Err(error) => item.fail(mistake(setting, &text, error)),
    }
}

fn mistake(setting: &Setting, text: &str, error: ValueError) -> Mistake {
    let help = match &error {
        ValueError::NotOneOf { found, allowed } => {
            nearest(found, allowed.iter().copied()).map(|word| format!("did you mean “{word}”?"))
        }
        ValueError::Malformed { .. } if setting.kind == Kind::Units => unit_help(text),
        ValueError::Malformed { .. } if matches!(setting.kind, Kind::Quota | Kind::Share) => {
            text.parse::<u32>().is_ok().then(|| format!("write \"{text}%\""))
        }
        _ => None,
    };
    let message = match text.is_empty() {
        true => "expected a value, found an empty text".to_owned(),
        false => error.to_string(),
    };
    Mistake { message, help }
}

/// systemd.special(7): those a container is likely to be ordered after or installed into.
const TARGETS: [&str; 12] = [
    "multi-user",
    "graphical",
    "default",
    "network",
    "network-online",
    "network-pre",
    "nss-lookup",
    "time-sync",
    "local-fs",
    "remote-fs",
    "machines",
    "basic",
];

/// The first name without a suffix is probably a container's or a service's.
fn unit_help(text: &str) -> Option<String> {
    let word = text.split_whitespace().find(|word| !word.contains('.'))?;
    if TARGETS.contains(&word) {
        return Some(format!("did you mean “{word}.target”?"));
    }
    Some(format!("a container is “container@{word}.service”, a service “{word}.service”"))
}

fn unknown(section: VerbatimSection, entry: &Entry) -> Mistake {
    let key = entry.key.as_str();
    let here = bracketed(section);
    let all = || table::all().chain(table::sockets());
    let wrong = |setting: &'static Setting| match setting.owner {
        Owner::Verbatim(other) if other == section => Some(format!("did you mean “{}”?", setting.name)),
        Owner::Verbatim(other) => Some(format!("“{}” belongs to {}", setting.name, bracketed(other))),
        Owner::Berth => None,
    };
    let find = |name: &str| all().find(|setting| setting.name == name);
    if let Some(help) = find(key).and_then(wrong) {
        return Mistake::new(format!("{here} has no setting “{key}”"), help);
    }
    if let Some(help) = verbatim_sections::reserved(key) {
        return Mistake::new(format!("“{key}” is berth's to set"), help);
    }
    let spelled = all().find(|setting| plain(setting.name) == plain(key)).and_then(wrong);
    let own = || all().filter(|setting| setting.owner == Owner::Verbatim(section)).map(|setting| setting.name);
    let help = spelled
        .or_else(|| nearest(key, own()).map(|name| format!("did you mean “{name}”?")))
        .or_else(|| schema::help_for_setting(key))
        .or_else(|| find(nearest(key, all().map(|setting| setting.name))?).and_then(wrong));
    Mistake { message: format!("{here} has no setting “{key}”"), help }
}
