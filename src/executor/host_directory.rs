//! `/run/host`: what systemd's container interface tells an inner system of its host
//! (<https://systemd.io/CONTAINER_INTERFACE>).

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid, chownat, mkdirat, mknodat, openat};
use rustix::io::Errno;

use super::error::{Context, StepError};
use super::filesystem::Filesystem;
use crate::sys::mount::{Change, NODEV, NOEXEC, NOSUID, RDONLY, set_attributes};

/// Fields of the host's os-release(5) and the variables that tell of them.
const FIELDS: [(&str, &str); 4] = [
    ("ID", "container_host_id"),
    ("VERSION_ID", "container_host_version_id"),
    ("BUILD_ID", "container_host_build_id"),
    ("VARIANT_ID", "container_host_variant_id"),
];

/// What an inner systemd mounts over what a service is not to see, by the kind of what is hidden.
const INACCESSIBLE: [(&str, FileType); 5] = [
    ("reg", FileType::RegularFile),
    ("fifo", FileType::Fifo),
    ("sock", FileType::Socket),
    ("chr", FileType::CharacterDevice),
    ("blk", FileType::BlockDevice),
];

/// A read-only tmpfs of it, owned by `owner`: the container's root as the host numbers it. Credentials and the
/// notification socket have their places in it.
pub fn make(owner: u32, uuid: &str, nesting: bool) -> Result<OwnedFd, StepError> {
    let memory = Filesystem::open("tmpfs")?.set("source", "tmpfs")?.set("mode", "0755")?.set("size", "4m")?;
    let memory = memory.mount(NOSUID | NODEV | NOEXEC)?;
    own(&memory, Path::new(""), owner)?;
    for (name, mode) in [("credentials", 0o755), ("incoming", 0o700), ("inaccessible", 0o755), ("unix-export", 0o755)] {
        make_directory(&memory, Path::new(name), mode, owner)?;
    }
    if nesting {
        // For the container's root alone: what is mounted there is meant for the kernel's eyes.
        for name in ["nesting", "nesting/proc", "nesting/sys"] {
            make_directory(&memory, Path::new(name), 0o700, owner)?;
        }
    }
    let os_release = os_release();
    for (name, text) in [("container-manager", "berth"), ("container-uuid", uuid), ("notify", "")] {
        write(&memory, name, text, owner)?;
    }
    if let Some(text) = &os_release {
        write(&memory, "os-release", text, owner)?;
    }
    make_directory(&memory, Path::new("inaccessible/dir"), 0, owner)?;
    for (name, kind) in INACCESSIBLE {
        let path = Path::new("inaccessible").join(name);
        match mknodat(&memory, &path, kind, Mode::empty(), 0) {
            // The unit may not make block devices; systemd then takes another one.
            Err(Errno::PERM) => continue,
            other => other.call(|| format!("mknod(/run/host/{})", path.display()))?,
        }
        own(&memory, &path, owner)?;
    }
    set_attributes(memory.as_fd(), &Change { set: RDONLY, ..Change::default() }).call(|| "mount_setattr(/run/host)")?;
    Ok(memory)
}

/// `container_host_id=debian` and the like.
pub fn variables() -> Vec<String> {
    let text = os_release().unwrap_or_default();
    let fields = text.lines().filter_map(|line| line.split_once('='));
    let known = fields.filter_map(|(field, value)| {
        let (_, variable) = FIELDS.iter().find(|(known, _)| *known == field)?;
        let value = value.trim().trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| format!("{variable}={value}"))
    });
    known.collect()
}

fn os_release() -> Option<String> {
    ["/etc/os-release", "/usr/lib/os-release"].iter().find_map(|path| std::fs::read_to_string(path).ok())
}

fn make_directory(memory: &OwnedFd, path: &Path, mode: u32, owner: u32) -> Result<(), StepError> {
    mkdirat(memory, path, Mode::from_raw_mode(mode)).call(|| format!("mkdir(/run/host/{})", path.display()))?;
    own(memory, path, owner)
}

fn write(memory: &OwnedFd, name: &str, text: &str, owner: u32) -> Result<(), StepError> {
    let describe = || format!("write /run/host/{name}");
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(memory, name, flags, Mode::from_raw_mode(0o444)).call(describe)?;
    std::fs::File::from(file).write_all(text.as_bytes()).call(describe)?;
    own(memory, Path::new(name), owner)
}

fn own(memory: &OwnedFd, path: &Path, owner: u32) -> Result<(), StepError> {
    let (uid, gid) = (Uid::from_raw(owner), Gid::from_raw(owner));
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH;
    chownat(memory, path, Some(uid), Some(gid), flags).call(|| format!("chown(/run/host/{})", path.display()))
}
