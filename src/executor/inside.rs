//! The container's side of the steps: carried out by the payload's process in its own namespaces, before it lets go
//! of the host's file system.

mod trees;

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, OFlags};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;

use super::error::{Context, StepError};
use super::filesystem::{Filesystem, attach};
use super::journal::DIRECTORY;
use super::machine_id::MachineId;
use super::procfs::Procfs;
use super::root::{Missing, Root, is};
use super::{devices, interfaces, system};
use crate::config::LinkJournal;
use crate::plan::{DeviceNode, FileContent, Placement, Step};
use crate::sys::mount::{Change, NODEV, NOEXEC, NOSUID, RDONLY, SHARED, SLAVE, set_attributes};

const KERNEL: u64 = NOSUID | NODEV | NOEXEC;

/// Limit on what is read from files of the image.
const FILE_LIMIT: u64 = 16 << 20;

pub struct Inside {
    /// A tmpfs of the container's own over the state directory: where trees are attached until the root stands.
    anchor: PathBuf,
    handles: HashMap<usize, Vec<OwnedFd>>,
    root: Option<Root>,
    empty: Option<OwnedFd>,
    machine_id: Option<MachineId>,
}

impl Inside {
    /// `anchor` is any directory of the host's; only this mount namespace sees what happens to it.
    pub fn new(
        anchor: &Path,
        handles: HashMap<usize, Vec<OwnedFd>>,
        machine_id: Option<MachineId>,
    ) -> Result<Self, StepError> {
        let host =
            rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, rustix::fs::Mode::empty()).call(|| "open(/)")?;
        set_attributes(host.as_fd(), &Change { propagation: SLAVE, recursive: true, ..Change::default() })
            .call(|| "mount_setattr(/, MS_SLAVE)")?;
        let memory = Filesystem::open("tmpfs")?.set("source", "tmpfs")?.set("mode", "0700")?.mount(NOSUID | NODEV)?;
        rustix::mount::move_mount(&memory, "", CWD, anchor, rustix::mount::MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
            .call(|| format!("move_mount({})", anchor.display()))?;
        Ok(Inside { anchor: anchor.to_owned(), handles, root: None, empty: None, machine_id })
    }

