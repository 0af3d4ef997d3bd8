//! One line of a unit file → one typed value.

use super::command::Command;
use super::expectation::expectation;
use super::listen;
use super::quantity::{bytes, permyriad, span};
use super::token::{
    absolute, assignment, credential_name, device, interface, journal_field, one_line, path_and_rest, path_word,
    plain_word, relative, unit_name,
};
use super::words::{Escape, split, unescape_bytes};
use super::{Condition, Delegate, INFINITY, Interfaces, Limit, PortRule, Prefix, Share, Stream, Value};
use crate::unit::setting::Kind;
use crate::unit::signal;
use crate::unit::specified::Specified;

/// Why a value is not one of its setting's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    #[error("“{found}” is not {expected}")]
    Malformed { found: String, expected: &'static str },
    #[error("“{found}” is not one of {}", allowed.join(", "))]
    NotOneOf { found: String, allowed: Vec<&'static str> },
    #[error("{found} is not between {least} and {most}")]
    OutOfRange { found: String, least: i64, most: i64 },
    #[error("this setting has one value and no list to reset")]
    NoList,
}

impl Value {
    pub fn parse(kind: Kind, text: &str) -> Result<Value, ValueError> {
        let text = text.trim();
        if text.is_empty() {
            return Value::reset(kind).map_err(|_| malformed(text, expectation(kind)));
        }
        parse_scalar(kind, text)
            .or_else(|| parse_list(kind, text))
            .unwrap_or_else(|| Err(malformed(text, expectation(kind))))
    }

    /// The value of an empty assignment, for settings that hold a list.
    pub fn reset(kind: Kind) -> Result<Value, ValueError> {
        Ok(match kind {
            Kind::Units | Kind::Names | Kind::Paths | Kind::Directories | Kind::Address | Kind::Node | Kind::Lines => {
                Value::Words(Vec::new())
            }
            Kind::Assignments => Value::Assignments(Vec::new()),
            Kind::Fields => Value::Fields(Vec::new()),
            Kind::Devices => Value::Devices(Vec::new()),
            Kind::PathAmount | Kind::PathWeight => Value::PathNumbers(Vec::new()),
            Kind::PathSpan => Value::PathSpans(Vec::new()),
            Kind::Credential | Kind::Program => Value::Pairs(Vec::new()),
            Kind::CredentialData => Value::Data(Vec::new()),
            Kind::Prefixes => Value::Prefixes(Vec::new()),
            Kind::Ports => Value::Ports(Vec::new()),
            Kind::Interfaces => Value::Interfaces(Interfaces { allow: true, names: Vec::new() }),
            Kind::Set => Value::Set(Vec::new()),
            Kind::Command => Value::Commands(Vec::new()),
            Kind::Statuses => Value::Statuses { codes: Vec::new(), signals: Vec::new() },
            Kind::ConditionText | Kind::ConditionPath => Value::Condition(None),
            _ => return Err(ValueError::NoList),
        })
    }
}

/// `None`: not a scalar kind, or not of its form.
fn parse_scalar(kind: Kind, text: &str) -> Option<Result<Value, ValueError>> {
    Some(Ok(match kind {
        Kind::Bool => Value::Bool(boolean(text)?),
        Kind::Word(allowed) => return Some(word(text, allowed)),
        Kind::Text => Value::Text(Specified::from_unit_file(one_line(text)?)),
        Kind::Slice => Value::Text(Specified::from_unit_file(unit_name(text).filter(|name| name.ends_with(".slice"))?)),
        Kind::Unsigned => Value::Unsigned(text.parse().ok()?),
        Kind::Integer { least, most } => {
            let number: i32 = text.parse().ok()?;
            if !(least..=most).contains(&number) {
                let (least, most) = (i64::from(least), i64::from(most));
                return Some(Err(ValueError::OutOfRange { found: text.to_owned(), least, most }));
            }
            Value::Integer(number)
        }
        Kind::Named(names) => return Some(named(text, names)),
        Kind::Signal => Value::Named { number: signal::number(text)?, name: signal::name(signal::number(text)?) },
        Kind::Mode => Value::Mode(u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777)?),
        Kind::Large => Value::Large(text.parse().ok()?),
        Kind::Bytes => Value::Large(bytes(text, 1024)?),
        Kind::Span => Value::Span(span(text)?),
        Kind::Timeout => Value::Span(span(text).map(|time| if time == 0 { INFINITY } else { time })?),
        Kind::Nanoseconds => Value::Nanoseconds(nanoseconds(text)?),
        Kind::Memory => Value::Limit(limit(text, bytes(text, 1024))?),
        Kind::Tasks => Value::Limit(limit(text, if text == "infinity" { Some(INFINITY) } else { text.parse().ok() })?),
        Kind::Weight { idle: true } if text == "idle" => Value::Weight(0),
        Kind::Weight { .. } => return Some(weight(text).map(Value::Weight)),
        Kind::Quota => Value::Quota(permyriad(text).filter(|share| *share > 0).map(|share| u64::from(share) * 100)?),
        Kind::Share => Value::Share(Share(permyriad(text).filter(|share| *share <= 10_000)?)),
        Kind::DescriptorName => Value::Text(Specified::from_unit_file(listen::descriptor_name(text)?)),
        Kind::Input => Value::Stream(input(text)?),
        Kind::Output => Value::Stream(output(text)?),
        Kind::Delegate => Value::Delegate(match boolean(text) {
            Some(all) => Delegate::All(all),
            None => Delegate::Controllers(split(text, Escape::Plain)?),
        }),
        _ => return None,
    }))
}

