//! Other tools' rules stay as they are.

use super::{host, server, start};

/// As docker, libvirt, podman and ufw make theirs, in short: tables of the same hooks, some of them with names of the same kind.
const FIXTURE: &str = r#"
table ip filter {
	chain INPUT { type filter hook input priority filter; policy accept; jump ufw-user-input; }
	chain FORWARD { type filter hook forward priority filter; policy accept; jump DOCKER-USER; oifname "docker0" ct state related,established counter accept; }
	chain DOCKER-USER { counter return; }
	chain ufw-user-input { tcp dport 22 counter accept; }
}
table ip nat {
	chain PREROUTING { type nat hook prerouting priority dstnat; policy accept; fib daddr type local counter jump DOCKER; }
	chain POSTROUTING { type nat hook postrouting priority srcnat; policy accept; ip saddr 172.17.0.0/16 oifname != "docker0" counter masquerade; }
	chain DOCKER { tcp dport 9999 counter dnat to 172.17.0.2:80; }
}
table inet netavark {
	map published { type inet_service : ipv4_addr
		elements = { 9998 : 10.91.0.2 } }
	chain POSTROUTING { type nat hook postrouting priority srcnat; policy accept; ip saddr 10.91.0.0/24 masquerade; }
}
table ip libvirt_network {
	chain guest_nat { type nat hook postrouting priority srcnat; policy accept; ip saddr 192.168.122.0/24 ip daddr != 192.168.122.0/24 counter masquerade; }
}
"#;

#[test]
#[ignore = "host ring: make check"]
fn rules_of_other_tools_are_unchanged_by_start_stop_and_reload() {
    let host = host("others");
    host.write("/root/fixture.nft", FIXTURE);
    host.run("nft -f /root/fixture.nft").ok();
    let without_ours = "nft -s list ruleset | awk '/^table inet berth /{ skip = 1 } !skip { print } /^}/ { skip = 0 }'";
    let before = host.run("nft -s list ruleset").ok();
    let web = server(&host, "web", "mode = \"bridge\"\npublish = [\"8080:80\", \"2000-2999:2000-2999\"]");
    let other = server(&host, "other", "mode = \"bridge\"\npublish = [\"8081:80\"]");
    start(&web);
    assert_eq!(host.run(without_ours).ok(), before);
    start(&other);
    assert_eq!(host.run("nft list map inet berth published4-any | grep -o ' : 10.88' | wc -l").ok(), "1002");
    host.run("berthctl network reload").ok();
    assert_eq!(host.run(without_ours).ok(), before);
    web.stop();
    assert_eq!(host.run(without_ours).ok(), before);
    other.stop();
    let said = host.run("journalctl -b -q -o cat -t other -t berth-network -t berth-executor").ok();
    assert_eq!(host.run("nft -s list ruleset").ok(), before, "{said}");
}
