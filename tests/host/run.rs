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
fn a_scope_has_our_descriptors_our_signals_and_its_limits() {
    let sums = host().run(
        "head -c 3000000 /dev/urandom >/srv/data/scope; sha256sum </srv/data/scope
        berthctl run --scope -i --rootfs /srv/busybox -- sha256sum </srv/data/scope",
    );
    let sums = sums.ok();
    let (sent, seen) = sums.split_once('\n').unwrap();
    assert_eq!(sent, seen);
    let script = "mkdir -p /srv/data/scope-up
        berthctl run --scope --name run-scope -P TasksMax=44 -v /srv/data/scope-up:/data --rootfs /srv/busybox -- sh -c \\
            'trap \"exit 42\" TERM; touch /data/up; while :; do sleep 1000 & wait; done' & client=$!
        until [ -e /srv/data/scope-up/up ]; do sleep 0.02; done
        systemctl show --value -p TasksMax -p ActiveState berth-run-run-scope.scope | sort
        berthctl list -q | grep -x run-scope; berthctl exec run-scope hostname
        kill -TERM $client; wait $client; echo $?
        ls /run/berth/state/containers | grep -c run-scope";
    assert_eq!(host().run(script).exits(1), "44\nactive\nrun-scope\nrun-scope\n42\n0");
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
    let script = "berthctl run --name outlives --rootfs /srv/busybox -- sleep 1000 >/dev/null 2>&1 & client=$!
        until [ \"$(systemctl is-active berth-run-outlives.service)\" = active ]; do sleep 0.05; done
        kill -9 $client; sleep 0.3; systemctl is-active berth-run-outlives.service";
    assert_eq!(host().run(script).ok().lines().last(), Some("active"));
    // Nobody stands by it any more. systemd itself has what it leaves taken back.
    let range = host().run("cat /run/berth/state/containers/outlives/range").ok();
    let lock = format!("/run/systemd/nspawn-uid/{}", range.split(' ').next().unwrap());
    let traces = format!("ls -d {lock} /run/berth/state/containers/outlives /var/lib/berth/writable/outlives 2>&1");
    assert!(!host().run(&traces).ok().contains("No such file"));
    host().run("systemctl kill -s KILL berth-run-outlives.service").ok();
    eventually(|| {
        let left = host().run(&traces).stdout;
        if left.matches("No such file").count() == 3 { Ok(()) } else { Err(left) }
    });
}

/// Where somebody stands by, no process of berth's is started at the end; where systemd may restart it, one is.
#[test]
#[ignore = "host ring: make check"]
fn a_run_in_the_foreground_is_tidied_up_by_whoever_stands_by() {
    let script = |name: &str, options: &str| {
        format!(
            "berthctl run --name {name} {options} --rootfs /srv/busybox -- sleep 1000 & client=$!
            until [ \"$(systemctl is-active berth-run-{name}.service)\" = active ]; do sleep 0.05; done
            systemctl show -p ExecStopPost -p OnSuccess -p OnFailure berth-run-{name}.service
            systemctl kill -s KILL berth-run-{name}.service; wait $client
            ls /run/berth/state/containers /var/lib/berth/writable | grep ^{name}"
        )
    };
    let shown = host().run(&script("run-attended", "")).stdout;
    assert_eq!(shown, "OnSuccess=berth-sweep.timer\nOnFailure=berth-sweep.timer\n");
    let restarted = script("run-restarted", "--property Restart=on-abort --property RestartSec=1d");
    let shown = host().run(&restarted.replace("wait $client", "systemctl stop berth-run-run-restarted; wait $client"));
    assert!(shown.stdout.contains("stop-post run-restarted"), "{shown:?}");
    assert!(!shown.stdout.contains("berth-sweep"), "{shown:?}");
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

#[test]
#[ignore = "host ring: make check"]
fn a_terminal_of_its_own_is_on_ours() {
    let typed = "stty rows 31 cols 99
        exec berthctl run -t -i --rootfs /srv/busybox -- sh -c 'test -t 0 -a -t 1 -a -t 2 && echo $(stty size) kind $TERM
        read line; echo got $line; exit 7'";
    host().write("/srv/data/run-tty", typed);
    let ran = host().run("printf 'typed\\n' | TERM=kind-of-ours script -qec 'bash /srv/data/run-tty' /dev/null");
    let seen = ran.exits(7);
    assert!(seen.contains("31 99 kind kind-of-ours") && seen.contains("got typed"), "{seen}");
}

/// Exit statuses are podman's: 125 for what is ours, 126 and 127 for the command, the payload's own otherwise.
#[test]
#[ignore = "host ring: make check"]
fn exit_statuses_tell_our_failures_from_the_payload_s() {
    let container = host().declare_shell("run-statuses", "", "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done");
    container.start();
    let ends: [(&str, i32); 7] = [
        ("true", 0),
        ("sh -c 'exit 1'", 1),
        ("sh -c 'exit 125'", 125),
        ("/etc/passwd", 126),
        ("/etc", 126),
        ("no-such-program", 127),
        ("/no/such/program", 127),
    ];
    let ways = [
        "berthctl run --rootfs /srv/busybox",
        "berthctl run --scope --rootfs /srv/busybox",
        "berthctl exec run-statuses",
        "berthctl shell run-statuses",
    ];
    let mut script = String::new();
    let mut expected = Vec::new();
    for way in ways {
        for (command, code) in ends {
            script += &format!("{way} {command} >/dev/null 2>&1; echo \"{way} {}: $?\"\n", command.replace('\'', ""));
            expected.push(format!("{way} {}: {code}", command.replace('\'', "")));
        }
    }
    // A PID 1 does not die of a signal of its own making: its init does of the one that ends the command.
    let rest = [
        ("berthctl exec run-statuses sh -c 'kill -9 $$'", 137),
        ("berthctl shell run-statuses sh -c 'kill -15 $$'", 143),
        ("berthctl run --init --rootfs /srv/busybox sh -c 'kill -9 $$'", 137),
        ("berthctl run --scope --init --rootfs /srv/busybox sh -c 'kill -9 $$'", 137),
        ("berthctl run -d --rootfs /srv/busybox --name run-d-nowhere /no/such/program", 127),
        ("berthctl run -d --rootfs /srv/busybox --name run-d-no-program /etc/passwd", 126),
        ("berthctl run -d --rootfs /srv/no-such-tree --name run-d-no-tree true", 125),
        ("berthctl run --rootfs /srv/no-such-tree true", 125),
        ("berthctl run no-such-image", 125),
        ("berthctl run --user nobody-such --rootfs /srv/busybox true", 125),
        ("berthctl exec --user nobody-such run-statuses true", 125),
        ("berthctl exec no-such-container true", 125),
        ("berthctl start no-such-container", 1),
        ("berthctl image inspect no-such-image", 1),
    ];
    for (number, (command, code)) in rest.into_iter().enumerate() {
        script += &format!("{command} >/dev/null 2>&1; echo {number}: $?\n");
        expected.push(format!("{number}: {code}"));
    }
    let seen = host().run(&script).ok();
    assert_eq!(seen.lines().collect::<Vec<_>>(), expected);
    host().run("berthctl reset run-d-nowhere run-d-no-program run-d-no-tree").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn a_run_that_gets_no_unit_leaves_nothing() {
    // systemd refuses a transient unit of the name of one with a file.
    let script = "for name in run-taken run-taken-d; do
            printf '[Service]\\nExecStart=true\\n' >/run/systemd/system/berth-run-$name.service
        done; systemctl daemon-reload
        berthctl run --name run-taken --rootfs /srv/busybox -- true; echo $?
        berthctl run -d -t --name run-taken-d --rootfs /srv/busybox -- true; echo $?
        rm /run/systemd/system/berth-run-run-taken*.service; systemctl daemon-reload
        ls /run/berth/state/containers | grep ^run-taken";
    let ran = host().run(script);
    assert!(ran.stderr.contains("berth-run-run-taken.service"), "{ran:?}");
    assert_eq!(ran.exits(1), "125\n125");
}

#[test]
#[ignore = "host ring: make check"]
fn a_run_takes_back_what_killed_ones_have_left() {
    host().run("berthctl run -d --name run-lives --rootfs /srv/busybox -- sleep 1000").ok();
    let script = "cd /run/berth/state/containers; mkdir -p run-swept/container.toml.d run-bare run-held
        for name in run-swept run-held; do echo 'rootfs = \"/\"' >$name/container.toml; done
        exec 9<run-held; flock 9; touch -d '1 hour ago' run-swept run-bare run-held
        berthctl run --rootfs /srv/busybox -- true || exit 1
        ls | grep -E '^run-(swept|bare|held|lives)$'; exec 9<&-; rm -r run-held";
    assert_eq!(host().run(script).ok(), "run-held\nrun-lives");
    host().run("berthctl kill -s KILL run-lives; berthctl stop run-lives").ok();
}
