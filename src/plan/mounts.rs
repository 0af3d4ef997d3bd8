//! `[[mount]]` as steps, and the names of mount options as the kernel's attributes.

use super::{IdMapping, Step};
use crate::config::{Idmap, Mount, MountKind, Propagation};
use crate::sys::mount as attr;

pub fn step(mount: &Mount) -> Step {
    let target = mount.target.clone();
    let (mut attributes, clear) = attributes(&mount.options);
    if mount.read_only {
        attributes |= attr::RDONLY;
    }
    match &mount.kind {
        MountKind::Bind { source, recursive, propagation, idmap, optional } => Step::Bind {
            source: source.clone(),
            target,
            recursive: *recursive,
            optional: *optional,
            propagation: match propagation {
                Propagation::Private => attr::PRIVATE,
                Propagation::Slave => attr::SLAVE,
                Propagation::Shared => attr::SHARED,
            },
            idmap: match idmap {
                Idmap::Auto => IdMapping::WherePossible,
                Idmap::None => IdMapping::Unmapped,
                Idmap::RootOwner => IdMapping::RootOwner,
                Idmap::Owner => IdMapping::Owner,
            },
            attributes,
            clear,
        },
        MountKind::Tmpfs { size, mode } => Step::Tmpfs {
            target,
            size: *size,
            share: None,
            mode: *mode,
            attributes: attributes | (attr::NOSUID | attr::NODEV) & !clear,
        },
        MountKind::Overlay { lower, upper } => {
            Step::Overlay { target, lower: lower.clone(), upper: upper.clone(), attributes }
        }
        MountKind::Inaccessible => Step::Inaccessible { target },
    }
}

/// A file system in memory that is the container's own, of so much of the host's.
pub fn memory(target: &str, mode: u32, share: (u8, u32)) -> Step {
    let attributes = attr::NOSUID | attr::NODEV;
    Step::Tmpfs { target: target.into(), size: None, share: Some(share), mode, attributes }
}

/// (set, clear) of mount_setattr(2) for names of mount(8); a later option wins over an earlier one.
fn attributes(options: &[String]) -> (u64, u64) {
    let (mut set, mut clear) = (0, 0);
    for option in options {
        let (flag, on) = match option.as_str() {
            "ro" => (attr::RDONLY, true),
            "rw" => (attr::RDONLY, false),
            "nosuid" => (attr::NOSUID, true),
            "suid" => (attr::NOSUID, false),
            "nodev" => (attr::NODEV, true),
            "dev" => (attr::NODEV, false),
            "noexec" => (attr::NOEXEC, true),
            "exec" => (attr::NOEXEC, false),
            "nodiratime" => (attr::NODIRATIME, true),
            "diratime" => (attr::NODIRATIME, false),
            "nosymfollow" => (attr::NOSYMFOLLOW, true),
            "symfollow" => (attr::NOSYMFOLLOW, false),
            "noatime" | "relatime" | "strictatime" => {
                // The three exclude each other: one field of the attributes, set as a whole.
                set &= !attr::ATIME_MASK;
                clear |= attr::ATIME_MASK;
                set |= match option.as_str() {
                    "noatime" => attr::NOATIME,
                    "strictatime" => attr::STRICTATIME,
                    _ => attr::RELATIME,
                };
                continue;
            }
            _ => continue,
        };
        if on {
            set |= flag;
            clear &= !flag;
        } else {
            clear |= flag;
            set &= !flag;
        }
    }
    (set, clear)
}
