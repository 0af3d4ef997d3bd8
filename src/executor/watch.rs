//! What `berth-network.service` does: the kernel has said that rules or links were changed, by anybody. What is missing is made
//! again, and what nobody uses any more goes, also what a container has left whose end nobody saw.

use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::inherited::Inherited;
use super::sweep::{Left, sweep_networks};
use crate::Scope;
use crate::network;
use crate::network::state::Live;

/// One look does for everything that happens meanwhile: a start, a stop, the reload of another firewall.
const SETTLING: Duration = Duration::from_secs(1);

/// Puts right what is missing. The sockets are those of `berth-network.socket`; until this has ended they start nothing.
pub fn watch(scope: &Scope) -> Result<(), network::Error> {
    let sockets = Inherited::take().sockets;
    // Without the rules the host's loopback is open to containers: that cannot wait.
    mend(scope)?;
    std::thread::sleep(SETTLING);
    // What was said up to here is known when the look begins; what is said later starts another one.
    for (_, socket) in &sockets {
        let mut buffer = [0u8; 8192];
        // That some was lost, too, is only another reason to look.
        while matches!(recv(socket, &mut buffer, RecvFlags::DONTWAIT), Ok(_) | Err(Errno::NOBUFS | Errno::INTR)) {}
    }
    let left = sweep_networks(scope);
    let removed = network::remove_unused(scope);
    mend(scope)?;
    if Live::all(scope).is_empty() && left == Left::Nothing {
        // Nobody needs to listen until there is a network again; berth-network.path sees when.
        let _ = std::process::Command::new("systemctl").args(["--no-block", "stop", "berth-network.socket"]).status();
    }
    removed
}

fn mend(scope: &Scope) -> Result<(), network::Error> {
    for repair in network::mend(scope)? {
        eprintln!("made again what somebody had taken away: {repair}");
    }
    Ok(())
}
