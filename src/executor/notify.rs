//! `/run/host/notify`: where a payload says that it is ready. What else it says is not for systemd.
//!
//! systemd's own socket would let a container name any process as its unit's main one, hold up its stop for ever and
//! store descriptors with systemd. So the socket is one of the container's own, and a process of ours, which lives until
//! the payload is ready, passes on that and a line for people. Where the unit has a watchdog it stays, for the payload's
//! signs of life.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Gid, Mode, OFlags, Uid, open};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SocketAddrUnix, SocketFlags,
    SocketType, bind, recvmsg, socket_with, sockopt,
};
use rustix::process::{Pid, Signal, pidfd_send_signal};

use super::birth::Newborn;
use super::error::{Context, StepError};
use super::handover;
use crate::machine::cgroup_directory;
use crate::printable::printable;
use crate::sys::clone::{Clone, Cloned, clone, exit_now};
use crate::sys::descriptors;

const NAME: &str = "notify";

/// What its process's cgroup is called, with something after it.
const LEAF: &str = "notify-";

/// Longer ones are nobody's to read.
const LONGEST_STATUS: usize = 200;

/// The socket, not yet listened to.
pub struct Notifications {
    socket: OwnedFd,
    /// The unit has WatchdogSec=.
    watchdog: bool,
}

/// Who may say that the container is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// Its first process, as systemd-nspawn has it: an init speaks for the system, its users do not.
    Init,
    /// Any of its processes.
    Anybody,
}

/// Where the socket is in the container's state directory.
pub fn path(state: &Path) -> PathBuf {
    state.join(NAME)
}

impl Notifications {
    /// `None` where nobody listens to us either. `owner` is the container's root as the host numbers it.
    pub fn open(state: &Path, owner: u32) -> Result<Option<Self>, StepError> {
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            return Ok(None);
        }
        let path = path(state);
        let describe = || format!("bind({})", path.display());
        match rustix::fs::unlink(&path) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno).call(|| format!("unlink({})", path.display())),
        }
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).call(describe)?;
        // A whole path may be longer than an address.
        let directory = open(state, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).call(describe)?;
        let short = format!("/proc/self/fd/{}/{NAME}", directory.as_raw_fd());
        bind(&socket, &SocketAddrUnix::new(short).call(describe)?).call(describe)?;
        sockopt::set_socket_passcred(&socket, true).call(describe)?;
        rustix::fs::chmod(&path, Mode::from_raw_mode(0o666)).call(describe)?;
        rustix::fs::chown(&path, Some(Uid::from_raw(owner)), Some(Gid::from_raw(owner))).call(describe)?;
        Ok(Some(Notifications { socket, watchdog: std::env::var_os("WATCHDOG_USEC").is_some() }))
    }

    /// Leaves the socket to a process of its own, in a cgroup of its own: an inner systemd could give no controllers to
    /// the cgroups it makes were anybody in the one above them.
    pub fn listen(self, newborn: &Newborn, cgroup: &str, voice: Voice) -> Result<Listener, StepError> {
        let mut random = [0u8; 8];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()).call(|| "getrandom")?;
        // A name that an earlier payload cannot have taken.
        let leaf = forget_earlier(&cgroup_directory(cgroup)).join(format!("{LEAF}{:016x}", u64::from_ne_bytes(random)));
        rustix::fs::mkdir(&leaf, Mode::from_raw_mode(0o755)).call(|| format!("mkdir({})", leaf.display()))?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let group = open(&leaf, flags, Mode::empty()).call(|| format!("open({})", leaf.display()))?;
        let how = Clone { cgroup: Some(group.as_fd()), ..Clone::default() };
        match clone(&how).call(|| "clone3(CLONE_INTO_CGROUP)")? {
            Cloned::Child => self.serve(newborn, voice),
            Cloned::Parent { pidfd, .. } => Ok(Listener { pidfd }),
        }
    }

    /// The whole life of that process.
    fn serve(self, newborn: &Newborn, voice: Voice) -> ! {
        let done = self.keep_only(newborn).and_then(|payload| self.pass_on(&payload, newborn.pid, voice));
        if let Err(error) = done {
            eprintln!("berth-executor: pass on what the container says: {error}");
            exit_now(1);
        }
        exit_now(0)
    }

    /// Whatever else the executor has open would outlive it here: its end of the payload's channel, its locks.
    fn keep_only(&self, newborn: &Newborn) -> Result<OwnedFd, StepError> {
        let describe = || "dup2";
        let (socket, payload) = (3, 4);
        let apart = |fd: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(fd, 5).call(describe);
        let (own, watched) = (apart(&self.socket)?, apart(&newborn.pidfd)?);
        descriptors::place(own.as_fd(), socket).call(describe)?;
        descriptors::place(watched.as_fd(), payload).call(describe)?;
        // Closed with all others.
        let _ = (own.into_raw_fd(), watched.into_raw_fd());
        descriptors::close_from(5).call(|| "close_range")?;
        descriptors::adopt(payload).ok_or(StepError::Missing("descriptor of the payload"))
    }

    fn pass_on(&self, payload: &OwnedFd, leader: Pid, voice: Voice) -> Result<(), StepError> {
        let socket = descriptors::adopt(3).ok_or(StepError::Missing("socket for notifications"))?;
        loop {
            let mut watched = [PollFd::new(&socket, PollFlags::IN), PollFd::new(payload, PollFlags::IN)];
            match poll(&mut watched, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno).call(|| "poll"),
            }
            if watched[0].revents().contains(PollFlags::IN) {
                let Some((text, sender)) = receive(&socket)? else { continue };
                if voice == Voice::Init && sender != Some(leader) {
                    continue;
                }
                let said = Said::of(&text);
                handover::pass_on(said.status.as_deref(), said.ready, said.alive && self.watchdog)?;
                if said.ready && !self.watchdog {
                    return Ok(());
                }
            } else if !watched[1].revents().is_empty() {
                return Ok(());
            }
        }
    }
}

