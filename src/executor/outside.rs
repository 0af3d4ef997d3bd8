//! The host's side of the steps: opening what needs the host's paths or privileges, as detached mounts.
//!
//! Trees are opened before the container's namespaces exist; their owners are mapped as soon as its user namespace
//! does. A detached mount needs no path and vanishes with its last descriptor.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};
use rustix::process::Pid;

use super::error::{AtStep, Context, Error, StepError};
use super::filesystem::Filesystem;
use super::journal::Trees;
use super::machine_id::MachineId;
use super::range::Range;
use super::{devices, host_directory, idmap, journal, notify, writable};
use crate::config::LinkJournal;
use crate::network::{Place, files};
use crate::plan::{FileContent, IdMapping, Lower, Placement, Plan, Step, WritableLayer};
use crate::sys::mount::{Change, NODEV, NOEXEC, NOSUID, PRIVATE, RDONLY, set_attributes};

/// What a step hands to the container's side.
pub struct Handle {
    step: usize,
    mount: OwnedFd,
    owners: Owners,
    path: PathBuf,
}

/// Whose files appear as whose.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Owners {
    /// As they are.
    Unmapped,
    /// By the container's map; without it the container cannot work.
    Mapped,
    /// By the container's map, where the file system can.
    MappedIfPossible,
    /// One id alone becomes the container's root.
    Single { uid: u32, gid: u32 },
}

pub struct Outside<'a> {
    pub plan: &'a Plan,
    pub range: Option<&'a Range>,
    /// The container's state directory.
    pub state: &'a Path,
    /// What it has taken of its networks.
    pub place: Option<&'a Place>,
    /// Of a booted system.
    pub machine_id: Option<&'a MachineId>,
    /// Somebody hears what the payload says at its socket.
    pub listening: bool,
    /// Where systemd has put the unit's credentials, if it has any.
    pub credentials: Option<&'a Path>,
    pub terminal: Option<&'a OwnedFd>,
}

