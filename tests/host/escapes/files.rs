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
    let attack = r#"
attempt("seeing", lambda: [one for one in os.listdir("/proc") if one.isdigit() and int(one) not in (1, os.getpid())])
attempt("signalling everybody", lambda: os.kill(-1, 0) or "sent")
attempt("tracing PID 1", lambda: call(101 if x86 else 117, 16, os.getppid(), 0, 0) if os.getppid() else None)
attempt("a parent", lambda: os.getppid())
attempt("its memory", lambda: os.getppid() and read("/proc/%d/mem" % os.getppid()))
"#;
    let rest = "[security]\n";
    let container = super::hostile(host(), "processes-out", crate::ring::DEBIAN, rest, attack);
    let seen = container.start_and_read();
    // getppid() is 0 for PID 1: its parent is in no namespace it sees.
    assert!(seen.contains("out by a parent 0"), "{seen}");
    let others: Vec<&str> =
        seen.lines().filter(|line| line.starts_with("out ") && !line.contains("a parent 0")).collect();
    assert!(others.iter().all(|line| line.contains("its memory 0") || line.contains("signalling")), "{others:#?}");
    assert!(seen.contains("nothing by seeing"), "{seen}");
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
