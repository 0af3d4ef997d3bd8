//! One layer through four hands: the calling thread reads and inflates; others hash and keep the blob, hash the
//! content, and write the files. Bounded channels between them keep memory flat and the inflater busy.

use std::fs::File;
use std::io::{BufRead, Read, Result as IoResult, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{ScopedJoinHandle, scope};

use super::super::Digest;
use super::super::digest::Hasher;
use super::super::unpack::{Archive, Destination, UnpackError, unpack};
use super::compression::Compression;
use super::error::{Amount, go_on};
use super::piece::{self, Buffers, Piece};
use super::{ImportError, Interrupted, Reading};
use crate::sys::writeback::Early;

/// Pieces under way to each hand: 4 MB in all.
const QUEUE: usize = 16;

/// Good enough for what is kept only to be pushed one day, and faster than the files can be written.
const ZSTD_LEVEL: i32 = 1;

/// What becomes of the stream as it came.
pub enum Keep {
    /// It lies in a file already.
    Nothing,
    AsItIs(File),
    Zstd(File),
}

pub struct Job<'a> {
    /// For messages.
    pub what: String,
    pub compression: Compression,
    pub keep: Keep,
    /// None to only verify.
    pub destination: Option<Destination>,
    /// Announced bytes of the stream; one more is an error at once.
    pub size: Option<u64>,
    pub progress: &'a dyn Reading,
}

/// What went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Of the blob that is kept, and its size.
    pub blob: (Digest, u64),
    /// Of the content, and its size.
    pub diff: (Digest, u64),
}

impl Job<'_> {
    pub fn run(self, input: impl Read) -> Result<Outcome, ImportError> {
        let Job { what, compression, keep, destination, size, progress } = self;
        let write = |source| ImportError::Write { what: what.clone(), source };
        let (zstd, same) = (matches!(keep, Keep::Zstd(_)), compression == Compression::Plain);
        let keeper = Keeper::new(keep, !same || zstd).map_err(write)?;
        scope(|threads| {
            let (diff_sender, diff_hand) = hand(threads, |pieces| Ok::<_, ImportError>(hash(pieces)));
            let (keep_sender, keep_hand) = hand(threads, |pieces| keeper.keep(pieces).map_err(write));
            let files = destination.map(|destination| {
                let unpack = |source| ImportError::Unpack { what: what.clone(), source };
                hand(threads, move |pieces| write_files(pieces, destination).map_err(unpack))
            });
            let (file_sender, file_hand) = files.unzip();
            let taps = Taps { sender: (!same && !zstd).then(|| keep_sender.clone()), left: size, progress };
            let keep_sender = (same || zstd).then_some(keep_sender);
            let senders = [Some(diff_sender), keep_sender, file_sender];
            let read = pass_on(compression, Tapped::new(input, taps), senders);
            let kept = join(keep_hand)?;
            let passed = match read {
                Ok(passed) => passed,
                // The files stopped where the reader did, so its error is the cause of theirs.
                Err(Stopped::Read(source)) => return Err(read_error(what.clone(), compression, size, source)),
                Err(Stopped::HandGone) => 0,
            };
            file_hand.map(join).transpose()?;
            let diff = join(diff_hand)?;
            if let Some(expected) = size.filter(|expected| *expected != passed) {
                return Err(ImportError::Size { what: what.clone(), expected, found: Amount::Exactly(passed) });
            }
            Ok(Outcome { blob: kept.unwrap_or(diff), diff })
        })
    }
}

fn read_error(what: String, compression: Compression, size: Option<u64>, source: std::io::Error) -> ImportError {
    match (compression, size) {
        (_, Some(expected)) if source.get_ref().is_some_and(|inner| inner.is::<TooMuch>()) => {
            ImportError::Size { what, expected, found: Amount::More }
        }
        (Compression::Plain, _) => ImportError::Read { what, source },
        // Not what came is wrong, but that no more of it does.
        _ if source.get_ref().is_some_and(|inner| inner.is::<Interrupted>()) => ImportError::Read { what, source },
        _ => ImportError::Decompress { what, compression: compression.name(), source },
    }
}

type Worker<'scope, T> = (SyncSender<Piece>, ScopedJoinHandle<'scope, Result<T, ImportError>>);

fn hand<'scope, T: Send + 'scope>(
    threads: &'scope std::thread::Scope<'scope, '_>,
    work: impl FnOnce(Receiver<Piece>) -> Result<T, ImportError> + Send + 'scope,
) -> Worker<'scope, T> {
    let (sender, receiver) = sync_channel(QUEUE);
    (sender, threads.spawn(move || work(receiver)))
}

