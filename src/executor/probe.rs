//! The executor's own calls, tried on something of no consequence: what a start would find on this host.
//!
//! Each probe answers with the kernel's words where it fails, and leaves nothing behind. Most need root. The caller
//! must be single-threaded, as for [`clone`].

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, WaitOptions, pidfd_open, waitpid};

use super::error::{Context, StepError};
use super::filesystem::{Filesystem, attach};
use super::outside::clone_tree;
use super::overlay::Overlay;
use super::root::Root;
use super::{identity, idmap, range, sealed};
use crate::machine::{cgroup_directory, cgroup_of};
use crate::sys::clone::{Clone, Cloned, clone, exit_now};
use crate::sys::descriptors;
use crate::sys::mount::{Change, NODEV, NOSUID, RDONLY, SLAVE, set_attributes};

pub type Probed = Result<(), StepError>;

/// fsopen(2), fsconfig(2), fsmount(2).
pub fn mount_api() -> Probed {
    memory().map(drop)
}

/// open_tree(2) of a directory.
pub fn tree() -> Probed {
    clone_tree(Path::new("/run"), false).map(drop)
}

/// mount_setattr(2).
pub fn attributes() -> Probed {
    let change = Change { set: RDONLY, ..Change::default() };
    set_attributes(memory()?.as_fd(), &change).call(|| "mount_setattr")
}

/// The file system itself, its module loaded where need be.
pub fn overlay() -> Probed {
    Filesystem::open("overlay").map(drop)
}

/// Overlayfs given its layers one by one.
pub fn layers_one_by_one() -> Probed {
    let scratch = Scratch::make(Path::new("/run"))?;
    let mut overlay = Filesystem::open("overlay")?.set("source", "berth")?;
    for layer in ["a", "b"] {
        overlay = overlay.set("lowerdir+", &scratch.directory(layer)?.to_string_lossy())?;
    }
    overlay.mount(0).map(drop)
}

/// A tmpfs that is never swapped out.
pub fn unswappable_memory() -> Probed {
    Filesystem::open("tmpfs")?.flag("noswap").map(drop)
}

/// A user namespace with a map.
pub fn user_namespace() -> Probed {
    let map = map();
    idmap::namespace_with(&map, &map).map(drop)
}

/// Every kind of namespace at once, by clone3(2).
pub fn namespaces() -> Probed {
    let kinds = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWCGROUP;
    born_and_gone(&Clone { namespaces: kinds as u64, ..Clone::default() })
}

/// `CLONE_INTO_CGROUP`, into the cgroup we are in.
pub fn birth_in_cgroup() -> Probed {
    let path = cgroup_directory(&cgroup_of("self").call(|| "read /proc/self/cgroup")?);
    let cgroup = rustix::fs::open(&path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .call(|| format!("open({})", path.display()))?;
    born_and_gone(&Clone { cgroup: Some(cgroup.as_fd()), ..Clone::default() })
}

/// pidfd_open(2), and setns(2) on what it opened.
pub fn process_descriptors() -> Probed {
    let own = pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).call(|| "pidfd_open")?;
    // Into the time-honoured UTS namespace we are in already: nothing changes.
    crate::sys::clone::enter(own.as_fd(), libc::CLONE_NEWUTS as u64).call(|| "setns of a pidfd")
}

/// openat2(2) that does not leave a root.
pub fn confined_lookup() -> Probed {
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).call(|| "open(/)")?;
    Root::new(root).open(Path::new("/.."), OFlags::PATH).map(drop).call(|| "openat2(RESOLVE_IN_ROOT)")
}

/// close_range(2) with `CLOSE_RANGE_CLOEXEC`, where nothing is open.
pub fn descriptor_ranges() -> Probed {
    descriptors::close_on_exec_from(i32::MAX).call(|| "close_range")
}

/// A sealed program in memory.
pub fn program_in_memory() -> Probed {
    sealed::copy(Path::new("/dev/null")).map(drop)
}

/// A filter of one instruction, installed by a child that ends with it.
pub fn filter() -> Probed {
    // BPF_RET | BPF_K with SECCOMP_RET_ALLOW (linux/seccomp.h).
    let allow: Vec<u8> = [6u16.to_ne_bytes().as_slice(), &[0, 0], &0x7fff_0000u32.to_ne_bytes()].concat();
    in_child(
        &Clone::default(),
        |_| Ok(()),
        || {
            rustix::thread::set_no_new_privs(true).call(|| "prctl(PR_SET_NO_NEW_PRIVS)")?;
            crate::sys::privilege::install_filter(&allow).call(|| "seccomp(SECCOMP_SET_MODE_FILTER)")
        },
    )
}

