//! Other tools' rules stay as they are.

use super::{host, server, start};
use crate::ring::eventually;

/// What each of them leaves in the kernel. docker's and ufw's are in the same tables, as they are on a host that has both.
const FIXTURES: [&str; 4] = [
    include_str!("others/docker.nft"),
    include_str!("others/podman.nft"),
    include_str!("others/libvirt.nft"),
    include_str!("others/ufw.nft"),
];

/// Every rule but berth's own.
const WITHOUT_OURS: &str =
    "nft -s list ruleset | awk '/^table inet berth /{ skip = 1 } !skip { print } /^}/ { skip = 0 }'";

#[test]
#[ignore = "host ring: make check"]
fn rules_of_docker_podman_libvirt_and_ufw_are_unchanged_by_start_stop_and_reload() {
    let host = host("others");
    for fixture in FIXTURES {
        host.write("/root/fixture.nft", fixture);
        host.run("nft -f /root/fixture.nft").ok();
    }
    let before = host.run("nft -s list ruleset").ok();
    for part in ["DOCKER-FORWARD", "docker-bridges", "netavark", "libvirt_network", "ufw-before-forward"] {
        assert!(before.contains(part), "{before}");
    }
    let web = server(&host, "web", "mode = \"bridge\"\npublish = [\"8080:80\", \"2000-2999:2000-2999\"]");
    let other = server(&host, "other", "mode = \"bridge\"\npublish = [\"8081:80\"]");
    start(&web);
    assert_eq!(host.run(WITHOUT_OURS).ok(), before);
    start(&other);
    assert_eq!(host.run("nft list map inet berth published4-any | grep -o '[0-9] : [0-9]' | wc -l").ok(), "1002");
    host.run("berthctl network reload").ok();
    assert_eq!(host.run(WITHOUT_OURS).ok(), before);
    // They are left alone, and said to be in the way.
    let obstacles = host.run("berthctl network check --no-legend").exits(1);
    for chain in ["ip filter FORWARD (forward", "ip filter INPUT (input", "ip6 filter FORWARD (forward"] {
        assert!(obstacles.contains(chain), "{obstacles}");
    }
    // Somebody flushes ours alone.
    host.run("nft delete table inet berth").ok();
    eventually(|| match host.run("nft list table inet berth").code {
        Some(0) => Ok(()),
        code => Err(format!("{code:?}")),
    });
    assert_eq!(host.run(WITHOUT_OURS).ok(), before);
    web.stop();
    assert_eq!(host.run(WITHOUT_OURS).ok(), before);
    other.stop();
    // A network outlasts its last container by a second.
    eventually(|| match host.run("nft -s list ruleset").ok() {
        now if now == before => Ok(()),
        now => Err(now),
    });
}
