//! Networks that this machine's kernel has and the host ring's may not: ipvlan, and VLANs.

use crate::networks::beside::{NO_NAMES, NO_PORTS, column};
use crate::networks::ways::Answer::{Moot, NoWay, Sees};
use crate::networks::ways::Target::{Name, Own, Published};
use crate::networks::ways::Who::{self, Far, Owner, Sibling, Stranger};
use crate::networks::ways::{Answer, Column, FAR_PORT, HOST_PORT, Way, check};
use crate::networks::{FAR, TALK, serve, server_at, start};
use crate::vm::vm;

/// Three links to a namespace beyond the host: of the last only VLANs are used.
const LINKS: &str = r#"
set -e
ip netns add far
ip -n far link set lo up
for number in 2 3 4; do
    ip link add lan$number type veth peer name far$number netns far
    ip link set lan$number up
    ip -n far link set far$number up
done
both() { # NUMBER HOST-LINK FAR-LINK
    [[ -z $2 ]] || ip addr add 10.90.$1.1/24 dev $2
    [[ -z $2 ]] || ip addr add fd90:$1::1/64 dev $2 nodad
    ip -n far addr add 10.90.$1.2/24 dev $3
    ip -n far addr add fd90:$1::2/64 dev $3 nodad
}
both 2 lan2 far2
both 3 lan3 far3
for vlan in 7 8; do
    ip -n far link add link far4 name vlan$vlan type vlan id $vlan
    ip -n far link set vlan$vlan up
    both $vlan "" vlan$vlan
done
# What is behind a host that routes.
ip -n far route add 10.93.0.0/24 via 10.90.3.1
ip -n far route add fd93::/64 via fd90:3::1
"#;

const NETWORKS: [(&str, &str); 4] = [
    (
        "level2",
        "driver = \"ipvlan\"\nparent = \"lan2\"\nsubnets = [\"10.90.2.0/24\", \"fd90:2::/64\"]\n\
        ranges = [\"10.90.2.64/26\", \"fd90:2::1:0/112\"]",
    ),
    ("level3", "driver = \"ipvlan\"\nparent = \"lan3\"\nmode = \"l3\"\nsubnets = [\"10.93.0.0/24\", \"fd93::/64\"]"),
    (
        "seven",
        "driver = \"macvlan\"\nparent = \"lan4\"\nvlan = 7\nsubnets = [\"10.90.7.0/24\", \"fd90:7::/64\"]\n\
        ranges = [\"10.90.7.64/26\", \"fd90:7::1:0/112\"]",
    ),
    (
        "eight",
        "driver = \"ipvlan\"\nparent = \"lan4\"\nvlan = 8\nsubnets = [\"10.90.8.0/24\", \"fd90:8::/64\"]\n\
        ranges = [\"10.90.8.64/26\", \"fd90:8::1:0/112\"]",
    ),
];

const NONE: [&str; 2] = ["", ""];

const COLUMNS: [Column; 4] = [
    column("ipvlan", "level2", ["a2", "b2", "a3"], ["10.90.2.1", "fd90:2::1"], ["10.90.2.2", "fd90:2::2"]),
    column("ipvlan, l3", "level3", ["a3", "b3", "a2"], ["10.90.3.1", "fd90:3::1"], ["10.90.3.2", "fd90:3::2"]),
    column("macvlan on a VLAN", "seven", ["a7", "b7", "a8"], NONE, ["10.90.7.2", "fd90:7::2"]),
    column("ipvlan on a VLAN", "eight", ["a8", "b8", "a7"], NONE, ["10.90.8.2", "fd90:8::2"]),
];

const NO_HOST: Answer = Moot("the host has no address on that VLAN");

#[rustfmt::skip]
const WAYS: &[Way<4>] = &[
    // from     to                     ipvlan  l3     macvlan, VLAN  ipvlan, VLAN
    (Sibling,   Name,                 [NO_NAMES; 4]),
    (Who::Host, Published(Who::Host), [NO_PORTS; 4]),
    (Sibling,   Own(Owner),           [Sees(Sibling); 4]),
    (Far,       Own(Owner),           [Sees(Far); 4]),
    (Owner,     Own(Far),             [Sees(Owner); 4]),
    (Who::Host, Own(Owner),           [NoWay,  NoWay, NO_HOST,       NO_HOST]),
    (Owner,     Own(Who::Host),       [NoWay,  NoWay, NO_HOST,       NO_HOST]),
    (Stranger,  Own(Owner),           [NoWay; 4]),
];

#[test]
#[ignore = "vm ring: make check"]
fn containers_of_an_ipvlan_and_of_a_vlan_are_reached_by_who_is_there_alone() {
    vm().write("/srv/talk.py", TALK);
    vm().run(LINKS).ok();
    for (name, toml) in NETWORKS {
        vm().write(&format!("/etc/berth/networks/{name}.toml"), toml);
    }
    let on = |network: &str| format!("mode = \"bridge\"\nnetworks = [\"{network}\"]");
    let containers: Vec<_> = COLUMNS
        .iter()
        .flat_map(|column| [(column.owner, column.bridge), (column.sibling, column.bridge)])
        .map(|(name, network)| server_at(vm(), name, &on(network), 80))
        .collect();
    serve(vm(), "host", "", HOST_PORT);
    serve(vm(), "far", FAR, FAR_PORT);
    containers.iter().for_each(start);
    check(vm(), &COLUMNS, WAYS);
    let vlans = "ip -o -d link show type vlan | grep -o 'lan4\\.[78]@lan4\\|vlan protocol [^ ]* id [0-9]*'";
    assert_eq!(vm().run(vlans).ok(), "lan4.7@lan4\nvlan protocol 802.1Q id 7\nlan4.8@lan4\nvlan protocol 802.1Q id 8");
    // A VLAN's interface goes with the last who is on it.
    containers[4].stop();
    vm().run("ip link show lan4.7").ok();
    for container in &containers {
        container.stop();
    }
    vm().run(vlans).exits(1);
    vm().run("systemctl stop talk-host talk-far; ip netns del far").ok();
}
