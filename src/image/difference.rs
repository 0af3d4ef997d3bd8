//! What differs between two root file systems: only where they are not made of the same directories is looked at more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Serialize;

use super::stack::{Directory, Found, Listing, Shown, Stack};
use super::{Store, StoreError};

/// One path that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    pub change: ChangeKind,
    /// From the root; bytes that are no UTF-8 are replaced.
    pub path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    Added,
    Changed,
    Deleted,
}

impl Store {
    /// What became of `before` in `after`, each the trees of a root file system, the topmost first. A directory in which
    /// something differs has changed; below one that was deleted nothing is told.
    pub fn difference(&self, before: &[PathBuf], after: &[PathBuf]) -> Result<Vec<Change>, StoreError> {
        let pair = Pair { before: Stack::open(before)?, after: Stack::open(after)?, changes: BTreeMap::new() };
        let mut changes = pair.compare()?;
        let inside: Vec<Vec<u8>> = changes.keys().cloned().collect();
        for path in inside {
            let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
            for (end, _) in slashes {
                changes.entry(path[..end].to_vec()).or_insert(ChangeKind::Changed);
            }
        }
        let shown = |path: Vec<u8>| format!("/{}", String::from_utf8_lossy(&path));
        Ok(changes.into_iter().map(|(path, change)| Change { change, path: shown(path) }).collect())
    }
}

struct Pair {
    before: Stack,
    after: Stack,
    changes: BTreeMap<Vec<u8>, ChangeKind>,
}

impl Pair {
    fn compare(mut self) -> Result<BTreeMap<Vec<u8>, ChangeKind>, StoreError> {
        let mut pending = vec![(Some(self.before.root()?), self.after.root()?)];
        while let Some((before, after)) = pending.pop() {
            let before = before.map(|before| self.before.list(&before)).transpose()?.flatten();
            let Some(after) = self.after.list(&after)? else { continue };
            self.compare_directories(before.as_ref(), &after, &mut pending)?;
        }
        Ok(self.changes)
    }

    fn compare_directories(
        &mut self,
        before: Option<&Listing>,
        after: &Listing,
        pending: &mut Vec<(Option<Directory>, Directory)>,
    ) -> Result<(), StoreError> {
        let mut names: BTreeSet<&[u8]> = after.names().collect();
        if let Some(before) = before {
            if before.identity == after.identity {
                return Ok(());
            }
            let path = &after.directory.path;
            if !path.is_empty() && differ(&before.directory, &after.directory)? {
                self.changes.insert(path.clone(), ChangeKind::Changed);
            }
            names.extend(before.names());
        }
        for name in names {
            let was = before.map(|before| self.before.show(before, name)).transpose()?.flatten();
            let is = self.after.show(after, name)?;
            let change = match (&was, &is) {
                (None, None) | (Some(Shown::Directory(_)), Some(Shown::Directory(_))) => None,
                (None, Some(_)) => Some(ChangeKind::Added),
                (Some(_), None) => Some(ChangeKind::Deleted),
                (Some(Shown::Other(was)), Some(Shown::Other(is))) => differ(was, is)?.then_some(ChangeKind::Changed),
                _ => Some(ChangeKind::Changed),
            };
            if let (Some(change), Some(shown)) = (change, is.as_ref().or(was.as_ref())) {
                self.changes.insert(shown.path().to_vec(), change);
            }
            match (was, is) {
                (Some(Shown::Directory(was)), Some(Shown::Directory(is))) => pending.push((Some(was), is)),
                (_, Some(Shown::Directory(is))) => pending.push((None, is)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// As docker tells it: by everything a listing shows, not by reading what is in it. A directory's time is only that of
/// what was made in it.
fn differ(one: &Found, other: &Found) -> Result<bool, StoreError> {
    use rustix::fs::FileType;
    if one.identity() == other.identity() {
        return Ok(false);
    }
    let common = |found: &Found| (found.stat.st_mode, found.stat.st_uid, found.stat.st_gid, found.stat.st_rdev);
    let content = |found: &Found| (found.stat.st_size, found.stat.st_mtime, found.stat.st_mtime_nsec);
    if common(one) != common(other) || one.kind() != FileType::Directory && content(one) != content(other) {
        return Ok(true);
    }
    if one.kind() == FileType::Symlink && one.link()? != other.link()? {
        return Ok(true);
    }
    Ok(one.attributes()? != other.attributes()?)
}
