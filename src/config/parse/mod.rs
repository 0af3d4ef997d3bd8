//! Texts → typed values. Nothing here knows of TOML: every parser says what it expected, its caller knows where.

mod access;
mod link;
mod name;
mod network;
mod path;
mod publish;
mod quantity;
mod reference;

pub use access::{device, environment_file, user, user_or_group};
pub use link::{interface, interface_address, mac, range, subnet};
pub use name::{capability, environment_name, hostname, label_key, sysctl, timezone};
pub use network::{address, alias, ip, resolver_option, search_domain};
pub use path::{absolute, content_target, mount_target, root_source};
pub use publish::publish;
pub use quantity::{bytes, duration, limit_range, mode, rlimit, signal};
pub use reference::{image, platform};