fn join<T>(hand: ScopedJoinHandle<'_, Result<T, ImportError>>) -> Result<T, ImportError> {
    hand.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

enum Stopped {
    Read(std::io::Error),
    /// It has an error of its own to report.
    HandGone,
}

/// Inflates everything and hands it on. Returns the bytes read from the input.
fn pass_on<R: Read>(
    compression: Compression,
    mut input: Tapped<'_, R>,
    senders: [Option<SyncSender<Piece>>; 3],
) -> Result<u64, Stopped> {
    {
        let mut decoder = compression.decoder(&mut input).map_err(Stopped::Read)?;
        let mut buffers = Buffers::default();
        loop {
            let piece = buffers.read_full(&mut *decoder).map_err(Stopped::Read)?;
            if piece.is_empty() {
                break;
            }
            for sender in senders.iter().flatten() {
                sender.send(piece.clone()).map_err(|_| Stopped::HandGone)?;
            }
        }
    }
    // What the decoder has left over counts towards the blob too.
    loop {
        let rest = input.fill_buf().map_err(Stopped::Read)?.len();
        if rest == 0 {
            return Ok(input.passed);
        }
        input.consume(rest);
    }
}

/// What everything read from the input goes past.
struct Taps<'a> {
    sender: Option<SyncSender<Piece>>,
    left: Option<u64>,
    progress: &'a dyn Reading,
}

struct Tapped<'a, R> {
    input: R,
    taps: Taps<'a>,
    passed: u64,
    buffers: Buffers,
    current: Piece,
    position: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("more bytes than announced")]
struct TooMuch;

impl<'a, R: Read> Tapped<'a, R> {
    fn new(input: R, taps: Taps<'a>) -> Self {
        Tapped { input, taps, passed: 0, buffers: Buffers::default(), current: Piece::default(), position: 0 }
    }

    fn next(&mut self) -> IoResult<Piece> {
        go_on()?;
        let piece = self.buffers.read(&mut self.input)?;
        let bytes = piece.len() as u64;
        if let Some(left) = &mut self.taps.left {
            *left = left.checked_sub(bytes).ok_or_else(|| std::io::Error::other(TooMuch))?;
        }
        if let Some(sender) = self.taps.sender.as_ref().filter(|_| bytes > 0) {
            // Its own error is reported when it is joined; the stream ends here for the decoder.
            sender.send(piece.clone()).map_err(|_| std::io::ErrorKind::BrokenPipe)?;
        }
        self.passed += bytes;
        self.taps.progress.advance(bytes);
        Ok(piece)
    }
}

impl<R: Read> Read for Tapped<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        piece::read(self, into)
    }
}

impl<R: Read> BufRead for Tapped<'_, R> {
    fn fill_buf(&mut self) -> IoResult<&[u8]> {
        if self.position >= self.current.len() {
            self.current = self.next()?;
            self.position = 0;
        }
        Ok(&self.current[self.position..])
    }

    fn consume(&mut self, bytes: usize) {
        self.position += bytes;
    }
}

fn hash(pieces: Receiver<Piece>) -> (Digest, u64) {
    let mut hasher = Hasher::default();
    pieces.iter().for_each(|piece| hasher.update(&piece));
    hasher.finish()
}

/// Writes the blob, hashing it where its digest is not the content's.
enum Keeper {
    Blob(Blob),
    Zstd(Box<zstd::stream::write::Encoder<'static, Blob>>),
}

struct Blob {
    file: Option<Early<File>>,
    hasher: Option<Hasher>,
}

impl Keeper {
    fn new(keep: Keep, own_digest: bool) -> IoResult<Keeper> {
        let hasher = own_digest.then(Hasher::default);
        Ok(match keep {
            Keep::Nothing => Keeper::Blob(Blob { file: None, hasher }),
            Keep::AsItIs(file) => Keeper::Blob(Blob { file: Some(Early::new(file)), hasher }),
            Keep::Zstd(file) => Keeper::Zstd(Box::new(zstd::stream::write::Encoder::new(
                Blob { file: Some(Early::new(file)), hasher },
                ZSTD_LEVEL,
            )?)),
        })
    }

    fn keep(mut self, pieces: Receiver<Piece>) -> IoResult<Option<(Digest, u64)>> {
        for piece in pieces {
            match &mut self {
                Keeper::Blob(blob) => blob.write_all(&piece)?,
                Keeper::Zstd(encoder) => encoder.write_all(&piece)?,
            }
        }
        let blob = match self {
            Keeper::Blob(blob) => blob,
            Keeper::Zstd(encoder) => encoder.finish()?,
        };
        Ok(blob.hasher.map(Hasher::finish))
    }
}

impl Write for Blob {
    fn write(&mut self, piece: &[u8]) -> IoResult<usize> {
        if let Some(file) = &mut self.file {
            file.write_all(piece)?;
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(piece);
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}

/// The pieces as one stream.
struct Stream {
    pieces: Receiver<Piece>,
    current: Piece,
    position: usize,
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        piece::read(self, into)
    }
}

impl BufRead for Stream {
    fn fill_buf(&mut self) -> IoResult<&[u8]> {
        while self.position >= self.current.len() {
            let Ok(next) = self.pieces.recv() else { return Ok(&[]) };
            self.current = next;
            self.position = 0;
        }
        Ok(&self.current[self.position..])
    }

    fn consume(&mut self, bytes: usize) {
        self.position += bytes;
    }
}

fn write_files(pieces: Receiver<Piece>, destination: Destination) -> Result<(), UnpackError> {
    let mut archive = Archive::new(Stream { pieces, current: Piece::default(), position: 0 });
    unpack(&mut archive, destination)?;
    // Whatever fills the stream up behind the archive belongs to the layer's digest; take it, so that nobody waits.
    archive.into_input().pieces.iter().for_each(drop);
    Ok(())
}
