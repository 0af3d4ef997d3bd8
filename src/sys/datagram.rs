//! recvmmsg(2) and sendmmsg(2) on an IPv6 socket that takes IPv4 as well, with the address and the interface of this host
//! that each packet came to (ipv6(7), `IPV6_RECVPKTINFO`). The calls are made directly: musl's sendmmsg sends one by one.

use std::mem::{size_of, zeroed};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::null_mut;

use rustix::io::Errno;

use super::check;

/// How many packets are taken, or sent, with one call.
pub const BATCH: usize = 32;
/// What is longer is cut off.
pub const LONGEST: usize = 4096;

const INFORMATION: usize = size_of::<libc::in6_pktinfo>();

/// Which way a packet came, and an answer to it goes back. IPv4 addresses are mapped ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    pub peer: SocketAddrV6,
    /// The address of this host.
    pub local: Ipv6Addr,
    /// Its index.
    pub interface: u32,
}

/// Room for ancillary data, aligned as its header must be. One `in6_pktinfo` needs 40 bytes of it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 128]);

const EMPTY: Control = Control([0; 128]);

/// From now on each packet that arrives comes with its way.
pub fn tell_ways(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    let on: libc::c_int = 1;
    // SAFETY: the option's value is an int, which lives through the call.
    check(
        unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_IPV6,
                libc::IPV6_RECVPKTINFO,
                (&raw const on).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        }
        .into(),
    )
    .map(drop)
}

/// The packets last received.
pub struct Inbox {
    packets: Vec<[u8; LONGEST]>,
    received: Vec<(usize, Option<Way>)>,
}

impl Default for Inbox {
    fn default() -> Self {
        Inbox { packets: vec![[0; LONGEST]; BATCH], received: Vec::with_capacity(BATCH) }
    }
}

impl Inbox {
    /// Takes what has arrived, and does not wait. Returns how many there are.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> Result<usize, Errno> {
        // SAFETY: these are plain C structures, for which all zeros is valid.
        let (mut headers, mut vectors, mut peers): (
            [libc::mmsghdr; BATCH],
            [libc::iovec; BATCH],
            [libc::sockaddr_in6; BATCH],
        ) = unsafe { (zeroed(), zeroed(), zeroed()) };
        let mut controls = [EMPTY; BATCH];
        for (number, packet) in self.packets.iter_mut().enumerate() {
            vectors[number] = libc::iovec { iov_base: packet.as_mut_ptr().cast(), iov_len: LONGEST };
            let header = &mut headers[number].msg_hdr;
            header.msg_name = (&raw mut peers[number]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in6>() as _;
            header.msg_iov = &raw mut vectors[number];
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut controls[number]).cast();
            header.msg_controllen = size_of::<Control>() as _;
        }
        self.received.clear();
        // SAFETY: each header points to a name, a vector, a packet and a control buffer that live through the call and
        // are as long as it says.
        let count = check(unsafe {
            libc::syscall(
                libc::SYS_recvmmsg,
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                null_mut::<libc::timespec>(),
            )
        })? as usize;
        for (header, peer) in headers[..count].iter().zip(&peers) {
            let length = (header.msg_len as usize).min(LONGEST);
            self.received.push((length, way(&header.msg_hdr, peer)));
        }
        Ok(count)
    }

    /// With no way where the kernel did not say it: such a packet cannot be answered.
    pub fn packets(&self) -> impl Iterator<Item = (&[u8], Option<Way>)> {
        self.packets.iter().zip(&self.received).map(|(packet, (length, way))| (&packet[..*length], *way))
    }
}

fn way(header: &libc::msghdr, peer: &libc::sockaddr_in6) -> Option<Way> {
    if i32::from(peer.sin6_family) != libc::AF_INET6 {
        return None;
    }
    let address = Ipv6Addr::from(peer.sin6_addr.s6_addr);
    let peer = SocketAddrV6::new(address, u16::from_be(peer.sin6_port), 0, peer.sin6_scope_id);
    // SAFETY: the kernel has filled in the control buffer that the header points to, which is alive, and its length;
    // the macros stay within it, and what it holds is read where a whole in6_pktinfo is there.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while !message.is_null() {
            let (level, kind) = ((*message).cmsg_level, (*message).cmsg_type);
            let whole = (*message).cmsg_len as usize >= libc::CMSG_LEN(INFORMATION as _) as usize;
            if level == libc::IPPROTO_IPV6 && kind == libc::IPV6_PKTINFO && whole {
                let found = libc::CMSG_DATA(message).cast::<libc::in6_pktinfo>().read_unaligned();
                let local = Ipv6Addr::from(found.ipi6_addr.s6_addr);
                return Some(Way { peer, local, interface: found.ipi6_ifindex as u32 });
            }
            message = libc::CMSG_NXTHDR(header, message);
        }
    }
    None
}

