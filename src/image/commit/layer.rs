//! A writable layer as a layer's archive: overlayfs's whiteouts become the OCI's (OCI image-spec, layer.md).

use std::io::Write;
use std::path::{Path, PathBuf};

use super::super::StoreError;
use super::super::pack::Packer;
use super::super::stack::{Part, Stack};
use super::super::unpack::{Meaning, Name};
use super::WHAT;

pub fn pack(written: &Path, out: impl Write) -> Result<(), StoreError> {
    let mut packer = Packer::new(out, Path::new(WHAT));
    Stack::open(&[written.to_owned()])?.walk_layer(&mut |part| match part {
        Part::Directory { found, opaque } => {
            plain(&found.path, found.place())?;
            packer.add(found)?;
            if opaque { packer.add_mark(&found.path, b".wh..wh..opq") } else { Ok(()) }
        }
        Part::File(found) => {
            plain(&found.path, found.place())?;
            packer.add(found)
        }
        Part::Whiteout { directory, name } => packer.add_mark(directory, &[b".wh.", name].concat()),
    })?;
    let mut out = packer.end()?;
    out.flush().map_err(|source| StoreError::Io { action: "write", path: PathBuf::from(WHAT), source })
}

/// A file that a container has given the name of a whiteout would take another one away in the image.
fn plain(path: &[u8], place: &Path) -> Result<(), StoreError> {
    match Name::new(path).map(|name| name.meaning().is_ok_and(|meaning| meaning == Meaning::Plain)) {
        Ok(false) => Err(StoreError::damaged(place, "a name that begins with “.wh.” means a whiteout in a layer")),
        // The root, which has no name.
        Ok(true) | Err(_) => Ok(()),
    }
}
