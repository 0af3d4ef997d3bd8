//! The compiled programs against the rules they come from.

mod comparison;
mod default;
mod equivalence;
mod machine;
mod policies;
mod profiles;

use super::architecture::Architecture;
use super::filter::{Action, Comparison, Condition, Filter};
use super::program::{self, Instruction};

const EPERM: Action = Action::Errno(1);
const ENOSYS: Action = Action::Errno(38);

/// `struct seccomp_data`, without the instruction pointer.
#[derive(Debug, Clone, Copy)]
struct Call {
    audit_value: u32,
    number: u32,
    arguments: [u64; 6],
}

impl Call {
    fn new(architecture: Architecture, number: u32, arguments: &[u64]) -> Self {
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        Call { audit_value: architecture.audit_value(), number, arguments: all }
    }

    fn named(architecture: Architecture, name: &str, arguments: &[u64]) -> Self {
        let number = architecture.calls().get(name).copied();
        Call::new(architecture, number.unwrap_or_else(|| panic!("{architecture:?} has no {name}")), arguments)
    }
}

fn holds(condition: &Condition, arguments: &[u64; 6]) -> bool {
    let argument = arguments[usize::from(condition.argument)] & condition.mask;
    match condition.comparison {
        Comparison::Equal => argument == condition.value,
        Comparison::NotEqual => argument != condition.value,
        Comparison::Less => argument < condition.value,
        Comparison::LessOrEqual => argument <= condition.value,
        Comparison::Greater => argument > condition.value,
        Comparison::GreaterOrEqual => argument >= condition.value,
    }
}

/// What the rules say of a call, without any program.
fn judge(filter: &Filter, call: &Call) -> Action {
    let Some(table) = filter.tables.iter().find(|table| table.architecture.audit_value() == call.audit_value) else {
        return filter.foreign;
    };
    let rules = table.rules.get(&call.number).map_or(&[][..], Vec::as_slice);
    rules
        .iter()
        .find(|rule| rule.conditions.iter().all(|condition| holds(condition, &call.arguments)))
        .map_or_else(|| table.otherwise(call.number), |rule| rule.action)
}

/// What the program returns for a call, and after how many instructions.
fn run(program: &[Instruction], call: &Call) -> (u32, usize) {
    let outcome = machine::run(program, call);
    (outcome.value, outcome.steps)
}

fn program_of(filter: &Filter) -> Vec<Instruction> {
    program::compile(filter).expect("it is short enough")
}
