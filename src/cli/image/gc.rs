//! `image gc`: the store without what nobody needs.

use clap::Args;

use crate::Scope;
use crate::cli::failure::Failure;
use crate::cli::output::{Format, Listing, Table, bytes, printable};
use crate::event::{self, About};
use crate::executor::{leftover_layers, remove_leftover};
use crate::image::{CollectOptions, Collected, GRACE, Kind, Store, disk_usage};

/// Remove what no image and no container needs
///
/// Blobs and layers that no image has, such as those of pulls that were given up, and images that lost their name to a
/// newer one: all that is older than a day. And what transient
/// containers wrote before a power cut. What a running or declared container uses stays. berth-gc.timer, once
/// it is enabled, does this every day.
#[derive(Debug, Args)]
pub struct Gc {
    /// Whatever its age, and with it every image that no running and no declared container uses
    #[arg(short, long)]
    all: bool,
    /// Only say what would be removed
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    listing: Listing,
}

impl Gc {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let grace = if self.all { std::time::Duration::ZERO } else { GRACE };
        let collection = Store::open(scope).collect(&CollectOptions { grace, all: self.all, dry_run: self.dry_run })?;
        for note in &collection.notes {
            eprintln!("berthctl: {}", printable(note));
        }
        let mut collected = collection.collected;
        collected.extend(self.writable_layers(scope));
        if !self.dry_run {
            let freed = collected.iter().map(|gone| gone.size).sum::<u64>().to_string();
            let details = [("removed", &*collected.len().to_string()), ("bytes", &freed)];
            event::record(scope, About::Image, "gc", "store", &details);
        }
        let (rows, listing) = (&collected, &self.listing);
        listing.print(rows, |row| &row.name, table, "removed things")?;
        if listing.output == Format::Table && !listing.quiet {
            let freed: u64 = rows.iter().map(|row| row.size).sum();
            println!("{} {}.", bytes(freed), if self.dry_run { "would be freed" } else { "freed" });
        }
        Ok(0)
    }

    fn writable_layers(&self, scope: &Scope) -> Vec<Collected> {
        let mut collected = Vec::new();
        for (name, layer) in leftover_layers(scope) {
            let size = disk_usage(&layer);
            if self.dry_run || remove_leftover(scope, &name) {
                collected.push(Collected { kind: Kind::Writable, name: name.to_string(), size });
            }
        }
        collected
    }
}

fn table(rows: &[Collected]) -> Table {
    let mut table = Table::new(["KIND", "NAME", "SIZE"]);
    for row in rows {
        let kind = match row.kind {
            Kind::Image => "image",
            Kind::Blob => "blob",
            Kind::Layer => "layer",
            Kind::Record => "record",
            Kind::Writable => "writable",
        };
        // An image's bytes are those of its files.
        let size = if row.kind == Kind::Image { String::new() } else { bytes(row.size) };
        table.row([kind.to_owned(), row.name.clone(), size]);
    }
    table
}
