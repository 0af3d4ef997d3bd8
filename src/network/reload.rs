//! Putting networks right while containers run: after somebody flushed the rules or deleted a bridge. What is to be there is
//! in the files of the state alone; what is there already stays as it is.

use std::collections::HashMap;

use super::attachment::{Attachment, Link};
use super::bridge;
use super::conntrack;
use super::error::{Context, Error};
use super::firewall;
use super::link::{self, Known};
use super::lock::Lock;
use super::netlink::Socket;
use super::state::Live;
use crate::Scope;

/// What was not as it is to be, in words.
pub type Repairs = Vec<String>;

/// Bridges, their ports, the kernel's settings, the rules: all of them, whether anything seems to be missing or not.
pub fn reload(scope: &Scope) -> Result<Repairs, Error> {
    repair(scope, true)
}

/// Only what is missing. Looks first, and touches nothing where all is well.
pub fn mend(scope: &Scope) -> Result<Repairs, Error> {
    repair(scope, false)
}

fn repair(scope: &Scope, everything: bool) -> Result<Repairs, Error> {
    if !scope.network_states().exists() {
        return Ok(Repairs::new());
    }
    let lock = Lock::take(scope)?;
    let bridges: Vec<Live> = Live::all(scope).into_iter().filter(Live::is_bridge).collect();
    if bridges.is_empty() {
        return Ok(Repairs::new());
    }
    let mut repairs = Repairs::new();
    let mut failures = restore_links(scope, &bridges, everything, &mut repairs)?;
    let intact = firewall::is_intact(&bridges);
    if everything || !intact {
        failures.extend(firewall::rebuild(scope, &lock).err());
    }
    if !intact {
        repairs.push(RULES.to_owned());
        // What came for published ports meanwhile went elsewhere.
        Attachment::all(scope).iter().for_each(conntrack::forget);
    }
    failures.into_iter().next().map_or(Ok(repairs), Err)
}

/// What [`mend`] would make again. Nothing is touched.
pub fn missing(scope: &Scope) -> Result<Repairs, Error> {
    let bridges: Vec<Live> = Live::all(scope).into_iter().filter(Live::is_bridge).collect();
    if bridges.is_empty() {
        return Ok(Repairs::new());
    }
    let mut socket = Socket::route().doing(|| "socket(AF_NETLINK)")?;
    let there = link::all(&mut socket).doing(|| "list the interfaces")?;
    let mut missing: Repairs =
        bridges.iter().filter(|live| !there.contains_key(&live.interface)).map(bridge_of).collect();
    for link in Attachment::all(scope).iter().flat_map(|attachment| &attachment.links) {
        let live = bridges.iter().find(|live| live.name == link.network);
        let (Some(host), Some(live)) = (&link.host_interface, live) else { continue };
        let Some(Known { master, .. }) = there.get(host).copied() else { continue };
        if master.is_none() || master != there.get(&live.interface).map(|bridge| bridge.index) {
            missing.push(link_of(host, link));
        }
    }
    if !firewall::is_intact(&bridges) {
        missing.push(RULES.to_owned());
    }
    Ok(missing)
}

const RULES: &str = "the rules of table inet berth";

fn bridge_of(live: &Live) -> String {
    format!("bridge {} of network {}", live.interface, live.name)
}

fn link_of(host: &str, link: &Link) -> String {
    format!("link {host} to network {}", link.network)
}

/// Every one is tried.
fn restore_links(
    scope: &Scope,
    bridges: &[Live],
    everything: bool,
    repairs: &mut Repairs,
) -> Result<Vec<Error>, Error> {
    let mut socket = Socket::route().doing(|| "socket(AF_NETLINK)")?;
    let there = link::all(&mut socket).doing(|| "list the interfaces")?;
    let mut failures = Vec::new();
    let mut masters = HashMap::new();
    for live in bridges {
        if !there.contains_key(&live.interface) {
            repairs.push(bridge_of(live));
        }
        let restored = bridge::restore(live, &mut socket).and_then(|bridge| {
            masters.insert(live.name.clone(), bridge);
            if everything { bridge::prepare_forwarding(live) } else { Ok(()) }
        });
        failures.extend(restored.err());
    }
    for link in Attachment::all(scope).iter().flat_map(|attachment| &attachment.links) {
        let (Some(host), Some(bridge)) = (&link.host_interface, masters.get(&link.network)) else { continue };
        // One that is gone went with the container's end: there is nothing to mend.
        let Some(Known { index, master }) = there.get(host).copied() else { continue };
        if master != Some(*bridge) {
            repairs.push(link_of(host, link));
            let joined = link::join(&mut socket, host, index, *bridge);
            failures.extend(joined.doing(|| format!("make {host} a port of its bridge")).err());
        }
    }
    Ok(failures)
}
