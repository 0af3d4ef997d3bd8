//! One line of a unit file → one typed value.

use super::command::Command;
use super::listen;
use super::quantity::{bytes, permyriad, span};
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

fn expectation(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "yes or no",
        Kind::Word(_) | Kind::Named(_) => "one of the setting's words",
        Kind::Text => "one line of text",
        Kind::Slice => "the name of a slice, such as machine-web.slice",
        Kind::Unsigned | Kind::Large => "a whole number of at least 0",
        Kind::Integer { .. } => "a whole number",
        Kind::Bytes => "a number of bytes, such as 64K",
        Kind::Address => "an address: a port, ADDRESS:PORT, [ADDRESS]:PORT, vsock:CID:PORT, an absolute path, or @NAME",
        Kind::Node => "an absolute path",
        Kind::Lines => "one line of text",
        Kind::DescriptorName => "a name of at most 255 ASCII characters, without colons or spaces",
        Kind::Signal => "the name or number of a signal, such as SIGTERM",
        Kind::Mode => "an octal file mode, such as 0755",
        Kind::Span | Kind::Timeout => "a time span, such as 90s, 5min 20s or infinity",
        Kind::Nanoseconds => "a time span, such as 50us or 100ns",
        Kind::Memory => "a number of bytes, such as 512M, a share such as 50%, or infinity",
        Kind::Tasks => "a number of tasks, a share such as 50%, or infinity",
        Kind::Weight { .. } => "a weight from 1 to 10000",
        Kind::Quota => "a share of one CPU's time, such as 150%",
        Kind::Share => "a share, such as 60%",
        Kind::Units => "a list of unit names, such as network-online.target",
        Kind::Names => "a list of words without quotes",
        Kind::Paths => "a list of absolute paths",
        Kind::Directories => "a list of relative paths without “..”",
        Kind::Assignments => "a list of NAME=value",
        Kind::Fields => "a list of FIELD=value, the field in upper case letters, digits and _",
        Kind::Devices => "a device node below /dev or a class (char-pts, block-loop), then some of r, w and m",
        Kind::PathAmount => "a path and an amount, such as /dev/sda 5M",
        Kind::PathWeight => "a path and a weight, such as /dev/sda 200",
        Kind::PathSpan => "a path and a time span, such as /dev/sda 25ms",
        Kind::Credential => "a credential, as ID or ID:PATH",
        Kind::CredentialData => "a credential, as ID:DATA",
        Kind::Program => "a program, as TYPE:PATH",
        Kind::Prefixes => "a list of addresses, such as 10.0.0.0/8, any or localhost",
        Kind::Ports => "ports, such as 80, tcp:8000-8010, ipv4:udp:any or any",
        Kind::Interfaces => "a list of network interfaces, with ~ in front all but these",
        Kind::Set => "a list of numbers and ranges, such as 0-3 6",
        Kind::Command => "a command: an absolute path and arguments (one a line)",
        Kind::Statuses => "a list of exit codes and signals, such as 1 SIGKILL",
        Kind::ConditionText => "a condition's argument, after | and ! where wanted",
        Kind::ConditionPath => "an absolute path, after | and ! where wanted",
        Kind::Input => "null, fd:NAME or file:PATH",
        Kind::Output => "journal, kmsg, inherit, null, fd:NAME, file:PATH, append:PATH or truncate:PATH",
        Kind::Delegate => "yes, no or a list of controllers",
    }
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

/// Text a unit file can hold: no line break, no control characters.
fn one_line(text: &str) -> Option<&str> {
    (!text.chars().any(char::is_control)).then_some(text)
}

fn plain_word(word: &str) -> Option<&str> {
    let harmless = |next: char| !next.is_whitespace() && !next.is_control() && !matches!(next, '"' | '\'');
    (!word.is_empty() && word.chars().all(harmless)).then_some(word)
}

