//! From a file, a directory or a stream to images in the store.

pub(super) mod compression;
mod docker;
mod error;
mod files;
mod flat;
mod incoming;
mod layers;
pub(super) mod layout;
pub(super) mod manifest;
mod origin;
mod piece;
mod pipeline;
pub(super) mod platform;
mod progress;
mod settling;
mod source;
mod transport;

use std::path::Path;

pub(super) use error::go_on;
pub use error::{Amount, ImportError, Interrupted};
pub use incoming::{BlobSource, Incoming, Layer, platform_of, process_defaults};
pub use origin::{Announced, Opened, Origin};
pub use progress::{Progress, Reading, Silent};
pub(super) use settling::adopt;
pub use transport::Transport;

use super::{ImageRecord, Reference, ReferenceError, Store};
use crate::event::{self, About};
use compression::Compression;
use files::Files;
use platform::Wanted;
use source::{Format, Source, Stream};

/// What a person may say about an import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// The image's name here; without it, its own, or else the file's.
    pub name: Option<String>,
    /// `linux/arm64`: which image of an index, or what a root file system is for. Without it, this machine's.
    pub platform: Option<String>,
}

/// One image that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Its full name.
    pub name: String,
    pub record: ImageRecord,
}

impl Store {
    /// Imports a root file system's archive, an OCI layout (a directory or an archive), a `docker save` archive or a
    /// directory as `podman save --format docker-dir` writes it.
    /// `-` is standard input. Nothing of it is visible before all of it is there.
    pub fn import(
        &self,
        file: &Path,
        options: &ImportOptions,
        progress: &dyn Progress,
    ) -> Result<Vec<Imported>, ImportError> {
        let naming = Naming::new(file, options)?;
        let wanted = options.platform.as_deref().map(Wanted::parse).transpose()?;
        self.bring(Source::open(file)?, &naming, wanted, progress)
    }

    /// Imports every image of an archive or a layout, each under its own names; a root file system is none.
    pub fn load(&self, file: &Path, progress: &dyn Progress) -> Result<Vec<Imported>, ImportError> {
        let naming = Naming::new(file, &ImportOptions::default())?;
        match Source::open(file)? {
            Source::Stream(Stream { format: Format::RootFileSystem, what, .. }) => {
                Err(ImportError::RootFileSystem { what })
            }
            source => self.bring(source, &naming, None, progress),
        }
    }

    fn bring(
        &self,
        source: Source,
        naming: &Naming,
        wanted: Option<Wanted>,
        progress: &dyn Progress,
    ) -> Result<Vec<Imported>, ImportError> {
        let mut incoming = Incoming::new(self, progress)?;
        let imported = match source {
            Source::Layout(files) => layout::import(&files, naming, wanted.as_ref(), &mut incoming)?,
            Source::Flat(files) => flat::import(files, naming, wanted.as_ref(), &mut incoming)?,
            Source::Stream(stream) => match stream.format {
                Format::Image => {
                    let what = stream.what.clone();
                    let reading = progress.begin(&what, stream.size);
                    let compression = stream.compression;
                    let files = Files::spool(&what, stream.into_input(Some(&*reading)), compression, &mut incoming)?;
                    import_files(&what, &files, naming, wanted.as_ref(), &mut incoming)?
                }
                Format::RootFileSystem => import_root(stream, naming, wanted, &mut incoming)?,
            },
        };
        incoming.commit()?;
        for image in &imported {
            event::record(self.scope(), About::Image, "import", &image.name, &[("digest", &image.record.manifest)]);
        }
        Ok(imported)
    }
}

fn import_files(
    what: &str,
    files: &Files,
    naming: &Naming,
    wanted: Option<&Wanted>,
    into: &mut Incoming<'_>,
) -> Result<Vec<Imported>, ImportError> {
    if files.has("index.json") && files.has("oci-layout") {
        layout::import(files, naming, wanted, into)
    } else if files.has("manifest.json") {
        docker::import(files, naming, wanted, into)
    } else {
        Err(ImportError::Missing { what: format!("{what}: index.json or manifest.json") })
    }
}

fn import_root(
    stream: Stream,
    naming: &Naming,
    wanted: Option<Wanted>,
    into: &mut Incoming<'_>,
) -> Result<Vec<Imported>, ImportError> {
    let name = naming.of_only(None)?;
    let compression = stream.compression;
    let blob = match compression {
        Compression::Gzip | Compression::Zstd => BlobSource::Stream,
        Compression::Plain | Compression::Xz => BlobSource::Compressed,
    };
    let layer = Layer {
        what: stream.what.clone(),
        size: None,
        input: Box::new(stream.into_input(None)),
        compression,
        blob: blob.clone(),
        digest: None,
        diff_id: None,
    };
    let outcome = into.add_layer(layer)?;
    let platform = wanted.unwrap_or_else(Wanted::host).to_string();
    let (text, config) = manifest::bare_config(&outcome.diff.0, &platform)?;
    let kept = manifest::KeptLayer::new(compression, &blob, &outcome);
    manifest::add(&text, &config, &[kept], vec![name], into)
}

