//! Ends that are not those of a stop: a crash, a kill that nobody saw, an interface that has no place to go back to.

use super::{FAR, STATE, ask, host, server, start};
use crate::ring::{BUSYBOX, Declared, Host, eventually};

/// Serves at port 81 in the network of another container.
fn guest<'a>(host: &'a Host, name: &str, of: &str) -> Declared<'a> {
    super::server_at(host, name, &format!("mode = \"container:{of}\""), 81)
}

#[test]
#[ignore = "host ring: make check"]
fn who_is_in_anothers_network_starts_restarts_and_ends_with_it() {
    let host = host("bound");
    let restarts = "[service]\nRestart = \"on-failure\"\nRestartSec = \"100ms\"";
    let first = server(&host, "first", &format!("mode = \"bridge\"\npublish = [\"8080:81\"]\n{restarts}"));
    let second = guest(&host, "second", "first");
    host.run("systemctl daemon-reload").ok();
    let reached = || match ask(&host, FAR, "TCP:192.0.2.1:8080") {
        said if said == "second sees 192.0.2.2" => Ok(()),
        said => Err(said),
    };
    second.start();
    assert_eq!(first.show("ActiveState"), "active");
    eventually(reached);
    for end in ["systemctl restart container@first", "systemctl kill -s KILL container@first"] {
        let before = second.show("MainPID");
        host.run(end).ok();
        second.wait_for("MainPID", |pid| pid != "0" && pid != before);
        eventually(reached);
    }
    // Nothing is kept of who has left.
    let list = "ls -d /run/berth/state/containers/first/guests";
    host.run(list).ok();
    second.stop();
    assert_ne!(host.run(list).code, Some(0));
    second.start();
    first.stop();
    second.ended();
    // One that is not started again takes the other along.
    let single = server(&host, "single", "mode = \"bridge\"");
    let visitor = guest(&host, "visitor", "single");
    host.run("systemctl daemon-reload").ok();
    visitor.start();
    host.run("systemctl kill -s KILL container@single").ok();
    visitor.ended();
    single.ended();
    let run = |name: &str, network: &str| {
        let command = format!("berthctl run -d --name {name} --network {network} --rootfs {BUSYBOX} -- sleep 1000");
        host.run(&command).ok();
    };
    run("passing", "bridge");
    run("beside", "container:passing");
    host.run("systemctl kill -s KILL berth-run-passing.service").ok();
    eventually(|| match host.run("systemctl is-active berth-run-beside.service").stdout.trim() {
        "active" | "deactivating" => Err("it still runs".to_owned()),
        _ => Ok(()),
    });
}

#[test]
#[ignore = "host ring: make check"]
fn what_a_killed_bare_start_had_on_networks_is_taken_back_once_the_payload_has_ended() {
    let host = host("bare");
    let before = host.run(STATE).ok();
    host.write(
        "/root/lone.toml",
        &format!(
            "rootfs = \"{BUSYBOX}\"\ninit = true\ncommand = [\"/bin/sleep\", \"1000\"]\n[network]\nmode = \"bridge\"\npublish = [\"8080:80\"]"
        ),
    );
    host.run("setsid /usr/lib/berth/berth-executor bare /root/lone.toml </dev/null >/dev/null 2>&1 &").ok();
    let state = "/run/berth/state/containers/lone";
    let leader = eventually(|| {
        let found = host.run(&format!("grep -o '\"leader\":[0-9]*' {state}/started.json | cut -d: -f2"));
        match found.stdout.trim() {
            "" => Err("it does not run yet".to_owned()),
            leader => Ok(leader.to_owned()),
        }
    });
    host.run(&format!("kill -9 $(ps -o ppid= -p {leader})")).ok();
    // Nobody stands by it, but it runs and keeps what it has.
    host.run(&format!("/usr/lib/berth/berth-executor sweep; kill -0 {leader}; ip link show vb-lone")).ok();
    host.run(&format!("kill -9 {leader}")).ok();
    eventually(|| {
        let left = host.run(&format!("ls {state} /var/lib/berth/writable/lone")).stdout;
        match host.run(STATE).ok() {
            now if now == before && left.is_empty() => Ok(()),
            now => Err(format!("{now}\n{left}")),
        }
    });
}

#[test]
#[ignore = "host ring: make check"]
fn an_interface_whose_name_is_anothers_by_now_is_kept_until_it_can_be_given_back() {
    let host = host("kept");
    host.run("ip link add lan type veth peer name lan-end").ok();
    let network = "mode = \"private\"\n[[network.interface]]\ntype = \"move\"\nparent = \"lan\"\nname = \"lan0\"\n";
    let mover = server(&host, "mover", network);
    start(&mover);
    host.run("ip link add lan type veth peer name other-end").ok();
    mover.stop();
    let kept = "nsenter --net=/run/berth/state/containers/mover/netns ip link show lan0";
    host.run(&format!("{kept} && ip link show lan-end")).ok();
    let reason = "lan cannot be given back: the host has another interface of that name; rename that one";
    host.run("systemctl start container@mover").exits(1);
    assert_eq!(mover.show("StatusText"), reason);
    host.run(kept).ok();
    host.run("ip link del lan; systemctl start berth-sweep.service").ok();
    host.run("ip link show lan && ! ip link show other-end 2>/dev/null").ok();
    assert_eq!(host.run("grep '/run/berth.* nsfs ' /proc/self/mountinfo; ls /run/berth/state/containers").stdout, "");
    start(&mover);
}
