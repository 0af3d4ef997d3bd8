//! Every verb on a container, a booted one and an application, as machinectl's users know them; and each where it cannot
//! work: with no such container, with one that does not run, with an option it has not.

use crate::booted::{HOST_USERS, Tree, is_running};
use crate::ring::{DEBIAN, Declared, eventually, host, toml};

const PATIENT: &str = "trap 'exit 0' TERM; trap 'touch /tmp/reloaded' HUP; touch /tmp/up; echo said-inside
    while :; do sleep 1000 & wait $!; done";

/// What ends well on a running container, and what it prints then; NAME is its name.
const WORKS: [(&str, &str); 26] = [
    ("list -q", "\nNAME\n"),
    ("list --no-legend", "debian 13"),
    ("list --output=json", "\"name\": \"NAME\""),
    ("status -n 3 NAME", "Leader:"),
    ("status -n 3 NAME", "Source: /etc/berth/containers/NAME.toml"),
    ("status -n 3 NAME", "sleep 1000"),
    ("status --output=cat NAME", "Started container@NAME.service"),
    ("show -P ActiveState NAME", "active"),
    ("show -p Leader --output=json NAME", "\"Leader\""),
    ("logs -q --no-pager -o cat NAME", "said-inside"),
    ("exec NAME -- echo within", "within"),
    ("shell NAME echo within", "within"),
    ("shell root@NAME id -u", "0"),
    ("shell --uid=nobody -E WORD=said NAME sh -c 'id -un; echo $WORD'", "nobody\nsaid"),
    ("copy-to --force NAME /etc/hostname /root/copied", ""),
    ("copy-from NAME /root/copied -", "check-"),
    ("bind --mkdir --read-only NAME /srv/data /mnt/bound", ""),
    ("unbind NAME /mnt/bound", ""),
    ("attach-device NAME /dev/null:/dev/given:rw", ""),
    ("detach-device NAME /dev/given", ""),
    ("pause NAME", ""),
    ("resume NAME", ""),
    ("kill --kill-whom=leader --signal=WINCH NAME", ""),
    ("top -n 1 -d 0.1 --no-legend NAME", "NAME"),
    ("enable NAME", ""),
    ("disable NAME", ""),
];

/// What fails where there is no such container, and where it does not run, and its exit status then.
const NEEDS_A_RUNNING_ONE: [(&str, i32); 16] = [
    ("exec NAME true", 125),
    ("shell NAME true", 125),
    ("login NAME", 125),
    ("console NAME", 1),
    ("copy-to NAME /etc/hostname /root/copied", 1),
    ("copy-from NAME /etc/hostname -", 1),
    ("bind NAME /srv/data /mnt", 1),
    ("unbind NAME /mnt", 1),
    ("attach-device NAME /dev/null:/dev/given", 1),
    ("detach-device NAME /dev/null:/dev/given", 1),
    ("pause NAME", 1),
    ("kill NAME", 1),
    ("top -n 1 NAME", 1),
    ("poweroff NAME", 1),
    ("reboot NAME", 1),
    ("terminate NAME", 1),
];

const NEEDS_ONE: [(&str, i32); 11] = [
    ("start NAME", 1),
    ("stop NAME", 1),
    ("restart NAME", 1),
    ("reload NAME", 1),
    ("enable NAME", 1),
    ("disable NAME", 1),
    ("status NAME", 4),
    ("show NAME", 1),
    ("wait NAME", 1),
    ("cat NAME", 1),
    ("reset NAME", 1),
];

/// Options and words they have not.
const NOT_UNDERSTOOD: [(&str, i32); 24] = [
    ("list --sideways", 2),
    ("status", 2),
    ("show --sideways NAME", 2),
    ("logs", 2),
    ("exec --sideways NAME true", 125),
    ("exec NAME", 125),
    ("shell --sideways NAME", 125),
    ("login", 125),
    ("login NAME more", 125),
    ("console NAME more", 2),
    ("copy-to NAME", 2),
    ("copy-to --sideways NAME /a /b", 2),
    ("copy-from NAME", 2),
    ("bind NAME", 2),
    ("unbind NAME", 2),
    ("attach-device NAME", 2),
    ("detach-device NAME", 2),
    ("kill --signal=SIDEWAYS NAME", 2),
    ("kill --kill-whom=somebody NAME", 2),
    ("top --order sideways", 2),
    ("poweroff", 2),
    ("enable --sideways NAME", 2),
    ("wait", 2),
    ("start", 2),
];

