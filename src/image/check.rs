//! Whether the store is what it should be: every blob hashed again, every layer unpacked again and compared.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use oci_spec::image::{ImageConfiguration, ImageManifest};
use serde::Serialize;

use super::error::At;
use super::garbage::put_away;
use super::import::{BlobSource, ImportError, Incoming, Layer, Silent};
use super::index::{Entry, Index};
use super::turn::Turn;
use super::{Digest, ImageRecord, Store, StoreError, durable, tree};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// The image it was found in, by name or else digest; none for a blob that no image has.
    pub image: Option<String>,
    pub part: Part,
    pub digest: String,
    pub problem: String,
    /// Whether it is right again.
    pub repaired: bool,
    /// Why it is not, where that was tried.
    pub hindrance: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    Manifest,
    Configuration,
    Blob,
    Layer,
    Record,
}

/// A check of some images, or of everything.
struct Check<'a> {
    store: &'a Store,
    incoming: Incoming<'a>,
    repair: bool,
    /// Blobs and layers of several images are looked at once. Blobs: whether they are right.
    blobs: HashMap<Digest, bool>,
    layers: HashSet<Digest>,
    findings: Vec<Finding>,
}

impl Store {
    /// Checks these images; without any, all of them and every blob there is. With `repair`, what can be made right is.
    pub fn check(&self, images: &[String], repair: bool) -> Result<Vec<Finding>, ImportError> {
        let incoming = Incoming::new(self, &Silent)?;
        let index = Index::load(&self.oci())?;
        let mut entries: Vec<&Entry> = match images {
            [] => index.entries().iter().collect(),
            some => some.iter().map(|image| self.meant(&index, image)).collect::<Result<_, _>>()?,
        };
        let mut manifests = HashSet::new();
        entries.retain(|entry| manifests.insert(entry.manifest));
        let mut check = Check {
            store: self,
            incoming,
            repair,
            blobs: HashMap::new(),
            layers: HashSet::new(),
            findings: Vec::new(),
        };
        for entry in entries {
            check.image(entry)?;
        }
        if images.is_empty() {
            check.nameless_blobs()?;
        }
        Ok(check.findings)
    }
}

