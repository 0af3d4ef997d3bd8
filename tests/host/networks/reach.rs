//! Who reaches whom, from where, and whom the container sees.

use super::{FAR, GATEWAY, address, ask, host, inside, server, start};

#[test]
#[ignore = "host ring: make check"]
fn published_ports_are_reached_from_everywhere_and_outside_sources_are_kept() {
    let host = host("reach");
    let network = "mode = \"bridge\"\npublish = [\"8080:80\", \"8080:80/udp\", \"127.0.0.1:8081:80\"]";
    let web = server(&host, "web", network);
    start(&web);
    let gateway = format!("web sees {GATEWAY}");
    let gateway6 = format!("web sees {}", gateway_of_six(&host));
    for protocol in ["TCP", "UDP"] {
        for own in ["127.0.0.1", "192.0.2.1", GATEWAY] {
            assert_eq!(ask(&host, "", &format!("{protocol}:{own}:8080")), gateway, "{protocol} {own}");
        }
        assert_eq!(ask(&host, "", &format!("{protocol}:[2001:db8::1]:8080")), gateway6, "{protocol}");
        let far = format!("{protocol}:192.0.2.1:8080");
        assert_eq!(ask(&host, FAR, &far), "web sees 192.0.2.2", "{protocol}");
        assert_eq!(ask(&host, FAR, &format!("{protocol}:[2001:db8::1]:8080")), "web sees 2001:db8::2", "{protocol}");
        // By a port it publishes itself.
        assert_eq!(ask(&host, &inside(&web), &far), gateway, "{protocol}");
        assert_eq!(ask(&host, &inside(&web), &format!("{protocol}:[2001:db8::1]:8080")), gateway6, "{protocol}");
        // Refused at once, not left to time out.
        let refused = ask(&host, "", &format!("{protocol}:[::1]:8080"));
        assert!(refused.contains("refused"), "{protocol}: {refused}");
    }
    assert_eq!(ask(&host, "", "TCP:127.0.0.1:8081"), gateway);
    for elsewhere in ["", FAR] {
        let refused = ask(&host, elsewhere, "TCP:192.0.2.1:8081");
        assert!(refused.contains("refused"), "{elsewhere}: {refused}");
    }
    // From outside, published ports alone.
    host.run("ip -n far route add 10.86.0.0/16 via 192.0.2.1").ok();
    let direct = ask(&host, FAR, &format!("TCP:{}:80", address(&web, false)));
    assert!(!direct.contains("sees"), "{direct}");
    let listed = host.run("berthctl list --no-legend").ok();
    assert!(listed.contains("*:8080->80/tcp") && listed.contains("127.0.0.1:8081->80/tcp"), "{listed}");
}

#[test]
#[ignore = "host ring: make check"]
fn containers_reach_each_other_the_host_and_the_outside_as_the_host() {
    let host = host("siblings");
    let web = server(&host, "web", "mode = \"bridge\"");
    let db = server(&host, "db", "mode = \"bridge\"\nip = [\"10.86.7.7\"]\nmac = \"02:00:00:00:00:07\"");
    start(&web);
    start(&db);
    assert_eq!(address(&db, false), "10.86.7.7");
    host.run("berthctl exec db -- ip -o link show eth0 | grep -q 02:00:00:00:00:07").ok();
    for six in [false, true] {
        let (from, to) = (address(&web, six), address(&db, six));
        let to = if six { format!("[{to}]") } else { to };
        assert_eq!(ask(&host, &inside(&web), &format!("TCP:{to}:80")), format!("db sees {from}"));
        assert_eq!(ask(&host, &inside(&web), &format!("UDP:{to}:80")), format!("db sees {from}"));
    }
    let listener = |prefix: &str, port: u16| {
        format!(
            "setsid {prefix} socat TCP6-LISTEN:{port},fork,reuseaddr,ipv6only=0 'SYSTEM:echo it sees $SOCAT_PEERADDR' </dev/null >/dev/null 2>&1 &"
        )
    };
    host.run(&format!("{}\n{}\nsleep 0.5", listener(FAR, 99), listener("", 98))).ok();
    assert_eq!(ask(&host, &inside(&web), "TCP:192.0.2.2:99"), "it sees 192.0.2.1");
    assert_eq!(ask(&host, &inside(&web), "TCP:[2001:db8::2]:99"), "it sees 2001:db8::1");
    let own = format!("it sees {}", address(&web, false));
    assert_eq!(ask(&host, &inside(&web), &format!("TCP:{GATEWAY}:98")), own);
    assert_eq!(ask(&host, &inside(&web), "TCP:192.0.2.1:98"), own);
    let hosts = host.run("berthctl exec web -- cat /etc/hosts /etc/resolv.conf").ok();
    assert!(
        hosts.contains(&format!("{} web", address(&web, false))) && hosts.contains("nameserver 10.86.0.1"),
        "{hosts}"
    );
}

