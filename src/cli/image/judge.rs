//! Whether an image may come in. Nothing of berth verifies signatures yet, so it says so and refuses, unless the person
//! at the keyboard opens that hole by its name.

use clap::ValueEnum;

use crate::image::{Candidate, Refusal};

/// Holes that can be opened on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Insecure {
    /// Whoever the image comes from
    ImageSignature,
}

/// The one call site of trust: replaced by the policy once there is one.
pub fn judge(insecure: &[Insecure]) -> impl Fn(&Candidate<'_>) -> Result<(), Refusal> {
    let unverified = insecure.contains(&Insecure::ImageSignature);
    move |_candidate| match unverified {
        true => Ok(()),
        false => {
            Err(Refusal("this berth cannot verify signatures; --insecure image-signature takes it without".to_owned()))
        }
    }
}
