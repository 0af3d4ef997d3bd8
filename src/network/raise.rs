//! A network that a container is about to be on: made when it is first used, put right where somebody else has taken a part
//! of it away, removed with its last container. The caller holds the lock.

use super::bridge;
use super::error::{Context, Error};
use super::interface_name::InterfaceName;
use super::link::Index;
use super::netlink::Socket;
use super::parent;
use super::route;
use super::state::{Live, LiveSubnet, Member, directory};
use super::subnet::choose;
use super::unused::take_down;
use crate::Scope;
use crate::config::{Driver, Network};
use crate::event::{self, About};

/// The network as it is now up, and its bridge or its parent.
pub fn ensure(scope: &Scope, network: &Network, socket: &mut Socket) -> Result<(Live, Index), Error> {
    let mut known = Live::load(scope, network.name.as_str());
    // Its file may have been changed since its last container went.
    if let Some(live) = known.take_if(|live| !Member::any(scope, &live.name) && !is_as_described(live, network)) {
        take_down(scope, &live, socket)?;
    }
    let is_new = known.is_none();
    let live = known.map_or_else(|| settle(scope, network, socket), Ok)?;
    if is_new && live.is_bridge() && super::find(socket, &live.interface)?.is_some() {
        return Err(Error::ForeignInterface { network: live.name, interface: live.interface });
    }
    if is_new {
        // Before anything is made, so that whoever tidies up knows of it.
        live.save(scope).doing(|| format!("write network.json of network {}", network.name))?;
    }
    let index = match &network.driver {
        Driver::Macvlan { parent, .. } | Driver::Ipvlan { parent, .. } if !live.is_bridge() => {
            parent::ensure(parent, socket)?
        }
        _ => bridge::restore(&live, socket)?,
    };
    if is_new {
        event::record(scope, About::Network, "up", &live.name, &[("interface", &live.interface)]);
    }
    Ok((live, index))
}

/// Whether every choice that the file does not leave open is what was made.
fn is_as_described(live: &Live, network: &Network) -> bool {
    let said = |subnet: &LiveSubnet| network.subnets.iter().any(|said| said.subnet == subnet.subnet);
    let chosen = live.subnets.iter().filter(|subnet| !said(subnet)).count();
    let gateways = network.subnets.iter().all(|said| {
        let live = live.subnets.iter().find(|live| live.subnet == said.subnet);
        live.is_some_and(|live| said.gateway.is_none_or(|gateway| live.gateway == Some(gateway)))
    });
    let is_bridge = matches!(network.driver, Driver::Bridge);
    let open = usize::from(network.subnets.is_empty()) + usize::from(network.ipv6);
    (live.is_bridge(), &live.interface) == (is_bridge, &InterfaceName::of_network(network).name)
        && (live.internal, live.isolate, live.dns) == (network.internal, network.isolate, network.dns)
        && live.mtu == network.mtu
        && gateways
        && chosen <= open
}

/// Removes what is noted of it, once its bridge is gone and the firewall knows nothing of it any more.
pub fn forget(scope: &Scope, live: &Live, socket: &mut Socket) -> Result<(), Error> {
    let path = directory(scope, &live.name);
    match std::fs::remove_dir_all(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        other => {
            other.doing(|| format!("remove {}", path.display()))?;
            event::record(scope, About::Network, "down", &live.name, &[("interface", &live.interface)]);
        }
    }
    match live.is_bridge() {
        true => Ok(()),
        false => parent::let_go(scope, &live.interface, "", socket),
    }
}

/// Every choice that the network's file leaves open.
fn settle(scope: &Scope, network: &Network, socket: &mut Socket) -> Result<Live, Error> {
    let (driver, interface) = match &network.driver {
        Driver::Bridge => (Live::BRIDGE, InterfaceName::of_network(network).name),
        Driver::Macvlan { parent, .. } => ("macvlan", parent::name(parent)),
        Driver::Ipvlan { parent, .. } => ("ipvlan", parent::name(parent)),
    };
    let subnets = match network.driver {
        Driver::Bridge => {
            let routes = route::all(socket).doing(|| "list the routes")?;
            choose(network, &interface, &routes, &Live::all(scope))?
        }
        // Those of the network that the parent is on: the host has routes to them, and no address for its containers.
        _ => network.subnets.iter().map(|said| LiveSubnet { subnet: said.subnet, gateway: None }).collect(),
    };
    Ok(Live {
        name: network.name.to_string(),
        driver: driver.to_owned(),
        interface,
        subnets,
        internal: network.internal,
        isolate: network.isolate,
        dns: network.dns,
        mtu: network.mtu,
    })
}
