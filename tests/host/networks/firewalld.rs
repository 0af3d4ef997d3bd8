//! The real firewalld beside berth: what it drops is named, and what it does to its rules leaves ours in force.

use super::{FAR, ask, host, inside, serve, server, start};
use crate::ring::{Declared, eventually};

/// An echo at the container's port 81, and somebody outside who says a second thing when they are told to.
const LASTING: &str = r"
systemd-run -q --unit=echo nsenter -n -t $(systemctl show --value -p MainPID container@web) socat TCP-LISTEN:81,fork PIPE
cat >/srv/lasting <<'SCRIPT'
(echo first; until [[ -e /run/second ]]; do sleep 0.1; done; echo second; sleep 20) |
    socat - TCP:192.0.2.1:8081,retry=50,interval=0.1 >/run/echoed
SCRIPT
systemd-run -q --unit=lasting ip netns exec far bash /srv/lasting";

/// What does not work of all that containers do.
fn broken(web: &Declared) -> Result<(), String> {
    let host = web.host;
    let all = [
        (FAR, "TCP:192.0.2.1:8080 UDP:[2001:db8::1]:8080", "web sees 192.0.2.2\nweb sees 2001:db8::2"),
        ("", "TCP:127.0.0.1:8080", "web sees 10.86.0.1"),
        (
            &inside(web),
            "TCP:192.0.2.1:8080 TCP:192.0.2.2:99 TCP:10.86.0.1:98 TCP4:db:80",
            "web sees 10.86.0.1\nfar sees 192.0.2.1\nhost sees 10.86.7.7\ndb sees 10.86.7.7",
        ),
    ];
    for (from, to, expected) in all {
        let said = ask(host, from, to);
        if said != expected {
            return Err(format!("{from} {to}: {said}"));
        }
    }
    match host.run("berthctl network check").stdout {
        checked if checked.starts_with("0 obstacles") => Ok(()),
        checked => Err(checked),
    }
}

#[test]
#[ignore = "host ring: make check"]
fn firewalld_is_told_of_a_network_once_and_may_reload_and_restart_as_it_likes() {
    let host = host("firewalld");
    let network = "mode = \"bridge\"\nip = [\"10.86.7.7\"]\npublish = [\"8080:80\", \"8080:80/udp\", \"8081:81\"]";
    let web = server(&host, "web", network);
    let db = server(&host, "db", "mode = \"bridge\"");
    start(&web);
    start(&db);
    serve(&host, "host", "", 98);
    serve(&host, "far", FAR, 99);
    eventually(|| broken(&web));
    host.run("systemctl start firewalld && firewall-cmd --state").ok();
    let named = host.run("berthctl network check --no-legend").exits(1);
    for chain in ["inet firewalld filter_INPUT (input", "inet firewalld filter_FORWARD (forward"] {
        assert!(named.contains(chain), "{named}");
    }
    let dropped = ask(&host, &inside(&web), "TCP:10.86.0.1:98");
    assert!(!dropped.contains("sees"), "{dropped}");
    // As it is told to.
    let help = named.lines().find_map(|line| line.find("firewall-cmd ").map(|at| &line[at..])).unwrap();
    host.run(&format!("{} && firewall-cmd --reload", help.replace("NETWORK", "default"))).ok();
    eventually(|| broken(&web));
    host.run(LASTING).ok();
    let echoed = |wanted: &str| {
        eventually(|| match host.run("cat /run/echoed").stdout {
            found if found == wanted => Ok(()),
            found => Err(found),
        });
    };
    echoed("first\n");
    let running = [web.show("MainPID"), db.show("MainPID")];
    host.run("firewall-cmd --reload").ok();
    host.run("touch /run/second").ok();
    echoed("first\nsecond\n");
    for harm in [
        "firewall-cmd --complete-reload",
        "systemctl restart firewalld",
        "nft flush ruleset",
        "nft flush ruleset; firewall-cmd --reload",
        "systemctl stop firewalld",
    ] {
        host.run(harm).ok();
        let began = std::time::Instant::now();
        eventually(|| broken(&web).map_err(|problem| format!("{harm}: {problem}")));

        assert!(began.elapsed().as_secs() < 10, "{harm}: {:?}", began.elapsed());
    }
    assert_eq!([web.show("MainPID"), db.show("MainPID")], running);
}
