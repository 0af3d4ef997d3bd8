//! `networks/NAME.toml`: what it means, where it is looked for, and what is built in.

use berth::config::{
    Driver, IpvlanMode, MacvlanMode, Network, NetworkError, NetworkName, NetworkNameError, Parent, Subnet,
    declared_networks,
};

use super::files::Tree;
use super::*;

fn network_name(text: &str) -> NetworkName {
    text.parse().unwrap()
}

fn network(text: &str) -> Network {
    let sources = NetworkSources::from_text(network_name("back"), text);
    sources.parse().unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

fn load(tree: &Tree, name: &str) -> Result<Network, NetworkError> {
    Network::load(&tree.scope(), &network_name(name))
}

#[test]
fn the_example_of_a_network_means_what_it_says() {
    let subnet = |subnet: &str, gateway: &str, range: Option<&str>| Subnet {
        subnet: subnet.parse().unwrap(),
        gateway: Some(gateway.parse().unwrap()),
        range: range.map(|range| range.parse().unwrap()),
    };
    let expected = Network {
        name: network_name("back"),
        description: Some("Between the shop and its database".to_owned()),
        driver: Driver::Bridge,
        subnets: vec![
            subnet("10.89.0.0/24", "10.89.0.1", Some("10.89.0.128/25")),
            subnet("fd00:89::/64", "fd00:89::1", None),
        ],
        ipv6: true,
        internal: false,
        isolate: true,
        dns: true,
        mtu: Some(1500),
        interface: Some("br-back".to_owned()),
    };
    assert_eq!(network(include_str!("network.toml")), expected);
}

#[test]
fn a_network_without_a_word_is_a_bridge_with_what_is_free() {
    let expected = Network {
        name: network_name("back"),
        description: None,
        driver: Driver::Bridge,
        subnets: vec![],
        ipv6: true,
        internal: false,
        isolate: false,
        dns: true,
        mtu: None,
        interface: None,
    };
    assert_eq!(network(""), expected);
    assert_eq!(network("subnets = []"), expected);
    assert_eq!(network("ipv6 = false"), Network { ipv6: false, ..expected });
}

#[test]
fn ipv6_is_picked_only_where_no_subnet_is_said_or_it_is_asked_for() {
    assert!(!network("subnets = [\"10.89.0.0/24\"]").ipv6);
    assert!(network("subnets = [\"10.89.0.0/24\"]\nipv6 = true").ipv6);
    assert_eq!(network("subnets = [\"10.89.0.0/24\"]\nmtu = 68").mtu, Some(68));
    assert_eq!(network("ipv6 = false\nmtu = 576").mtu, Some(576));
}

#[test]
fn networks_on_an_interface_of_the_hosts_have_it_and_their_own_modes() {
    let on = |driver, more| {
        network(&format!("driver = {driver:?}\nparent = \"eth0\"\nsubnets = [\"192.168.7.0/24\"]\n{more}"))
    };
    let parent = |vlan| Parent { interface: "eth0".to_owned(), vlan };
    let macvlan = on("macvlan", "");
    assert_eq!(macvlan.driver, Driver::Macvlan { parent: parent(None), mode: MacvlanMode::Bridge });
    assert!(!macvlan.dns && !macvlan.ipv6);
    let macvlan = on("macvlan", "vlan = 4094\nmode = \"passthru\"");
    assert_eq!(macvlan.driver, Driver::Macvlan { parent: parent(Some(4094)), mode: MacvlanMode::Passthru });
    assert_eq!(on("ipvlan", "").driver, Driver::Ipvlan { parent: parent(None), mode: IpvlanMode::L2 });
    assert_eq!(on("ipvlan", "mode = \"l3s\"").driver, Driver::Ipvlan { parent: parent(None), mode: IpvlanMode::L3s });
}

#[test]
fn gateways_and_ranges_find_their_subnets_in_any_order() {
    let network = network(
        "subnets = [\"fd00:89::/64\", \"10.89.0.0/30\", \"10.90.0.0/24\"]\n\
         gateways = [\"10.90.0.254\", \"fd00:89::ff\"]\nranges = [\"10.89.0.2/32\", \"fd00:89::1/128\"]",
    );
    let found: Vec<(Option<String>, Option<String>)> = network
        .subnets
        .iter()
        .map(|subnet| (subnet.gateway.map(|it| it.to_string()), subnet.range.map(|it| it.to_string())))
        .collect();
    let text = |text: &str| Some(text.to_owned());
    let expected =
        [(text("fd00:89::ff"), text("fd00:89::1/128")), (None, text("10.89.0.2/32")), (text("10.90.0.254"), None)];
    assert_eq!(found, expected);
}

#[test]
fn the_first_address_is_free_where_the_host_has_none() {
    let range = "subnets = [\"192.168.7.0/24\"]\nranges = [\"192.168.7.1/32\"]";
    assert!(network(&format!("driver = \"macvlan\"\nparent = \"eth0\"\n{range}")).subnets[0].range.is_some());
    let sources = NetworkSources::from_text(network_name("back"), range);
    assert!(sources.parse().unwrap_err().first_line().contains("leaves no address for a container"));
}

#[test]
fn the_name_of_a_network_is_a_label_and_no_mode() {
    for good in ["default", "back-end", "0", &"a".repeat(63)] {
        assert_eq!(network_name(good).as_str(), good);
    }
    for bad in ["", "Back", "-a", "a-", "a.b", "a_b", "../x", "a/b", "web@blue", "ü", &"a".repeat(64)] {
        assert!(bad.parse::<NetworkName>().is_err(), "{bad:?} was accepted");
    }
    for mode in ["bridge", "none", "private", "host", "container", "path"] {
        assert_eq!(mode.parse::<NetworkName>(), Err(NetworkNameError::Mode(mode.to_owned())));
    }
}

#[test]
fn the_highest_root_has_a_networks_main_file_and_all_roots_have_drop_ins() {
    let tree = Tree::of("networks");
    tree.write("usr/back.toml", "mtu = 1400").write("etc/back.toml", "mtu = 1300\nsubnets = [\"10.1.0.0/24\"]");
    tree.write("usr/back.toml.d/a.toml", "subnets = [\"10.2.0.0/24\"]")
        .write("run/back.toml.d/b.toml", "isolate = true");
    tree.write("usr/back.toml.d/c.toml", "internal = true").mask("etc/back.toml.d/c.toml");
    let network = load(&tree, "back").unwrap();
    assert_eq!((network.mtu, network.subnets.len(), network.isolate, network.internal), (Some(1300), 2, true, false));
}

#[test]
fn the_default_network_is_built_in_and_can_be_changed_or_masked() {
    let tree = Tree::of("networks");
    let built_in = load(&tree, "default").unwrap();
    assert_eq!(built_in, Network { name: NetworkName::default(), ..network("") });
    tree.write("etc/default.toml.d/mtu.toml", "mtu = 1400");
    assert_eq!(load(&tree, "default").unwrap(), Network { mtu: Some(1400), ..built_in });
    tree.write("usr/default.toml", "isolate = true");
    assert!(load(&tree, "default").unwrap().isolate);
    tree.mask("etc/default.toml");
    assert!(matches!(load(&tree, "default"), Err(NetworkError::Masked { .. })));
    assert!(Network::names(&tree.scope()).unwrap().is_empty());
}

#[test]
fn every_file_of_a_network_is_declared_once() {
    let tree = Tree::of("networks");
    tree.write("usr/back.toml", "").write("etc/back.toml", "").write("run/host.toml", "").write("etc/Bad.toml", "");
    tree.write("usr/gone.toml", "").mask("etc/gone.toml").write("etc/.hidden.toml", "");
    let declared = declared_networks(&tree.scope()).unwrap();
    let paths: Vec<PathBuf> = declared.iter().map(|declared| declared.path.clone()).collect();
    assert_eq!(paths, ["etc/Bad.toml", "etc/back.toml", "run/host.toml"].map(|path| tree.path(path)));
    assert_eq!(declared[1].name, Ok(network_name("back")));
    assert!(declared[0].name.is_err() && declared[2].name.is_err());
    let names: Vec<String> = Network::names(&tree.scope()).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["back", "default"]);
}

#[test]
fn a_network_that_is_not_there_is_looked_for_by_name() {
    let tree = Tree::of("networks");
    tree.write("etc/backend.toml", "").write("etc/latin.toml", "").mask("etc/masked.toml");
    fs::write(tree.path("etc/latin.toml"), b"mtu = 1\n\xfc").unwrap();
    let root = tree.directory.path().display().to_string();
    let error = |name: &str| load(&tree, name).unwrap_err().to_string().replace(&root, "");
    assert_eq!(
        error("bakend"),
        "no network “bakend”: bakend.toml was not found in /etc/berth/networks, /run/berth/networks, \
         /usr/lib/berth/networks; did you mean “backend”?"
    );
    assert_eq!(error("masked"), "network “masked” is masked: /etc/berth/networks/masked.toml is a link to /dev/null");
    assert_eq!(error("latin"), "/etc/berth/networks/latin.toml:2: not UTF-8, as TOML must be");
    tree.write("etc/wrong.toml", "mtu = 1");
    assert!(error("wrong").starts_with("/etc/berth/networks/wrong.toml:1:7: mtu: 1 is not between 68 and 65535"));
}
