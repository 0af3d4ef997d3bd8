//! berth's own nftables table, `inet berth`: who may reach whom, and which port of the host's leads where.
//!
//! The rules are text for nft(8), loaded where the table is not there: with the first network, or after somebody flushed
//! it. What comes and goes with networks and containers are elements of sets and maps, added and removed over netlink
//! within a millisecond. No other table is touched. The callers hold the lock.

mod batch;
mod element;
mod loading;
mod ruleset;

pub use element::{Element, Part};
pub use loading::Loading;

use rustix::io::Errno;

use super::attachment::Attachment;
use super::error::Error;
use super::lock::Lock;
use super::netlink::Refused;
use super::state::Live;
use crate::Scope;

/// Begins to load the rules where they are missing, with everything that is noted so far.
pub fn begin(scope: &Scope, lock: &Lock) -> Result<Option<Loading>, Error> {
    match batch::rules() {
        Ok(1..) => Ok(None),
        _ => load(scope, lock).map(Some),
    }
}

/// Sees to it that the rules are there, with a container's networks and ports.
pub fn admit(scope: &Scope, lock: &Lock, networks: &[Live], attachment: &Attachment) -> Result<(), Error> {
    let mut elements: Vec<Element> = networks.iter().flat_map(element::of_network).collect();
    elements.extend(element::of_published(attachment));
    match batch::add(&elements) {
        Err(Refused { errno: Errno::NOENT, .. }) => rebuild(scope, lock),
        Err(refused) => Err(failure(refused)),
        Ok(()) => Ok(()),
    }
}

/// Takes a container's ports out again.
pub fn dismiss(attachment: &Attachment) -> Result<(), Error> {
    remove(&element::of_published(attachment))
}

/// Takes a network out again that is still noted to be up; with the last bridge goes the table.
pub fn forget(scope: &Scope, network: &Live) -> Result<(), Error> {
    if !network.is_bridge() {
        return Ok(());
    }
    if Live::all(scope).iter().any(|other| other.is_bridge() && other.name != network.name) {
        return remove(&element::of_network(network));
    }
    match batch::remove_table() {
        Err(Refused { errno: Errno::NOENT, .. }) => Ok(()),
        other => other.map_err(failure),
    }
}

/// Makes the table anew, in one transaction, as the files of the state have it.
pub fn rebuild(scope: &Scope, lock: &Lock) -> Result<(), Error> {
    load(scope, lock)?.finish()
}

fn load(scope: &Scope, lock: &Lock) -> Result<Loading, Error> {
    let mut elements: Vec<Element> = Live::all(scope).iter().flat_map(element::of_network).collect();
    elements.extend(Attachment::all(scope).iter().flat_map(element::of_published));
    Loading::begin(&ruleset::ruleset(&elements), lock)
}

/// Whether every rule is there, and the bridges are known to them. Somebody who takes a single element out is not found out.
pub fn is_intact(bridges: &[Live]) -> bool {
    batch::rules().is_ok_and(|found| found == ruleset::count())
        && batch::elements("bridges").is_ok_and(|found| found == bridges.len())
}

fn remove(elements: &[Element]) -> Result<(), Error> {
    match batch::remove(elements) {
        // Somebody has flushed the table.
        Err(Refused { errno: Errno::NOENT, .. }) => Ok(()),
        other => other.map_err(failure),
    }
}

fn failure(refused: Refused) -> Error {
    Error::Call { call: "change the elements of table inet berth".to_owned(), source: refused.errno }
}