fn parse_list(kind: Kind, text: &str) -> Option<Result<Value, ValueError>> {
    Some(Ok(match kind {
        Kind::Units => Value::Words(all(text.split_whitespace(), |word| unit_name(word).map(str::to_owned))?),
        Kind::Names => Value::Words(all(text.split_whitespace(), |word| plain_word(word).map(str::to_owned))?),
        Kind::Paths => Value::Words(all(split(text, Escape::Plain)?, |path| absolute(&path))?),
        Kind::Directories => Value::Words(all(split(text, Escape::Plain)?, |path| relative(&path))?),
        Kind::Assignments => Value::Assignments(all(split(text, Escape::C)?, |word| assignment(&word))?),
        Kind::Fields => Value::Fields(all(split(text, Escape::C)?, |word| journal_field(&word))?),
        Kind::Devices => Value::Devices(vec![device(text)?]),
        Kind::PathAmount => {
            let (path, amount) = path_and_rest(text)?;
            Value::PathNumbers(vec![(path, bytes(&amount, 1000).filter(|amount| *amount > 0)?)])
        }
        Kind::PathWeight => {
            let (path, number) = path_and_rest(text)?;
            match weight(&number) {
                Ok(number) => Value::PathNumbers(vec![(path, number)]),
                Err(error) => return Some(Err(error)),
            }
        }
        Kind::PathSpan => {
            let (path, time) = path_and_rest(text)?;
            Value::PathSpans(vec![(path, span(&time)?)])
        }
        Kind::Credential => {
            let (id, source) = text.split_once(':').unwrap_or((text, ""));
            let id = credential_name(id)?;
            // Without a source, systemd looks for the service manager's own credential of that name.
            let source = if source.is_empty() { id.clone() } else { Specified::from_unit_file(one_line(source)?) };
            Value::Pairs(vec![(id, source)])
        }
        Kind::CredentialData => {
            let (id, data) = text.split_once(':').filter(|(_, data)| !data.is_empty())?;
            Value::Data(vec![(credential_name(id)?, unescape_bytes(data)?)])
        }
        Kind::Program => {
            let (attach, path) = text.split_once(':')?;
            Value::Pairs(vec![(Specified::from_unit_file(plain_word(attach)?), path_word(path)?)])
        }
        Kind::Prefixes => {
            let words: Option<Vec<_>> = text.split_whitespace().map(Prefix::parse).collect();
            Value::Prefixes(words?.concat())
        }
        Kind::Ports => Value::Ports(vec![PortRule::parse(text)?]),
        Kind::Interfaces => {
            let (allow, names) = text.strip_prefix('~').map_or((true, text), |names| (false, names));
            let names: Option<Vec<_>> = names.split_whitespace().map(interface).collect();
            Value::Interfaces(Interfaces { allow, names: names?.into_iter().map(str::to_owned).collect() })
        }
        Kind::Set => Value::Set(set(text)?),
        Kind::Address => Value::Words(vec![Specified::from_unit_file(one_line(listen::address(text)?)?)]),
        Kind::Node => Value::Words(vec![path_word(text)?]),
        Kind::Lines => Value::Words(vec![Specified::from_unit_file(one_line(text)?)]),
        Kind::Command => Value::Commands(vec![Command::parse(one_line(text)?)?]),
        Kind::Statuses => statuses(text)?,
        Kind::ConditionText => condition(text, |parameter| one_line(parameter).map(str::to_owned))?,
        Kind::ConditionPath => condition(text, absolute)?,
        _ => return None,
    }))
}

