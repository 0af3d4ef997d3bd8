//! Which way packets go where there are several: to whom a flow leads that was there before, and by which network an answer
//! leaves.

use super::{FAR, ask, host, server, start};

#[test]
#[ignore = "host ring: make check"]
fn a_flow_of_udp_goes_to_whoever_has_the_port_now() {
    let host = host("flows");
    // Where there are rules, the kernel remembers flows.
    let other = server(&host, "other", "mode = \"bridge\"");
    start(&other);
    let from = |port: u16| ask(&host, FAR, &format!("UDP4:192.0.2.1:8080,{port}"));
    let own = || ask(&host, "", "UDP4:127.0.0.1:8080,4002");
    assert!(!from(4000).contains("sees") && !own().contains("sees"));
    let web = server(&host, "web", "mode = \"bridge\"\npublish = [\"8080:80/udp\"]");
    start(&web);
    assert_eq!(from(4000), "web sees 192.0.2.2");
    assert_eq!(own(), "web sees 10.86.0.1");
    web.stop();
    let next = server(&host, "next", "mode = \"bridge\"\nip = [\"10.86.9.9\"]\npublish = [\"8080:80/udp\"]");
    start(&next);
    assert_eq!(from(4000), "next sees 192.0.2.2");
    assert_eq!(own(), "next sees 10.86.0.1");
}

#[test]
#[ignore = "host ring: make check"]
fn however_many_flows_of_udp_there_are_a_start_and_an_end_go_on() {
    let host = host("many-flows");
    let other = server(&host, "other", "mode = \"bridge\"");
    start(&other);
    let crowd = "import socket\nfor port in range(3000):\n with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:\n  \
        one.bind((\"\", 10000 + port)); one.sendto(b\"x\", (\"192.0.2.1\", 8080))";
    let flood = format!("{FAR} python3 -c '{crowd}'");
    host.run(&flood).ok();
    let web = server(&host, "web", "mode = \"bridge\"\npublish = [\"8080:80/udp\"]");
    start(&web);
    assert_eq!(ask(&host, FAR, "UDP4:192.0.2.1:8080,12999"), "web sees 192.0.2.2");
    host.run(&flood).ok();
    web.stop();
    assert_eq!(
        host.run("ls /run/berth/state/containers; journalctl -q -o cat | grep 'flows of UDP'").stdout,
        "other\n"
    );
}

#[test]
#[ignore = "host ring: make check"]
fn who_comes_by_a_published_port_is_answered_by_the_same_network_whichever_has_the_default_route() {
    let host = host("ways");
    host.write(
        "/etc/berth/networks/lan.toml",
        "driver = \"macvlan\"\nparent = \"out\"\nsubnets = [\"192.0.2.0/24\", \"2001:db8::/64\"]\n\
            gateways = [\"192.0.2.2\", \"2001:db8::2\"]\nranges = [\"192.0.2.64/26\"]",
    );
    let web = server(&host, "web", "mode = \"bridge\"\nnetworks = [\"lan\", \"default\"]\npublish = [\"8080:80\"]");
    start(&web);
    let routes = host.run("berthctl exec web -- sh -c 'ip route show default; ip -6 route show default'").ok();
    assert_eq!(routes.matches(" dev eth0").count(), 2, "{routes}");
    assert_eq!(routes.matches("default via").count(), 2, "{routes}");
    assert_eq!(ask(&host, FAR, "TCP:192.0.2.1:8080"), "web sees 192.0.2.2");
    assert_eq!(ask(&host, FAR, "TCP:[2001:db8::1]:8080"), "web sees 2001:db8::2");
    assert_eq!(ask(&host, FAR, &format!("TCP:{}:80", super::address(&web, false))), "web sees 192.0.2.2");
    assert_eq!(ask(&host, "", "TCP:127.0.0.1:8080"), "web sees 10.86.0.1");
}
