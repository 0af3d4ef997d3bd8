//! The collection of garbage: marked first, then taken away by renames, so that a killed one leaves only what the next
//! one clears.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::error::At;
use super::garbage::put_away;
use super::index::{Entry, Index};
use super::needs::Needs;
use super::scratch::{Scratch, remove_leftovers};
use super::store::{open_lock, try_lock};
use super::{Digest, Store, StoreError, tree};
use crate::event::{self, About};

/// What a killed pull has finished, the next one finds within this time.
pub const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CollectOptions {
    /// Whatever is younger stays.
    pub grace: Duration,
    /// Images with a name go as well, unless a container needs them.
    pub all: bool,
    /// Only tell.
    pub dry_run: bool,
}

/// One thing that nobody needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Collected {
    pub kind: Kind,
    /// An image's name or digest, a digest of a blob or layer, a file's name, or a container's.
    pub name: String,
    /// In bytes on the disk.
    pub size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Image,
    Blob,
    Layer,
    Record,
    /// What a container wrote that ended with the power.
    Writable,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collection {
    pub collected: Vec<Collected>,
    /// Why something was left alone that might have gone.
    pub notes: Vec<String>,
}

/// What is to go, and under which lock: as long as it is held, no container starts with the image.
struct Doomed {
    entry: Entry,
    _lock: OwnedFd,
}

/// What a collection will take away, and its locks: until it is dropped nothing of it is used anew.
pub(super) struct Marked {
    collection: Collection,
    /// As it will be.
    index: Index,
    doomed: Vec<Doomed>,
    pub(super) garbage: Vec<(Kind, PathBuf)>,
    /// Of the garbage, what belongs to images that are doomed.
    pub(super) own: HashSet<PathBuf>,
    locks: [OwnedFd; 2],
}

impl Store {
    /// Takes away what no name, no record and no container needs.
    pub fn collect(&self, options: &CollectOptions) -> Result<Collection, StoreError> {
        match self.collect_now(options) {
            Err(error) if error.is_about_room() && self.make_room_for_collection(options).is_ok() => {
                self.collect_now(options)
            }
            other => other,
        }
    }

    fn collect_now(&self, options: &CollectOptions) -> Result<Collection, StoreError> {
        self.prepare()?;
        let Some(marked) = self.mark(options)? else {
            let note = "an import or a pull is under way, which may count on what is there: nothing was removed";
            return Ok(Collection { notes: vec![note.to_owned()], ..Collection::default() });
        };
        let mut gone = Vec::new();
        let mut trash = None;
        if options.dry_run {
            gone.extend(marked.garbage.iter().map(|(_, path)| path.clone()));
        } else {
            let trash = trash.insert(Scratch::new(self)?);
            // The names first: from then on the rest is garbage, whatever happens.
            if !marked.doomed.is_empty() {
                marked.index.save()?;
            }
            for (_, path) in &marked.garbage {
                gone.push(put_away(path, trash)?);
            }
            for Doomed { entry, .. } in &marked.doomed {
                let digest = entry.manifest.to_string();
                let name = entry.name.as_deref().unwrap_or(&digest);
                event::record(self.scope(), About::Image, "remove", name, &[("digest", &digest)]);
            }
        }
        // What takes its time is done without the locks.
        let Marked { mut collection, garbage, doomed, locks, .. } = marked;
        drop((doomed, locks));
        for ((kind, path), gone) in garbage.iter().zip(gone) {
            let hex = path.file_name().unwrap_or_default().to_string_lossy();
            let name = if *kind == Kind::Record { hex.into_owned() } else { format!("sha256:{hex}") };
            collection.collected.push(Collected { kind: *kind, name, size: tree::disk_usage(&gone) });
        }
        Ok(collection)
    }

    /// What nobody needs; nothing while an import is under way.
    pub(super) fn mark(&self, options: &CollectOptions) -> Result<Option<Marked>, StoreError> {
        let lock = self.lock()?;
        if !options.dry_run {
            remove_leftovers(self)?;
        }
        let path = self.imports_lock();
        let imports = open_lock(&path)?;
        if !try_lock(&imports, &path)? {
            return Ok(None);
        }
        let mut collection = Collection::default();
        let mut index = Index::load(&self.oci())?;
        let doomed = self.doomed(&index, &Needs::of(self.scope()), options, &mut collection.notes)?;
        let mut own = HashSet::new();
        for Doomed { entry, .. } in &doomed {
            own.extend(self.own_files(entry));
            index.drop_manifest(&entry.manifest);
            let name = entry.name.clone().unwrap_or_else(|| entry.manifest.to_string());
            collection.collected.push(Collected { kind: Kind::Image, name, size: 0 });
        }
        let garbage = match self.used(&index) {
            Ok(used) => self.garbage(&used, &own, options)?,
            // Better keep too much.
            Err(error) => {
                let unknown = "it is not known what that image uses, so blobs and layers stay";
                collection.notes.push(format!("{error}: {unknown}"));
                Vec::new()
            }
        };
        Ok(Some(Marked { collection, index, doomed, garbage, own, locks: [imports, lock] }))
    }

    /// Images without a name that are old enough, or with `all` every one that no container needs.
    fn doomed(
        &self,
        index: &Index,
        needs: &Needs,
        options: &CollectOptions,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Doomed>, StoreError> {
        if let Some(problem) = &needs.unknown {
            notes.push(format!("{}: it is not known which image it needs, so images stay", problem.trim_end()));
            return Ok(Vec::new());
        }
        let needed = needs.manifests(self, index);
        let mut doomed: Vec<Doomed> = Vec::new();
        for entry in index.entries() {
            let nameless = || entry.name.is_none() && is_old(&self.record_path(&entry.manifest), options.grace);
            let known = |manifest: &Digest| doomed.iter().any(|doomed| doomed.entry.manifest == *manifest);
            if needed.contains(&entry.manifest) || known(&entry.manifest) || !(options.all || nameless()) {
                continue;
            }
            let path = self.image_lock(&entry.manifest);
            let lock = open_lock(&path)?;
            if try_lock(&lock, &path)? {
                doomed.push(Doomed { entry: entry.clone(), _lock: lock });
            }
        }
        Ok(doomed)
    }

    fn garbage(
        &self,
        used: &HashSet<PathBuf>,
        own: &HashSet<PathBuf>,
        options: &CollectOptions,
    ) -> Result<Vec<(Kind, PathBuf)>, StoreError> {
        let mut garbage = Vec::new();
        for (kind, directory) in
            [(Kind::Blob, self.blobs()), (Kind::Layer, self.scope().layers()), (Kind::Record, self.records())]
        {
            for entry in std::fs::read_dir(&directory).at("read", &directory)? {
                let path = entry.at("read", &directory)?.path();
                if !used.contains(&path) && (own.contains(&path) || is_old(&path, options.grace)) {
                    garbage.push((kind, path));
                }
            }
        }
        garbage.sort_by(|(_, one), (_, other)| one.cmp(other));
        Ok(garbage)
    }
}

/// By the time it was put there or last changed, which nobody can set: a layer's root has its archive's time.
fn is_old(path: &Path, grace: Duration) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(about) = path.symlink_metadata() else { return false };
    let changed = SystemTime::UNIX_EPOCH + Duration::new(about.ctime().max(0) as u64, about.ctime_nsec() as u32);
    // One of the future: the clock was set back.
    SystemTime::now().duration_since(changed).is_ok_and(|age| age >= grace)
}
