//! machined's own tools and the journal's, driven against a booted container.

use super::{HOST_USERS, Tree, is_running};
use crate::ring::{Declared, Host, eventually, host};

#[track_caller]
fn machined_s_tools_work(container: &Declared) {
    let name = &container.name;
    container.start();
    is_running(host(), name);
    let listed = host().run("machinectl list --no-legend").ok();
    let line =
        listed.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap_or_else(|| panic!("{listed}"));
    assert!(line.split_whitespace().skip(1).take(3).eq(["container", "berth", "debian"]), "{line}");
    let shown = host().run(&format!("machinectl show -p Unit -p Leader -p Class {name} | sort")).ok();
    let expected = format!("Class=container\nLeader={}\nUnit={}", container.show("MainPID"), container.unit);
    assert_eq!(shown, expected);

    let said = host()
        .run(&format!("machinectl -q shell {name} /bin/sh -c 'systemctl is-system-running; id -u; tty' </dev/null"));
    assert_eq!(said.ok().replace('\r', "").lines().take(2).collect::<Vec<_>>(), ["running", "0"]);
    let asked = host()
        .run(&format!("timeout 10 script -qec 'machinectl login {name}' /dev/null < <(sleep 8) | grep -m1 login:"));
    assert!(asked.stdout.contains("login:"), "{asked:?}");

    assert_eq!(
        host().run(&format!("systemd-run -q -M {name} --wait --pipe /bin/sh -c 'cat; exit 7' <<<in")).exits(7),
        "in"
    );
    let units = host().run(&format!("systemctl -M {name} list-units --type=service --no-legend --plain")).ok();
    assert!(units.contains("dbus.service"), "{units}");
    assert_ne!(host().run(&format!("systemctl -M {name} start no-such.service")).code, Some(0));
    assert_ne!(host().run(&format!("systemctl -M not-{name} is-system-running")).code, Some(0));

    let before = container.show("MainPID");
    host().run(&format!("machinectl reboot {name}")).ok();
    container.wait_for("NRestarts", |restarts| restarts == "1");
    container.wait_for("MainPID", |pid| pid != "0" && pid != before);
    container.wait_for("ActiveState", |state| state == "active");
    // A fast restart has not met its own entry.
    let leader = host().run(&format!("machinectl show -p Leader --value {name}")).ok();
    assert_eq!(leader, container.show("MainPID"));
    is_running(host(), name);
    host().run(&format!("machinectl poweroff {name}")).ok();
    container.ended();
    assert_eq!(container.show("Result"), "success");
    assert_ne!(host().run(&format!("machinectl status {name}")).code, Some(0));
}

#[test]
#[ignore = "host ring: make check"]
fn machinectl_and_systemctl_work_on_a_system_with_users_of_its_own() {
    let tree = Tree::debian("tools-auto");
    machined_s_tools_work(&tree.declare("tools-auto", ""));
}

#[test]
#[ignore = "host ring: make check"]
fn machinectl_and_systemctl_work_on_a_system_with_the_host_s_users() {
    let tree = Tree::debian("tools-host");
    machined_s_tools_work(&tree.declare("tools-host", HOST_USERS));
}

/// What it has logged by now, by whichever tool.
#[track_caller]
fn logged(host: &Host, command: &str, line: &str) {
    eventually(|| {
        let found = host.run(command);
        if found.stdout.contains(line) { Ok(()) } else { Err(format!("{command}: {found:?}")) }
    });
}

#[track_caller]
fn its_journal_is_seen(name: &str, rest: &str) {
    let tree = Tree::debian(name);
    // The bed's trees keep theirs in memory, as its hosts do.
    tree.keep_its_journal();
    // Where a host has this directory it has a journal on disk.
    host().run("mkdir -p /var/log/journal").ok();
    let container = tree.declare(name, rest);
    container.start();
    is_running(host(), name);
    host().run(&format!("systemd-run -q -M {name} --wait /bin/sh -c 'echo said-in-{name}'")).ok();
    let line = format!("said-in-{name}");
    logged(host(), &format!("journalctl -q --no-pager -M {name}"), &line);
    logged(host(), &format!("berthctl logs --no-pager {name}"), &line);
    logged(host(), &format!("berthctl logs --no-pager {name}"), &format!("Started {}", container.unit));
    // Another system's files may say anything of this one.
    let foreign = format!("/var/log/journal/{}", "f".repeat(32));
    let read = format!(
        "mkdir {foreign}; touch {foreign}/system.journal
        strace -f -e trace=openat berthctl logs --no-pager {name} 2>&1 >/dev/null
        strace -f -e trace=openat timeout -s INT 2 berthctl logs --no-pager -f {name} 2>&1 >/dev/null; rm -r {foreign}"
    );
    let read = host().run(&read).stdout;
    assert!(read.contains("/run/berth/journals/") && !read.contains("ffffffff"), "{read}");
    // Neither is in the other's.
    let of_host =
        host().run("systemd-run -q --wait echo said-by-the-host; journalctl --sync; journalctl -q -o cat").ok();
    assert!(of_host.contains("said-by-the-host") && !of_host.contains(&line), "{of_host}");
    let others = host().run(&format!("berthctl logs --no-pager {name}")).ok();
    assert!(!others.contains("said-by-the-host"), "{others}");
    container.stop();
    logged(host(), &format!("berthctl logs --no-pager {name}"), &line);
}

#[test]
#[ignore = "host ring: make check"]
fn the_inner_journal_is_in_journalctl_and_logs_and_stays_when_it_has_stopped() {
    its_journal_is_seen("journal-auto", "");
    its_journal_is_seen("journal-host", HOST_USERS);
    // Of users of its own only where the host's file system has idmapped mounts: the ring's overlay has not.
    its_journal_is_seen("journal-kept", &format!("{HOST_USERS}[os]\nlink-journal = \"host\"\n"));
}

#[test]
#[ignore = "host ring: make check"]
fn a_journal_that_is_not_linked_is_in_journalctl_and_logs_while_it_runs() {
    let tree = Tree::debian("journal-apart");
    let container = tree.declare("journal-apart", "[os]\nlink-journal = \"no\"\n");
    container.start();
    is_running(host(), "journal-apart");
    host().run("systemd-run -q -M journal-apart --wait /bin/sh -c 'echo said-apart'").ok();
    logged(host(), "journalctl -q --no-pager -M journal-apart", "said-apart");
    logged(host(), "berthctl logs --no-pager journal-apart", "said-apart");
    let id = host().run("machinectl show -p Id --value journal-apart").ok();
    assert_ne!(host().run(&format!("ls -d /var/log/journal/{id}")).code, Some(0));
}
