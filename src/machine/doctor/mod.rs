//! What this kernel, systemd and file system offer, what berth does with it, and what it does without.
//!
//! One table, [`features`], for `berthctl doctor` and for berth(7). What can be tried is tried, with the executor's own
//! calls; a version decides only where a try would cost or change something.

mod host;
mod kernel;
mod manager;
mod systemd;

use std::cell::OnceCell;

use serde::Serialize;

use crate::Scope;
use manager::Facts;

/// One thing a host can have.
pub struct Feature {
    pub area: Area,
    pub name: &'static str,
    /// `Linux 5.2`, `systemd 252`; empty where it is no matter of age.
    pub since: &'static str,
    /// What berth does with it.
    pub use_: &'static str,
    pub without: Without,
    probe: fn(&Host) -> Finding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    Kernel,
    Systemd,
    Host,
}

/// What it means to be without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Without {
    /// Containers cannot run; this is how to get it.
    Get(&'static str),
    /// This is done, or lost, instead.
    Instead(&'static str),
}

/// What a probe found, with a version or the kernel's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    Present(String),
    Absent(String),
    Unknown(String),
}

/// One row of `berthctl doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    pub area: Area,
    pub feature: &'static str,
    /// `yes`, `no`, or `unknown` where it could not be asked.
    pub state: &'static str,
    pub found: String,
    pub since: &'static str,
    pub required: bool,
    #[serde(rename = "use")]
    pub use_: &'static str,
    /// What is done instead, or how to get what is required.
    pub without: &'static str,
}

/// The host that is asked. systemd is asked once, and only after the kernel: its connection may start threads.
struct Host<'a> {
    scope: &'a Scope,
    root: bool,
    facts: OnceCell<Facts>,
}

/// Everything there is to ask, the kernel's first.
pub fn features() -> impl Iterator<Item = &'static Feature> {
    kernel::FEATURES.iter().chain(systemd::FEATURES).chain(host::FEATURES)
}

/// Asks for everything. The caller must be single-threaded.
pub fn examine(scope: &Scope) -> Vec<Row> {
    let host = Host { scope, root: rustix::process::geteuid().is_root(), facts: OnceCell::new() };
    features().map(|feature| feature.row(&host)).collect()
}

impl Feature {
    fn row(&self, host: &Host) -> Row {
        let (state, found) = match (self.probe)(host) {
            Finding::Present(found) => ("yes", found),
            Finding::Absent(found) => ("no", found),
            Finding::Unknown(found) => ("unknown", found),
        };
        let without = match self.without {
            Without::Get(text) | Without::Instead(text) => text,
        };
        let required = matches!(self.without, Without::Get(_));
        let Feature { area, name: feature, since, use_, .. } = *self;
        Row { area, feature, state, found, since, required, use_, without }
    }
}

impl Row {
    /// Containers cannot run for want of it.
    pub fn is_fatal(&self) -> bool {
        self.required && self.state == "no"
    }
}

impl Host<'_> {
    fn facts(&self) -> &Facts {
        self.facts.get_or_init(|| Facts::ask(self.scope))
    }
}

impl Finding {
    fn of<E: std::fmt::Display>(result: Result<(), E>) -> Self {
        match result {
            Ok(()) => Finding::Present(String::new()),
            Err(error) => Finding::Absent(error.to_string()),
        }
    }

    fn from_option(found: Option<String>, absent: &str) -> Self {
        found.map_or_else(|| Finding::Absent(absent.to_owned()), Finding::Present)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_says_what_it_is_for_and_what_is_done_without_it() {
        let mut names: Vec<&str> = features().map(|feature| feature.name).collect();
        for feature in features() {
            let text = match feature.without {
                Without::Get(text) | Without::Instead(text) => text,
            };
            assert!(!feature.use_.is_empty() && !text.is_empty(), "{}", feature.name);
            let known = ["", "Linux ", "systemd "];
            assert!(known.iter().any(|start| feature.since.starts_with(start)), "{}", feature.since);
        }
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "two features have one name");
    }
}
