//! What was saved for whoever comes next: a value as JSON in a file of the state directory, replaced by one rename. On a
//! tmpfs there is nothing to sync.

use std::io::{Error, Result};
use std::path::Path;

use serde::{Deserialize, Serialize};

pub fn save(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    std::fs::write(&unfinished, serde_json::to_vec(value).map_err(Error::other)?)?;
    std::fs::rename(&unfinished, path)
}

/// `None` where there is none, or one that cannot be read.
pub fn load<T: for<'a> Deserialize<'a>>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}