fn malformed(found: &str, expected: &'static str) -> ValueError {
    ValueError::Malformed { found: found.to_owned(), expected }
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}

fn word(text: &str, allowed: &[&'static str]) -> Result<Value, ValueError> {
    if allowed.contains(&text) {
        return Ok(Value::Word(text.to_owned()));
    }
    Err(ValueError::NotOneOf { found: text.to_owned(), allowed: allowed.to_vec() })
}

fn named(text: &str, names: &[(&'static str, i32)]) -> Result<Value, ValueError> {
    let number = text.parse().ok();
    match names.iter().find(|(name, value)| *name == text || Some(*value) == number) {
        Some(&(name, number)) => Ok(Value::Named { name: name.to_owned(), number }),
        None => {
            let allowed = names.iter().map(|(name, _)| *name).collect();
            Err(ValueError::NotOneOf { found: text.to_owned(), allowed })
        }
    }
}

fn weight(text: &str) -> Result<u64, ValueError> {
    let number: u64 = text.parse().map_err(|_| malformed(text, expectation(Kind::Weight { idle: false })))?;
    if !(1..=10_000).contains(&number) {
        return Err(ValueError::OutOfRange { found: text.to_owned(), least: 1, most: 10_000 });
    }
    Ok(number)
}

fn nanoseconds(text: &str) -> Option<u64> {
    match text.strip_suffix("nsec").or_else(|| text.strip_suffix("ns")).unwrap_or(text).trim_end().parse() {
        Ok(number) => Some(number),
        Err(_) => span(text)?.checked_mul(1_000),
    }
}

fn limit(text: &str, absolute: Option<u64>) -> Option<Limit> {
    match permyriad(text) {
        Some(share) => (share <= 10_000).then_some(Limit::Share(Share(share))),
        None => absolute.map(Limit::Absolute),
    }
}

fn all<T: AsRef<str>>(
    words: impl IntoIterator<Item = T>,
    check: impl Fn(T) -> Option<String>,
) -> Option<Vec<Specified>> {
    words.into_iter().map(|word| check(word).map(Specified::from_unit_file)).collect()
}

/// `0-3 6,8`, in order and each once; the highest number systemd's own sets hold is 8191.
fn set(text: &str) -> Option<Vec<u16>> {
    let mut numbers = std::collections::BTreeSet::new();
    for range in text.split(|next: char| next == ',' || next.is_whitespace()).filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
        (first <= last && last < 8192).then_some(())?;
        numbers.extend(first..=last);
    }
    (!numbers.is_empty()).then(|| numbers.into_iter().collect())
}

fn statuses(text: &str) -> Option<Value> {
    let (mut codes, mut signals) = (Vec::new(), Vec::new());
    for word in text.split_whitespace() {
        match word.parse::<u8>() {
            Ok(code) => codes.push(i32::from(code)),
            Err(_) => match signal::exit_status(word) {
                Some(code) => codes.push(code),
                None => signals.push(signal::number(word)?),
            },
        }
    }
    Some(Value::Statuses { codes, signals })
}

fn condition(text: &str, check: impl Fn(&str) -> Option<String>) -> Option<Value> {
    let (trigger, rest) = text.strip_prefix('|').map_or((false, text), |rest| (true, rest.trim_start()));
    let (negate, rest) = rest.strip_prefix('!').map_or((false, rest), |rest| (true, rest.trim_start()));
    let parameter = Specified::from_unit_file(check(rest).filter(|rest| !rest.is_empty())?);
    Some(Value::Condition(Some(Condition { trigger, negate, parameter })))
}

fn input(text: &str) -> Option<Stream> {
    match text.split_once(':') {
        Some(("file", path)) => path_word(path).map(Stream::File),
        Some(("fd", name)) => plain_word(name).map(Specified::from_unit_file).map(Stream::Descriptor),
        _ => matches!(text, "null" | "fd").then(|| Stream::Plain(text.to_owned())),
    }
}

fn output(text: &str) -> Option<Stream> {
    match text.split_once(':') {
        Some(("file", path)) => path_word(path).map(Stream::File),
        Some(("append", path)) => path_word(path).map(Stream::Append),
        Some(("truncate", path)) => path_word(path).map(Stream::Truncate),
        Some(("fd", name)) => plain_word(name).map(Specified::from_unit_file).map(Stream::Descriptor),
        _ => ["inherit", "null", "journal", "journal+console", "kmsg", "kmsg+console", "fd"]
            .contains(&text)
            .then(|| Stream::Plain(text.to_owned())),
    }
}