#[test]
#[ignore = "host ring: make check"]
fn what_listens_at_the_hosts_loopback_is_out_of_reach() {
    let host = host("loopback");
    host.run("systemctl mask --now berth-network.path").ok();
    let web = server(&host, "web", "mode = \"bridge\"");
    start(&web);
    host.run("setsid socat TCP-LISTEN:97,fork,reuseaddr,bind=127.0.0.1 SYSTEM:'echo secret' </dev/null >/dev/null 2>&1 & sleep 0.5").ok();
    // A container that may do as it likes with its own routes.
    let network = format!("nsenter -n -t {}", web.show("MainPID"));
    host.run(&format!(
        "{network} sh -c 'echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet; ip addr flush dev lo; \
            ip route add 127.0.0.1 via 10.86.0.1 dev eth0 src {}'",
        address(&web, false)
    ))
    .ok();
    let said = ask(&host, &network, "TCP:127.0.0.1:97");
    assert!(!said.contains("secret"), "{said}");
    // It is the rules that keep it away.
    host.run("nft flush chain inet berth guard").ok();
    assert_eq!(ask(&host, &network, "TCP:127.0.0.1:97"), "secret");
}

#[test]
#[ignore = "host ring: make check"]
fn internal_networks_lead_nowhere_and_isolated_ones_not_to_each_other() {
    let host = host("internal");
    host.write("/etc/berth/networks/inner.toml", "subnets = [\"10.70.0.0/24\", \"fd00:70::/64\"]\ninternal = true");
    host.write("/etc/berth/networks/one.toml", "subnets = [\"10.71.0.0/24\"]\nisolate = true");
    host.write("/etc/berth/networks/two.toml", "subnets = [\"10.72.0.0/24\"]\nisolate = true");
    host.write("/etc/berth/networks/open.toml", "subnets = [\"10.73.0.0/24\"]");
    let on = |name: &str, ports: &str| format!("mode = \"bridge\"\nnetworks = [\"{name}\"]\npublish = [{ports}]");
    let inner = server(&host, "inner", &on("inner", "\"8070:80\""));
    let one = server(&host, "one", &on("one", "\"8071:80\""));
    let two = server(&host, "two", &on("two", ""));
    let open = server(&host, "open", &on("open", ""));
    let other = server(&host, "other", "mode = \"bridge\"\nnetworks = [\"inner\", \"open\"]");
    for container in [&inner, &one, &two, &open, &other] {
        start(container);
    }
    let to = |container| format!("TCP:{}:80", address(container, false));
    let reaches = |from: &str, to: &str| ask(&host, from, to).contains("sees");
    // The host's own address there, and containers there.
    assert!(reaches(&inside(&inner), &to(&other)) && reaches("", &to(&inner)) && reaches("", "TCP:127.0.0.1:8070"));
    assert!(!reaches(FAR, "TCP:192.0.2.1:8070"));
    host.run("for port in 98; do setsid socat TCP6-LISTEN:$port,fork,reuseaddr,ipv6only=0 'SYSTEM:echo it sees me' </dev/null >/dev/null 2>&1 & done; sleep 0.5").ok();
    assert!(reaches(&inside(&inner), "TCP:10.70.0.1:98") && reaches(&inside(&inner), "TCP:[fd00:70::1]:98"));
    // Even where it has a way to try.
    host.run("nsenter -n -t $(systemctl show --value -p MainPID container@inner) ip route add default via 10.70.0.1")
        .ok();
    for forbidden in ["TCP:192.0.2.1:98", "TCP:192.0.2.2:99", &to(&open), "TCP:192.0.2.1:8071"] {
        assert!(!reaches(&inside(&inner), forbidden), "{forbidden}");
    }
    for (from, to, expected) in [(&one, &two, false), (&two, &one, false), (&one, &open, false), (&open, &two, false)] {
        assert_eq!(reaches(&inside(from), &self::to(to)), expected, "{} {}", from.name, to.name);
    }
    assert!(reaches(FAR, "TCP:192.0.2.1:8071"));
    // Of the first network that leads anywhere: that of the second here.
    let routes = host.run("berthctl exec other -- ip route show default").ok();
    assert!(routes.contains("via 10.73.0.1 dev eth1"), "{routes}");
}

