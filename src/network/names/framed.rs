//! Messages on a stream: each with its length before it (RFC 1035, 4.2.2).

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;

const PREFIX: usize = 2;

/// A stream that does not block, with what has come and what is to go.
pub struct Framed {
    pub stream: TcpStream,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    written: usize,
}

impl Framed {
    pub fn new(stream: TcpStream) -> Self {
        Framed { stream, incoming: Vec::new(), outgoing: Vec::new(), written: 0 }
    }

    /// Takes what has come, up to one message of `longest` bytes. False at the end of the stream.
    pub fn fill(&mut self, longest: usize) -> Result<bool> {
        let mut buffer = [0; 4096];
        while self.incoming.len() < PREFIX + longest {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => self.incoming.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// The next whole message, once it has come.
    pub fn next_message(&mut self, longest: usize) -> Result<Option<Vec<u8>>> {
        let Some(prefix) = self.incoming.first_chunk::<PREFIX>() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes(*prefix));
        if length > longest {
            return Err(Error::new(ErrorKind::InvalidData, "a message too long"));
        }
        if self.incoming.len() < PREFIX + length {
            return Ok(None);
        }
        let message = self.incoming[PREFIX..PREFIX + length].to_vec();
        self.incoming.drain(..PREFIX + length);
        Ok(Some(message))
    }

    pub fn queue(&mut self, message: &[u8]) {
        let Ok(length) = u16::try_from(message.len()) else { return };
        self.outgoing.extend_from_slice(&length.to_be_bytes());
        self.outgoing.extend_from_slice(message);
    }

    /// Writes what can be written. False where something is left.
    pub fn flush(&mut self) -> Result<bool> {
        while self.written < self.outgoing.len() {
            match self.stream.write(&self.outgoing[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.outgoing.clear();
        self.written = 0;
        Ok(true)
    }

    /// How much the other side has not taken.
    pub fn backlog(&self) -> usize {
        self.outgoing.len() - self.written
    }
}
