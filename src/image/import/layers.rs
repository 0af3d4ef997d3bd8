//! All layers of an image, several at once where that is quicker.

use std::collections::HashSet;
use std::io::{Error as IoError, Read, Result as IoResult};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::incoming::{Layer, Places};
use super::origin::{Announced, Opened, Origin};
use super::{ImportError, Incoming, Interrupted};

impl Incoming<'_> {
    /// Verifies every layer, and keeps of them what the store does not have. The first error ends all.
    pub fn add_layers(&mut self, origin: &dyn Origin, layers: Vec<Announced>) -> Result<(), ImportError> {
        let mut seen = HashSet::new();
        let layers: Vec<Announced> = layers.into_iter().filter(|layer| seen.insert(layer.clone())).collect();
        self.progress().expect(self.missing(&layers));
        let hands = origin.hands().min(layers.len());
        let crew = Crew {
            origin,
            queue: Mutex::new(layers.into_iter()),
            incoming: Mutex::new(self),
            stop: AtomicBool::new(false),
            failure: Mutex::new(None),
        };
        match hands {
            0 | 1 => crew.work(),
            _ => std::thread::scope(|threads| {
                for _ in 0..hands {
                    threads.spawn(|| crew.work());
                }
            }),
        }
        crew.failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }
}

impl Incoming<'_> {
    /// Bytes of the layers that are to be read.
    fn missing(&self, layers: &[Announced]) -> u64 {
        let missing = layers.iter().filter(|layer| !self.is_there(&layer.digest, &layer.diff_id));
        missing.fold(0, |sum, layer| sum.saturating_add(layer.size))
    }
}

struct Crew<'a, 'b> {
    origin: &'a dyn Origin,
    queue: Mutex<std::vec::IntoIter<Announced>>,
    incoming: Mutex<&'a mut Incoming<'b>>,
    stop: AtomicBool,
    failure: Mutex<Option<ImportError>>,
}

impl Crew<'_, '_> {
    fn work(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            let Some(layer) = lock(&self.queue).next() else { return };
            if let Err(error) = self.add(&layer) {
                // What fails after it fails because of it.
                lock(&self.failure).get_or_insert(error);
                self.stop.store(true, Ordering::Relaxed);
            }
        }
    }

    fn add(&self, announced: &Announced) -> Result<(), ImportError> {
        let Announced { digest, size, diff_id } = announced;
        let what = self.origin.what(digest);
        if lock(&self.incoming).has_layer(&what, digest, diff_id) {
            return Ok(());
        }
        let Opened { input, compression, blob } = self.origin.layer(announced, &self.stop)?;
        let input = Box::new(Stoppable { input, stop: &self.stop });
        let (digest, size, diff_id) = (Some(*digest), Some(*size), Some(*diff_id));
        let layer = Layer { what, input, compression, blob, digest, size, diff_id };
        // The lock is held to make the places and to note them, not while the layer is read.
        let (Places { keep, destination, kept }, progress) = {
            let mut incoming = lock(&self.incoming);
            (incoming.places(&layer)?, incoming.progress())
        };
        let outcome = layer.read(keep, destination, progress)?;
        lock(&self.incoming).keep(kept, &outcome);
        Ok(())
    }
}

struct Stoppable<'a> {
    input: Box<dyn Read + 'a>,
    stop: &'a AtomicBool,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        match self.stop.load(Ordering::Relaxed) {
            false => self.input.read(into),
            true => Err(IoError::other(Interrupted("another layer failed".into()))),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
