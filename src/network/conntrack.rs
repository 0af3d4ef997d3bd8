//! Flows that the kernel remembers (conntrack), by ctnetlink (linux/netfilter/nfnetlink_conntrack.h).
//!
//! Only the first packet of a flow is looked up among the published ports. A flow of UDP has no end as long as somebody
//! sends: one that began before the port was published, or while another container had it, would go on to where it went.

use std::collections::HashSet;
use std::net::IpAddr;

use rustix::io::Errno;

use super::attachment::Attachment;
use super::error::{Context, Error};
use super::link::{self, address_of};
use super::netlink::{Message, Refused, Socket, attributes};

const SUBSYSTEM: u16 = 1;
const GET: u16 = SUBSYSTEM << 8 | 1;
const DELETE: u16 = SUBSYSTEM << 8 | 2;

const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const ZONE: u16 = 18;
const FILTER: u16 = 25;
const FILTER_ORIGINAL: u16 = 1;
/// Only those of the protocol that is said beside it.
const BY_PROTOCOL: u32 = 1 << 3;

const TUPLE_ADDRESSES: u16 = 1;
const TUPLE_PORTS: u16 = 2;
const PROTOCOL: u16 = 1;
const TO_PORT: u16 = 3;

/// There is room in a socket for as many acknowledgements, and for some more.
const AT_ONCE: usize = 64;

/// One flow as far as it matters here, and what it is known by.
struct Flow {
    to: IpAddr,
    port: u16,
    /// Who answers.
    answerer: Option<IpAddr>,
    tuple: Vec<u8>,
    zone: Option<Vec<u8>>,
}

/// Forgets every flow of UDP to its published ports, at whatever address of the host's, and to itself by them. The next
/// packet of each begins a new one. Whoever is on the outside decides how many there are: neither a start nor an end fails
/// for one that stays.
pub fn forget(attachment: &Attachment) {
    if let Err(error) = try_to_forget(attachment) {
        eprintln!("flows of UDP may go on to where they went: {error}");
    }
}

fn try_to_forget(attachment: &Attachment) -> Result<(), Error> {
    let published: Vec<_> = attachment.published.iter().filter(|published| published.protocol == "udp").collect();
    if published.is_empty() {
        return Ok(());
    }
    let ports: HashSet<(Option<IpAddr>, u16)> = published
        .iter()
        .flat_map(|published| {
            let address = published.address.filter(|address| !address.is_unspecified());
            published.ports().map(move |(host, _)| (address, host))
        })
        .collect();
    let own = link::addresses(&mut Socket::route().doing(|| "socket(AF_NETLINK)")?).doing(|| "list the addresses")?;
    let is_hosts = |address: &IpAddr| address.to_canonical().is_loopback() || own.contains(address);
    let leads_here = |flow: &Flow| {
        let led = flow.answerer.is_some_and(|answerer| attachment.targets.contains(&answerer));
        (led || is_hosts(&flow.to)) && [None, Some(flow.to)].iter().any(|at| ports.contains(&(*at, flow.port)))
    };
    let mut socket = Socket::netfilter().doing(|| "socket(NETLINK_NETFILTER)")?;
    for family in [libc::AF_INET as u8, libc::AF_INET6 as u8] {
        let flows = match flows(&mut socket, family) {
            // A kernel that tracks none, or tells nobody of them.
            Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::AFNOSUPPORT) => continue,
            other => other.doing(|| "list the flows of UDP")?,
        };
        let gone: Vec<&Flow> = flows.iter().filter(|flow| leads_here(flow)).collect();
        for some in gone.chunks(AT_ONCE) {
            match socket.send(some.iter().map(|flow| deletion(family, flow)).collect()) {
                // It has ended meanwhile.
                Ok(()) | Err(Refused { errno: Errno::NOENT, .. }) => {}
                Err(refused) => Err(refused.errno).doing(|| "forget a flow of UDP")?,
            }
        }
    }
    Ok(())
}

fn flows(socket: &mut Socket, family: u8) -> Result<Vec<Flow>, Errno> {
    let question = Message::new(GET, libc::NLM_F_DUMP, &[family, 0, 0, 0])
        .nested(TUPLE_ORIGINAL, |tuple| {
            tuple.nested(TUPLE_PORTS, |ports| ports.attribute(PROTOCOL, &[libc::IPPROTO_UDP as u8]))
        })
        .nested(FILTER, |filter| filter.number(FILTER_ORIGINAL, BY_PROTOCOL));
    let answers = socket.ask(question)?;
    Ok(answers.iter().filter_map(|answer| flow(answer.body.get(4..)?)).collect())
}

fn flow(body: &[u8]) -> Option<Flow> {
    let find = |wanted: u16| attributes(body).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    let tuple = find(TUPLE_ORIGINAL)?;
    let (to, port) = (ends(tuple)?.1, within(tuple, TUPLE_PORTS, TO_PORT)?);
    Some(Flow {
        to,
        port: u16::from_be_bytes(*port.first_chunk()?),
        answerer: find(TUPLE_REPLY).and_then(ends).map(|(from, _)| from),
        tuple: tuple.to_vec(),
        zone: find(ZONE).map(<[u8]>::to_vec),
    })
}

/// From where and to where; of IPv4 they are attributes 1 and 2, of IPv6 3 and 4.
fn ends(tuple: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let at = |four, six| within(tuple, TUPLE_ADDRESSES, four).or_else(|| within(tuple, TUPLE_ADDRESSES, six));
    Some((address_of(at(1, 3)?)?, address_of(at(2, 4)?)?))
}

fn within(tuple: &[u8], part: u16, wanted: u16) -> Option<&[u8]> {
    let (_, nested) = attributes(tuple).find(|(kind, _)| *kind == part)?;
    attributes(nested).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

fn deletion(family: u8, flow: &Flow) -> Message {
    let message = Message::new(DELETE, libc::NLM_F_ACK, &[family, 0, 0, 0]);
    let message = message.nested(TUPLE_ORIGINAL, |tuple| tuple.raw(&flow.tuple));
    match &flow.zone {
        Some(zone) => message.attribute(ZONE, zone),
        None => message,
    }
}