/// Packets that wait to be sent together.
#[derive(Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    ends: Vec<(usize, Way)>,
}

impl Outbox {
    pub fn is_full(&self) -> bool {
        self.ends.len() == BATCH
    }

    /// Call [`Outbox::send`] before, where it is full.
    pub fn add(&mut self, way: Way, packet: &[u8]) {
        self.bytes.extend_from_slice(packet);
        self.ends.push((self.bytes.len(), way));
    }

    /// Sends what waits, each from the address that was asked. What cannot be sent now is dropped, as a network may: who
    /// asked asks again.
    pub fn send(&mut self, socket: BorrowedFd<'_>) {
        let mut first = 0;
        while first < self.ends.len().min(BATCH) {
            match self.send_from(socket, first) {
                Ok(sent) => first += sent.max(1),
                Err(Errno::INTR) => {}
                // The first of them is wrong: one to an address without a route.
                Err(_) => first += 1,
            }
        }
        self.bytes.clear();
        self.ends.clear();
    }

    fn send_from(&mut self, socket: BorrowedFd<'_>, first: usize) -> Result<usize, Errno> {
        // SAFETY: these are plain C structures, for which all zeros is valid.
        let (mut headers, mut vectors, mut peers): (
            [libc::mmsghdr; BATCH],
            [libc::iovec; BATCH],
            [libc::sockaddr_in6; BATCH],
        ) = unsafe { (zeroed(), zeroed(), zeroed()) };
        let mut controls = [EMPTY; BATCH];
        let mut start = first.checked_sub(1).map_or(0, |before| self.ends[before].0);
        let waiting = &self.ends[first..self.ends.len().min(BATCH)];
        for (number, (end, way)) in waiting.iter().enumerate() {
            let packet = &mut self.bytes[start..*end];
            start = *end;
            vectors[number] = libc::iovec { iov_base: packet.as_mut_ptr().cast(), iov_len: packet.len() };
            peers[number].sin6_family = libc::AF_INET6 as _;
            peers[number].sin6_port = way.peer.port().to_be();
            peers[number].sin6_addr.s6_addr = way.peer.ip().octets();
            peers[number].sin6_scope_id = way.peer.scope_id();
            let header = &mut headers[number].msg_hdr;
            header.msg_name = (&raw mut peers[number]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in6>() as _;
            header.msg_iov = &raw mut vectors[number];
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut controls[number]).cast();
            // SAFETY: computes a length.
            header.msg_controllen = unsafe { libc::CMSG_SPACE(INFORMATION as _) } as _;
            set_source(header, way);
        }
        let count = waiting.len() as libc::c_uint;
        // SAFETY: as with recvmmsg; sendmmsg writes only the lengths in the headers.
        let sent = check(unsafe {
            libc::syscall(
                libc::SYS_sendmmsg,
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        })?;
        Ok(sent as usize)
    }
}

/// The header's control buffer must have room for it, all zeros.
fn set_source(header: &mut libc::msghdr, way: &Way) {
    let information = libc::in6_pktinfo {
        ipi6_addr: libc::in6_addr { s6_addr: way.local.octets() },
        ipi6_ifindex: way.interface as _,
    };
    // SAFETY: the caller's control buffer is aligned and long enough for one in6_pktinfo, so the first header is there.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        (*message).cmsg_level = libc::IPPROTO_IPV6;
        (*message).cmsg_type = libc::IPV6_PKTINFO;
        (*message).cmsg_len = libc::CMSG_LEN(INFORMATION as _) as _;
        libc::CMSG_DATA(message).cast::<libc::in6_pktinfo>().write_unaligned(information);
    }
}