#[track_caller]
fn fail(rows: &[(&str, i32)], name: &str) {
    for (line, code) in rows {
        let line = line.replace("NAME", name);
        let refused = host().run(&format!("timeout 30 berthctl {line} </dev/null"));
        assert!(!refused.stderr.is_empty(), "{line} says nothing: {refused:?}");
        refused.exits(*code);
    }
}

#[track_caller]
fn every_verb_works(container: &Declared, until_up: impl Fn()) {
    let name = &container.name;
    container.start();
    until_up();
    for (line, said) in WORKS {
        let line = line.replace("NAME", name);
        let ran = host().run(&format!("berthctl {line}"));
        let printed = format!("\n{}", ran.stdout);
        assert!(printed.contains(&said.replace("NAME", name)), "{line}: {ran:?}");
        ran.ok();
    }
    host()
        .run(&format!("berthctl reload {name}; until berthctl exec {name} test -e /tmp/reloaded; do sleep 0.02; done"))
        .ok();
    assert!(host().run(&format!("berthctl console {name} </dev/null")).code == Some(0));
    fail(&NOT_UNDERSTOOD, name);
    for verb in ["restart", "reboot"] {
        let before = container.show("MainPID");
        host().run(&format!("berthctl {verb} {name}")).ok();
        assert_ne!(container.show("MainPID"), before, "{verb}");
        until_up();
    }
    for verb in ["stop", "poweroff", "terminate", "disable --now"] {
        host().run(&format!("berthctl start {name}")).ok();
        until_up();
        let waits = format!(
            "berthctl wait {name} & client=$!; until [ -n \"$(systemctl show --value -p Refs {})\" ]; do sleep 0.02; done",
            container.unit
        );
        host().run(&format!("{waits}; berthctl {verb} {name} && wait $client; true")).ok();
        assert_eq!(container.show("ActiveState"), "inactive", "{verb}");
    }
    fail(&NEEDS_A_RUNNING_ONE, name);
    host().run(&format!("berthctl status {name}")).exits(3);
    host().run(&format!("berthctl logs -q --no-pager -o cat {name} | grep -q said-inside")).ok();
    host().run(&format!("berthctl reset {name}")).ok();
}

#[test]
#[ignore = "host ring: make check"]
fn every_verb_works_on_an_application_and_says_why_where_it_cannot() {
    let text =
        toml(DEBIAN, "tty = true\nreload-signal = \"SIGHUP\"\n[install]\nWantedBy = [\"timers.target\"]\n", PATIENT);
    let container = host().declare("every-app", &text);
    every_verb_works(&container, || {
        host().run("until berthctl exec every-app test -e /tmp/up; do sleep 0.02; done").ok();
    });
    fail(&NEEDS_ONE, "every-none");
    fail(&NEEDS_A_RUNNING_ONE, "every-none");
    fail(&[("start NAME", 2), ("exec NAME true", 125)], "no_name");
}

#[test]
#[ignore = "host ring: make check"]
fn every_verb_works_on_a_booted_system_and_says_why_where_it_cannot() {
    let tree = Tree::debian("every-booted");
    // As the application does: says something, sleeps, and notes a reload.
    let service =
        "[Unit]\nReloadPropagatedFrom=\n[Service]\nExecStart=/bin/sh -c 'echo said-inside; exec sleep 1000'\n";
    host().write(&format!("{}/etc/systemd/system/says.service", tree.path()), service);
    let noted = "[Service]\nType=oneshot\nExecStart=/bin/touch /tmp/reloaded\n";
    host().write(&format!("{}/etc/systemd/system/noted.service", tree.path()), noted);
    tree.keep_its_journal();
    host().run(&format!("cd {}/etc/systemd/system && mkdir -p multi-user.target.wants && ln -s ../says.service ../noted.service multi-user.target.wants/", tree.path())).ok();
    let container =
        tree.declare("every-booted", "reload-signal = \"SIGHUP\"\n[install]\nWantedBy = [\"timers.target\"]\n");
    every_verb_works(&container, || is_running(host(), "every-booted"));
}

