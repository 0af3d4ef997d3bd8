//! From the scratch directory to the place where every later import finds it, though no name refers to it yet: what is
//! finished is not lost with the import that fetched it.

use std::path::{Path, PathBuf};

use super::super::error::At;
use super::super::turn::Turn;
use super::super::{Store, StoreError};

/// Complete and verified, but not yet on the disk for certain.
#[derive(Default)]
pub struct Finished {
    /// From where to where. A layer comes after its blob, so that it can be unpacked again as long as it is there.
    moves: Vec<(PathBuf, PathBuf)>,
    /// Others wait for these until they are in place.
    turns: Vec<Turn>,
}

impl Finished {
    pub fn add(&mut self, from: PathBuf, to: PathBuf) {
        self.moves.push((from, to));
    }

    pub fn hold(&mut self, turn: Turn) {
        self.turns.push(turn);
    }

    pub fn is_empty(&self) -> bool {
        self.moves.is_empty() && self.turns.is_empty()
    }

    /// All of it with one sync, however much it is. Tells what was not there before.
    pub fn settle(self, store: &Store) -> Result<Vec<PathBuf>, StoreError> {
        if !self.moves.is_empty() {
            store.sync()?;
        }
        let _lock = store.lock()?;
        let mut placed = Vec::new();
        for (from, to) in self.moves {
            if put(&from, &to)? {
                placed.push(to);
            }
        }
        Ok(placed)
    }
}

/// Another import may have been first with the same content.
fn put(from: &Path, to: &Path) -> Result<bool, StoreError> {
    if to.exists() {
        return Ok(false);
    }
    std::fs::rename(from, to).at("rename", from).map(|()| true)
}
