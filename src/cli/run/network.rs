//! The options of `run` that say what network the container has, in podman's words.

use clap::Args;
use toml_edit::{Item, Table, value};

use super::document::{array, table_of, usage};
use crate::cli::complete;
use crate::cli::failure::Failure;

#[derive(Debug, Default, Args)]
pub struct NetworkOptions {
    /// Publish ports; without HOST the kernel picks one
    #[arg(short, long, value_name = "[[ADDRESS:]HOST:]PORT[/udp]")]
    publish: Vec<String>,
    /// Networks by name, or none, private, host, …
    ///
    /// Or a mode: bridge, none, private, host, container:NAME, path:FILE.
    #[arg(long, alias = "net", value_name = "NAME[,NAME]|MODE", add = complete::networks_or_modes())]
    network: Vec<String>,
    /// Another name on its networks
    #[arg(hide_short_help = true, long, value_name = "NAME")]
    network_alias: Vec<String>,
    /// An address of its own, of IPv4 or IPv6
    #[arg(hide_short_help = true, long, alias = "ip6", value_name = "ADDRESS")]
    ip: Vec<String>,
    /// Of its interface on the first network
    #[arg(hide_short_help = true, long, value_name = "MAC")]
    mac_address: Option<String>,
    /// A name server in its resolv.conf
    #[arg(hide_short_help = true, long, value_name = "ADDRESS")]
    dns: Vec<String>,
    #[arg(hide_short_help = true, long, value_name = "DOMAIN")]
    dns_search: Vec<String>,
    #[arg(hide_short_help = true, long, alias = "dns-opt", value_name = "OPTION")]
    dns_option: Vec<String>,
    /// A line of its hosts file
    #[arg(hide_short_help = true, long, value_name = "NAME:ADDRESS")]
    add_host: Vec<String>,
}

/// As `mode` has them; those with a colon are known by it.
const MODES: [&str; 4] = ["bridge", "none", "private", "host"];

impl NetworkOptions {
    /// `[network]`; empty where nothing of it was given. Without a file there is nobody else to say that the container
    /// is to be on a network.
    pub fn table(&self, from_file: bool) -> Result<Table, Failure> {
        let (modes, networks) = self.modes_and_networks();
        if let [one, other, ..] = &modes[..] {
            return Err(usage(format!("--network: a container has one mode, not {one} and {other}")));
        }
        let on_networks = !(self.publish.is_empty() && self.network_alias.is_empty() && self.ip.is_empty());
        let mode = match modes.into_iter().next() {
            None if !networks.is_empty() => Some("bridge".to_owned()),
            None if !from_file && (on_networks || self.mac_address.is_some()) => Some("bridge".to_owned()),
            given => given,
        };
        let mut table = Table::new();
        for (key, text) in [("mode", &mode), ("mac", &self.mac_address)] {
            if let Some(text) = text {
                table[key] = value(text);
            }
        }
        for (key, list) in [
            ("networks", &networks),
            ("publish", &self.publish),
            ("aliases", &self.network_alias),
            ("ip", &self.ip),
            ("dns", &self.dns),
            ("dns-search", &self.dns_search),
            ("dns-options", &self.dns_option),
        ] {
            if !list.is_empty() {
                table[key] = value(array(list));
            }
        }
        for host in &self.add_host {
            let (name, address) = host
                .split_once([':', '='])
                .ok_or_else(|| usage(format!("--add-host {host}: expected NAME:ADDRESS")))?;
            match table.get_mut("hosts").and_then(Item::as_table_mut) {
                Some(hosts) => hosts[name] = value(address),
                None => table["hosts"] = table_of(name, address),
            }
        }
        Ok(table)
    }

