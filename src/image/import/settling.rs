//! From the scratch directory to the place where every later import finds it, though no name refers to it yet: what is
//! finished is not lost with the import that fetched it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::super::error::At;
use super::super::turn::Turn;
use super::super::{Digest, Store, StoreError};

/// Between two syncs, at least: so much of what was fetched may be lost to a power cut. A killed import loses nothing.
const SELDOM: Duration = Duration::from_secs(2);

/// A disk that is slow to sync has other things to do as well: of its time, syncs get one part in so many.
const SHARE: u32 = 10;

const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What the store keeps by its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    Blob(Digest),
    /// Unpacked, by its diff ID.
    Layer(Digest),
}

impl Piece {
    pub fn place(&self, store: &Store) -> PathBuf {
        match self {
            Piece::Blob(digest) => store.blob(digest),
            Piece::Layer(diff_id) => store.layer(diff_id),
        }
    }

    /// Its name in the scratch directory, from which `named` knows it again.
    pub fn name(&self) -> String {
        match self {
            Piece::Blob(digest) => format!("blob-{}", digest.hex()),
            Piece::Layer(diff_id) => format!("layer-{}", diff_id.hex()),
        }
    }

    pub fn named(name: &str) -> Option<Piece> {
        let (kind, hex) = name.split_once('-')?;
        let digest = Digest::from_hex(hex).ok()?;
        match kind {
            "blob" => Some(Piece::Blob(digest)),
            "layer" => Some(Piece::Layer(digest)),
            _ => None,
        }
    }
}

/// Complete and verified, but not yet on the disk for certain.
#[derive(Default)]
pub struct Finished {
    /// A layer comes after its blob, so that it can be unpacked again as long as it is there.
    pieces: Vec<(PathBuf, Piece)>,
    /// Others wait for these until they are in place.
    turns: Vec<Turn>,
}

impl Finished {
    /// A kill from now on does not lose it: whoever tidies up finds it by its name.
    pub fn add(&mut self, from: &Path, piece: Piece) -> Result<PathBuf, StoreError> {
        let named = from.with_file_name(piece.name());
        std::fs::rename(from, &named).at("rename", from)?;
        self.pieces.push((named.clone(), piece));
        Ok(named)
    }

    pub fn hold(&mut self, turn: Turn) {
        self.turns.push(turn);
    }

    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.turns.is_empty()
    }

    /// All of it with one sync, however much it is. Tells what was not there before.
    pub fn settle(self, store: &Store) -> Result<HashSet<PathBuf>, StoreError> {
        if !self.pieces.is_empty() {
            store.sync()?;
        }
        let _lock = store.lock()?;
        put(store, &self.pieces)
    }
}

/// To their places, those that are not there already: another import may have been first with the same content.
fn put(store: &Store, pieces: &[(PathBuf, Piece)]) -> Result<HashSet<PathBuf>, StoreError> {
    let mut placed = HashSet::new();
    for (from, piece) in pieces {
        let to = piece.place(store);
        if !to.exists() {
            std::fs::rename(from, &to).at("rename", from)?;
            placed.insert(to);
        }
    }
    Ok(placed)
}

/// What a killed import had finished in its directory. The caller holds the store's lock, and the directory's.
pub fn adopt(store: &Store, directory: &Path) -> Result<(), StoreError> {
    let mut pieces = Vec::new();
    for entry in std::fs::read_dir(directory).at("read", directory)? {
        let entry = entry.at("read", directory)?;
        pieces.extend(entry.file_name().to_str().and_then(Piece::named).map(|piece| (entry.path(), piece)));
    }
    if pieces.is_empty() {
        return Ok(());
    }
    pieces.sort_by_key(|(_, piece)| matches!(piece, Piece::Layer(_)));
    store.sync()?;
    put(store, &pieces).map(drop)
}

/// When what is finished is worth a sync.
pub struct Pace {
    next: Instant,
}

impl Pace {
    pub fn new() -> Pace {
        Pace { next: Instant::now() + SELDOM }
    }

    pub fn is_due(&self) -> bool {
        Instant::now() >= self.next
    }

    pub fn settled(&mut self, took: Duration) {
        self.next = Instant::now() + (took * SHARE).clamp(SELDOM, LONGEST_PAUSE);
    }
}
