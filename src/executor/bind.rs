//! Trees of the host's in a container that runs, and out of it again: `berthctl bind` and `unbind`.
//!
//! The tree is opened here, as a detached mount with the container's users as its owners; a child that sees the
//! container's files as its root does puts it into place. So no path of the container's leads anywhere else.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, StatxFlags, statx};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use rustix::process::{WaitOptions, waitpid};

use super::channel::{Channel, Message};
use super::error::{AtStep, Context, Error, StepError};
use super::filesystem::attach;
use super::idmap;
use super::inside::refuse_kernel_files;
use super::leader::Leader;
use super::outside::clone_tree;
use super::root::{Missing, Root, is};
use crate::Scope;
use crate::config::ContainerName;
use crate::machine::Bound;
use crate::sys::clone::{Clone, Cloned, clone, exit_now};
use crate::sys::mount::{Change, PRIVATE, RDONLY, set_attributes};

#[derive(Debug)]
pub struct Binding {
    pub source: PathBuf,
    pub target: PathBuf,
    pub read_only: bool,
    /// Make the target where it is missing.
    pub make: bool,
}

pub fn bind(scope: &Scope, name: &ContainerName, binding: &Binding) -> Result<(), Error> {
    let leader = Leader::find(scope, name)?;
    let mount = detached(&leader, binding).at("open the tree")?;
    let bound = Bound {
        read_only: binding.read_only,
        ..Bound::new(&binding.source, &binding.target, leader.started.leader_start)
    };
    put(scope, &leader, bound, &Place { mount: &mount, make: binding.make })
}

pub fn unbind(scope: &Scope, name: &ContainerName, target: &Path) -> Result<(), Error> {
    let leader = Leader::find(scope, name)?;
    take_away(scope, &leader, target, "bind", |bound| bound.device.is_none()).map(drop)
}

/// What is to be put into the container.
pub struct Place<'a> {
    pub mount: &'a OwnedFd,
    /// Make the target where it is missing.
    pub make: bool,
}

/// Puts a detached mount at `bound.target`, and notes it.
pub fn put(scope: &Scope, leader: &Leader, mut bound: Bound, place: &Place<'_>) -> Result<(), Error> {
    bound.mount = number(place.mount).at("open the tree")?;
    let missing = if is(place.mount, FileType::Directory) { Missing::Directory } else { Missing::File };
    // Before it is there: what nobody knows of could not be taken away.
    bound.save(scope, &leader.started).call(|| "note the mount").at("bind")?;
    let target = &bound.target;
    let placed = in_the_container(leader, |root, _| {
        let at = match root.open(target, OFlags::PATH) {
            Ok(found) => found,
            Err(Errno::NOENT) if place.make => root.ensure(target, missing)?,
            Err(Errno::NOENT) => return Err(StepError::NoTarget(target.display().to_string())),
            Err(errno) => return Err(errno).call(|| format!("openat2({})", target.display())),
        };
        refuse_kernel_files(&at, target)?;
        attach(place.mount, at, target).map(|()| 0)
    });
    if placed.is_err() {
        let _ = Bound::remove(scope, &leader.started, bound.mount);
    }
    placed.map(drop)
}

