//! systemd supervises the payload itself: what starts, how it ends, and whose settings count.

use std::time::{Duration, Instant};

use crate::ring::{BUSYBOX, DEBIAN, Host, eventually, host, toml};

/// A PID 1 that ends at SIGTERM.
const PATIENT: &str = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";

#[test]
#[ignore = "host ring: make check"]
fn the_main_process_is_the_payload_and_nothing_else_is_in_the_unit() {
    let container = host().declare_shell("payload", "", &format!("echo up; {PATIENT}"));
    container.start();
    let command = container.with_payload("tr '\\0' ' ' </proc/$pid/cmdline");
    assert!(command.starts_with("/bin/sh -c"), "MainPID is {command}");
    let inner = container.with_payload("awk '$1 == \"NSpid:\" { print $NF }' /proc/$pid/status");
    assert_eq!(inner, "1");
    eventually(|| {
        let names =
            container.with_payload("find $group -name cgroup.procs -exec cat {} + | xargs -I@ cat /proc/@/comm");
        let mut names: Vec<_> = names.lines().collect();
        names.sort_unstable();
        if names == ["sh", "sleep"] { Ok(()) } else { Err(format!("in the unit: {names:?}")) }
    });
    let listed = host().run("systemd-cgls --no-pager -l /machine.slice/container@payload.service").ok();
    assert!(!listed.contains("berth"), "{listed}");
}

#[test]
#[ignore = "host ring: make check"]
fn an_idle_container_leaves_no_process_of_berth_on_the_host() {
    let host = Host::boot("idle");
    host.declare_shell("idle", "", PATIENT).start();
    let found = eventually(|| {
        let found = host.run("cat /proc/[0-9]*/comm | grep ^berth").stdout;
        if found.is_empty() { Ok(found) } else { Err(found) }
    });
    assert_eq!(found, "");
}

fn a_hundred_ends(name: &str, script: &str) {
    let container = host().declare_shell(name, "[unit]\nStartLimitIntervalSec = 0\n", script);
    let counted = host().run(&format!(
        "for turn in {{1..100}}; do
            systemctl start {unit} 2>/dev/null
            while :; do
                case $(systemctl is-active {unit}) in failed | inactive) break ;; esac
            done
            systemctl show -p ExecMainCode -p ExecMainStatus --value {unit} | paste -sd' '
        done | sort | uniq -c",
        unit = container.unit
    ));
    assert_eq!(counted.ok().trim(), "100 1 3");
}

#[test]
#[ignore = "host ring: make check"]
fn exit_3_is_exit_3_a_hundred_times_of_a_hundred_when_the_payload_ends_at_once() {
    a_hundred_ends("exit-now", "exit 3");
}

#[test]
#[ignore = "host ring: make check"]
fn exit_3_is_exit_3_a_hundred_times_of_a_hundred_when_the_payload_ran_a_little() {
    a_hundred_ends("exit-soon", "sleep 0.03; exit 3");
}

#[test]
#[ignore = "host ring: make check"]
fn systemd_sees_a_real_segmentation_fault() {
    let crash = "ulimit -c 0; exec python3 -c 'import ctypes; ctypes.string_at(0)'";
    let container = host().declare("crash", &toml(DEBIAN, "", crash));
    container.start_and_read();
    assert_eq!(container.show("ExecMainStatus"), "11");
    assert_eq!(container.show("ExecMainCode"), "2");
    assert_eq!(container.show("Result"), "signal");
    let status = host().run(&format!("systemctl status --no-pager -l {}", container.unit)).stdout;
    assert!(status.contains("code=killed, signal=SEGV"), "{status}");
}

#[test]
#[ignore = "host ring: make check"]
fn a_failed_payload_is_restarted_although_nobody_reloaded_systemd() {
    let rest = "[unit]\nStartLimitIntervalSec = 0\n[service]\nRestart = \"on-failure\"\nRestartSec = \"100ms\"\n";
    let container = host().declare_shell("again", rest, "exit 4");
    host().run("systemctl start container@again");
    container.wait_for("NRestarts", |restarts| restarts.parse().is_ok_and(|count: u32| count >= 3));
    assert_eq!(container.show("Restart"), "on-failure");
}

