//! The pair of sockets between the executor and the process that becomes the payload.
//!
//! End of file on either side means that the other one died: the payload's side then exits at once, so that
//! nothing half set up survives its executor.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

/// Descriptors that fit in one message (`SCM_MAX_FD` is 253).
const BATCH: usize = 200;

pub struct Channel(OwnedFd);

/// The bytes of one message, and the descriptors that came with it.
type Received = (Vec<u8>, Vec<OwnedFd>);

/// One message to the payload's side or from it.
pub enum Message {
    /// Descriptors, each with the number of the step it is for.
    Handles(Vec<(usize, OwnedFd)>),
    /// The user namespace is mapped and every handle sent: set up the container.
    SetUp,
    /// Everything is in place. Whether what is to run says when it is ready, where that is for the container to know.
    Ready { speaks: bool },
    /// A step failed: the exit code and the reason.
    Failed(i32, String),
    /// systemd knows the payload: run it.
    Run,
    /// The payload's number, to the caller of a start in a scope.
    Running(i32),
    /// What is written to a terminal is logged for the container of that name, and its unit.
    Log { name: String, unit: String },
}

impl Channel {
    pub fn pair() -> Result<(Channel, Channel), Errno> {
        let (one, other) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Channel(one), Channel(other)))
    }

    /// The side whose descriptor was handed down.
    pub fn over(socket: OwnedFd) -> Channel {
        Channel(socket)
    }

    pub fn send_handles(&self, handles: &[(usize, BorrowedFd<'_>)]) -> Result<(), Errno> {
        for batch in handles.chunks(BATCH) {
            let mut bytes = vec![b'H'];
            let mut fds = Vec::with_capacity(batch.len());
            for (step, fd) in batch {
                bytes.extend((*step as u32).to_ne_bytes());
                fds.push(*fd);
            }
            self.send_bytes(&bytes, &fds)?;
        }
        Ok(())
    }

    pub fn send(&self, message: &Message) -> Result<(), Errno> {
        let bytes = match message {
            Message::Handles(_) => return Err(Errno::INVAL),
            Message::SetUp => vec![b'S'],
            Message::Ready { speaks } => vec![b'R', u8::from(*speaks)],
            Message::Run => vec![b'G'],
            Message::Log { name, unit } => format!("L{name}\n{unit}").into_bytes(),
            Message::Running(number) => [b"P".as_slice(), &number.to_ne_bytes()].concat(),
            Message::Failed(code, text) => {
                let mut bytes = vec![b'F'];
                bytes.extend(code.to_ne_bytes());
                bytes.extend(text.as_bytes().iter().take(8000));
                bytes
            }
        };
        self.send_bytes(&bytes, &[])
    }

    pub(super) fn send_bytes(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(Errno::TOOBIG);
        }
        sendmsg(&self.0, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL).map(drop)
    }

    /// The next message; `None` where the other side is gone.
    pub fn receive(&self) -> Result<Option<Message>, Errno> {
        let Some((bytes, fds)) = self.receive_bytes()? else { return Ok(None) };
        let Some((kind, rest)) = bytes.split_first() else { return Ok(None) };
        understood(*kind, rest, fds).map(Some).ok_or(Errno::BADMSG)
    }

    pub(super) fn receive_bytes(&self) -> Result<Option<Received>, Errno> {
        let mut bytes = [0u8; 8192];
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            match recvmsg(&self.0, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC) {
                Err(Errno::INTR) => {}
                Err(Errno::CONNRESET) => return Ok(None),
                other => break other?,
            }
        };
        let fds: Vec<OwnedFd> = control
            .drain()
            .flat_map(|message| match message {
                RecvAncillaryMessage::ScmRights(fds) => fds.collect(),
                _ => Vec::new(),
            })
            .collect();
        // Half a message is none (CVE-2021-43784): what was cut off may be what the rest depends on.
        if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
            return Err(Errno::MSGSIZE);
        }
        Ok((received.bytes > 0).then(|| (bytes[..received.bytes].to_vec(), fds)))
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> OwnedFd {
        channel.0
    }
}

