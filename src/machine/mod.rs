//! What is running: list, status, exec, logs.

mod attend;
mod cgroup;
pub mod doctor;
mod processes;
mod started;
mod terminal;

pub use attend::{Console, Signals, attend, attend_until};
pub use cgroup::{cgroup_directory, cgroup_of, expect_moves, is_frozen};
pub use processes::{Group, Process};
pub use started::{ReloadAction, Started};
pub use terminal::RawTerminal;
