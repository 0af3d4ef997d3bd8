//! What is said of each file of a tree between the side that reads and the side that writes.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use rustix::fs::Stat;
use rustix::io::Errno;

use crate::executor::channel::Channel;

/// As the reading side sees it: the ids are those of its user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub modified: (i64, u32),
    /// Device and number of a file that has more names than one, else zero.
    pub identity: (u64, u64),
}

#[derive(Debug)]
pub enum Entry<F> {
    /// What follows is in it, until `Up`.
    Directory {
        name: OsString,
        attributes: Attributes,
    },
    File {
        name: OsString,
        attributes: Attributes,
        content: F,
    },
    Link {
        name: OsString,
        attributes: Attributes,
        target: OsString,
    },
    /// An extended attribute of the file or directory that comes next.
    Attribute {
        name: OsString,
        value: F,
    },
    Up,
    /// That was all.
    End,
    /// The reading side cannot go on, or the writing side could not.
    Failed(String),
    /// Said by the writing side: everything is in its place.
    Done,
}

const FIXED: usize = 4 + 4 + 4 + 8 + 4 + 8 + 8;

impl Attributes {
    pub fn of(stat: &Stat) -> Attributes {
        Attributes {
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            modified: (stat.st_mtime, stat.st_mtime_nsec as u32),
            identity: if stat.st_nlink > 1 { (stat.st_dev, stat.st_ino) } else { (0, 0) },
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let ids = [self.mode, self.uid, self.gid].into_iter().flat_map(u32::to_ne_bytes);
        let time = self.modified.0.to_ne_bytes().into_iter().chain(self.modified.1.to_ne_bytes());
        let identity = [self.identity.0, self.identity.1].into_iter().flat_map(u64::to_ne_bytes);
        ids.chain(time).chain(identity).collect()
    }

    fn from_bytes(bytes: &[u8; FIXED]) -> Option<Attributes> {
        let (small, rest) = bytes.split_first_chunk::<12>()?;
        let number = |at: usize| Some(u32::from_ne_bytes(*small.get(at..)?.first_chunk()?));
        let (seconds, rest) = rest.split_first_chunk()?;
        let (nanoseconds, rest) = rest.split_first_chunk()?;
        let (device, rest) = rest.split_first_chunk()?;
        Some(Attributes {
            mode: number(0)?,
            uid: number(4)?,
            gid: number(8)?,
            modified: (i64::from_ne_bytes(*seconds), u32::from_ne_bytes(*nanoseconds)),
            identity: (u64::from_ne_bytes(*device), u64::from_ne_bytes(*rest.first_chunk()?)),
        })
    }
}

impl<F: AsFd> Entry<F> {
    pub fn send(&self, channel: &Channel) -> Result<(), Errno> {
        let named = |kind: u8, name: &OsString, attributes: &Attributes| {
            let length = u16::try_from(name.len()).map_err(|_| Errno::NAMETOOLONG)?.to_ne_bytes();
            Ok::<_, Errno>([&[kind], attributes.bytes().as_slice(), &length, name.as_bytes()].concat())
        };
        let send = |bytes: &[u8], fds: &[BorrowedFd<'_>]| channel.send_bytes(bytes, fds);
        match self {
            Entry::Directory { name, attributes } => send(&named(b'D', name, attributes)?, &[]),
            Entry::File { name, attributes, content } => send(&named(b'F', name, attributes)?, &[content.as_fd()]),
            Entry::Link { name, attributes, target } => {
                send(&[&named(b'L', name, attributes)?, target.as_bytes()].concat(), &[])
            }
            Entry::Attribute { name, value } => send(&[b"A", name.as_bytes()].concat(), &[value.as_fd()]),
            Entry::Up => send(b"U", &[]),
            Entry::End => send(b"E", &[]),
            Entry::Done => send(b"O", &[]),
            Entry::Failed(text) => send(&[b"X", &text.as_bytes()[..text.len().min(8000)]].concat(), &[]),
        }
    }
}

impl Entry<OwnedFd> {
    /// `None` where the other side is gone.
    pub fn receive(channel: &Channel) -> Result<Option<Entry<OwnedFd>>, Errno> {
        match channel.receive_bytes() {
            Ok(Some((bytes, fds))) => understood(&bytes, fds).map(Some).ok_or(Errno::BADMSG),
            Ok(None) => Ok(None),
            Err(errno) => Err(errno),
        }
    }
}

/// `None` unless it is a whole entry and nothing beside it.
fn understood(bytes: &[u8], fds: Vec<OwnedFd>) -> Option<Entry<OwnedFd>> {
    let (kind, rest) = bytes.split_first()?;
    let entry = match (kind, rest) {
        (b'U', []) => Entry::Up,
        (b'E', []) => Entry::End,
        (b'O', []) => Entry::Done,
        (b'X', text) => Entry::Failed(String::from_utf8_lossy(text).into_owned()),
        (b'A', name) => {
            let name = OsString::from_vec(name.to_vec());
            let [value] = <[OwnedFd; 1]>::try_from(fds).ok()?;
            return Some(Entry::Attribute { name, value });
        }
        (b'D' | b'F' | b'L', rest) => {
            let (fixed, rest) = rest.split_first_chunk::<FIXED>()?;
            let (length, rest) = rest.split_first_chunk()?;
            let (name, target) = rest.split_at_checked(u16::from_ne_bytes(*length).into())?;
            return named(*kind, Attributes::from_bytes(fixed)?, name, target, fds);
        }
        _ => return None,
    };
    fds.is_empty().then_some(entry)
}

fn named(kind: u8, attributes: Attributes, name: &[u8], target: &[u8], fds: Vec<OwnedFd>) -> Option<Entry<OwnedFd>> {
    let string = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let name = string(name);
    let mut fds = fds.into_iter();
    let entry = match kind {
        b'D' => Entry::Directory { name, attributes },
        b'F' => Entry::File { name, attributes, content: fds.next()? },
        _ => Entry::Link { name, attributes, target: string(target) },
    };
    (fds.next().is_none() && (kind == b'L' || target.is_empty())).then_some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTRIBUTES: Attributes =
        Attributes { mode: 0o4755, uid: 7, gid: 8, modified: (-5, 999_999_999), identity: (9, u64::MAX) };

    #[test]
    fn what_is_sent_arrives() {
        let (one, other) = Channel::pair().unwrap();
        let null = std::fs::File::open("/dev/null").unwrap();
        let name = OsString::from_vec(vec![0xff, b' ', b'\n']);
        let target: OsString = "t".repeat(4095).into();
        for entry in [
            Entry::Directory { name: name.clone(), attributes: ATTRIBUTES },
            Entry::File { name: name.clone(), attributes: ATTRIBUTES, content: &null },
            Entry::Link { name: name.clone(), attributes: ATTRIBUTES, target: target.clone() },
            Entry::Attribute { name: name.clone(), value: &null },
            Entry::Up,
            Entry::Failed("why".into()),
        ] {
            entry.send(&one).unwrap();
        }
        let receive = || Entry::receive(&other).unwrap();
        assert!(matches!(receive(), Some(Entry::Directory { name: n, attributes: ATTRIBUTES }) if n == name));
        assert!(matches!(receive(), Some(Entry::File { name: n, attributes: ATTRIBUTES, .. }) if n == name));
        assert!(matches!(receive(), Some(Entry::Link { attributes: ATTRIBUTES, target: t, .. }) if t == target));
        assert!(matches!(receive(), Some(Entry::Attribute { name: n, .. }) if n == name));
        assert!(matches!(receive(), Some(Entry::Up)));
        assert!(matches!(receive(), Some(Entry::Failed(text)) if text == "why"));
        drop(one);
        assert!(receive().is_none());
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        let (one, other) = Channel::pair().unwrap();
        for bytes in [b"D".to_vec(), b"U ".to_vec(), b"?".to_vec(), [b"F".as_slice(), &[0; FIXED + 2]].concat()] {
            one.send_bytes(&bytes, &[]).unwrap();
            assert!(Entry::receive(&other).is_err(), "{bytes:?}");
        }
    }
}
