//! What a user who is not root may do: look, and what polkit allows.

use crate::booted::{HOST_USERS, Tree, is_running};
use crate::ring::{Host, Output, host};

/// A command of an unprivileged user of the host's, with nobody to ask for a password.
fn as_user(host: &Host, command: &str) -> Output {
    let command = command.replace('\'', "'\\''");
    host.run(&format!(
        "id plain >/dev/null 2>&1 || useradd --create-home plain
        cd /; setpriv --reuid plain --regid plain --init-groups --reset-env timeout -k 5 30 sh -c '{command}' </dev/null"
    ))
}

/// Of each verb, what is said to who may not, after `berthctl`; NAME is the container's.
const REFUSED: [(&str, &str); 30] = [
    ("start NAME", "Interactive authentication required. Use sudo"),
    ("stop NAME", "Interactive authentication required. Use sudo"),
    ("restart NAME", "Interactive authentication required. Use sudo"),
    ("reload NAME", "Interactive authentication required. Use sudo"),
    ("poweroff NAME", "Interactive authentication required. Use sudo"),
    ("reboot NAME", "Interactive authentication required. Use sudo"),
    ("terminate NAME", "Interactive authentication required. Use sudo"),
    ("kill NAME", "Interactive authentication required. Use sudo"),
    ("enable NAME", "Interactive authentication required. Use sudo"),
    ("disable NAME", "Interactive authentication required. Use sudo"),
    ("pause NAME", "use sudo"),
    ("resume NAME", "use sudo"),
    ("copy-to NAME /etc/passwd /tmp/passwd", "Interactive authentication required"),
    ("copy-from NAME /etc/passwd /tmp/passwd", "Interactive authentication required"),
    ("copy-from NAME /etc/passwd -", "use `sudo berthctl copy-from …`"),
    ("exec NAME id", "use `sudo berthctl exec …`"),
    ("console NAME", "use `sudo berthctl console …`"),
    ("bind NAME /etc /mnt", "use `sudo berthctl bind …`"),
    ("unbind NAME /mnt", "use `sudo berthctl unbind …`"),
    ("attach-device NAME /dev/fuse", "use `sudo berthctl attach-device …`"),
    ("detach-device NAME /dev/fuse", "use `sudo berthctl detach-device …`"),
    ("reset NAME", "use `sudo berthctl reset …`"),
    ("edit NAME", "use `sudo berthctl edit …`"),
    ("run --rootfs /srv/busybox true", "use `sudo berthctl run …`"),
    ("run -d --rootfs /srv/busybox true", "use `sudo berthctl run …`"),
    ("run --scope --rootfs /srv/busybox true", "use `sudo berthctl run …`"),
    ("network create lan", "use `sudo berthctl network …`"),
    ("image list", "use `sudo berthctl image …`"),
    ("export-tar NAME /tmp/tar", "Interactive authentication required"),
    ("clean", "Interactive authentication required. Use sudo"),
];

#[track_caller]
fn nothing_is_done_without_polkit_s_yes(name: &str, of_shells: &str) {
    for (verb, said) in REFUSED.into_iter().chain([("shell NAME id", of_shells), ("login NAME", of_shells)]) {
        let refused = as_user(host(), &format!("berthctl {}", verb.replace("NAME", name)));
        assert!(refused.stderr.contains(said), "{verb}: {refused:?}");
        assert!(!matches!(refused.code, Some(0 | 124 | 137)), "{verb}: {refused:?}");
    }
}

/// What they may see is what systemctl shows of any unit, and nothing of what is in it.
#[track_caller]
fn its_state_is_seen_and_its_files_are_not(name: &str) {
    let seen = as_user(
        host(),
        &format!("berthctl list -q | grep -x {name}; berthctl status -n 0 {name}; berthctl show -P ActiveState {name}"),
    );
    assert!(seen.stdout.contains("active (running)") && seen.stdout.ends_with("active\n"), "{seen:?}");
    for path in [
        format!("/run/berth/state/containers/{name}/started.json"),
        format!("/run/berth/state/containers/{name}/container.toml"),
        format!("/run/berth/state/containers/{name}/console"),
        "/run/berth/console".to_owned(),
        format!("/var/lib/berth/writable/{name}/upper/secret"),
        "/var/lib/berth/oci".to_owned(),
        "/var/lib/berth/layers".to_owned(),
    ] {
        let read = as_user(host(), &format!("cat {path}; ls {path}; echo x >{path}"));
        assert!(!read.stdout.contains("hush") && read.code != Some(0), "{path}: {read:?}");
    }
    let pid = host().run(&format!("machinectl show -P Leader {name}")).ok();
    for path in ["root/etc/passwd", "environ", "ns/mnt"] {
        assert_ne!(
            as_user(host(), &format!("cat /proc/{pid}/{path} || readlink /proc/{pid}/{path}")).code,
            Some(0),
            "{path}"
        );
    }
    let logs = as_user(host(), &format!("berthctl logs -o cat {name}"));
    assert!(!logs.stdout.contains("said-inside") && logs.code != Some(0), "{logs:?}");
}

