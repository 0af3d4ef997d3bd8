//! `[network]`.

use std::collections::BTreeMap;

use crate::config::diagnostics::Mistake;
use crate::config::item::{Item, Section, not_one_of};
use crate::config::{ContainerNetwork, NetworkMode, ResolvConf, parse};

const RESOLV_CONF: [(&str, ResolvConf); 4] = [
    ("auto", ResolvConf::Auto),
    ("copy-host", ResolvConf::CopyHost),
    ("bind-host", ResolvConf::BindHost),
    ("off", ResolvConf::Off),
];

pub fn decode(section: Section) -> ContainerNetwork {
    let network = ContainerNetwork {
        mode: section.read("mode", |item| item.parsed(mode)).unwrap_or(NetworkMode::Private),
        networks: Vec::new(),
        publish: Vec::new(),
        aliases: Vec::new(),
        ip: Vec::new(),
        mac: None,
        interfaces: Vec::new(),
        dns: section.list("dns", |item| item.parsed(parse::address)),
        dns_search: section.list("dns-search", |item| item.parsed(parse::search_domain)),
        dns_options: section.list("dns-options", |item| item.parsed(parse::resolver_option)),
        hosts: section.read("hosts", hosts).unwrap_or_default(),
        resolv_conf: section.read("resolv-conf", |item| item.word(&RESOLV_CONF)).unwrap_or(ResolvConf::Auto),
    };
    if network.mode == NetworkMode::None {
        for key in ["dns", "dns-search", "dns-options", "hosts", "resolv-conf"] {
            section.refuse(key, format!("“{key}” has no use with mode = \"none\": there is no network to reach"));
        }
    } else if network.resolv_conf != ResolvConf::Auto {
        for key in ["dns", "dns-search", "dns-options"] {
            let message = format!("“{key}” has no use beside this “resolv-conf”: the file would not be written");
            section.refuse(key, Mistake::new(message, "leave resolv-conf out, or set it to \"auto\""));
        }
    }
    network
}

fn mode(text: &str) -> Result<NetworkMode, Mistake> {
    match text {
        "none" => Ok(NetworkMode::None),
        "private" => Ok(NetworkMode::Private),
        "host" => Ok(NetworkMode::Host),
        "bridge" => Err(later("bridge")),
        _ if text.starts_with("container:") || text.starts_with("path:") || text.starts_with("ns:") => Err(later(text)),
        _ => Err(not_one_of(text, &["none", "private", "host"])),
    }
}

fn later(mode: &str) -> Mistake {
    let message = format!("not yet: “{mode}” comes with a later version of berth");
    Mistake::new(message, "until then there are “private” (loopback only), “none” and “host”")
}

fn hosts(item: Item) -> Option<BTreeMap<String, String>> {
    let mut hosts = BTreeMap::new();
    for entry in item.entries()? {
        if parse::address(&entry.key).is_ok() {
            let message = format!("“{}” is an address, not a host name", entry.key);
            item.report.add(&entry.key_place, Mistake::new(message, "the name stands first: NAME = \"ADDRESS\""));
            continue;
        }
        if let Err(mistake) = parse::hostname(&entry.key) {
            item.report.add(&entry.key_place, mistake);
        }
        if let Some(address) = Item::of(entry, item.report).parsed(parse::address) {
            hosts.insert(entry.key.clone(), address);
        }
    }
    Some(hosts)
}
