//! From a registry to an image in the store. Nothing of it is visible before all of it is there.

mod document;
mod error;
mod origin;

use std::path::PathBuf;

use super::import::layout;
use super::import::platform::Wanted;
use super::import::{Imported, Incoming, Progress};
use super::index::{Entry, Index};
use super::{Digest, Logins, Patience, Reference, Registries, Repository, Store, Whereabouts};
use crate::Scope;
use origin::RegistryOrigin;

pub use error::{PullError, Refusal};

/// What a person may say about a pull.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PullOptions {
    /// `linux/arm64`: which image of an index. Without it, this machine's.
    pub platform: Option<String>,
    pub patience: Patience,
}

/// An image that is about to be fetched: all of it hangs on this manifest.
pub struct Candidate<'a> {
    /// Its full name, with tag or digest.
    pub name: &'a str,
    pub digest: Digest,
    pub manifest: &'a [u8],
    /// The index it was chosen from.
    pub chosen_from: Option<Digest>,
    /// Where it is fetched from, and its signatures may be.
    pub repository: &'a Repository,
}

/// Who decides whether an image may come in. Asked once for each image, before any of its layers is fetched.
pub type Judge<'a> = dyn Fn(&Candidate<'_>) -> Result<(), Refusal> + 'a;

impl Store {
    pub fn pull(
        &self,
        reference: &str,
        options: &PullOptions,
        judge: &Judge<'_>,
        progress: &dyn Progress,
    ) -> Result<Imported, PullError> {
        let parsed: Reference = reference.parse()?;
        let named = |source| PullError::Image { name: reference.to_owned(), source };
        let wanted = options.platform.as_deref().map(Wanted::parse).transpose().map_err(named)?;
        let settings = &self.scope().registry_settings;
        let registries = Registries::load(settings)?;
        let logins = Logins::of_environment(registries.credential_helpers());
        let (whereabouts, origin) = self.locate(&parsed, &registries, &logins, options, wanted.as_ref())?;
        let name = full_name(&whereabouts.repository, &parsed);
        let wrong = |source| PullError::Image { name: name.clone(), source };

        let top = origin.top().map_err(wrong)?;
        let (descriptor, chosen_from) = layout::choose(&origin, &top, wanted.as_ref()).map_err(wrong)?;
        let chosen_from = chosen_from.or(origin.chosen_from());
        let digest = layout::digest_of(&descriptor).map_err(wrong)?;
        let manifest = origin.kept_manifest(&descriptor).map_err(wrong)?;
        let candidate =
            Candidate { name: &name, digest, manifest: &manifest, chosen_from, repository: origin.repository() };
        judge(&candidate).map_err(|refusal| PullError::Refused { name: name.clone(), refusal })?;

        let mut incoming = Incoming::new(self, progress)?;
        let wanted = wanted.as_ref();
        let record = layout::import_manifest(&origin, &descriptor, chosen_from, &name, wanted, &mut incoming);
        let record = record.map_err(wrong)?;
        incoming.commit()?;
        Ok(Imported { name, record })
    }

    /// The first place that has the image, in the order the settings say.
    fn locate(
        &self,
        reference: &Reference,
        registries: &Registries,
        logins: &Logins,
        options: &PullOptions,
        platform: Option<&Wanted>,
    ) -> Result<(Whereabouts, RegistryOrigin<'_>), PullError> {
        let index = Index::load(&self.oci())?;
        let tag = reference.tag().unwrap_or("latest").to_owned();
        let wanted = reference.digest().map_or(tag, Digest::to_string);
        let mut failures = Vec::new();
        for whereabouts in registries.resolve(reference)? {
            let name = full_name(&whereabouts.repository, reference);
            let known = index.named(&name).filter(|entry| self.is_for(entry, platform));
            for place in &whereabouts.places {
                let certificates = certificate_directories(self.scope());
                let found = Repository::new(place.clone(), logins, certificates, options.patience)
                    .and_then(|repository| RegistryOrigin::find(self, repository, &wanted, known));
                match found {
                    Ok(origin) => return Ok((whereabouts, origin)),
                    Err(error) => failures.push(error),
                }
            }
        }
        Err(PullError::Nowhere { name: reference.to_string(), failures })
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
    let containers = &scope.registry_settings;
    vec![containers.join("certs.d"), containers.with_file_name("docker").join("certs.d")]
}