/// A unit's name with its suffix; specifiers may stand in for parts of it.
fn unit_name(word: &str) -> Option<&str> {
    const SUFFIXES: [&str; 11] = [
        ".service",
        ".socket",
        ".target",
        ".device",
        ".mount",
        ".automount",
        ".swap",
        ".timer",
        ".path",
        ".slice",
        ".scope",
    ];
    let allowed = |next: char| next.is_ascii_alphanumeric() || ":-_.\\@%".contains(next);
    let stem = SUFFIXES.iter().find_map(|suffix| word.strip_suffix(suffix))?;
    (!stem.is_empty() && !stem.starts_with('@') && word.len() < 256 && word.chars().all(allowed)).then_some(word)
}

fn all<T: AsRef<str>>(
    words: impl IntoIterator<Item = T>,
    check: impl Fn(T) -> Option<String>,
) -> Option<Vec<Specified>> {
    words.into_iter().map(|word| check(word).map(Specified::from_unit_file)).collect()
}

/// An absolute path, or one that starts with a specifier, without `.` and `..` components.
fn absolute(path: &str) -> Option<String> {
    let normal = path.split('/').all(|part| part != ".." && part != ".");
    (path.starts_with(['/', '%']) && normal).then(|| one_line(path)).flatten().map(str::to_owned)
}

fn relative(path: &str) -> Option<String> {
    let normal = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    (normal && !path.contains(':') && !path.starts_with("private/") && path != "private")
        .then(|| plain_word(path))
        .flatten()
        .map(str::to_owned)
}

fn path_word(path: &str) -> Option<Specified> {
    absolute(path).map(Specified::from_unit_file)
}

fn path_and_rest(text: &str) -> Option<(Specified, String)> {
    let mut words = split(text, Escape::Plain)?;
    let rest = words.split_off(1);
    (!rest.is_empty()).then_some(())?;
    Some((path_word(words.first()?)?, rest.join(" ")))
}

fn assignment(word: &str) -> Option<String> {
    let (name, _) = word.split_once('=')?;
    let first = |next: char| next.is_ascii_alphabetic() || next == '_';
    let valid = name.starts_with(first) && name.chars().all(|next| next.is_ascii_alphanumeric() || next == '_');
    valid.then(|| word.to_owned())
}

fn journal_field(word: &str) -> Option<String> {
    let (name, _) = word.split_once('=')?;
    let allowed = |next: char| next.is_ascii_uppercase() || next.is_ascii_digit() || next == '_';
    let valid = name.starts_with(|next: char| next.is_ascii_uppercase()) && name.len() <= 64;
    (valid && name.chars().all(allowed)).then(|| word.to_owned())
}

fn device(text: &str) -> Option<(Specified, String)> {
    let words = split(text, Escape::Plain)?;
    let [path, rest @ ..] = words.as_slice() else { return None };
    let access = match rest {
        [] => "rwm",
        [access] => access,
        _ => return None,
    };
    let class = ["char-", "block-"].iter().any(|prefix| path.starts_with(prefix));
    let node = ["/dev/", "/run/systemd/inaccessible/", "%"].iter().any(|prefix| path.starts_with(prefix));
    let valid = (class || (node && absolute(path).is_some())) && access.chars().all(|next| "rwm".contains(next));
    valid.then(|| (Specified::from_unit_file(path.as_str()), access.to_owned()))
}

fn credential_name(name: &str) -> Option<Specified> {
    let valid = !matches!(name, "" | "." | "..") && !name.contains(['/', ':']) && name.is_ascii();
    valid.then(|| one_line(name)).flatten().map(Specified::from_unit_file)
}

fn interface(name: &str) -> Option<&str> {
    let allowed = |next: char| next.is_ascii_graphic() && !matches!(next, '/' | ':' | '%');
    (name.len() < 16 && !matches!(name, "." | "..") && name.chars().all(allowed)).then_some(name)
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