/// Removes cgroups of listeners of earlier boots; one with a process in it stays.
fn forget_earlier(directory: &Path) -> &Path {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(LEAF.as_bytes()) {
            let _ = std::fs::remove_dir(entry.path());
        }
    }
    directory
}

/// The process that listens.
pub struct Listener {
    pidfd: OwnedFd,
}

impl Listener {
    /// Nobody will say anything.
    pub fn dismiss(self) {
        // It may have ended with the payload.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }
}

/// One datagram and who sent it.
type Datagram = (Vec<u8>, Option<Pid>);

/// The next one; `None` for one that is not as it should be. Descriptors that came with it are closed:
/// there is no room for them.
fn receive(socket: &OwnedFd) -> Result<Option<Datagram>, StepError> {
    let mut bytes = [0u8; 4096];
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = match recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags) {
        Err(Errno::INTR | Errno::AGAIN) => return Ok(None),
        other => other.call(|| "recvmsg")?,
    };
    let sender = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmCredentials(credentials) => Some(credentials.pid),
        _ => None,
    });
    if received.flags.contains(ReturnFlags::TRUNC) {
        return Ok(None);
    }
    Ok(Some((bytes[..received.bytes].to_vec(), sender)))
}

/// What of a message is passed on.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    ready: bool,
    alive: bool,
    status: Option<String>,
}

impl Said {
    fn of(text: &[u8]) -> Said {
        let mut said = Said::default();
        for line in text.split(|letter| *letter == b'\n') {
            match line {
                b"READY=1" => said.ready = true,
                b"WATCHDOG=1" => said.alive = true,
                line => {
                    if let Some(status) = line.strip_prefix(b"STATUS=") {
                        // People read it on their terminals.
                        let status: String = String::from_utf8_lossy(status).chars().take(LONGEST_STATUS).collect();
                        said.status = Some(printable(&status));
                    }
                }
            }
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_words_are_understood_and_no_other() {
        let said =
            Said::of(b"MAINPID=1\nREADY=1\nFDSTORE=1\nSTATUS=a\x1b]0;b\nEXTEND_TIMEOUT_USEC=1\nWATCHDOG=trigger\n");
        assert!(said.ready && !said.alive);
        let status = said.status.unwrap();
        assert!(status.starts_with('a') && !status.contains('\x1b'), "{status}");
        assert_eq!(Said::of(b"READY=10\nXREADY=1\nSTOPPING=1\nRELOADING=1\nERRNO=1"), Said::default());
        assert!(Said::of(b"WATCHDOG=1").alive);
        assert_eq!(Said::of(&[b"STATUS=".as_slice(), &[b'x'; 1000]].concat()).status.unwrap().len(), LONGEST_STATUS);
    }
}
