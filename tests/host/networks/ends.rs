//! Ends that are not those of a stop: a crash, a kill that nobody saw, an interface that has no place to go back to.

use super::{STATE, host};
use crate::ring::{BUSYBOX, eventually};

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
