//! From a registry to an image in the store. Nothing of it is visible before all of it is there.

pub(super) mod document;
mod error;
mod news;
mod origin;
mod places;
mod policy;
mod refetch;
mod remote;
mod signatures;

use std::path::PathBuf;

use super::import::layout;
use super::import::platform::Wanted;
use super::import::{Imported, Incoming, Progress, Transport};
use super::index::{Entry, Index};
use super::trust::{Candidate, FullName, Requirement, Trust, Verified};
use super::{Digest, Patience, Reference, Registries, Store};
use crate::Scope;
use crate::event::{self, About};
use origin::RegistryOrigin;
use signatures::Signatures;

pub use error::PullError;
pub use news::News;
pub use remote::{RemoteDetails, RemotePlatform};

/// What a person may say about a pull.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PullOptions {
    /// `linux/arm64`: which image of an index. Without it, this machine's.
    pub platform: Option<String>,
    pub patience: Patience,
    /// Whoever vouches for it: nobody is asked (`--insecure image-signature`).
    pub unverified: bool,
}

/// The platform asked for, of the image of that name.
fn wanted(name: &str, platform: Option<&str>) -> Result<Option<Wanted>, PullError> {
    let wrong = |source| PullError::Image { name: name.to_owned(), source };
    platform.map(Wanted::parse).transpose().map_err(wrong)
}

impl Store {
    pub fn pull(&self, reference: &str, options: &PullOptions, progress: &dyn Progress) -> Result<Imported, PullError> {
        if let Some(transport) = Transport::parse(reference) {
            let wrong = |source| PullError::Image { name: reference.to_owned(), source };
            return self.pull_from(&transport, options.platform.as_deref(), progress).map_err(wrong);
        }
        let parsed: Reference = reference.parse()?;
        let wanted = wanted(reference, options.platform.as_deref())?;
        let (name, origin) = self.locate(&parsed, options, wanted.as_ref())?;
        let wrong = |source| PullError::Image { name: name.clone(), source };

        let top = origin.top().map_err(wrong)?;
        let (descriptor, chosen_from) = layout::choose(&origin, &top, wanted.as_ref()).map_err(wrong)?;
        let chosen_from = chosen_from.or(origin.chosen_from());
        let digest = layout::digest_of(&descriptor).map_err(wrong)?;
        let manifest = origin.kept_manifest(&descriptor).map_err(wrong)?;
        let verified = self.verify(&name, options, &origin, (digest, &manifest))?;

        let mut incoming = Incoming::new(self, progress)?;
        let wanted = wanted.as_ref();
        let record = layout::import_manifest(&origin, &descriptor, chosen_from, &name, wanted, &mut incoming);
        let mut record = record.map_err(wrong)?;
        record.verified = Some(verified);
        incoming.vouch(&record);
        incoming.commit()?;
        event::record(self.scope(), About::Image, "pull", &name, &[("digest", &record.manifest)]);
        Ok(Imported { name, record })
    }

    /// Whether the image may come in, and who says so: asked before any of its layers is fetched.
    fn verify(
        &self,
        name: &str,
        options: &PullOptions,
        origin: &RegistryOrigin<'_>,
        (digest, manifest): (Digest, &[u8]),
    ) -> Result<Verified, PullError> {
        let full: FullName = name.parse()?;
        let requirement = match options.unverified {
            true => Requirement::skipped(full),
            false => Trust::load(self.scope())?.decide(&full),
        };
        let index = match requirement.needs_signatures() {
            true => {
                origin.index().map_err(|source| PullError::Image { name: name.to_owned(), source: source.into() })?
            }
            false => None,
        };
        let candidate = match &index {
            Some((of_index, text)) => Candidate { digest: *of_index, manifest: text, chosen: Some((digest, manifest)) },
            None => Candidate { digest, manifest, chosen: None },
        };
        let certificates = certificate_directories(self.scope());
        let source = Signatures { repository: origin.repository(), certificates };
        Ok(requirement.verify(&candidate, &source)?)
    }

    /// The first place that has the image, in the order the settings say, and the image's full name.
    fn locate(
        &self,
        reference: &Reference,
        options: &PullOptions,
        platform: Option<&Wanted>,
    ) -> Result<(String, RegistryOrigin<'_>), PullError> {
        let index = Index::load(&self.oci())?;
        let registries = Registries::of(self.scope())?;
        let tag = reference.tag().unwrap_or("latest").to_owned();
        let wanted = reference.digest().map_or(tag, Digest::to_string);
        let places = registries.resolve(reference)?.into_iter().flat_map(|found| {
            let name = full_name(&found.repository, reference);
            found.places.into_iter().map(move |place| (place, name.clone()))
        });
        self.first_answer((reference, &registries), places, options.patience, |repository, name: String| {
            let known = index.named(&name).filter(|entry| self.is_for(entry, platform));
            Ok((name, RegistryOrigin::find(self, repository, &wanted, known)?))
        })
    }

    fn is_for(&self, entry: &Entry, platform: Option<&Wanted>) -> bool {
        let host = Wanted::host();
        let record = self.record(&entry.manifest);
        record.is_ok_and(|record| platform.unwrap_or(&host).accepts(&record.platform))
    }
}

/// By its digest an image is called so too: what a tag says of it, nobody has checked.
fn full_name(repository: &str, reference: &Reference) -> String {
    match (reference.digest(), reference.tag()) {
        (Some(digest), _) => format!("{repository}@{digest}"),
        (None, tag) => format!("{repository}:{}", tag.unwrap_or("latest")),
    }
}

/// `certs.d` of the tools that share them.
pub fn certificate_directories(scope: &Scope) -> Vec<PathBuf> {
    let shared = scope.shared_directories();
    // Docker's are the host's alone.
    let docker = shared.last().map(|containers| containers.with_file_name("docker"));
    shared.into_iter().chain(docker).map(|directory| directory.join("certs.d")).collect()
}
