//! What somebody takes away while containers run is made again by itself.

use super::{FAR, ask, host, server, start};
use crate::ring::eventually;

#[test]
#[ignore = "host ring: make check"]
fn flushed_rules_and_a_deleted_bridge_are_made_again_within_ten_seconds() {
    let host = host("repair");
    let web = server(&host, "web", "mode = \"bridge\"\npublish = [\"8080:80\"]");
    start(&web);
    let reached = || match (ask(&host, FAR, "TCP:192.0.2.1:8080"), ask(&host, "", "TCP:127.0.0.1:8080")) {
        (far, own) if far == "web sees 192.0.2.2" && own == "web sees 10.86.0.1" => Ok(()),
        other => Err(format!("{other:?}")),
    };
    eventually(reached);
    for harm in [
        "nft flush ruleset",
        "nft delete table inet berth",
        "nft flush chain inet berth publish",
        "ip link del berth-default",
        "ip link set vb-web nomaster",
    ] {
        let began = std::time::Instant::now();
        host.run(&format!("{harm} >/dev/null 2>&1")).ok();
        eventually(|| {
            let checked = host.run("berthctl network check").stdout;
            if checked.starts_with("0 obstacles") { reached() } else { Err(format!("{harm}: {checked}")) }
        });
        assert!(began.elapsed().as_secs() < 10, "{harm}: {:?}", began.elapsed());
    }
    // Nobody listens for changes without a network.
    web.stop();
    eventually(|| match host.run("systemctl is-active berth-network.socket").stdout.trim() {
        "inactive" => Ok(()),
        state => Err(state.to_owned()),
    });
    start(&web);
    host.run("nft flush ruleset").ok();
    eventually(reached);
}

#[test]
#[ignore = "host ring: make check"]
fn network_reload_says_what_it_made_again_and_check_what_is_missing() {
    let host = host("reload");
    host.run("systemctl mask --now berth-network.path").ok();
    let web = server(&host, "web", "mode = \"bridge\"\npublish = [\"8080:80\"]");
    start(&web);
    host.run("nft flush ruleset; ip link del berth-default").ok();
    let missing = host.run("berthctl network check --no-legend").exits(1);
    for part in ["bridge berth-default", "link vb-web", "the rules of table inet berth"] {
        assert!(missing.contains(part), "{missing}");
    }
    let repaired = host.run("berthctl network reload").ok();
    assert_eq!(repaired.lines().count(), 3, "{repaired}");
    assert_eq!(ask(&host, "", "TCP:127.0.0.1:8080"), "web sees 10.86.0.1");
    assert_eq!(host.run("berthctl network reload; berthctl network check --no-legend").ok(), "");
    host.run("nft add table ip filter; nft 'add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'").ok();
    let obstacle = host.run("berthctl network check --no-legend").exits(1);
    assert!(obstacle.contains("ip filter FORWARD (forward, policy drop)"), "{obstacle}");
    // A port that somebody binds once it is published; one at an address that is nobody else's.
    let listen = |at: &str| format!("setsid socat {at} PIPE </dev/null >/dev/null 2>&1 &");
    let listeners =
        ["TCP6-LISTEN:8080,bind=[::1]", "UDP4-RECVFROM:8080", "TCP4-LISTEN:8080,bind=127.0.0.1"].map(listen);
    host.run(&format!("nft delete table ip filter; {}", listeners.concat())).ok();
    let number = eventually(|| {
        let bound =
            host.run("ss -Hltnp 'src 127.0.0.1:8080'; ss -Hltn 'src [::1]:8080'; ss -Hlun 'src 0.0.0.0:8080'").stdout;
        let number = bound.split_once("pid=").and_then(|(_, rest)| rest.split(',').next()).map(str::to_owned);
        number.filter(|_| bound.lines().count() == 3).ok_or(bound)
    });
    let shadowed = host.run("berthctl network check --no-legend").exits(1);
    let expected = format!("8080/tcp of web, at which socat (process {number}) listens");
    assert!(shadowed.contains(&expected) && shadowed.lines().count() == 1, "{shadowed}");
}
