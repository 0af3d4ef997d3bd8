//! `image …`: the store of OCI images.

mod check;
mod commit;
mod contents;
mod df;
mod diff;
mod export;
mod gc;
mod history;
pub mod interruption;
mod load;
mod progress;
mod save;
mod standstill;
mod tag;
mod tags;
mod tree;

use clap::{Args, Subcommand, ValueHint};

use super::complete;
use super::failure::Failure;
use super::output::{Accepted, Listing, Table, bytes, print_json, printable};
use crate::Scope;
use crate::image::{ImageRow, ImportOptions, Imported, PullOptions, Store};
pub use progress::ImportProgress;

/// Bring in, look at, name and remove images
#[derive(Debug, Subcommand)]
pub enum Image {
    Import(Import),
    Load(load::Load),
    Save(save::Save),
    Export(export::Export),
    List(List),
    Inspect(Inspect),
    History(history::History),
    Tree(tree::Tree),
    Diff(diff::Diff),
    Commit(commit::Commit),
    Tag(tag::Tag),
    #[command(alias = "rm")]
    Remove(Remove),
    Check(check::Check),
    Df(df::Df),
    Gc(gc::Gc),
    Tags(tags::Tags),
}

/// Import a root file system or an image
///
/// A tar of a root file system or of an OCI layout, or one that `docker save` writes, plain or compressed with gzip,
/// zstd or xz; or a directory: an OCI layout, or what skopeo calls dir:.
#[derive(Debug, Args)]
pub struct Import {
    /// os/arch of an image for several; ours where none is given
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
    /// A file, or - for standard input
    #[arg(value_name = "FILE|-", value_hint = ValueHint::FilePath)]
    source: String,
    /// Without a registry it is localhost/NAME, without a tag NAME:latest; without any, what the archive says
    name: Option<String>,
}

/// List images
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    listing: Listing,
}

/// Show everything known of images, as JSON
#[derive(Debug, Args)]
pub struct Inspect {
    #[command(flatten)]
    accepted: Accepted,
    /// Look at what its registry has, without pulling it
    #[arg(long)]
    remote: bool,
    /// os/arch of an image for several at its registry
    #[arg(long, value_name = "OS/ARCH", requires = "remote")]
    platform: Option<String>,
    #[arg(required = true, value_name = "IMAGE", add = complete::images())]
    images: Vec<String>,
}

/// Remove images, and what no other image needs
#[derive(Debug, Args)]
pub struct Remove {
    #[command(flatten)]
    accepted: Accepted,
    #[arg(required = true, value_name = "IMAGE", add = complete::images())]
    images: Vec<String>,
}

impl Image {
    pub fn carry_out(self, scope: &Scope) -> Result<i32, Failure> {
        let store = Store::open(scope);
        match self {
            Image::Import(import) => import.carry_out(&store),
            Image::Load(load) => load.carry_out(&store),
            Image::Save(save) => save.carry_out(&store),
            Image::Export(export) => export.carry_out(scope),
            Image::List(list) => list.carry_out(&store),
            Image::Inspect(inspect) => inspect.carry_out(&store),
            Image::History(history) => history.carry_out(&store),
            Image::Tree(tree) => tree.carry_out(&store),
            Image::Diff(diff) => diff.carry_out(scope),
            Image::Commit(commit) => commit.carry_out(scope),
            Image::Tag(tag) => tag.carry_out(&store),
            Image::Remove(remove) => remove.carry_out(&store),
            Image::Check(check) => check.carry_out(&store),
            Image::Df(df) => df.carry_out(&store),
            Image::Gc(gc) => gc.carry_out(scope),
            Image::Tags(tags) => tags.carry_out(&store),
        }
    }
}

impl Import {
    fn carry_out(self, store: &Store) -> Result<i32, Failure> {
        let options = ImportOptions { name: self.name, platform: self.platform };
        interruption::heed(interruption::FETCHING)?;
        let imported = store.import(self.source.as_ref(), &options, &ImportProgress::new(self.quiet));
        interruption::check(interruption::FETCHING)?;
        print_imported(&imported?);
        Ok(0)
    }
}

fn print_imported(images: &[Imported]) {
    for image in images {
        println!("{} {}", image.name, image.record.manifest);
    }
}

impl List {
    fn carry_out(self, store: &Store) -> Result<i32, Failure> {
        let table = |rows: &[ImageRow]| table(rows, self.listing.full);
        self.listing.print(&store.list()?, |row| row.name.as_deref().unwrap_or(&row.id), table, "images")?;
        Ok(0)
    }
}

fn table(rows: &[ImageRow], full: bool) -> Table {
    let mut table = Table::new(["NAME", "ID", "PLATFORM", "LAYERS", "SIZE", "CREATED"]);
    for row in rows {
        table.row([
            row.name.clone().unwrap_or_default(),
            if full { row.manifest.clone() } else { row.id.clone() },
            row.platform.clone(),
            row.layers.to_string(),
            bytes(row.size),
            moment(row.created.as_deref()),
        ]);
    }
    table
}

/// To the second, as a builder wrote it.
fn moment(created: Option<&str>) -> String {
    let created = created.unwrap_or_default();
    printable(&created.get(..19).unwrap_or(created).replace('T', " "))
}

impl Inspect {
    fn carry_out(self, store: &Store) -> Result<i32, Failure> {
        if self.remote {
            let options = PullOptions { platform: self.platform, ..PullOptions::default() };
            let details = self.images.iter().map(|image| store.inspect_remote(image, &options));
            print_json(&details.collect::<Result<Vec<_>, _>>()?)?;
            return Ok(0);
        }
        let details = self.images.iter().map(|image| store.inspect(image)).collect::<Result<Vec<_>, _>>()?;
        print_json(&details)?;
        Ok(0)
    }
}

impl Remove {
    fn carry_out(self, store: &Store) -> Result<i32, Failure> {
        for image in &self.images {
            let removed = store.remove(image)?;
            if self.accepted.quiet {
                continue;
            }
            if let Some(name) = removed.name {
                println!("untied {name}");
            }
            if let Some(manifest) = removed.manifest {
                println!("removed {manifest}");
            }
        }
        Ok(0)
    }
}
