//! The networks of containers: links, addresses, firewall, names. Nothing of it stays in memory: what is up is in the kernel and in
//! files of the state directory, which [`state`] reads and writes.
//!
//! A start takes its [`attach::Place`] before its process exists, noting everything first; [`release`] gives it back from
//! the notes alone, whoever was killed in between.

pub mod attach;
pub mod attachment;
mod bridge;
mod conntrack;
pub mod error;
pub mod files;
mod firewall;
mod interface_name;
mod lease;
mod link;
mod lock;
mod mac;
pub mod names;
mod namespace;
mod netlink;
mod obstacle;
mod parent;
mod port;
mod port_holder;
mod raise;
mod release;
mod reload;
mod route;

pub mod state;
mod subnet;
mod unused;

pub use attach::Place;
pub use error::Error;
pub use obstacle::{Obstacle, obstacles};
pub use release::release;
pub use reload::{Repairs, mend, reload};
pub use unused::remove_unused;

use error::Context;

/// The interface of that name, in the namespace of the socket.
fn find(socket: &mut netlink::Socket, name: &str) -> Result<Option<link::Index>, Error> {
    link::find(socket, name).doing(|| format!("look for the interface {name}"))
}

/// How names of berth's bridges begin, unless a network's file says another.
pub const BRIDGE_PREFIX: &str = "berth-";

/// Where `berth-names` listens: what containers ask at port 53 of their gateway is sent here.
pub const NAMES_PORT: u16 = 5303;
