//! What cannot be, said in one line, and nothing left of the attempt.

use super::{STATE, host, server, start};
use crate::ring::{Declared, Host};

#[track_caller]
fn fails(container: &Declared, reason: &str) {
    let host: &Host = container.host;
    let before = host.run(STATE).ok();
    host.run(&format!("systemctl start {} 2>&1", container.unit)).exits(1);
    assert_eq!(container.show("StatusText"), reason);
    // A network that was made for it outlasts it by a second.
    crate::ring::eventually(|| match host.run(STATE).ok() {
        now if now == before => Ok(()),
        now => Err(now),
    });
}

#[test]
#[ignore = "host ring: make check"]
fn a_taken_port_names_who_has_it() {
    let host = host("taken");
    let web = server(&host, "web", "mode = \"bridge\"\npublish = [\"8080:80\", \"192.0.2.1:9000-9009:9000-9009/udp\"]");
    start(&web);
    let on = |ports: &str| format!("mode = \"bridge\"\npublish = [{ports}]");
    fails(&server(&host, "a", &on("\"8080:80\"")), "port 8080/tcp is taken by container web");
    fails(&server(&host, "b", &on("\"127.0.0.1:8080:80\"")), "port 127.0.0.1:8080/tcp is taken by container web");
    fails(&server(&host, "c", &on("\"9005:80/udp\"")), "port 9005/udp is taken by container web");
    // Of another protocol, or at another address.
    let other = server(&host, "other", &on("\"8080:80/udp\", \"127.0.0.1:9005:80/udp\""));
    start(&other);
    host.run("setsid socat TCP-LISTEN:7000,bind=127.0.0.1,fork PIPE </dev/null >/dev/null 2>&1 & sleep 0.5").ok();
    let number = host.run("pgrep -x socat --newest").ok();
    fails(&server(&host, "d", &on("\"7000:80\"")), &format!("port 7000/tcp is taken by socat (process {number})"));
    fails(
        &server(&host, "e", &on("\"203.0.113.9:7001:80\"")),
        "publish 203.0.113.9:7001/tcp: the host has no address 203.0.113.9",
    );
    web.stop();
    start(&server(&host, "a2", &on("\"8080:80\"")));
}

#[test]
#[ignore = "host ring: make check"]
fn addresses_that_cannot_be_had_are_said_to_be_so() {
    let host = host("addresses");
    host.write("/etc/berth/networks/over.toml", "subnets = [\"192.0.2.128/25\"]");
    host.write("/etc/berth/networks/small.toml", "subnets = [\"10.70.0.0/30\"]");
    let on = |network: &str, rest: &str| format!("mode = \"bridge\"\nnetworks = [\"{network}\"]\n{rest}");
    fails(
        &server(&host, "a", &on("over", "")),
        "network over: its subnet 192.0.2.128/25 overlaps the host's route to 192.0.2.0/24 by out",
    );
    let only = server(&host, "only", &on("small", ""));
    start(&only);
    fails(&server(&host, "b", &on("small", "")), "network small has no free address left in 10.70.0.0/30");
    fails(
        &server(&host, "c", &on("small", "ip = [\"10.70.0.2\"]")),
        "address 10.70.0.2 of network small is container only's",
    );
    fails(
        &server(&host, "d", &on("small", "ip = [\"10.70.0.1\"]")),
        "address 10.70.0.1 of network small is the host's",
    );
    fails(
        &server(&host, "e", &on("small", "ip = [\"10.71.0.1\"]")),
        "address 10.71.0.1 is of none of the container's networks: 10.70.0.0/30",
    );
    for (name, toml, reason) in [
        ("over6", "[\"2001:db8::/48\"]", "overlaps the host's route to 2001:db8::/64 by out"),
        ("wide", "[\"10.64.0.0/10\"]", "overlaps 10.70.0.0/30 of network small"),
    ] {
        host.write(&format!("/etc/berth/networks/{name}.toml"), &format!("subnets = {toml}"));
        let subnet = toml.trim_matches(['[', ']', '"']);
        fails(&server(&host, name, &on(name, "")), &format!("network {name}: its subnet {subnet} {reason}"));
    }
    // Of a range, though the subnet has others.
    let toml = "subnets = [\"10.74.0.0/24\", \"fd00:74::/64\"]\nranges = [\"10.74.0.8/32\"]";
    host.write("/etc/berth/networks/narrow.toml", toml);
    let narrow = server(&host, "narrow", &on("narrow", ""));
    start(&narrow);
    fails(&server(&host, "i", &on("narrow", "")), "network narrow has no free address left in 10.74.0.8/32");
    start(&server(&host, "j", &on("narrow", "ip = [\"10.74.0.9\"]")));
    host.run("ip link add berth-mine type veth peer name whatever").ok();
    host.write("/etc/berth/networks/mine.toml", "");
    fails(
        &server(&host, "f", &on("mine", "")),
        "berth-mine of the host is not berth's: rename it, or set interface for network mine",
    );
    // What is somebody else's is neither taken nor removed.
    host.run("ip link add wg0 type veth peer name wg1").ok();
    let pair = "mode = \"private\"\n[[network.interface]]\ntype = \"veth\"\nhost = \"wg0\"";
    fails(&server(&host, "g", pair), "the host has an interface wg0 already, which is not berth's to replace");
    host.run("ip link show wg0").ok();
    host.write("/etc/berth/networks/four.toml", "ipv6 = false");
    fails(
        &server(&host, "h", &on("four", "publish = [\"[::]:8088:80\"]")),
        "publish [::]:8088:80/tcp: the container has no IPv6 address",
    );
    // The next subnet is taken where the first one is somebody's.
    host.run("ip route add 10.84.0.0/14 dev out").ok();
    let next = server(&host, "next", "mode = \"bridge\"");
    start(&next);
    assert!(super::address(&next, false).starts_with("10.64.0."), "{}", super::address(&next, false));
}

#[test]
#[ignore = "host ring: make check"]
fn routes_of_every_table_that_a_rule_leads_to_are_kept_clear_of() {
    let host = host("tables");
    // As a VPN has its own, and one that takes everything by two halves.
    let routes = "ip route add 10.86.0.0/16 dev out table 52; ip rule add pref 5270 lookup 52; \
        ip route add 0.0.0.0/1 via 192.0.2.2; ip route add 128.0.0.0/1 via 192.0.2.2; ip route add 10.96.0.0/12 via 192.0.2.2; \
        ip route add 10.87.0.0/16 dev out table 77";
    host.run(routes).ok();
    let next = server(&host, "next", "mode = \"bridge\"");
    start(&next);
    assert!(super::address(&next, false).starts_with("10.87.0."), "{}", super::address(&next, false));
    let on = |network: &str| format!("mode = \"bridge\"\nnetworks = [\"{network}\"]");
    host.write("/etc/berth/networks/over.toml", "subnets = [\"10.86.3.0/24\"]");
    fails(
        &server(&host, "a", &on("over")),
        "network over: its subnet 10.86.3.0/24 overlaps the host's route to 10.86.0.0/16 by out (table 52)",
    );
    // A part of what a router has the rest of.
    host.write("/etc/berth/networks/cut.toml", "subnets = [\"10.99.0.0/24\"]");
    let cut = server(&host, "cut", &on("cut"));
    start(&cut);
    assert!(super::ask(&host, "", "TCP:10.99.0.1:80").contains("refused"));
    assert!(super::ask(&host, "", &format!("TCP:{}:80", super::address(&cut, false))).starts_with("cut sees"));
}
