//! Whole systems: they boot, are ready, reboot, power off, and machined's tools work on them.

mod acceptance;
mod interface;
mod machined;
mod nesting;
mod throwaway;

use std::process::{Command, Stdio};

use crate::ring::{Declared, Host, eventually, host};

/// A copy of the host's own Debian that may be written to, named after the container; gone with it.
pub struct Tree {
    pub path: String,
}

impl Tree {
    pub fn debian(name: &str) -> Tree {
        let path = format!("/srv/boots/{name}");
        host().run(&format!("rm -rf {path}; mkdir -p {path} && cp -a /srv/debian/. {path}/")).ok();
        Tree { path }
    }

    /// Of the other Debian, from this machine's cache.
    fn bookworm(name: &str) -> Tree {
        let path = format!("/srv/boots/{name}");
        let made = Command::new("tests/bed/tree").arg("bookworm").output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let tree = String::from_utf8(made.stdout).unwrap();
        let mut packed =
            Command::new("tar").args(["-C", tree.trim(), "-c", "."]).stdout(Stdio::piped()).spawn().unwrap();
        let script = format!("rm -rf {path}; mkdir -p {path} && tar -C {path} -x");
        let archive = packed.stdout.take().unwrap();
        let unpacked = host().command(["bash", "-c", &script]).stdin(archive).status().unwrap();
        assert!(unpacked.success() && packed.wait().unwrap().success());
        Tree { path }
    }

    /// Busybox alone, with its own init.
    fn busybox(name: &str) -> Tree {
        let path = format!("/srv/boots/{name}");
        let script = "mkdir -p $(dirname {path}) && rm -rf {path} && cp -a /srv/busybox {path} && mkdir {path}/sbin \
            && ln -s ../bin/busybox {path}/sbin/init && echo ::sysinit:/bin/true >{path}/etc/inittab";
        host().run(&script.replace("{path}", &path)).ok();
        Tree { path }
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    /// On its disk, as everywhere but in the ring.
    pub fn keep_its_journal(&self) {
        let volatile = "system/systemd-journal-flush.service journald.conf.d/bed.conf";
        host().run(&format!("cd {}/etc/systemd && rm {volatile}", self.path)).ok();
    }

    pub fn declare(&self, name: &str, rest: &str) -> Declared<'static> {
        host().declare(name, &format!("rootfs = \"{}\"\nboot = true\n{rest}", self.path))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        host().run(&format!("rm -rf {}", self.path));
    }
}

pub const HOST_USERS: &str = "[security.user-namespace]\nmode = \"host\"\n";

/// What an inner systemd says of itself once every job is done; with what failed, if anything did.
#[track_caller]
pub fn is_running(host: &Host, machine: &str) {
    let state = host.run(&format!("systemctl -M {machine} is-system-running --wait"));
    let failed = host.run(&format!("systemctl -M {machine} --failed --no-legend --plain")).stdout;
    assert_eq!(state.stdout.trim(), "running", "{failed}{}", state.stderr);
}

#[track_caller]
fn reboots_ten_times_and_powers_off(container: &Declared, through: impl Fn(&str) -> String, check: impl Fn()) {
    container.start();
    check();
    for turn in 1..=10 {
        let before = container.show("MainPID");
        // The answer may be lost to what was asked for.
        container.host.run(&through("reboot"));
        container.wait_for("NRestarts", |restarts| restarts == turn.to_string());
        container.wait_for("MainPID", |pid| pid != "0" && pid != before);
        container.wait_for("ActiveState", |state| state == "active");
        check();
    }
    container.host.run(&through("poweroff"));
    container.ended();
    assert_eq!((container.show("ActiveState"), container.show("Result")), ("inactive".into(), "success".into()));
}

#[track_caller]
fn a_debian_s_life(container: &Declared) {
    let name = &container.name;
    let through = |verb: &str| format!("systemctl -M {name} {verb}");
    reboots_ten_times_and_powers_off(container, through, || is_running(host(), name));
}

#[test]
#[ignore = "host ring: make check"]
fn a_tree_with_users_of_its_own_boots_reboots_ten_times_and_powers_off() {
    let tree = Tree::debian("boots-auto");
    let container = tree.declare("boots-auto", "");
    a_debian_s_life(&container);
    // The tree itself was written to, and by its own root.
    let owner = host().run(&format!("stat -c %u {}/etc/machine-id", tree.path)).ok();
    assert_eq!(owner, "0");
}

#[test]
#[ignore = "host ring: make check"]
fn a_tree_with_the_host_s_users_boots_reboots_ten_times_and_powers_off() {
    let tree = Tree::debian("boots-host");
    a_debian_s_life(&tree.declare("boots-host", HOST_USERS));
}

