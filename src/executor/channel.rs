//! The pair of sockets between the executor and the process that becomes the payload.
//!
//! End of file on either side means that the other one died: the payload's side then exits at once, so that
//! nothing half set up survives its executor.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

/// Descriptors that fit in one message (`SCM_MAX_FD` is 253).
const BATCH: usize = 200;

pub struct Channel(OwnedFd);

/// One message to the payload's side or from it.
pub enum Message {
    /// Descriptors, each with the number of the step it is for.
    Handles(Vec<(usize, OwnedFd)>),
    /// The user namespace is mapped and every handle sent: set up the container.
    SetUp,
    /// Everything is in place.
    Ready,
    /// A step failed: the exit code and the reason.
    Failed(i32, String),
    /// systemd knows the payload: run it.
    Run,
    /// The payload's number, to the caller of a start in a scope.
    Running(i32),
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
            Message::Ready => vec![b'R'],
            Message::Run => vec![b'G'],
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

    fn send_bytes(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(Errno::TOOBIG);
        }
        sendmsg(&self.0, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL).map(drop)
    }

    /// The next message; `None` where the other side is gone.
    pub fn receive(&self) -> Result<Option<Message>, Errno> {
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
        let Some((kind, rest)) = bytes[..received.bytes].split_first() else { return Ok(None) };
        Ok(Some(match kind {
            b'H' => {
                let fds = control.drain().flat_map(|message| match message {
                    RecvAncillaryMessage::ScmRights(fds) => fds.collect::<Vec<_>>(),
                    _ => Vec::new(),
                });
                let steps = rest.as_chunks::<4>().0.iter().map(|step| u32::from_ne_bytes(*step) as usize);
                Message::Handles(steps.zip(fds).collect())
            }
            b'S' => Message::SetUp,
            b'R' => Message::Ready,
            b'G' => Message::Run,
            b'P' => Message::Running(i32::from_ne_bytes(rest.try_into().map_err(|_| Errno::BADMSG)?)),
            b'F' if rest.len() >= 4 => Message::Failed(
                i32::from_ne_bytes([rest[0], rest[1], rest[2], rest[3]]),
                String::from_utf8_lossy(&rest[4..]).into_owned(),
            ),
            _ => return Err(Errno::BADMSG),
        }))
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> OwnedFd {
        channel.0
    }
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
}
