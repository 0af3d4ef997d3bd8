//! `berthctl doctor` on a host that can run containers, and on one that is in want of something.

use crate::ring::{Host, host};

/// One field of each feature, by name, as `NAME FIELD` lines.
fn fields(host: &Host, field: &str, before: &str) -> String {
    let python = format!(
        "import json, sys\nfor row in json.load(sys.stdin): print(row[\"feature\"], row[\"{field}\"], sep=\": \")"
    );
    host.run(&format!("{before} berthctl doctor --output=json 2>/dev/null | python3 -c '{python}'")).ok()
}

#[test]
#[ignore = "host ring: make check"]
fn a_host_that_runs_containers_is_found_fit_and_left_as_it_was() {
    let host = host();
    // In a session of its own: what is left of it is told from what others run on this host.
    let script = "left() { cat /proc/1/mountinfo; ls -A /run /var/lib /var/lib/berth; } 2>/dev/null
        setsid --wait bash -c 'berthctl doctor; code=$?
            ps -o comm= -s $$ | grep -vx -e bash -e ps -e grep >&2
            exit $code' || exit 1
        left | grep doctor >&2; true";
    let doctor = host.run(script);
    assert_eq!(doctor.stderr, "");
    let table = doctor.ok();
    assert!(table.starts_with("FEATURE "), "{table}");
    let states = fields(host, "state", "");
    for required in ["overlay on idmapped layers", "clone3", "openat2", "container@.service", "systemd", "machined"] {
        assert!(states.contains(&format!("{required}: yes")), "{states}");
    }
    let suite = fields(host, "found", "");
    let version = host.run("systemctl --version | sed -n '1s/.*(\\(.*\\))/\\1/p'").ok();
    assert!(suite.contains(&format!("systemd: {version}")), "{suite}");
}

#[test]
#[ignore = "host ring: make check"]
fn what_is_missing_is_named_and_fails() {
    let host = Host::boot("doctor");
    host.run("rm /usr/lib/systemd/system-generators/berth-generator; chmod -x /usr/lib/berth/berth-executor").ok();
    let said = host.run("berthctl doctor >/dev/null");
    assert_eq!(said.code, Some(1));
    assert_eq!(said.stderr.trim(), "berthctl: containers cannot run here; missing: berth-generator, berth-executor");

    // A tmpfs has no user extended attributes on old kernels, an overlay never can be a layer above another pair.
    host.run("mkdir -p /run/o/{l,u,w,m} && mount -t overlay o -o lowerdir=/run/o/l,upperdir=/run/o/u,workdir=/run/o/w /var/lib/berth")
        .ok();
    let states = fields(&host, "state", "");
    assert!(states.contains("overlay on idmapped layers: no"), "{states}");

    let nobody = fields(&host, "state", "setpriv --reuid=65534 --regid=65534 --clear-groups");
    assert!(nobody.contains("overlayfs: unknown") && nobody.contains("openat2: yes"), "{nobody}");

    host.run("umount /var/lib/berth").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn a_kernel_without_a_system_call_is_found_unfit() {
    let host = host();
    for (call, feature) in [
        ("fsopen", "fsopen"),
        ("open_tree", "open_tree"),
        ("mount_setattr", "mount_setattr"),
        ("clone3", "clone3"),
        ("pidfd_open", "pidfds"),
        ("openat2", "openat2"),
        ("close_range", "close_range"),
        ("seccomp", "seccomp filters"),
        ("memfd_create", "MFD_EXEC"),
    ] {
        // systemd's own filter is in place before: it answers as a kernel without the call.
        let filter = format!("-p SystemCallFilter=~{call} -p SystemCallErrorNumber=ENOSYS");
        let states = fields(host, "state", &format!("systemd-run --quiet --pipe --wait {filter}"));
        assert!(states.contains(&format!("{feature}: no")), "{call}: {states}");
    }
}
