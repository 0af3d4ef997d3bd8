//! Times of directories, which every later entry inside would change: kept aside in a file, set at the end.

use std::io::{BufReader, BufWriter, ErrorKind, Read, Result, Seek, Write};

/// Any number of directories, in a nameless file rather than in memory.
pub struct Times {
    file: BufWriter<std::fs::File>,
}

impl Times {
    pub fn new(file: std::fs::File) -> Self {
        Times { file: BufWriter::new(file) }
    }

    pub fn keep(&mut self, path: &[u8], (seconds, nanoseconds): (i64, u32)) -> Result<()> {
        let length = u16::try_from(path.len()).map_err(|_| ErrorKind::InvalidInput)?;
        self.file.write_all(&length.to_ne_bytes())?;
        self.file.write_all(path)?;
        self.file.write_all(&seconds.to_ne_bytes())?;
        self.file.write_all(&nanoseconds.to_ne_bytes())
    }

    /// Calls `set` for every directory, in the order they were kept.
    pub fn replay(self, mut set: impl FnMut(&[u8], (i64, u32))) -> Result<()> {
        let mut file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.rewind()?;
        let mut file = BufReader::new(file);
        let mut path = Vec::new();
        loop {
            let mut length = [0; 2];
            match file.read_exact(&mut length) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
                other => other?,
            }
            path.resize(u16::from_ne_bytes(length).into(), 0);
            file.read_exact(&mut path)?;
            let (mut seconds, mut nanoseconds) = ([0; 8], [0; 4]);
            file.read_exact(&mut seconds)?;
            file.read_exact(&mut nanoseconds)?;
            set(&path, (i64::from_ne_bytes(seconds), u32::from_ne_bytes(nanoseconds)));
        }
    }
}
