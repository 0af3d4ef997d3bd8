//! Any filter and its program say the same of any call.

use proptest::prelude::*;

use super::{Call, judge, program_of, run};
use crate::seccomp::architecture::Architecture;
use crate::seccomp::filter::{Action, Comparison, Condition, Filter, Rule, Table};
use crate::seccomp::program;

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Allow),
        (0..=Action::LAST_ERRNO).prop_map(Action::Errno),
        Just(Action::KillProcess),
        Just(Action::KillThread),
        Just(Action::Trap),
        Just(Action::Log),
        any::<u16>().prop_map(Action::Trace),
    ]
}

/// Values on both sides of the 32-bit boundary that often meet or differ by one.
fn value() -> impl Strategy<Value = u64> {
    let half = || prop_oneof![Just(0u64), Just(1), Just(2), Just(0x7fff_ffff), Just(0x8000_0000), Just(0xffff_ffff)];
    prop_oneof![4 => (half(), half()).prop_map(|(upper, lower)| upper << 32 | lower), 1 => any::<u64>()]
}

fn comparison() -> impl Strategy<Value = Comparison> {
    prop::sample::select(vec![
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Less,
        Comparison::LessOrEqual,
        Comparison::Greater,
        Comparison::GreaterOrEqual,
    ])
}

fn condition() -> impl Strategy<Value = Condition> {
    let mask = prop_oneof![3 => Just(u64::MAX), 2 => Just(u64::from(u32::MAX)), 1 => value()];
    (0u8..6, mask, comparison(), value()).prop_map(|(argument, mask, comparison, value)| Condition {
        argument,
        mask,
        comparison,
        value,
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    (prop::collection::vec(condition(), 0..4), action()).prop_map(|(conditions, action)| Rule { conditions, action })
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0u32..500, 1 => 0xf0000u32..0xf0008, 1 => Just(u32::MAX), 1 => any::<u32>()]
}

fn table(architecture: Architecture) -> impl Strategy<Value = Table> {
    let calls = prop::collection::vec((number(), prop::collection::vec(rule(), 1..4)), 0..60);
    (action(), prop::option::of((number(), action())), calls).prop_map(move |(default, newer, calls)| {
        let mut table = Table::new(architecture, default);
        table.newer = newer;
        for (number, rules) in calls {
            for rule in rules {
                table.add(number, rule);
            }
        }
        table
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    (table(Architecture::X86_64), table(Architecture::X86), any::<bool>(), action()).prop_map(
        |(first, second, both, foreign)| {
            let mut tables = vec![first];
            tables.extend(both.then_some(second));
            Filter { tables, foreign }
        },
    )
}

/// Arguments near the values the filter tests, so that its conditions are met and just missed.
fn calls(filter: &Filter, random: &[(u32, [u64; 6], u64)]) -> Vec<Call> {
    let architectures = [Architecture::X86_64, Architecture::X86, Architecture::Aarch64];
    let mut calls = Vec::new();
    for (number, arguments, offset) in random {
        for architecture in architectures {
            calls.push(Call::new(architecture, *number, arguments));
        }
        for table in &filter.tables {
            for (number, rules) in &table.rules {
                let mut near = *arguments;
                for condition in rules.iter().flat_map(|rule| &rule.conditions) {
                    let value = condition.value.wrapping_add(offset % 3).wrapping_sub(1);
                    near[usize::from(condition.argument)] = value | (offset << 8) & !condition.mask;
                }
                for number in [number.saturating_sub(1), *number, number.saturating_add(1)] {
                    calls.push(Call::new(table.architecture, number, &near));
                }
            }
        }
    }
    calls
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_program_says_what_its_filter_says(
        filter in filter(),
        random in prop::collection::vec((number(), prop::array::uniform6(value()), any::<u64>()), 8),
    ) {
        let Ok(program) = program::compile(&filter) else { return Ok(()) };
        for call in calls(&filter, &random) {
            prop_assert_eq!(run(&program, &call).0, judge(&filter, &call).return_value(), "{:?}", call);
        }
    }
}

fn alternating(calls: u32) -> Table {
    let mut table = Table::new(Architecture::X86_64, Action::Errno(1));
    for number in (0..calls).step_by(2) {
        let condition = |argument| Condition {
            argument,
            mask: u64::MAX,
            comparison: Comparison::Greater,
            value: u64::from(number) << 31 | 5,
        };
        table.add(number, Rule { conditions: vec![condition(0), condition(5)], action: Action::Allow });
    }
    table
}

#[test]
fn targets_farther_than_255_instructions_are_reached() {
    let filter = Filter { tables: vec![alternating(600)], foreign: Action::KillProcess };
    let program = program_of(&filter);
    assert!(program.len() > 2000, "{}", program.len());
    for number in 0..600 {
        for value in [u64::from(number) << 31, (u64::from(number) << 31) + 6, u64::MAX] {
            let call = Call::new(Architecture::X86_64, number, &[value, 0, 0, 0, 0, value]);
            assert_eq!(run(&program, &call).0, judge(&filter, &call).return_value(), "{call:?}");
        }
    }
    let foreign = Call::new(Architecture::Arm, 0, &[]);
    assert_eq!(run(&program, &foreign).0, Action::KillProcess.return_value());
}

#[test]
fn more_than_the_kernel_takes_is_an_error() {
    let filter = Filter { tables: vec![alternating(2000)], foreign: Action::KillProcess };
    let error = program::compile(&filter).unwrap_err().to_string();
    assert!(error.ends_with("instructions; the kernel takes at most 4096"), "{error}");
}
