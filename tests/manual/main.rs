//! The manual: what is made from the options, the keys and the features, and what holds of every page. Run with
//! `BERTH_BLESS=1` to write anew what is made.

mod made;
mod pages;
mod roff;

use std::path::PathBuf;

pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("man").join(name)
}

pub fn read(page: &str) -> String {
    std::fs::read_to_string(path(page)).unwrap()
}

/// The names of all pages.
pub fn pages() -> Vec<String> {
    let entries = std::fs::read_dir(path("")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
