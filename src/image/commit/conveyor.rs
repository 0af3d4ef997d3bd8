//! A pipe between two threads. Unlike the kernel's, it sends no signal to who writes to it when its reader is gone.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::super::StoreError;

/// Pieces under way, of what a buffered writer writes at once.
const QUEUE: usize = 8;

#[derive(Debug, thiserror::Error)]
#[error("stopped by a signal")]
struct Stopped;

pub struct Writer<'a> {
    pieces: SyncSender<Vec<u8>>,
    stop: &'a AtomicBool,
}

pub struct Reader {
    pieces: Receiver<Vec<u8>>,
    current: Vec<u8>,
    position: usize,
}

pub fn new(stop: &AtomicBool) -> (Writer<'_>, Reader) {
    let (sender, receiver) = sync_channel(QUEUE);
    (Writer { pieces: sender, stop }, Reader { pieces: receiver, current: Vec::new(), position: 0 })
}

/// Whether a writer failed because nobody reads any more.
pub fn is_abandoned(error: &StoreError) -> bool {
    matches!(error, StoreError::Io { source, .. } if source.kind() == ErrorKind::BrokenPipe)
}

impl Write for Writer<'_> {
    fn write(&mut self, piece: &[u8]) -> Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::other(Stopped));
        }
        self.pieces.send(piece.to_vec()).map_err(|_| ErrorKind::BrokenPipe)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        while self.position == self.current.len() {
            let Ok(next) = self.pieces.recv() else { return Ok(0) };
            (self.current, self.position) = (next, 0);
        }
        let left = &self.current[self.position..];
        let bytes = left.len().min(into.len());
        into[..bytes].copy_from_slice(&left[..bytes]);
        self.position += bytes;
        Ok(bytes)
    }
}
