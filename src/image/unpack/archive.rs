//! A tar archive as a stream of entries: ustar, GNU and pax, with every size bounded before it is believed.

use std::io::{BufRead, ErrorKind, Read};

use tar::{EntryType, GnuSparseHeader, Header};

use super::UnpackError;
use super::error::{Problem, printable};
use super::pax::Extension;

const BLOCK: usize = 512;

/// Room for every extended attribute of a file (64 KiB each, in practice far less) and its names.
const LONGEST_EXTENSION: u64 = 1 << 20;

/// More holes than file systems keep apart in one file without pain.
const LONGEST_MAP: usize = 1 << 17;

/// What an archive says of one file; its content follows in the stream.
#[derive(Debug)]
pub struct Entry {
    /// As written, unchecked.
    pub name: Vec<u8>,
    pub kind: EntryType,
    pub link: Vec<u8>,
    pub mode: u32,
    pub uid: u64,
    pub gid: u64,
    /// Seconds and nanoseconds since the epoch.
    pub modified: (i64, u32),
    pub device: (u32, u32),
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Bytes of content in the archive.
    pub size: u64,
    pub sparse: Option<SparseMap>,
}

/// Where the pieces of content belong: offset and length; the rest is holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SparseMap {
    pub pieces: Vec<(u64, u64)>,
    pub real_size: u64,
}

pub struct Archive<R> {
    input: R,
    offset: u64,
    /// Content of the current entry not yet read, and what fills its last block.
    left: u64,
    padding: u64,
}

impl<R: BufRead> Archive<R> {
    pub fn new(input: R) -> Self {
        Archive { input, offset: 0, left: 0, padding: 0 }
    }

    /// The next file, once its name and attributes are gathered from the headers before it. `None` at the end, be
    /// it marked by two empty blocks or not.
    pub fn next(&mut self) -> Result<Option<Entry>, UnpackError> {
        let mut extension = Extension::default();
        let (mut long_name, mut long_link) = (None, None);
        loop {
            self.skip_content()?;
            let Some(block) = self.header_block()? else { return Ok(None) };
            let header = Header::from_byte_slice(&block);
            let kind = header.entry_type();
            let raw_name = header.path_bytes().into_owned();
            let in_entry = |problem| UnpackError::Entry { name: printable(&raw_name), problem };
            let size = number("size", &header.as_old().size).map_err(in_entry)?;
            let size =
                u64::try_from(size).map_err(|_| in_entry(Problem::Number { key: "size", value: size.to_string() }))?;
            self.expect(if has_content(kind) { size } else { 0 }).map_err(in_entry)?;
            match kind {
                EntryType::XGlobalHeader => {}
                EntryType::XHeader => extension.read(&self.extension(&raw_name)?).map_err(in_entry)?,
                EntryType::GNULongName => long_name = Some(until_nul(self.extension(&raw_name)?)),
                EntryType::GNULongLink => long_link = Some(until_nul(self.extension(&raw_name)?)),
                kind if kind.as_byte() == b'V' => {}
                _ => return self.entry(header, extension, long_name, long_link).map(Some),
            }
        }
    }