fn an_image(name: &str, rest: &str) {
    host().run(&format!("tar -C /srv/debian -c . | berthctl image import -q - {name}")).ok();
    let container = host().declare(name, &format!("image = \"{name}\"\nboot = true\n{rest}"));
    a_debian_s_life(&container);
    // Its layer is kept: what it wrote down at its first boot is there.
    let id = host().run(&format!("cat /var/lib/berth/writable/{name}/upper/etc/machine-id")).ok();
    assert_eq!(id.len(), 32, "{id}");
}

#[test]
#[ignore = "host ring: make check"]
fn an_image_with_users_of_its_own_boots_reboots_ten_times_and_powers_off() {
    an_image("boots-image", "");
}

#[test]
#[ignore = "host ring: make check"]
fn an_image_with_the_host_s_users_boots_reboots_ten_times_and_powers_off() {
    an_image("boots-image-host", HOST_USERS);
}

#[test]
#[ignore = "host ring: make check"]
fn debian_12_boots_reboots_ten_times_and_powers_off() {
    let tree = Tree::bookworm("boots-bookworm");
    a_debian_s_life(&tree.declare("boots-bookworm", ""));
}

#[test]
#[ignore = "host ring: make check"]
fn busybox_s_init_boots_reboots_ten_times_and_powers_off() {
    let tree = Tree::busybox("boots-busybox");
    let container = tree.declare("boots-busybox", "stop-signal = \"SIGUSR2\"\n");
    let through = |verb: &str| format!("berthctl exec boots-busybox -- {verb}");
    // It takes signals from the queue: before it has set that up, and a handler for SIGTSTP, it
    // would not hear of anything.
    let handles = "until (( 0x$(awk '/^SigCgt/ { print $2 }' /proc/$pid/status) & 0x80000 )); do :; done";
    reboots_ten_times_and_powers_off(&container, through, || drop(container.with_payload(handles)));
    container.start();
    container.with_payload(handles);
    container.stop();
    assert_eq!(container.show("Result"), "success");
}

#[test]
#[ignore = "host ring: make check"]
fn the_unit_is_up_when_the_inner_system_is_and_stops_by_its_signal() {
    let tree = Tree::debian("boots-ready");
    host().write(
        &format!("{}/etc/systemd/system/slow.service", tree.path),
        "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'until test -e /gate; do sleep 0.05; done'\n",
    );
    let wants = "cd {path}/etc/systemd/system && mkdir -p multi-user.target.wants && ln -s ../slow.service multi-user.target.wants";
    host().run(&wants.replace("{path}", &tree.path)).ok();
    let container = tree.declare("boots-ready", "");
    host().run("systemctl start --no-block container@boots-ready").ok();
    eventually(|| {
        let state = host().run("systemctl -M boots-ready show -p ActiveState --value slow.service").stdout;
        if state.trim() == "activating" { Ok(()) } else { Err(state) }
    });
    assert_eq!(container.show("ActiveState"), "activating");
    host().run(&format!("touch {}/gate", tree.path)).ok();
    container.wait_for("ActiveState", |state| state == "active");
    is_running(host(), "boots-ready");
    container.stop();
    assert_eq!(container.show("Result"), "success");
    let said = host().run("journalctl --sync; journalctl -q -o cat -u container@boots-ready").ok();
    assert!(said.contains("Deactivated successfully") && !said.contains("timed out"), "{said}");
}

#[test]
#[ignore = "host ring: make check"]
fn an_init_that_is_not_there_or_fails_at_once_is_seen_in_the_unit() {
    let tree = Tree::busybox("boots-not");
    host().run(&format!("rm {}/sbin/init", tree.path)).ok();
    let container = tree.declare("boots-not", "");
    host().run("systemctl start container@boots-not");
    container.wait_for("ActiveState", |state| state == "failed");
    let status = host().run("systemctl status --no-pager -l container@boots-not").stdout;
    assert!(status.contains("the tree has no init to boot: expected /usr/lib/systemd/systemd"), "{status}");
    // One that would be systemd, which is waited for.
    let fails = "mkdir -p {path}/usr/lib/systemd && cd {path}/usr/lib/systemd && printf '#!/bin/sh\\nexit 9\\n' >systemd \
        && chmod +x systemd";
    host().run(&fails.replace("{path}", &tree.path)).ok();
    host().run("systemctl reset-failed container@boots-not; systemctl start container@boots-not");
    container.wait_for("ActiveState", |state| state == "failed");
    assert_eq!((container.show("Result"), container.show("ExecMainStatus")), ("exit-code".into(), "9".into()));
}
