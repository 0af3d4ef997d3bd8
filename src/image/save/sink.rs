//! Where the files of a saved image go: into a tar archive, or into a directory.

use std::fs::{DirBuilder, File};
use std::io::{BufWriter, Error as IoError, ErrorKind, IntoInnerError, Read, Result as IoResult};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags};

use super::super::StoreError;
use super::super::delivery::{Delivery, Unfinished};
use super::super::durable::sync_directory;
use super::super::error::At;
use super::super::pack::{Head, Writer};

pub enum Sink {
    Archive(Writer<BufWriter<Delivery>>, PathBuf),
    /// It goes unless it is renamed.
    Directory(Unfinished, PathBuf),
}

impl Sink {
    pub fn archive(to: &Path) -> Result<Sink, StoreError> {
        let delivery = Delivery::to(to)?;
        let path = delivery.path().to_owned();
        Ok(Sink::Archive(Writer::new(BufWriter::with_capacity(1 << 17, delivery)), path))
    }

    /// One that is empty or not there yet.
    pub fn directory(to: &Path) -> Result<Sink, StoreError> {
        replaceable(to).at("write to", to)?;
        // What a link leads to is replaced, not the link.
        let to = std::fs::canonicalize(to).unwrap_or_else(|_| to.to_owned());
        let unfinished = Unfinished::beside(&to);
        std::fs::create_dir(unfinished.path()).at("make the directory", unfinished.path())?;
        Ok(Sink::Directory(unfinished, to))
    }

    /// A file of `size` bytes.
    pub fn file(&mut self, name: &str, size: u64, mut content: impl Read) -> Result<(), StoreError> {
        match self {
            Sink::Archive(archive, path) => archive.file(&Head::plain(name, size), content).at("write", path),
            Sink::Directory(unfinished, _) => {
                let path = unfinished.path().join(name);
                let parent = path.parent().unwrap_or(unfinished.path());
                DirBuilder::new().recursive(true).create(parent).at("make the directory", parent)?;
                let mut file = File::create(&path).at("create", &path)?;
                std::io::copy(&mut content, &mut file).at("write", &path).map(drop)
            }
        }
    }

    pub fn finish(self) -> Result<(), StoreError> {
        match self {
            Sink::Archive(archive, path) => {
                let written = archive.end().at("write", &path)?.into_inner();
                written.map_err(IntoInnerError::into_error).at("write", &path)?.finish()
            }
            Sink::Directory(unfinished, path) => {
                let staged = unfinished.path();
                let directory = File::open(staged).at("open", staged)?;
                rustix::fs::syncfs(&directory).at("sync", staged)?;
                std::fs::rename(staged, &path).at("rename", staged)?;
                sync_directory(path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new(".")))
            }
        }
    }
}

/// Whether a directory can be renamed to this one, asked before it is written.
fn replaceable(to: &Path) -> IoResult<()> {
    let mut entries = match std::fs::read_dir(to) {
        // A link to nothing is in the way, too.
        Err(error) if error.kind() == ErrorKind::NotFound && to.symlink_metadata().is_err() => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(ErrorKind::AlreadyExists.into()),
        other => other?,
    };
    if entries.next().is_some() {
        return Err(ErrorKind::DirectoryNotEmpty.into());
    }
    let about = rustix::fs::statx(CWD, to, AtFlags::empty(), StatxFlags::BASIC_STATS)?;
    match about.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
        true => Err(IoError::new(ErrorKind::ResourceBusy, "something is mounted there; name a new directory in it")),
        false => Ok(()),
    }
}
