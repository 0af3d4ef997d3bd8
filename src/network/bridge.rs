//! A bridge network: made when it is first used, put right where somebody else has taken a part of it away, removed with its
//! last container. The caller holds the lock.

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

use super::error::{Context, Error};
use super::interface_name::InterfaceName;
use super::link::{self, Index};
use super::mac;
use super::netlink::Socket;
use super::state::{Live, directory};
use super::subnet::{self, choose};
use crate::Scope;
use crate::config::Network;

/// The network as it is now up, and its bridge.
pub fn ensure(scope: &Scope, network: &Network, socket: &mut Socket) -> Result<(Live, Index), Error> {
    let live = match Live::load(scope, network.name.as_str()) {
        Some(live) => live,
        None => {
            let live = settle(scope, network)?;
            if find(socket, &live.interface)?.is_some() {
                let network = network.name.to_string();
                return Err(Error::ForeignInterface { network, interface: live.interface });
            }
            // Before the bridge, so that whoever tidies up knows of it.
            live.save(scope).doing(|| format!("write network.json of network {}", network.name))?;
            live
        }
    };
    let bridge = restore(&live, socket)?;
    Ok((live, bridge))
}

/// Makes what is missing of a network that is to be up.
pub fn restore(live: &Live, socket: &mut Socket) -> Result<Index, Error> {
    if let Some(bridge) = find(socket, &live.interface)? {
        return Ok(bridge);
    }
    let name = &live.interface;
    let first = live.subnets.iter().find_map(|subnet| subnet.gateway);
    let mac = mac::of(first, name);
    link::add_bridge(socket, name, mac, live.mtu).doing(|| format!("make the bridge {name}"))?;
    let bridge = find(socket, name)?.ok_or_else(|| Error::NoInterface(name.clone()))?;
    prepare_forwarding(live)?;
    let addresses =
        live.subnets.iter().filter_map(|subnet| IpNet::new(subnet.gateway?, subnet.subnet.prefix_len()).ok());
    let messages = addresses.map(|address| link::address(bridge, address)).collect();
    link::send_all(socket, messages).map_err(|refused| refused.errno).doing(|| format!("give {name} its addresses"))?;
    if let Some(full) = full_name(live) {
        link::add_name(socket, bridge, &full).doing(|| format!("give {name} its other name"))?;
    }
    Ok(bridge)
}

/// Removes it, with everything that is noted of it.
pub fn remove(scope: &Scope, live: &Live, socket: &mut Socket) -> Result<(), Error> {
    link::delete(socket, &live.interface).doing(|| format!("remove the bridge {}", live.interface))?;
    let path = directory(scope, &live.name);
    match std::fs::remove_dir_all(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.doing(|| format!("remove {}", path.display())),
    }
}

/// Every choice that the network's file leaves open.
fn settle(scope: &Scope, network: &Network) -> Result<Live, Error> {
    let interface = InterfaceName::of_network(network).name;
    let subnets = choose(network, &interface, &subnet::routes(), &Live::all(scope))?;
    Ok(Live {
        name: network.name.to_string(),
        driver: "bridge".to_owned(),
        interface,
        subnets,
        internal: network.internal,
        isolate: network.isolate,
        dns: network.dns,
        mtu: network.mtu,
    })
}

fn full_name(live: &Live) -> Option<String> {
    let full = format!("berth-{}", live.name);
    (live.interface != full && live.interface.starts_with("berth-")).then_some(full)
}

pub fn find(socket: &mut Socket, name: &str) -> Result<Option<Index>, Error> {
    link::find(socket, name).doing(|| format!("look for the interface {name}"))
}

/// What the kernel needs to be told so that it forwards, and takes 127.0.0.1 to a container and back.
fn prepare_forwarding(live: &Live) -> Result<(), Error> {
    let name = &live.interface;
    let has =
        |wanted: fn(&IpAddr) -> bool| live.subnets.iter().filter_map(|subnet| subnet.gateway).any(|ip| wanted(&ip));
    if has(IpAddr::is_ipv4) {
        set(&format!("ipv4/conf/{name}/route_localnet"), "1")?;
        set("ipv4/ip_forward", "1")?;
    }
    if has(IpAddr::is_ipv6) {
        set(&format!("ipv6/conf/{name}/accept_ra"), "0")?;
        set(&format!("ipv6/conf/{name}/accept_dad"), "0")?;
        keep_advertisements();
        set("ipv6/conf/all/forwarding", "1")?;
    }
    Ok(())
}

/// A host that forwards no longer listens to routers, unless it is told that it is to listen nevertheless
/// (ip-sysctl.rst, `accept_ra`): it would lose its own way out.
fn keep_advertisements() {
    let base = Path::new("/proc/sys/net/ipv6/conf");
    if std::fs::read_to_string(base.join("all/forwarding")).is_ok_and(|value| value.trim() == "1") {
        return;
    }
    for entry in std::fs::read_dir(base).into_iter().flatten().flatten() {
        let path = entry.path().join("accept_ra");
        if std::fs::read_to_string(&path).is_ok_and(|value| value.trim() == "1") {
            // An interface that goes away meanwhile needs nothing.
            let _ = std::fs::write(path, "2");
        }
    }
}

/// Writes a setting of the network namespace we are in, unless it is so already.
pub fn set(key: &str, value: &str) -> Result<(), Error> {
    let path = Path::new("/proc/sys/net").join(key);
    match std::fs::read_to_string(&path) {
        Ok(found) if found.trim() == value => Ok(()),
        // A kernel without IPv6 has nothing to be told of it.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        _ => std::fs::write(&path, value).doing(|| format!("write “{value}” to {}", path.display())),
    }
}
