//! One at a time: who gives out addresses and ports, makes or removes a network, or changes the firewall. An flock(2) of
//! `networks/.lock`, held for a millisecond, and let go by the kernel when its holder dies.

use std::os::fd::OwnedFd;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;

use super::error::{Context, Error};
use crate::Scope;

pub struct Lock(OwnedFd);

impl Lock {
    pub fn take(scope: &Scope) -> Result<Self, Error> {
        let directory = scope.network_states();
        std::fs::create_dir_all(&directory).doing(|| format!("mkdir({})", directory.display()))?;
        let path = directory.join(".lock");
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = open(&path, flags, Mode::from_raw_mode(0o600)).doing(|| format!("open({})", path.display()))?;
        loop {
            match flock(&file, FlockOperation::LockExclusive) {
                Err(Errno::INTR) => {}
                other => break other.doing(|| format!("flock({})", path.display()))?,
            }
        }
        Ok(Lock(file))
    }

    /// For another process: the lock is held until that has closed it, too.
    pub fn share(&self) -> Result<OwnedFd, Error> {
        self.0.try_clone().doing(|| "dup of the lock")
    }
}