fn to(container: &crate::ring::Declared) -> String {
    format!("TCP:{}:80", address(container, false))
}

#[test]
#[ignore = "host ring: make check"]
fn a_container_in_anothers_network_is_reached_by_that_ones_ports_and_ends_with_it() {
    let host = host("joined");
    let first = server(&host, "first", "mode = \"bridge\"\npublish = [\"8080:81\"]");
    start(&first);
    let script = super::SERVER.replace("$port", "81").replace("$name", "second");
    let toml = format!(
        "rootfs = \"{}\"\ninit = true\ncommand = [\"/bin/sh\", \"-c\", '''{script}''']\n[network]\nmode = \"container:first\"\n",
        crate::ring::DEBIAN
    );
    let second = host.declare("second", &toml);
    host.run("systemctl daemon-reload").ok();
    second.start();
    crate::ring::eventually(|| match ask(&host, FAR, "TCP:192.0.2.1:8080") {
        said if said == "second sees 192.0.2.2" => Ok(()),
        said => Err(said),
    });
    let (one, other) = (
        host.run("berthctl exec first -- cat /etc/hosts").ok(),
        host.run("berthctl exec second -- cat /etc/hosts").ok(),
    );
    assert_eq!(one, other);
    let own = ask(&host, &inside(&second), "TCP:127.0.0.1:80");
    assert!(own.ends_with("first sees 127.0.0.1"), "{own}");
    first.stop();
    second.ended();
}

#[test]
#[ignore = "host ring: make check"]
fn a_moved_interface_comes_back_whatever_end_the_container_had() {
    let host = host("moved");
    host.run("ip link add lan type veth peer name lan-end; ip link add trunk type veth peer name trunk-end; ip link set trunk up").ok();
    let network = "mode = \"private\"\n[[network.interface]]\ntype = \"move\"\nparent = \"lan\"\nname = \"lan0\"\n\
        [[network.interface]]\ntype = \"macvlan\"\nparent = \"trunk\"\nname = \"v12\"\n\
        [[network.interface]]\ntype = \"veth\"\n";
    let mover = server(&host, "mover", network);
    for end in ["systemctl stop container@mover", "systemctl kill -s KILL container@mover"] {
        start(&mover);
        let links = host.run("berthctl exec mover -- ip -o link").ok();
        assert!([" lan0@", " v12@", " host0@"].iter().all(|name| links.contains(name)), "{links}");
        host.run("! ip link show lan 2>/dev/null && ip link show ve-mover").ok();
        host.run(end).ok();
        mover.ended();
        crate::ring::eventually(|| {
            let gone = host
                .run("ip link show lan && ! ip link show ve-mover && ! grep '/run/berth.* nsfs ' /proc/self/mountinfo");
            if gone.code == Some(0) { Ok(()) } else { Err(format!("{end}: {}{}", gone.stdout, gone.stderr)) }
        });
    }
}

#[test]
#[ignore = "host ring: make check"]
fn a_macvlan_network_is_on_its_parents_own() {
    let host = host("macvlan");
    host.write(
        "/etc/berth/networks/lan.toml",
        "driver = \"macvlan\"\nparent = \"out\"\nsubnets = [\"192.0.2.0/24\"]\ngateways = [\"192.0.2.2\"]\nranges = [\"192.0.2.64/26\"]",
    );
    let web = server(&host, "web", "mode = \"bridge\"\nnetworks = [\"lan\"]");
    start(&web);
    let own = address(&web, false);
    assert!(
        own.strip_prefix("192.0.2.").is_some_and(|last| (64..128).contains(&last.parse::<u32>().unwrap())),
        "{own}"
    );
    assert_eq!(ask(&host, FAR, &format!("TCP:{own}:80")), "web sees 192.0.2.2");
    assert!(host.run("berthctl exec web -- ip route").ok().contains("default via 192.0.2.2"));
    web.stop();
    assert_eq!(host.run("nft list ruleset; ls -A /run/berth/state/networks | grep -v lock; true").ok(), "");
}

fn gateway_of_six(host: &crate::ring::Host) -> String {
    let found = host.run("ip -o -6 addr show dev berth-default scope global | awk '{ print $4 }'").ok();
    found.split('/').next().unwrap().to_owned()
}
