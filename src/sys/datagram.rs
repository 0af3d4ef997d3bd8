//! recvmmsg(2) and sendmmsg(2) on a socket of IPv6 that takes IPv4 as well, or of IPv4 alone where the kernel has no other,
//! with the address and the interface of this host that each packet came to (ip(7), ipv6(7)). The calls are made directly:
//! musl's sendmmsg sends one by one.

use std::mem::{size_of, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::null_mut;

use rustix::io::Errno;
use rustix::net::{AddressFamily, getsockname};

use super::check;

/// How many packets are taken, or sent, with one call.
pub const BATCH: usize = 32;
/// What is longer is cut off.
pub const LONGEST: usize = 4096;

/// What a socket is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    V4,
    Both,
}

/// Which way a packet came, and an answer to it goes back. IPv4 addresses are mapped ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    pub peer: SocketAddrV6,
    /// The address of this host.
    pub local: Ipv6Addr,
    /// Its index.
    pub interface: u32,
}

/// Room for ancillary data, aligned as its header must be. One `in6_pktinfo` needs 40 bytes of it, an `in_pktinfo` 32.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 128]);

const EMPTY: Control = Control([0; 128]);

/// What one call reads or writes beside the packets themselves. The headers point into the rest.
struct Call {
    headers: [libc::mmsghdr; BATCH],
    vectors: [libc::iovec; BATCH],
    peers: [libc::sockaddr_storage; BATCH],
    controls: [Control; BATCH],
}

impl Call {
    fn new() -> Self {
        // SAFETY: these are plain C structures, for which all zeros is valid.
        let (headers, vectors, peers) = unsafe { (zeroed(), zeroed(), zeroed()) };
        Call { headers, vectors, peers, controls: [EMPTY; BATCH] }
    }

    /// Points a header at a packet, and at the room for its address and ancillary data. Do not move the call afterwards.
    fn point(&mut self, number: usize, packet: &mut [u8]) -> &mut libc::msghdr {
        self.vectors[number] = libc::iovec { iov_base: packet.as_mut_ptr().cast(), iov_len: packet.len() };
        let header = &mut self.headers[number].msg_hdr;
        header.msg_name = (&raw mut self.peers[number]).cast();
        header.msg_namelen = size_of::<libc::sockaddr_storage>() as _;
        header.msg_iov = &raw mut self.vectors[number];
        header.msg_iovlen = 1;
        header.msg_control = (&raw mut self.controls[number]).cast();
        header.msg_controllen = size_of::<Control>() as _;
        header
    }
}

/// From now on each packet that arrives comes with its way.
pub fn tell_ways(socket: BorrowedFd<'_>) -> Result<Family, Errno> {
    let (family, level, option) = match getsockname(socket)?.address_family() {
        AddressFamily::INET => (Family::V4, libc::IPPROTO_IP, libc::IP_PKTINFO),
        _ => (Family::Both, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
    };
    let on: libc::c_int = 1;
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the option's value is an int, which lives through the call.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const on).cast(), length) }.into())?;
    Ok(family)
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
        let mut call = Call::new();
        for (number, packet) in self.packets.iter_mut().enumerate() {
            call.point(number, packet);
        }
        self.received.clear();
        // SAFETY: each header points to a name, a vector, a packet and a control buffer that live through the call and
        // are as long as it says.
        let count = check(unsafe {
            libc::syscall(
                libc::SYS_recvmmsg,
                socket.as_raw_fd(),
                call.headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                null_mut::<libc::timespec>(),
            )
        })? as usize;
        for (header, peer) in call.headers[..count].iter().zip(&call.peers) {
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

fn way(header: &libc::msghdr, peer: &libc::sockaddr_storage) -> Option<Way> {
    let peer = address(peer)?;
    // SAFETY: the kernel has filled in the control buffer that the header points to, which is alive, and its length;
    // the macros stay within it, and what it holds is read where the whole of it is there.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while !message.is_null() {
            let holds = |length: usize| (*message).cmsg_len as usize >= libc::CMSG_LEN(length as _) as usize;
            match ((*message).cmsg_level, (*message).cmsg_type) {
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) if holds(size_of::<libc::in6_pktinfo>()) => {
                    let found = libc::CMSG_DATA(message).cast::<libc::in6_pktinfo>().read_unaligned();
                    let local = Ipv6Addr::from(found.ipi6_addr.s6_addr);
                    return Some(Way { peer, local, interface: found.ipi6_ifindex as u32 });
                }
                (libc::IPPROTO_IP, libc::IP_PKTINFO) if holds(size_of::<libc::in_pktinfo>()) => {
                    let found = libc::CMSG_DATA(message).cast::<libc::in_pktinfo>().read_unaligned();
                    let local = Ipv4Addr::from(found.ipi_addr.s_addr.to_ne_bytes()).to_ipv6_mapped();
                    return Some(Way { peer, local, interface: found.ipi_ifindex as u32 });
                }
                _ => message = libc::CMSG_NXTHDR(header, message),
            }
        }
    }
    None
}

