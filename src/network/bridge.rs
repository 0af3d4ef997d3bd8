//! The bridge of a network, and what the kernel must be told so that it forwards.

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

use super::BRIDGE_PREFIX;
use super::error::{Context, Error};
use super::link::{self, Index};
use super::mac;
use super::netlink::Socket;
use super::state::Live;

/// Makes what is missing of a network that is to be up.
pub fn restore(live: &Live, socket: &mut Socket) -> Result<Index, Error> {
    let name = &live.interface;
    let known = super::find(socket, name)?;
    if known.is_none() {
        let first = live.subnets.iter().find_map(|subnet| subnet.gateway);
        let mac = mac::of(first, name);
        link::add_bridge(socket, name, mac, live.mtu).doing(|| format!("make the bridge {name}"))?;
    }
    let bridge = super::find(socket, name)?.ok_or_else(|| Error::NoInterface(name.clone()))?;
    // Whoever made it may have been killed before the rest.
    prepare_forwarding(live)?;
    let addresses =
        live.subnets.iter().filter_map(|subnet| IpNet::new(subnet.gateway?, subnet.subnet.prefix_len()).ok());
    let addresses = addresses.map(|address| link::address(bridge, address));
    let messages = std::iter::once(link::up(bridge)).chain(addresses).collect();
    link::send_all(socket, messages).map_err(|refused| refused.errno).doing(|| format!("give {name} its addresses"))?;
    if let Some(full) = full_name(live).filter(|_| known.is_none()) {
        link::add_name(socket, bridge, &full).doing(|| format!("give {name} its other name"))?;
    }
    Ok(bridge)
}

/// Its ports are let go.
pub fn remove(live: &Live, socket: &mut Socket) -> Result<(), Error> {
    link::delete(socket, &live.interface).doing(|| format!("remove the bridge {}", live.interface))
}

fn full_name(live: &Live) -> Option<String> {
    let full = format!("{BRIDGE_PREFIX}{}", live.name);
    (live.interface != full && live.interface.starts_with(BRIDGE_PREFIX)).then_some(full)
}

/// What the kernel needs to be told so that it forwards, and takes 127.0.0.1 to a container and back.
pub fn prepare_forwarding(live: &Live) -> Result<(), Error> {
    let name = &live.interface;
    let has =
        |wanted: fn(&IpAddr) -> bool| live.subnets.iter().filter_map(|subnet| subnet.gateway).any(|ip| wanted(&ip));
    if has(IpAddr::is_ipv4) {
        set(&format!("ipv4/conf/{name}/route_localnet"), "1")?;
        set("ipv4/ip_forward", "1")?;
    }
    if has(IpAddr::is_ipv6) {
        // Where it is off for interfaces of the host's by default.
        set(&format!("ipv6/conf/{name}/disable_ipv6"), "0")?;
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
        let name = entry.file_name();
        let is_port = Path::new("/sys/class/net").join(&name).join("brport").exists();
        // Neither interfaces to come, of whoever they are, nor those that lead to somebody's container.
        if is_port || ["all", "default"].iter().any(|general| name == *general) {
            continue;
        }
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
