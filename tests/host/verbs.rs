//! The verbs of `berthctl` that steer containers, as machinectl's, systemctl's and podman's users expect them.

use crate::ring::{Declared, Host, eventually, host};

/// A PID 1 that says when it is ready, and ends at SIGTERM.
const PATIENT: &str = "trap 'exit 0' TERM; touch /tmp/up; while :; do sleep 1000 & wait; done";

/// One that runs, with its traps set.
fn running<'a>(name: &str, rest: &str, script: &str) -> Declared<'a> {
    let container = host().declare_shell(name, rest, script);
    container.start();
    until_inside(name, "test -e /tmp/up");
    container
}

#[track_caller]
fn until_inside(name: &str, test: &str) {
    eventually(|| match host().run(&format!("berthctl exec {name} -- sh -c '{test}'")) {
        ran if ran.code == Some(0) => Ok(()),
        ran => Err(format!("{ran:?}")),
    });
}

#[test]
#[ignore = "host ring: make check"]
fn a_restart_is_a_new_payload() {
    let container = running("verb-restart", "", PATIENT);
    let first = container.show("MainPID");
    host().run("berthctl restart verb-restart").ok();
    assert_eq!(container.show("ActiveState"), "active");
    assert_ne!(container.show("MainPID"), first);
}

#[test]
#[ignore = "host ring: make check"]
fn a_transient_container_is_not_started_again_and_survives_the_attempt() {
    host().run("berthctl run -d --name verb-transient --rootfs /srv/busybox -- sleep 1000").ok();
    for verb in ["restart", "start"] {
        let refused = host().run(&format!("berthctl {verb} verb-transient"));
        assert!(refused.stderr.contains("“verb-transient” is a transient container"), "{refused:?}");
        refused.exits(1);
    }
    assert_eq!(host().show("berth-run-verb-transient.service", "ActiveState"), "active");
    host().run("berthctl kill -s KILL verb-transient; berthctl stop verb-transient").ok();
    let gone = host().run("berthctl start verb-transient");
    assert!(gone.stderr.contains("no container “verb-transient”"), "{gone:?}");
    gone.exits(1);
}

#[test]
#[ignore = "host ring: make check"]
fn a_reload_is_the_payload_s_own_signal_or_command() {
    let by_signal = format!("trap 'touch /tmp/reloaded' HUP; {PATIENT}");
    let _signal = running("verb-by-signal", "reload-signal = \"SIGHUP\"\n", &by_signal);
    let _command = running("verb-by-command", "reload-command = [\"touch\", \"/tmp/reloaded\"]\n", PATIENT);
    host().run("berthctl reload verb-by-signal verb-by-command").ok();
    until_inside("verb-by-signal", "test -e /tmp/reloaded");
    until_inside("verb-by-command", "test -e /tmp/reloaded");
    let _neither = running("verb-by-nothing", "", PATIENT);
    host().run("berthctl reload verb-by-nothing").exits(1);
    assert_eq!(host().show("container@verb-by-nothing.service", "ActiveState"), "active");
}

#[test]
#[ignore = "host ring: make check"]
fn a_signal_goes_to_the_leader_or_to_all() {
    let said = |who: &str| format!("trap 'echo {who} 1 >>/tmp/log' USR1; trap 'echo {who} 2 >>/tmp/log' USR2");
    let script = format!(
        "({}; touch /tmp/child; while :; do sleep 1000 & wait; done) & {}; until [ -e /tmp/child ]; do sleep 0.01; done
        {PATIENT}",
        said("child"),
        said("leader")
    );
    let container = running("verb-kill", "", &script);
    // The leader alone, by either name; the second signal shows that the child would have said so.
    host().run("berthctl kill --signal=SIGUSR1 --kill-whom=leader verb-kill").ok();
    until_inside("verb-kill", "grep -q \"leader 1\" /tmp/log");
    host().run("berthctl kill -s USR2 --kill-who=all verb-kill").ok();
    until_inside("verb-kill", "grep -q \"leader 2\" /tmp/log && grep -q \"child 2\" /tmp/log");
    assert_eq!(host().run("berthctl exec verb-kill grep -c 'child 1' /tmp/log").exits(1), "0");
    host().run("berthctl kill -s NO verb-kill").exits(2);
    host().run("berthctl kill --kill-whom=main -s 9 verb-kill").ok();
    container.ended();
    assert_eq!(container.show("Result"), "signal");
    assert_eq!(container.show("ExecMainStatus"), "9");
}

