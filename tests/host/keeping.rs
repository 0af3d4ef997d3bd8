//! What is kept while a container runs, and from whom: names, locks, descriptions, other people's entries.

use crate::ring::{BUSYBOX, Host, eventually, host, toml};

const PATIENT: &str = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";

#[test]
#[ignore = "host ring: make check"]
fn a_transient_container_is_restarted_from_its_own_description_and_a_stop_is_the_end_of_it() {
    let rest = "[service]\nRestart = \"on-failure\"\nRestartSec = \"50ms\"\n[unit]\nStartLimitIntervalSec = 0\n";
    host().write("/srv/data/phoenix.toml", &toml(BUSYBOX, rest, PATIENT));
    host().run("berthctl run -d /srv/data/phoenix.toml").ok();
    let unit = "berth-run-phoenix.service";
    let first = host().show(unit, "MainPID");
    host().run(&format!("systemctl kill -s KILL --kill-whom=main {unit}")).ok();
    eventually(|| match (host().show(unit, "NRestarts"), host().show(unit, "ActiveState")) {
        (restarts, state) if restarts == "1" && state == "active" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_ne!(host().show(unit, "MainPID"), first);
    host().run("berthctl exec phoenix -- true && berthctl stop phoenix").ok();
    let left = "ls -d /run/berth/state/containers/phoenix; systemctl list-units --all --no-legend 'berth-run-phoenix*'";
    assert_eq!(host().run(left).stdout.trim(), "");
}

#[test]
#[ignore = "host ring: make check"]
fn a_container_in_a_scope_holds_its_image_and_its_ids() {
    let script = format!(
        "tar -C {BUSYBOX} -c . | berthctl image import - held >/dev/null
        berthctl run --scope --name holder held -- sh -c 'echo up; sleep 1000' >/srv/data/holder 2>&1 & run=$!
        for attempt in {{1..200}}; do grep -q up /srv/data/holder && break; sleep 0.02; done
        berthctl image remove held; echo removed: $?
        range=$(awk '{{ print $2 }}' /proc/$(machinectl show -p Leader --value holder)/uid_map)
        flock --nonblock /run/systemd/nspawn-uid/$range true; grep -c \"$(stat -c ':%i ' /run/systemd/nspawn-uid/$range)\" /proc/locks
        systemctl kill berth-run-holder.scope --signal=KILL; wait $run
        ls /run/systemd/nspawn-uid | grep -c $range; berthctl image remove held >/dev/null; echo removed: $?"
    );
    let seen = host().run(&script);
    assert_eq!(seen.stdout, "removed: 1\n1\n0\nremoved: 0\n", "{}", seen.stderr);
    assert!(seen.stderr.contains("in use by holder"), "{}", seen.stderr);
}

#[test]
#[ignore = "host ring: make check"]
fn reset_takes_nothing_from_a_container_that_runs_or_starts() {
    let rest = "ephemeral = false\nnotify = \"container\"\n";
    let container = host().declare_shell("unreset", rest, "echo mine >/mark; sleep 1000");
    host().run("systemctl daemon-reload; systemctl start --no-block container@unreset").ok();
    let mark = "/var/lib/berth/writable/unreset/upper/mark";
    eventually(|| match host().run(&format!("cat {mark}")).stdout.as_str() {
        "mine\n" => Ok(()),
        other => Err(other.to_owned()),
    });
    assert_eq!(container.show("ActiveState"), "activating");
    let refused = host().run("berthctl reset unreset");
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("is already running as container@unreset.service; stop it first"), "{refused:?}");
    host().run(&format!("systemctl kill -s KILL container@unreset; systemctl stop container@unreset; cat {mark}")).ok();
    host().run("berthctl reset unreset").ok();
    host().run(&format!("test -e {mark}")).exits(1);
}

#[test]
#[ignore = "host ring: make check"]
fn a_tty_is_a_terminal_though_nobody_sits_at_it_and_the_host_s_null_device_stays_its_own() {
    let script = "test -t 0 && test -t 1 && test -t 2 && echo all >/seen; exec sleep 1000";
    let container = host().declare_shell("own-tty", "tty = true\ninit = true\n", script);
    let before = host().run("stat -c '%u:%g %a' /dev/null").ok();
    container.start();
    let seen = "until test -s /seen; do sleep 0.02; done; cat /seen; stat -c %t:%T /dev/null";
    assert_eq!(host().run(&format!("timeout 30 berthctl exec own-tty sh -c '{seen}'")).ok(), "all\n1:3");
    container.stop();
    assert_eq!(host().run("stat -c '%u:%g %a' /dev/null").ok(), before);
}

#[test]
#[ignore = "host ring: make check"]
fn a_machine_of_somebody_else_s_is_not_unregistered() {
    let theirs = "systemd-run -q --unit their-machine sleep 1000
        busctl call org.freedesktop.machine1 /org/freedesktop/machine1 org.freedesktop.machine1.Manager RegisterMachine \
            sayssus foreign 0 theirs container $(systemctl show --value -p MainPID their-machine) ''";
    host().run(theirs).ok();
    let container = host().declare_shell("foreign", "", PATIENT);
    container.start();
    assert_eq!(host().run("berthctl exec foreign -- hostname").ok(), "foreign");
    container.stop();
    let service = "machinectl show --value -p Service foreign";
    assert_eq!(host().run(service).ok(), "theirs");
    host().run("systemctl stop their-machine").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn a_reset_of_a_list_keeps_what_berth_itself_put_there() {
    let rest =
        "[service]\nExecStopPost = []\nRestartPreventExitStatus = []\nLogExtraFields = []\nRestart = \"always\"\n";
    let container = host().declare_shell("resets", rest, PATIENT);
    host().run("systemctl daemon-reload").ok();
    assert!(container.show("ExecStopPost").contains("berth-executor stop-post"), "{}", container.show("ExecStopPost"));
    assert_eq!(container.show("RestartPreventExitStatus"), "78");
    let fields = container.show("LogExtraFields");
    assert!(fields.contains("CONTAINER_NAME=resets") && fields.contains("IMAGE_NAME="), "{fields}");
}

#[test]
#[ignore = "host ring: make check"]
fn exec_has_the_limits_and_the_priority_of_the_container_and_not_its_caller_s() {
    let container = host().declare_shell("limited", "[rlimits]\nnofile = \"100:200\"\n", PATIENT);
    container.start();
    let asked = "ulimit -Sn; ulimit -Hn; ulimit -Sc; cut -d\" \" -f19 /proc/self/stat; cat /proc/self/oom_score_adj; ionice; grep Cpus_allowed_list /proc/self/status";
    let caller = "ulimit -S -n 50; ulimit -S -c 7; echo 321 >/proc/self/oom_score_adj";
    let seen = host()
        .run(&format!("{caller}; taskset -c 0 nice -n 7 ionice -c idle berthctl exec limited -- sh -c '{asked}'"));
    let of_payload = container.with_payload(
        "awk '/^Max core file size/ { print $5 }' /proc/$pid/limits; ps -o ni= -p $pid | tr -d ' '
        cat /proc/$pid/oom_score_adj; ionice -p $pid; grep Cpus_allowed_list /proc/$pid/status",
    );
    // util-linux and busybox name the class of none differently.
    let same =
        |text: String| text.replace("none: prio 0", "none: prio 4").replace("best-effort: prio 4", "none: prio 4");
    assert_eq!(same(seen.ok()), same(format!("100\n200\n{of_payload}")));
}

#[test]
#[ignore = "host ring: make check"]
fn what_comes_before_a_start_comes_before_the_first_one_without_a_reload_too() {
    let host = Host::boot("unloaded");
    host.run("echo from a file >/root/secret; chmod 600 /root/secret").ok();
    let rest = "[service]\nLoadCredential = [\"file:/root/secret\"]\nSetCredential = [\"token:very secret\"]\n\
        ExecStartPre = [\"/bin/sh -c 'echo %i >/run/before'\", \"-/bin/false\"]\n";
    let script = "cat $CREDENTIALS_DIRECTORY/token; echo; cat $CREDENTIALS_DIRECTORY/file; ls -ln $CREDENTIALS_DIRECTORY/file | cut -c1-10";
    let container = host.declare_shell("unloaded", rest, script);
    assert_eq!(container.start_and_read(), "very secret\nfrom a file\n-r--------");
    assert_eq!(host.run("cat /run/before").ok(), "unloaded");
    eventually(|| {
        match host.run("systemctl list-units --all --no-legend 'berth-before-*'; ls /run/credentials").stdout {
            left if left.contains("berth-before") => Err(left),
            _ => Ok(()),
        }
    });
    // By now it is known, and systemd itself does both.
    host.run("rm /run/before").ok();
    container.start_and_read();
    assert_eq!(host.run("cat /run/before").ok(), "unloaded");

    let rest = "[service]\nExecStartPre = [\"/bin/sh -c 'echo no; exit 3'\"]\n";
    let refused = host.declare_shell("refused-before", rest, "echo ran");
    assert_eq!(refused.start_and_read(), "");
    assert!(
        refused.show("StatusText").contains("berth-before-refused-before.service"),
        "{}",
        refused.show("StatusText")
    );
}

#[test]
#[ignore = "host ring: make check"]
fn a_payload_does_not_run_where_its_limits_cannot_be_had() {
    let host = Host::boot("no-limits");
    host.run("mkdir -p /etc/systemd/system-generators; ln -s /dev/null /etc/systemd/system-generators/berth-generator")
        .ok();
    let container = host.declare_shell("unlimited", "[resources]\nTasksMax = 7\n", "echo ran");
    assert_eq!(container.start_and_read(), "");
    let said = container.show("StatusText");
    assert!(said.contains("systemd has not taken the settings of the changed TOML"), "{said}");
    assert_eq!((container.show("Result"), container.show("ExecMainStatus")), ("exit-code".into(), "1".into()));
    host.run("rm /etc/systemd/system-generators/berth-generator").ok();
    assert_eq!(container.start_and_read(), "ran");
    assert_eq!(container.show("TasksMax"), "7");
}
