//! Our own way to write a filter down: `default.policy` explains the language and is its one use.

use std::collections::BTreeSet;

use super::architecture::Architecture;
use super::capability;
use super::filter::{Action, Comparison, Condition, Filter, Rule, Table};

/// A policy that reads well: every word in it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    default: Action,
    newer: Action,
    foreign: Action,
    sections: Vec<Section>,
}

/// Calls that share a fate, and when they do.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Section {
    action: Action,
    with: u64,
    without: u64,
    /// Empty for all.
    architectures: Vec<Architecture>,
    /// One rule for each alternative.
    alternatives: Vec<Vec<Condition>>,
    calls: Vec<String>,
}

/// What is wrong with a policy, at `line:column`, both from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {problem}")]
pub struct PolicyError {
    line: usize,
    column: usize,
    problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("expected {expected}, found “{found}”")]
    Unexpected { expected: &'static str, found: String },
    #[error("expected {expected}, found the end of the line")]
    Ended { expected: &'static str },
    #[error("no architecture has a system call “{0}”")]
    Call(String),
    #[error("“{0}” is in this section already")]
    Twice(String),
    #[error("a system call outside of any section")]
    Homeless,
    #[error("“{0}” is missing: what happens to the calls it names?")]
    Missing(&'static str),
}

impl Policy {
    pub fn parse(text: &str) -> Result<Policy, PolicyError> {
        let known: BTreeSet<&str> = [Architecture::X86_64, Architecture::X86, Architecture::Aarch64, Architecture::Arm]
            .into_iter()
            .flat_map(|architecture| architecture.calls().into_keys())
            .collect();
        let [mut default, mut newer, mut foreign] = [None; 3];
        let mut sections: Vec<Section> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let mut words = Words::new(index + 1, line);
            if words.peek().is_none() {
                continue;
            }
            if line.starts_with([' ', '\t']) {
                let section = sections.last_mut().ok_or_else(|| words.error(Problem::Homeless))?;
                words.calls(&known, &mut section.calls)?;
                continue;
            }
            match words.peek() {
                Some("default") => default = Some(words.statement()?),
                Some("newer") => newer = Some(words.statement()?),
                Some("foreign") => foreign = Some(words.statement()?),
                _ => sections.push(words.header()?),
            }
        }
        let missing = |name| PolicyError { line: text.lines().count(), column: 1, problem: Problem::Missing(name) };
        Ok(Policy {
            default: default.ok_or_else(|| missing("default"))?,
            newer: newer.ok_or_else(|| missing("newer"))?,
            foreign: foreign.ok_or_else(|| missing("foreign"))?,
            sections,
        })
    }

    /// For a process with these capabilities (bit N is number N); the first architecture is the native one.
    pub fn filter(&self, capabilities: u64, architectures: &[Architecture]) -> Filter {
        let tables = architectures.iter().map(|architecture| self.table(capabilities, *architecture)).collect();
        Filter { tables, foreign: self.foreign }
    }

    fn table(&self, capabilities: u64, architecture: Architecture) -> Table {
        let numbers = architecture.calls();
        let mut table = Table::new(architecture, self.default);
        table.refuse_newer(numbers.values().copied(), self.newer);
        for section in self.sections.iter().filter(|section| section.applies(capabilities, architecture)) {
            let numbers = section.calls.iter().filter_map(|call| numbers.get(call.as_str()));
            for number in numbers {
                for conditions in &section.alternatives {
                    table.add(*number, Rule { conditions: conditions.clone(), action: section.action });
                }
            }
        }
        table
    }
}

impl Section {
    fn applies(&self, capabilities: u64, architecture: Architecture) -> bool {
        capabilities & self.with == self.with
            && capabilities & self.without == 0
            && (self.architectures.is_empty() || self.architectures.contains(&architecture))
    }
}

/// The words of one line that are still to be read.
struct Words<'a> {
    line: usize,
    /// With the column each starts at.
    words: Vec<(usize, &'a str)>,
    position: usize,
    /// Where the line ends.
    end: usize,
}

impl<'a> Words<'a> {
    fn new(line: usize, text: &'a str) -> Self {
        let text = text.split('#').next().unwrap_or_default().trim_end();
        let mut words = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find(|letter: char| !letter.is_whitespace()) {
            let word = rest[start..].split(char::is_whitespace).next().unwrap_or_default();
            let offset = text.len() - rest.len() + start;
            let column = text[..offset].chars().count() + 1;
            match word.strip_suffix(':') {
                Some(bare) if !bare.is_empty() => {
                    words.extend([(column, bare), (column + bare.chars().count(), ":")]);
                }
                _ => words.push((column, word)),
            }
            rest = &rest[start + word.len()..];
        }
        Words { line, words, position: 0, end: text.chars().count() + 1 }
    }

    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.position).map(|(_, word)| *word)
    }

    /// A problem with the word that comes next.
    fn error(&self, problem: Problem) -> PolicyError {
        let column = self.words.get(self.position).map_or(self.end, |(column, _)| *column);
        PolicyError { line: self.line, column, problem }
    }

    fn unexpected(&self, expected: &'static str) -> PolicyError {
        self.error(match self.peek() {
            Some(found) => Problem::Unexpected { expected, found: found.to_owned() },
            None => Problem::Ended { expected },
        })
    }

    /// The next word, if `read` makes sense of it.
    fn take<T>(&mut self, expected: &'static str, read: impl FnOnce(&'a str) -> Option<T>) -> Result<T, PolicyError> {
        let value = self.peek().and_then(read).ok_or_else(|| self.unexpected(expected))?;
        self.position += 1;
        Ok(value)
    }

    fn end(&self) -> Result<(), PolicyError> {
        if self.peek().is_some() { Err(self.unexpected("the end of the line")) } else { Ok(()) }
    }

    fn statement(&mut self) -> Result<Action, PolicyError> {
        self.position += 1;
        let action = self.action()?;
        self.end()?;
        Ok(action)
    }

    fn action(&mut self) -> Result<Action, PolicyError> {
        let expected = "allow, errno, kill, trap or log";
        let word =
            self.take(expected, |word| ["allow", "errno", "kill", "trap", "log"].contains(&word).then_some(word))?;
        Ok(match word {
            "allow" => Action::Allow,
            "errno" => Action::Errno(self.take("EPERM, EACCES, EINVAL, ENOSYS or EAFNOSUPPORT", errno)?),
            "kill" => Action::KillProcess,
            "trap" => Action::Trap,
            _ => Action::Log,
        })
    }

    fn header(&mut self) -> Result<Section, PolicyError> {
        let mut section = Section {
            action: self.action()?,
            with: 0,
            without: 0,
            architectures: Vec::new(),
            alternatives: vec![Vec::new()],
            calls: Vec::new(),
        };
        loop {
            let expected = "with, without, on, where or “:”";
            match self.take(expected, Some)? {
                "with" => section.with |= 1 << self.take("a capability", capability::number)?,
                "without" => section.without |= 1 << self.take("a capability", capability::number)?,
                "on" => section.architectures.push(self.take("an architecture", Architecture::of_target)?),
                "where" | "and" => section.alternatives = self.alternatives(&section.alternatives)?,
                ":" => break,
                _ => {
                    self.position -= 1;
                    return Err(self.unexpected(expected));
                }
            }
        }
        self.end()?;
        Ok(section)
    }

    /// One more condition on each alternative; `in` makes as many of each as it lists values.
    fn alternatives(&mut self, before: &[Vec<Condition>]) -> Result<Vec<Vec<Condition>>, PolicyError> {
        let width = self.take("int or long", |word| match word {
            "int" => Some(u64::from(u32::MAX)),
            "long" => Some(u64::MAX),
            _ => None,
        })?;
        let argument = self.take("an argument, 0 to 5", |word| word.parse().ok().filter(|number| *number < 6))?;
        let mut mask = width;
        if self.peek() == Some("&") {
            self.position += 1;
            mask &= self.take("a number", integer)?;
        }
        let mut values = Vec::new();
        let comparison = if self.peek() == Some("in") {
            self.position += 1;
            while let Some(value) = self.peek().and_then(integer) {
                values.push(value);
                self.position += 1;
            }
            Comparison::Equal
        } else {
            self.take("==, !=, <, <=, >, >= or in", comparison)?
        };
        if values.is_empty() {
            values.push(self.take("a number", integer)?);
        }
        let condition = |value| Condition { argument, mask, comparison, value };
        Ok(before
            .iter()
            .flat_map(|conditions| {
                values.iter().map(|value| conditions.iter().copied().chain([condition(*value)]).collect())
            })
            .collect())
    }

    fn calls(&mut self, known: &BTreeSet<&str>, calls: &mut Vec<String>) -> Result<(), PolicyError> {
        while let Some(call) = self.peek() {
            if !known.contains(call) {
                return Err(self.error(Problem::Call(call.to_owned())));
            }
            if calls.iter().any(|other| other == call) {
                return Err(self.error(Problem::Twice(call.to_owned())));
            }
            calls.push(call.to_owned());
            self.position += 1;
        }
        Ok(())
    }
}

/// The same numbers on every architecture there is a table for.
fn errno(name: &str) -> Option<u16> {
    match name {
        "EPERM" => Some(1),
        "EACCES" => Some(13),
        "EINVAL" => Some(22),
        "ENOSYS" => Some(38),
        "EAFNOSUPPORT" => Some(97),
        _ => None,
    }
}

fn comparison(word: &str) -> Option<Comparison> {
    match word {
        "==" => Some(Comparison::Equal),
        "!=" => Some(Comparison::NotEqual),
        "<" => Some(Comparison::Less),
        "<=" => Some(Comparison::LessOrEqual),
        ">" => Some(Comparison::Greater),
        ">=" => Some(Comparison::GreaterOrEqual),
        _ => None,
    }
}

fn integer(word: &str) -> Option<u64> {
    match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}
