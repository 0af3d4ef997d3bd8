//! `image diff`: what has become of an image.

use clap::Args;

use super::super::complete;
use super::super::failure::Failure;
use super::super::output::{Accepted, Format, print_json, printable};
use super::contents::Meant;
use crate::Scope;
use crate::image::{ChangeKind, Store};

/// Show which files differ: A is added, C changed, D deleted
///
/// A container is compared with its image, an image with what is below its topmost layer, either with another image where
/// one is named. A container comes before an image of the same name, which NAME:TAG means.
#[derive(Debug, Args)]
pub struct Diff {
    #[arg(short, long, default_value = "table")]
    output: Format,
    #[command(flatten)]
    accepted: Accepted,
    #[arg(value_name = "CONTAINER|IMAGE", add = complete::images_or_containers())]
    of: String,
    /// What it is compared with
    #[arg(value_name = "IMAGE", add = complete::images())]
    with: Option<String>,
}

impl Diff {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let meant = Meant::by(scope, &self.of)?;
        let with = self.with.map(|image| Meant::image(scope, &image)).transpose()?;
        let after = meant.trees();
        let before = with.as_ref().map_or_else(|| after.iter().skip(1).cloned().collect(), Meant::trees);
        let changes = Store::open(scope).difference(&before, &after)?;
        match self.output {
            Format::Json => print_json(&changes)?,
            Format::Table => changes.iter().for_each(|change| {
                let letter = match change.change {
                    ChangeKind::Added => 'A',
                    ChangeKind::Changed => 'C',
                    ChangeKind::Deleted => 'D',
                };
                println!("{letter} {}", printable(&change.path));
            }),
        }
        Ok(0)
    }
}
