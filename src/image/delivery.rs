//! A file that a person has asked for: whole, or not there.

use std::fs::{File, OpenOptions};
use std::io::{Result as IoResult, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::StoreError;
use super::error::At;

const PRIVATE: u32 = 0o600;

pub struct Delivery {
    /// For messages too.
    path: PathBuf,
    /// What is written beside the path until it is whole; none for what cannot be replaced.
    unfinished: Option<PathBuf>,
    file: File,
}

impl Delivery {
    /// `-` is standard output; a pipe, a socket or a device is written to as it is.
    pub fn to(path: &Path) -> Result<Delivery, StoreError> {
        if path == Path::new("-") {
            let path = PathBuf::from("standard output");
            let file = std::os::fd::AsFd::as_fd(&std::io::stdout()).try_clone_to_owned().at("write to", &path)?;
            return Ok(Delivery { path, unfinished: None, file: file.into() });
        }
        // What a link leads to is replaced, not the link.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if path.metadata().is_ok_and(|about| !about.is_file()) {
            let file = OpenOptions::new().write(true).open(&path).at("open", &path)?;
            return Ok(Delivery { path, unfinished: None, file });
        }
        let unfinished = beside(&path);
        // A root file system has its secrets: for others to read is for its owner to allow, or as what it replaces was.
        let mode = path.metadata().map_or(PRIVATE, |replaced| replaced.mode() & 0o777);
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&unfinished);
        let file = file.at("create", &unfinished)?;
        Ok(Delivery { path, unfinished: Some(unfinished), file })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Nothing is left to be written.
    pub fn finish(mut self) -> Result<(), StoreError> {
        if let Some(unfinished) = self.unfinished.take() {
            let done = self.file.sync_all().and_then(|()| std::fs::rename(&unfinished, &self.path));
            if done.is_err() {
                let _ = std::fs::remove_file(&unfinished);
            }
            done.at("write", &self.path)?;
        }
        Ok(())
    }
}

impl Write for Delivery {
    fn write(&mut self, content: &[u8]) -> IoResult<usize> {
        self.file.write(content)
    }

    fn flush(&mut self) -> IoResult<()> {
        self.file.flush()
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(unfinished) = &self.unfinished {
            let _ = std::fs::remove_file(unfinished);
        }
    }
}

/// A name of this process's own in the same directory.
pub fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.new", std::process::id()))
}
