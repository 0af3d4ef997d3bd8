//! Networks that are on an interface of the host's: their containers are beside it, with addresses of the network that is there.

use super::ways::Answer::{Moot, NoWay, Sees};
use super::ways::Target::{Name, Own, Published};
use super::ways::Who::{self, Far, Owner, Sibling, Stranger};
use super::ways::{Answer, Column, FAR_PORT, HOST_PORT, Way, check};
use super::{FAR, STATE, address, host, serve, server, server_at, start};
use crate::ring::eventually;

pub const NO_NAMES: Answer = Moot("the host has no address there, and answers nobody");
pub const NO_PORTS: Answer = Moot("the host does not stand between: there is nothing to publish");

/// A network by its column's `bridge`, with containers `owner` and `sibling`.
pub const fn column(
    kind: &'static str,
    network: &'static str,
    [owner, sibling, stranger]: [&'static str; 3],
    host: [&'static str; 2],
    far: [&'static str; 2],
) -> Column {
    Column { kind, bridge: network, owner, holder: owner, listens: 80, published: 0, sibling, stranger, host, far }
}

const HOST: [&str; 2] = ["192.0.2.1", "2001:db8::1"];
const BEYOND: [&str; 2] = ["192.0.2.2", "2001:db8::2"];

const COLUMNS: [Column; 2] = [
    column("macvlan", "lan", ["lan-a", "lan-b", "quiet-a"], HOST, BEYOND),
    column("macvlan, private", "quiet", ["quiet-a", "quiet-b", "lan-a"], HOST, BEYOND),
];

/// Nobody's address is translated.
#[rustfmt::skip]
const WAYS: &[Way<2>] = &[
    // from     to                     macvlan        private
    (Sibling,   Name,                 [NO_NAMES; 2]),
    (Who::Host, Published(Who::Host), [NO_PORTS; 2]),
    (Sibling,   Own(Owner),           [Sees(Sibling), NoWay]),
    (Far,       Own(Owner),           [Sees(Far); 2]),
    (Owner,     Own(Far),             [Sees(Owner); 2]),
    (Who::Host, Own(Owner),           [NoWay; 2]),
    (Owner,     Own(Who::Host),       [NoWay; 2]),
    (Stranger,  Own(Owner),           [NoWay; 2]),
];

#[test]
#[ignore = "host ring: make check"]
fn containers_of_a_macvlan_are_reached_by_who_is_on_its_parents_network_alone() {
    let host = host("macvlan");
    let before = host.run(STATE).ok();
    let common = "driver = \"macvlan\"\nparent = \"out\"\nsubnets = [\"192.0.2.0/24\", \"2001:db8::/64\"]\ngateways = [\"192.0.2.2\", \"2001:db8::2\"]";
    host.write(
        "/etc/berth/networks/lan.toml",
        &format!("{common}\nranges = [\"192.0.2.64/26\", \"2001:db8::1:0/112\"]"),
    );
    host.write(
        "/etc/berth/networks/quiet.toml",
        &format!("{common}\nranges = [\"192.0.2.128/26\", \"2001:db8::2:0/112\"]\nmode = \"private\""),
    );
    let on = |network: &str| format!("mode = \"bridge\"\nnetworks = [\"{network}\"]");
    let containers: Vec<_> = COLUMNS
        .iter()
        .flat_map(|column| [(column.owner, column.bridge), (column.sibling, column.bridge)])
        .map(|(name, network)| server_at(&host, name, &on(network), 80))
        .collect();
    serve(&host, "host", "", HOST_PORT);
    serve(&host, "far", FAR, FAR_PORT);
    containers.iter().for_each(start);
    check(&host, &COLUMNS, WAYS);
    let [four, six] = [false, true].map(|six| address(&containers[0], six));
    let last = four.strip_prefix("192.0.2.").and_then(|last| last.parse().ok());
    assert!(last.is_some_and(|last: u32| (64..128).contains(&last)) && six.starts_with("2001:db8::1:"), "{four} {six}");
    let routes = host.run("berthctl exec lan-a -- ip route; berthctl exec lan-a -- ip -6 route").ok();
    assert!(routes.contains("default via 192.0.2.2 ") && routes.contains("default via 2001:db8::2 "), "{routes}");
    let published = server(&host, "published", &format!("{}\npublish = [\"8080:80\"]", on("lan")));
    host.run(&format!("systemctl start {} 2>&1", published.unit)).exits(1);
    assert_eq!(published.show("StatusText"), "publish 8080:80/tcp: none of its networks is a bridge of the host's");
    for container in &containers {
        container.stop();
    }
    eventually(|| match host.run(STATE).ok() {
        now if now == before => Ok(()),
        now => Err(now),
    });
}
