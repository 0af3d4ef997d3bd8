//! The keys of our own files, and what each of them means: the manual, the schemas for editors and the check for unknown
//! keys all read these tables.
//!
//! A text is for people: `code` stands in backquotes, a page of the manual is NAME(SECTION), an empty line begins a
//! paragraph.

mod network_file;
mod sections;
mod top;

pub use network_file::NETWORK_FILE;
pub use sections::*;
pub use top::{PULL, TOP};

/// One key of a table of the file.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub name: &'static str,
    pub about: &'static str,
}

const fn key(name: &'static str, about: &'static str) -> Key {
    Key { name, about }
}
