//! A container as systemd properties, rendered as unit-file text and as D-Bus variants.
//!
//! One [`table`] knows every setting; [`properties()`] says which a container has, [`text()`] and [`variants()`] write
//! them. [`template`] is `container@.service` in the same terms, so that a transient unit gets the same settings.

mod bonds;
pub mod generator;
pub mod manager;
mod properties;
mod property;
mod setting;
pub mod signal;
pub mod sockets;
mod specified;
pub mod table;
pub mod template;
mod text;
mod value;
mod variants;

pub use bonds::{UnitOf, others, unit_of_declared, unit_of_running};
pub use properties::{PropertyError, properties};
pub use property::{Property, Section};
pub use setting::{Bus, Kind, Owner, Setting};
pub use specified::{Names, Specified, SpecifierError};
pub use template::transient;
pub use text::text;
pub use value::split_words;
pub use value::{
    Command, CommandFlags, Condition, Delegate, INFINITY, Interfaces, Limit, PortRule, Prefix, Share, Stream, Value,
    ValueError, bytes, span,
};
pub use variants::{bus_name, variants};
