//! A machine for classic BPF, as far as filters use it.

use super::Call;
use crate::seccomp::program::{AND, Instruction, JUMP, JUMP_EQUAL, JUMP_GREATER, JUMP_GREATER_OR_EQUAL, LOAD, RETURN};

/// Where they begin in `struct seccomp_data`.
const ARGUMENTS: usize = 16;

/// How a program ended.
pub struct Outcome {
    /// What it returned.
    pub value: u32,
    /// The instructions it took.
    pub steps: usize,
    /// Whether it looked at the call's arguments, and not at its number and architecture alone.
    pub arguments_read: bool,
}

/// Panics where the kernel would refuse the program.
pub fn run(program: &[Instruction], call: &Call) -> Outcome {
    let mut data = [0; 64];
    data[0..4].copy_from_slice(&call.number.to_le_bytes());
    data[4..8].copy_from_slice(&call.audit_value.to_le_bytes());
    for (argument, place) in call.arguments.iter().zip(data[ARGUMENTS..].chunks_exact_mut(8)) {
        place.copy_from_slice(&argument.to_le_bytes());
    }
    let (mut accumulator, mut position, mut steps, mut arguments_read) = (0u32, 0usize, 0usize, false);
    loop {
        let Instruction { code, if_true, if_false, operand } = program[position];
        position += 1;
        steps += 1;
        let mut branch = |condition: bool| position += usize::from(if condition { if_true } else { if_false });
        match code {
            LOAD => {
                let offset = operand as usize;
                assert!(offset.is_multiple_of(4), "unaligned load");
                arguments_read |= offset >= ARGUMENTS;
                accumulator = u32::from_le_bytes(data[offset..offset + 4].try_into().unwrap());
            }
            AND => accumulator &= operand,
            JUMP => position += operand as usize,
            JUMP_EQUAL => branch(accumulator == operand),
            JUMP_GREATER => branch(accumulator > operand),
            JUMP_GREATER_OR_EQUAL => branch(accumulator >= operand),
            RETURN => return Outcome { value: operand, steps, arguments_read },
            other => panic!("no such operation: {other:#x}"),
        }
    }
}
