//! A new terminal for a payload in the foreground: one end in its unit, the other between us and our own.

use std::os::fd::OwnedFd;

use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};

pub struct Terminal {
    /// Ours.
    pub controller: OwnedFd,
    /// The payload's.
    pub terminal: OwnedFd,
}

impl Terminal {
    pub fn open() -> std::io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let controller = openpt(flags)?;
        unlockpt(&controller)?;
        let terminal = ioctl_tiocgptpeer(&controller, flags)?;
        Ok(Terminal { controller, terminal })
    }
}
