//! The first process of a running container, held: whatever is done to it afterwards is done to no other.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Pid, PidfdFlags, pidfd_open};

use super::error::{AtStep, Context, Error, StepError};
use super::identity;
use super::root::Root;
use crate::Scope;
use crate::config::ContainerName;
use crate::machine::Started;
use crate::sys::clone::enter;

/// Namespaces by their file in `/proc/PID/ns` and their flag, the user namespace first.
const NAMESPACES: [(&str, i32); 7] = [
    ("user", libc::CLONE_NEWUSER),
    ("mnt", libc::CLONE_NEWNS),
    ("pid", libc::CLONE_NEWPID),
    ("ipc", libc::CLONE_NEWIPC),
    ("uts", libc::CLONE_NEWUTS),
    ("net", libc::CLONE_NEWNET),
    ("cgroup", libc::CLONE_NEWCGROUP),
];

/// What the files of a container are looked at from.
const OF_FILES: u64 = (libc::CLONE_NEWUSER | libc::CLONE_NEWNS) as u64;

pub struct Leader {
    pub started: Started,
    pub pid: Pid,
    pidfd: OwnedFd,
}

impl AsFd for Leader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Leader {
    pub fn find(scope: &Scope, name: &ContainerName) -> Result<Leader, Error> {
        let not_running = || StepError::NotRunning(name.to_string());
        let started = Started::load(scope, name).ok_or_else(not_running).at("find the container")?;
        let pid = Pid::from_raw(started.leader).ok_or_else(not_running).at("find the container")?;
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Err(Errno::SRCH) => Err(not_running()),
            other => other.call(|| "pidfd_open"),
        };
        let pidfd = pidfd.at("find the container")?;
        // Asked after the descriptor was opened: it refers to the leader, or this fails.
        if !started.is_alive() {
            return Err(not_running()).at("find the container");
        }
        Ok(Leader { started, pid, pidfd })
    }

    /// Flags of the namespaces in which it is not where we are; entering one's own is an error for some.
    pub fn foreign_namespaces(&self) -> Result<u64, StepError> {
        let mut flags = 0;
        for (file, flag) in NAMESPACES {
            let theirs = format!("/proc/{}/ns/{file}", self.pid.as_raw_nonzero());
            let there = rustix::fs::stat(&theirs).call(|| format!("stat({theirs})"))?;
            let here =
                rustix::fs::stat(format!("/proc/self/ns/{file}")).call(|| format!("stat(/proc/self/ns/{file})"))?;
            if (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino) {
                flags |= flag as u64;
            }
        }
        Ok(flags)
    }

    pub fn has_own_users(&self) -> Result<bool, StepError> {
        Ok(self.foreign_namespaces()? & libc::CLONE_NEWUSER as u64 != 0)
    }

    /// Makes this process one that sees the container's files as its root does, and may do to them what that may. The
    /// container's processes do not see it: it stays out of their PID namespace. The caller must be single-threaded.
    pub fn visit(&self) -> Result<Root, StepError> {
        let namespaces = self.foreign_namespaces()? & OF_FILES;
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).call(|| "prctl(PR_SET_DUMPABLE)")?;
        if namespaces & libc::CLONE_NEWUSER as u64 != 0 {
            rustix::thread::set_thread_groups(&[]).call(|| "setgroups([])")?;
        }
        enter(self.pidfd.as_fd(), namespaces).call(|| "setns")?;
        if namespaces & libc::CLONE_NEWUSER as u64 != 0 {
            identity::become_root()?;
        }
        root()
    }
}

/// The root this process has now.
pub fn root() -> Result<Root, StepError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(Path::new("/"), flags, Mode::empty()).call(|| "open(/)").map(Root::new)
}
