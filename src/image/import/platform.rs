//! Which of an index's images is for this machine.

use oci_spec::image::{Arch, Descriptor, Platform};

use super::ImportError;

/// `OS/ARCHITECTURE[/VARIANT]`, in the words of Go and the OCI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl Wanted {
    pub fn host() -> Self {
        Wanted { os: "linux".into(), architecture: Arch::default().to_string(), variant: None }
    }

    pub fn parse(text: &str) -> Result<Self, ImportError> {
        let mut parts = text.split('/').map(str::to_owned);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(os), Some(architecture), variant, None) if !os.is_empty() && !architecture.is_empty() => {
                Ok(Wanted { os, architecture, variant })
            }
            _ => Err(ImportError::Malformed {
                what: format!("platform “{text}”"),
                problem: "expected OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, such as linux/arm64".into(),
            }),
        }
    }

    /// The best of these: where no variant is asked for, the plainest.
    pub fn choose<'a>(&self, manifests: &'a [Descriptor]) -> Result<&'a Descriptor, ImportError> {
        let fits = manifests.iter().filter(|manifest| manifest.platform().as_ref().is_some_and(|it| self.fits(it)));
        let best = fits.min_by_key(|manifest| {
            let variant = manifest.platform().as_ref().and_then(|platform| platform.variant().clone());
            (variant.is_some() && self.variant.is_none(), std::cmp::Reverse(variant))
        });
        let unsaid = || manifests.iter().find(|manifest| manifest.platform().is_none() && manifests.len() == 1);
        best.or_else(unsaid).ok_or_else(|| ImportError::Platform {
            wanted: self.to_string(),
            found: manifests.iter().filter_map(|manifest| manifest.platform().as_ref().map(show)).collect(),
        })
    }

    fn fits(&self, platform: &Platform) -> bool {
        platform.os().to_string() == self.os
            && platform.architecture().to_string() == self.architecture
            && (self.variant.is_none() || self.variant == *platform.variant())
    }

    /// Whether an image that says this of itself (`linux/arm/v7`) will do.
    pub fn accepts(&self, platform: &str) -> bool {
        let own = self.to_string();
        platform == own || (self.variant.is_none() && platform.starts_with(&format!("{own}/")))
    }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(formatter, "/{variant}"))
    }
}

pub fn show(platform: &Platform) -> String {
    let variant = platform.variant().as_ref().map_or(String::new(), |variant| format!("/{variant}"));
    format!("{}/{}{variant}", platform.os(), platform.architecture())
}
