//! A machine for classic BPF, as far as filters use it.

use super::Call;
use crate::seccomp::program::{AND, Instruction, JUMP, JUMP_EQUAL, JUMP_GREATER, JUMP_GREATER_OR_EQUAL, LOAD, RETURN};

/// The value returned, and the number of instructions it took. Panics where the kernel would refuse the program.
pub fn run(program: &[Instruction], call: &Call) -> (u32, usize) {
    let mut data = [0; 64];
    data[0..4].copy_from_slice(&call.number.to_le_bytes());
    data[4..8].copy_from_slice(&call.audit_value.to_le_bytes());
    for (argument, place) in call.arguments.iter().zip(data[16..].chunks_exact_mut(8)) {
        place.copy_from_slice(&argument.to_le_bytes());
    }
    let (mut accumulator, mut position, mut steps) = (0u32, 0usize, 0usize);
    loop {
        let Instruction { code, if_true, if_false, operand } = program[position];
        position += 1;
        steps += 1;
        let mut branch = |condition: bool| position += usize::from(if condition { if_true } else { if_false });
        match code {
            LOAD => {
                let offset = operand as usize;
                assert!(offset.is_multiple_of(4), "unaligned load");
                accumulator = u32::from_le_bytes(data[offset..offset + 4].try_into().unwrap());
            }
            AND => accumulator &= operand,
            JUMP => position += operand as usize,
            JUMP_EQUAL => branch(accumulator == operand),
            JUMP_GREATER => branch(accumulator > operand),
            JUMP_GREATER_OR_EQUAL => branch(accumulator >= operand),
            RETURN => return (operand, steps),
            other => panic!("no such operation: {other:#x}"),
        }
    }
}
