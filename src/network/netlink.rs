//! Netlink, synchronous: messages out, acknowledgements and answers in. What they say is [`super::link`]'s and
//! [`super::firewall`]'s.
//!
//! Raw rather than by a crate: a start needs a dozen kinds of messages, and the elements of nftables' sets, which no crate
//! of a netlink library has.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

const HEADER: usize = 16;
const ALIGNMENT: usize = 4;
const NESTED: u16 = libc::NLA_F_NESTED as u16;
/// Past this the kernel's usual limit for what one call sends is raised.
const USUAL: usize = 128 << 10;

/// One message: a header, a fixed part, attributes (netlink(7), rtnetlink(7)).
pub struct Message(Vec<u8>);

impl Message {
    pub fn new(kind: u16, flags: i32, fixed: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&((flags | libc::NLM_F_REQUEST) as u16).to_ne_bytes());
        bytes.extend(fixed);
        let mut message = Message(bytes);
        message.pad();
        message
    }

    pub fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        self.push(kind, value);
        self
    }

    /// A string with the null byte that ends it.
    pub fn text(self, kind: u16, value: &str) -> Self {
        let value = [value.as_bytes(), &[0]].concat();
        self.attribute(kind, &value)
    }

    pub fn number(self, kind: u16, value: u32) -> Self {
        self.attribute(kind, &value.to_ne_bytes())
    }

    pub fn nested(mut self, kind: u16, fill: impl FnOnce(Message) -> Message) -> Self {
        let start = self.0.len();
        self.push(kind | NESTED, &[]);
        let mut filled = fill(self);
        let length = (filled.0.len() - start) as u16;
        filled.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        filled
    }

    /// Bytes of the kind of a fixed part, within an attribute.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self.pad();
        self
    }

    pub fn length(&self) -> usize {
        self.0.len()
    }

    fn push(&mut self, kind: u16, value: &[u8]) {
        self.0.extend(((value.len() + 4) as u16).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.pad();
    }

    fn pad(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(ALIGNMENT), 0);
    }

    fn wants(&self, flag: i32) -> bool {
        u16::from_ne_bytes([self.0[6], self.0[7]]) & flag as u16 != 0
    }
}

/// What the kernel said of one message that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Which one of those sent.
    pub message: usize,
    pub errno: Errno,
}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        Refused { message: 0, errno }
    }
}

/// One answer, without its header: the fixed part and the attributes.
pub struct Answer {
    pub body: Vec<u8>,
}

pub struct Socket {
    socket: OwnedFd,
    sequence: u32,
}

impl Socket {
    /// rtnetlink(7), in the network namespace of the caller: it stays there.
    pub fn route() -> Result<Self, Errno> {
        Self::open(None)
    }

    pub fn netfilter() -> Result<Self, Errno> {
        Self::open(Some(netlink::NETFILTER))
    }

    fn open(protocol: Option<Protocol>) -> Result<Self, Errno> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
        Ok(Socket { socket, sequence: 0 })
    }

    /// Sends all of them at once and waits until the kernel has done each that asks for an acknowledgement.
    pub fn send(&mut self, messages: Vec<Message>) -> Result<(), Refused> {
        let first = self.sequence + 1;
        let mut awaited = messages.iter().filter(|message| message.wants(libc::NLM_F_ACK)).count();
        self.transmit(messages)?;
        let mut refused = None;
        while awaited > 0 {
            let mut failure = None;
            self.receive(|sequence, kind, body| {
                if kind == libc::NLMSG_ERROR as u16 {
                    awaited = awaited.saturating_sub(1);
                    if let Some(errno) = errno(body) {
                        failure.get_or_insert(Refused { message: sequence.saturating_sub(first) as usize, errno });
                    }
                }
                Ok(())
            })?;
            refused = refused.or(failure);
        }
        refused.map_or(Ok(()), Err)
    }

    /// Sends one question; a dump has many answers.
    pub fn ask(&mut self, message: Message) -> Result<Vec<Answer>, Errno> {
        let dump = message.wants(libc::NLM_F_DUMP);
        self.transmit(vec![message])?;
        let mut answers = Vec::new();
        let mut done = false;
        while !done {
            self.receive(|_, kind, body| {
                match i32::from(kind) {
                    libc::NLMSG_DONE => done = true,
                    libc::NLMSG_ERROR => {
                        done = true;
                        if let Some(errno) = errno(body) {
                            return Err(errno);
                        }
                    }
                    _ => {
                        answers.push(Answer { body: body.to_vec() });
                        done |= !dump;
                    }
                }
                Ok(())
            })?;
        }
        Ok(answers)
    }

    fn transmit(&mut self, messages: Vec<Message>) -> Result<(), Errno> {
        let mut bytes = Vec::new();
        for Message(mut message) in messages {
            self.sequence += 1;
            let length = message.len() as u32;
            message[0..4].copy_from_slice(&length.to_ne_bytes());
            message[8..12].copy_from_slice(&self.sequence.to_ne_bytes());
            bytes.extend(message);
        }
        if bytes.len() > USUAL {
            rustix::net::sockopt::set_socket_send_buffer_size_force(&self.socket, bytes.len() * 2)?;
        }
        send(&self.socket, &bytes, SendFlags::empty()).map(drop)
    }

    /// One datagram: each message's sequence number, kind and rest.
    fn receive(&mut self, mut each: impl FnMut(u32, u16, &[u8]) -> Result<(), Errno>) -> Result<(), Errno> {
        let mut buffer = vec![0u8; 64 << 10];
        let (length, _) = loop {
            match recv(&self.socket, buffer.as_mut_slice(), RecvFlags::empty()) {
                Err(Errno::INTR) => {}
                other => break other?,
            }
        };
        let mut rest = &buffer[..length];
        while rest.len() >= HEADER {
            let number = |at: usize| u32::from_ne_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
            let (length, sequence) = (number(0) as usize, number(8));
            let kind = u16::from_ne_bytes([rest[4], rest[5]]);
            let body = rest.get(HEADER..length).ok_or(Errno::BADMSG)?;
            each(sequence, kind, body)?;
            rest = rest.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
        }
        Ok(())
    }
}

/// Of an acknowledgement; none where all went well.
fn errno(body: &[u8]) -> Option<Errno> {
    let number = body.first_chunk::<4>().map(|bytes| i32::from_ne_bytes(*bytes))?;
    (number != 0).then(|| Errno::from_raw_os_error(-number))
}

/// Kind and value of each attribute.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = u16::from_ne_bytes(*bytes.first_chunk::<2>()?) as usize;
        let kind = u16::from_ne_bytes([*bytes.get(2)?, *bytes.get(3)?]) & !NESTED;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
        Some((kind, value))
    })
}