/// Its name, and the file on the host that says its traps are set.
fn run_detached(name: &str, script: &str) {
    host()
        .run(&format!(
            "mkdir -p /srv/data/{name}
            berthctl run -d --name {name} -P SuccessExitStatus=9 -v /srv/data/{name}:/tmp --rootfs /srv/busybox -- sh -c '{script}'
            until [ -e /srv/data/{name}/up ]; do sleep 0.02; done"
        ))
        .ok();
}

#[test]
#[ignore = "host ring: make check"]
fn a_wait_prints_how_each_ended_though_their_units_are_gone() {
    let script = |code: i32| format!("trap \"exit {code}\" TERM; touch /tmp/up; while :; do sleep 1000 & wait; done");
    run_detached("verb-waited", &script(9));
    run_detached("verb-shot", &script(0));
    let waited = host().run(
        "berthctl wait verb-waited verb-shot >/srv/data/waited & client=$!
        for name in waited shot; do
            until [ -n \"$(systemctl show --value -p Refs berth-run-verb-$name)\" ]; do sleep 0.02; done
        done
        berthctl kill -s KILL --kill-whom=leader verb-shot
        until [ \"$(systemctl is-active berth-run-verb-shot)\" = failed ]; do sleep 0.02; done
        berthctl kill --kill-whom=leader verb-waited; wait $client; code=$?; cat /srv/data/waited; exit $code",
    );
    assert_eq!(waited.ok(), "9\n137");
    eventually(|| match host().run("systemctl list-units --all --no-legend 'berth-run-verb-waited*'").ok() {
        left if left.is_empty() => Ok(()),
        left => Err(left),
    });
    host().run("berthctl reset verb-shot").ok();
    host().run("berthctl wait verb-waited").exits(1);
}

#[test]
#[ignore = "host ring: make check"]
fn a_container_that_never_ran_has_no_exit_status() {
    let _container = host().declare_shell("verb-never", "", PATIENT);
    let waited = host().run("berthctl wait verb-never");
    assert!(waited.stderr.contains("verb-never has no exit status"), "{waited:?}");
    assert_eq!(waited.exits(1), "");
}

#[test]
#[ignore = "host ring: make check"]
fn a_paused_container_takes_no_command_and_can_be_stopped() {
    let container = running("verb-paused", "", PATIENT);
    host().run("berthctl pause verb-paused").ok();
    assert_eq!(host().run("berthctl show -P FreezerState verb-paused").ok(), "frozen");
    assert!(host().run("berthctl status verb-paused").ok().contains("active (running, frozen)"));
    for verb in ["exec verb-paused true", "shell verb-paused"] {
        let refused = host().run(&format!("timeout 60 berthctl {verb}"));
        assert!(refused.stderr.contains("verb-paused is paused"), "{refused:?}");
        assert!(refused.stderr.contains("berthctl resume verb-paused"), "{refused:?}");
        refused.exits(125);
    }
    host().run("berthctl resume verb-paused").ok();
    assert_eq!(host().run("berthctl exec verb-paused echo runs").ok(), "runs");
    host().run("berthctl pause verb-paused && berthctl stop verb-paused").ok();
    assert_eq!(container.show("ActiveState"), "inactive");
    assert_eq!(container.show("Result"), "success");
}

#[test]
#[ignore = "host ring: make check"]
fn a_reset_drops_a_kept_layer_and_a_failure_but_nothing_of_a_running_one() {
    let kept = running("verb-reset", "ephemeral = false\n", &format!("touch /written; {PATIENT}"));
    host().run("berthctl reset verb-reset").exits(1);
    kept.stop();
    host().run("test -d /var/lib/berth/writable/verb-reset").ok();
    host().run("berthctl reset verb-reset").ok();
    host().run("test -e /var/lib/berth/writable/verb-reset").exits(1);
    let failed = host().declare_shell("verb-failed", "", "exit 3");
    failed.start_and_read();
    assert_eq!(failed.show("ActiveState"), "failed");
    host().run("berthctl reset verb-failed").ok();
    assert_eq!(failed.show("ActiveState"), "inactive");
}

#[test]
#[ignore = "host ring: make check"]
fn machinectl_sees_a_container_and_ends_it_cleanly() {
    let container = running("verb-machine", "", PATIENT);
    let status = eventually(|| {
        let status = host().run("machinectl status --no-pager -l verb-machine");
        if status.code == Some(0) { Ok(status.stdout) } else { Err(status.stderr) }
    });
    assert!(status.contains("container@verb-machine.service"), "{status}");
    let shown = host().run("machinectl show -p Leader -p Unit -p Class -p Service verb-machine").ok();
    for line in
        [&format!("Leader={}", container.show("MainPID")), "Unit=container@verb-machine.service", "Class=container"]
    {
        assert!(shown.lines().any(|found| found == line), "no {line} in {shown}");
    }
    host().run("machinectl terminate verb-machine").ok();
    container.ended();
    assert_eq!(container.show("Result"), "success");
    assert_eq!(container.show("ActiveState"), "inactive");
    let left = "ls -d /run/berth/state/containers/verb-machine /var/lib/berth/writable/verb-machine
        machinectl list --no-legend | grep ^verb-machine";
    eventually(|| match host().run(left).stdout {
        left if left.is_empty() => Ok(()),
        left => Err(left),
    });
}

#[test]
#[ignore = "host ring: make check"]
fn everything_works_without_machined() {
    let host = Host::boot("no-machined");
    host.run("systemctl mask --now systemd-machined.service systemd-machined.socket").ok();
    let container = host.declare_shell("alone", "reload-signal = \"SIGHUP\"\n", &format!("echo up; {PATIENT}"));
    host.run("machinectl list").exits(1);
    host.run("berthctl start alone").ok();
    assert_eq!(host.run("berthctl list --quiet").ok(), "alone");
    assert_eq!(host.run("berthctl exec alone hostname").ok(), "alone");
    let until_up = || {
        eventually(|| match host.run("berthctl exec alone test -e /tmp/up").code {
            Some(0) => Ok(()),
            code => Err(format!("{code:?}")),
        });
    };
    until_up();
    host.run("berthctl status alone && berthctl show alone && berthctl pause alone && berthctl resume alone").ok();
    host.run("berthctl restart alone").ok();
    until_up();
    host.run("berthctl stop alone").ok();
    assert_eq!(container.show("Result"), "success");
    assert!(host.run("journalctl --sync; berthctl logs -o cat alone").ok().contains("up\n"));
    assert_eq!(host.run("berthctl run --rootfs /srv/busybox -- sh -c 'echo ran; exit 6'").exits(6), "ran");
    assert_eq!(host.run("berthctl run --scope --rootfs /srv/busybox -- sh -c 'echo ran; exit 6'").exits(6), "ran");
    host.run("berthctl run -d --name loose --rootfs /srv/busybox -- sleep 1000 && berthctl kill -s KILL loose").ok();
    eventually(|| match host.run("ls /run/berth/state/containers").stdout {
        left if left.is_empty() => Ok(()),
        left => Err(left),
    });
}

#[test]
#[ignore = "host ring: make check"]
fn a_paused_container_is_restarted_and_what_a_container_says_reaches_no_terminal_as_it_is() {
    let container = running("verb-escapes", "", PATIENT);
    for verb in ["restart", "reboot"] {
        let before = container.show("MainPID");
        host().run(&format!("berthctl pause verb-escapes && timeout 60 berthctl {verb} verb-escapes")).ok();
        assert_ne!(container.show("MainPID"), before, "{verb}");
        until_inside("verb-escapes", "test -e /tmp/up");
    }
    // By the name of a file that cannot be copied, and of a cgroup.
    host().run("berthctl exec verb-escapes sh -c 'mkfifo \"/tmp/$(printf \"\\033]0;t\")\"'").ok();
    let refused = host().run("berthctl copy-from verb-escapes /tmp /srv/data/verb-escapes");
    assert!(refused.stderr.contains("]") && !refused.stderr.contains('\x1b'), "{refused:?}");
    refused.exits(1);
    let moved = "below=\"$group/$(printf '\\033]0;t')\"; mkdir \"$below\"; sleep 1000 >/dev/null 2>&1 & echo $! >\"$below/cgroup.procs\"";
    container.with_payload(moved);
    let status = host().run("berthctl status -n 0 verb-escapes").ok();
    assert!(status.contains("]0;t") && !status.contains('\x1b'), "{status}");
}
