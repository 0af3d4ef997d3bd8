//! What goes from hand to hand: bytes that several read at once, in buffers that are filled again once all have let go.

use std::io::{BufRead, Read, Result as IoResult};
use std::ops::Deref;
use std::sync::Arc;

/// Large enough for a hand to be worth waking, small enough that several stay in the cache.
const SIZE: usize = 120 << 10;

#[derive(Clone, Default)]
pub struct Piece {
    buffer: Arc<Vec<u8>>,
    length: usize,
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

/// As many as are under way at once.
#[derive(Default)]
pub struct Buffers {
    all: Vec<Arc<Vec<u8>>>,
    next: usize,
}

impl Buffers {
    /// What one read gives; nothing at the end.
    pub fn read(&mut self, input: &mut impl Read) -> IoResult<Piece> {
        self.fill(|buffer| input.read(buffer))
    }

    /// Full unless the end is near.
    pub fn read_full(&mut self, input: &mut dyn Read) -> IoResult<Piece> {
        self.fill(|buffer| {
            let mut filled = 0;
            while filled < buffer.len() {
                match input.read(&mut buffer[filled..]) {
                    Ok(0) => break,
                    Ok(bytes) => filled += bytes,
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(filled)
        })
    }

    fn fill(&mut self, read: impl FnOnce(&mut [u8]) -> IoResult<usize>) -> IoResult<Piece> {
        let free = self.free();
        let buffer = &mut self.all[free];
        // Nobody else has it, so nothing is copied.
        let length = read(Arc::make_mut(buffer).as_mut_slice())?;
        Ok(Piece { buffer: buffer.clone(), length })
    }

    /// One that everybody has let go of: most often the one that has waited longest.
    fn free(&mut self) -> usize {
        let count = self.all.len();
        let mut places = (0..count).map(|offset| (self.next + offset) % count);
        let free = places.find(|place| Arc::get_mut(&mut self.all[*place]).is_some());
        let free = free.unwrap_or_else(|| {
            self.all.push(Arc::new(vec![0; SIZE]));
            count
        });
        self.next = free + 1;
        free
    }
}

/// Read::read of what is read by pieces.
pub fn read(pieces: &mut impl BufRead, into: &mut [u8]) -> IoResult<usize> {
    let available = pieces.fill_buf()?;
    let bytes = available.len().min(into.len());
    into[..bytes].copy_from_slice(&available[..bytes]);
    pieces.consume(bytes);
    Ok(bytes)
}
