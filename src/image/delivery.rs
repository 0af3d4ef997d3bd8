//! A file that a person has asked for: whole, or not there.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Result as IoResult, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat};

use super::StoreError;
use super::error::At;
use super::import::go_on;
use super::scratch::ours;

const PRIVATE: u32 = 0o600;

pub struct Delivery {
    /// For messages too.
    path: PathBuf,
    until_whole: UntilWhole,
    file: File,
}

/// Where it is while it is written.
enum UntilWhole {
    /// At its path: what cannot be replaced.
    InPlace,
    /// Nowhere: whatever ends this process leaves nothing.
    Nameless,
    /// Where the file system has no files without a name.
    Beside(Unfinished),
}

/// What is written beside the path until it is whole. It goes with this, and with a process that is told to end.
pub struct Unfinished(PathBuf);

impl Delivery {
    /// `-` is standard output; a pipe, a socket or a device is written to as it is.
    pub fn to(path: &Path) -> Result<Delivery, StoreError> {
        if path == Path::new("-") {
            let path = PathBuf::from("standard output");
            let file = std::os::fd::AsFd::as_fd(&std::io::stdout()).try_clone_to_owned().at("write to", &path)?;
            return Ok(Delivery { path, until_whole: UntilWhole::InPlace, file: file.into() });
        }
        // What a link leads to is replaced, not the link.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if path.metadata().is_ok_and(|about| !about.is_file()) {
            let file = OpenOptions::new().write(true).open(&path).at("open", &path)?;
            return Ok(Delivery { path, until_whole: UntilWhole::InPlace, file });
        }
        // A root file system has its secrets: for others to read is for its owner to allow, or as what it replaces was.
        let mode = path.metadata().map_or(PRIVATE, |replaced| replaced.mode() & 0o777);
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        if let Ok(file) = rustix::fs::open(directory(&path), flags, Mode::from_raw_mode(mode)) {
            return Ok(Delivery { path, until_whole: UntilWhole::Nameless, file: file.into() });
        }
        let unfinished = Unfinished::beside(&path);
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(unfinished.path());
        let file = file.at("create", unfinished.path())?;
        Ok(Delivery { path, until_whole: UntilWhole::Beside(unfinished), file })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Nothing is left to be written.
    pub fn finish(self) -> Result<(), StoreError> {
        let Delivery { path, until_whole, file } = self;
        let done = match until_whole {
            UntilWhole::InPlace => return Ok(()),
            UntilWhole::Nameless => file.sync_all().and_then(|()| name(&file, &path)),
            UntilWhole::Beside(unfinished) => file.sync_all().and_then(|()| std::fs::rename(unfinished.path(), &path)),
        };
        done.at("write", &path)
    }
}

impl Write for Delivery {
    fn write(&mut self, content: &[u8]) -> IoResult<usize> {
        go_on()?;
        self.file.write(content)
    }

    fn flush(&mut self) -> IoResult<()> {
        self.file.flush()
    }
}

impl Unfinished {
    /// A name of this process's own in the same directory, at which nothing is yet.
    pub fn beside(path: &Path) -> Unfinished {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let path = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
        ours().push(path.clone());
        Unfinished(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Ours alone; it is no longer there once it is renamed.
        if std::fs::remove_file(&self.0).is_err() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
        ours().retain(|path| *path != self.0);
    }
}

/// Gives a file its first name, or that of another one.
fn name(file: &File, path: &Path) -> IoResult<()> {
    let link = |to: &Path| {
        let open = format!("/proc/self/fd/{}", file.as_raw_fd());
        linkat(CWD, open, CWD, to, AtFlags::SYMLINK_FOLLOW).map_err(std::io::Error::from)
    };
    match link(path) {
        // No call gives a file a name that another one has.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let unfinished = Unfinished::beside(path);
            link(unfinished.path()).and_then(|()| std::fs::rename(unfinished.path(), path))
        }
        other => other,
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_half_written_is_nowhere_and_what_is_whole_replaces_what_was_there() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        for content in ["one", "two"] {
            let before = names(place.path());
            let mut delivery = Delivery::to(&path).unwrap();
            delivery.write_all(content.as_bytes()).unwrap();
            // As it would be were this process killed now.
            assert_eq!(names(place.path()), before);
            delivery.finish().unwrap();
            assert_eq!(names(place.path()), ["file"]);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
            assert_eq!(path.metadata().unwrap().mode() & 0o777, PRIVATE);
        }
        drop(Delivery::to(&place.path().join("other")).unwrap());
        assert_eq!(names(place.path()), ["file"]);
    }
}
