//! The end of a container's networks, from what its start noted alone. Every part is tried, whatever became of the others;
//! the first failure is reported.

use super::attachment::Attachment;
use super::error::{Context, Error};
use super::lease::Leases;
use super::link;
use super::lock::Lock;
use super::netlink::Socket;
use super::port::Ports;
use super::state::{Live, Member, forget_unfinished};
use super::{conntrack, firewall, namespace, parent, raise};
use crate::Scope;
use crate::config::ContainerName;
use crate::event::{self, About};

/// Takes back everything that a container has of networks. Nothing to do where its start noted nothing.
pub fn release(scope: &Scope, name: &ContainerName) -> Result<(), Error> {
    if Attachment::load(scope, name.as_str()).is_none() {
        return Ok(());
    }
    let _lock = Lock::take(scope)?;
    // Somebody else may have done it meanwhile.
    let Some(attachment) = Attachment::load(scope, name.as_str()) else { return Ok(()) };
    let container = &attachment.container;
    let mut socket = Socket::route().doing(|| "socket(AF_NETLINK)")?;
    let mut failures = Vec::new();
    let mut tried = |result: Result<(), Error>| failures.extend(result.err());
    tried(namespace::give_back(scope, name, &attachment));
    tried(Ports::read(scope).give_back(container, &attachment.published));
    for link in &attachment.links {
        let Some(live) = Live::load(scope, &link.network) else { continue };
        tried(Leases::of(scope, &live).give_back(container, &link.addresses));
        let gone = Member::remove(scope, &live.name, container);
        if gone.as_ref().is_ok_and(|was_on| *was_on) {
            event::record(scope, About::Network, "disconnect", &live.name, &[("container", name.as_str())]);
        }
        tried(gone.map(drop).doing(|| format!("remove {container}.json of network {}", live.name)));
        // A bridge stays for the next one, and goes when it is found unused.
        if !live.is_bridge() && !Member::any(scope, &live.name) {
            tried(raise::forget(scope, &live, &mut socket));
        }
    }
    // The kernel takes its time for rules as for links: it waits for every processor that may still see them.
    std::thread::scope(|threads| {
        let rules = threads.spawn(|| {
            // Only then does nothing lead there any more.
            let dismissed = firewall::dismiss(&attachment);
            conntrack::forget(&attachment);
            dismissed
        });
        for host in attachment.host_interfaces() {
            tried(link::delete(&mut socket, host).doing(|| format!("remove the link {host}")));
        }
        // It does not panic; were it to, the links are gone all the same.
        rules.join().into_iter().for_each(&mut tried);
    });
    tried(forget_unfinished(scope).doing(|| "remove a network that was not made"));
    for parent in &attachment.parents {
        tried(parent::let_go(scope, parent, container, &mut socket));
    }
    if failures.is_empty() {
        let gone = Attachment::remove(scope, name.as_str());
        gone.doing(|| "remove network.json of the container".to_owned())?;
    }
    failures.into_iter().next().map_or(Ok(()), Err)
}
