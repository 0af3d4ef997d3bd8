//! What berth knows of one setting of a unit file: its name, its type, since when, and who may write it.

use super::property::{Property, Section};
use super::table;
use super::value::{Value, ValueError};
use crate::config::VerbatimSection;

/// A setting of systemd's; every one berth or a TOML's verbatim section can assign is in the [`table`].
#[derive(Debug, PartialEq)]
pub struct Setting {
    pub section: Section,
    pub name: &'static str,
    pub kind: Kind,
    pub owner: Owner,
    /// The systemd version that brought it; 252, the oldest supported, for everything older.
    pub since: u16,
    pub bus: Bus,
}

/// Who assigns the setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The TOML's section of this name, verbatim.
    Verbatim(VerbatimSection),
    /// berth itself.
    Berth,
}

/// Whether `StartTransientUnit` takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    Accepted,
    /// Not at all; the reason why.
    Refused(&'static str),
}

/// How a setting's value is read from text, and thereby which [`Value`] it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bool,
    /// One of these words.
    Word(&'static [&'static str]),
    Text,
    /// A slice's name.
    Slice,
    Unsigned,
    Integer {
        least: i32,
        most: i32,
    },
    /// A name with a number, or the number.
    Named(&'static [(&'static str, i32)]),
    Signal,
    Mode,
    Large,
    /// A number of bytes, such as 64K.
    Bytes,
    Span,
    /// A time-out, where 0 means none.
    Timeout,
    Nanoseconds,
    /// Bytes, a share of the memory, or infinity.
    Memory,
    Tasks,
    Weight {
        idle: bool,
    },
    Quota,
    Share,
    /// Names of units.
    Units,
    /// Words without quotes, spaces or specifiers of their own.
    Names,
    /// Absolute paths.
    Paths,
    /// Relative paths below one of systemd's directories.
    Directories,
    Assignments,
    Fields,
    Devices,
    /// A path and an amount in powers of 1000.
    PathAmount,
    PathWeight,
    PathSpan,
    /// `ID` or `ID:SOURCE`.
    Credential,
    /// `ID:DATA` with C escapes.
    CredentialData,
    /// `TYPE:PATH`.
    Program,
    Prefixes,
    Ports,
    Interfaces,
    Set,
    Command,
    Statuses,
    ConditionText,
    ConditionPath,
    /// Where a socket listens.
    Address,
    /// A path of its own, for a FIFO.
    Node,
    /// Lines that are as they are.
    Lines,
    /// What a passed descriptor is called.
    DescriptorName,
    Input,
    Output,
    Delegate,
}

impl Setting {
    /// The setting a verbatim section may assign.
    pub fn verbatim(section: VerbatimSection, name: &str) -> Option<&'static Setting> {
        let named = |setting: &&Setting| setting.name == name && setting.owner == Owner::Verbatim(section);
        table::all().chain(table::sockets()).find(named)
    }

    /// One line of a unit file, without the name.
    pub fn parse(&'static self, text: &str) -> Result<Property, ValueError> {
        Ok(Property { setting: self, value: Value::parse(self.kind, text)? })
    }

    /// The empty assignment, which resets a list.
    pub fn reset(&'static self) -> Result<Property, ValueError> {
        Ok(Property { setting: self, value: Value::reset(self.kind)? })
    }
}
