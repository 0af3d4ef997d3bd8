//! One question on its way to one of the host's resolvers: from a port of its own, which the kernel picks, so that an
//! answer can only be forged by guessing port and number.

use std::io::{ErrorKind, Result};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use super::framed::Framed;
use super::poller::Interest;

pub enum Upstream {
    Datagram(UdpSocket),
    Stream(Framed),
}

impl Upstream {
    pub fn send(server: SocketAddr, packet: &[u8], by_stream: bool) -> Result<Self> {
        if by_stream {
            let mut framed = Framed::new(connecting(server)?);
            framed.queue(packet);
            return Ok(Upstream::Stream(framed));
        }
        let any: SocketAddr = match server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any)?;
        socket.set_nonblocking(true)?;
        socket.connect(server)?;
        socket.send(packet)?;
        Ok(Upstream::Datagram(socket))
    }

    pub fn interest(&self) -> Interest {
        match self {
            Upstream::Datagram(_) => Interest::Reading,
            Upstream::Stream(framed) if framed.backlog() > 0 => Interest::Both,
            Upstream::Stream(_) => Interest::Reading,
        }
    }

    /// Goes on as far as that is possible now. Puts the next message into `answer`; false where there is none yet.
    pub fn advance(&mut self, answer: &mut Vec<u8>) -> Result<bool> {
        answer.clear();
        match self {
            Upstream::Datagram(socket) => {
                answer.resize(usize::from(u16::MAX), 0);
                match socket.recv(answer) {
                    Ok(length) => {
                        answer.truncate(length);
                        Ok(true)
                    }
                    Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(false),
                    Err(error) => Err(error),
                }
            }
            Upstream::Stream(framed) => {
                // Not connected yet: there is nothing to read either.
                if !framed.flush()? {
                    return Ok(false);
                }
                let open = framed.fill(usize::from(u16::MAX))?;
                match framed.next_message(usize::from(u16::MAX))? {
                    Some(message) => {
                        answer.extend_from_slice(&message);
                        Ok(true)
                    }
                    None if open => Ok(false),
                    None => Err(ErrorKind::UnexpectedEof.into()),
                }
            }
        }
    }
}

impl AsFd for Upstream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Upstream::Datagram(socket) => socket.as_fd(),
            Upstream::Stream(framed) => framed.stream.as_fd(),
        }
    }
}

fn connecting(server: SocketAddr) -> Result<TcpStream> {
    let family = if server.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    match connect(&socket, &server) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket.into()),
        Err(error) => Err(error.into()),
    }
}