fn address(peer: &libc::sockaddr_storage) -> Option<SocketAddrV6> {
    let peer = &raw const *peer;
    // SAFETY: a sockaddr_storage is as long and as aligned as any address, and the family says which one it holds.
    unsafe {
        match i32::from((*peer).ss_family) {
            libc::AF_INET6 => {
                let peer = peer.cast::<libc::sockaddr_in6>().read();
                let address = Ipv6Addr::from(peer.sin6_addr.s6_addr);
                Some(SocketAddrV6::new(address, u16::from_be(peer.sin6_port), 0, peer.sin6_scope_id))
            }
            libc::AF_INET => {
                let peer = peer.cast::<libc::sockaddr_in>().read();
                let address = Ipv4Addr::from(peer.sin_addr.s_addr.to_ne_bytes()).to_ipv6_mapped();
                Some(SocketAddrV6::new(address, u16::from_be(peer.sin_port), 0, 0))
            }
            _ => None,
        }
    }
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
    pub fn send(&mut self, socket: BorrowedFd<'_>, family: Family) {
        let mut first = 0;
        while first < self.ends.len().min(BATCH) {
            match self.send_from(socket, family, first) {
                Ok(sent) => first += sent.max(1),
                Err(Errno::INTR) => {}
                // The first of them is wrong: one to an address without a route.
                Err(_) => first += 1,
            }
        }
        self.bytes.clear();
        self.ends.clear();
    }

    fn send_from(&mut self, socket: BorrowedFd<'_>, family: Family, first: usize) -> Result<usize, Errno> {
        let mut call = Call::new();
        let mut start = first.checked_sub(1).map_or(0, |before| self.ends[before].0);
        let waiting = &self.ends[first..self.ends.len().min(BATCH)];
        for (number, (end, way)) in waiting.iter().enumerate() {
            let header = call.point(number, &mut self.bytes[start..*end]);
            start = *end;
            match family {
                Family::Both => set_way(header, way),
                Family::V4 => set_way_v4(header, way),
            }
        }
        let count = waiting.len() as libc::c_uint;
        // SAFETY: as with recvmmsg; sendmmsg writes only the lengths in the headers.
        let sent = check(unsafe {
            libc::syscall(
                libc::SYS_sendmmsg,
                socket.as_raw_fd(),
                call.headers.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        })?;
        Ok(sent as usize)
    }
}

/// The header must be one that [`Call::point`] has filled in.
fn set_way(header: &mut libc::msghdr, way: &Way) {
    let information = libc::in6_pktinfo {
        ipi6_addr: libc::in6_addr { s6_addr: way.local.octets() },
        ipi6_ifindex: way.interface as _,
    };
    // SAFETY: all zeros is a valid address; the name has room for any address, the control buffer is aligned and has room
    // for this, so that its first header is there.
    unsafe {
        let mut peer: libc::sockaddr_in6 = zeroed();
        peer.sin6_family = libc::AF_INET6 as _;
        peer.sin6_port = way.peer.port().to_be();
        peer.sin6_addr.s6_addr = way.peer.ip().octets();
        peer.sin6_scope_id = way.peer.scope_id();
        header.msg_name.cast::<libc::sockaddr_in6>().write(peer);
        header.msg_namelen = size_of::<libc::sockaddr_in6>() as _;
        header.msg_controllen = libc::CMSG_SPACE(size_of::<libc::in6_pktinfo>() as _) as _;
        let message = libc::CMSG_FIRSTHDR(header);
        (*message).cmsg_level = libc::IPPROTO_IPV6;
        (*message).cmsg_type = libc::IPV6_PKTINFO;
        (*message).cmsg_len = libc::CMSG_LEN(size_of::<libc::in6_pktinfo>() as _) as _;
        libc::CMSG_DATA(message).cast::<libc::in6_pktinfo>().write_unaligned(information);
    }
}

/// The same for a socket that has no IPv6; then no way has, either.
fn set_way_v4(header: &mut libc::msghdr, way: &Way) {
    let raw = |address: &Ipv6Addr| {
        let address = address.to_ipv4_mapped().unwrap_or(Ipv4Addr::UNSPECIFIED);
        libc::in_addr { s_addr: libc::in_addr_t::from_ne_bytes(address.octets()) }
    };
    let information = libc::in_pktinfo {
        ipi_ifindex: way.interface as _,
        ipi_spec_dst: raw(&way.local),
        ipi_addr: libc::in_addr { s_addr: 0 },
    };
    // SAFETY: as in `set_way`.
    unsafe {
        let mut peer: libc::sockaddr_in = zeroed();
        peer.sin_family = libc::AF_INET as _;
        peer.sin_port = way.peer.port().to_be();
        peer.sin_addr = raw(way.peer.ip());
        header.msg_name.cast::<libc::sockaddr_in>().write(peer);
        header.msg_namelen = size_of::<libc::sockaddr_in>() as _;
        header.msg_controllen = libc::CMSG_SPACE(size_of::<libc::in_pktinfo>() as _) as _;
        let message = libc::CMSG_FIRSTHDR(header);
        (*message).cmsg_level = libc::IPPROTO_IP;
        (*message).cmsg_type = libc::IP_PKTINFO;
        (*message).cmsg_len = libc::CMSG_LEN(size_of::<libc::in_pktinfo>() as _) as _;
        libc::CMSG_DATA(message).cast::<libc::in_pktinfo>().write_unaligned(information);
    }
}
