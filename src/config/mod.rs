//! TOML in, one typed [`Container`] or [`Network`] out. Only the loaders touch the file system.
//!
//! [`Sources`] are the files; each becomes a tree whose values remember their places, drop-ins are merged over the
//! main file, and the decoders read the merged tree key by key. What is wrong anywhere ends in [`Diagnostics`].

pub mod capability;
mod container;
mod declared;
mod decode;
pub(crate) mod diagnostics;
mod foreign;
mod item;
mod json_schema;
mod keys;
mod merge;
mod name;
mod network;
mod network_schema;
mod networks;
mod parse;
mod schema;
mod security;
mod sources;
pub(crate) mod suggest;
mod syntax;
mod template;
pub(crate) mod tree;
mod verbatim_sections;

pub use container::*;
pub use declared::{Declared, DeclaredName, declared, instances};
pub use diagnostics::{Diagnostics, Problem};
pub use json_schema::json_schema;
pub use keys::Key;
pub use name::{ContainerName, NameError};
pub use network::*;
pub use network_schema::network_json_schema;
pub use networks::{DeclaredNetwork, NetworkError, NetworkSources, declared_networks};
pub use schema::{ALL as SECTIONS, NETWORK_FILE, Schema};
pub use security::*;
pub use sources::{LoadError, SourceFile, Sources};

/// A device as `devices` of a container's file has it.
pub fn parse_device(text: &str) -> Result<Device, String> {
    parse::device(text).map_err(|mistake| mistake.message)
}

/// `512M` as a number of bytes.
pub fn size(text: &str) -> Option<u64> {
    parse::bytes(text).ok()
}
