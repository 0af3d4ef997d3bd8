//! What is running: list, status, exec, logs.

mod attend;
mod started;
mod terminal;

pub use attend::{Console, Signals, attend};
pub use started::{ReloadAction, Started};
pub use terminal::RawTerminal;
