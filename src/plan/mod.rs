//! A container and its image as an ordered list of set-up steps. Pure: no file is opened, no system call made.

mod process;

pub use process::{Process, SeccompChoice};
