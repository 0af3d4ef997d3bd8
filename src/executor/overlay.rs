//! The union of read-only trees under one writable directory (overlayfs).

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::{MountFlags, OpenTreeFlags, UnmountFlags, open_tree};

use super::error::{Context, StepError};
use super::filesystem::Filesystem;
use crate::sys::mount::RDONLY;

pub struct Overlay<'a> {
    /// The topmost first, as overlayfs names them.
    pub lower: &'a [PathBuf],
    pub upper: &'a Path,
    pub work: &'a Path,
    /// What is written need not survive: no sync when it is unmounted.
    pub volatile: bool,
}

impl Overlay<'_> {
    /// A mount of it, attached nowhere. `scratch` is an empty directory of the caller's own.
    ///
    /// Always with `userxattr`: it can then be mounted inside a user namespace, and one layer serves containers
    /// with a user namespace and without.
    pub fn mount(&self, scratch: &Path, attributes: u64) -> Result<OwnedFd, StepError> {
        let mount =
            match self.mount_by_descriptor(attributes) {
                Err(
                    StepError::Call { source: Errno::INVAL, .. } | StepError::Filesystem { source: Errno::INVAL, .. },
                ) if self.lower.len() > 1 => self.mount_by_options(scratch),
                other => other,
            }?;
        if attributes & RDONLY == 0 {
            self.is_writable(&mount)?;
        }
        Ok(mount)
    }

    /// Where overlayfs cannot prepare its work directory it comes up read-only and says so in the kernel's log alone.
    fn is_writable(&self, mount: &OwnedFd) -> Result<(), StepError> {
        let describe = || format!("mkdir({})", self.work.join("probe").display());
        let about = rustix::fs::fstatvfs(mount).call(|| "fstatvfs of the overlay")?;
        if !about.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
            return Ok(());
        }
        // The reason is the one a directory of ours meets there.
        std::fs::create_dir(self.work.join("probe")).call(describe)?;
        Err(Errno::ROFS).call(|| format!("mount(overlay, workdir={})", self.work.display()))
    }

    /// `lowerdir+` takes one layer at a time, so their number and length do not matter (kernel 6.5).
    fn mount_by_descriptor(&self, attributes: u64) -> Result<OwnedFd, StepError> {
        let mut overlay = Filesystem::open("overlay")?.set("source", "berth")?;
        if let [only] = self.lower {
            overlay = overlay.set("lowerdir", &only.to_string_lossy())?;
        } else {
            for layer in self.lower {
                overlay = overlay.set("lowerdir+", &layer.to_string_lossy())?;
            }
        }
        overlay = overlay
            .set("upperdir", &self.upper.to_string_lossy())?
            .set("workdir", &self.work.to_string_lossy())?
            .flag("userxattr")?;
        if self.volatile {
            overlay = overlay.flag("volatile")?;
        }
        overlay.mount(attributes)
    }

    /// Below kernel 6.5: one string of at most a page, given to mount(2).
    fn mount_by_options(&self, scratch: &Path) -> Result<OwnedFd, StepError> {
        let lower: Vec<_> = self.lower.iter().map(|path| path.to_string_lossy()).collect();
        let options = format!(
            "lowerdir={},upperdir={},workdir={},userxattr{}",
            lower.join(":"),
            self.upper.display(),
            self.work.display(),
            if self.volatile { ",volatile" } else { "" }
        );
        let options = std::ffi::CString::new(options).map_err(|_| StepError::call("mount(overlay)", Errno::INVAL))?;
        rustix::mount::mount("berth", scratch, "overlay", MountFlags::empty(), Some(options.as_c_str()))
            .call(|| format!("mount(overlay, {})", options.to_string_lossy()))?;
        let tree =
            open_tree(rustix::fs::CWD, scratch, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)
                .call(|| format!("open_tree({})", scratch.display()))?;
        rustix::mount::unmount(scratch, UnmountFlags::DETACH).call(|| format!("umount({})", scratch.display()))?;
        Ok(tree)
    }
}
