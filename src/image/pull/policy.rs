//! Whether an image is fetched at all: the policies of `[pull]` and `--pull`.

use super::super::import::Transport;
use super::super::{ImageRecord, Patience, Progress, Reference, Store, StoreError};
use super::{PullError, PullOptions, wanted};
use crate::config::{Container, PullPolicy};

impl PullOptions {
    /// As a container's description has them.
    pub fn of(container: &Container) -> PullOptions {
        let pull = &container.pull;
        PullOptions {
            platform: pull.platform.clone(),
            patience: Patience { retries: pull.retry, delay: pull.retry_delay },
            unverified: container.is_unverified(),
        }
    }
}

impl Store {
    /// The image as the policy wants it. `warn` is told of what is put up with.
    pub fn ensure(
        &self,
        reference: &str,
        policy: PullPolicy,
        options: &PullOptions,
        progress: &dyn Progress,
        warn: &dyn Fn(&str),
    ) -> Result<ImageRecord, PullError> {
        if Transport::parse(reference).is_some() {
            return Ok(self.pull(reference, options, progress)?.record);
        }
        let present = self.present(reference, options.platform.as_deref());
        match (policy, present) {
            (PullPolicy::Missing | PullPolicy::Never, Ok(image)) => Ok(image),
            // No registry has a newer one of what was made here, or of what is named by its content.
            (_, Ok(image)) if self.is_own(reference) => Ok(image),
            (PullPolicy::Never, Err(error)) => Err(error),
            (_, Err(error)) if !is_of_a_registry(reference, &error) => Err(error),
            (_, present) => match (self.pull(reference, options, progress), present) {
                (Ok(pulled), _) => Ok(pulled.record),
                (Err(error), Ok(image)) if policy == PullPolicy::Newer && !error.is_configuration() => {
                    warn(&format!("{error}; going on with {} of an earlier pull", image.manifest));
                    Ok(image)
                }
                (Err(error), _) => Err(error),
            },
        }
    }

    /// The image of this name, if it is for the platform that is asked for.
    pub fn present(&self, reference: &str, platform: Option<&str>) -> Result<ImageRecord, PullError> {
        let wanted = wanted(reference, platform)?;
        let image = self.find(reference)?;
        match wanted.filter(|wanted| !wanted.accepts(&image.platform)) {
            None => Ok(image),
            Some(wanted) => Err(PullError::OtherPlatform {
                name: reference.to_owned(),
                found: image.platform,
                wanted: wanted.to_string(),
            }),
        }
    }
}

/// What is missing may be at a registry: not an id, and not what was imported here.
fn is_of_a_registry(reference: &str, error: &PullError) -> bool {
    let missing = matches!(error, PullError::Store(StoreError::NotFound { .. }) | PullError::OtherPlatform { .. });
    let local = |reference: Reference| reference.host() == Some("localhost");
    missing && reference.parse().is_ok_and(|reference| !local(reference))
}
