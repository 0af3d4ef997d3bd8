//! A filter as a program for the kernel: classic BPF.
//!
//! Call numbers are found by binary search over ranges with the same fate, so that a call costs about
//! log2(ranges) comparisons. The program is built from its end to its start, since BPF jumps only forward: when a jump
//! is written, the distance to its target is known.

use std::collections::HashMap;

use super::filter::{Action, Comparison, Condition, Filter, Rule, Table};

/// The kernel's `BPF_MAXINSNS`.
const LIMIT: usize = 4096;

/// The offsets of `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// Operation codes of linux/filter.h: class, size or operation, mode or source.
pub(super) const LOAD: u16 = 0x20;
pub(super) const AND: u16 = 0x54;
pub(super) const JUMP: u16 = 0x05;
pub(super) const JUMP_EQUAL: u16 = 0x15;
pub(super) const JUMP_GREATER: u16 = 0x25;
pub(super) const JUMP_GREATER_OR_EQUAL: u16 = 0x35;
pub(super) const RETURN: u16 = 0x06;

/// The profile needs more instructions than the kernel takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the filter has {0} instructions; the kernel takes at most {LIMIT}")]
pub struct TooLong(usize);

/// `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    pub code: u16,
    pub if_true: u8,
    pub if_false: u8,
    pub operand: u32,
}

/// The program of `filter`.
pub fn compile(filter: &Filter) -> Result<Vec<Instruction>, TooLong> {
    let mut program = Reversed::default();
    // The last to be written comes first: the native architecture.
    let entries: Vec<Label> = filter.tables.iter().rev().map(|table| program.table(table)).collect();
    let mut next = program.action(filter.foreign);
    for (table, entry) in filter.tables.iter().rev().zip(entries) {
        next = program.branch(JUMP_EQUAL, table.architecture.audit_value(), entry, next);
    }
    program.fall_into(next);
    program.write(LOAD, ARCHITECTURE);
    program.finish()
}

/// As the kernel reads it. Every architecture there is a table for is little-endian.
pub fn bytes(program: &[Instruction]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(program.len() * 8);
    for instruction in program {
        bytes.extend(instruction.code.to_le_bytes());
        bytes.extend([instruction.if_true, instruction.if_false]);
        bytes.extend(instruction.operand.to_le_bytes());
    }
    bytes
}

/// An instruction by its distance from the end, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Label(usize);

/// What becomes of the calls from one number up to the next range.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate<'a> {
    Action(Action),
    Rules(&'a [Rule]),
}

#[derive(Default)]
struct Reversed {
    instructions: Vec<Instruction>,
    /// The return instruction written last for each value.
    returns: HashMap<u32, Label>,
}

impl Reversed {
    fn finish(self) -> Result<Vec<Instruction>, TooLong> {
        if self.instructions.len() > LIMIT {
            return Err(TooLong(self.instructions.len()));
        }
        Ok(self.instructions.into_iter().rev().collect())
    }

    fn write(&mut self, code: u16, operand: u32) -> Label {
        self.instructions.push(Instruction { code, if_true: 0, if_false: 0, operand });
        Label(self.instructions.len() - 1)
    }

    fn action(&mut self, action: Action) -> Label {
        let value = action.return_value();
        match self.returns.get(&value) {
            Some(label) => *label,
            None => self.write_return(value),
        }
    }

    fn write_return(&mut self, value: u32) -> Label {
        let label = self.write(RETURN, value);
        self.returns.insert(value, label);
        label
    }

    /// How many instructions lie between the next one to be written and `label`.
    fn distance(&self, label: Label) -> usize {
        self.instructions.len() - label.0 - 1
    }

    /// Something that leads to `label` from the start of what is written so far.
    fn bridge(&mut self, label: Label) -> Label {
        let target = self.instructions[label.0];
        if target.code == RETURN {
            return self.write_return(target.operand);
        }
        let distance = self.distance(label) as u32;
        self.write(JUMP, distance)
    }

    /// Makes what is written next continue at `label`.
    fn fall_into(&mut self, label: Label) {
        if self.distance(label) != 0 {
            self.bridge(label);
        }
    }

