//! What a policy or a profile comes down to: per architecture and call number, ordered rules.
//!
//! This form says what a compiled program must do; the tests judge calls by it directly and compare.

use std::collections::BTreeMap;

use super::architecture::{Architecture, UNCOUNTED};

/// What happens to a call (seccomp(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Allow,
    /// Fails with this error number.
    Errno(u16),
    KillProcess,
    KillThread,
    /// Sends SIGSYS.
    Trap,
    /// Allows and logs.
    Log,
    /// Leaves it to a tracer, who is told this number; without one the call fails with ENOSYS.
    Trace(u16),
}

impl Action {
    /// The kernel's `MAX_ERRNO`.
    pub const LAST_ERRNO: u16 = 4095;

    /// What a program returns for it (linux/seccomp.h).
    pub fn return_value(self) -> u32 {
        match self {
            Action::KillProcess => 0x8000_0000,
            Action::KillThread => 0,
            Action::Trap => 0x0003_0000,
            Action::Errno(number) => 0x0005_0000 | u32::from(number),
            Action::Trace(message) => 0x7ff0_0000 | u32::from(message),
            Action::Log => 0x7ffc_0000,
            Action::Allow => 0x7fff_0000,
        }
    }

    /// Whether the call does not take place.
    pub fn refuses(self) -> bool {
        matches!(self, Action::Errno(_) | Action::KillProcess | Action::KillThread | Action::Trap)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A test of one argument, as unsigned numbers: `argument & mask` compared with `value`.
///
/// The kernel takes many arguments as `int` and ignores the upper half; a mask of 32 bits does the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// 0 to 5.
    pub argument: u8,
    pub mask: u64,
    pub comparison: Comparison,
    pub value: u64,
}

/// Applies where all its conditions hold; always, where it has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub conditions: Vec<Condition>,
    pub action: Action,
}

/// The rules for one architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub architecture: Architecture,
    /// For a call without a rule, or none of whose rules applies.
    pub default: Action,
    /// From this number on a call without a rule gets this action instead.
    pub newer: Option<(u32, Action)>,
    /// By number; the first rule that applies decides.
    pub rules: BTreeMap<u32, Vec<Rule>>,
}

impl Table {
    pub fn new(architecture: Architecture, default: Action) -> Self {
        Table { architecture, default, newer: None, rules: BTreeMap::new() }
    }

    /// What is newer than everything the author of the rules `knew` of fails as in a kernel that lacks it, so that
    /// the C library falls back.
    pub fn refuse_newer(&mut self, known: impl Iterator<Item = u32>, action: Action) {
        let last = known.filter(|number| *number < UNCOUNTED).max();
        if let (Some(last), true) = (last, self.default.refuses()) {
            self.newer = Some((last + 1, action));
        }
    }

    /// Appends a rule, unless an earlier one decides every time.
    pub fn add(&mut self, number: u32, rule: Rule) {
        let rules = self.rules.entry(number).or_default();
        if rules.last().is_none_or(|last| !last.conditions.is_empty()) {
            rules.push(rule);
        }
    }

    /// What a call without a rule gets.
    pub fn otherwise(&self, number: u32) -> Action {
        match self.newer {
            Some((first, action)) if number >= first && !self.rules.contains_key(&number) => action,
            _ => self.default,
        }
    }
}

/// A whole filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The first is judged fastest.
    pub tables: Vec<Table>,
    /// For calls of any other architecture.
    pub foreign: Action,
}
