//! What was started, as the executor saved it: `/run/berth/state/containers/NAME/started.json`.
//!
//! `list`, `status` and `exec` speak of this, not of today's TOML. It is a hint about a process, never the truth
//! about it: a reader checks the leader's start time, and the unit's state comes from systemd.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::cgroup_of;
use crate::Scope;
use crate::config::{ContainerName, Reload};
use crate::plan::Process;
use crate::saved;

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
    /// What it writes is nowhere on a disk, whatever an earlier start has left there.
    #[serde(default)]
    pub writes_to_memory: bool,
    /// First host id and size of the user namespace's range.
    pub user_namespace: Option<(u32, u32)>,
    /// The range was picked for this start, and is locked while it runs.
    pub free_range: bool,
    pub network: String,
    /// berth-init is the leader, the payload its child.
    pub init: bool,
    /// The TOML and its drop-ins that were used.
    pub sources: Vec<PathBuf>,
    pub reload: Option<ReloadAction>,
    /// Of a booted system.
    #[serde(default)]
    pub machine_id: Option<String>,
    pub process: Process,
}

/// What `systemctl reload` does to the payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReloadAction {
    Signal(i32),
    Command(Vec<String>),
}

impl From<&Reload> for ReloadAction {
    fn from(reload: &Reload) -> Self {
        match reload {
            Reload::Signal(signal) => ReloadAction::Signal(signal.0),
            Reload::Command(command) => ReloadAction::Command(command.clone()),
        }
    }
}

impl Started {
    /// `None` where nothing of this name was started, or what is saved cannot be read.
    pub fn load(scope: &Scope, name: &ContainerName) -> Option<Started> {
        saved::load(&path(scope, name.as_str()))
    }

    /// What runs under another name with the same machine name.
    pub fn namesake(scope: &Scope, name: &ContainerName) -> Option<Started> {
        name.namesakes().iter().find_map(|name| Started::load(scope, name).filter(Started::is_alive))
    }

    /// Everything that was started and not yet tidied up, by name.
    pub fn all(scope: &Scope) -> Vec<Started> {
        let Ok(entries) = std::fs::read_dir(scope.container_states()) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut all: Vec<Started> = names.filter_map(|name: ContainerName| Started::load(scope, &name)).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    pub fn save(&self, scope: &Scope) -> std::io::Result<()> {
        saved::save(&path(scope, &self.name), self)
    }

    pub fn remove(scope: &Scope, name: &ContainerName) -> std::io::Result<()> {
        std::fs::remove_file(path(scope, name.as_str()))
    }

    /// Fills in what `/proc` knows of the leader and of its unit.
    pub fn complete(&mut self) -> std::io::Result<()> {
        self.leader_start = start_time(self.leader).ok_or(ErrorKind::NotFound)?;
        self.cgroup = cgroup_of(&self.leader.to_string())?;
        self.unit = self.cgroup.rsplit('/').next().unwrap_or_default().to_owned();
        self.started_at = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_micros().try_into().unwrap_or(u64::MAX));
        Ok(())
    }

    /// Whether the leader is still the process that was started.
    pub fn is_alive(&self) -> bool {
        start_time(self.leader) == Some(self.leader_start)
    }

    /// The machined and DNS name.
    pub fn machine(&self) -> String {
        self.name.replace('@', "-")
    }
}

fn path(scope: &Scope, name: &str) -> PathBuf {
    scope.container_states().join(name).join("started.json")
}

/// Field 22 of proc_pid_stat(5), in clock ticks since boot; the command in field 2 may hold anything but `)` last.
fn start_time(process: i32) -> Option<u64> {
    // As large as it gets, so that one call reads it: `list` asks for each container.
    let mut stat = [0; 1024];
    let length = File::open(format!("/proc/{process}/stat")).ok()?.read(&mut stat).ok()?;
    let stat = String::from_utf8_lossy(&stat[..length]);
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}
