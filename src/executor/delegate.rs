//! The container's part of the cgroup tree, given to its root: what systemd itself gives to `User=` of a unit with
//! `Delegate=` (systemd's CGROUP_DELEGATION). The limits of the unit's own cgroup are not among it.

use rustix::fs::{Gid, Uid, chown};

use super::error::{Context, StepError};
use crate::machine::cgroup_directory;

const FILES: [&str; 4] = ["", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"];

/// `owner` is the container's root as the host numbers it.
pub fn give(cgroup: &str, owner: u32) -> Result<(), StepError> {
    let directory = cgroup_directory(cgroup);
    for file in FILES {
        let path = directory.join(file);
        let (uid, gid) = (Uid::from_raw(owner), Gid::from_raw(owner));
        chown(&path, Some(uid), Some(gid)).call(|| format!("chown({})", path.display()))?;
    }
    Ok(())
}
