//! Descriptors systemd starts the executor with (sd_listen_fds(3)): our own from the unit's descriptor store, kept
//! over a restart, and sockets that are meant for the payload.

use std::os::fd::OwnedFd;

use crate::sys::descriptors::adopt;

/// Names of our own stored descriptors begin so; a socket unit's `FileDescriptorName=` must not.
const OURS: &str = "berth-";

const FIRST: i32 = 3;

#[derive(Default)]
pub struct Inherited {
    /// By the rest of their name.
    pub ours: Vec<(String, OwnedFd)>,
    /// For the payload, in order.
    pub sockets: Vec<(String, OwnedFd)>,
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
        let mut inherited = Inherited::default();
        for offset in 0..number("LISTEN_FDS").unwrap_or(0) as i32 {
            let name = names.next().unwrap_or("unknown");
            let Some(fd) = adopt(FIRST + offset) else { continue };
            match name.strip_prefix(OURS) {
                Some(name) => inherited.ours.push((name.to_owned(), fd)),
                None => inherited.sockets.push((name.to_owned(), fd)),
            }
        }
        inherited
    }

    /// Takes one of ours out, by its name or the beginning of it; returns the rest of the name.
    pub fn take_ours(&mut self, prefix: &str) -> Option<(String, OwnedFd)> {
        let at = self.ours.iter().position(|(name, _)| name.starts_with(prefix))?;
        let (name, fd) = self.ours.remove(at);
        Some((name[prefix.len()..].to_owned(), fd))
    }
}
