//! Maps of user namespaces: written for the container, and made for single mounts (mount_setattr(2), "ID-mapped
//! mounts").

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal};

use super::error::{Context, StepError};
use crate::sys::clone::{Clone, Cloned, clone, exit_now};

/// Writes both maps of a process that has just got a user namespace.
pub fn write_maps(process: Pid, uid_map: &str, gid_map: &str) -> Result<(), StepError> {
    for (file, map) in [("uid_map", uid_map), ("gid_map", gid_map)] {
        let path = format!("/proc/{}/{file}", process.as_raw_nonzero());
        std::fs::write(&path, map).call(|| format!("write {path} “{}”", map.trim_end()))?;
    }
    Ok(())
}

/// The last user of our own user namespace; all there can be where it is not told.
pub fn last_id() -> u32 {
    let Ok(map) = std::fs::read_to_string("/proc/self/uid_map") else { return u32::MAX };
    let ends = map.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        let (first, length) = (numbers.next()?.ok()?, numbers.nth(1)?.ok()?);
        Some(first.saturating_add(length.saturating_sub(1)))
    });
    ends.max().unwrap_or(u32::MAX)
}

/// The user namespace of a process, as a descriptor.
pub fn user_namespace(process: Pid) -> Result<OwnedFd, StepError> {
    let path = format!("/proc/{}/ns/user", process.as_raw_nonzero());
    open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).call(|| format!("open({path})"))
}

/// A user namespace of its own with these maps, held by nothing but the descriptor.
pub fn namespace_with(uid_map: &str, gid_map: &str) -> Result<OwnedFd, StepError> {
    let how = Clone { namespaces: libc::CLONE_NEWUSER as u64, ..Clone::default() };
    match clone(&how).call(|| "clone3(CLONE_NEWUSER)")? {
        Cloned::Child => loop {
            // Stands by until it is killed, which may be before it gets here.
            if rustix::process::getppid().is_none_or(|parent| parent == Pid::INIT) {
                exit_now(0);
            }
            std::thread::sleep(std::time::Duration::from_secs(1));
        },
        Cloned::Parent { child, pidfd } => {
            let namespace = write_maps(child, uid_map, gid_map).and_then(|()| user_namespace(child));
            // It cannot have ended by itself, so both calls meet it.
            let _ = rustix::process::pidfd_send_signal(&pidfd, Signal::KILL);
            let _ = rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty());
            namespace
        }
    }
}