    fn entry(
        &mut self,
        header: &Header,
        extension: Extension,
        long_name: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
    ) -> Result<Entry, UnpackError> {
        let sparse_name = extension.sparse.as_ref().and_then(|sparse| sparse.name.clone());
        let name = sparse_name.or(extension.path.clone()).or(long_name);
        let name = name.unwrap_or_else(|| header.path_bytes().into_owned());
        let shown = printable(&name);
        let in_entry = |problem| UnpackError::Entry { name: shown.clone(), problem };
        let old = header.as_old();
        let field = |key, field: &[u8]| number(key, field).map_err(in_entry);
        let unsigned = |key, value: i128| {
            u64::try_from(value).map_err(|_| in_entry(Problem::Number { key, value: value.to_string() }))
        };
        if let Some(size) = extension.size.filter(|_| has_content(header.entry_type())) {
            self.expect(size).map_err(in_entry)?;
        }
        let link = extension.link.clone().or(long_link);
        let mut entry = Entry {
            kind: header.entry_type(),
            link: link.unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into_owned()),
            mode: (field("mode", &old.mode)? & 0o7777) as u32,
            uid: extension.uid.map_or_else(|| unsigned("uid", field("uid", &old.uid)?), Ok)?,
            gid: extension.gid.map_or_else(|| unsigned("gid", field("gid", &old.gid)?), Ok)?,
            modified: match extension.modified {
                Some(modified) => modified,
                None => (i64::try_from(field("mtime", &old.mtime)?).unwrap_or(0), 0),
            },
            device: device(header).map_err(in_entry)?,
            attributes: extension.attributes.clone(),
            size: self.left,
            sparse: None,
            name,
        };
        if let Some(sparse) = &extension.sparse {
            if sparse.version != (1, 0) {
                let (major, minor) = sparse.version;
                return Err(in_entry(Problem::SparseFormat(format!("{major}.{minor}"))));
            }
            let real_size = sparse.real_size.ok_or_else(|| in_entry(Problem::SparseMap))?;
            entry.sparse = Some(self.map_in_front(real_size, &shown)?);
            entry.size = self.left;
        } else if entry.kind == EntryType::GNUSparse {
            entry.sparse = Some(self.map_in_headers(header, &shown)?);
        }
        if let Some(map) = &entry.sparse {
            check_map(map, entry.size).map_err(in_entry)?;
        }
        Ok(entry)
    }

    /// The current entry's content as it comes, at most `limit` bytes of it.
    pub fn content(&mut self, limit: u64) -> Result<&[u8], UnpackError> {
        let wanted = self.left.min(limit);
        if wanted == 0 {
            return Ok(&[]);
        }
        let offset = self.offset;
        let available = fill(&mut self.input)?;
        if available.is_empty() {
            return Err(UnpackError::Truncated(offset));
        }
        Ok(&available[..available.len().min(usize::try_from(wanted).unwrap_or(usize::MAX))])
    }

    /// Done with that many bytes of [`Archive::content`].
    pub fn consume(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.offset += bytes as u64;
        self.left -= bytes as u64;
    }

    /// What follows the archive in its stream.
    pub fn into_input(self) -> R {
        self.input
    }

    fn expect(&mut self, size: u64) -> Result<(), Problem> {
        if size > i64::MAX as u64 {
            return Err(Problem::Number { key: "size", value: size.to_string() });
        }
        self.left = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
        Ok(())
    }

    fn skip_content(&mut self) -> Result<(), UnpackError> {
        self.left += std::mem::take(&mut self.padding);
        while self.left > 0 {
            let bytes = self.content(u64::MAX)?.len();
            self.consume(bytes);
        }
        Ok(())
    }

    /// An empty block or the end of the stream ends the archive.
    fn header_block(&mut self) -> Result<Option<[u8; BLOCK]>, UnpackError> {
        let mut block = [0; BLOCK];
        let offset = self.offset;
        if fill(&mut self.input)?.is_empty() {
            return Ok(None);
        }
        self.read_exact(&mut block)?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let sum = |field: std::ops::Range<usize>| block[field].iter().map(|byte| i128::from(*byte)).sum::<i128>();
        let expected = sum(0..148) + sum(156..BLOCK) + 8 * i128::from(b' ');
        if number("checksum", &block[148..156]).ok() != Some(expected) {
            return Err(UnpackError::Header { offset, problem: "its checksum is wrong" });
        }
        Ok(Some(block))
    }

    fn read_exact(&mut self, into: &mut [u8]) -> Result<(), UnpackError> {
        self.input.read_exact(into).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => UnpackError::Truncated(self.offset),
            _ => UnpackError::Read(error),
        })?;
        self.offset += into.len() as u64;
        Ok(())
    }

    /// The whole content of a header that only describes the next one.
    fn extension(&mut self, name: &[u8]) -> Result<Vec<u8>, UnpackError> {
        if self.left > LONGEST_EXTENSION {
            let problem = Problem::LongHeader(LONGEST_EXTENSION);
            return Err(UnpackError::Entry { name: printable(name), problem });
        }
        let mut content = vec![0; self.left as usize];
        self.read_exact(&mut content)?;
        self.left = 0;
        Ok(content)
    }

    /// Old GNU format: four pieces in the header, twenty-one in each block after it.
    fn map_in_headers(&mut self, header: &Header, name: &str) -> Result<SparseMap, UnpackError> {
        let wrong = || UnpackError::Entry { name: name.to_owned(), problem: Problem::SparseMap };
        let gnu = header.as_gnu().ok_or_else(wrong)?;
        let real_size = number("real size", &gnu.realsize).ok().and_then(|size| u64::try_from(size).ok());
        let mut pieces = Vec::new();
        add_pieces(&mut pieces, &gnu.sparse).ok_or_else(wrong)?;
        let mut more = gnu.isextended[0] == 1;
        while more {
            let mut block = tar::GnuExtSparseHeader::new();
            self.read_exact(block.as_mut_bytes())?;
            add_pieces(&mut pieces, &block.sparse).ok_or_else(wrong)?;
            more = block.isextended[0] == 1;
        }
        Ok(SparseMap { pieces, real_size: real_size.ok_or_else(wrong)? })
    }

    /// Pax format 1.0: decimal lines in front of the content, filled up to a block.
    fn map_in_front(&mut self, real_size: u64, name: &str) -> Result<SparseMap, UnpackError> {
        let wrong = || UnpackError::Entry { name: name.to_owned(), problem: Problem::SparseMap };
        let mut numbers = Vec::new();
        let mut expected = 1;
        let mut digits = String::new();
        while numbers.len() < expected {
            let mut block = [0; BLOCK];
            self.left = self.left.checked_sub(BLOCK as u64).ok_or_else(wrong)?;
            self.read_exact(&mut block)?;
            for byte in block {
                match byte {
                    _ if numbers.len() >= expected => break,
                    b'0'..=b'9' if digits.len() < 20 => digits.push(byte.into()),
                    b'\n' => {
                        let number: u64 = digits.parse().map_err(|_| wrong())?;
                        if numbers.is_empty() {
                            let pieces = usize::try_from(number).ok().filter(|pieces| *pieces <= LONGEST_MAP);
                            expected = 1 + 2 * pieces.ok_or_else(wrong)?;
                        }
                        numbers.push(number);
                        digits.clear();
                    }
                    _ => return Err(wrong()),
                }
            }
        }
        let pieces = numbers[1..].chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        Ok(SparseMap { pieces, real_size })
    }
}

