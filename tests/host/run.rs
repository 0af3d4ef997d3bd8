//! `berthctl run`: containers no file declares.

use crate::ring::{BUSYBOX, eventually, host};

#[test]
#[ignore = "host ring: make check"]
fn it_runs_a_tree_in_the_foreground_with_the_payload_s_exit_code() {
    let ran = host().run("berthctl run --rootfs /srv/busybox -- sh -c 'echo out; echo err >&2; exit 4'");
    assert!(ran.stderr.contains("err"), "{}", ran.stderr);
    assert_eq!(ran.exits(4), "out");
    host().run("berthctl run --rootfs /srv/busybox -- sh -c 'kill -9 $$; sleep 1; exit 3'").exits(3);
}

#[test]
#[ignore = "host ring: make check"]
fn standard_input_reaches_the_payload() {
    let sums = host().run("head -c 5000000 /dev/urandom >/srv/data/in; sha256sum </srv/data/in; berthctl run -i --rootfs /srv/busybox -- sha256sum </srv/data/in");
    let sums = sums.ok();
    let (sent, seen) = sums.split_once('\n').unwrap();
    assert_eq!(sent, seen);
}

#[test]
#[ignore = "host ring: make check"]
fn a_detached_one_is_a_transient_unit_until_it_is_stopped() {
    host().run("berthctl run -d --name detached --property TasksMax=66 -e MODE=live -w /tmp -u www --rootfs /srv/busybox -- sh -c 'trap \"exit 0\" TERM; echo $MODE $(pwd) $(id -u); while :; do sleep 1000 & wait; done'").ok();
    assert_eq!(host().show("berth-run-detached.service", "ActiveState"), "active");
    assert_eq!(host().show("berth-run-detached.service", "TasksMax"), "66");
    assert!(host().run("berthctl list").ok().contains("detached"));
    eventually(|| {
        let log = host().run("berthctl logs detached").stdout;
        if log.contains("live /tmp 33") { Ok(()) } else { Err(log) }
    });
    host().run("berthctl run -d --name detached --rootfs /srv/busybox -- sleep 1").exits(125);
    host().run("berthctl stop detached").ok();
    eventually(|| {
        let left = host().run("systemctl list-units --all --no-legend 'berth-run-detached*'; ls -d /run/berth/state/containers/detached").stdout;
        if left.trim().is_empty() { Ok(()) } else { Err(left) }
    });
}

#[test]
#[ignore = "host ring: make check"]
fn a_scope_is_the_caller_s_child() {
    let ran = host().run("berthctl run --scope --name scoped --rootfs /srv/busybox -- sh -c 'cat /proc/self/cgroup | grep -c ^0::; echo $$; exit 8'");
    assert_eq!(ran.exits(8), "1\n1");
}

#[test]
#[ignore = "host ring: make check"]
fn volumes_and_networks_are_given_on_the_command_line() {
    host().run("mkdir -p /srv/data/given; echo given >/srv/data/given/file").ok();
    let ran = host().run("berthctl run -v /srv/data/given:/data:ro --network host --rootfs /srv/busybox -- sh -c 'cat /data/file; touch /data/x 2>/dev/null || echo refused; readlink /proc/self/ns/net'; readlink /proc/self/ns/net");
    let seen = ran.ok();
    let lines: Vec<_> = seen.lines().collect();
    assert_eq!(lines[..2], ["given", "refused"]);
    assert_eq!(lines[2], lines[3]);
}

#[test]
#[ignore = "host ring: make check"]
fn a_toml_file_anywhere_is_run() {
    host().write("/srv/data/here.toml", "rootfs = \"/srv/busybox\"\ncommand = [\"/bin/hostname\"]\n");
    assert_eq!(host().run("cd /srv/data && berthctl run ./here.toml").ok(), "here");
}

#[test]
#[ignore = "host ring: make check"]
fn the_service_outlives_a_killed_berthctl() {
    let script = "berthctl run --name outlives --rootfs /srv/busybox -- sleep 1000 & client=$!
        until [ \"$(systemctl is-active berth-run-outlives.service)\" = active ]; do sleep 0.05; done
        kill -9 $client; sleep 0.3; systemctl is-active berth-run-outlives.service
        systemctl kill -s KILL berth-run-outlives.service";
    assert_eq!(host().run(script).ok().lines().last(), Some("active"));
}

#[test]
#[ignore = "host ring: make check"]
fn a_signal_for_berthctl_is_the_payload_s() {
    let script = "berthctl run --name signalled --rootfs /srv/busybox -- sh -c 'trap \"exit 42\" TERM; echo up; while :; do sleep 1000 & wait; done' >/srv/data/up & client=$!
        until grep -q up /srv/data/up; do sleep 0.05; done
        kill -TERM $client; wait $client";
    host().run(script).exits(42);
}

/// systemd tells everybody of every job's end once anybody asks for it; none of that may hold up a run that waits.
#[test]
#[ignore = "host ring: make check"]
fn hundreds_of_jobs_of_others_do_not_hold_up_a_run() {
    let jobs = "for _ in $(seq 150); do systemctl start --quiet job-noise; done";
    host().write(
        "/run/systemd/system/job-noise.service",
        "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=true\n",
    );
    let ran = host().run(&format!(
        "systemctl daemon-reload; timeout 60 berthctl run --rootfs {BUSYBOX} -- sh -c 'sleep 6; exit 5' & {jobs}; wait $!"
    ));
    ran.exits(5);
}

#[test]
#[ignore = "host ring: make check"]
fn a_signal_that_comes_before_the_payload_is_kept_for_it() {
    // Whenever it comes it ends the run: berthctl before it asks for the unit, the payload, through its init, after.
    let script = "for delay in 0.002 0.005 0.01 0.02 0.03 0.05 0.1; do
            berthctl run --init --rootfs /srv/busybox -- sleep 1000 & client=$!
            sleep $delay; kill -TERM $client; wait $client; echo $?
        done";
    assert_eq!(host().run(script).ok(), ["143"; 7].join("\n"));
}
