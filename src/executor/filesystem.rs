//! File systems by the mount API of descriptors (fsopen(2), kernel 5.2), with the kernel's own words on failure.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string,
    fsmount, fsopen, move_mount,
};

use super::error::{Context, StepError};

/// A file system being configured.
pub struct Filesystem {
    kind: &'static str,
    context: OwnedFd,
}

impl Filesystem {
    pub fn open(kind: &'static str) -> Result<Self, StepError> {
        let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).call(|| format!("fsopen({kind})"))?;
        Ok(Filesystem { kind, context })
    }

    pub fn set(self, key: &str, value: &str) -> Result<Self, StepError> {
        fsconfig_set_string(&self.context, key, value)
            .map_err(|errno| self.failed(format!("fsconfig({}, {key}={value})", self.kind), errno))?;
        Ok(self)
    }

    /// As [`Self::flag`], for one that older kernels lack: the caller decides what a refusal means.
    pub fn try_flag(&self, key: &str) -> Result<(), Errno> {
        fsconfig_set_flag(&self.context, key)
    }

    pub fn flag(self, key: &str) -> Result<Self, StepError> {
        self.try_flag(key).map_err(|errno| self.failed(format!("fsconfig({}, {key})", self.kind), errno))?;
        Ok(self)
    }

    /// A mount of it, attached nowhere; `attributes` are `MOUNT_ATTR_…`.
    pub fn mount(self, attributes: u64) -> Result<OwnedFd, StepError> {
        fsconfig_create(&self.context).map_err(|errno| self.failed(format!("mount {}", self.kind), errno))?;
        let attributes = MountAttrFlags::from_bits_retain(attributes as u32);
        fsmount(&self.context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
            .map_err(|errno| self.failed(format!("fsmount({})", self.kind), errno))
    }

    fn failed(&self, call: String, source: Errno) -> StepError {
        let log = self.log();
        if log.is_empty() { StepError::Call { call, source } } else { StepError::Filesystem { call, source, log } }
    }

    /// Messages of the file system context, one a read (fsopen(2)).
    fn log(&self) -> String {
        let mut lines = Vec::new();
        let mut line = [0u8; 512];
        while let Ok(length @ 1..) = rustix::io::read(&self.context, &mut line) {
            let text = String::from_utf8_lossy(&line[..length]);
            lines.push(text.trim_start_matches(['e', 'w', 'i']).trim().to_owned());
        }
        lines.join("; ")
    }
}

/// Puts a detached mount on the file or directory that `target` is open on.
pub fn attach(mount: impl AsFd, target: impl AsFd, path: &Path) -> Result<(), StepError> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, "", target, "", flags).call(|| format!("move_mount({})", path.display()))
}