    /// A conditional jump.
    fn branch(&mut self, code: u16, operand: u32, if_true: Label, if_false: Label) -> Label {
        if if_true == if_false {
            self.fall_into(if_true);
            return Label(self.instructions.len() - 1);
        }
        // A bridge to one of them moves the other one instruction away.
        let reach = usize::from(u8::MAX) - 1;
        let if_true = if self.distance(if_true) > reach { self.bridge(if_true) } else { if_true };
        let if_false = if self.distance(if_false) > reach { self.bridge(if_false) } else { if_false };
        let (near_true, near_false) = (self.distance(if_true) as u8, self.distance(if_false) as u8);
        self.instructions.push(Instruction { code, if_true: near_true, if_false: near_false, operand });
        Label(self.instructions.len() - 1)
    }

    fn table(&mut self, table: &Table) -> Label {
        let ranges = ranges(table);
        let root = self.search(table, &ranges);
        self.fall_into(root);
        self.write(LOAD, NUMBER)
    }

    fn search(&mut self, table: &Table, ranges: &[(u32, Fate<'_>)]) -> Label {
        match ranges {
            [(_, Fate::Action(action))] => self.action(*action),
            [(number, Fate::Rules(rules))] => self.rules(rules, table.otherwise(*number)),
            _ => {
                let (lower, upper) = ranges.split_at(ranges.len() / 2);
                let boundary = upper[0].0;
                let upper = self.search(table, upper);
                let lower = self.search(table, lower);
                self.branch(JUMP_GREATER_OR_EQUAL, boundary, upper, lower)
            }
        }
    }

    fn rules(&mut self, rules: &[Rule], otherwise: Action) -> Label {
        let mut next = self.action(otherwise);
        for rule in rules.iter().rev() {
            let mut applies = self.action(rule.action);
            for condition in rule.conditions.iter().rev() {
                applies = self.condition(condition, applies, next);
            }
            next = applies;
        }
        next
    }

    fn condition(&mut self, condition: &Condition, holds: Label, fails: Label) -> Label {
        match condition.comparison {
            Comparison::Equal => self.compare(condition, JUMP_EQUAL, holds, fails),
            Comparison::NotEqual => self.compare(condition, JUMP_EQUAL, fails, holds),
            Comparison::Greater => self.compare(condition, JUMP_GREATER, holds, fails),
            Comparison::LessOrEqual => self.compare(condition, JUMP_GREATER, fails, holds),
            Comparison::GreaterOrEqual => self.compare(condition, JUMP_GREATER_OR_EQUAL, holds, fails),
            Comparison::Less => self.compare(condition, JUMP_GREATER_OR_EQUAL, fails, holds),
        }
    }

    /// BPF has 32 bits: the upper halves decide, unless they are equal.
    fn compare(&mut self, condition: &Condition, code: u16, holds: Label, fails: Label) -> Label {
        let word = ARGUMENTS + 8 * u32::from(condition.argument);
        let (value, mask) = (condition.value, condition.mask);
        let (upper_mask, upper) = ((mask >> 32) as u32, (value >> 32) as u32);
        if upper_mask == 0 && upper != 0 {
            // What is masked away is zero, and less than this.
            return fails;
        }
        let compared = self.branch(code, value as u32, holds, fails);
        let lower = self.load(word, mask as u32, compared);
        if upper_mask == 0 {
            return lower;
        }
        let mut compared = self.branch(JUMP_EQUAL, upper, lower, fails);
        if code != JUMP_EQUAL {
            compared = self.branch(JUMP_GREATER, upper, holds, compared);
        }
        self.load(word + 4, upper_mask, compared)
    }

    /// Loads a word and goes on at `then`.
    fn load(&mut self, word: u32, mask: u32, then: Label) -> Label {
        self.fall_into(then);
        if mask != u32::MAX {
            self.write(AND, mask);
        }
        self.write(LOAD, word)
    }
}

/// Neighbouring numbers with the same fate are one range.
fn ranges(table: &Table) -> Vec<(u32, Fate<'_>)> {
    let mut starts: Vec<u32> =
        table.rules.keys().flat_map(|number| [Some(*number), number.checked_add(1)]).flatten().collect();
    starts.push(0);
    starts.extend(table.newer.map(|(first, _)| first));
    starts.sort_unstable();
    let fate = |number: u32| match table.rules.get(&number).map(Vec::as_slice) {
        None | Some([]) => Fate::Action(table.otherwise(number)),
        Some([rule, ..]) if rule.conditions.is_empty() => Fate::Action(rule.action),
        Some(rules) => Fate::Rules(rules),
    };
    let mut ranges: Vec<(u32, Fate<'_>)> = Vec::new();
    for start in starts {
        let fate = fate(start);
        if ranges.last().is_none_or(|(_, last)| *last != fate) {
            ranges.push((start, fate));
        }
    }
    ranges
}