    pub fn carry_out(&mut self, number: usize, step: &Step) -> Result<(), StepError> {
        let mut handles = self.handles.remove(&number).unwrap_or_default().into_iter();
        match step {
            Step::Root { lower, writable } => self.make_root(lower, writable, handles),
            Step::Proc { own: true } => self.attach_kernel("/proc", &new("proc", KERNEL)?),
            Step::Sys { own: true } => self.attach_kernel("/sys", &new("sysfs", KERNEL | RDONLY)?),
            Step::Proc { own: false } => handles.try_for_each(|proc| self.attach_kernel("/proc", &proc)),
            Step::Sys { own: false } => handles.try_for_each(|sys| self.attach_kernel("/sys", &sys)),
            Step::Cgroup { writable } => self.cgroup(*writable),
            Step::Devices { nodes } => self.devices(nodes, handles),
            Step::Terminals => self.terminals(),
            Step::Console => handles.try_for_each(|terminal| self.console(&terminal)),
            Step::SharedMemory { size } => {
                let memory = Filesystem::open("tmpfs")?
                    .set("source", "shm")?
                    .set("mode", "1777")?
                    .set("size", &size.to_string())?;
                self.attach_kernel("/dev/shm", &memory.mount(KERNEL)?)
            }
            Step::MessageQueues => self.attach_kernel("/dev/mqueue", &new("mqueue", KERNEL)?),
            Step::Bind { target, .. } => handles.try_for_each(|mount| self.bind(&mount, target)),
            Step::Tmpfs { target, size, share, mode, attributes } => {
                let mut memory =
                    Filesystem::open("tmpfs")?.set("source", "tmpfs")?.set("mode", &format!("{mode:o}"))?;
                if let Some(size) = size {
                    memory = memory.set("size", &size.to_string())?;
                } else if let Some((percents, files)) = share {
                    memory = memory.set("size", &format!("{percents}%"))?.set("nr_inodes", &files.to_string())?;
                }
                let memory = memory.mount(*attributes)?;
                self.attach_new(&memory, target, Missing::Directory)
            }
            Step::Overlay { target, lower, upper, attributes } => {
                self.overlay(number, target, lower, upper.as_deref(), *attributes, handles)
            }
            Step::File { target, placement: Placement::Mounted, .. } => {
                handles.try_for_each(|file| self.bind(&file, target))
            }
            Step::File { target, placement: Placement::WrittenUnlessLinked, .. } if self.root()?.is_link(target) => {
                Ok(())
            }
            Step::File { target, content, .. } => self.write(target, content, handles),
            Step::HostDirectory { .. } => {
                handles.try_for_each(|host| self.attach_new(&host, Path::new("/run/host"), Missing::Directory))
            }
            Step::Nesting { sys } => self.nesting(*sys),
            Step::Credentials => handles.try_for_each(|credentials| {
                self.attach_new(&credentials, Path::new("/run/host/credentials"), Missing::Directory)
            }),
            Step::NotifySocket => {
                handles.try_for_each(|socket| self.attach_new(&socket, Path::new("/run/host/notify"), Missing::File))
            }
            Step::Hostname { hostname } => {
                rustix::system::sethostname(hostname.as_bytes()).call(|| format!("sethostname({hostname})"))
            }
            Step::MachineId => system::write_machine_id(self.root()?, self.machine_id.as_ref()),
            Step::TimeZone { zone } => system::set_time_zone(self.root()?, zone.as_deref()),
            Step::Journal { link } => handles.try_for_each(|journal| self.journal(*link, &journal)),
            Step::Loopback => interfaces::bring_up("lo"),
            Step::Sysctls { values } => values.iter().try_for_each(|(key, value)| self.sysctl(key, value)),
            Step::Mask { target } => self.hide(target, true),
            Step::Inaccessible { target } => self.hide(target, false),
            Step::ReadOnly { target, except } => self.read_only(target, except.as_deref()),
            Step::ReadOnlyRoot => set_attributes(self.root()?.as_fd(), &Change { set: RDONLY, ..Change::default() })
                .call(|| "mount_setattr(/, MOUNT_ATTR_RDONLY)"),
            Step::Enter { shared } => self.enter(*shared),
        }
    }

    /// The root, once it stands: what comes after is done through it.
    pub fn root(&self) -> Result<&Root, StepError> {
        self.root.as_ref().ok_or(StepError::Missing("root file system yet"))
    }

    fn attach_kernel(&self, path: &str, mount: &OwnedFd) -> Result<(), StepError> {
        let path = Path::new(path);
        attach(mount, self.root()?.ensure_real_directory(path)?, path)
    }

    /// Mounts at a place of ours, made where it is missing.
    fn attach_new(&self, mount: &OwnedFd, path: &Path, missing: Missing) -> Result<(), StepError> {
        let place = self.root()?.ensure(path, missing)?;
        refuse_kernel_files(&place, path)?;
        attach(mount, place, path)
    }

    fn bind(&self, mount: &OwnedFd, target: &Path) -> Result<(), StepError> {
        let missing = if is(mount, FileType::Directory) { Missing::Directory } else { Missing::File };
        self.attach_new(mount, target, missing)
    }

    /// Nodes that could not be made come as mounts of the host's own, in their order.
    fn devices(&self, nodes: &[DeviceNode], mut handles: impl Iterator<Item = OwnedFd>) -> Result<(), StepError> {
        let dev = handles.next().ok_or(StepError::Missing("/dev for this step"))?;
        self.attach_kernel("/dev", &dev)?;
        for node in nodes {
            let Ok(place) = self.root()?.open(&node.container, OFlags::PATH) else { continue };
            if is(&place, FileType::RegularFile) {
                let mount = handles.next().ok_or(StepError::Missing("device for this step"))?;
                attach(&mount, place, &node.container)?;
            }
        }
        Ok(())
    }