/// machined's own words for the same, driven by its own tool.
#[track_caller]
fn machinectl_works(container: &Declared, until_up: impl Fn()) {
    let name = &container.name;
    container.start();
    until_up();
    let has_own_users = || {
        let whole = format!("grep -qx ' *0 *0 *4294967295' /proc/{}/uid_map", container.show("MainPID"));
        host().run(&whole).code != Some(0)
    };
    let machinectl = |line: &str| host().run(&format!("machinectl -q --no-pager {}", line.replace("NAME", name)));
    assert!(machinectl("list --no-legend").ok().lines().any(|line| line.starts_with(&format!("{name} "))));
    assert!(machinectl("status -l NAME").ok().contains(&format!("Unit: {}", container.unit)));
    assert_eq!(machinectl("show -P Leader NAME").ok(), container.show("MainPID"));
    // machined writes as the host's root, whom a mount with other owners does not know.
    let copied = machinectl("copy-to NAME /etc/hostname /root/by-machined");
    if copied.code != Some(0) {
        assert!(has_own_users() && copied.stderr.contains("Value too large"), "{copied:?}");
        host().run(&format!("berthctl copy-to {name} /etc/hostname /root/by-machined")).ok();
    }
    let out = format!("/srv/data/by-machined-{name}");
    host().run(&format!("rm -f {out}")).ok();
    machinectl(&format!("copy-from NAME /root/by-machined {out}")).ok();
    let owner = format!("cmp /etc/hostname {out} && berthctl exec {name} stat -c %u /root/by-machined");
    assert_eq!(host().run(&owner).ok(), "0");
    machinectl("kill --kill-whom=leader --signal=WINCH NAME").ok();
    let bound = machinectl("bind --mkdir NAME /srv/data /mnt/by-machined");
    match has_own_users() {
        // machined binds nothing into a user namespace; berthctl does.
        true => assert_ne!(bound.code, Some(0)),
        false => {
            bound.ok();
            host().run(&format!("berthctl exec {name} test -e /mnt/by-machined/by-machined-{name}")).ok();
        }
    }
    machinectl("terminate NAME").ok();
    container.ended();
    for line in
        ["status NAME", "show NAME", "copy-to NAME /etc/hostname /root/x", "kill NAME", "terminate NAME", "shell NAME"]
    {
        assert_ne!(machinectl(line).code, Some(0), "{line}");
    }
    container.start();
    until_up();
    machinectl("poweroff NAME").ok();
    container.ended();
    eventually(|| match machinectl("list --no-legend").stdout {
        left if left.lines().any(|line| line.starts_with(&format!("{name} "))) => Err(left),
        _ => Ok(()),
    });
}

#[test]
#[ignore = "host ring: make check"]
fn machinectl_s_verbs_work_on_a_booted_system_and_on_an_application() {
    for (suffix, rest) in [("", ""), ("-host", HOST_USERS)] {
        let tree = Tree::debian(&format!("ctl-booted{suffix}"));
        let booted = tree.declare(&format!("ctl-booted{suffix}"), rest);
        machinectl_works(&booted, || is_running(host(), &booted.name));
        // It asks a system to end by SIGRTMIN+4, which an application takes for itself.
        let script = "trap 'exit 0' TERM RTMIN+4 RTMIN+3; touch /tmp/up; while :; do sleep 1000 & wait $!; done";
        let text = format!("rootfs = \"{DEBIAN}\"\ncommand = [\"bash\", \"-c\", '''{script}''']\n{rest}");
        let app = host().declare(&format!("ctl-app{suffix}"), &text);
        machinectl_works(&app, || {
            let up = format!("until berthctl exec {} test -e /tmp/up; do sleep 0.02; done", app.name);
            host().run(&up).ok();
        });
    }
}