#[test]
#[ignore = "host ring: make check"]
fn a_user_neither_starts_enters_reads_nor_copies_from_an_application() {
    let script =
        "trap 'exit 0' TERM; echo said-inside; echo hush >/secret; touch /tmp/up; while :; do sleep 1000 & wait; done";
    let rest = "ephemeral = false\nenvironment = { WORD = \"hush\" }\nreload-signal = \"SIGHUP\"\ntty = true\n";
    let container = host().declare_shell("plain-app", rest, script);
    container.start();
    host().run("until berthctl exec plain-app test -e /tmp/up; do sleep 0.02; done").ok();
    nothing_is_done_without_polkit_s_yes("plain-app", "use `sudo berthctl ");
    its_state_is_seen_and_its_files_are_not("plain-app");
    let pid = container.show("MainPID");
    container.stop();
    let refused = as_user(host(), "berthctl start plain-app");
    assert!(refused.stderr.contains("Interactive authentication required"), "{refused:?}");
    assert_ne!(pid, "0");
    assert_eq!(container.show("ActiveState"), "inactive");
    let layer = as_user(host(), "cat /var/lib/berth/writable/plain-app/upper/secret");
    assert!(layer.stderr.contains("Permission denied"), "{layer:?}");
    host().run("berthctl reset plain-app").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn a_user_enters_and_steers_a_booted_system_with_polkit_s_yes_alone() {
    let tree = Tree::debian("plain-booted");
    let container = tree.declare("plain-booted", &format!("reload-signal = \"SIGHUP\"\n{HOST_USERS}"));
    container.start();
    is_running(host(), "plain-booted");
    nothing_is_done_without_polkit_s_yes("plain-booted", "Interactive authentication required");
    // As an administrator would allow it, for this user and these actions.
    host().write(
        "/etc/polkit-1/rules.d/10-plain.rules",
        "polkit.addRule(function(action, subject) {
            var machine = action.lookup('machine'), unit = action.lookup('unit');
            if (subject.user == 'plain' && (machine == 'plain-booted' || unit == 'container@plain-booted.service'
                || action.id == 'org.freedesktop.machine1.manage-machines')) return polkit.Result.YES;
        });",
    );
    let allowed = || {
        let ran = as_user(host(), "berthctl shell plain-booted sh -c 'id -u; echo in'");
        if ran.code == Some(0) { Ok(ran.stdout.replace('\r', "")) } else { Err(format!("{ran:?}")) }
    };
    let said = crate::ring::eventually(allowed);
    assert_eq!(said, "0\nin\n");
    as_user(host(), "echo carried >/tmp/plain-in && berthctl copy-to plain-booted /tmp/plain-in /root/plain-in").ok();
    assert_eq!(host().run("berthctl exec plain-booted cat /root/plain-in").ok(), "carried");
    as_user(host(), "berthctl copy-from plain-booted /root/plain-in /tmp/plain-out").ok();
    let before = container.show("MainPID");
    as_user(host(), "berthctl restart plain-booted").ok();
    assert_ne!(container.show("MainPID"), before);
    as_user(host(), "berthctl poweroff plain-booted").ok();
    assert_eq!(container.show("ActiveState"), "inactive");
    as_user(host(), "berthctl start plain-booted").ok();
    // Not what was not allowed.
    assert_ne!(as_user(host(), "berthctl exec plain-booted id").code, Some(0));
    assert_ne!(as_user(host(), "berthctl enable plain-booted").code, Some(0));
    host().run("rm /etc/polkit-1/rules.d/10-plain.rules /tmp/plain-in /tmp/plain-out").ok();
}
