//! The same list for whole systems.

use super::NSPAWN;
use crate::booted::{HOST_USERS, Tree, is_running};
use crate::ring::host;

#[test]
#[ignore = "host ring: make check"]
fn a_system_with_every_kind_of_setting_boots() {
    let tree = Tree::debian("everything");
    host().run("mkdir -p /srv/accept; echo hush >/srv/accept/credential").ok();
    let rest = r#"
hostname = "everything"
timezone = "Europe/Berlin"
environment = { WHAT = "ever" }
shm-size = "16M"
labels = { "org.example.tier" = "all" }
[[mount]]
source = "/srv/data"
target = "/mnt/data"
read-only = true
[[mount]]
type = "tmpfs"
target = "/mnt/memory"
size = "1M"
[[mount]]
type = "overlay"
lower = ["/srv/busybox"]
target = "/mnt/merged"
[[mount]]
type = "inaccessible"
target = "/usr/share/doc"
[security]
masked-paths = ["/proc/version"]
read-only-paths = ["/opt"]
[security.capabilities]
add = ["CAP_SYS_TIME"]
drop = ["CAP_MKNOD"]
[sysctls]
"net.core.somaxconn" = 999
[rlimits]
nofile = "1024:2048"
[network]
mode = "bridge"
dns = ["192.0.2.1"]
dns-search = ["example.org"]
hosts = { db = "192.0.2.7" }
[os]
machine-id = "89abcdef89abcdef89abcdef89abcdef"
link-journal = "no"
nesting = true
[unit]
StartLimitBurst = 77
[service]
LoadCredential = ["given:/srv/accept/credential"]
TimeoutStopSec = "30s"
[resources]
TasksMax = 1234
"#;
    let container = tree.declare("everything", rest);
    container.start();
    is_running(host(), "everything");
    let script = "hostname; cat /etc/machine-id /proc/sys/net/core/somaxconn /run/host/credentials/given; \
        readlink /etc/localtime; grep -c 192.0.2.1 /etc/resolv.conf; getent hosts db | awk '{ print $1 }'; \
        ls /usr/share/doc | wc -l; test -e /mnt/merged/bin/busybox && touch /mnt/merged/x && echo merged; \
        touch /mnt/data/x 2>/dev/null || echo read-only; stat -f -c %T /mnt/memory; wc -c </proc/version; \
        tr '\\0' '\\n' </proc/1/environ | grep ^WHAT=; awk '/open files/ { print $4, $5 }' /proc/1/limits";
    let said = host()
        .run(&format!("berthctl exec everything -- sh -c \"{}\"", script.replace('$', "\\$").replace('"', "\\\"")))
        .ok();
    // systemd raises how many files it may have open as far as it may.
    let expected = "everything\n89abcdef89abcdef89abcdef89abcdef\n999\nhush\n../usr/share/zoneinfo/Europe/Berlin\n1\n192.0.2.7\n\
        0\nmerged\nread-only\ntmpfs\n0\nWHAT=ever\n2048 2048";
    assert_eq!(said, expected);
    assert_eq!(container.show("TasksMax"), "1234");
    container.stop();
}

#[test]
#[ignore = "host ring: make check"]
fn volatile_systems_boot_with_users_of_their_own_and_without() {
    let tree = Tree::debian("volatile");
    let fingerprint = format!("cd {} && find . -printf '%p %m %U %G %s %T@ %l\\n' | sort | sha256sum", tree.path);
    // Of units that a system without an /etc starts by their presets, what waits for a network that networkd does not
    // manage, and what has lost its user or its files with /etc.
    let presets = "cd {path}/usr/lib/systemd/system && rm -f systemd-networkd-wait-online.service docker-registry.service \
        iperf3.service firewalld.service netavark-* podman*";
    host().run(&presets.replace("{path}", &tree.path)).ok();
    let before = host().run(&fingerprint).ok();
    for users in ["", HOST_USERS] {
        for (kind, writable) in [("yes", "/etc /var /srv"), ("state", "/var"), ("overlay", "/etc /var /usr")] {
            let container = tree.declare("volatile", &format!("volatile = \"{kind}\"\n{users}"));
            container.start();
            let state = host().run("systemctl -M volatile is-system-running --wait").stdout;
            // What presets start that finds nothing of its /etc is not berth's.
            assert!(
                kind == "yes" && state.trim() == "degraded" || state.trim() == "running",
                "{kind} {users}: {state}"
            );
            let probe = "for place in /etc /var /usr /srv; do touch $place/x 2>/dev/null && echo $place; done; exit 0";
            let found = host().run(&format!("berthctl exec volatile -- sh -c '{probe}'")).ok();
            let expected: Vec<&str> = ["/etc", "/var", "/usr", "/srv"]
                .into_iter()
                .filter(|place| kind == "overlay" || writable.split(' ').any(|known| known == *place))
                .collect();
            assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{kind} {users}");
            container.stop();
        }
    }
    assert_eq!(host().run(&fingerprint).ok(), before);
}

