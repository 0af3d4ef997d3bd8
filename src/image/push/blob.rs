//! A blob of the store on its way out.

use std::fs::File;
use std::io::{Read, Result as IoResult};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::error::At;
use super::super::registry::Content;
use super::super::{Digest, Reading, StoreError};

pub struct StoredBlob<F> {
    file: File,
    size: u64,
    /// Begun when the first byte is asked for: what is mounted is never read.
    begin: F,
    reading: OnceLock<Box<dyn Reading>>,
    /// What is sent a second time is no progress.
    furthest: AtomicU64,
}

impl<F: Fn() -> Box<dyn Reading> + Sync> StoredBlob<F> {
    pub fn open(path: &Path, digest: &Digest, size: u64, begin: F) -> Result<Self, StoreError> {
        let file = match File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::missing_blob(path, digest));
            }
            other => other.at("open", path)?,
        };
        let found = file.metadata().at("stat", path)?.len();
        if found != size {
            return Err(StoreError::damaged(
                path,
                format_args!("{found} bytes in place of {size}; pull the image again"),
            ));
        }
        Ok(StoredBlob { file, size, begin, reading: OnceLock::new(), furthest: AtomicU64::new(0) })
    }
}

impl<F: Fn() -> Box<dyn Reading> + Sync> Content for StoredBlob<F> {
    fn size(&self) -> u64 {
        self.size
    }

    fn open(&self) -> IoResult<Box<dyn Read + '_>> {
        Ok(Box::new(Reader { blob: self, position: 0 }))
    }
}

struct Reader<'a, F> {
    blob: &'a StoredBlob<F>,
    position: u64,
}

impl<F: Fn() -> Box<dyn Reading> + Sync> Read for Reader<'_, F> {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        let bytes = self.blob.file.read_at(into, self.position)?;
        self.position += bytes as u64;
        let before = self.blob.furthest.fetch_max(self.position, Ordering::Relaxed);
        let reading = self.blob.reading.get_or_init(&self.blob.begin);
        reading.advance(self.position.saturating_sub(before));
        Ok(bytes)
    }
}
