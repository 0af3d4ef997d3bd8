//! A root of which only `/usr` is the image's: what else a system needs it makes at its boot.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, readlinkat, statat, symlinkat};
use rustix::io::Errno;

use super::error::{Context, StepError};
use super::root::Root;

pub const USR: &str = "/usr";

/// What a merged `/usr` (file-hierarchy(7)) is found by from the root.
const INTO_USR: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// Links `/bin`, `/lib` and the like of the new root as `whole` has them. A directory in the place of one would be
/// missing from the new root, and the system with it.
pub fn link_into_usr(whole: &Root, memory: &OwnedFd) -> Result<(), StepError> {
    for name in INTO_USR {
        match statat(whole, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => continue,
            Ok(about) if FileType::from_raw_mode(about.st_mode) == FileType::Symlink => {}
            Ok(_) => return Err(StepError::NotMerged(name)),
            Err(errno) => return Err(errno).call(|| format!("stat(/{name})")),
        }
        let target = readlinkat(whole, name, Vec::new()).call(|| format!("readlink(/{name})"))?;
        symlinkat(&target, memory, name).call(|| format!("symlink(/{name})"))?;
    }
    Ok(())
}
