//! One file of a stack, as it was when it was found.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, Stat, getxattr, listxattr, readlinkat};
use rustix::io::Errno;

use super::super::StoreError;
use super::super::error::At;

/// The most the kernel keeps of names, and of one value (xattr(7)).
const LARGEST: usize = 64 << 10;

/// With a root of its own a capability is of the version that says so (capabilities(7)); an image has none.
const CAPABILITY: &[u8] = b"security.capability";

/// Names and values.
pub type Attributes = Vec<(Vec<u8>, Vec<u8>)>;

pub struct Found {
    /// From the root of the stack; nothing for the root itself.
    pub path: Vec<u8>,
    pub stat: Stat,
    pub(super) handle: OwnedFd,
    pub(super) place: PathBuf,
}

impl Found {
    pub fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }

    /// Where it lies, for messages.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Which file of the disk it is.
    pub fn identity(&self) -> (u64, u64) {
        (self.stat.st_dev, self.stat.st_ino)
    }

    /// Where a link leads.
    pub fn link(&self) -> Result<Vec<u8>, StoreError> {
        let target = readlinkat(&self.handle, "", Vec::new()).at("read the link", &self.place)?;
        Ok(target.into_bytes())
    }

    /// For reading: of a regular file only.
    pub fn open(&self) -> Result<File, StoreError> {
        let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
        rustix::fs::open(self.reopened(), flags, Mode::empty()).at("open", &self.place).map(File::from)
    }

    /// What an image keeps of them: neither overlayfs's own nor labels of this host.
    pub fn attributes(&self) -> Result<Attributes, StoreError> {
        let mut names = vec![0; LARGEST];
        let length = match listxattr(self.reopened(), &mut names) {
            Err(Errno::NOTSUP) => 0,
            other => other.at("list the extended attributes of", &self.place)?,
        };
        let mut attributes = Vec::new();
        for name in names[..length].split(|byte| *byte == 0).filter(|name| is_kept(name)) {
            if let Some(value) = self.attribute(name) {
                attributes.push((name.to_vec(), if name == CAPABILITY { rootless(value) } else { value }));
            }
        }
        attributes.sort();
        Ok(attributes)
    }

    pub(super) fn attribute(&self, name: impl rustix::path::Arg) -> Option<Vec<u8>> {
        let mut value = vec![0; LARGEST];
        let length = getxattr(self.reopened(), name, &mut value).ok()?;
        value.truncate(length);
        Some(value)
    }

    /// The same file by another way: links of `/proc/self/fd` lead to what is open, be it a link itself.
    fn reopened(&self) -> String {
        format!("/proc/self/fd/{}", self.handle.as_raw_fd())
    }
}

fn is_kept(name: &[u8]) -> bool {
    match name {
        CAPABILITY | b"system.posix_acl_access" | b"system.posix_acl_default" => true,
        _ => name.starts_with(b"user.") && !name.starts_with(b"user.overlay."),
    }
}

/// Version 3 is version 2 and the id of a root (linux/capability.h, `vfs_ns_cap_data`).
fn rootless(mut value: Vec<u8>) -> Vec<u8> {
    if value.len() == 24 && value[3] == 3 {
        value.truncate(20);
        value[3] = 2;
    }
    value
}
