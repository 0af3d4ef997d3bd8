//! The container's `/dev`: a tmpfs made on the host's side, where device nodes can be made.

use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid, chownat, mkdirat, mknodat, openat, symlinkat};
use rustix::io::Errno;

use super::error::{Context, StepError};
use super::filesystem::Filesystem;
use super::outside::clone_tree;
use crate::plan::DeviceNode;
use crate::sys::mount::{NOEXEC, NOSUID};

const LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
    ("ptmx", "pts/ptmx"),
];

/// A tmpfs with the nodes, owned by `owner`: the container's root as the host numbers it.
///
/// Where we are in a user namespace ourselves, which lets nobody make nodes, an empty file is in the place of each, and
/// mounts of those there are follow in the same order.
pub fn make(nodes: &[DeviceNode], owner: u32) -> Result<Vec<OwnedFd>, StepError> {
    let dev = Filesystem::open("tmpfs")?
        .set("source", "tmpfs")?
        .set("mode", "0755")?
        .set("size", "4m")?
        .mount(NOSUID | NOEXEC)?;
    own(&dev, "", owner)?;
    for name in ["pts", "shm", "mqueue"] {
        make_directory(&dev, Path::new(name), owner)?;
    }
    for (name, target) in LINKS {
        symlinkat(target, &dev, name).call(|| format!("symlink(/dev/{name})"))?;
        own(&dev, name, owner)?;
    }
    let mut mounts = Vec::new();
    for node in nodes {
        let inside = node
            .container
            .strip_prefix("/dev")
            .map_err(|_| StepError::DeviceOutsideDev(node.container.display().to_string()))?;
        if node.standard && !node.host.exists() {
            continue;
        }
        match copy(&dev, &node.host, inside, owner, node.standard) {
            Err(StepError::Call { source: Errno::PERM, .. })
                if node.host.metadata().is_ok_and(|about| !about.is_dir()) =>
            {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                openat(&dev, inside, flags, Mode::empty()).call(|| format!("create /dev/{}", inside.display()))?;
                mounts.push(clone_tree(&node.host, false)?);
            }
            other => other?,
        }
    }
    mounts.insert(0, dev);
    Ok(mounts)
}

/// Copies one node, or a directory of them such as `/dev/dri`.
fn copy(dev: &OwnedFd, host: &Path, inside: &Path, owner: u32, standard: bool) -> Result<(), StepError> {
    let about = std::fs::metadata(host).call(|| format!("stat({})", host.display()))?;
    let kind = about.file_type();
    if kind.is_dir() {
        make_directory(dev, inside, owner)?;
        for entry in std::fs::read_dir(host).call(|| format!("readdir({})", host.display()))? {
            let entry = entry.call(|| format!("readdir({})", host.display()))?;
            let device = entry.file_type().is_ok_and(|kind| kind.is_char_device() || kind.is_block_device());
            if device || entry.path().is_dir() {
                copy(dev, &entry.path(), &inside.join(entry.file_name()), owner, standard)?;
            }
        }
        return Ok(());
    }
    let node = match (kind.is_char_device(), kind.is_block_device()) {
        (true, _) => FileType::CharacterDevice,
        (_, true) => FileType::BlockDevice,
        _ => return Err(StepError::NotADevice(host.display().to_string())),
    };
    make_parents(dev, inside, owner)?;
    // The umask may take bits away, and standard devices are everyone's.
    let mode = Mode::from_raw_mode(if standard { 0o666 } else { about.mode() & 0o777 });
    let describe = || format!("mknod(/dev/{})", inside.display());
    match mknodat(dev, inside, node, mode, about.rdev()) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno).call(describe),
    }
    rustix::fs::chmodat(dev, inside, mode, AtFlags::empty()).call(describe)?;
    own(dev, inside, owner)
}

fn make_directory(dev: &OwnedFd, inside: &Path, owner: u32) -> Result<(), StepError> {
    make_parents(dev, inside, owner)?;
    match mkdirat(dev, inside, Mode::from_raw_mode(0o755)) {
        Ok(()) => own(dev, inside, owner),
        Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno).call(|| format!("mkdir(/dev/{})", inside.display())),
    }
}

fn make_parents(dev: &OwnedFd, inside: &Path, owner: u32) -> Result<(), StepError> {
    let missing: Vec<PathBuf> =
        inside.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()).map(Path::to_owned).collect();
    missing.iter().rev().try_for_each(|directory| match mkdirat(dev, directory, Mode::from_raw_mode(0o755)) {
        Ok(()) => own(dev, directory, owner),
        Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno).call(|| format!("mkdir(/dev/{})", directory.display())),
    })
}

fn own(dev: &OwnedFd, inside: impl rustix::path::Arg + Copy, owner: u32) -> Result<(), StepError> {
    if owner == 0 {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(owner), Gid::from_raw(owner));
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH;
    chownat(dev, inside, Some(uid), Some(gid), flags).call(|| "chown in /dev")
}

/// The null device, opened once and checked, to be bound over what is masked (CVE-2025-31133).
pub fn null(root: &super::root::Root) -> Result<OwnedFd, StepError> {
    let path = Path::new("/dev/null");
    let null = root.open(path, rustix::fs::OFlags::PATH).call(|| "openat2(/dev/null)")?;
    is_null(&null)?;
    Ok(null)
}

/// Fails unless that is what was found at `/dev/null`.
pub fn is_null(found: &OwnedFd) -> Result<(), StepError> {
    let stat = rustix::fs::fstat(found).call(|| "fstat(/dev/null)")?;
    let (major, minor) = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    if FileType::from_raw_mode(stat.st_mode) != FileType::CharacterDevice || (major, minor) != (1, 3) {
        return Err(StepError::NotNull("/dev/null".to_owned()));
    }
    Ok(())
}
