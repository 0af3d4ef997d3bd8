//! What the kernel's file systems show and take, and what of the host can be seen.

use super::{SECRET, stays_in};
use crate::ring::host;

#[test]
#[ignore = "host ring: make check"]
fn the_kernel_s_settings_and_secrets_are_out_of_reach() {
    let attack = r#"
for path in ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/panic_on_oom",
        "/proc/sys/fs/binfmt_misc/register", "/proc/sys/kernel/sysrq", "/proc/sys/net/core/somaxconn",
        "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity", "/proc/bus/pci/00/00.0", "/proc/fs/nfsd/threads",
        "/sys/kernel/uevent_helper", "/sys/kernel/mm/ksm/run", "/sys/power/state", "/sys/module/overlay/parameters/metacopy",
        "/proc/1/uid_map", "/proc/1/gid_map", "/proc/1/setgroups", "/proc/1/loginuid"]:
    attempt("writing " + path, lambda: write(path, "0 0 1"))
attempt("a lower oom_score_adj", lambda: write("/proc/self/oom_score_adj", "-1000"))
for path in ["/proc/kcore", "/proc/kallsyms", "/proc/keys", "/proc/timer_list", "/proc/interrupts", "/proc/sched_debug",
        "/proc/kmsg", "/proc/kpagecount", "/proc/iomem"]:
    def secret():
        content = read(path)
        # Addresses are zeros for whoever may not see them.
        return [line for line in content.splitlines() if line.strip(b"0 -:") and b"00000000-00000000" not in line]
    attempt("reading " + path, secret)
for path in ["/sys/firmware", "/sys/kernel/debug", "/sys/kernel/security", "/sys/fs/selinux", "/sys/dev/block",
        "/sys/devices/virtual/powercap", "/proc/scsi", "/proc/acpi", "/proc/asound"]:
    attempt("listing " + path, lambda: os.listdir(path))
"#;
    stays_in(host(), "kernel-out", "", attack, 37);
}

#[test]
#[ignore = "host ring: make check"]
fn cgroups_can_be_read_and_not_changed() {
    let attack = r#"
group = "/sys/fs/cgroup"
attempt("making one", lambda: os.mkdir(group + "/evil") or "made")
attempt("moving out", lambda: write(group + "/cgroup.procs", "1"))
attempt("a limit", lambda: write(group + "/pids.max", "max"))
attempt("freezing", lambda: write(group + "/cgroup.freeze", "0"))
attempt("controllers", lambda: write(group + "/cgroup.subtree_control", "+pids"))
attempt("killing", lambda: write(group + "/cgroup.kill", "1"))
attempt("release_agent", lambda: write(group + "/release_agent", "/evil"))
attempt("a version 1 hierarchy", lambda: call(165 if x86 else 40, b"cgroup", b"/mnt", b"cgroup", 0, b"rdma"))
attempt("the path above", lambda: read("/proc/self/cgroup") != b"0::/\n" and [line for line in read("/proc/self/cgroup").splitlines() if line.startswith(b"0::") and line != b"0::/"])
attempt("what is above", lambda: [one for one in os.listdir(group) if "slice" in one])
"#;
    stays_in(host(), "cgroups-out", "", attack, 10);
}

#[test]
#[ignore = "host ring: make check"]
fn cgroups_cannot_be_changed_where_their_owner_is_inside() {
    // Without a user namespace the container's root owns them: only the mount stands between (CVE-2023-25809).
    let attack = r#"
group = "/sys/fs/cgroup"
attempt("making one", lambda: os.mkdir(group + "/evil") or "made")
attempt("moving", lambda: write(group + "/cgroup.procs", "1"))
attempt("freezing", lambda: write(group + "/cgroup.freeze", "0"))
attempt("a depth", lambda: write(group + "/cgroup.max.depth", "1"))
attempt("giving it away", lambda: os.chown(group, 1, 1) or "given")
attempt("an attribute", lambda: os.setxattr(group, "trusted.delegate", b"1") or "set")
attempt("the path above", lambda: [line for line in read("/proc/self/cgroup").splitlines() if line.startswith(b"0::") and line != b"0::/"])
attempt("what is above", lambda: [one for one in os.listdir(group) if "slice" in one])
"#;
    let rest = "[security]\nuser-namespace = { mode = \"host\" }\n";
    let seen = stays_in(host(), "cgroups-host", rest, attack, 8);
    for attack in ["making one", "moving", "freezing", "a depth", "giving it away"] {
        assert!(seen.contains(&format!("{attack} refused: EROFS")), "{attack}: {seen}");
    }
}

