//! `berthctl attach-device` and `detach-device`: the host's devices in a container that runs.

use crate::booted::{Tree, is_running};
use crate::ring::{Declared, eventually, host};

const WAITING: &str = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";

/// The kernel's log, which may be written to; not one of those that every container has.
const DEVICE: &str = "/dev/attached";

fn make_device() {
    host().run(&format!("test -e {DEVICE} || mknod -m 660 {DEVICE} c 1 11; test -c {DEVICE}")).ok();
}

/// In no order.
fn allowed(container: &Declared) -> String {
    let shown = container.show("DeviceAllow");
    let mut all: Vec<&str> = shown.lines().collect();
    all.sort_unstable();
    all.join("\n")
}

#[track_caller]
fn is_there_until_it_is_taken_away(container: &Declared, has_own_users: bool) {
    make_device();
    let name = &container.name;
    let inside = |script: &str| host().run(&format!("berthctl exec {name} sh -c '{script}'"));
    let before = allowed(container);
    // Neither seen nor allowed: not even a node of its own making would do.
    inside(&format!("test -e {DEVICE}")).exits(1);
    host().run(&format!("berthctl attach-device {name} {DEVICE}:/dev/extra/given:rw")).ok();
    let host_s = host().run(&format!("stat -c '%t:%T %a' {DEVICE}")).ok();
    assert_eq!(inside("stat -c \"%t:%T %a\" /dev/extra/given").ok(), host_s);
    assert_eq!(inside("stat -c %u:%g /dev/extra/given").ok(), "0:0");
    inside("exec 3>/dev/extra/given").ok();
    assert!(allowed(container).contains(" rw"), "{}", allowed(container));
    let status = host().run(&format!("berthctl status -n 0 {name}")).ok();
    assert!(status.contains(&format!("Device: {DEVICE} on /dev/extra/given (rw)")), "{status}");
    // Once more under another name: it stays allowed until both are gone.
    host().run(&format!("berthctl attach-device {name} {DEVICE}")).ok();
    host().run(&format!("berthctl detach-device {name} /dev/extra/given")).ok();
    inside("test -e /dev/extra/given").exits(1);
    inside(&format!("exec 3>{DEVICE}")).ok();
    host().run(&format!("berthctl detach-device {name} {DEVICE}")).ok();
    inside(&format!("test -e {DEVICE}")).exits(1);
    assert_eq!(allowed(container), before);
    if !has_own_users {
        let own = format!("mknod /tmp/own c $(stat -c \"0x%t 0x%T\" {DEVICE}) && exec 3>/tmp/own");
        assert_ne!(inside(&own).code, Some(0));
    }
    for (wrong, said, code) in [
        (format!("detach-device {name} {DEVICE}"), "No such file or directory", 1),
        (format!("detach-device {name} /dev/null"), "nothing is at /dev/null that `berthctl attach-device`", 1),
        (format!("unbind {name} /dev/null"), "nothing is at /dev/null that", 1),
        (format!("attach-device {name} /dev/none"), "stat(/dev/none)", 1),
        (format!("attach-device {name} /dev/shm"), "/dev/shm is neither a device", 1),
        (format!("attach-device {name} /etc/passwd"), "“/etc/passwd” is not below /dev", 2),
        (format!("attach-device {name} {DEVICE}:/dev/x:q"), "some of r, w and m", 2),
        ("attach-device no-such /dev/attached".to_owned(), "no-such is not running", 1),
        ("detach-device no-such /dev/attached".to_owned(), "no-such is not running", 1),
    ] {
        let refused = host().run(&format!("berthctl {wrong}"));
        assert!(refused.stderr.contains(said), "{wrong}: {refused:?}");
        refused.exits(code);
    }
    assert_eq!(allowed(container), before);
    // It ends with the container, and what its file allows is what counts again.
    host().run(&format!("berthctl attach-device {name} {DEVICE}; berthctl stop {name}")).ok();
    let kept = format!("/run/systemd/system.control/{}.d", container.unit);
    eventually(|| match host().run(&format!("ls {kept}")).stdout {
        left if left.trim().is_empty() => Ok(()),
        left => Err(left),
    });
    container.start();
    eventually(|| if allowed(container) == before { Ok(()) } else { Err(allowed(container)) });
    inside(&format!("test -e {DEVICE}")).exits(1);
    container.stop();
}

#[test]
#[ignore = "host ring: make check"]
fn an_application_has_an_attached_device_until_it_is_detached_or_ends() {
    let with_users = host().declare_shell("attach-app", "", WAITING);
    with_users.start();
    is_there_until_it_is_taken_away(&with_users, true);
    let rest = "[security.capabilities]\nadd = [\"CAP_MKNOD\"]\n[security.user-namespace]\nmode = \"host\"\n";
    let without = host().declare_shell("attach-app-host", rest, WAITING);
    without.start();
    is_there_until_it_is_taken_away(&without, false);
}

#[test]
#[ignore = "host ring: make check"]
fn a_booted_system_has_an_attached_device_until_it_is_detached_or_ends() {
    let tree = Tree::debian("attach-booted");
    let container = tree.declare("attach-booted", "");
    container.start();
    is_running(host(), "attach-booted");
    is_there_until_it_is_taken_away(&container, true);
}

#[test]
#[ignore = "host ring: make check"]
fn a_device_of_the_container_s_file_stays_when_it_is_attached_once_more_and_detached() {
    make_device();
    let container = host().declare_shell("attach-own", &format!("devices = [\"{DEVICE}\"]\n"), WAITING);
    container.start();
    let before = allowed(&container);
    host().run(&format!("berthctl attach-device attach-own {DEVICE}:/dev/other:r")).ok();
    host().run("berthctl detach-device attach-own /dev/other").ok();
    host().run(&format!("berthctl exec attach-own sh -c 'exec 3>{DEVICE}'")).ok();
    // In whichever order systemd has them.
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&allowed(&container)), sorted(&before));
}
