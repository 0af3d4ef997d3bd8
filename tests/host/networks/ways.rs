//! Which way packets go where there are several.

use super::{FAR, ask, host, server, start};

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
