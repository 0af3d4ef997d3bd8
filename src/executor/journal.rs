//! The inner system's journal on the host: a link to where it keeps it, or the directory that it keeps it in, by the name
//! that the host's journalctl(1) looks for, `/var/log/journal/MACHINE-ID`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, XattrFlags};

use super::error::{Context, StepError};
use super::machine_id::of_host;
use super::root::Root;
use crate::config::LinkJournal;

pub const DIRECTORY: &str = "/var/log/journal";

const JOURNALD: &str = "/usr/lib/systemd/systemd-journald";

/// On a directory that is a container's: its name. Only the host's root can set it or take it away.
const OWNER: &str = "trusted.berth.container";

/// The container's root as far as it is on the host's disk.
pub struct Trees<'a> {
    /// The container.
    pub name: &'a str,
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
        LinkJournal::Host | LinkJournal::TryHost => make_directory(&place, trees),
        LinkJournal::Guest | LinkJournal::TryGuest => {
            let Some(top) = trees.all.first() else { return Ok(None) };
            make_link(&place, &top.join(DIRECTORY.trim_start_matches('/')).join(trees.id), trees)
        }
    };
    match made {
        Ok(true) => Ok(Some(place)),
        // The machine id is the tree's to say, and another system has said it before: its journal stays its own.
        Ok(false) => {
            let taken = StepError::JournalTaken(place.display().to_string());
            if !tries {
                return Err(taken);
            }
            eprintln!("the journal is not linked: {taken}");
            Ok(None)
        }
        Err(error) => Err(error).call(|| format!("link {}", place.display())),
    }
}

impl Trees<'_> {
    /// Whether a link leads into the container's own trees, or to where nothing is any more.
    fn may_replace(&self, target: &Path) -> bool {
        self.all.iter().any(|tree| target.starts_with(tree)) || !target.exists()
    }

    fn has_journald(&self) -> bool {
        self.all.iter().any(|tree| {
            let root = std::fs::File::open(tree).map(|tree| Root::new(tree.into()));
            root.is_ok_and(|root| root.open(Path::new(JOURNALD), OFlags::PATH).is_ok())
        })
    }
}

/// `false` where the place is another system's.
fn make_directory(place: &Path, trees: &Trees<'_>) -> std::io::Result<bool> {
    if let Ok(known) = std::fs::read_link(place) {
        if !trees.may_replace(&known) {
            return Ok(false);
        }
        std::fs::remove_file(place)?;
    }
    match owner(place) {
        Some(owner) => return Ok(owner == trees.name.as_bytes()),
        None if place.exists() && std::fs::read_dir(place)?.next().is_some() => return Ok(false),
        None => std::fs::create_dir_all(place)?,
    }
    rustix::fs::setxattr(place, OWNER, trees.name.as_bytes(), XattrFlags::empty())?;
    Ok(true)
}

/// The container whose directory it is.
fn owner(place: &Path) -> Option<Vec<u8>> {
    let mut name = [0u8; 256];
    let length = rustix::fs::lgetxattr(place, OWNER, &mut name).ok()?;
    name.get(..length).map(<[u8]>::to_vec)
}

/// `false` where the place is another system's.
fn make_link(place: &Path, target: &Path, trees: &Trees<'_>) -> std::io::Result<bool> {
    match std::fs::read_link(place) {
        Ok(known) if known == target => return Ok(true),
        Ok(known) if !trees.may_replace(&known) => return Ok(false),
        Ok(_) => std::fs::remove_file(place)?,
        Err(error) if error.kind() == ErrorKind::NotFound => std::fs::create_dir_all(DIRECTORY)?,
        Err(_) if owner(place).is_some_and(|owner| owner != trees.name.as_bytes()) => return Ok(false),
        // A directory, which goes if it is empty.
        Err(_) => match std::fs::remove_dir(place) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => return Ok(false),
            other => other?,
        },
    }
    std::os::unix::fs::symlink(target, place)?;
    Ok(true)
}

/// Takes away links into a tree that is about to go.
pub fn forget(tree: &Path) {
    for entry in std::fs::read_dir(DIRECTORY).into_iter().flatten().flatten() {
        let leads_there = std::fs::read_link(entry.path()).is_ok_and(|target| target.starts_with(tree));
        if leads_there {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