#[test]
#[ignore = "host ring: make check"]
fn a_killed_payload_is_restarted_under_a_new_main_process() {
    let rest = "[service]\nRestart = \"always\"\nRestartSec = 0\n";
    let container = host().declare_shell("killed", rest, PATIENT);
    container.start();
    let first = container.show("MainPID");
    container.with_payload("kill -9 $pid");
    container.wait_for("NRestarts", |restarts| restarts == "1");
    let second = container.wait_for("MainPID", |pid| pid != "0" && pid != first);
    container.wait_for("ActiveState", |state| state == "active");
    let listed = eventually(|| {
        let leader = host().run("machinectl show -p Leader --value killed").stdout;
        if leader.trim() == container.show("MainPID") { Ok(leader) } else { Err(format!("leader {leader}")) }
    });
    assert!(!listed.is_empty() && second != first);
}

#[test]
#[ignore = "host ring: make check"]
fn a_payload_that_catches_its_stop_signal_ends_by_itself() {
    // How fast is the benchmark's to say.
    let container = host().declare_shell("stops", "", PATIENT);
    container.start();
    // Bit 14 of its caught signals, SIGTERM: before it has its handler the kernel drops the signal.
    container.with_payload("until (( 0x$(awk '/^SigCgt/ { print $2 }' /proc/$pid/status) & 0x4000 )); do :; done");
    container.stop();
    let said = host().run("journalctl --sync; journalctl -q -o cat -u container@stops").ok();
    assert!(said.contains("Deactivated successfully") && !said.contains("timed out"), "{said}");
}

#[test]
#[ignore = "host ring: make check"]
fn a_toml_dropped_in_starts_without_a_reload_and_ends_with_its_limits() {
    let host = Host::boot("dropped");
    let rest =
        "[resources]\nMemoryMax = \"64M\"\nTasksMax = 77\nCPUQuota = \"150%\"\n[service]\nTimeoutStopSec = \"7s\"\n";
    let container = host.declare_shell("dropped", rest, PATIENT);
    container.start();
    for (property, value) in
        [("MemoryMax", "67108864"), ("TasksMax", "77"), ("CPUQuotaPerSecUSec", "1.500000s"), ("TimeoutStopUSec", "7s")]
    {
        container.wait_for(property, |found| found == value);
    }
}

#[test]
#[ignore = "host ring: make check"]
fn an_edited_toml_is_used_at_the_next_start() {
    let container = host().declare_shell("edited", "[resources]\nTasksMax = 100\n", "echo first");
    assert_eq!(container.start_and_read(), "first");
    let second = host().declare_shell("edited", "[resources]\nTasksMax = 200\n", "echo second");
    assert_eq!(second.start_and_read(), "first\nsecond");
    second.wait_for("TasksMax", |found| found == "200");
}

#[test]
#[ignore = "host ring: make check"]
fn a_drop_in_is_used_at_the_next_start() {
    let container = host().declare_shell("dropin", "", "echo $MODE");
    assert_eq!(container.start_and_read(), "");
    let text = "environment = { MODE = \"dropped in\" }\n[resources]\nTasksMax = 55\n";
    host().write("/etc/berth/containers/dropin.toml.d/50-mode.toml", text);
    assert_eq!(container.start_and_read().trim(), "dropped in");
    container.wait_for("TasksMax", |found| found == "55");
}

#[test]
#[ignore = "host ring: make check"]
fn set_property_survives_a_reload() {
    let container = host().declare_shell("limited", "[resources]\nMemoryMax = \"200M\"\n", PATIENT);
    container.start();
    container.wait_for("MemoryMax", |found| found == "209715200");
    host().run(&format!("systemctl set-property {} MemoryMax=100M && systemctl daemon-reload", container.unit)).ok();
    assert_eq!(container.show("MemoryMax"), "104857600");
    host().run(&format!("rm -rf /etc/systemd/system.control/{}.d", container.unit)).ok();
}

