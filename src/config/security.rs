//! What a container's processes may do: `[security]`, its capabilities and user namespace, and `[rlimits]`.

use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Security {
    pub privileged: bool,
    /// Names of holes opened on purpose, such as `image-signature`.
    pub insecure: Vec<String>,
    /// `None`: on for an application, off for a booted system.
    pub no_new_privileges: Option<bool>,
    pub seccomp: SeccompSource,
    pub apparmor: AppArmor,
    pub selinux_label: Option<String>,
    pub masked_paths: Vec<PathBuf>,
    pub unmasked_paths: Vec<PathBuf>,
    pub read_only_paths: Vec<PathBuf>,
    pub capabilities: CapabilityChanges,
    pub user_namespace: UserNamespace,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeccompSource {
    Default,
    Unconfined,
    /// A profile in the OCI engines' JSON format.
    Profile(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppArmor {
    Default,
    Unconfined,
    Profile(String),
}

/// Against the default set; names are checked, upper case with `CAP_`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CapabilityChanges {
    pub add: Vec<String>,
    pub drop: Vec<String>,
    pub ambient: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserNamespace {
    /// A free range of `size` ids is picked at start.
    Auto {
        size: u32,
    },
    /// No user namespace.
    Host,
    /// A namespace that maps every id to itself.
    Identity,
    Fixed {
        base: u32,
        size: u32,
    },
}

/// Resources of setrlimit(2), ordered as the kernel numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceLimit {
    Cpu,
    Fsize,
    Data,
    Stack,
    Core,
    Rss,
    Nproc,
    Nofile,
    Memlock,
    As,
    Locks,
    Sigpending,
    Msgqueue,
    Nice,
    Rtprio,
    Rttime,
}

/// `"1024:65536"`, `"infinity"`; `None` is infinity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitRange {
    pub soft: Option<u64>,
    pub hard: Option<u64>,
}
