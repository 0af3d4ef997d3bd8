//! Paths inside a root that somebody else wrote: every look-up stays inside, whatever its links say.
//!
//! Everything goes through openat2(2) with `RESOLVE_IN_ROOT`: `..` and absolute links end at the root.

use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, mkdirat, openat2, readlinkat, renameat, symlinkat, unlinkat,
};
use rustix::io::Errno;

use super::error::{Context, StepError};

/// As many links as the kernel itself follows in one look-up (path_resolution(7)).
const MAX_LINKS: u32 = 40;

pub struct Root(OwnedFd);

/// What to make at the end of a path where nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    Directory,
    File,
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Root {
    pub fn new(directory: OwnedFd) -> Self {
        Root(directory)
    }

    /// Opens `path` as the container would, links and all, never outside.
    pub fn open(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        loop {
            match openat2(&self.0, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
                // A rename below the root raced with the look-up of `..` (openat2(2)).
                Err(Errno::AGAIN) => {}
                other => return other,
            }
        }
    }

    /// A whole file, if it is a regular one of at most `limit` bytes. Nothing else is opened: of some devices that
    /// alone does something.
    pub fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, Errno> {
        let node = self.open(path, OFlags::PATH)?;
        let stat = rustix::fs::fstat(&node)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Errno::INVAL);
        }
        if stat.st_size as u64 > limit {
            return Err(Errno::FBIG);
        }
        let itself = format!("/proc/self/fd/{}", node.as_raw_fd());
        let file = match rustix::fs::open(itself, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
            // In a container without /proc, which reads its own files.
            Err(Errno::NOENT) => self.open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?,
            other => other?,
        };
        let mut content = Vec::with_capacity(stat.st_size as usize);
        std::io::Read::read_to_end(&mut std::io::Read::take(std::fs::File::from(file), limit), &mut content)
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        Ok(content)
    }

    /// The place where something is to be mounted: opened with `O_PATH`, made where it is missing, parents included.
    ///
    /// A link on the way is followed inside the root, even to something that does not exist yet: `/etc/resolv.conf`
    /// of many images points there.
    pub fn ensure(&self, path: &Path, missing: Missing) -> Result<OwnedFd, StepError> {
        match self.open(path, OFlags::PATH) {
            Ok(found) => return Ok(found),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(StepError::call(format!("openat2({})", path.display()), errno)),
        }
        let mut links = 0;
        let mut todo: Vec<OsString> = reversed_components(path);
        let mut done = PathBuf::from("/");
        while let Some(name) = todo.pop() {
            if name == ".." {
                done.pop();
                continue;
            }
            let here = done.join(&name);
            let describe = || format!("openat2({})", here.display());
            let parent = self.open(&done, OFlags::PATH | OFlags::DIRECTORY).call(describe)?;
            match self.open(&here, OFlags::PATH | OFlags::NOFOLLOW) {
                Ok(found) if is(&found, FileType::Symlink) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(StepError::call(describe(), Errno::LOOP));
                    }
                    let target = readlinkat(&parent, &name, Vec::new()).call(describe)?;
                    let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                    if target.is_absolute() {
                        done = PathBuf::from("/");
                    }
                    todo.extend(reversed_components(&target));
                    continue;
                }
                Ok(_) => {}
                Err(Errno::NOENT) if todo.is_empty() && missing == Missing::File => {
                    create_file(&parent, &name, 0o644).call(|| format!("create {}", here.display()))?;
                }
                Err(Errno::NOENT) => {
                    mkdirat(&parent, &name, Mode::from_raw_mode(0o755))
                        .call(|| format!("mkdir({})", here.display()))?;
                }
                Err(errno) => return Err(StepError::call(describe(), errno)),
            }
            done = here;
        }
        self.open(&done, OFlags::PATH | OFlags::NOFOLLOW).call(|| format!("openat2({})", done.display()))
    }

    /// A directory for a kernel file system: made where missing, refused where it is a link (CVE-2023-27561).
    pub fn ensure_real_directory(&self, path: &Path) -> Result<OwnedFd, StepError> {
        let describe = || format!("openat2({})", path.display());
        for attempt in 0..2 {
            match self.open(path, OFlags::PATH | OFlags::NOFOLLOW) {
                Ok(found) if is(&found, FileType::Directory) => return Ok(found),
                Ok(_) => return Err(StepError::LinkedMountPoint(path.display().to_string())),
                Err(Errno::NOENT) if attempt == 0 => {
                    let parent = self.open(path.parent().unwrap_or(path), OFlags::PATH | OFlags::DIRECTORY);
                    let name = path.file_name().unwrap_or_default();
                    mkdirat(parent.call(describe)?, name, Mode::from_raw_mode(0o755))
                        .call(|| format!("mkdir({})", path.display()))?;
                }
                Err(errno) => return Err(StepError::call(describe(), errno)),
            }
        }
        Err(StepError::call(describe(), Errno::NOENT))
    }

    /// Replaces whatever is at `path`, a link included, by a file with this content, all at once. Parents must exist.
    pub fn replace_file(&self, path: &Path, content: &[u8]) -> Result<(), StepError> {
        if !self.is_link(path) && self.read(path, content.len() as u64).is_ok_and(|known| known == content) {
            return Ok(());
        }
        self.replace(path, |parent, staged| {
            let describe = || format!("write {}", path.display());
            let mut file = std::fs::File::from(create_file(parent, staged, 0o644).call(describe)?);
            std::io::Write::write_all(&mut file, content).call(describe)?;
            file.sync_all().call(describe)
        })
    }

    /// The same by a link.
    pub fn replace_by_link(&self, path: &Path, target: &str) -> Result<(), StepError> {
        self.replace(path, |parent, staged| {
            symlinkat(target, parent, staged).call(|| format!("symlink({})", path.display()))
        })
    }

    /// Whatever is made beside it takes its place.
    fn replace(&self, path: &Path, make: impl Fn(&OwnedFd, &str) -> Result<(), StepError>) -> Result<(), StepError> {
        let describe = || format!("rename to {}", path.display());
        let parent = self.open(path.parent().unwrap_or(path), OFlags::PATH | OFlags::DIRECTORY).call(describe)?;
        let name = path.file_name().unwrap_or_default();
        let staged = format!(".{}.berth", name.to_string_lossy());
        let remove = || match unlinkat(&parent, staged.as_str(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno).call(|| format!("unlink({staged})")),
        };
        // Of a start that was killed here.
        remove()?;
        make(&parent, &staged)
            .and_then(|()| renameat(&parent, staged.as_str(), &parent, name).call(describe))
            .inspect_err(|_| drop(remove()))
    }

    pub fn is_link(&self, path: &Path) -> bool {
        self.open(path, OFlags::PATH | OFlags::NOFOLLOW).is_ok_and(|found| is(&found, FileType::Symlink))
    }
}

