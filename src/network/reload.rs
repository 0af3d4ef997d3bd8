//! Putting networks right while containers run: after somebody flushed the rules or deleted a bridge. What is to be there is
//! in the files of the state alone; what is there already stays as it is.

use std::collections::HashMap;

use super::attachment::Attachment;
use super::bridge;
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
    let _lock = Lock::take(scope)?;
    let bridges: Vec<Live> = Live::all(scope).into_iter().filter(Live::is_bridge).collect();
    if bridges.is_empty() {
        return Ok(Repairs::new());
    }
    let mut repairs = Repairs::new();
    let mut failures = restore_links(scope, &bridges, everything, &mut repairs)?;
    let intact = firewall::is_intact(&bridges);
    if everything || !intact {
        failures.extend(firewall::rebuild(scope).err());
    }
    if !intact {
        repairs.push("the rules of table inet berth".to_owned());
    }
    failures.into_iter().next().map_or(Ok(repairs), Err)
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
            repairs.push(format!("bridge {} of network {}", live.interface, live.name));
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
            repairs.push(format!("link {host} to network {}", link.network));
            let joined = link::join(&mut socket, host, index, *bridge);
            failures.extend(joined.doing(|| format!("make {host} a port of its bridge")).err());
        }
    }
    Ok(failures)
}
