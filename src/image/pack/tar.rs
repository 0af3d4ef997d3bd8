//! Entries of a tar archive (POSIX pax, “ustar Interchange Format” and “pax Extended Header”).

use std::io::{Error, ErrorKind, Read, Result, Write};

use tar::{EntryType, Header};

const BLOCK: usize = 512;

/// The largest numbers of seven and eleven octal digits.
const LARGEST_ID: u32 = 0o777_7777;
const LARGEST: u64 = 0o777_7777_7777;

/// What an archive says of one file before its content.
#[derive(Debug, Clone)]
pub struct Head<'a> {
    /// Of a directory, with a slash at its end.
    pub name: &'a [u8],
    pub kind: EntryType,
    pub link: &'a [u8],
    pub mode: u32,
    pub owner: (u32, u32),
    /// Seconds and nanoseconds since the epoch.
    pub modified: (i64, u32),
    pub device: (u32, u32),
    pub size: u64,
    pub attributes: &'a [(Vec<u8>, Vec<u8>)],
}

impl<'a> Head<'a> {
    /// A file of ours, the same whoever makes it and when.
    pub fn plain(name: &'a str, size: u64) -> Self {
        Head {
            name: name.as_bytes(),
            kind: EntryType::Regular,
            link: &[],
            mode: 0o644,
            owner: (0, 0),
            modified: (0, 0),
            device: (0, 0),
            size,
            attributes: &[],
        }
    }
}

pub struct Writer<W> {
    out: W,
}

impl<W: Write> Writer<W> {
    pub fn new(out: W) -> Self {
        Writer { out }
    }

    /// Exactly `head.size` bytes of content are to follow.
    pub fn head(&mut self, head: &Head<'_>) -> Result<()> {
        let extension = extension(head)?;
        if !extension.is_empty() {
            let name = Head { kind: EntryType::XHeader, ..Head::plain("PaxHeaders/entry", extension.len() as u64) };
            self.out.write_all(header(&name)?.as_bytes())?;
            self.out.write_all(&extension)?;
            self.fill(extension.len() as u64)?;
        }
        self.out.write_all(header(head)?.as_bytes())
    }

    /// A file's head and content; one that has become shorter is filled up, one that has become longer is cut.
    pub fn file(&mut self, head: &Head<'_>, content: impl Read) -> Result<()> {
        self.head(head)?;
        let copied = std::io::copy(&mut content.take(head.size), &mut self.out)?;
        std::io::copy(&mut std::io::repeat(0).take(head.size - copied), &mut self.out)?;
        self.fill(head.size)
    }

    pub fn end(mut self) -> Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok(self.out)
    }

    fn fill(&mut self, size: u64) -> Result<()> {
        let left = (size.wrapping_neg() % BLOCK as u64) as usize;
        self.out.write_all(&[0; BLOCK][..left])
    }
}

fn header(head: &Head<'_>) -> Result<Header> {
    let mut header = Header::new_ustar();
    header.set_entry_type(head.kind);
    header.set_mode(head.mode);
    header.set_uid(head.owner.0.min(LARGEST_ID).into());
    header.set_gid(head.owner.1.min(LARGEST_ID).into());
    header.set_mtime(u64::try_from(head.modified.0).unwrap_or(0).min(LARGEST));
    header.set_size(head.size.min(LARGEST));
    if matches!(head.kind, EntryType::Char | EntryType::Block) {
        header.set_device_major(head.device.0)?;
        header.set_device_minor(head.device.1)?;
    }
    let old = header.as_old_mut();
    put(&mut old.name, head.name);
    put(&mut old.linkname, head.link);
    header.set_cksum();
    Ok(header)
}

/// What does not fit is in the extended header.
fn put(field: &mut [u8; 100], value: &[u8]) {
    let fits = value.len().min(field.len());
    field[..fits].copy_from_slice(&value[..fits]);
}

fn extension(head: &Head<'_>) -> Result<Vec<u8>> {
    let mut records = Vec::new();
    let mut add = |key: &[u8], value: &[u8]| records.extend(record(key, value));
    if head.name.len() > 100 {
        add(b"path", head.name);
    }
    if head.link.len() > 100 {
        add(b"linkpath", head.link);
    }
    if head.size > LARGEST {
        add(b"size", head.size.to_string().as_bytes());
    }
    for (key, id) in [("uid", head.owner.0), ("gid", head.owner.1)] {
        if id > LARGEST_ID {
            add(key.as_bytes(), id.to_string().as_bytes());
        }
    }
    let (seconds, nanoseconds) = head.modified;
    if nanoseconds != 0 || !u64::try_from(seconds).is_ok_and(|seconds| seconds <= LARGEST) {
        add(b"mtime", time(seconds, nanoseconds).as_bytes());
    }
    for (name, value) in head.attributes {
        if name.contains(&b'=') {
            let name = String::from_utf8_lossy(name).escape_debug().to_string();
            let problem = format!("extended attribute “{name}”: no archive can hold one with a “=” in its name");
            return Err(Error::new(ErrorKind::InvalidData, problem));
        }
        add(&[b"SCHILY.xattr.", &name[..]].concat(), value);
    }
    Ok(records)
}

/// `LENGTH KEY=VALUE\n`, where the length counts its own digits.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

/// Seconds before the epoch have their fraction counted backwards, as they are written.
fn time(seconds: i64, nanoseconds: u32) -> String {
    let (sign, whole, fraction) = match (seconds < 0, nanoseconds) {
        (true, 1..) => ("-", (seconds + 1).unsigned_abs(), 1_000_000_000 - nanoseconds),
        (true, 0) => ("-", seconds.unsigned_abs(), 0),
        (false, _) => ("", seconds.unsigned_abs(), nanoseconds),
    };
    let text = format!("{sign}{whole}.{fraction:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::super::unpack::Archive;
    use super::*;

    #[test]
    fn what_ustar_has_no_room_for_is_read_back_as_it_was() {
        let (name, link) = ([b'n'; 300], [b'l'; 101]);
        let attributes = [(b"user.a".to_vec(), b"\0=\n".repeat(40))];
        let mut written = Writer::new(Vec::new());
        for (size, modified) in [(0, (-2, 750_000_000)), (5, (1 << 40, 1)), (513, (-7, 0)), (1, (9, 0))] {
            let head = Head {
                name: &name,
                link: &link,
                owner: (u32::MAX - 1, LARGEST_ID + 1),
                modified,
                attributes: &attributes,
                ..Head::plain("", size)
            };
            written.file(&head, std::io::repeat(b'x')).unwrap();
        }
        let written = written.end().unwrap();
        let mut archive = Archive::new(&written[..]);
        for (size, modified) in [(0, (-2, 750_000_000)), (5, (1 << 40, 1)), (513, (-7, 0)), (1, (9, 0))] {
            let entry = archive.next().unwrap().unwrap();
            assert_eq!((entry.name, entry.link, entry.size), (name.to_vec(), link.to_vec(), size));
            assert_eq!((entry.uid, entry.gid), (u64::from(u32::MAX - 1), u64::from(LARGEST_ID + 1)));
            assert_eq!((entry.modified, &entry.attributes[..]), (modified, &attributes[..]));
        }
        assert!(archive.next().unwrap().is_none());
    }

    #[test]
    fn a_record_counts_its_own_digits() {
        for length in 1..1200 {
            let record = record(b"k", &vec![b'v'; length]);
            let text = String::from_utf8(record.clone()).unwrap();
            assert_eq!(text.split_once(' ').unwrap().0, record.len().to_string());
        }
    }
}