impl Check<'_> {
    fn image(&mut self, entry: &Entry) -> Result<(), ImportError> {
        self.blob(entry, Part::Manifest, &entry.manifest, entry.size);
        let Some(manifest) = self.read::<ImageManifest>(&entry.manifest) else { return Ok(()) };
        let config = manifest.config();
        let Ok(config_digest) = config.digest().to_string().parse() else { return Ok(()) };
        self.blob(entry, Part::Configuration, &config_digest, config.size());
        let Some(config) = self.read::<ImageConfiguration>(&config_digest) else { return Ok(()) };
        for (layer, diff_id) in manifest.layers().iter().zip(config.rootfs().diff_ids()) {
            if let (Ok(digest), Ok(diff_id)) = (layer.digest().to_string().parse(), diff_id.parse()) {
                self.blob(entry, Part::Blob, &digest, layer.size());
                self.layer(entry, digest, layer.size(), diff_id)?;
            }
        }
        self.record(entry, &config)
    }

    fn read<T: serde::de::DeserializeOwned>(&self, digest: &Digest) -> Option<T> {
        let text = std::fs::read(self.store.blob(digest)).ok().filter(|text| Digest::of(text) == *digest)?;
        serde_json::from_slice(&text).ok()
    }

    fn blob(&mut self, entry: &Entry, part: Part, digest: &Digest, size: u64) {
        if self.blobs.contains_key(digest) {
            return;
        }
        let Some(problem) = self.problem(digest, Some(size)) else {
            self.blobs.insert(*digest, true);
            return;
        };
        let repaired = self.repair.then(|| self.refetch(entry, part, digest, size));
        self.blobs.insert(*digest, matches!(repaired, Some(Ok(()))));
        self.found(Some(entry), part, digest, problem, repaired);
    }

    /// What is wrong with a blob. One that the disk does not give is as bad as another one.
    fn problem(&self, digest: &Digest, size: Option<u64>) -> Option<String> {
        match self.store.blob(digest).metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some("it is missing".to_owned()),
            Ok(about) if size.is_some_and(|size| size != about.len()) => {
                return size.map(|size| format!("it has {} bytes, not {size}", about.len()));
            }
            _ => {}
        }
        match self.store.is_damaged(digest) {
            Ok(false) => None,
            Ok(true) => Some("its content is another".to_owned()),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Who fetches it at the same time, or puts it away, is waited for.
    fn turn(&self, digest: &Digest) -> Result<Turn, String> {
        let turn =
            Turn::wait(self.store, digest, &AtomicBool::new(false), |_| {}).map_err(|error| error.to_string())?;
        turn.ok_or_else(|| "interrupted".to_owned())
    }

    fn refetch(&mut self, entry: &Entry, part: Part, digest: &Digest, size: u64) -> Result<(), String> {
        let Some(name) = entry.name.as_deref().filter(|name| !name.starts_with("localhost/")) else {
            return Err("it was imported: import it again".to_owned());
        };
        let _turn = self.turn(digest)?;
        if self.problem(digest, Some(size)).is_none() {
            return Ok(());
        }
        let staged = self.incoming.scratch.fresh();
        let fetched = self.store.refetch(name, part == Part::Manifest, digest, size, &staged);
        fetched.map_err(|error| error.to_string())?;
        let replaced = self.store.sync().and_then(|()| {
            let path = self.store.blob(digest);
            std::fs::rename(&staged, &path).at("rename", &staged)?;
            durable::sync_directory(&self.store.blobs())
        });
        replaced.map_err(|error| error.to_string())
    }

    /// Unpacked again beside it, from a blob that is right.
    fn layer(&mut self, entry: &Entry, digest: Digest, size: u64, diff_id: Digest) -> Result<(), ImportError> {
        let place = self.store.layer(&diff_id);
        if !self.layers.insert(diff_id) {
            return Ok(());
        }
        let Some(model) = self.unpacked(entry, digest, size, diff_id)? else { return Ok(()) };
        let open = |path: &PathBuf| std::fs::File::open(path).at("open", path);
        let problem = match place.exists() {
            false => Some("it is missing".to_owned()),
            true => {
                let compared = || tree::difference(open(&place)?.into(), open(&model)?.into()).at("compare", &place);
                compared().unwrap_or_else(|error| Some(error.to_string()))
            }
        };
        if let Some(problem) = problem {
            let repaired = self.repair.then(|| self.store.exchange_layer(&diff_id, &model));
            self.found(Some(entry), Part::Layer, &diff_id, problem, repaired);
        }
        // One at a time: the check needs no more room than the largest layer.
        if model.exists() {
            self.incoming.scratch.remove(&model).at("remove", &model)?;
        }
        Ok(())
    }

    /// None where there is nothing right to unpack.
    fn unpacked(
        &mut self,
        entry: &Entry,
        digest: Digest,
        size: u64,
        diff_id: Digest,
    ) -> Result<Option<PathBuf>, ImportError> {
        let path = self.store.blob(&digest);
        if !self.blobs.get(&digest).is_some_and(|right| *right) {
            if !self.store.layer(&diff_id).exists() {
                let hindrance = self.repair.then(|| Err("its blob is not there to unpack it from".to_owned()));
                self.found(Some(entry), Part::Layer, &diff_id, "it is missing".to_owned(), hindrance);
            }
            return Ok(None);
        }
        let (model, destination) = self.incoming.fresh_destination()?;
        let layer = Layer::of_blob(&path, BlobSource::File(path.clone()), digest, size, diff_id);
        match layer.and_then(|layer| layer.read_again(destination)) {
            Ok(()) => Ok(Some(model)),
            Err(error) if error.is_about_room() || error.is_interruption() => Err(error),
            // Nobody has such a blob that is any better.
            Err(error) => {
                self.found(Some(entry), Part::Layer, &diff_id, error.to_string(), None);
                self.incoming.scratch.remove(&model).at("remove", &model)?;
                Ok(None)
            }
        }
    }

    fn record(&mut self, entry: &Entry, config: &ImageConfiguration) -> Result<(), ImportError> {
        let known = self.store.record(&entry.manifest);
        let verified = known.as_ref().ok().and_then(|record| record.verified.clone());
        // Which layers an opaque root hides can only be told where all are there.
        let Ok(mut right) = self.incoming.record_of(entry, config) else { return Ok(()) };
        right.verified = verified;
        let problem = match known {
            Ok(known) if known == right => return Ok(()),
            Ok(_) => "it is not what the image's configuration says".to_owned(),
            Err(error) => error.to_string(),
        };
        let repaired = self.repair.then(|| self.store.replace_record(&entry.manifest, &right));
        self.found(
            Some(entry),
            Part::Record,
            &entry.manifest,
            problem,
            repaired.map(|it| it.map_err(|it| it.to_string())),
        );
        Ok(())
    }

    /// What no image has is put away where it is damaged: a later pull would take it for whole.
    fn nameless_blobs(&mut self) -> Result<(), ImportError> {
        let blobs = self.store.blobs();
        for entry in std::fs::read_dir(&blobs).at("read", &blobs)? {
            let path = entry.at("read", &blobs)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let problem = match Digest::from_hex(&name) {
                Ok(digest) if self.blobs.contains_key(&digest) => continue,
                Ok(digest) => match self.problem(&digest, None) {
                    Some(problem) => problem,
                    None => continue,
                },
                Err(error) => error.to_string(),
            };
            let repaired = self.repair.then(|| self.put_away(&path, Digest::from_hex(&name).ok().as_ref()));
            let digest = format!("sha256:{name}");
            let (repaired, hindrance) = outcome(repaired);
            self.findings.push(Finding { image: None, part: Part::Blob, digest, problem, repaired, hindrance });
        }
        Ok(())
    }

    fn put_away(&mut self, path: &Path, digest: Option<&Digest>) -> Result<(), String> {
        let _turn = digest.map(|digest| self.turn(digest)).transpose()?;
        // By now it may be there anew, and whole.
        if digest.is_some_and(|digest| self.problem(digest, None).is_none()) {
            return Ok(());
        }
        put_away(path, &mut self.incoming.scratch).map(drop).map_err(|error| error.to_string())
    }

    fn found(
        &mut self,
        entry: Option<&Entry>,
        part: Part,
        digest: &Digest,
        problem: String,
        repaired: Option<Result<(), String>>,
    ) {
        let image = entry.map(|entry| entry.name.clone().unwrap_or_else(|| entry.manifest.to_string()));
        let (repaired, hindrance) = outcome(repaired);
        self.findings.push(Finding { image, part, digest: digest.to_string(), problem, repaired, hindrance });
    }
}

fn outcome(repaired: Option<Result<(), String>>) -> (bool, Option<String>) {
    match repaired {
        None => (false, None),
        Some(Ok(())) => (true, None),
        Some(Err(hindrance)) => (false, Some(hindrance)),
    }
}

impl Store {
    fn replace_record(&self, manifest: &Digest, record: &ImageRecord) -> Result<(), StoreError> {
        let path = self.record_path(manifest);
        let text = serde_json::to_vec(record).map_err(|error| StoreError::damaged(&path, error))?;
        let _lock = self.lock()?;
        durable::replace(&path, &text)
    }
}
