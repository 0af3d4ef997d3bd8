//! What was bound into a container while it ran: `containers/NAME/bound/NUMBER`, by the mount's own number.
//!
//! It tells our mounts from the container's others, which are not to be taken away. It ends with the container.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Started;
use crate::{Scope, saved};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// On the host.
    pub source: PathBuf,
    /// In the container, as it was typed.
    pub target: PathBuf,
    pub read_only: bool,
    /// As the kernel numbers mounts (statx(2), `STATX_MNT_ID`).
    pub mount: u64,
    /// Of which start: [`Started::leader_start`].
    pub leader_start: u64,
    /// It is a device that was attached.
    #[serde(default)]
    pub device: Option<AttachedDevice>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachedDevice {
    /// As the unit's settings have it.
    pub node: String,
    /// Some of `rwm`.
    pub access: String,
    /// What the unit allowed of it before.
    pub before: Option<String>,
}

impl Bound {
    /// Not yet a mount.
    pub fn new(source: &Path, target: &Path, leader_start: u64) -> Bound {
        let (source, target) = (source.to_owned(), target.to_owned());
        Bound { source, target, read_only: false, mount: 0, leader_start, device: None }
    }

    /// In the order of their targets.
    pub fn all(scope: &Scope, started: &Started) -> Vec<Bound> {
        let entries = std::fs::read_dir(directory(scope, started)).into_iter().flatten().flatten();
        let mut all: Vec<Bound> = entries.filter_map(|entry| saved::load(&entry.path())).collect();
        all.retain(|bound| bound.leader_start == started.leader_start);
        all.sort_by(|one, other| one.target.cmp(&other.target));
        all
    }

    pub fn save(&self, scope: &Scope, started: &Started) -> std::io::Result<()> {
        let directory = directory(scope, started);
        std::fs::create_dir_all(&directory)?;
        saved::save(&directory.join(self.mount.to_string()), self)
    }

    pub fn remove(scope: &Scope, started: &Started, mount: u64) -> std::io::Result<()> {
        std::fs::remove_file(directory(scope, started).join(mount.to_string()))
    }
}

fn directory(scope: &Scope, started: &Started) -> PathBuf {
    scope.container_states().join(&started.name).join("bound")
}
