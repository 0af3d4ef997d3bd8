//! Every way that traffic takes, on every kind of bridge, and whom the one sees who is asked.

use super::ways::Answer::{Nothing, Refused, Sees};
use super::ways::Target::{Name, Own, Published};
use super::ways::Who::{self, Far, Gateway, Loopback4, Loopback6, Owner, Sibling, Stranger};
use super::ways::{Answer, Column, FAR_PORT, HOST_PORT, Way, check};
use super::{STATE, host, serve, server_at};
use crate::ring::{Declared, eventually};

const fn column(
    kind: &'static str,
    bridge: &'static str,
    [owner, holder, sibling, stranger]: [&'static str; 4],
    [listens, published]: [u16; 2],
) -> Column {
    let (host, far) = (["192.0.2.1", "2001:db8::1"], ["192.0.2.2", "2001:db8::2"]);
    Column { kind, bridge, owner, holder, listens, published, sibling, stranger, host, far }
}

const COLUMNS: [Column; 6] = [
    column("default", "berth-default", ["web", "web", "db", "shop"], [80, 8080]),
    column("custom", "berth-back", ["shop", "shop", "stock", "db"], [80, 8081]),
    column("internal", "berth-inner", ["vault", "vault", "safe", "db"], [80, 8082]),
    column("isolated", "berth-one", ["cut", "cut", "knife", "away"], [80, 8083]),
    column("isolated from an open one", "berth-two", ["away", "away", "off", "db"], [80, 8084]),
    column("container:web", "berth-default", ["guest", "web", "db", "shop"], [81, 8085]),
];

const GATEWAY: Answer = Sees(Gateway);
const HOST: Answer = Sees(Who::Host);
const OWNER: Answer = Sees(Owner);
const STRANGER: Answer = Sees(Stranger);

/// Of the two addresses of the loopback each is of one version of IP; everything else is asked over both. What comes from
/// outside keeps its address, and so does what comes from another network; where the answer would find another way back, the
/// host's own address on the network stands for who asked.
#[rustfmt::skip]
const WAYS: &[Way<6>] = &[
    // from     to                     default     custom      internal   isolated   and an open one  container:web
    (Sibling,   Name,                 [Sees(Sibling); 6]),
    (Owner,     Own(Gateway),         [OWNER; 6]),
    (Owner,     Own(Who::Host),       [OWNER,      OWNER,      Nothing,   OWNER,     OWNER,           OWNER]),
    (Who::Host, Own(Owner),           [GATEWAY; 6]),
    (Who::Host, Published(Who::Host), [GATEWAY; 6]),
    (Who::Host, Published(Gateway),   [GATEWAY; 6]),
    (Who::Host, Published(Loopback4), [GATEWAY; 6]),
    (Who::Host, Published(Loopback6), [Refused; 6]),
    (Owner,     Published(Who::Host), [GATEWAY,    GATEWAY,    Nothing,   GATEWAY,   GATEWAY,         GATEWAY]),
    (Owner,     Published(Gateway),   [GATEWAY; 6]),
    (Sibling,   Published(Gateway),   [GATEWAY; 6]),
    (Far,       Published(Who::Host), [Sees(Far),  Sees(Far),  Nothing,   Sees(Far), Sees(Far),       Sees(Far)]),
    (Far,       Own(Owner),           [Nothing; 6]),
    (Owner,     Own(Far),             [HOST,       HOST,       Nothing,   HOST,      HOST,            HOST]),
    (Stranger,  Own(Owner),           [STRANGER,   STRANGER,   Nothing,   Nothing,   Nothing,         STRANGER]),
    (Stranger,  Published(Who::Host), [STRANGER,   STRANGER,   Nothing,   Nothing,   Nothing,         STRANGER]),
    (Owner,     Own(Stranger),        [OWNER,      OWNER,      Nothing,   Nothing,   Nothing,         OWNER]),
];

const NETWORKS: [(&str, &str); 4] = [
    ("back", "subnets = [\"10.70.0.0/24\", \"fd00:70::/64\"]"),
    ("inner", "subnets = [\"10.71.0.0/24\", \"fd00:71::/64\"]\ninternal = true"),
    ("one", "subnets = [\"10.72.0.0/24\", \"fd00:72::/64\"]\nisolate = true"),
    ("two", "subnets = [\"10.73.0.0/24\", \"fd00:73::/64\"]\nisolate = true"),
];

/// Which network everybody is on, and what they publish.
const CONTAINERS: [(&str, &str, &[&str]); 10] = [
    ("web", "default", &["8080:80", "8085:81"]),
    ("db", "default", &[]),
    ("shop", "back", &["8081:80"]),
    ("stock", "back", &[]),
    ("vault", "inner", &["8082:80"]),
    ("safe", "inner", &[]),
    ("cut", "one", &["8083:80"]),
    ("knife", "one", &[]),
    ("away", "two", &["8084:80"]),
    ("off", "two", &[]),
];

/// Where nothing is to stand in the way but the rules: there is a route for everything.
const ROUTES: &str = "
    ip -n far route add default via 192.0.2.1; ip -n far route add default via 2001:db8::1
    inner=$(systemctl show --value -p MainPID container@vault)
    nsenter -n -t $inner ip route add default via 10.71.0.1; nsenter -n -t $inner ip route add default via fd00:71::1";

#[test]
#[ignore = "host ring: make check"]
fn every_way_between_containers_host_and_outside_is_open_or_shut_as_it_is_to_be() {
    let host = host("matrix");
    for (name, toml) in NETWORKS {
        host.write(&format!("/etc/berth/networks/{name}.toml"), toml);
    }
    let before = host.run(STATE).ok();
    let mut containers: Vec<Declared> = Vec::new();
    for (name, network, ports) in CONTAINERS {
        let both: Vec<String> = ports.iter().map(|port| format!("\"{port}\", \"{port}/udp\"")).collect();
        let publish = both.join(", ");
        let network = format!("mode = \"bridge\"\nnetworks = [\"{network}\"]\npublish = [{publish}]");
        containers.push(server_at(&host, name, &network, 80));
    }
    containers.push(server_at(&host, "guest", "mode = \"container:web\"", 81));
    serve(&host, "host", "", HOST_PORT);
    serve(&host, "far", super::FAR, FAR_PORT);
    let all: Vec<&str> = containers.iter().map(|container| &*container.unit).collect();
    let (guest, others) = all.split_last().unwrap();
    host.run(&format!(
        "set -e; systemctl daemon-reload; systemctl start {}; systemctl start {guest}",
        others.join(" ")
    ))
    .ok();
    host.run(ROUTES).ok();
    for container in &containers {
        super::serves(container, if container.name == "guest" { 81 } else { 80 });
    }
    check(&host, &COLUMNS, WAYS);
    host.run(&format!("systemctl stop {}", all.join(" "))).ok();
    eventually(|| match host.run(STATE).ok() {
        now if now == before => Ok(()),
        now => Err(now),
    });
}
