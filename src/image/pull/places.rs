//! One place after the other where an image may be, until one has an answer.

use super::super::{Logins, Patience, Place, Reference, Registries, RegistryError, Repository, Store};
use super::{PullError, certificate_directories};

impl Store {
    /// Each place comes with what is to be asked there.
    pub(super) fn first_answer<W, T>(
        &self,
        (reference, registries): (&Reference, &Registries),
        places: impl IntoIterator<Item = (Place, W)>,
        patience: Patience,
        mut ask: impl FnMut(Repository, W) -> Result<T, RegistryError>,
    ) -> Result<T, PullError> {
        let logins = Logins::of(self.scope(), registries.credential_helpers());
        let mut failures = Vec::new();
        for (place, what) in places {
            let repository = Repository::new(place, &logins, certificate_directories(self.scope()), patience);
            match repository.and_then(|repository| ask(repository, what)) {
                Ok(answer) => return Ok(answer),
                Err(RegistryError::Stopped) if super::super::interrupted().is_some() => {
                    failures.push(RegistryError::Stopped);
                    break;
                }
                Err(error) => failures.push(error),
            }
        }
        Err(PullError::Nowhere { name: reference.to_string(), failures })
    }
}