/// `None` unless it is a whole message and nothing beside it.
fn understood(kind: u8, rest: &[u8], fds: Vec<OwnedFd>) -> Option<Message> {
    let message = match (kind, rest) {
        (b'H', steps) if steps.len() == 4 * fds.len() => {
            let steps = steps.as_chunks::<4>().0.iter().map(|step| u32::from_ne_bytes(*step) as usize);
            return Some(Message::Handles(steps.zip(fds).collect()));
        }
        (b'S', []) => Message::SetUp,
        (b'R', &[speaks @ (0 | 1)]) => Message::Ready { speaks: speaks == 1 },
        (b'G', []) => Message::Run,
        (b'P', &[a, b, c, d]) => Message::Running(i32::from_ne_bytes([a, b, c, d])),
        (b'L', text) => {
            let (name, unit) = std::str::from_utf8(text).ok()?.split_once('\n')?;
            Message::Log { name: name.to_owned(), unit: unit.to_owned() }
        }
        (b'F', [a, b, c, d, text @ ..]) => {
            Message::Failed(i32::from_ne_bytes([*a, *b, *c, *d]), String::from_utf8_lossy(text).into_owned())
        }
        _ => return None,
    };
    fds.is_empty().then_some(message)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn many_handles_arrive_with_their_steps_and_a_closed_side_is_seen() {
        let (one, other) = Channel::pair().unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        let handles: Vec<_> = (0..250).map(|step| (step * 3, file.as_fd())).collect();
        one.send_handles(&handles).unwrap();
        one.send(&Message::Failed(126, "why".into())).unwrap();
        drop(one);
        let mut steps = Vec::new();
        while steps.len() < 250 {
            match other.receive().unwrap().unwrap() {
                Message::Handles(batch) => steps.extend(batch.into_iter().map(|(step, _)| step)),
                _ => panic!("expected handles"),
            }
        }
        assert_eq!(steps, (0..250).map(|step| step * 3).collect::<Vec<_>>());
        assert!(matches!(other.receive().unwrap(), Some(Message::Failed(126, text)) if text == "why"));
        assert!(other.receive().unwrap().is_none());
    }

    #[test]
    fn a_message_that_is_cut_off_or_not_as_long_as_it_says_is_refused() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let null = |count| vec![file.as_fd(); count];
        let step = 7u32.to_ne_bytes();
        let handles = |count: usize| [b"H", step.repeat(count).as_slice()].concat();
        for (what, bytes, fds) in [
            ("longer than any message", [b'F'; 8193].to_vec(), 0),
            ("more steps than descriptors", handles(2), 1),
            ("more descriptors than steps", handles(1), 2),
            ("half a step", [&handles(1)[..], &[0, 0]].concat(), 1),
            ("descriptors where none belong", b"S".to_vec(), 1),
            ("a failure without its code", b"F12".to_vec(), 0),
            ("a failure with a descriptor", b"F1234why".to_vec(), 1),
            ("a word after the word", b"Go".to_vec(), 0),
            ("an answer that is neither yes nor no", b"R2".to_vec(), 0),
            ("a log of nobody's", b"Lname".to_vec(), 0),
            ("an unknown word", b"X".to_vec(), 0),
        ] {
            let (one, other) = Channel::pair().unwrap();
            one.send_bytes(&bytes, &null(fds)).unwrap();
            assert!(other.receive().is_err(), "{what}");
        }
        // More descriptors than there is room for.
        let (one, other) = Channel::pair().unwrap();
        let fds = null(BATCH + 50);
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH + 50))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
        let bytes = handles(BATCH);
        sendmsg(&one.0, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL).unwrap();
        assert!(matches!(other.receive(), Err(Errno::MSGSIZE)));
    }
}
