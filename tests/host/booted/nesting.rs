//! Engines of containers inside a booted system: podman, systemd-nspawn and berth itself.

use super::{HOST_USERS, Tree, is_running};
use crate::ring::{Output, host};

/// What berth itself consists of, as it is on this host.
const BERTH: &str = "tar -C / -c usr/bin/berthctl usr/lib/berth usr/lib/systemd/system-generators/berth-generator \
    usr/lib/systemd/system/container@.service $(cd / && ls -d usr/lib/systemd/system/berth-*)";

/// A system with berth in it, and a tree for containers.
fn system(name: &str) -> Tree {
    let tree = Tree::debian(name);
    host().run(&format!("{BERTH} | tar -C {path} -x && cp -a /srv/busybox {path}/srv/", path = tree.path)).ok();
    tree
}

fn inside(name: &str, script: &str) -> Output {
    let quoted = script.replace('\'', "'\\''");
    host().run(&format!("timeout 100 systemd-run -q -M {name} --wait --pipe /bin/sh -c '{quoted}'"))
}

/// No cgroup controller is enabled in the ring, and podman wants to set a limit by default.
const PODMAN: &str = "podman run --rm --pids-limit=0";

#[track_caller]
fn podman_and_nspawn_run(name: &str) {
    let image = "tar -C /srv/busybox -c . | podman import -q - box >/dev/null";
    inside(name, image).ok();
    let said = inside(name, &format!("{PODMAN} box sh -c 'echo from podman; id -u; hostname -i | cut -d. -f1,2'")).ok();
    assert_eq!(said, "from podman\n0\n10.88");
    let said = inside(name, &format!("{PODMAN} --network=none --user 33 box sh -c 'id -u; touch /x; exit 7'"));
    assert_eq!((said.stdout.trim(), said.code), ("33", Some(7)), "{said:?}");
    let nspawn = "systemd-nspawn -q --pipe --register=no -D /srv/busybox /bin/sh -c 'echo from nspawn; exit 7'";
    assert_eq!(inside(name, nspawn).exits(7), "from nspawn");
}

/// Run and declared, with an image and with a tree, on a network of its own making.
#[track_caller]
fn berth_runs(name: &str, users: &str) {
    inside(name, "tar -C /srv/busybox -c . | berthctl image import -q - box").ok();
    let run = format!(
        "berthctl run --rm {users} --name within box sh -c 'hostname; ip -4 address show eth0 | grep -c 10.86; exit 7'"
    );
    // The default network of the system around it is there as well: this one has the next subnet.
    let said = inside(name, &run.replace("10.86", "10.8"));
    assert_eq!((said.stdout.trim(), said.code), ("within\n1", Some(7)), "{said:?}");
    let mode = if users.is_empty() { "auto" } else { "host" };
    let toml = format!(
        "rootfs = \\\"/srv/busybox\\\"\\ncommand = [\\\"/bin/sleep\\\", \\\"1000\\\"]\\n\
         [security.user-namespace]\\nmode = \\\"{mode}\\\"\\n"
    );
    let declare = format!("mkdir -p /etc/berth/containers && printf \"{toml}\" >/etc/berth/containers/deep.toml");
    inside(name, &declare).ok();
    inside(name, "systemctl start container@deep").ok();
    assert_eq!(
        inside(name, "berthctl exec deep -- cat /proc/1/comm; machinectl list --no-legend | grep -c deep").ok(),
        "sleep\n1"
    );
    inside(name, "berthctl stop deep && test ! -e /run/berth/state/containers/deep").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn podman_nspawn_and_berth_run_in_a_system_with_users_of_its_own() {
    let tree = system("nest-auto");
    let container = tree.declare("nest-auto", "[os]\nnesting = true\n");
    container.start();
    is_running(host(), "nest-auto");
    podman_and_nspawn_run("nest-auto");
    berth_runs("nest-auto", "--userns host");
    // There are no users to give away inside; that it says, and what to do.
    let refused = inside("nest-auto", "berthctl run --rm --rootfs /srv/busybox true");
    assert_eq!(refused.code, Some(125), "{refused:?}");
    assert!(refused.stderr.contains("it has no range of users to give away; write mode = \"host\""), "{refused:?}");
    // What the kernel looks for is for the system's root alone.
    let hidden = inside("nest-auto", "setpriv --reuid 33 --clear-groups ls /run/host/nesting");
    assert_ne!(hidden.code, Some(0));
}

#[test]
#[ignore = "host ring: make check"]
fn podman_nspawn_and_berth_run_in_a_system_with_the_host_s_users() {
    let tree = system("nest-host");
    // crun loads a program for the kernel there, which checks what devices are opened.
    let rest = format!("{HOST_USERS}[security.capabilities]\nadd = [\"CAP_BPF\"]\n[os]\nnesting = true\n");
    let container = tree.declare("nest-host", &rest);
    container.start();
    is_running(host(), "nest-host");
    podman_and_nspawn_run("nest-host");
    berth_runs("nest-host", "");
}

#[test]
#[ignore = "host ring: make check"]
fn without_nesting_podman_is_refused_what_it_needs() {
    let tree = Tree::debian("nest-not");
    let container = tree.declare("nest-not", "");
    container.start();
    is_running(host(), "nest-not");
    assert_ne!(inside("nest-not", "test -e /run/host/nesting").code, Some(0));
    let refused = inside("nest-not", &format!("mkdir -p /srv/none && {PODMAN} --network=none --rootfs / true"));
    assert_ne!(refused.code, Some(0), "{refused:?}");
}
