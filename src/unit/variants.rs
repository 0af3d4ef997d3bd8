//! Properties as `StartTransientUnit` of org.freedesktop.systemd1 takes them: names and variants.
//!
//! The names differ from the unit file's where systemd's do: `TimeoutStopSec=` is `TimeoutStopUSec`, `CPUQuota=` is
//! `CPUQuotaPerSecUSec`, a share of the memory is `MemoryMaxScale`, every condition is `Conditions`.

use zbus::{OwnedVariant, Variant};

use super::property::Property;
use super::setting::Bus;
use super::specified::Specified;
use super::value::{Delegate, Limit, Stream, Value};

/// What a transient unit can have; the rest ([`Bus::Refused`]) is left out. Specifiers must have been expanded.
pub fn variants(properties: &[Property]) -> Vec<(String, OwnedVariant)> {
    properties
        .iter()
        .filter(|property| property.setting.bus == Bus::Accepted)
        .map(|property| (bus_name(property), owned(variant(property))))
        .collect()
}

/// The name over D-Bus, both to set and to read the property.
pub fn bus_name(property: &Property) -> String {
    let name = property.name();
    match &property.value {
        Value::Span(_) | Value::PathSpans(_) => format!("{}USec", name.strip_suffix("Sec").unwrap_or(name)),
        Value::Limit(Limit::Share(_)) => format!("{name}Scale"),
        Value::Quota(_) => "CPUQuotaPerSecUSec".to_owned(),
        Value::Condition(_) => (if name.starts_with("Assert") { "Asserts" } else { "Conditions" }).to_owned(),
        Value::Commands(commands) if commands.iter().any(|command| command.flags.needs_extended()) => {
            format!("{name}Ex")
        }
        Value::Stream(Stream::File(_)) => format!("{name}File"),
        Value::Stream(Stream::Append(_)) => format!("{name}FileToAppend"),
        Value::Stream(Stream::Truncate(_)) => format!("{name}FileToTruncate"),
        Value::Stream(Stream::Descriptor(_)) => format!("{name}FileDescriptorName"),
        Value::Delegate(Delegate::Controllers(_)) => "DelegateControllers".to_owned(),
        _ => name.to_owned(),
    }
}

fn variant(property: &Property) -> Variant<'static> {
    match &property.value {
        Value::Bool(flag) | Value::Delegate(Delegate::All(flag)) => Variant::from(*flag),
        Value::Word(word) | Value::Stream(Stream::Plain(word)) => Variant::from(word.clone()),
        Value::Text(text) => Variant::from(text.plain()),
        Value::Stream(
            Stream::File(text) | Stream::Append(text) | Stream::Truncate(text) | Stream::Descriptor(text),
        ) => Variant::from(text.plain()),
        Value::Unsigned(number) | Value::Mode(number) => Variant::from(*number),
        Value::Integer(number) | Value::Named { number, .. } => Variant::from(*number),
        Value::Large(number)
        | Value::Span(number)
        | Value::Nanoseconds(number)
        | Value::Weight(number)
        | Value::Quota(number)
        | Value::Limit(Limit::Absolute(number)) => Variant::from(*number),
        Value::Limit(Limit::Share(share)) | Value::Share(share) => Variant::from(share.scaled()),
        Value::Words(words) | Value::Assignments(words) => Variant::from(plain(words)),
        Value::Delegate(Delegate::Controllers(names)) => Variant::from(names.clone()),
        Value::Fields(words) => Variant::from(each(words, |word| word.plain().into_bytes())),
        Value::Devices(devices) => Variant::from(each(devices, |(path, access)| (path.plain(), access.clone()))),
        Value::PathNumbers(entries) | Value::PathSpans(entries) => {
            Variant::from(each(entries, |(path, number)| (path.plain(), *number)))
        }
        Value::Pairs(pairs) => Variant::from(each(pairs, |(first, second)| (first.plain(), second.plain()))),
        Value::Data(data) => Variant::from(each(data, |(id, bytes)| (id.plain(), bytes.clone()))),
        Value::Prefixes(prefixes) => {
            Variant::from(each(prefixes, |prefix| (prefix.family(), prefix.octets(), u32::from(prefix.length))))
        }
        Value::Ports(rules) => Variant::from(each(rules, |rule| (rule.family, rule.protocol, rule.count, rule.first))),
        Value::Interfaces(interfaces) => Variant::from((interfaces.allow, interfaces.names.clone())),
        Value::Set(numbers) => Variant::from(mask(numbers)),
        Value::Commands(commands) if commands.iter().any(|command| command.flags.needs_extended()) => {
            Variant::from(each(commands, |command| (command.path.plain(), plain(&command.argv), command.flags.names())))
        }
        Value::Commands(commands) => Variant::from(each(commands, |command| {
            (command.path.plain(), plain(&command.argv), command.flags.ignore_failure)
        })),
        Value::Statuses { codes, signals } => Variant::from((codes.clone(), signals.clone())),
        Value::Condition(condition) => Variant::from(
            condition
                .iter()
                .map(|condition| {
                    (property.name().to_owned(), condition.trigger, condition.negate, condition.parameter.plain())
                })
                .collect::<Vec<_>>(),
        ),
    }
}

fn each<T, U>(items: &[T], map: impl Fn(&T) -> U) -> Vec<U> {
    items.iter().map(map).collect()
}

fn plain(words: &[Specified]) -> Vec<String> {
    each(words, Specified::plain)
}

/// Bit N is CPU or memory node N.
fn mask(numbers: &[u16]) -> Vec<u8> {
    let mut bytes = vec![0; numbers.iter().max().map_or(0, |most| usize::from(*most) / 8 + 1)];
    for number in numbers {
        bytes[usize::from(number / 8)] |= 1 << (number % 8);
    }
    bytes
}

fn owned(variant: Variant<'static>) -> OwnedVariant {
    OwnedVariant::try_from(variant).expect("only variants with file descriptors cannot be owned, and none is here")
}
