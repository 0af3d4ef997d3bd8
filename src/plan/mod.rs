//! A container and its image as an ordered list of set-up steps. Pure: no file is opened, no system call made.
//!
//! Invariants: the first step makes the root, the last enters it; nothing below the root is resolved before the
//! first or after the last. A step says what, never how: [`crate::executor`] knows the system calls.

mod booted;
mod build;
mod display;
mod environment;
mod hardening;
mod mounts;
mod privileges;
mod process;
mod step;

pub use build::PlanError;
pub use environment::merge as merge_environment;
pub use process::{Process, SeccompChoice};
pub use step::{DeviceNode, FileContent, IdMapping, Lower, Namespace, Placement, Step, WritableLayer};

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::{ContainerName, ContainerNetwork, EnvironmentFile};

/// Everything the executor does for one start, in order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    #[serde(serialize_with = "step::as_text")]
    pub name: ContainerName,
    /// As typed, and the digest of its manifest.
    pub image: Option<(String, String)>,
    pub user_namespace: UserRange,
    /// Namespaces made new for the container, besides the user namespace.
    pub new_namespaces: Vec<Namespace>,
    /// Namespaces of other containers to join.
    pub joined_namespaces: Vec<(Namespace, String)>,
    /// A network namespace that somebody else made, to join.
    pub network_namespace: Option<PathBuf>,
    /// What it is to have of networks, where it has its own place on them.
    #[serde(serialize_with = "step::as_wiring")]
    pub network: Option<ContainerNetwork>,
    pub steps: Vec<Step>,
    pub process: Process,
    /// Set apart from the process: read from files and from the unit's environment at start.
    pub environment: EnvironmentSources,
    /// berth-init runs as PID 1, the payload as PID 2.
    pub init: bool,
    pub ready_by_payload: bool,
    /// It runs a whole system, not one program.
    pub booted: Option<Booted>,
}

/// What is known of a booted system before its tree is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Booted {
    /// As the administrator wants it.
    pub machine_id: Option<String>,
    /// Nothing that it writes is kept.
    pub discarded: bool,
    /// Whether only its init shows who says that it is ready: systemd says so itself.
    pub ready_by_init: bool,
}

/// Which host ids the container's ids stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserRange {
    /// No user namespace.
    Host,
    /// Every id is itself.
    Identity,
    /// A free range, picked and locked at start.
    Free {
        size: u32,
    },
    Fixed {
        base: u32,
        size: u32,
    },
}

/// Where variables come from that are not known before the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EnvironmentSources {
    /// The image's own, `NAME=value`.
    pub image: Vec<String>,
    #[serde(serialize_with = "step::as_debug")]
    pub files: Vec<EnvironmentFile>,
    /// Names of the unit's environment that are passed on.
    pub pass: Vec<String>,
    /// The TOML's own, `NAME=value`: these win.
    pub explicit: Vec<String>,
}

impl Plan {
    /// The directory tree it runs on; none for an image.
    pub fn tree(&self) -> Option<&Path> {
        self.steps.iter().find_map(|step| match step {
            Step::Root { lower: Lower::Tree(tree), .. } => Some(tree.as_path()),
            _ => None,
        })
    }

    /// The tree of the host's that the container itself writes to.
    pub fn tree_in_place(&self) -> Option<&Path> {
        match self.steps.first() {
            Some(Step::Root { lower: Lower::Tree(tree), writable: WritableLayer::Tree }) => Some(tree),
            _ => None,
        }
    }

    /// The directories its root is made of, the topmost first.
    pub fn trees(&self) -> Vec<PathBuf> {
        let Some(Step::Root { lower, writable }) = self.steps.first() else { return Vec::new() };
        let kept = match writable {
            WritableLayer::Kept { directory, .. } => Some(directory.join("upper")),
            _ => None,
        };
        let lower = match lower {
            Lower::Layers { directory, names } => names.iter().rev().map(|name| directory.join(name)).collect(),
            Lower::Tree(tree) | Lower::Disk { place: tree, .. } => vec![tree.clone()],
        };
        kept.into_iter().chain(lower).collect()
    }

    /// Whether nothing that it writes into its root reaches a disk.
    pub fn writes_to_memory(&self) -> bool {
        let is_memory = |writable: &WritableLayer| match writable {
            WritableLayer::Memory | WritableLayer::MemoryBesideUsr => true,
            WritableLayer::Fresh { .. } | WritableLayer::Kept { .. } | WritableLayer::Tree => false,
        };
        self.steps.iter().any(|step| matches!(step, Step::Root { writable, .. } if is_memory(writable)))
    }

    /// The disk image it runs on, and where that is mounted while its root is made.
    pub fn disk(&self) -> Option<(&Path, &Path)> {
        self.steps.iter().find_map(|step| match step {
            Step::Root { lower: Lower::Disk { image, place }, .. } => Some((image.as_path(), place.as_path())),
            _ => None,
        })
    }

    /// Whether its writes reach the tree, or the disk image, itself.
    pub fn writes_to_tree(&self) -> bool {
        matches!(self.steps.first(), Some(Step::Root { writable: WritableLayer::Tree, .. }))
    }
}
