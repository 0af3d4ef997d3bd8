//! The value of a property, typed by what it means; each renderer writes it in its own way.
//!
//! The comments give the D-Bus signature, checked against systemd's `src/core/dbus-*.c` (v252 and v257).

mod address;
mod command;
mod expectation;
mod listen;
mod parse;
mod quantity;
mod token;
mod words;

pub use address::{Interfaces, PortRule, Prefix};
pub use command::{Command, CommandFlags};
pub use parse::ValueError;
pub use quantity::{Limit, Share, bytes, span};
pub use words::{Escape, escape_bytes, quote};

use super::specified::{Specified, SpecifierError};

/// Words between blanks, quoted and escaped as in a unit file; `None` where a quote is left open.
pub fn split_words(text: &str) -> Option<Vec<String>> {
    words::split(text, Escape::C)
}

/// The largest value stands for “no limit” wherever systemd takes a number of bytes, tasks or microseconds.
pub const INFINITY: u64 = u64::MAX;

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `b`
    Bool(bool),
    /// `s`: one of a fixed set of words, never with specifiers.
    Word(String),
    /// `s`: to the end of the line.
    Text(Specified),
    /// `u`
    Unsigned(u32),
    /// `i`
    Integer(i32),
    /// `i`: a name in text, its number over D-Bus.
    Named { name: String, number: i32 },
    /// `t`
    Large(u64),
    /// `u`: octal in text.
    Mode(u32),
    /// `t`: microseconds; over D-Bus the name ends in `USec`.
    Span(u64),
    /// `t`
    Nanoseconds(u64),
    /// `t`, or for a share `u` with `Scale` added to the name.
    Limit(Limit),
    /// `t`: 1 to 10000, 0 is `idle`.
    Weight(u64),
    /// `t`: microseconds of CPU time a second, as `CPUQuotaPerSecUSec`.
    Quota(u64),
    /// `u`: a share of 2³²−1.
    Share(Share),
    /// `as`
    Words(Vec<Specified>),
    /// `as`, each quoted with C escapes in text: `NAME=value`.
    Assignments(Vec<Specified>),
    /// `aay`, each quoted with C escapes in text: journal fields.
    Fields(Vec<Specified>),
    /// `a(ss)`: a device node or class, and some of `rwm`.
    Devices(Vec<(Specified, String)>),
    /// `a(st)`: a path and bytes, operations or a weight.
    PathNumbers(Vec<(Specified, u64)>),
    /// `a(st)`: a path and microseconds; over D-Bus the name ends in `USec`.
    PathSpans(Vec<(Specified, u64)>),
    /// `a(ss)`: two parts around a colon.
    Pairs(Vec<(Specified, Specified)>),
    /// `a(say)`: a credential's name and its bytes.
    Data(Vec<(Specified, Vec<u8>)>),
    /// `a(iayu)`
    Prefixes(Vec<Prefix>),
    /// `a(iiqq)`
    Ports(Vec<PortRule>),
    /// `(bas)`
    Interfaces(Interfaces),
    /// `ay`: CPUs or memory nodes, as a bit mask in little-endian order.
    Set(Vec<u16>),
    /// `a(sasb)`; with flags beyond “ignore failure” `a(sasas)` and `Ex` added to the name.
    Commands(Vec<Command>),
    /// `(aiai)`: exit codes and signals.
    Statuses { codes: Vec<i32>, signals: Vec<i32> },
    /// `a(sbbs)` as `Conditions` or `Asserts`; `None` resets them all.
    Condition(Option<Condition>),
    /// `s`, under a name that says where the stream goes.
    Stream(Stream),
    /// `b` for yes and no, `as` as `DelegateControllers`.
    Delegate(Delegate),
}

/// `ConditionPathExists=|!/etc/x`: the setting gives the kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// With `|`: one of the triggering conditions is enough.
    pub trigger: bool,
    pub negate: bool,
    pub parameter: Specified,
}

/// Where `StandardOutput=` and its like lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stream {
    /// `journal`, `null`, `inherit`, …
    Plain(String),
    File(Specified),
    Append(Specified),
    Truncate(Specified),
    /// A socket unit's `FileDescriptorName=`.
    Descriptor(Specified),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delegate {
    All(bool),
    Controllers(Vec<String>),
}

type Mapping<'a> = dyn FnMut(&Specified) -> Result<Specified, SpecifierError> + 'a;

impl Value {
    /// The value with every string that may hold specifiers replaced.
    pub(super) fn map_text(self, map: &mut Mapping) -> Result<Self, SpecifierError> {
        Ok(match self {
            Value::Text(text) => Value::Text(map(&text)?),
            Value::Words(words) => Value::Words(each(words, map)?),
            Value::Assignments(words) => Value::Assignments(each(words, map)?),
            Value::Fields(words) => Value::Fields(each(words, map)?),
            Value::Devices(pairs) => Value::Devices(firsts(pairs, map)?),
            Value::PathNumbers(pairs) => Value::PathNumbers(firsts(pairs, map)?),
            Value::PathSpans(pairs) => Value::PathSpans(firsts(pairs, map)?),
            Value::Data(pairs) => Value::Data(firsts(pairs, map)?),
            Value::Pairs(pairs) => Value::Pairs(
                pairs.iter().map(|(first, second)| Ok((map(first)?, map(second)?))).collect::<Result<_, _>>()?,
            ),
            Value::Commands(commands) => Value::Commands(
                commands
                    .into_iter()
                    .map(|command| {
                        let argv = each(command.argv, map)?;
                        Ok(Command { path: map(&command.path)?, argv, ..command })
                    })
                    .collect::<Result<_, SpecifierError>>()?,
            ),
            Value::Condition(Some(condition)) => {
                let parameter = map(&condition.parameter)?;
                Value::Condition(Some(Condition { parameter, ..condition }))
            }
            Value::Stream(stream) => Value::Stream(match stream {
                Stream::Plain(word) => Stream::Plain(word),
                Stream::File(path) => Stream::File(map(&path)?),
                Stream::Append(path) => Stream::Append(map(&path)?),
                Stream::Truncate(path) => Stream::Truncate(map(&path)?),
                Stream::Descriptor(name) => Stream::Descriptor(map(&name)?),
            }),
            plain => plain,
        })
    }
}

fn each(words: Vec<Specified>, map: &mut Mapping) -> Result<Vec<Specified>, SpecifierError> {
    words.iter().map(map).collect()
}

fn firsts<T>(pairs: Vec<(Specified, T)>, map: &mut Mapping) -> Result<Vec<(Specified, T)>, SpecifierError> {
    pairs.into_iter().map(|(first, second)| Ok((map(&first)?, second))).collect()
}