#[test]
#[ignore = "host ring: make check"]
fn the_host_s_files_cannot_be_found_by_any_way() {
    let attack = format!(
        r#"
secret = "{SECRET}"
def seen(prefix):
    found = read(prefix + secret)
    return found
for way in ["", "/proc/1/root", "/proc/self/root", "/proc/1/cwd", "/proc/self/cwd", "/proc/1/cwd/../../../../..",
        "/..", "/proc/1/task/1/root", "/dev/fd/0/../../..", "/sys/../.."]:
    attempt("way " + (way or "/"), lambda: seen(way))
def numbers():
    return [fd for process in glob.glob("/proc/[0-9]*/fd") for fd in os.listdir(process) if os.path.isdir(process + "/" + fd) and process != "/proc/%d/fd" % os.getpid()]
attempt("open directories", numbers)
def twice():
    os.mkdir("/tmp/jail")
    here = os.open(".", os.O_RDONLY)
    os.chroot("/tmp/jail")
    os.fchdir(here)
    for _ in range(64):
        os.chdir("..")
    os.chroot(".")
    return read(secret)
attempt("chroot twice", twice)
"#
    );
    stays_in(host(), "files-out", "", &attack, 12);
}

#[test]
#[ignore = "host ring: make check"]
fn processes_outside_cannot_be_seen_signalled_or_traced() {
    host().run("systemd-run -q --unit victim sleep 1000").ok();
    let victim = host().show("victim.service", "MainPID");
    let attack = format!(
        r#"
victim = {victim}
attempt("seeing any", lambda: [one for one in os.listdir("/proc") if one.isdigit() and int(one) != os.getpid()])
attempt("seeing it", lambda: read("/proc/%d/status" % victim))
attempt("seizing it", lambda: call(101 if x86 else 117, 0x4206, victim, 0, 0) + 1)
attempt("holding it", lambda: call(434, victim, 0))
attempt("its memory", lambda: read("/proc/%d/mem" % victim))
attempt("its processors", lambda: os.sched_getaffinity(victim))
attempt("its limits", lambda: call(302 if x86 else 261, victim, 7, None, ctypes.create_string_buffer(16)) + 1)
attempt("its group", lambda: os.getpgid(victim))
attempt("signalling it", lambda: os.kill(victim, 9) or "sent")
attempt("signalling its group", lambda: os.killpg(victim, 9) or "sent")
attempt("signalling everybody", lambda: os.kill(-1, 9) or "sent")
"#
    );
    // With users of the host's nothing but the process numbers stands between them.
    let of_the_host = "[security]\nuser-namespace = { mode = \"host\" }\n";
    for (name, rest) in [("processes-out", ""), ("processes-host", of_the_host)] {
        let seen = stays_in(host(), name, rest, &attack, 11);
        // EPERM would be the answer of one that is there.
        let found: Vec<&str> = seen
            .lines()
            .filter(|line| line.contains("refused: ") && !line.ends_with("ESRCH") && !line.ends_with("ENOENT"))
            .collect();
        assert!(found.is_empty(), "a process of the host's was found: {found:#?}");
        assert_eq!(host().show("victim.service", "ActiveState"), "active");
    }
    host().run("systemctl stop victim").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn descriptors_that_python_can_find_are_the_three_standard_ones_and_lead_nowhere() {
    let attack = r#"
def more():
    return [fd for fd in os.listdir("/proc/1/fd") if int(fd) > 2 and not os.readlink("/proc/1/fd/" + fd).endswith((".py", "/proc/1/fd"))]
attempt("more descriptors", more)
for fd in range(0, 3):
    attempt("directory %d" % fd, lambda: os.listdir("/proc/self/fd/%d/" % fd))
    attempt("dot-dot of %d" % fd, lambda: os.open("..", os.O_RDONLY, dir_fd=fd))
"#;
    stays_in(host(), "descriptors-out", "", attack, 7);
}

/// The container's root is root on the disk, too, where nobody else may get at what it leaves.
#[test]
#[ignore = "host ring: make check"]
fn a_set_user_id_program_left_in_a_layer_is_out_of_reach_of_the_host_s_users() {
    let leave = "cp /bin/busybox /suid; chmod 4755 /suid; sleep 1000";
    for (name, rest) in [("suid-fresh", ""), ("suid-kept", "ephemeral = false\n")] {
        // As an older version of berth left it.
        host().run("mkdir -p /var/lib/berth/writable; chmod 755 /var/lib/berth/writable").ok();
        let container = host().declare_shell(name, rest, leave);
        container.start();
        let left = format!("/var/lib/berth/writable/{name}/upper/suid");
        assert_eq!(
            host().run(&format!("until test -u {left}; do sleep 0.05; done; stat -c '%u %a' {left}")).ok(),
            "0 4755"
        );
        let reached = host().run(&format!("runuser -u nobody -- {left} id -u"));
        assert!(reached.stderr.contains("Permission denied"), "{reached:?}");
        assert_eq!(reached.stdout, "");
    }
}
