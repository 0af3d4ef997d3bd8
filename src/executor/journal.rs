//! The inner system's journal on the host: a link to where it keeps it, or the directory that it keeps it in, by the name
//! that the host's journalctl(1) looks for, `/var/log/journal/MACHINE-ID`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::error::{Context, StepError};
use super::machine_id::of_host;
use super::root::Root;
use crate::config::LinkJournal;

pub const DIRECTORY: &str = "/var/log/journal";

const JOURNALD: &str = "/usr/lib/systemd/systemd-journald";

/// The container's root as far as it is on the host's disk.
pub struct Trees<'a> {
    /// The topmost first.
    pub all: &'a [PathBuf],
    /// Whose machine id it has.
    pub id: &'a str,
}

/// Where the host is to look, or `None` where nothing is to be linked. A directory that the container's journald writes
/// to has been made where it is to be the host's.
pub fn prepare(link: LinkJournal, trees: &Trees<'_>) -> Result<Option<PathBuf>, StepError> {
    let place = Path::new(DIRECTORY).join(trees.id);
    let tries = matches!(link, LinkJournal::TryGuest | LinkJournal::TryHost);
    if tries && !(Path::new(DIRECTORY).is_dir() && trees.has_journald()) {
        return Ok(None);
    }
    if of_host().as_deref() == Some(trees.id) {
        return if tries { Ok(None) } else { Err(StepError::SameMachineId) };
    }
    let made = match link {
        LinkJournal::No => return Ok(None),
        LinkJournal::Host | LinkJournal::TryHost => make_directory(&place),
        LinkJournal::Guest | LinkJournal::TryGuest => {
            let Some(top) = trees.all.first() else { return Ok(None) };
            make_link(&place, &top.join(DIRECTORY.trim_start_matches('/')).join(trees.id))
        }
    };
    match made {
        Ok(()) => Ok(Some(place)),
        // What an earlier start left there was meant otherwise, and there is something in it.
        Err(error) if tries && matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {
            Ok(None)
        }
        Err(error) => Err(error).call(|| format!("link {}", place.display())),
    }
}

impl Trees<'_> {
    fn has_journald(&self) -> bool {
        self.all.iter().any(|tree| {
            let root = std::fs::File::open(tree).map(|tree| Root::new(tree.into()));
            root.is_ok_and(|root| root.open(Path::new(JOURNALD), OFlags::PATH).is_ok())
        })
    }
}

fn make_directory(place: &Path) -> std::io::Result<()> {
    if place.is_symlink() {
        std::fs::remove_file(place)?;
    }
    std::fs::create_dir_all(place)
}

fn make_link(place: &Path, target: &Path) -> std::io::Result<()> {
    match std::fs::read_link(place) {
        Ok(known) if known == target => return Ok(()),
        Ok(_) => std::fs::remove_file(place)?,
        Err(error) if error.kind() == ErrorKind::NotFound => std::fs::create_dir_all(DIRECTORY)?,
        // A directory, which goes if it is empty.
        Err(_) => std::fs::remove_dir(place)?,
    }
    std::os::unix::fs::symlink(target, place)
}