/// Takes away what is at `target`, if it is one of those that `verb` has put there and that are meant.
pub fn take_away(
    scope: &Scope,
    leader: &Leader,
    target: &Path,
    verb: &'static str,
    meant: impl Fn(&Bound) -> bool,
) -> Result<Bound, Error> {
    let all = Bound::all(scope, &leader.started);
    let not_bound = || StepError::NotBound { path: target.display().to_string(), verb };
    let mount = in_the_container(leader, |root, descriptors| {
        let describe = || format!("openat2({})", target.display());
        let place = root.open(target, OFlags::PATH).call(describe)?;
        let mount = number(&place)?;
        let found = all.iter().find(|bound| bound.mount == mount && meant(bound));
        let device = match found {
            Some(bound) if is_root_of_mount(&place)? => bound.device.is_some(),
            _ => return Err(not_bound()),
        };
        // The links on the way are resolved already, and the last name is none.
        let path = rustix::fs::readlinkat(descriptors, place.as_raw_fd().to_string(), Vec::new()).call(describe)?;
        let path = PathBuf::from(OsString::from_vec(path.into_bytes()));
        let above = root.open(path.parent().unwrap_or(Path::new("/")), OFlags::PATH | OFlags::DIRECTORY);
        rustix::process::fchdir(above.call(describe)?).call(describe)?;
        let file = path.file_name().unwrap_or_default();
        if statx(rustix::fs::CWD, file, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::MNT_ID).call(describe)?.stx_mnt_id
            != mount
        {
            return Err(not_bound());
        }
        rustix::mount::unmount(file, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
            .call(|| format!("umount({})", target.display()))?;
        if device {
            remove_empty(file);
        }
        i32::try_from(mount).map_err(|_| not_bound())
    })?;
    let _ = Bound::remove(scope, &leader.started, mount as u64);
    let gone = all.into_iter().find(|bound| bound.mount == mount as u64);
    gone.ok_or_else(not_bound).at("unbind")
}

/// The file that was made for a device to be seen at.
fn remove_empty(file: &OsStr) {
    let about = rustix::fs::lstat(file);
    if about.is_ok_and(|about| FileType::from_raw_mode(about.st_mode) == FileType::RegularFile && about.st_size == 0) {
        let _ = rustix::fs::unlink(file);
    }
}

/// The source, attached nowhere, its owners mapped where its file system can.
fn detached(leader: &Leader, binding: &Binding) -> Result<OwnedFd, StepError> {
    let describe = || format!("mount_setattr({})", binding.source.display());
    let mount = clone_tree(&binding.source, true)?;
    let set = if binding.read_only { RDONLY } else { 0 };
    let change = Change { set, propagation: PRIVATE, recursive: true, ..Change::default() };
    set_attributes(mount.as_fd(), &change).call(describe)?;
    if leader.has_own_users()? {
        let users = idmap::user_namespace(leader.pid)?;
        let change = Change { idmap: Some(users.as_fd()), recursive: true, ..Change::default() };
        match set_attributes(mount.as_fd(), &change) {
            // A file system without idmapped mounts, or one that is mapped already: as it is with [[mount]].
            Ok(()) | Err(Errno::INVAL | Errno::PERM) => {}
            Err(errno) => return Err(errno).call(describe),
        }
    }
    Ok(mount)
}

fn number(file: impl AsFd) -> Result<u64, StepError> {
    Ok(statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).call(|| "statx")?.stx_mnt_id)
}

fn is_root_of_mount(file: &OwnedFd) -> Result<bool, StepError> {
    let about = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).call(|| "statx")?;
    Ok(about.stx_attributes.bits() & libc::STATX_ATTR_MOUNT_ROOT as u64 != 0)
}

/// Does something as a child that visits the container, with its root and the child's own descriptors by number.
fn in_the_container(
    leader: &Leader,
    act: impl FnOnce(&Root, &OwnedFd) -> Result<i32, StepError>,
) -> Result<i32, Error> {
    let step = "enter the container";
    let (ours, theirs) = Channel::pair().call(|| "socketpair").at(step)?;
    match clone(&Clone::default()).call(|| "clone3").at(step)? {
        Cloned::Child => {
            drop(ours);
            let visited = || {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let descriptors = rustix::fs::open("/proc/self/fd", flags, Mode::empty());
                let descriptors = descriptors.call(|| "open(/proc/self/fd)")?;
                act(&leader.visit()?, &descriptors)
            };
            // Without a reader there is nobody to tell.
            let _ = theirs.send(&match visited() {
                Ok(number) => Message::Running(number),
                Err(error) => Message::Failed(error.exit_code(), error.to_string()),
            });
            exit_now(0)
        }
        Cloned::Parent { child, .. } => {
            drop(theirs);
            let answer = ours.receive().call(|| "recvmsg").at(step)?;
            let _ = waitpid(Some(child), WaitOptions::empty());
            match answer {
                Some(Message::Running(number)) => Ok(number),
                Some(Message::Failed(exit_code, text)) => Err(Error::Inside { exit_code, text }),
                _ => Err(Error::Vanished),
            }
        }
    }
}
