//! The process to run inside: the payload itself, or one that `berthctl exec` adds later.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Everything that happens between "the root is in place" and execve(2). Saved with the started container, so
/// that `exec` joins with the same limits on privilege.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Empty for the init of the tree, wherever it is there.
    pub argv: Vec<String>,
    /// `NAME=value`, each name once.
    pub environment: Vec<String>,
    pub working_directory: PathBuf,
    /// `user[:group]`, looked up in the container's own files; `None` is the container's root.
    pub user: Option<String>,
    pub groups: Vec<String>,
    pub umask: u32,
    /// Bit N is capability number N (capabilities(7)): the bounding set, and of root the effective set.
    pub capabilities: u64,
    pub ambient: u64,
    pub no_new_privileges: bool,
    pub seccomp: SeccompChoice,
    /// An AppArmor profile to change to at exec, where the host has AppArmor.
    pub apparmor: Option<String>,
    pub selinux_label: Option<String>,
    /// (RLIMIT_* number, soft, hard) as prlimit(2) takes them.
    pub rlimits: Vec<(u32, u64, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeccompChoice {
    /// The program compiled into the executor.
    Default,
    /// The same, and what engines of containers need beside it.
    Nesting,
    Unconfined,
    /// A profile in the OCI engines' JSON format, compiled at start.
    Profile(PathBuf),
}