fn fill<R: BufRead>(input: &mut R) -> Result<&[u8], UnpackError> {
    loop {
        match input.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(UnpackError::Read(error)),
        }
    }
    // What is buffered now is given again, without a second read.
    input.fill_buf().map_err(UnpackError::Read)
}

fn add_pieces(pieces: &mut Vec<(u64, u64)>, more: &[GnuSparseHeader]) -> Option<()> {
    for piece in more.iter().filter(|piece| piece.offset[0] != 0 && piece.numbytes[0] != 0) {
        let value = |field: &[u8]| number("map", field).ok().and_then(|value| u64::try_from(value).ok());
        pieces.push((value(&piece.offset)?, value(&piece.numbytes)?));
    }
    (pieces.len() <= LONGEST_MAP).then_some(())
}

/// The pieces are in order, inside the file, and exactly the content.
fn check_map(map: &SparseMap, size: u64) -> Result<(), Problem> {
    let (mut end, mut sum) = (0u64, 0u64);
    for (offset, length) in &map.pieces {
        if *offset < end {
            return Err(Problem::SparseMap);
        }
        end = offset.checked_add(*length).ok_or(Problem::SparseMap)?;
        sum += length;
    }
    match end <= map.real_size && map.real_size <= i64::MAX as u64 && sum == size {
        true => Ok(()),
        false => Err(Problem::SparseMap),
    }
}

fn device(header: &Header) -> Result<(u32, u32), Problem> {
    if !matches!(header.entry_type(), EntryType::Block | EntryType::Char) {
        return Ok((0, 0));
    }
    let bytes = header.as_bytes();
    let part = |key, field| {
        let value = number(key, field)?;
        u32::try_from(value).map_err(|_| Problem::Number { key, value: value.to_string() })
    };
    Ok((part("major device number", &bytes[329..337])?, part("minor device number", &bytes[337..345])?))
}

/// Some archivers note a size for hard links and directories too; nothing follows those headers.
fn has_content(kind: EntryType) -> bool {
    use EntryType::{Block, Char, Directory, Fifo, Link, Symlink};
    !matches!(kind, Link | Symlink | Char | Block | Directory | Fifo)
}

fn until_nul(mut name: Vec<u8>) -> Vec<u8> {
    // GNU tar ends it with one; another inside is for the name's own check to refuse.
    if name.last() == Some(&0) {
        name.pop();
    }
    name
}

/// Octal digits between blanks and NULs, or GNU's base 256, marked by the first bit.
fn number(key: &'static str, field: &[u8]) -> Result<i128, Problem> {
    let wrong = || Problem::Number { key, value: printable(field) };
    match field.first() {
        Some(first) if first & 0x80 != 0 => {
            let start = if first & 0x40 == 0 { i128::from(first & 0x3f) } else { i128::from(first | 0x80) - 256 };
            Ok(field[1..].iter().fold(start, |sum, byte| sum << 8 | i128::from(*byte)))
        }
        _ => {
            let text = std::str::from_utf8(field).map_err(|_| wrong())?;
            let digits = text.split('\0').find(|part| !part.trim().is_empty()).unwrap_or("").trim();
            if digits.is_empty() { Ok(0) } else { i128::from_str_radix(digits, 8).map_err(|_| wrong()) }
        }
    }
}

impl<R: BufRead> Read for Archive<R> {
    /// The current entry's content.
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let content = self.content(into.len() as u64).map_err(std::io::Error::other)?;
        let bytes = content.len();
        into[..bytes].copy_from_slice(content);
        self.consume(bytes);
        Ok(bytes)
    }
}