fn create_file(parent: &OwnedFd, name: impl rustix::path::Arg, mode: u32) -> Result<OwnedFd, Errno> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(mode))
}

/// Whether an open file is of this type.
pub fn is(file: &OwnedFd, kind: FileType) -> bool {
    rustix::fs::fstat(file).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == kind)
}

fn reversed_components(path: &Path) -> Vec<OsString> {
    path.components()
        .rev()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn root() -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        let fd = std::fs::File::open(directory.path()).unwrap();
        (directory, Root::new(fd.into()))
    }

    #[test]
    fn a_link_out_of_the_root_ends_inside_it() {
        let (directory, root) = root();
        symlink("/../../outside/deep", directory.path().join("link")).unwrap();
        root.ensure(Path::new("/link/file"), Missing::File).unwrap();
        assert!(directory.path().join("outside/deep/file").is_file());
    }

    #[test]
    fn a_dangling_link_is_completed_and_a_loop_is_an_error() {
        let (directory, root) = root();
        std::fs::create_dir(directory.path().join("etc")).unwrap();
        symlink("../run/stub.conf", directory.path().join("etc/resolv.conf")).unwrap();
        root.ensure(Path::new("/etc/resolv.conf"), Missing::File).unwrap();
        assert!(directory.path().join("run/stub.conf").is_file());
        symlink("b", directory.path().join("a")).unwrap();
        symlink("a", directory.path().join("b")).unwrap();
        assert!(root.ensure(Path::new("/a/x"), Missing::File).is_err());
    }

    #[test]
    fn kernel_file_systems_are_not_mounted_through_links() {
        let (directory, root) = root();
        symlink("/etc", directory.path().join("proc")).unwrap();
        assert!(matches!(
            root.ensure_real_directory(Path::new("/proc")),
            Err(StepError::LinkedMountPoint(path)) if path == "/proc"
        ));
        root.ensure_real_directory(Path::new("/sys")).unwrap();
        assert!(directory.path().join("sys").is_dir());
    }

    #[test]
    fn replacing_a_file_does_not_write_through_a_link() {
        let (directory, root) = root();
        std::fs::write(directory.path().join("target"), "kept").unwrap();
        symlink("target", directory.path().join("localtime")).unwrap();
        root.replace_file(Path::new("/localtime"), b"new").unwrap();
        assert_eq!(std::fs::read(directory.path().join("target")).unwrap(), b"kept");
        assert_eq!(std::fs::read(directory.path().join("localtime")).unwrap(), b"new");
    }
}
