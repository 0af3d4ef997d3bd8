//! The lines that were written to a terminal, in the journal as those of the container's unit, whose process the holder of
//! the terminal is not (systemd's "Native Journal Protocol").

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, send, socket_with};

const JOURNAL: &str = "/run/systemd/journal/socket";

/// Longer ones are cut, as journald cuts those on standard output (`LineMax=`).
const LINE: usize = 48 << 10;

pub struct Log {
    journal: OwnedFd,
    /// Fields that every line has.
    fields: Vec<u8>,
    line: Vec<u8>,
}

impl Log {
    /// Of a container by its name, and of its unit.
    pub fn open(name: &str, unit: &str) -> Result<Log, Errno> {
        let journal = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        connect(&journal, &SocketAddrUnix::new(JOURNAL)?)?;
        // `journalctl --unit` finds it by this one, root's word for whose it is.
        let fields =
            format!("PRIORITY=6\nSYSLOG_IDENTIFIER={name}\nCONTAINER_NAME={name}\nOBJECT_SYSTEMD_UNIT={unit}\n");
        Ok(Log { journal, fields: fields.into_bytes(), line: Vec::new() })
    }

    pub fn write(&mut self, written: &[u8]) {
        for piece in written.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend(piece);
            if piece.ends_with(b"\n") || self.line.len() >= LINE {
                self.send();
            }
        }
    }

    fn send(&mut self) {
        let line = self.line.trim_ascii_end();
        if !line.is_empty() {
            let length = (line.len() as u64).to_le_bytes();
            let entry = [&self.fields, b"MESSAGE\n".as_slice(), &length, line, b"\n"].concat();
            // Without a journal there is nobody to tell.
            let _ = send(&self.journal, &entry, SendFlags::NOSIGNAL);
        }
        self.line.clear();
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.send();
    }
}
