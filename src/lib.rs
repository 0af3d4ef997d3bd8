//! berth runs containers the way systemd runs services.
//!
//! The way of one container: [`config`] reads TOML into a typed [`config::Container`]; [`unit`] turns it into
//! systemd properties and [`plan`] into ordered set-up steps; [`executor`] carries the steps out and hands the
//! payload to systemd. [`image`] is the store, [`machine`] what is running, [`cli`] what a person types.
//! `ARCHITECTURE.md` is the map.

pub mod cli;
pub mod config;
pub mod event;
pub mod executor;
pub mod image;
pub mod init;
pub mod machine;
pub mod network;
pub mod nspawn;
pub mod plan;
mod printable;
mod saved;
pub mod scope;
pub mod seccomp;
pub mod sys;
pub mod unit;

pub use scope::Scope;

/// musl's own maps and unmaps memory a hundred times before a verb of `berthctl` has read its options.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;
