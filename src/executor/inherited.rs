//! Descriptors systemd starts the executor with (sd_listen_fds(3)): our own from the unit's descriptor store, kept
//! over a restart, and sockets that are meant for the payload.

use std::os::fd::{AsRawFd, OwnedFd};

use crate::config::Socket;
use crate::sys::descriptors::adopt;

/// Our own stored descriptors are called so, with something after it that nobody can guess: a payload that may speak to
/// systemd could have them dropped by their name. A socket unit's `FileDescriptorName=` must not begin with it.
pub const OURS: &str = "berth-locks-";

const FIRST: i32 = 3;

#[derive(Default)]
pub struct Inherited {
    /// Locks of this unit's last start.
    pub ours: Vec<OwnedFd>,
    /// What they are called.
    pub stored: Vec<String>,
    /// For the payload, in order.
    pub sockets: Vec<(String, OwnedFd)>,
    number: i32,
}

impl Inherited {
    /// Takes them over; call once.
    pub fn take() -> Self {
        let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u32>().ok());
        if number("LISTEN_PID") != Some(std::process::id()) {
            return Inherited::default();
        }
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let count = number("LISTEN_FDS").unwrap_or(0) as i32;
        let mut inherited = Inherited { number: count, ..Inherited::default() };
        for offset in 0..count {
            let name = names.next().unwrap_or("unknown");
            let Some(fd) = adopt(FIRST + offset) else { continue };
            match name {
                name if name.starts_with(OURS) => {
                    inherited.ours.push(fd);
                    if !inherited.stored.iter().any(|known| known == name) {
                        inherited.stored.push(name.to_owned());
                    }
                }
                _ => inherited.sockets.push((name.to_owned(), fd)),
            }
        }
        inherited
    }

    /// Whether a descriptor is where it would be taken over again by this program begun anew.
    pub fn has(&self, descriptor: &impl AsRawFd) -> bool {
        (FIRST..FIRST + self.number).contains(&descriptor.as_raw_fd())
    }
}

/// As the container's `[[socket]]` stand in its file: of several units, systemd passes them in no order.
pub fn in_order(mut passed: Vec<(String, OwnedFd)>, sockets: &[Socket]) -> Vec<(String, OwnedFd)> {
    passed.sort_by_key(|(name, _)| sockets.iter().position(|socket| socket.name() == Some(name)).unwrap_or(usize::MAX));
    passed
}