    fn modes_and_networks(&self) -> (Vec<String>, Vec<String>) {
        let is_mode = |text: &&String| MODES.contains(&text.as_str()) || text.contains(':');
        let (modes, networks): (Vec<&String>, Vec<&String>) = self.network.iter().partition(is_mode);
        let modes = modes.into_iter().map(|mode| match mode.strip_prefix("ns:") {
            Some(path) => format!("path:{path}"),
            None => mode.clone(),
        });
        let networks = networks.into_iter().flat_map(|names| names.split(',')).map(str::to_owned);
        (modes.collect(), networks.collect())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::{ContainerNetwork, NetworkMode, SourceFile, Sources};

    #[derive(Parser)]
    struct Run {
        #[command(flatten)]
        options: NetworkOptions,
    }

    fn written(line: &str, from_file: bool) -> Result<String, String> {
        let words = std::iter::once("run").chain(line.split_whitespace());
        let options = Run::try_parse_from(words).map_err(|error| error.to_string())?.options;
        let mut document = toml_edit::DocumentMut::new();
        document["network"] = Item::Table(options.table(from_file).map_err(|failure| failure.text)?);
        Ok(document.to_string())
    }

    /// What the options mean over a file, or over an image alone.
    fn network(line: &str, file: Option<&str>) -> Result<ContainerNetwork, String> {
        let main = format!("image = \"x\"\n[network]\n{}", file.unwrap_or_default());
        let files = [main, written(line, file.is_some())?];
        let files = files.map(|text| SourceFile { path: "x.toml".into(), text });
        let sources = Sources { name: "web".parse().unwrap(), files: files.to_vec() };
        sources.parse().map(|container| container.network).map_err(|diagnostics| diagnostics.first_line())
    }

    #[test]
    fn every_option_is_a_key_of_network() {
        let line = "-p 8080:80 --publish [::]:53:53/udp --network back,front --network default --network-alias www --ip 10.1.0.2 \
                    --ip6 fd00::2 --mac-address 02:00:00:00:00:10 --dns 10.0.0.53 --dns-search example.org --dns-option ndots:1 \
                    --add-host db:10.1.0.3 --add-host v6:fd00::3 --add-host other=10.1.0.4";
        let file = "mode = \"bridge\"\nnetworks = [\"back\", \"front\", \"default\"]\npublish = [\"8080:80\", \"[::]:53:53/udp\"]\n\
                    aliases = [\"www\"]\nip = [\"10.1.0.2\", \"fd00::2\"]\nmac = \"02:00:00:00:00:10\"\ndns = [\"10.0.0.53\"]\n\
                    dns-search = [\"example.org\"]\ndns-options = [\"ndots:1\"]\n\
                    hosts = { db = \"10.1.0.3\", v6 = \"fd00::3\", other = \"10.1.0.4\" }";
        assert_eq!(network(line, None).unwrap(), network("", Some(file)).unwrap());
    }

    #[test]
    fn a_mode_is_one_word_and_a_name_means_a_bridge() {
        let mode = |line: &str| network(line, None).map(|network| network.mode.to_string());
        for word in ["bridge", "none", "private", "host", "container:db", "path:/run/netns/x"] {
            assert_eq!(mode(&format!("--network {word}")).as_deref(), Ok(word));
            assert_eq!(mode(&format!("--net={word}")).as_deref(), Ok(word));
        }
        assert_eq!(mode("--network ns:/run/netns/x").as_deref(), Ok("path:/run/netns/x"));
        for line in
            ["--network back", "-p 80", "--ip 10.1.0.2", "--network-alias www", "--mac-address 02:00:00:00:00:10"]
        {
            assert_eq!(mode(line).as_deref(), Ok("bridge"), "{line}");
        }
        let two = mode("--network host --network none");
        assert_eq!(two.unwrap_err(), "--network: a container has one mode, not host and none");
    }

    #[test]
    fn mistakes_are_those_of_a_file() {
        let wrong = |line: &str| network(line, None).unwrap_err();
        assert!(wrong("--network host -p 80:80").contains("“publish” has no use with mode = \"host\""));
        assert!(wrong("--network back --network none").contains("“networks” has no use with mode = \"none\""));
        assert!(wrong("--network back,Front").contains("“Front” has 'F'"));
        assert!(wrong("-p 80/sctp").contains("“sctp” is not a protocol"));
        assert!(wrong("--add-host db").contains("expected NAME:ADDRESS"));
        assert!(wrong("--network bridge:ip=10.1.0.2").contains("is not one of bridge, none"));
    }

    #[test]
    fn a_file_keeps_its_mode_where_only_ports_are_added() {
        let file = "mode = \"bridge\"\nnetworks = [\"back\"]\npublish = [\"80:80\"]";
        let found = network("-p 81:81", Some(file)).unwrap();
        assert_eq!((found.publish.len(), found.networks.len()), (2, 1));
        assert!(network("-p 81:81", Some("mode = \"host\"")).unwrap_err().contains("has no use with mode = \"host\""));
        assert_eq!(network("--network host", Some("mode = \"private\"")).unwrap().mode, NetworkMode::Host);
    }
}