    fn nesting(&self, sys: bool) -> Result<(), StepError> {
        let attach = |kind: &'static str, path: &str, attributes: u64| {
            self.attach_new(&new(kind, attributes)?, Path::new(path), Missing::Directory)
        };
        attach("proc", "/run/host/nesting/proc", KERNEL)?;
        if sys {
            attach("sysfs", "/run/host/nesting/sys", KERNEL | RDONLY)?;
        }
        Ok(())
    }

    fn cgroup(&self, writable: bool) -> Result<(), StepError> {
        let attributes = if writable { KERNEL } else { KERNEL | RDONLY };
        self.attach_kernel("/sys/fs/cgroup", &new("cgroup2", attributes)?)
    }

    fn terminals(&self) -> Result<(), StepError> {
        let terminals = |group: bool| -> Result<OwnedFd, StepError> {
            let mut devpts = Filesystem::open("devpts")?.set("source", "devpts")?.flag("newinstance")?;
            devpts = devpts.set("ptmxmode", "0666")?.set("mode", "0620")?;
            if group {
                devpts = devpts.set("gid", "5")?;
            }
            devpts.mount(NOSUID | NOEXEC)
        };
        // Group 5 is `tty` in every distribution; a small user namespace may not have it.
        let mount = terminals(true).or_else(|_| terminals(false))?;
        self.attach_kernel("/dev/pts", &mount)
    }

    fn console(&self, terminal: &OwnedFd) -> Result<(), StepError> {
        self.attach_new(terminal, Path::new("/dev/console"), Missing::File)
    }

    fn write(
        &self,
        target: &Path,
        content: &FileContent,
        mut handles: impl Iterator<Item = OwnedFd>,
    ) -> Result<(), StepError> {
        let bytes = match content {
            FileContent::Text(text) => text.clone().into_bytes(),
            _ => match handles.next() {
                Some(file) => {
                    let mut bytes = Vec::new();
                    let mut file = std::io::Read::take(std::fs::File::from(file), FILE_LIMIT);
                    std::io::Read::read_to_end(&mut file, &mut bytes).call(|| format!("read {}", target.display()))?;
                    bytes
                }
                None => return Ok(()),
            },
        };
        let root = self.root()?;
        root.ensure(target.parent().unwrap_or(target), Missing::Directory)?;
        root.replace_file(target, &bytes)
    }

    /// Where journald finds this directory it keeps its journal there, and not in memory.
    fn journal(&self, link: LinkJournal, mount: &OwnedFd) -> Result<(), StepError> {
        let Some(machine) = &self.machine_id else { return Ok(()) };
        let place = Path::new(DIRECTORY).join(&machine.id);
        match link {
            LinkJournal::Host | LinkJournal::TryHost => self.attach_new(mount, &place, Missing::Directory),
            _ => self.root()?.ensure(&place, Missing::Directory).map(drop),
        }
    }

    fn sysctl(&self, key: &str, value: &str) -> Result<(), StepError> {
        let path = Path::new("sys").join(key.replace('.', "/"));
        Procfs::of(self.root()?)?.write(&path, value).call(|| format!("write “{value}” to /proc/{}", path.display()))
    }

    /// Over a file the null device, over a directory one empty read-only file system that all of them share.
    fn hide(&mut self, target: &Path, may_be_missing: bool) -> Result<(), StepError> {
        let found = match self.root()?.open(target, OFlags::PATH) {
            // Missing, or below something that is hidden already.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) if may_be_missing => return Ok(()),
            other => other.call(|| format!("openat2({})", target.display()))?,
        };
        if is(&found, FileType::Directory) {
            if self.empty.is_none() {
                let empty = Filesystem::open("tmpfs")?
                    .set("source", "tmpfs")?
                    .set("mode", "0000")?
                    .set("size", "0")?
                    .set("nr_inodes", "1")?;
                let empty = empty.mount(KERNEL | RDONLY)?;
                // Attached once, so that it can be cloned wherever it is needed.
                let path = self.anchor_directory("empty")?;
                let at = rustix::fs::open(&path, OFlags::PATH | OFlags::CLOEXEC, rustix::fs::Mode::empty())
                    .call(|| format!("open({})", path.display()))?;
                attach(&empty, at, &path)?;
                self.empty = Some(empty);
            }
            let empty = self.empty.as_ref().ok_or(StepError::Missing("empty file system"))?;
            return attach(clone_mount(empty.as_fd(), target)?, found, target);
        }
        let null = devices::null(self.root()?)?;
        attach(clone_mount(null.as_fd(), target)?, found, target)
    }

    fn read_only(&self, target: &Path, except: Option<&Path>) -> Result<(), StepError> {
        let found = match self.root()?.open(target, OFlags::PATH) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => return Ok(()),
            other => other.call(|| format!("openat2({})", target.display()))?,
        };
        let mount = clone_mount(found.as_fd(), target)?;
        set_attributes(mount.as_fd(), &Change { set: RDONLY, recursive: true, ..Change::default() })
            .call(|| format!("mount_setattr({})", target.display()))?;
        let Some(path) = except else { return attach(&mount, found, target) };
        let kept = self.root()?.open(path, OFlags::PATH).call(|| format!("openat2({})", path.display()))?;
        let kept = clone_mount(kept.as_fd(), path)?;
        attach(&mount, found, target)?;
        attach(&kept, self.root()?.open(path, OFlags::PATH).call(|| format!("openat2({})", path.display()))?, path)
    }

    /// pivot_root(2) with both places the same, as its manual page shows: the old root ends up on top of the new
    /// one and is let go.
    fn enter(&self, shared: bool) -> Result<(), StepError> {
        rustix::process::fchdir(self.root()?).call(|| "fchdir to the root")?;
        rustix::process::pivot_root(".", ".").call(|| "pivot_root")?;
        rustix::mount::unmount(".", UnmountFlags::DETACH).call(|| "umount of the host's root")?;
        rustix::process::chdir("/").call(|| "chdir(/)")?;
        if shared {
            set_attributes(self.root()?.as_fd(), &Change { propagation: SHARED, recursive: true, ..Change::default() })
                .call(|| "mount_setattr(/, MS_SHARED)")?;
        }
        Ok(())
    }
}

