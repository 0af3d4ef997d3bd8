//! What a person gave us to import, told by its content.

use std::io::{Cursor, Read};
use std::path::Path;

use super::super::error::At;
use super::super::unpack::{Archive, UnpackError};
use super::compression::Compression;
use super::error::go_on;
use super::files::Files;
use super::flat::TOP;
use super::{ImportError, Reading};

/// The first entry's headers lie within this much of any compressed archive: one block of zstd, of bzip-free xz.
const HEAD: u64 = 1 << 20;

pub enum Source {
    Layout(Files),
    /// skopeo's `dir:`
    Flat(Files),
    Stream(Stream),
}

/// A tar archive of either kind.
pub struct Stream {
    pub what: String,
    /// In bytes, of a regular file.
    pub size: Option<u64>,
    pub compression: Compression,
    pub format: Format,
    head: Vec<u8>,
    rest: Box<dyn Read + Send>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    RootFileSystem,
    /// An OCI layout or what `docker save` writes: names of blobs, not of files.
    Image,
}

impl Source {
    pub fn open(path: &Path) -> Result<Source, ImportError> {
        if path == Path::new("-") {
            return Stream::new("standard input".into(), None, Box::new(std::io::stdin())).map(Source::Stream);
        }
        let what = path.display().to_string();
        let about = std::fs::metadata(path).at("open", path)?;
        if about.is_dir() {
            let files = Files::directory(path)?;
            return match files.has("oci-layout") && files.has("index.json") {
                true => Ok(Source::Layout(files)),
                false if files.has(TOP) => Ok(Source::Flat(files)),
                false => Err(ImportError::PlainDirectory { what }),
            };
        }
        let file = std::fs::File::open(path).at("open", path)?;
        let size = about.is_file().then_some(about.len());
        Stream::new(what, size, Box::new(file)).map(Source::Stream)
    }
}

impl Stream {
    /// Reads the beginning, and keeps it for whoever reads the whole.
    pub fn new(what: String, size: Option<u64>, mut rest: Box<dyn Read + Send>) -> Result<Self, ImportError> {
        let mut head = Vec::new();
        let read = rest.by_ref().take(HEAD).read_to_end(&mut head);
        read.map_err(|source| ImportError::Read { what: what.clone(), source })?;
        let compression = Compression::of(&head);
        let format = format(&what, compression, &head)?;
        Ok(Stream { what, size, compression, format, head, rest })
    }

    pub fn into_input(self, progress: Option<&dyn Reading>) -> impl Read {
        Counted { input: Cursor::new(self.head).chain(self.rest), progress }
    }
}

struct Counted<'a, R> {
    input: R,
    progress: Option<&'a dyn Reading>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        go_on()?;
        let bytes = self.input.read(into)?;
        if let Some(progress) = self.progress {
            progress.advance(bytes as u64);
        }
        Ok(bytes)
    }
}

/// By the first name that is not the root's: a file system has none that look like an image's.
fn format(what: &str, compression: Compression, head: &[u8]) -> Result<Format, ImportError> {
    let unknown = || ImportError::Unknown { what: what.to_owned() };
    if head.is_empty() {
        return Err(unknown());
    }
    let decompress =
        |source| ImportError::Decompress { what: what.to_owned(), compression: compression.name(), source };
    let decoder = compression.decoder(head).map_err(decompress)?;
    let mut archive = Archive::new(std::io::BufReader::new(decoder));
    loop {
        match archive.next() {
            Ok(Some(entry)) => match entry.name.strip_prefix(b"./").unwrap_or(&entry.name) {
                b"" | b"." | b"/" => {}
                name => return Ok(if is_image(name) { Format::Image } else { Format::RootFileSystem }),
            },
            // An archive of a root directory alone, or of nothing: an empty layer.
            Ok(None) => return Ok(Format::RootFileSystem),
            Err(UnpackError::Header { offset: 0, .. }) => return Err(unknown()),
            Err(UnpackError::Truncated(_)) if compression == Compression::Plain && head.len() < 512 => {
                return Err(unknown());
            }
            Err(UnpackError::Read(source)) => return Err(decompress(source)),
            Err(source) => return Err(ImportError::Unpack { what: what.to_owned(), source }),
        }
    }
}

fn is_image(name: &[u8]) -> bool {
    let Ok(name) = std::str::from_utf8(name) else { return false };
    let first = name.split('/').next().unwrap_or(name);
    let hex = first.strip_suffix(".json").or(first.strip_suffix(".tar")).unwrap_or(first);
    let hex = hex.strip_prefix("sha256:").unwrap_or(hex);
    matches!(first, "oci-layout" | "index.json" | "manifest.json" | "repositories" | "blobs")
        || (hex.len() == 64 && hex.bytes().all(|digit| digit.is_ascii_hexdigit()))
}
