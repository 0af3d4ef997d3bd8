//! What is a container's own of networks, beside the ways of [`super::matrix`].

use super::{FAR, address, ask, host, inside, server, server_at, serves, start};

#[test]
#[ignore = "host ring: make check"]
fn a_port_published_at_one_address_is_refused_at_all_others() {
    let host = host("one-address");
    let web = server(&host, "web", "mode = \"bridge\"\npublish = [\"8080:80\", \"127.0.0.1:8081:80\"]");
    start(&web);
    assert_eq!(ask(&host, "", "TCP:127.0.0.1:8081"), "web sees 10.86.0.1");
    for elsewhere in ["", FAR, &inside(&web)] {
        assert_eq!(ask(&host, elsewhere, "TCP:192.0.2.1:8081"), "refused", "{elsewhere}");
    }
    let listed = host.run("berthctl list --no-legend").ok();
    assert!(listed.contains("*:8080->80/tcp") && listed.contains("127.0.0.1:8081->80/tcp"), "{listed}");
}

#[test]
#[ignore = "host ring: make check"]
fn a_container_has_the_addresses_it_asks_for_and_a_way_out_by_the_first_network_that_leads_anywhere() {
    let host = host("own-addresses");
    host.write("/etc/berth/networks/inner.toml", "subnets = [\"10.70.0.0/24\"]\ninternal = true");
    let network = "mode = \"bridge\"\nnetworks = [\"inner\", \"default\"]\nip = [\"10.70.0.7\", \"10.86.7.7\"]\nmac = \"02:00:00:00:00:07\"";
    let db = server(&host, "db", network);
    start(&db);
    let addresses = host.run("berthctl exec db -- ip -o -4 addr show scope global").ok();
    assert!(
        addresses.contains("eth0    inet 10.70.0.7/24") && addresses.contains("eth1    inet 10.86.7.7/16"),
        "{addresses}"
    );
    host.run("berthctl exec db -- ip -o link show eth0 | grep -q 02:00:00:00:00:07").ok();
    let routes = host.run("berthctl exec db -- ip route show default").ok();
    assert!(routes.contains("via 10.86.0.1 dev eth1"), "{routes}");
    let files = host.run("berthctl exec db -- cat /etc/hosts /etc/resolv.conf").ok();
    assert!(files.contains("10.70.0.7 db") && files.contains("nameserver 10.70.0.1"), "{files}");
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
fn a_container_in_anothers_network_is_reached_by_that_ones_ports_and_ends_with_it() {
    let host = host("joined");
    let first = server(&host, "first", "mode = \"bridge\"\npublish = [\"8080:81\"]");
    start(&first);
    let second = server_at(&host, "second", "mode = \"container:first\"", 81);
    host.run("systemctl daemon-reload").ok();
    second.start();
    serves(&second, 81);
    assert_eq!(ask(&host, FAR, "TCP:192.0.2.1:8080"), "second sees 192.0.2.2");
    let (one, other) = (
        host.run("berthctl exec first -- cat /etc/hosts").ok(),
        host.run("berthctl exec second -- cat /etc/hosts").ok(),
    );
    assert_eq!(one, other);
    assert_eq!(ask(&host, &inside(&second), "TCP:127.0.0.1:80"), "first sees 127.0.0.1");
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
