//! One name, one container: the state directory and its lock.
//!
//! The lock is an flock(2) of `/run/berth/state/containers/NAME`. Its descriptor goes into the unit's descriptor
//! store, so systemd holds it while the unit runs and drops it when the unit ends, however it ends.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;

use super::error::{AtStep, Context, Error};
use crate::Scope;
use crate::config::ContainerName;
use crate::machine::Started;

pub struct Claim(OwnedFd);

/// In the state directory: the unit of whoever has claimed the name and has not started anything yet.
const CLAIMANT: &str = "claimant";

impl Claim {
    /// Takes the name, or fails naming its holder. `stored` are the unit's own locks, kept over a restart. `patience`
    /// is how long a holder that is on its way out, or handing the name over, is waited for.
    pub fn take(scope: &Scope, name: &ContainerName, stored: Vec<OwnedFd>, patience: Duration) -> Result<Self, Error> {
        let step = "claim the name";
        let directory = scope.container_states().join(name.as_str());
        make_private(&directory).at(step)?;
        // Ours already, where the last end could not be tidied up.
        if let Some(lock) = stored.into_iter().find(|lock| same_file(lock, &directory)) {
            return Ok(Claim(lock));
        }
        let deadline = Instant::now() + patience;
        loop {
            let lock = match open_directory(&directory) {
                Ok(lock) => lock,
                Err(Errno::NOENT) => {
                    make_private(&directory).at(step)?;
                    continue;
                }
                Err(errno) => return Err(errno).call(|| format!("open({})", directory.display())).at(step),
            };
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                // The last holder may have removed the directory between our open and the lock.
                Ok(()) if same_file(&lock, &directory) => return Ok(Claim(lock)),
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
                Err(Errno::WOULDBLOCK) => {
                    let holder =
                        Started::load(scope, name).map(|started| started.unit).or_else(|| claimant(&directory));
                    let holder = holder.unwrap_or_else(|| "another start".to_owned());
                    return Err(Error::Held { name: name.to_string(), holder });
                }
                Err(errno) => return Err(errno).call(|| format!("flock({})", directory.display())).at(step),
            }
        }
    }

    /// Takes a name nobody holds whose state is still there; makes nothing, as whoever tidies up beside us may just have
    /// removed it.
    pub fn take_left(state: &Path) -> Option<Self> {
        let lock = open_directory(state).ok()?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).ok()?;
        same_file(&lock, state).then_some(Claim(lock))
    }

    /// Says for which unit it is, to those who find the name taken. Best effort: a full disk fails the start elsewhere.
    pub fn sign(&self, scope: &Scope, name: &ContainerName, unit: &str) {
        let _ = std::fs::write(scope.container_states().join(name.as_str()).join(CLAIMANT), unit);
    }

    pub fn lock(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn open_directory(path: &Path) -> rustix::io::Result<OwnedFd> {
    open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

fn claimant(directory: &Path) -> Option<String> {
    std::fs::read_to_string(directory.join(CLAIMANT)).ok().filter(|unit| !unit.is_empty())
}

fn make_private(directory: &Path) -> Result<(), super::error::StepError> {
    let describe = || format!("mkdir({})", directory.display());
    if let Some(parent) = directory.parent() {
        std::fs::create_dir_all(parent).call(describe)?;
    }
    match rustix::fs::mkdir(directory, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno).call(describe),
    }
}

/// Whether an open file is the one of that path.
pub fn same_file(open: &OwnedFd, path: &Path) -> bool {
    match (rustix::fs::fstat(open), rustix::fs::lstat(path)) {
        (Ok(open), Ok(path)) => (open.st_dev, open.st_ino) == (path.st_dev, path.st_ino),
        _ => false,
    }
}
