//! Properties as the text of a unit file or drop-in.

use super::property::Property;
use super::setting::Kind;
use super::specified::Specified;
use super::value::{Delegate, Escape, INFINITY, Limit, Share, Stream, Value, escape_bytes, quote};

/// The sections in order, each with its header once; nothing for no properties.
pub fn text(properties: &[Property]) -> String {
    let mut sections: Vec<_> = properties.iter().map(Property::section).collect();
    sections.sort_unstable();
    sections.dedup();
    let mut out = String::new();
    for section in sections {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(section.header());
        out.push('\n');
        for property in properties.iter().filter(|property| property.section() == section) {
            for line in lines(property.setting.kind, &property.value) {
                out.push_str(property.name());
                out.push('=');
                // Parsed values hold no control characters; a derived one must not start a setting of its own.
                out.extend(line.chars().map(|next| if next.is_control() { ' ' } else { next }));
                // A backslash before the line break would join the next line; white space after it is trimmed.
                out.push_str(if line.ends_with('\\') { " \n" } else { "\n" });
            }
        }
    }
    out
}

/// What stands after the `=`: one line, for some lists one an entry. An empty list is the empty assignment.
fn lines(kind: Kind, value: &Value) -> Vec<String> {
    let entries = match value {
        // Names of units keep their backslashes; some lists take one entry a line, and every list may.
        Value::Words(words) if matches!(kind, Kind::Units | Kind::Names | Kind::Address | Kind::Node | Kind::Lines) => {
            words.iter().map(|word| word.as_unit_text().to_owned()).collect()
        }
        Value::Words(words) => words.iter().map(path_word).collect(),
        Value::Devices(devices) => {
            devices.iter().map(|(path, access)| format!("{} {access}", path_word(path))).collect()
        }
        Value::PathNumbers(entries) => {
            entries.iter().map(|(path, number)| format!("{} {}", path_word(path), amount(*number))).collect()
        }
        Value::PathSpans(entries) => {
            entries.iter().map(|(path, time)| format!("{} {}", path_word(path), span(*time))).collect()
        }
        Value::Pairs(pairs) => pairs.iter().map(|(first, second)| format!("{first}:{second}")).collect(),
        Value::Data(data) => data.iter().map(|(id, bytes)| format!("{id}:{}", escape_bytes(bytes))).collect(),
        Value::Ports(rules) => rules.iter().map(ToString::to_string).collect(),
        Value::Commands(commands) => commands.iter().map(|command| command.line()).collect(),
        other => vec![line(kind, other)],
    };
    if entries.is_empty() { vec![String::new()] } else { entries }
}

fn line(kind: Kind, value: &Value) -> String {
    match value {
        Value::Bool(flag) => (if *flag { "yes" } else { "no" }).to_owned(),
        Value::Word(word) => word.clone(),
        Value::Text(text) => text.as_unit_text().to_owned(),
        Value::Unsigned(number) => number.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Named { name, .. } => name.clone(),
        Value::Large(number) => amount(*number),
        Value::Mode(mode) => format!("{mode:04o}"),
        Value::Span(time) => span(*time),
        Value::Nanoseconds(time) => format!("{time}ns"),
        Value::Limit(Limit::Absolute(number)) => amount(*number),
        Value::Limit(Limit::Share(share)) | Value::Share(share) => per_cent(*share),
        Value::Weight(0) => "idle".to_owned(),
        Value::Weight(weight) => weight.to_string(),
        Value::Quota(INFINITY) => String::new(),
        Value::Quota(time) => format!("{}.{:02}%", time / 10_000, time / 100 % 100),
        Value::Assignments(words) | Value::Fields(words) => joined(words, Escape::C),
        Value::Prefixes(prefixes) => prefixes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        Value::Interfaces(interfaces) => interfaces.to_string(),
        Value::Set(numbers) => numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        Value::Statuses { codes, signals } => {
            let signals = signals.iter().map(|signal| super::signal::name(*signal));
            codes.iter().map(ToString::to_string).chain(signals).collect::<Vec<_>>().join(" ")
        }
        Value::Condition(None) => String::new(),
        Value::Condition(Some(condition)) => {
            let trigger = if condition.trigger { "|" } else { "" };
            let negate = if condition.negate { "!" } else { "" };
            format!("{trigger}{negate}{}", condition.parameter)
        }
        Value::Stream(stream) => match stream {
            Stream::Plain(word) => word.clone(),
            Stream::File(path) => format!("file:{path}"),
            Stream::Append(path) => format!("append:{path}"),
            Stream::Truncate(path) => format!("truncate:{path}"),
            Stream::Descriptor(name) => format!("fd:{name}"),
        },
        Value::Delegate(Delegate::All(all)) => (if *all { "yes" } else { "no" }).to_owned(),
        Value::Delegate(Delegate::Controllers(names)) => names.join(" "),
        Value::Words(_)
        | Value::Devices(_)
        | Value::PathNumbers(_)
        | Value::PathSpans(_)
        | Value::Pairs(_)
        | Value::Data(_)
        | Value::Ports(_)
        | Value::Commands(_) => lines(kind, value).join(" "),
    }
}

fn path_word(path: &Specified) -> String {
    quote(path.as_unit_text(), Escape::Plain)
}

fn joined(words: &[Specified], escape: Escape) -> String {
    words.iter().map(|word| quote(word.as_unit_text(), escape)).collect::<Vec<_>>().join(" ")
}

fn amount(number: u64) -> String {
    if number == INFINITY { "infinity".to_owned() } else { number.to_string() }
}

/// The largest unit that divides the time, for people who read the drop-in.
fn span(time: u64) -> String {
    match time {
        INFINITY => "infinity".to_owned(),
        0 => "0".to_owned(),
        whole if whole % 1_000_000 == 0 => format!("{}s", whole / 1_000_000),
        part if part % 1_000 == 0 => format!("{}ms", part / 1_000),
        rest => format!("{rest}us"),
    }
}

fn per_cent(share: Share) -> String {
    format!("{}.{:02}%", share.0 / 100, share.0 % 100)
}