impl Outside<'_> {
    /// Opens everything; nothing is mounted anywhere yet.
    pub fn open(&self) -> Result<Vec<Handle>, Error> {
        let mut handles = Vec::new();
        for (number, step) in self.plan.steps.iter().enumerate() {
            let opened = self.open_step(step).at(step)?;
            handles.extend(opened.into_iter().map(|(mount, owners, path)| Handle {
                step: number,
                mount,
                owners,
                path,
            }));
        }
        Ok(handles)
    }

    fn open_step(&self, step: &Step) -> Result<Vec<(OwnedFd, Owners, PathBuf)>, StepError> {
        match step {
            Step::Root { lower, writable } => self.open_root(lower, writable),
            Step::Proc { own: false } => self.host_file_system("/proc", 0),
            Step::Sys { own: false } => self.host_file_system("/sys", RDONLY),
            Step::Devices { nodes } => {
                let owner = self.range.map_or(0, |range| range.base);
                let mounts = devices::make(nodes, owner)?.into_iter();
                Ok(mounts.map(|mount| (mount, Owners::Unmapped, "/dev".into())).collect())
            }
            Step::Console => self.terminal.map(|terminal| self.console(terminal)).into_iter().collect(),
            Step::Bind { source, recursive, optional, propagation, idmap, attributes, clear, .. } => {
                if *optional && !source.exists() {
                    return Ok(Vec::new());
                }
                let change = Change {
                    set: *attributes,
                    clear: *clear,
                    propagation: *propagation,
                    idmap: None,
                    recursive: *recursive,
                };
                Ok(vec![self.bind(source, &change, *idmap)?])
            }
            Step::Overlay { lower, upper, .. } => {
                let lower = lower.iter().map(PathBuf::as_path);
                let upper = upper.iter().filter_map(|upper| upper.parent());
                lower.chain(upper).map(|path| self.tree(path, false)).collect()
            }
            Step::File { target, content, placement: Placement::Mounted } => self.file(target, content),
            Step::File { content: FileContent::Host(path), .. } => self.host_file(path),
            Step::File { content: FileContent::Text(_), .. } => Ok(Vec::new()),
            Step::File { target, content, .. } => self.host_file(&self.made(target, content)?),
            Step::HostDirectory { nesting } => {
                let uuid = self.machine_id.map(MachineId::uuid).unwrap_or_default();
                let owner = self.range.map_or(0, |range| range.base);
                Ok(vec![(host_directory::make(owner, &uuid, *nesting)?, Owners::Unmapped, "/run/host".into())])
            }
            Step::Journal { link } => self.journal(*link),
            Step::Credentials => self.credentials(),
            Step::NotifySocket => match self.listening {
                true => Ok(vec![self.bind(&notify::path(self.state), &Change::default(), IdMapping::Unmapped)?]),
                false => Ok(Vec::new()),
            },
            _ => Ok(Vec::new()),
        }
    }

    fn open_root(&self, lower: &Lower, writable: &WritableLayer) -> Result<Vec<(OwnedFd, Owners, PathBuf)>, StepError> {
        let (lower, top) = match lower {
            Lower::Layers { directory, names } => {
                (self.tree(directory, false)?, names.last().map(|top| directory.join(top)))
            }
            Lower::Tree(tree) => (self.tree(tree, false)?, Some(tree.clone())),
            // Its other partitions are mounted below it.
            Lower::Disk { place, .. } => (self.tree(place, true)?, Some(place.clone())),
        };
        let top = top.as_deref();
        let directory = match writable {
            WritableLayer::Memory | WritableLayer::MemoryBesideUsr | WritableLayer::Tree => return Ok(vec![lower]),
            WritableLayer::Fresh { directory } => {
                writable::make_fresh(directory, top)?;
                directory
            }
            WritableLayer::Kept { directory, made_for } => {
                writable::keep(&self.plan.name, directory, made_for, top)?;
                directory
            }
        };
        Ok(vec![lower, self.tree(directory, false)?])
    }

    fn tree(&self, path: &Path, recursive: bool) -> Result<(OwnedFd, Owners, PathBuf), StepError> {
        let mount = clone_tree(path, recursive)?;
        set_attributes(mount.as_fd(), &Change { propagation: PRIVATE, recursive, ..Change::default() })
            .call(|| format!("mount_setattr({})", path.display()))?;
        Ok((mount, Owners::Mapped, path.to_owned()))
    }

    fn bind(
        &self,
        source: &Path,
        change: &Change<'_>,
        idmap: IdMapping,
    ) -> Result<(OwnedFd, Owners, PathBuf), StepError> {
        let mount = clone_tree(source, change.recursive)?;
        set_attributes(mount.as_fd(), change).call(|| format!("mount_setattr({})", source.display()))?;
        let owners = match idmap {
            IdMapping::Unmapped => Owners::Unmapped,
            IdMapping::WherePossible => Owners::MappedIfPossible,
            IdMapping::RootOwner => Owners::Single { uid: 0, gid: 0 },
            IdMapping::Owner => {
                let about = std::fs::metadata(source).call(|| format!("stat({})", source.display()))?;
                Owners::Single { uid: about.uid(), gid: about.gid() }
            }
        };
        Ok((mount, owners, source.to_owned()))
    }

    fn host_file_system(&self, path: &str, attributes: u64) -> Result<Vec<(OwnedFd, Owners, PathBuf)>, StepError> {
        let change = Change {
            set: attributes | NOSUID | NODEV | NOEXEC,
            propagation: PRIVATE,
            recursive: true,
            ..Change::default()
        };
        Ok(vec![self.bind(Path::new(path), &change, IdMapping::Unmapped)?])
    }

    /// It was made for this container, so its root may own it.
    fn console(&self, terminal: &OwnedFd) -> Result<(OwnedFd, Owners, PathBuf), StepError> {
        if let Some(range) = self.range {
            let owner = (Uid::from_raw(range.base), Gid::from_raw(range.base));
            rustix::fs::fchown(terminal, Some(owner.0), Some(owner.1)).call(|| "fchown of the terminal")?;
        }
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        let mount = open_tree(terminal, "", flags).call(|| "open_tree of the terminal")?;
        Ok((mount, Owners::Unmapped, "/dev/console".into()))
    }

    /// A file of ours, kept in the state directory while the container runs and mounted read-only.
    fn file(&self, target: &Path, content: &FileContent) -> Result<Vec<(OwnedFd, Owners, PathBuf)>, StepError> {
        let path = self.made(target, content)?;
        if !path.exists() {
            return Ok(Vec::new());
        }
        if let Some(range) = self.range {
            let (uid, gid) = (Uid::from_raw(range.base), Gid::from_raw(range.base));
            rustix::fs::chown(&path, Some(uid), Some(gid)).call(|| format!("chown {}", path.display()))?;
        }
        let change = Change { set: RDONLY | NOSUID | NODEV | NOEXEC, propagation: PRIVATE, ..Change::default() };
        Ok(vec![self.bind(&path, &change, IdMapping::Unmapped)?])
    }

    /// Where the state directory has it; not there where the host has no such file.
    fn made(&self, target: &Path, content: &FileContent) -> Result<PathBuf, StepError> {
        let path = self.state.join("files").join(target.file_name().unwrap_or_default());
        let text = match content {
            FileContent::Text(text) => text.clone(),
            FileContent::Hosts { text, hostname } => {
                self.place.map_or(text.clone(), |place| files::hosts(text, hostname, &place.attachment))
            }
            FileContent::Resolver { search, options } => {
                let networks = self.place.map(|place| place.networks.as_slice()).unwrap_or_default();
                files::resolver(networks, search, options)
            }
            FileContent::Random => {
                let random = "/proc/sys/kernel/random/uuid";
                std::fs::read_to_string(random).call(|| format!("read {random}"))?
            }
            FileContent::Host(host) => {
                return match std::fs::copy(host, &path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        Err(error).call(|| format!("copy {}", host.display()))
                    }
                    _ => Ok(path),
                };
            }
        };
        std::fs::write(&path, text).call(|| format!("write {}", path.display()))?;
        Ok(path)
    }

    /// Something for the container's side, where there is something for it to do.
    fn journal(&self, link: LinkJournal) -> Result<Vec<(OwnedFd, Owners, PathBuf)>, StepError> {
        let Some(machine) = self.machine_id else { return Ok(Vec::new()) };
        // A link would lead to where the disk is no longer mounted.
        if self.plan.disk().is_some() && matches!(link, LinkJournal::Guest | LinkJournal::TryGuest) {
            return Ok(Vec::new());
        }
        let trees = Trees { name: self.plan.name.as_str(), all: &self.plan.trees(), id: &machine.id };
        let Some(path) = journal::prepare(link, &trees)? else {
            return Ok(Vec::new());
        };
        if matches!(link, LinkJournal::Host | LinkJournal::TryHost) {
            let change = Change { set: NOSUID | NODEV | NOEXEC, propagation: PRIVATE, ..Change::default() };
            return Ok(vec![self.bind(&path, &change, IdMapping::WherePossible)?]);
        }
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let directory = rustix::fs::open(journal::DIRECTORY, flags, Mode::empty());
        Ok(vec![(directory.call(|| format!("open({})", journal::DIRECTORY))?, Owners::Unmapped, path)])
    }

    fn host_file(&self, path: &Path) -> Result<Vec<(OwnedFd, Owners, PathBuf)>, StepError> {
        match std::fs::File::open(path) {
            Ok(file) => Ok(vec![(file.into(), Owners::Unmapped, path.to_owned())]),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error).call(|| format!("open({})", path.display())),
        }
    }

    /// systemd's directory is readable by its own user only: a copy for the container's root, in memory that is
    /// never swapped out where the kernel can promise that.
    fn credentials(&self) -> Result<Vec<(OwnedFd, Owners, PathBuf)>, StepError> {
        let Some(directory) = self.credentials else { return Ok(Vec::new()) };
        let describe = || "copy the credentials";
        let memory = Filesystem::open("tmpfs")?.set("source", "tmpfs")?.set("mode", "0500")?;
        // Since kernel 6.4; without it the copy is as swappable as any process's memory.
        let _ = memory.try_flag("noswap");
        let memory = memory.mount(NOSUID | NODEV | NOEXEC)?;
        let owner = self.range.map(|range| (Uid::from_raw(range.base), Gid::from_raw(range.base)));
        let own = |name: &Path| match owner {
            Some((uid, gid)) => {
                let flags = AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW;
                rustix::fs::chownat(&memory, name, Some(uid), Some(gid), flags)
            }
            None => Ok(()),
        };
        for entry in std::fs::read_dir(directory).call(describe)? {
            let entry = entry.call(describe)?;
            let name = PathBuf::from(entry.file_name());
            let content = std::fs::read(entry.path()).call(describe)?;
            let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
            let file = rustix::fs::openat(&memory, &name, flags, Mode::from_raw_mode(0o400)).call(describe)?;
            std::io::Write::write_all(&mut std::fs::File::from(file), &content).call(describe)?;
            own(&name).call(describe)?;
        }
        own(Path::new("")).call(describe)?;
        set_attributes(memory.as_fd(), &Change { set: RDONLY, ..Change::default() }).call(describe)?;
        Ok(vec![(memory, Owners::Unmapped, directory.into())])
    }
}

