//! `[Network]`.

use toml_edit::{DocumentMut, Table, value};

use super::settings::{Setting, Settings};
use super::{Kept, extend, flag, flagged, one_more, table};
use crate::unit::split_words;

/// Keys that give the container a network of its own.
const OWN: [&str; 6] = ["VirtualEthernetExtra", "Interface", "MACVLAN", "IPVLAN", "Bridge", "Zone"];

/// What the unit of nspawn's adds where the file does not decide: a pair of interfaces, `host0` in the container.
pub fn default(document: &mut DocumentMut, settings: &Settings) {
    let said = |key: &str| settings.last("Network", key);
    if said("NamespacePath").is_some() || said("Private").and_then(flag) == Some(false) {
        return;
    }
    if said("Port").is_some() || said("Zone").is_some() {
        // Ports lead to a network of berth's; both ends of a pair alone have no address.
        table(document, &["network"])["mode"] = value("bridge");
        return;
    }
    table(document, &["network"])["mode"] = value("private");
    if !OWN.iter().any(|key| said(key).is_some()) && said("Private").is_none() {
        interface(document, "veth", |entry| entry["name"] = value("host0"));
    }
}

pub fn keep(document: &mut DocumentMut, setting: &Setting, settings: &Settings) -> Kept {
    let text = setting.value.as_str();
    let words = || split_words(text).ok_or_else(|| "its quotes do not match".to_owned());
    match setting.key.as_str() {
        "Private" => {
            if !flagged(setting)? && !OWN.iter().any(|key| settings.last("Network", key).is_some()) {
                table(document, &["network"])["mode"] = value("host");
            }
        }
        "VirtualEthernet" => pair(document, flagged(setting)?, settings),
        "VirtualEthernetExtra" => {
            let (host, inner) = text.split_once(':').unwrap_or((text, text));
            interface(document, "veth", |entry| {
                entry["host"] = value(host);
                entry["name"] = value(inner);
            });
        }
        "Interface" => {
            for word in words()? {
                let (parent, name) = word.split_once(':').unwrap_or((&word, &word));
                of_parent(document, "move", parent, name);
            }
        }
        "MACVLAN" | "IPVLAN" => {
            for word in words()? {
                let kind = setting.key.to_ascii_lowercase();
                let own = format!("{}-{word}", if kind == "macvlan" { "mv" } else { "iv" });
                let (parent, name) = word.split_once(':').unwrap_or((&word, &own));
                // As nspawn does, and the kernel demands.
                of_parent(document, &kind, parent, name.get(..15).unwrap_or(name));
            }
        }
        "NamespacePath" => table(document, &["network"])["mode"] = value(format!("path:{text}")),
        "Port" => extend(document, &["network"], "publish", [publish(text)?]),
        "Zone" => {
            extend(document, &["network"], "networks", [text]);
            return Err(format!("a zone is a network of berth's: make it with `berthctl network create {text}`"));
        }
        "Bridge" => {
            return Err("berth has bridges of its own: name a network of berth's in “networks” of [network]".to_owned());
        }
        _ => return Err("no setting of systemd.nspawn(5)".to_owned()),
    }
    Ok(())
}

fn pair(document: &mut DocumentMut, wanted: bool, settings: &Settings) {
    let said = |key: &str| settings.last("Network", key);
    let ports = said("Port").is_some() || said("Zone").is_some();
    let own = said("Private").and_then(flag) == Some(true) || OWN.iter().any(|key| said(key).is_some());
    let mode = match (wanted, ports) {
        (_, true) => "bridge",
        (false, _) if !own => "host",
        _ => "private",
    };
    table(document, &["network"])["mode"] = value(mode);
    if wanted && !ports {
        interface(document, "veth", |entry| entry["name"] = value("host0"));
    }
}

fn interface(document: &mut DocumentMut, kind: &str, rest: impl FnOnce(&mut Table)) {
    let mut entry = Table::new();
    entry["type"] = value(kind);
    rest(&mut entry);
    one_more(document, &["network"], "interface", entry);
}

fn of_parent(document: &mut DocumentMut, kind: &str, parent: &str, name: &str) {
    interface(document, kind, |entry| {
        entry["parent"] = value(parent);
        entry["name"] = value(name);
    });
}

/// `[tcp:|udp:]HOST[:CONTAINER]` as `HOST:CONTAINER/PROTOCOL`.
fn publish(text: &str) -> Result<String, String> {
    let (protocol, ports) = match text.split_once(':') {
        Some((protocol @ ("tcp" | "udp"), ports)) => (protocol, ports),
        _ => ("tcp", text),
    };
    let (host, inner) = ports.split_once(':').unwrap_or((ports, ports));
    match [host, inner].iter().all(|port| port.parse::<u16>().is_ok_and(|port| port > 0)) {
        true => Ok(format!("{host}:{inner}/{protocol}")),
        false => Err("no port is so".to_owned()),
    }
}
