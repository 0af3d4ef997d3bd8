//! A blob as one stream, whatever becomes of the connections it comes over.

use std::io::{Error as IoError, Read, Result as IoResult};
use std::sync::atomic::AtomicBool;

use ureq::BodyReader;
use ureq::http::Response;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE};

use super::super::Digest;
use super::super::import::Interrupted;
use super::Repository;
use super::error::{RegistryError, Trouble};

/// A connection that brought this much was worth making: those that break after it are no more counted.
const PROGRESS: u64 = 1 << 20;

pub struct BlobStream<'a> {
    repository: &'a Repository,
    digest: Digest,
    size: u64,
    stop: &'a AtomicBool,
    body: BodyReader<'static>,
    /// What the server says is the end of this connection's content.
    end: Option<u64>,
    position: u64,
    /// In a row, and where the first of them was.
    failures: u32,
    failed_at: u64,
}

impl<'a> BlobStream<'a> {
    pub(super) fn open(
        repository: &'a Repository,
        digest: Digest,
        size: u64,
        stop: &'a AtomicBool,
    ) -> Result<Self, RegistryError> {
        let (body, end) = connect(repository, &digest, 0, stop)?;
        Ok(BlobStream { repository, digest, size, stop, body, end, position: 0, failures: 0, failed_at: 0 })
    }

    /// The end of a connection's content: of the blob, or of what the server has of it; else it is no end.
    fn ended(&self) -> Option<IoResult<usize>> {
        let (position, size) = (self.position, self.size);
        if position >= size {
            return Some(Ok(0));
        }
        let short = || Interrupted(format!("{size} bytes were announced, but the registry has only {position}"));
        (self.end == Some(position)).then(|| Err(IoError::other(short())))
    }

    fn go_on(&mut self, problem: String) -> IoResult<()> {
        if self.position.saturating_sub(self.failed_at) >= PROGRESS {
            self.failures = 0;
        }
        let patience = self.repository.patience;
        if self.failures >= patience.retries {
            let (position, size) = (self.position, self.size);
            let text = format!("the connection broke after {position} of {size} bytes: {problem}");
            return Err(IoError::other(Interrupted(text)));
        }
        let interrupted = |error: RegistryError| IoError::other(Interrupted(error.to_string()));
        patience.wait(self.failures, None, self.stop).map_err(interrupted)?;
        self.failures += 1;
        self.failed_at = self.position;
        let connected = connect(self.repository, &self.digest, self.position, self.stop).map_err(interrupted)?;
        (self.body, self.end) = connected;
        Ok(())
    }
}

impl Read for BlobStream<'_> {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        loop {
            let problem = match self.body.read(into) {
                Ok(0) if into.is_empty() => return Ok(0),
                Ok(0) => match self.ended() {
                    Some(end) => return end,
                    None => "it ended early".to_owned(),
                },
                Ok(bytes) => {
                    self.position += bytes as u64;
                    return Ok(bytes);
                }
                Err(error) => error.to_string(),
            };
            self.go_on(problem)?;
        }
    }
}

/// The blob from a position on, and where the server says it ends.
fn connect(
    repository: &Repository,
    digest: &Digest,
    from: u64,
    stop: &AtomicBool,
) -> Result<(BodyReader<'static>, Option<u64>), RegistryError> {
    let what = format!("{}@{digest}", repository.place.path);
    repository.patience.persist(stop, || {
        let response = match repository.get_blob(digest, from, &what) {
            // There is nothing behind what we have.
            Err(Trouble::Lasting(RegistryError::Status { status: 416, .. })) if from > 0 => {
                return Ok((ureq::Body::builder().data("").into_reader(), Some(from)));
            }
            other => other?,
        };
        let start = if response.status().as_u16() == 206 { start(&response) } else { Some(0) };
        let length = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let end = length.zip(start).map(|(length, start): (u64, u64)| start.saturating_add(length));
        let mut body = response.into_body().into_with_config().limit(u64::MAX).reader();
        let wrong = |problem: String| RegistryError::Answer { url: what.clone(), problem };
        match start {
            Some(start) if start == from => Ok((body, end)),
            // It does not know ranges.
            Some(0) => match std::io::copy(&mut body.by_ref().take(from), &mut std::io::sink()) {
                Ok(skipped) if skipped == from => Ok((body, end)),
                Ok(skipped) => {
                    let problem = format!("the second time, it is only {skipped} of {from} bytes long");
                    Err(Trouble::passing(wrong(problem)))
                }
                Err(error) => Err(Trouble::passing(wrong(error.to_string()))),
            },
            other => Err(wrong(format!("asked for what follows byte {from}, the server sends {other:?}")).into()),
        }
    })
}

/// `bytes 5-9/10`
fn start(response: &Response<ureq::Body>) -> Option<u64> {
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}