/// Gives every handle the owners it is to have, now that the container's user namespace is mapped.
pub fn map_owners(handles: &[Handle], plan: &Plan, range: Option<&Range>, payload: Pid) -> Result<(), Error> {
    let Some(range) = range else { return Ok(()) };
    let mut namespaces: HashMap<Owners, OwnedFd> = HashMap::new();
    for handle in handles {
        let step = &plan.steps[handle.step];
        let key = match handle.owners {
            Owners::Unmapped => continue,
            // Every id is itself already.
            Owners::Mapped | Owners::MappedIfPossible if range.base == 0 => continue,
            Owners::MappedIfPossible => Owners::Mapped,
            other => other,
        };
        let namespace = match namespaces.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(namespace_for(key, range, payload).at(step)?),
        };
        let recursive =
            matches!(step, Step::Bind { recursive: true, .. } | Step::Root { lower: Lower::Disk { .. }, .. });
        let change = Change { idmap: Some(namespace.as_fd()), recursive, ..Change::default() };
        match set_attributes(handle.mount.as_fd(), &change) {
            Ok(()) => {}
            // A file system without idmapped mounts, or one that is mapped already.
            Err(Errno::INVAL | Errno::PERM) if handle.owners == Owners::MappedIfPossible => {}
            Err(Errno::INVAL) => {
                return Err(StepError::NoIdmap { path: handle.path.display().to_string() }).at(step);
            }
            Err(errno) => return Err(errno).call(|| format!("mount_setattr({})", handle.path.display())).at(step),
        }
    }
    Ok(())
}

fn namespace_for(owners: Owners, range: &Range, payload: Pid) -> Result<OwnedFd, StepError> {
    match owners {
        Owners::Single { uid, gid } => {
            idmap::namespace_with(&format!("{uid} {} 1\n", range.base), &format!("{gid} {} 1\n", range.base))
        }
        _ => idmap::user_namespace(payload),
    }
}

impl Handle {
    pub fn for_step(&self) -> (usize, BorrowedFd<'_>) {
        (self.step, self.mount.as_fd())
    }
}

pub fn clone_tree(path: &Path, recursive: bool) -> Result<OwnedFd, StepError> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(CWD, path, flags).call(|| format!("open_tree({})", path.display()))
}
