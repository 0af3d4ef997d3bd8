//! All layers of an image, several at once where that is quicker.

use std::collections::HashSet;
use std::io::{Error as IoError, Read, Result as IoResult};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::error::At;
use super::super::turn::Turn;
use super::super::{RegistryError, Store, interrupted};
use super::incoming::{BlobSource, Kept, Layer, Places};
use super::layout::sniff;
use super::origin::{Announced, Opened, Origin};
use super::pipeline::Outcome;
use super::settling::Finished;
use super::{ImportError, Incoming, Interrupted};

/// How soon an interruption is seen while nothing else happens.
const LOOK: Duration = Duration::from_millis(50);

impl Incoming<'_> {
    /// Verifies every layer, and keeps of them what the store does not have. The first error ends all.
    pub fn add_layers(&mut self, origin: &dyn Origin, layers: Vec<Announced>) -> Result<(), ImportError> {
        let mut seen = HashSet::new();
        let layers: Vec<Announced> = layers.into_iter().filter(|layer| seen.insert(layer.clone())).collect();
        self.progress().expect(self.missing(&layers));
        let hands = origin.hands().min(layers.len());
        let crew = Crew {
            origin,
            store: self.store(),
            queue: Mutex::new(layers.into_iter()),
            incoming: Mutex::new(self),
            closing: Condvar::new(),
            closed: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            failure: Mutex::new(None),
        };
        std::thread::scope(|threads| {
            threads.spawn(|| crew.settle());
            let _closing = Closing(&crew);
            std::thread::scope(|threads| {
                for _ in 0..hands {
                    threads.spawn(|| crew.work());
                }
            });
        });
        match crew.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => {
                lock(&crew.incoming).fail(&error);
                Err(error)
            }
            None => Ok(()),
        }
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
    store: &'b Store,
    queue: Mutex<std::vec::IntoIter<Announced>>,
    incoming: Mutex<&'a mut Incoming<'b>>,
    closing: Condvar,
    /// Nothing more will be finished.
    closed: AtomicBool,
    stop: AtomicBool,
    failure: Mutex<Option<ImportError>>,
}

/// Sends the one who settles home, whatever became of the others.
struct Closing<'a, 'b, 'c>(&'c Crew<'a, 'b>);

impl Drop for Closing<'_, '_, '_> {
    fn drop(&mut self) {
        let _incoming = lock(&self.0.incoming);
        self.0.closed.store(true, Ordering::Relaxed);
        self.0.closing.notify_all();
    }
}

impl Crew<'_, '_> {
    /// Brings to their places what the others have finished, now and then.
    fn settle(&self) {
        while let Some(finished) = self.next_finished() {
            let start = Instant::now();
            match finished.settle(self.store) {
                Ok(placed) => lock(&self.incoming).placed.extend(placed),
                Err(error) => self.fail(error.into()),
            }
            lock(&self.incoming).pace.settled(start.elapsed());
        }
    }

    /// None at the end: what is left then is settled with the image's documents.
    fn next_finished(&self) -> Option<Finished> {
        let mut incoming = lock(&self.incoming);
        while !self.is_closed() {
            if !incoming.finished.is_empty() && incoming.pace.is_due() {
                return Some(std::mem::take(&mut incoming.finished));
            }
            if interrupted().is_some() {
                self.fail(RegistryError::Stopped.into());
            }
            let waited = self.closing.wait_timeout(incoming, LOOK);
            incoming = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        None
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// What fails after the first fails because of it.
    fn fail(&self, error: ImportError) {
        lock(&self.failure).get_or_insert(error);
        self.stop.store(true, Ordering::Relaxed);
    }

    fn work(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            let Some(layer) = lock(&self.queue).next() else { return };
            if let Err(error) = self.add(&layer) {
                self.fail(error);
            }
        }
    }

    fn add(&self, announced: &Announced) -> Result<(), ImportError> {
        let Announced { digest, diff_id, .. } = announced;
        let what = self.origin.what(digest);
        if lock(&self.incoming).has_layer(&what, digest, diff_id) {
            return Ok(());
        }
        // Another import may be fetching it just now.
        let say = |first| lock(&self.incoming).progress().waiting(&what, first);
        let Some(turn) = Turn::wait(self.store, digest, &self.stop, say)? else { return Ok(()) };
        if lock(&self.incoming).has_layer(&what, digest, diff_id) {
            return Ok(());
        }
        if let Some(opened) = self.packed(announced) {
            match self.read(what.clone(), announced, opened) {
                // Damaged since it came; what the image says of it may be wrong as well.
                Err(_) if self.store.is_damaged(digest)? => {
                    let damaged = self.store.blob(digest);
                    let aside = lock(&self.incoming).scratch.fresh();
                    std::fs::rename(&damaged, aside).at("move away", &damaged)?;
                }
                Err(error) => return Err(error),
                Ok((kept, outcome)) => return self.keep(kept, &outcome, turn),
            }
        }
        let opened = self.origin.layer(announced, &self.stop)?;
        let (kept, outcome) = self.read(what, announced, opened)?;
        self.keep(kept, &outcome, turn)
    }

    /// The blob of a layer whose unpacked tree is missing.
    fn packed(&self, announced: &Announced) -> Option<Opened<'static>> {
        let path = self.store.blob(&announced.digest);
        let mut file = std::fs::File::open(&path).ok()?;
        let compression = sniff(&mut file, "").ok()?;
        Some(Opened { input: Box::new(file), compression, blob: BlobSource::File(path) })
    }

    fn read(&self, what: String, announced: &Announced, opened: Opened<'_>) -> Result<(Kept, Outcome), ImportError> {
        let Announced { digest, size, diff_id } = announced;
        let Opened { input, compression, blob } = opened;
        let input = Box::new(Stoppable { input, stop: &self.stop });
        let (digest, size, diff_id) = (Some(*digest), Some(*size), Some(*diff_id));
        let layer = Layer { what, input, compression, blob, digest, size, diff_id };
        // The lock is held to make the places and to note them, not while the layer is read.
        let (Places { keep, destination, kept }, progress) = {
            let mut incoming = lock(&self.incoming);
            (incoming.places(&layer)?, incoming.progress())
        };
        let outcome = layer.read(keep, destination, progress)?;
        Ok((kept, outcome))
    }

    fn keep(&self, kept: Kept, outcome: &Outcome, turn: Turn) -> Result<(), ImportError> {
        Ok(lock(&self.incoming).keep(kept, outcome, Some(turn))?)
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
