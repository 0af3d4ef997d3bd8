//! Networks that no container is on any more. They stay for a second, since the next start would only make them again, which
//! takes longer than all the rest of it; then whoever hears of the last link's end takes them away.

use super::error::{Context, Error};
use super::lock::Lock;
use super::netlink::Socket;
use super::state::{Live, Member};
use super::{bridge, firewall, raise};
use crate::Scope;

/// Every bridge that nobody is on. The first failure is reported, after the others were tried.
pub fn remove_unused(scope: &Scope) -> Result<(), Error> {
    let unused = || Live::all(scope).into_iter().filter(|live| live.is_bridge() && !Member::any(scope, &live.name));
    if unused().next().is_none() {
        return Ok(());
    }
    let _lock = Lock::take(scope)?;
    let mut socket = Socket::route().doing(|| "socket(AF_NETLINK)")?;
    // Somebody may be on it by now.
    let removed: Vec<_> = unused().map(|live| take_down(scope, &live, &mut socket)).collect();
    removed.into_iter().collect()
}

/// The network with its rules; what is noted of it goes last, so that whoever comes after a kill knows of it. The caller
/// holds the lock.
pub fn take_down(scope: &Scope, live: &Live, socket: &mut Socket) -> Result<(), Error> {
    firewall::forget(scope, live)?;
    if live.is_bridge() {
        bridge::remove(live, socket)?;
    }
    raise::forget(scope, live, socket)
}
