//! Interfaces of the host's that macvlan and ipvlan are on. A VLAN of one is made when it is first used, and goes with its
//! last user; the mark says that it is ours to remove. The caller holds the lock.

use super::attachment::Attachment;
use super::error::{Context, Error};
use super::interface_name::InterfaceName;
use super::link::{self, Index};
use super::netlink::Socket;
use super::state::Live;
use crate::Scope;
use crate::config::Parent;

/// The alias (`ip link`) of a VLAN interface that berth has made.
const MARK: &str = "made by berth";

/// What it is called on the host.
pub fn name(parent: &Parent) -> String {
    match parent.vlan {
        Some(vlan) => InterfaceName::of_vlan(&parent.interface, vlan).name,
        None => parent.interface.clone(),
    }
}

pub fn ensure(parent: &Parent, socket: &mut Socket) -> Result<Index, Error> {
    let name = name(parent);
    if let Some(found) = super::find(socket, &name)? {
        return Ok(found);
    }
    let missing = |name: &str| Error::NoInterface(name.to_owned());
    let Some(vlan) = parent.vlan else { return Err(missing(&name)) };
    let below = super::find(socket, &parent.interface)?.ok_or_else(|| missing(&parent.interface))?;
    link::add_vlan(socket, &name, below, vlan, MARK).doing(|| format!("make the VLAN interface {name}"))?;
    super::find(socket, &name)?.ok_or_else(|| missing(&name))
}

/// Removes a VLAN interface of ours that no network and no other container is on.
pub fn let_go(scope: &Scope, name: &str, container: &str, socket: &mut Socket) -> Result<(), Error> {
    let others = Attachment::all(scope).into_iter().filter(|other| other.container != container);
    let used = Live::all(scope).iter().any(|live| live.interface == name)
        || others.flat_map(|other| other.parents).any(|other| other == name);
    if used || link::alias(socket, name).doing(|| format!("look at {name}"))?.as_deref() != Some(MARK) {
        return Ok(());
    }
    link::delete(socket, name).doing(|| format!("remove the VLAN interface {name}"))
}
