//! A kernel that lacks a call, and which calls a start makes.

use super::{PATIENT, VICTIM, surveyed};
use crate::ring::{BUSYBOX, DEBIAN, Host, host, toml};

/// What the executor does without each call: `None`, the container runs all the same; else what it says.
const CALLS: [(&str, Option<&str>); 14] = [
    ("clone3", Some("clone3")),
    ("openat2", Some("openat2")),
    ("open_tree", Some("open_tree")),
    ("move_mount", Some("move_mount")),
    ("mount_setattr", Some("mount_setattr")),
    ("fsopen", Some("fsopen")),
    ("fsmount", Some("fsmount")),
    ("pivot_root", Some("pivot_root")),
    ("close_range", Some("close_range")),
    ("seccomp", Some("seccomp")),
    ("memfd_create", Some("memfd_create")),
    // A kernel without keyrings has none to leak.
    ("keyctl", None),
    ("getrandom", None),
    ("statx", None),
];

fn traced(host: &Host, name: &str, options: &str) {
    let drop_in = format!(
        "[Service]\nExecStart=\nExecStart=/usr/bin/strace -D -qq -f {options} /usr/lib/berth/berth-executor start {name}\n"
    );
    host.write(&format!("/run/systemd/system/container@{name}.service.d/strace.conf"), &drop_in);
    host.run("systemctl daemon-reload").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn a_kernel_without_a_call_is_done_without_or_told_by_name() {
    let host = surveyed("enosys");
    let rest = format!("init = true\n{VICTIM}");
    let victim = host.declare_shell("victim", &rest, PATIENT);
    for (call, said) in CALLS {
        traced(&host, "victim", &format!("-o /dev/null -e trace={call} -e inject={call}:error=ENOSYS"));
        host.run("timeout 30 systemctl start container@victim");
        let state = victim.show("ActiveState");
        match said {
            None => {
                assert_eq!(state, "active", "without {call}: {}", victim.show("StatusText"));
                victim.stop();
            }
            Some(said) => {
                let log = host.run("journalctl --sync; journalctl -q -o cat -n 20 -u container@victim").stdout;
                assert_eq!(state, "failed", "without {call}: {log}");
                // What runs after systemd has been told is said by the unit's log alone.
                let told = format!("{}\n{log}", victim.show("StatusText"));
                assert!(told.contains(said), "without {call} it says: {told}");
                assert!(told.contains("Function not implemented"), "without {call} it says: {told}");
            }
        }
        host.run("systemctl reset-failed container@victim 2>/dev/null; true").ok();
        super::run(&host, &format!("unchanged /run/census || {{ echo without {call}; exit 1; }}"));
    }
}

#[test]
#[ignore = "host ring: make check"]
fn layers_are_given_as_one_option_where_the_kernel_takes_no_more() {
    let host = surveyed("lowerdir");
    super::killed::write_image(&host);
    host.run("berthctl image import /srv/image.tar five").ok();
    let layered = host.declare("layered", "image = \"five\"\ncommand = [\"cat\", \"/etc/release\"]\n");
    // strace cannot tell one fsconfig from another: the fifth of the container's own process is the first `lowerdir+`,
    // and the executor makes four.
    traced(&host, "layered", "-o /run/trace -e trace=fsconfig,mount -e inject=fsconfig:error=EINVAL:when=5");
    assert_eq!(layered.start_and_read(), "layer 4");
    let trace = host.run("cat /run/trace").ok();
    let refused = trace.lines().find(|line| line.contains("(INJECTED)")).unwrap_or(&trace);
    assert!(refused.contains("lowerdir+"), "another call was refused: {refused}");
    assert!(trace.contains("mount(\"berth\""), "{trace}");
}

/// Calls that resolve a path, as strace knows them and a unit file has to have it.
const PATHS: &str = "%%file,openat2,open_tree,move_mount,mount_setattr,fsconfig,mkdirat,mknodat,pivot_root";

#[test]
#[ignore = "host ring: make check"]
fn a_start_resolves_no_path_of_the_container_but_by_openat2_and_mounts_nothing_by_path() {
    let container = host().declare_shell("watched", VICTIM, PATIENT);
    host().run("mkdir -p /srv/data").ok();
    // Links at every place where something is mounted or written.
    host()
        .run(&format!(
            "rm -rf /srv/linked; cp -a {BUSYBOX} /srv/linked; cd /srv/linked; rm -rf data scratch etc/hosts
        mkdir -p real/data; ln -s /real/data data; ln -s ../real/scratch scratch; ln -s /real/hosts etc/hosts"
        ))
        .ok();
    host().write("/etc/berth/containers/watched.toml", &toml("/srv/linked", VICTIM, PATIENT));
    traced(host(), "watched", &format!("-s 4096 -o /run/trace.watched -e trace={PATHS},clone3,execve"));
    container.start();
    let trace = host().run("cat /run/trace.watched").ok();
    container.stop();
    host().run("rm -r /run/systemd/system/container@watched.service.d; systemctl daemon-reload").ok();
    let calls = inside(&trace);
    assert!(calls.iter().any(|call| call.starts_with("pivot_root")), "not traced to the end: {trace}");
    assert!(calls.len() > 60, "{calls:#?}");
    for call in &calls {
        assert!(is_harmless(call), "resolves a path of the container: {call}");
    }
}

/// The calls of the container's own process, from its birth to its execve, an unfinished call joined to its rest.
fn inside(trace: &str) -> Vec<String> {
    let lines: Vec<(&str, &str)> = trace.lines().filter_map(|line| line.split_once(' ')).collect();
    let born = lines.iter().find(|(_, call)| call.trim().starts_with("pivot_root")).map_or("", |(pid, _)| pid);
    let mut calls: Vec<String> = Vec::new();
    for (pid, call) in lines {
        let call = call.trim();
        if pid != born || call.starts_with("<...") {
            continue;
        }
        if call.starts_with("execve") {
            break;
        }
        calls.push(call.to_owned());
    }
    calls
}

/// A path of the host's, before the container's root is in sight; one name in a directory that openat2 has opened; or
/// no path at all.
fn is_harmless(call: &str) -> bool {
    let name = call.split('(').next().unwrap_or_default();
    let anchor = "\"/run/berth/state/containers/watched";
    match name {
        "openat2" => call.contains("RESOLVE_IN_ROOT") && call.contains("RESOLVE_NO_MAGICLINKS"),
        // By descriptor on both sides; the first puts the container's own tmpfs over its state directory.
        "move_mount" => {
            call.contains("MOVE_MOUNT_F_EMPTY_PATH")
                && (call.contains("MOVE_MOUNT_T_EMPTY_PATH") || call.contains(anchor))
        }
        "open_tree" | "mount_setattr" => call.contains("AT_EMPTY_PATH"),
        "fsconfig" => call.contains("FSCONFIG_CMD_CREATE") || !call.contains("\"/") || call.contains(anchor),
        "mkdir" => call.contains(anchor),
        "open" | "openat" if call.contains(anchor) => call.contains("O_PATH"),
        "open" | "openat" if call.contains("\"/\"") => call.contains("O_PATH"),
        // A name without a slash cannot lead anywhere but into the directory itself.
        "openat" => is_one_name(call) && call.contains("O_NOFOLLOW") && call.contains("O_EXCL"),
        "mkdirat" | "unlinkat" | "readlinkat" => is_one_name(call),
        "pivot_root" => call.starts_with("pivot_root(\".\", \".\")"),
        "umount2" => call.starts_with("umount2(\".\""),
        "chdir" => call.starts_with("chdir(\"/\")"),
        "getcwd" | "fsopen" | "fsmount" | "fchdir" => true,
        // Its own file descriptors, never the root's.
        _ => false,
    }
}

fn is_one_name(call: &str) -> bool {
    let name = call.split('"').nth(1).unwrap_or("/");
    !call.contains("AT_FDCWD") && !name.contains('/') && name != ".." && !name.is_empty()
}

#[test]
#[ignore = "host ring: make check"]
fn exec_resolves_no_path_of_the_container_but_by_openat2() {
    let container = host().declare("joined", &toml(DEBIAN, "", PATIENT));
    container.start();
    let paths = PATHS.replace("%%", "%");
    let script = format!(
        "strace -f -qq -s 4096 -o /run/trace.joined -e trace={paths},setns,execve berthctl exec joined -- true; cat /run/trace.joined"
    );
    let trace = host().run(&script).ok();
    let lines: Vec<(&str, &str)> = trace.lines().filter_map(|line| line.split_once(' ')).collect();
    // The second setns is that of the child, into everything but the PID namespace.
    let entered = lines.iter().rposition(|(_, call)| call.trim().starts_with("setns")).unwrap();
    let child = lines[entered].0;
    let after: Vec<&str> = lines[entered + 1..]
        .iter()
        .filter(|(pid, _)| *pid == child)
        .map(|(_, call)| call.trim())
        .take_while(|call| !call.starts_with("execve"))
        .filter(|call| !call.starts_with("<..."))
        .collect();
    assert!(after.iter().any(|call| call.contains("/etc/passwd")), "{trace}");
    for call in after {
        assert!(is_harmless(call), "resolves a path of the container: {call}");
    }
}
