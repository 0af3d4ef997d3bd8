//! The shortest test of everything, run on the oldest supported systemd too.

use crate::ring::{eventually, host};

#[test]
#[ignore = "host ring: make check"]
fn a_container_starts_is_listed_and_stops() {
    let container = host().declare_shell(
        "smoke",
        "[resources]\nTasksMax = 99\n",
        "echo hello; trap 'exit 0' TERM; while :; do sleep 1000 & wait; done",
    );
    container.start();
    assert_eq!(container.with_payload("cat /proc/$pid/comm"), "sh");
    container.wait_for("TasksMax", |found| found == "99");
    eventually(|| match container.journal().as_str() {
        "hello" => Ok(()),
        other => Err(other.to_owned()),
    });
    let field = host().run("journalctl --sync; journalctl -q -o cat CONTAINER_NAME=smoke _TRANSPORT=stdout").ok();
    assert!(field.contains("hello"), "{field}");
    eventually(|| {
        let listed = host().run("machinectl list --no-legend").ok();
        if listed.contains("smoke") { Ok(()) } else { Err(listed) }
    });
    let listed = host().run("berthctl list --no-legend").ok();
    assert!(listed.lines().any(|line| line.starts_with("smoke ")), "{listed}");
    assert_eq!(host().run("berthctl exec smoke -- sh -c 'hostname; exit 9'").exits(9), "smoke");
    container.stop();
    assert_eq!(container.show("Result"), "success");
}

#[test]
#[ignore = "host ring: make check"]
fn a_container_s_failure_is_its_unit_s() {
    let container = host().declare_shell("smoke-fails", "", "exit 3");
    container.start_and_read();
    assert_eq!(container.show("ExecMainStatus"), "3");
    assert_eq!(container.show("Result"), "exit-code");
}

#[test]
#[ignore = "host ring: make check"]
fn the_payload_is_isolated() {
    let script = "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status; cat /proc/self/uid_map; hostname; echo $$";
    let container = host().declare_shell("smoke-apart", "", script);
    let seen = container.start_and_read();
    let lines: Vec<_> = seen.lines().collect();
    assert_eq!(lines[..2], ["NoNewPrivs:\t1", "Seccomp:\t2"], "{seen}");
    assert!(!lines[2].split_whitespace().eq(["0", "0", "4294967295"]), "{seen}");
    assert_eq!(lines[3..], ["smoke-apart", "1"], "{seen}");
}

#[test]
#[ignore = "host ring: make check"]
fn an_archive_is_imported_and_run() {
    let archive = "tar -C /srv/busybox -c . | berthctl image import - smoke-image";
    host().run(archive).ok();
    let ran = host().run("berthctl run --rm smoke-image sh -c 'echo out; echo err >&2; exit 5'");
    assert_eq!(ran.stderr.lines().last(), Some("err"), "{}", ran.stderr);
    assert_eq!(ran.exits(5), "out");
    let listed = host().run("berthctl image list").ok();
    assert!(listed.contains("smoke-image"), "{listed}");
    host().run("berthctl image remove smoke-image").ok();
}
