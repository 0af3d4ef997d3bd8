//! The sockets that systemd listens on for us (sd_listen_fds(3)).

use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsFd;

use rustix::net::SocketType;
use rustix::net::sockopt::socket_type;

use crate::sys::datagram::{Family, tell_ways};
use crate::sys::descriptors::adopt;

const FIRST: i32 = 3;

#[derive(Debug, thiserror::Error)]
pub enum SocketsError {
    #[error("not started by systemd for berth-names.socket: a datagram and a stream socket are expected in LISTEN_FDS")]
    Missing,
    #[error("the socket for datagrams cannot tell where they come from: {0}")]
    Datagrams(#[source] rustix::io::Errno),
    #[error("the sockets cannot be set not to block: {0}")]
    Blocking(#[from] std::io::Error),
}

pub struct Sockets {
    pub datagrams: UdpSocket,
    pub family: Family,
    pub streams: TcpListener,
}

impl Sockets {
    /// Takes them over; call once.
    pub fn inherited() -> Result<Sockets, SocketsError> {
        let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u32>().ok());
        let ours = number("LISTEN_PID") == Some(std::process::id());
        let count = number("LISTEN_FDS").filter(|_| ours).unwrap_or(0) as i32;
        let (mut datagrams, mut streams) = (None, None);
        for socket in (FIRST..FIRST + count).filter_map(adopt) {
            match socket_type(&socket) {
                Ok(SocketType::DGRAM) => datagrams = Some(UdpSocket::from(socket)),
                Ok(SocketType::STREAM) => streams = Some(TcpListener::from(socket)),
                _ => {}
            }
        }
        let (Some(datagrams), Some(streams)) = (datagrams, streams) else { return Err(SocketsError::Missing) };
        let family = tell_ways(datagrams.as_fd()).map_err(SocketsError::Datagrams)?;
        datagrams.set_nonblocking(true)?;
        streams.set_nonblocking(true)?;
        Ok(Sockets { datagrams, family, streams })
    }
}
