//! `[network]`.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::diagnostics::Mistake;
use crate::config::item::{Item, Section, not_one_of};
use crate::config::tree::Value;
use crate::config::{ContainerNetwork, NetworkMode, NetworkName, NetworkNameError, ResolvConf, parse};

use super::{interfaces, publish};

const RESOLV_CONF: [(&str, ResolvConf); 4] = [
    ("auto", ResolvConf::Auto),
    ("copy-host", ResolvConf::CopyHost),
    ("bind-host", ResolvConf::BindHost),
    ("off", ResolvConf::Off),
];

/// What a container without a `mode` has.
const DEFAULT_MODE: NetworkMode = NetworkMode::Bridge;

/// Keys that place a container on networks.
const OF_NETWORKS: [&str; 5] = ["networks", "publish", "aliases", "ip", "mac"];

/// Keys of files that are written into the container.
const OF_NAMES: [&str; 5] = ["dns", "dns-search", "dns-options", "hosts", "resolv-conf"];

pub fn decode(section: Section) -> ContainerNetwork {
    let said = section.read("mode", |item| item.parsed(mode));
    let is_known = said.is_some() || section.item("mode").is_none();
    let mode = said.unwrap_or(DEFAULT_MODE);
    let networks = networks(section, &mode);
    let network = ContainerNetwork {
        publish: publish::decode(section),
        aliases: distinct(section, "aliases", parse::alias),
        ip: distinct(section, "ip", parse::interface_address),
        mac: section.read("mac", |item| item.parsed(parse::mac)),
        interfaces: interfaces::decode(section, &networks),
        dns: section.list("dns", |item| item.parsed(parse::address)),
        dns_search: section.list("dns-search", |item| item.parsed(parse::search_domain)),
        dns_options: section.list("dns-options", |item| item.parsed(parse::resolver_option)),
        hosts: section.read("hosts", hosts).unwrap_or_default(),
        resolv_conf: section.read("resolv-conf", |item| item.word(&RESOLV_CONF)).unwrap_or(ResolvConf::Auto),
        networks,
        mode,
    };
    // The mistake of a mode is reported; what hangs on it is not known.
    if is_known {
        refuse_useless(section, &network.mode);
    }
    if network.mode != NetworkMode::None && network.resolv_conf != ResolvConf::Auto {
        for key in ["dns", "dns-search", "dns-options"] {
            let message = format!("“{key}” has no use beside this “resolv-conf”: the file would not be written");
            section.refuse(key, Mistake::new(message, "leave resolv-conf out, or set it to \"auto\""));
        }
    }
    network
}

fn mode(text: &str) -> Result<NetworkMode, Mistake> {
    match (text, text.split_once(':')) {
        ("none", _) => Ok(NetworkMode::None),
        ("private", _) => Ok(NetworkMode::Private),
        ("host", _) => Ok(NetworkMode::Host),
        ("bridge", _) => Ok(NetworkMode::Bridge),
        (_, Some(("container", name))) => match name.parse() {
            Ok(name) => Ok(NetworkMode::Container(name)),
            Err(error) => Err(error.to_string().into()),
        },
        (_, Some(("path", path))) => parse::absolute(path).map(NetworkMode::Path),
        (_, Some(("ns", path))) => Err(not_one_of(text, &MODES).help(format!("write \"path:{path}\""))),
        _ => Err(not_one_of(text, &MODES)),
    }
}

const MODES: [&str; 6] = ["bridge", "none", "private", "host", "container:NAME", "path:/run/netns/NAME"];

fn networks(section: Section, mode: &NetworkMode) -> Vec<NetworkName> {
    let said =
        distinct(section, "networks", |text| text.parse().map_err(|error: NetworkNameError| error.to_string().into()));
    if section.item("networks").is_some_and(|item| matches!(&item.node.value, Value::Array(items) if items.is_empty()))
    {
        section.refuse("networks", Mistake::new("expected at least one network", "write mode = \"private\" for none"));
    }
    match mode {
        NetworkMode::Bridge if section.item("networks").is_none() => vec![NetworkName::default()],
        _ => said,
    }
}

/// A list in which nothing stands twice.
fn distinct<T: Ord>(section: Section, key: &str, parse: impl Fn(&str) -> Result<T, Mistake>) -> Vec<T> {
    let found = section.list(key, |item| Some((item, item.parsed(&parse)?)));
    let mut seen = BTreeSet::new();
    for (item, value) in &found {
        if !seen.insert(value) {
            item.fail::<()>(format!("“{}” is in the list already", item.text().unwrap_or_default()));
        }
    }
    found.into_iter().map(|(_, value)| value).collect()
}

/// What would be read and then do nothing.
fn refuse_useless(section: Section, mode: &NetworkMode) {
    let (keys, reason, help) = match mode {
        NetworkMode::Bridge => return,
        NetworkMode::None => {
            let keys: Vec<&str> = OF_NETWORKS.into_iter().chain(["interface"]).chain(OF_NAMES).collect();
            (keys, "there is no network to reach", None)
        }
        NetworkMode::Private => {
            (OF_NETWORKS.to_vec(), "the container is on no network", Some("write mode = \"bridge\"".to_owned()))
        }
        NetworkMode::Host => (of_another(), "the network is the host's own", None),
        NetworkMode::Container(name) => {
            let help = format!("write it into {}.toml", name.file_stem());
            (of_another(), "the network is that container's", Some(help))
        }
        NetworkMode::Path(_) => (of_another(), "the network is somebody else's", None),
    };
    for key in keys {
        let message = format!("“{key}” has no use with mode = \"{mode}\": {reason}");
        section.refuse(key, Mistake { message, help: help.clone() });
    }
}

fn of_another() -> Vec<&'static str> {
    OF_NETWORKS.into_iter().chain(["interface"]).collect()
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