#[test]
#[ignore = "host ring: make check"]
fn a_tree_is_one_container_s_and_not_machinectl_s_to_remove_while_it_runs() {
    let tree = Tree::debian("single");
    host().run(&format!("ln -sfn {} /var/lib/machines/single", tree.path)).ok();
    let container = tree.declare("single", "");
    container.start();
    let other = tree.declare("single-too", "");
    host().run("systemctl start container@single-too");
    let status = host().run("systemctl status --no-pager -l container@single-too").stdout;
    assert!(status.contains("is the root of another container, of berth or systemd-nspawn"), "{status}");
    let nspawn = host().run(&format!("timeout 20 {NSPAWN} --private-users=no -D {} true", tree.path));
    assert!(nspawn.stderr.contains("currently busy") || nspawn.stderr.contains("busy"), "{nspawn:?}");
    // Its own restart does not find it taken, and when it has stopped the other one has it.
    let before = container.show("MainPID");
    host().run("systemctl -M single reboot");
    container.wait_for("MainPID", |pid| pid != "0" && pid != before);
    container.wait_for("ActiveState", |state| state == "active");
    container.stop();
    other.start();
    other.stop();
    // Several may have it below a layer of their own.
    let below = ["single", "single-too"].map(|name| tree.declare(name, "ephemeral = true\n"));
    for container in &below {
        container.start();
    }
    host().run("rm /var/lib/machines/single").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn a_system_does_not_take_another_one_s_journal_by_its_machine_id() {
    const ID: &str = "fedcba9876543210fedcba9876543210";
    host().run("mkdir -p /var/log/journal").ok();
    let (one, two) = (Tree::debian("journal-one"), Tree::debian("journal-two"));
    for tree in [&one, &two] {
        host().run(&format!("echo {ID} >{}/etc/machine-id", tree.path)).ok();
    }
    let first = one.declare("journal-one", "");
    first.start();
    let link = format!("readlink /var/log/journal/{ID}");
    let before = host().run(&link).ok();
    assert!(before.starts_with(&one.path), "{before}");
    let second = two.declare("journal-two", "");
    second.start();
    assert_eq!(host().run(&link).ok(), before);
    let said = host().run("journalctl --sync; journalctl -q -o cat CONTAINER_NAME=journal-two").ok();
    assert!(said.contains("the journal is not linked") && said.contains("is another system's"), "{said}");
    second.stop();
    // Where it is told to, it does not start.
    let told = two.declare("journal-two", "[os]\nlink-journal = \"host\"\n");
    host().run("systemctl start container@journal-two");
    told.wait_for("ActiveState", |state| state == "failed");
    assert_eq!(host().run(&link).ok(), before);
    host().run(&format!("rm -f /var/log/journal/{ID}")).ok();
}

#[test]
#[ignore = "host ring: make check"]
fn a_program_left_in_a_journal_kept_on_the_host_is_nobody_s_to_run() {
    host().run("mkdir -p /var/log/journal").ok();
    let tree = Tree::debian("journal-left");
    let container = tree.declare("journal-left", &format!("{HOST_USERS}[os]\nlink-journal = \"host\"\n"));
    container.start();
    let leave = "cd /var/log/journal/* && cp /bin/busybox left && chmod 4755 left && chmod 777 .";
    host().run(&format!("berthctl exec journal-left -- sh -c '{leave}'")).ok();
    // It is there, and its mode is what the container made it; root finds the journal by its id.
    let left = host().run("stat -c %a /var/lib/berth/journals/journal-left/left").ok();
    assert_eq!(left, "4755");
    let id = host().run("machinectl show -p Id --value journal-left").ok();
    host().run(&format!("test -e /var/log/journal/{id}/left")).ok();
    let tried = host().run(&format!("setpriv --reuid 33 --clear-groups sh -c '/var/log/journal/{id}/left id -u'"));
    assert!(tried.code != Some(0) && tried.stderr.contains("Permission denied"), "{tried:?}");
    container.stop();
    host().run(&format!("rm -rf /var/log/journal/{id} /var/lib/berth/journals/journal-left")).ok();
}
