//! `image check`: whether the store is as it should be.

use clap::Args;

use super::interruption;
use crate::cli::complete;
use crate::cli::failure::{FAILED, Failure};
use crate::cli::output::{Listing, Table};
use crate::image::{Finding, Part, Store};

/// Check what is in the store: hash every blob and unpack every layer again
///
/// Without an IMAGE, all of them, and blobs that no image has. Takes as long as importing them does, and as much room as
/// the largest layer.
#[derive(Debug, Args)]
pub struct Check {
    /// Unpack damaged layers again, fetch damaged blobs from where the image came, write records anew
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    listing: Listing,
    #[arg(value_name = "IMAGE", add = complete::images())]
    images: Vec<String>,
}

impl Check {
    /// 1 where something is wrong and stays so.
    pub fn carry_out(self, store: &Store) -> Result<i32, Failure> {
        interruption::heed(interruption::FETCHING)?;
        let findings = store.check(&self.images, self.repair);
        interruption::check(interruption::FETCHING)?;
        let findings = findings?;
        self.listing.print(&findings, |it| it.image.as_deref().unwrap_or(&it.digest), table, "problems")?;
        Ok(if findings.iter().all(|finding| finding.repaired) { 0 } else { FAILED })
    }
}

fn table(rows: &[Finding]) -> Table {
    let mut table = Table::new(["IMAGE", "PART", "DIGEST", "REPAIRED", "PROBLEM"]);
    for row in rows {
        let part = match row.part {
            Part::Manifest => "manifest",
            Part::Configuration => "configuration",
            Part::Blob => "blob",
            Part::Layer => "layer",
            Part::Record => "record",
        };
        let problem = match &row.hindrance {
            Some(hindrance) => format!("{}; {hindrance}", row.problem),
            None => row.problem.clone(),
        };
        let repaired = if row.repaired { "yes" } else { "no" };
        let image = row.image.clone().unwrap_or_default();
        table.row([image, part.to_owned(), row.digest.clone(), repaired.to_owned(), problem]);
    }
    table
}
