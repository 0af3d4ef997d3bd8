//! What is running: list, status, exec, logs.

mod started;

pub use started::Started;