/// How the images of one archive come to their names.
pub struct Naming {
    given: Option<Reference>,
    /// `debian` of `debian.tar.xz`; none for a stream.
    stem: Option<String>,
    what: String,
    choice: Choice,
}

/// Which images of an archive or a layout are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Choice {
    All,
    /// The one that calls itself so; without a name, the only one there is.
    One(Option<String>),
}

impl Naming {
    fn new(file: &Path, options: &ImportOptions) -> Result<Naming, ImportError> {
        let given: Option<Reference> = options.name.as_deref().map(str::parse).transpose()?;
        if let Some(name) =
            options.name.as_ref().filter(|_| given.as_ref().is_some_and(|given| given.digest().is_some()))
        {
            return Err(ReferenceError::GivenDigest(name.clone()).into());
        }
        let what = file.display().to_string();
        let name = file.file_name().filter(|_| what != "-").map(|name| name.to_string_lossy().into_owned());
        let stem = name.map(|name| {
            let endings = [".gz", ".xz", ".zst", ".tgz", ".txz", ".tar", ".oci"];
            let mut stem = name.as_str();
            while let Some(shorter) = endings.iter().find_map(|ending| stem.strip_suffix(ending)) {
                stem = shorter;
            }
            stem.to_lowercase()
        });
        Ok(Naming { given, stem, what, choice: Choice::All })
    }

    /// Of several images the wanted ones; each has names of its own.
    fn choose<T>(&self, mut all: Vec<T>, own: impl Fn(&T) -> Vec<String>) -> Result<Vec<T>, ImportError> {
        let Choice::One(tag) = &self.choice else { return Ok(all) };
        let there = all.iter().flat_map(&own).collect();
        match tag {
            // Those without a name may be one for several platforms.
            None if all.len() > 1 && all.iter().any(|one| !own(one).is_empty()) => {
                Err(ImportError::TagNeeded { what: self.what.clone(), there })
            }
            None => Ok(all),
            Some(tag) => match all.iter().position(|one| own(one).iter().any(|own| self.is_called(own, tag))) {
                Some(found) => Ok(vec![all.swap_remove(found)]),
                None => Err(ImportError::NoSuchTag { what: self.what.clone(), tag: tag.clone(), there }),
            },
        }
    }

    /// Of several that are left the one that is meant cannot be told by any name.
    fn only<T>(&self, all: Vec<T>) -> Result<Vec<T>, ImportError> {
        match self.choice {
            Choice::One(_) if all.len() > 1 => Err(ImportError::Nameless { what: self.what.clone(), count: all.len() }),
            _ => Ok(all),
        }
    }

    /// Of the names of an image that is wanted, those by which it is.
    fn wants(&self, own: &str) -> bool {
        match &self.choice {
            Choice::One(Some(tag)) => self.is_called(own, tag),
            Choice::One(None) | Choice::All => true,
        }
    }

    /// Word by word, or where both are names, as the same name in full.
    fn is_called(&self, own: &str, tag: &str) -> bool {
        let full = |text: &str| text.parse::<Reference>().ok().map(|reference| reference.candidates());
        own == tag || (own.contains([':', '/']) && full(own).is_some() && full(own) == full(tag))
    }

    /// The name an image gets that is the only one: what the person said, or else its own.
    fn of_only(&self, own: Option<&str>) -> Result<String, ImportError> {
        self.given.as_ref().map_or_else(|| self.of_archive(own), |given| Ok(given.given_name()))
    }

    /// The full name of an image that calls itself `own`: a whole name, only a tag, or nothing.
    fn of_archive(&self, own: Option<&str>) -> Result<String, ImportError> {
        if let Some(own) = own.filter(|own| own.contains(['/', ':'])) {
            return Ok(own.parse::<Reference>()?.given_name());
        }
        let needed = || ImportError::NameNeeded { what: self.what.clone() };
        let stem = self.stem.as_deref().ok_or_else(needed)?;
        let tagged = own.and_then(|tag| format!("{stem}:{tag}").parse::<Reference>().ok());
        let reference = tagged.or_else(|| stem.parse().ok()).ok_or_else(needed)?;
        Ok(reference.given_name())
    }
}
