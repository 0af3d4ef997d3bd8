//! The container's `/proc`, for what is written there on its behalf: settings and labels. A write that ended in a file
//! of the container's choosing would be lost, or worse (CVE-2019-16884, CVE-2025-52881).

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, openat2, readlinkat};
use rustix::io::Errno;

use super::error::{Context, StepError};
use super::root::{Root, is};

/// linux/magic.h and linux/proc_fs.h: what fstatfs(2) and fstat(2) say of the root of a procfs, and of nothing else.
const PROC_SUPER_MAGIC: i64 = 0x9fa0;
const PROC_ROOT_INO: u64 = 1;

/// A procfs, held by its root.
pub struct Procfs(OwnedFd);

impl Procfs {
    /// What is mounted at `/proc`, if it is a procfs from its root on.
    pub fn of(root: &Root) -> Result<Self, StepError> {
        let describe = || "openat2(/proc)";
        let found =
            root.open(Path::new("/proc"), OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW).call(describe)?;
        let kind = rustix::fs::fstatfs(&found).call(describe)?.f_type;
        let inode = rustix::fs::fstat(&found).call(describe)?.st_ino;
        #[allow(clippy::unnecessary_cast)] // Its width differs between C libraries and architectures.
        if (kind as i64, inode) != (PROC_SUPER_MAGIC, PROC_ROOT_INO) {
            return Err(StepError::NotProcfs);
        }
        Ok(Procfs(found))
    }

    /// Writes to a file of it that has nothing mounted over it and no link on the way.
    pub fn write(&self, path: &Path, value: &str) -> Result<(), Errno> {
        let file = self.open(path, OFlags::WRONLY)?;
        // In one write(2): the kernel takes each for the whole value.
        match rustix::io::write(&file, value.as_bytes())? {
            written if written == value.len() => Ok(()),
            _ => Err(Errno::IO),
        }
    }

    /// `PID/task/TID` of this thread, by the numbers this procfs has.
    pub fn own_thread(&self) -> Result<std::path::PathBuf, StepError> {
        let describe = || "readlink(/proc/thread-self)";
        // O_NOFOLLOW opens the link itself, unless something is mounted over it.
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let link = openat2(&self.0, "thread-self", flags, Mode::empty(), resolve).call(describe)?;
        if !is(&link, FileType::Symlink) {
            return Err(StepError::NotProcfs);
        }
        let target = readlinkat(&link, "", Vec::new()).call(describe)?;
        Ok(target.to_string_lossy().into_owned().into())
    }

    fn open(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        loop {
            match openat2(&self.0, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
                Err(Errno::AGAIN) => {}
                other => return other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(path: &Path) -> Root {
        Root::new(std::fs::File::open(path).unwrap().into())
    }

    #[test]
    fn a_directory_or_a_part_of_procfs_at_proc_is_not_it() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("proc/sys")).unwrap();
        assert!(matches!(Procfs::of(&root(directory.path())), Err(StepError::NotProcfs)));
        std::fs::remove_dir_all(directory.path().join("proc")).unwrap();
        std::os::unix::fs::symlink("/proc", directory.path().join("proc")).unwrap();
        assert!(Procfs::of(&root(directory.path())).is_err());
        // Of a procfs, and not its root: what is below has other names.
        assert!(Procfs::of(&root(Path::new("/proc/self/task/../net"))).is_err());
    }

    #[test]
    fn a_file_is_written_by_its_own_path_and_through_no_link() {
        let proc = Procfs::of(&root(Path::new("/"))).unwrap();
        let thread = proc.own_thread().unwrap();
        proc.write(&thread.join("comm"), "as-written").unwrap();
        assert_eq!(std::fs::read_to_string("/proc/thread-self/comm").unwrap(), "as-written\n");
        for (path, errno) in [
            ("self/comm", Errno::LOOP),
            ("thread-self/comm", Errno::LOOP),
            ("self/cwd/x", Errno::LOOP),
            ("../tmp/x", Errno::XDEV),
            ("/proc/self/comm", Errno::XDEV),
        ] {
            assert_eq!(proc.write(Path::new(path), "x").unwrap_err(), errno, "{path}");
        }
    }
}