/// A container's root as a start makes it: idmapped layers and an idmapped writable layer of `store`'s file system,
/// joined by an overlay that is mounted inside a user namespace, and written to.
pub fn root(store: &Path) -> Probed {
    let there = store.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"));
    let scratch = Scratch::make(there)?;
    let (lower, own) = (scratch.directory("lower")?, scratch.directory("own")?);
    let (anchor, _upper, _work) =
        (scratch.directory("anchor")?, scratch.directory("own/upper")?, scratch.directory("own/work")?);
    let (lower, own) = (clone_tree(&lower, false)?, clone_tree(&own, false)?);
    let map_owners = |child: Pid| {
        let map = map();
        idmap::write_maps(child, &map, &map)?;
        let namespace = idmap::user_namespace(child)?;
        [&lower, &own].into_iter().try_for_each(|tree| {
            let change = Change { idmap: Some(namespace.as_fd()), ..Change::default() };
            set_attributes(tree.as_fd(), &change).call(|| "mount_setattr(MOUNT_ATTR_IDMAP)")
        })
    };
    let namespaces = (libc::CLONE_NEWUSER | libc::CLONE_NEWNS) as u64;
    in_child(&Clone { namespaces, ..Clone::default() }, map_owners, || mount_root(&anchor, &lower, &own))?;
    let written = scratch.path.join("own/upper/written");
    let owner = rustix::fs::stat(&written).call(|| format!("stat({})", written.display()))?.st_uid;
    if owner != 0 {
        return Err(StepError::NoIdmap { path: there.display().to_string() });
    }
    Ok(())
}

/// The container's side of [`root`].
fn mount_root(anchor: &Path, lower: &OwnedFd, own: &OwnedFd) -> Probed {
    identity::become_root()?;
    let host = open_path(Path::new("/"))?;
    set_attributes(host.as_fd(), &Change { propagation: SLAVE, recursive: true, ..Change::default() })
        .call(|| "mount_setattr(/, MS_SLAVE)")?;
    rustix::mount::move_mount(memory()?, "", CWD, anchor, rustix::mount::MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .call(|| format!("move_mount({})", anchor.display()))?;
    let place = |name: &str, mount: Option<&OwnedFd>| -> Result<PathBuf, StepError> {
        let path = anchor.join(name);
        std::fs::create_dir(&path).call(|| format!("mkdir({})", path.display()))?;
        if let Some(mount) = mount {
            attach(mount, open_path(&path)?, &path)?;
        }
        Ok(path)
    };
    let (lower, own, scratch) = (place("lower", Some(lower))?, place("own", Some(own))?, place("root", None)?);
    let overlay = Overlay { lower: &[lower], upper: &own.join("upper"), work: &own.join("work"), volatile: true };
    let root = overlay.mount(&scratch, 0)?;
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
    rustix::fs::openat(&root, "written", flags, Mode::from_raw_mode(0o600)).map(drop).call(|| "write to the overlay")
}

fn open_path(path: &Path) -> Result<OwnedFd, StepError> {
    rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).call(|| format!("open({})", path.display()))
}

fn memory() -> Result<OwnedFd, StepError> {
    Filesystem::open("tmpfs")?.set("source", "tmpfs")?.set("mode", "0700")?.mount(NOSUID | NODEV)
}

/// Any ids will do: nothing keeps them.
fn map() -> String {
    format!("0 {} {}\n", range::FIRST, range::SLOT)
}

fn born_and_gone(how: &Clone<'_>) -> Probed {
    match clone(how).call(|| "clone3")? {
        Cloned::Child => exit_now(0),
        Cloned::Parent { child, .. } => waitpid(Some(child), WaitOptions::empty()).map(drop).call(|| "waitpid"),
    }
}

/// Runs `work` in a new process, once `prepare` has seen to that process from outside.
fn in_child(how: &Clone<'_>, prepare: impl FnOnce(Pid) -> Probed, work: impl FnOnce() -> Probed) -> Probed {
    let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).call(|| "pipe2");
    let ((go, say_go), (heard, say)) = (pipe()?, pipe()?);
    match clone(how).call(|| "clone3")? {
        Cloned::Child => {
            drop((say_go, heard));
            // The end of the file without a word: nothing came of the preparation.
            if std::fs::File::from(go).read_exact(&mut [0]).is_err() {
                exit_now(0);
            }
            if let Err(error) = work() {
                // The parent reads it, or has gone and needs nothing.
                let _ = std::fs::File::from(say).write_all(error.to_string().as_bytes());
            }
            exit_now(0)
        }
        Cloned::Parent { child, .. } => {
            drop((go, say));
            let prepared = prepare(child);
            if prepared.is_ok() {
                std::fs::File::from(say_go).write_all(&[0]).call(|| "write to the child")?;
            } else {
                drop(say_go);
            }
            let mut said = String::new();
            std::fs::File::from(heard).read_to_string(&mut said).call(|| "read from the child")?;
            waitpid(Some(child), WaitOptions::empty()).call(|| "waitpid")?;
            prepared?;
            if said.is_empty() { Ok(()) } else { Err(StepError::Probe(said)) }
        }
    }
}

/// A directory of ours for the time of one probe.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn make(below: &Path) -> Result<Self, StepError> {
        let path = below.join(format!(".berth-doctor-{}", std::process::id()));
        std::fs::create_dir(&path).call(|| format!("mkdir({})", path.display()))?;
        Ok(Scratch { path })
    }

    fn directory(&self, name: &str) -> Result<PathBuf, StepError> {
        let path = self.path.join(name);
        std::fs::create_dir(&path).call(|| format!("mkdir({})", path.display()))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing to be done about a failure; the next run says so.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