#[test]
#[ignore = "host ring: make check"]
fn enable_and_disable_work_before_any_reload() {
    let host = Host::boot("enable");
    let container = host.declare_shell("early", "", PATIENT);
    host.run("systemctl enable container@early").ok();
    assert_eq!(host.run("systemctl is-enabled container@early").ok(), "enabled");
    host.run("test -L /etc/systemd/system/machines.target.wants/container@early.service").ok();
    host.run("systemctl disable container@early").ok();
    assert_eq!(host.run("systemctl is-enabled container@early").exits(1), "disabled");
    drop(container);
}

#[test]
#[ignore = "host ring: make check"]
fn an_install_section_replaces_the_template_s() {
    let host = Host::boot("install");
    host.declare_shell("placed", "[install]\nWantedBy = [\"multi-user.target\"]\n", PATIENT);
    host.write(
        "/etc/berth/containers/placed.toml",
        &toml(BUSYBOX, "[install]\nWantedBy = [\"multi-user.target\"]\n", PATIENT),
    );
    host.run("systemctl daemon-reload; systemctl enable container@placed").ok();
    host.run("test -L /etc/systemd/system/multi-user.target.wants/container@placed.service").ok();
    host.run("test -e /etc/systemd/system/machines.target.wants/container@placed.service").exits(1);
}

#[test]
#[ignore = "host ring: make check"]
fn a_broken_toml_fails_the_unit_with_its_place_and_does_not_loop() {
    let container = host().declare("broken", "rootfs = \"/srv/busybox\"\ncommand = [\"/bin/true\"]\nhostnam = \"x\"\n\n[service]\nRestart = \"always\"\nRestartSec = 0\n");
    host().run("systemctl start container@broken").exits(1);
    container.ended();
    let status = host().run("systemctl status --no-pager -l container@broken").stdout;
    assert!(status.contains("/etc/berth/containers/broken.toml:3:1"), "{status}");
    assert!(status.contains("hostname"), "the right key is not suggested: {status}");
    assert_eq!(container.show("NRestarts"), "0");
    assert_eq!(container.show("ExecMainStatus"), "78");
    assert_eq!(container.show("LoadState"), "loaded");
}

#[test]
#[ignore = "host ring: make check"]
fn a_toml_broken_after_it_worked_does_not_loop_either() {
    let rest = "[service]\nRestart = \"always\"\nRestartSec = 0\n";
    let container = host().declare_shell("spoilt", rest, PATIENT);
    container.start();
    host().write("/etc/berth/containers/spoilt.toml", "rootfs = \n");
    container.with_payload("kill -9 $pid");
    container.ended();
    let status = host().run("systemctl status --no-pager -l container@spoilt").stdout;
    assert!(status.contains("/etc/berth/containers/spoilt.toml:1:"), "{status}");
    assert_eq!(container.show("ExecMainStatus"), "78");
}

#[test]
#[ignore = "host ring: make check"]
fn what_a_container_leaves_is_gone_after_its_end() {
    let container = host().declare_shell("traces", "", "echo kept >/written; sleep 0.1; exit 0");
    container.start_and_read();
    eventually(|| {
        let left = host().run("ls -d /run/berth/state/containers/traces /var/lib/berth/writable/traces; machinectl list --no-legend | grep ^traces").stdout;
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
}

#[test]
#[ignore = "host ring: make check"]
fn a_kept_layer_is_there_at_the_next_start_and_a_fresh_one_is_not() {
    let script = "cat /count 2>/dev/null; echo turn >>/count";
    let fresh = host().declare_shell("fresh", "", script);
    fresh.start_and_read();
    assert_eq!(fresh.start_and_read(), "");
    let kept = host().declare_shell("kept", "ephemeral = false\n", script);
    kept.start_and_read();
    assert_eq!(kept.start_and_read(), "turn");
}

#[test]
#[ignore = "host ring: make check"]
fn ready_comes_from_the_payload_where_it_is_asked_for() {
    let script = "sleep 0.5; python3 -c 'import os, socket
path = os.environ[\"NOTIFY_SOCKET\"]
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b\"READY=1\\nSTATUS=serving\", path)'; sleep 1000";
    let container = host().declare("notifies", &toml(DEBIAN, "notify = \"container\"\n", script));
    let began = Instant::now();
    container.start();
    assert!(began.elapsed() >= Duration::from_millis(500), "ready after {:?}", began.elapsed());
    assert_eq!(container.show("StatusText"), "serving");
}
