//! The merged tree → [`Container`], one file a section of the TOML.

mod checks;
mod container;
pub mod mounts;
mod network;
mod process;
mod security;
mod sockets;
mod verbatim;

use super::diagnostics::{Diagnostics, Report};
use super::item::Section;
use super::merge::merge;
use super::tree::{Table, read};
use super::{Container, Sources, schema, template};

pub fn container(sources: &Sources) -> Result<Container, Diagnostics> {
    let report = Report::new(&sources.files);
    let mut merged: Option<Table> = None;
    for (at, file) in sources.files.iter().enumerate() {
        if let Some(mut table) = read(at, &file.text, &report) {
            template::expand(&mut table, &sources.name, &report);
            match &mut merged {
                Some(merged) => merge(merged, table),
                None => merged = Some(table),
            }
        }
    }
    // Of a file that is not TOML nothing more can be said; with it, the others would only seem to lack something.
    if let Some(diagnostics) = report.so_far() {
        return Err(diagnostics);
    }
    let merged = merged.unwrap_or_default();
    let root = Section::of(&schema::TOP, &merged, &report);
    let container = container::decode(root);
    checks::check(root, &container, sources);
    report.so_far().map_or(Ok(container), Err)
}
