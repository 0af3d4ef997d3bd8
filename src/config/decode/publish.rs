//! `publish` of `[network]`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::diagnostics::{MOST, Mistake};
use crate::config::item::{Item, Section};
use crate::config::{Protocol, Publish, parse};

const EVERY_IPV4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const EVERY_IPV6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// First port → last port and which of the list it is, of one protocol on one address.
type Taken = BTreeMap<u16, (u16, usize)>;

pub fn decode(section: Section) -> Vec<Publish> {
    let publish = section.list("publish", |item| item.parsed(parse::publish));
    let items = section.item("publish").map(Item::items).unwrap_or_default();
    if items.len() == publish.len() {
        refuse_overlaps(&items, &publish);
    }
    publish
}

/// A port of the host's leads to one place. Those on every address come first, so that one that is on a single address
/// has only to be compared with them and with what is on its own.
fn refuse_overlaps(items: &[Item], publish: &[Publish]) {
    let mut order: Vec<usize> = (0..publish.len()).collect();
    order.sort_by_key(|at| wider(publish[*at].address).len());
    let mut found = 0;
    let mut taken: BTreeMap<(Protocol, Option<IpAddr>), Taken> = BTreeMap::new();
    for at in order {
        let Publish { address, host: Some(host), protocol, .. } = &publish[at] else { continue };
        let overlap = wider(*address).into_iter().chain([*address]).find_map(|address| {
            let (first, (last, other)) = taken.get(&(*protocol, address))?.range(..=*host.end()).next_back()?;
            (last >= host.start()).then_some(((*first).max(*host.start()), *other))
        });
        match overlap {
            Some(_) if found == MOST => return,
            Some((port, other)) => {
                found += 1;
                let (item, other) = (items[at.max(other)], items[at.min(other)]);
                let other = item.report.seen_from(&item.node.place, &other.node.place);
                let message = format!("port {port}/{protocol} of the host's is published already, in {other}");
                item.fail::<()>(Mistake::new(message, "one port leads to one place; keep one"));
            }
            None => {
                taken.entry((*protocol, *address)).or_default().insert(*host.start(), (*host.end(), at));
            }
        }
    }
}

/// What else a packet to this address would be for.
fn wider(address: Option<IpAddr>) -> Vec<Option<IpAddr>> {
    match address {
        None => vec![],
        Some(EVERY_IPV4 | EVERY_IPV6) => vec![None],
        Some(IpAddr::V4(_)) => vec![None, Some(EVERY_IPV4)],
        Some(IpAddr::V6(_)) => vec![None, Some(EVERY_IPV6)],
    }
}
