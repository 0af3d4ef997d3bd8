//! What was started, as the executor saved it: `/run/berth/state/containers/NAME/started.json`.
//!
//! `list`, `status` and `exec` speak of this, not of today's TOML. It is a hint about a process, never the truth
//! about it: a reader checks the leader's start time, and the unit's state comes from systemd.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::plan::Process;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    pub name: String,
    /// `container@web.service`, `berth-run-web.service` or `berth-run-web.scope`.
    pub unit: String,
    /// Below the cgroup v2 mount, with a leading slash.
    pub cgroup: String,
    /// The payload's PID 1, as the host numbers it.
    pub leader: i32,
    /// Field 22 of `/proc/PID/stat`: tells the leader from a later process with its number.
    pub leader_start: u64,
    /// Microseconds since the epoch.
    pub started_at: u64,
    /// As typed in the TOML, and the manifest's digest; none for a directory tree.
    pub image: Option<(String, String)>,
    pub root_directory: Option<PathBuf>,
    /// First host id and size of the user namespace's range.
    pub user_namespace: Option<(u32, u32)>,
    pub network: String,
    /// The TOML and its drop-ins that were used.
    pub sources: Vec<PathBuf>,
    pub process: Process,
}
