//! The networks of containers: links, addresses, firewall, names. Nothing of it stays in memory: what is up is in the kernel and in
//! files of the state directory, which [`state`] reads and writes.

pub mod names;
pub mod state;

/// Where `berth-names` listens: what containers ask at port 53 of their gateway is sent here.
pub const NAMES_PORT: u16 = 5303;
