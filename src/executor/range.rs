//! A range of user ids for one container, disjoint from every other's.
//!
//! Ranges are picked from systemd's container range and locked in systemd-nspawn's own lock files, so that the two
//! never hand out the same one (uid-gid.html, "Container UID ranges"; nspawn.c, `uid_shift_pick`).

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use super::error::{AtStep, Context, Error};
use super::idmap;
use crate::config::ContainerName;
use crate::plan::UserRange;

pub const FIRST: u32 = 524_288;
const LAST: u32 = 1_879_048_191;
/// Ranges begin at multiples of this, as nspawn's do.
pub const SLOT: u32 = 65_536;
const LOCKS: &str = "/run/systemd/nspawn-uid";
/// In the container's state directory.
const NOTE: &str = "range";
/// How long the process that was to be the payload may outlive its executor: it was born with the executor's locks.
const DYING: Duration = Duration::from_millis(500);
/// How many slots are tried before the host is called full.
const TRIES: u32 = 4096;

/// What the container's ids stand for on the host.
pub struct Range {
    pub base: u32,
    pub size: u32,
    /// One lock a slot; none for a range the administrator fixed.
    locks: Vec<OwnedFd>,
}

impl Range {
    /// `None` where there is no user namespace. What is about to be locked is noted in `state` first, so that whoever
    /// tidies up after a killed start knows of it.
    pub fn pick(wanted: UserRange, name: &ContainerName, state: &Path) -> Result<Option<Range>, Error> {
        match wanted {
            UserRange::Host => Ok(None),
            UserRange::Identity => Ok(Some(Range { base: 0, size: u32::MAX, locks: Vec::new() })),
            UserRange::Fixed { base, size } => Ok(Some(Range { base, size, locks: Vec::new() })),
            UserRange::Free { size } => Range::free(size, name, state).map(Some),
        }
    }

    fn free(size: u32, name: &ContainerName, state: &Path) -> Result<Range, Error> {
        let slots = size.div_ceil(SLOT).max(1);
        let ours = idmap::last_id();
        if ours < LAST {
            // A range that begins in ours and does not end there could not be mapped.
            return Err(Error::NoRangeInside { ids: ours });
        }
        let choices = (LAST - FIRST + 1) / SLOT - (slots - 1);
        let taken = assigned_to_users();
        let first = hash(name.as_str()) % choices;
        let note = state.join(NOTE);
        for attempt in 0..TRIES.min(choices) {
            let base = FIRST + (first + attempt) % choices * SLOT;
            let range = base..base + slots * SLOT;
            if taken.iter().any(|id| range.contains(id)) {
                continue;
            }
            std::fs::write(&note, format!("{base} {size}"))
                .call(|| format!("write {}", note.display()))
                .at("pick a range of user ids")?;
            let locks: Vec<OwnedFd> = (0..slots).map_while(|slot| lock(base + slot * SLOT)).collect();
            if locks.len() == slots as usize {
                return Ok(Range { base, size, locks });
            }
            // While they are still held.
            forget(base, locks.len() as u32 * SLOT);
        }
        Err(Error::NoRange(size))
    }

    /// Locks to keep while the container runs.
    pub fn locks(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.locks.iter().map(AsFd::as_fd)
    }

    /// A line of `/proc/PID/uid_map` (user_namespaces(7)).
    pub fn map_line(&self) -> String {
        format!("0 {} {}\n", self.base, self.size)
    }
}

/// Removes the lock files of a range that is given up.
pub fn forget(base: u32, size: u32) {
    for slot in 0..size.div_ceil(SLOT) {
        // Absent where the range was fixed by the administrator.
        let _ = std::fs::remove_file(lock_path(base + slot * SLOT));
    }
}

/// Removes the lock files of a range that a start had noted and never got to use, unless another container has it.
pub fn forget_noted(state: &Path) {
    let Ok(note) = std::fs::read_to_string(state.join(NOTE)) else { return };
    let numbers = note.split_once(' ').map(|(base, size)| (base.parse::<u32>(), size.parse::<u32>()));
    if let Some((Ok(base), Ok(size))) = numbers {
        forget_within(base, size, DYING);
    }
}

/// Removes the lock files of a range that may be another container's by now.
pub fn forget_unheld(base: u32, size: u32) {
    forget_within(base, size, Duration::ZERO);
}

fn forget_within(base: u32, size: u32, patience: Duration) {
    let deadline = Instant::now() + patience;
    for slot in 0..size.div_ceil(SLOT) {
        let base = base + slot * SLOT;
        loop {
            // Held until the file is gone; one that is not there is made and removed again.
            if let Some(_held) = lock(base) {
                forget(base, SLOT);
                break;
            }
            if Instant::now() >= deadline {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn lock_path(base: u32) -> std::path::PathBuf {
    Path::new(LOCKS).join(base.to_string())
}

fn lock(base: u32) -> Option<OwnedFd> {
    lock_file(&lock_path(base))
}

/// systemd takes these with `F_OFD_SETLK`: the lock lives as long as the open file, wherever its descriptor goes.
pub fn lock_file(path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
    let open = || open(path, flags, Mode::from_raw_mode(0o600));
    let file = match open() {
        Err(Errno::NOENT) => {
            std::fs::create_dir_all(path.parent()?).ok()?;
            open().ok()?
        }
        other => other.ok()?,
    };
    let whole_file =
        libc::flock { l_type: libc::F_WRLCK as _, l_whence: libc::SEEK_SET as _, l_start: 0, l_len: 0, l_pid: 0 };
    nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_OFD_SETLK(&whole_file)).ok()?;
    // The last holder may have removed the file between our open and the lock.
    let stat = rustix::fs::fstat(&file).ok()?;
    (stat.st_nlink > 0).then_some(file)
}

/// Ids of the host's own users and groups at or past the container range.
fn assigned_to_users() -> Vec<u32> {
    ["/etc/passwd", "/etc/group"]
        .iter()
        .filter_map(|path| File::open(path).ok())
        .filter_map(|file| std::io::read_to_string(file).ok())
        .flat_map(|text| text.lines().filter_map(|line| line.split(':').nth(2)?.parse().ok()).collect::<Vec<u32>>())
        .filter(|id| *id >= FIRST)
        .collect()
}

/// FNV-1a: spreads names over the range; the same name tends to get the same ids again.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_lies_in_systemds_container_range() {
        let choices = (LAST - FIRST + 1) / SLOT;
        assert_eq!(FIRST % SLOT, 0);
        assert_eq!(FIRST + (choices - 1) * SLOT + (SLOT - 1), LAST);
    }
}
