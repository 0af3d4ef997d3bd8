//! TOML in, one typed [`Container`] out. Only the loader touches the file system.

mod container;
mod name;

pub use container::*;
pub use name::{ContainerName, NameError};
