//! `image df`: what takes the room.

use clap::Args;

use crate::cli::failure::Failure;
use crate::cli::output::{Format, Listing, Table, bytes, print_json};
use crate::image::{ImageUsage, Store, Usage};

/// Show how much room images, layers and containers take
///
/// Bytes on the disk: of the blobs, as they were sent, and of the layers, unpacked; those that go with an image, and
/// those that others have as well.
#[derive(Debug, Args)]
pub struct Df {
    #[command(flatten)]
    listing: Listing,
}

impl Df {
    pub fn carry_out(self, store: &Store) -> Result<i32, Failure> {
        let usage = store.usage()?;
        if self.listing.output == Format::Json {
            print_json(&usage)?;
            return Ok(0);
        }
        let name = |image: &ImageUsage| image.names.first().map_or(image.id.clone(), Clone::clone);
        let rows: Vec<(String, &ImageUsage)> = usage.images.iter().map(|image| (name(image), image)).collect();
        self.listing.print(&rows, |(name, _)| name, table, "images")?;
        if !self.listing.quiet {
            println!("{}", rest(&usage));
        }
        Ok(0)
    }
}

fn table(rows: &[(String, &ImageUsage)]) -> Table {
    let mut table = Table::new(["NAME", "ID", "BLOBS", "SHARED", "LAYERS", "SHARED"]);
    for (name, image) in rows {
        table.row([
            name.clone(),
            image.id.clone(),
            bytes(image.own_blobs),
            bytes(image.shared_blobs),
            bytes(image.own_layers),
            bytes(image.shared_layers),
        ]);
    }
    table
}

fn rest(usage: &Usage) -> String {
    let written = usage.writable.values().sum();
    format!(
        "Writable layers of {} containers: {}. Of no image: {}. Coming in: {}. In all: {}.",
        usage.writable.len(),
        bytes(written),
        bytes(usage.unnamed_blobs + usage.unnamed_layers),
        bytes(usage.incoming),
        bytes(usage.total)
    )
}
