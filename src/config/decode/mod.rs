//! The merged tree → [`Container`], one file a section of the TOML.

mod checks;
mod container;
mod interfaces;
mod links;
pub mod mounts;
mod network;
mod network_file;
mod process;
mod publish;
mod security;
mod sockets;
mod subnets;
mod verbatim;

pub use links::{IPVLAN_MODES, MACVLAN_MODES};
pub use network_file::{DRIVERS, MTU, network};

use super::diagnostics::{Diagnostics, Report};
use super::item::{Item, Section};
use super::merge::merge;
use super::tree::{Table, read};
use super::{Container, SourceFile, Sources, schema, template};

pub fn container(sources: &Sources) -> Result<Container, Diagnostics> {
    let report = Report::new(&sources.files);
    let merged = merged(&sources.files, &report, |table| template::expand(table, &sources.name, &report))?;
    let root = Section::of(&schema::TOP, &merged, &report);
    let container = container::decode(root);
    checks::check(root, &container, sources);
    report.so_far().map_or(Ok(container), Err)
}

/// What only the host shows to be wrong with items of a list, each at its place; of a list that is not written, nothing.
pub fn refused_items(sources: &Sources, list: &[&str], wrong: impl Fn(&str) -> Option<String>) -> Option<Diagnostics> {
    let report = Report::new(&sources.files);
    let prepare = |table: &mut Table| template::expand(table, &sources.name, &report);
    let merged = merged(&sources.files, &report, prepare).ok()?;
    let root = Section::of(&schema::TOP, &merged, &report);
    let items = root.at(list).map(|entry| Item::of(entry, &report).items()).unwrap_or_default();
    for item in items {
        if let Some(message) = item.text().and_then(&wrong) {
            item.fail::<()>(message);
        }
    }
    report.so_far()
}

/// The files as one table, each after what is to be done to it alone.
fn merged(files: &[SourceFile], report: &Report, prepare: impl Fn(&mut Table)) -> Result<Table, Diagnostics> {
    let mut merged: Option<Table> = None;
    for (at, file) in files.iter().enumerate() {
        if let Some(mut table) = read(at, &file.text, report) {
            prepare(&mut table);
            match &mut merged {
                Some(merged) => merge(merged, table),
                None => merged = Some(table),
            }
        }
    }
    // Of a file that is not TOML nothing more can be said; with it, the others would only seem to lack something.
    report.so_far().map_or_else(|| Ok(merged.unwrap_or_default()), Err)
}