/// A file system of the kernel's own, not yet mounted anywhere.
fn new(kind: &'static str, attributes: u64) -> Result<OwnedFd, StepError> {
    Filesystem::open(kind)?.set("source", kind)?.mount(attributes)
}

/// Only who names `/proc` or `/sys` mounts there. A link of the image's must not: what is written to a file of these
/// later would go to one of its choosing (CVE-2025-52881).
pub fn refuse_kernel_files(place: &OwnedFd, path: &Path) -> Result<(), StepError> {
    const CGROUP2: i64 = 0x6367_7270;
    let kind = rustix::fs::fstatfs(place).call(|| format!("fstatfs({})", path.display()))?.f_type;
    #[allow(clippy::unnecessary_cast)] // Its width differs between C libraries and architectures.
    let into = match kind as i64 {
        0x9fa0 => "/proc",
        0x6265_6572 | CGROUP2 => "/sys",
        _ => return Ok(()),
    };
    if path.starts_with(into) {
        return Ok(());
    }
    Err(StepError::LinkedIntoKernel { path: path.display().to_string(), into })
}

/// A detached copy of the mount below an open file or directory.
fn clone_mount(open: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, StepError> {
    use rustix::mount::{OpenTreeFlags, open_tree};
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    open_tree(open, "", flags).call(|| format!("open_tree({})", path.display()))
}
