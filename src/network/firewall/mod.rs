//! berth's own nftables table, `inet berth`: who may reach whom, and which port of the host's leads where.
//!
//! The rules are text for nft(8), loaded where the table is not there: with the first network, or after somebody flushed
//! it. What comes and goes with networks and containers are elements of sets and maps, added and removed over netlink
//! within a millisecond. No other table is touched. The callers hold the lock.

mod batch;
mod element;
mod ruleset;

pub use element::{Element, Part};

use std::io::Write;
use std::process::{Command, Stdio};

use rustix::io::Errno;

use super::attachment::Attachment;
use super::error::{Context, Error};
use super::netlink::Refused;
use super::state::Live;
use crate::Scope;

/// Sees to it that the rules are there, with a container's networks and ports.
pub fn admit(scope: &Scope, networks: &[Live], attachment: &Attachment) -> Result<(), Error> {
    let mut elements: Vec<Element> = networks.iter().flat_map(element::of_network).collect();
    elements.extend(element::of_published(attachment));
    match batch::add(&elements) {
        Err(Refused { errno: Errno::NOENT, .. }) => rebuild(scope),
        Err(refused) => Err(failure(refused)),
        Ok(()) => Ok(()),
    }
}

/// Takes a container's ports out again.
pub fn dismiss(attachment: &Attachment) -> Result<(), Error> {
    remove(&element::of_published(attachment))
}

/// Takes a network out again; with the last bridge goes the table.
pub fn forget(scope: &Scope, network: &Live) -> Result<(), Error> {
    if !network.is_bridge() {
        return Ok(());
    }
    let others = Live::all(scope).iter().any(|other| other.is_bridge() && other.name != network.name);
    if others {
        return remove(&element::of_network(network));
    }
    match batch::remove_table() {
        Err(Refused { errno: Errno::NOENT, .. }) => Ok(()),
        other => other.map_err(failure),
    }
}

/// Makes the table anew, in one transaction, as the files of the state have it.
pub fn rebuild(scope: &Scope) -> Result<(), Error> {
    let mut elements: Vec<Element> = Live::all(scope).iter().flat_map(element::of_network).collect();
    elements.extend(Attachment::all(scope).iter().flat_map(element::of_published));
    load(&ruleset::ruleset(&elements))
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

fn load(text: &str) -> Result<(), Error> {
    let mut nft = Command::new("nft")
        .args(["-f", "-"])
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .doing(|| "run nft, of the package nftables")?;
    if let Some(mut input) = nft.stdin.take() {
        // What it does not read, it complains about.
        let _ = input.write_all(text.as_bytes());
    }
    let output = nft.wait_with_output().doing(|| "wait for nft")?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(Error::Rules(said.lines().next().unwrap_or("it failed and said nothing").to_owned()))
        }
    }
}
