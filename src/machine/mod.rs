//! What is running: list, status, exec, logs.

mod attend;
mod bound;
mod cgroup;
mod console;
pub mod doctor;
mod images;
mod processes;
mod started;
mod streams;
mod terminal;
mod usage;

/// From the end of a unit to the release of its locks: systemd says that it is down, and closes the descriptors it stored
/// for it a moment later. Whoever takes up what a container had right after its end is not to find it held.
pub const RELEASE: std::time::Duration = std::time::Duration::from_millis(500);

pub use attend::{Attended, Relay, Signalled, Signals, attend, attend_until};
pub use bound::{AttachedDevice, Bound};
pub use cgroup::{cgroup_directory, cgroup_of, expect_moves, is_frozen};
pub use console::{Console, EndOfInput, our_size};
pub use images::{Images, MachineImage};
pub use processes::{Group, Process};
pub use started::{ReloadAction, Started};
pub use streams::{Descriptors, Streams};
pub use terminal::RawTerminal;
pub use usage::Usage;
