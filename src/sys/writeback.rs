//! Writing to the disk that begins before somebody waits for it.

use std::io::{Result as IoResult, Write};
use std::os::fd::{AsFd, AsRawFd};

/// Bytes after which the disk is given something to do: large enough for whole extents, small beside the page cache.
const STRIDE: u64 = 8 << 20;

/// At the end of a file, what is not worth a call of its own.
const SMALL: u64 = 256 << 10;

/// A file that is written from its start to its end, and to be synced soon.
pub struct Early<F: Write + AsFd> {
    file: F,
    written: u64,
    begun: u64,
}

impl<F: Write + AsFd> Early<F> {
    pub fn new(file: F) -> Self {
        Early { file, written: 0, begun: 0 }
    }

    /// Has the kernel begin to write what it holds of the file (sync_file_range(2)). Only a hint: that it is on the disk is
    /// for fsync(2) to say, and so are errors.
    fn begin(&mut self) {
        let from = i64::try_from(self.begun).unwrap_or(i64::MAX);
        let bytes = i64::try_from(self.written - self.begun).unwrap_or(i64::MAX);
        let descriptor = self.file.as_fd().as_raw_fd();
        // SAFETY: no memory is passed, and the descriptor is open as long as `file` is borrowed.
        let _ = unsafe { libc::sync_file_range(descriptor, from, bytes, libc::SYNC_FILE_RANGE_WRITE) };
        self.begun = self.written;
    }
}

impl<F: Write + AsFd> Write for Early<F> {
    fn write(&mut self, bytes: &[u8]) -> IoResult<usize> {
        let written = self.file.write(bytes)?;
        self.written += written as u64;
        if self.written - self.begun >= STRIDE {
            self.begin();
        }
        Ok(written)
    }

    fn flush(&mut self) -> IoResult<()> {
        self.file.flush()
    }
}

impl<F: Write + AsFd> Drop for Early<F> {
    fn drop(&mut self) {
        if self.written - self.begun >= SMALL {
            self.begin();
        }
    }
}
