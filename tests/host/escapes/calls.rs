//! System calls, kernel interfaces and devices that reach past a container.

use berth::config::capability;

use super::stays_in;
use crate::ring::{BUSYBOX, DEBIAN, eventually, host, toml};

#[test]
#[ignore = "host ring: make check"]
fn calls_that_change_mounts_namespaces_and_the_kernel_are_refused() {
    let attack = r#"
n = lambda x, arm: x if x86 else arm
null = None
attempt("mount", lambda: call(n(165, 40), b"none", b"/mnt", b"tmpfs", 0, null))
attempt("remount", lambda: call(n(165, 40), b"none", b"/proc/sys", b"", 0x1020, null))
attempt("umount", lambda: call(n(166, 39), b"/proc/kallsyms", 2))
attempt("pivot_root", lambda: call(n(155, 41), b"/", b"/mnt"))
attempt("fsopen", lambda: call(430, b"proc", 0))
attempt("open_tree", lambda: call(428, -100, b"/", 1))
attempt("move_mount", lambda: call(429, -100, b"/mnt", -100, b"/srv", 0))
attempt("mount_setattr", lambda: call(442, -100, b"/proc/sys", 0, b"\0" * 32, 32))
attempt("unshare user", lambda: call(n(272, 97), 0x10000000))
attempt("unshare mount", lambda: call(n(272, 97), 0x20000))
attempt("unshare time", lambda: call(n(272, 97), 0x80))
attempt("clone user", lambda: call(n(56, 220), 0x10000000 | 17, 0, 0, 0, 0) or os._exit(0))
attempt("clone3", lambda: call(435, b"\0" * 88, 88))
attempt("setns", lambda: call(n(308, 268), os.open("/proc/self/ns/mnt", os.O_RDONLY), 0))
attempt("bpf", lambda: call(n(321, 280), 0, b"\1\0\0\0\4\0\0\0\4\0\0\0\1\0\0\0" + b"\0" * 112, 128))
attempt("perf_event_open", lambda: call(n(298, 241), b"\1\0\0\0\x80\0\0\0" + b"\0" * 120, 0, -1, -1, 0))
attempt("keyctl", lambda: call(n(250, 219), 0, -3, 1))
attempt("add_key", lambda: call(n(248, 217), b"user", b"berth", b"x", 1, -3))
attempt("request_key", lambda: call(n(249, 218), b"user", b"berth", null, 0))
attempt("userfaultfd", lambda: call(n(323, 282), 0))
attempt("io_uring_setup", lambda: call(425, 8, ctypes.create_string_buffer(120)))
attempt("kexec_load", lambda: call(n(246, 104), 0, 0, null, 0))
attempt("init_module", lambda: call(n(175, 105), b"x", 1, b""))
attempt("finit_module", lambda: call(n(313, 273), 0, b"", 0))
attempt("delete_module", lambda: call(n(176, 106), b"overlay", 0))
attempt("reboot", lambda: call(n(169, 142), 0xfee1dead, 672274793, 0x89abcdef, null))
attempt("swapon", lambda: call(n(167, 224), b"/etc/passwd", 0))
attempt("acct", lambda: call(n(163, 89), b"/tmp/acct"))
attempt("settimeofday", lambda: call(n(164, 170), b"\0" * 16, null))
attempt("clock_settime", lambda: call(n(227, 112), 0, b"\0" * 16))
attempt("sethostname", lambda: call(n(170, 161), b"evil", 4))
attempt("syslog", lambda: call(n(103, 116), 3, ctypes.create_string_buffer(4096), 4096))
attempt("open_by_handle_at", lambda: call(n(304, 265), -100, struct.pack("Ii", 8, 1) + b"\2" + b"\0" * 7, 0))
attempt("quotactl", lambda: call(n(179, 60), 0x80000700, b"/dev/vda", 0, ctypes.create_string_buffer(64)))
attempt("kcmp", lambda: call(n(312, 272), 1, 1, 0, 0, 0))
attempt("process_madvise", lambda: call(440, 0, null, 0, 0, 0))
attempt("move_pages", lambda: call(n(279, 239), 0, 0, null, null, null, 0))
attempt("personality", lambda: call(n(135, 92), 0x0040000))
attempt("iopl", lambda: call(172, 3) if x86 else call(9999))
attempt("a call of tomorrow", lambda: call(600))
"#;
    let seen = stays_in(host(), "calls-out", "", attack, 40);
    // The C library takes it for an old kernel, and falls back.
    assert!(seen.contains("a call of tomorrow refused: ENOSYS"), "{seen}");
    assert!(seen.contains("clone3 refused: ENOSYS"), "{seen}");
}

#[test]
#[ignore = "host ring: make check"]
fn socket_families_that_reach_past_the_network_namespace_are_refused() {
    let attack = r#"
for name, family, kind, protocol in [
    ("AF_ALG", 38, 5, 0), ("AF_VSOCK", 40, 1, 0), ("AF_VSOCK with a stray upper half", 40 | 1 << 32, 1, 0),
    ("raw IP", 2, 3, 1), ("packets", 17, 3, 0x0300), ("audit", 16, 3, 9),
]:
    def open_it():
        made = call(41 if x86 else 198, family, kind, protocol)
        # Anybody may make an audit socket; it takes a privilege to be heard.
        if name == "audit":
            with socket.socket(fileno=made) as audit:
                audit.send(struct.pack("IHHII", 16, 1000, 5, 1, 0))
                answer = audit.recv(4096)
                status = struct.unpack_from("i", answer, 16)[0]
                if status < 0:
                    raise OSError(-status, "audit")
        return made
    attempt(name, open_it)
"#;
    stays_in(host(), "families-out", "", attack, 6);
}

#[test]
#[ignore = "host ring: make check"]
fn the_host_s_abstract_sockets_are_in_another_network() {
    let listen = "import socket, time\ns = socket.socket(socket.AF_UNIX)\ns.bind(b'\\0berth-test')\ns.listen()\ntime.sleep(1000)";
    host().write("/srv/data/listen.py", listen);
    host().run("systemd-run -q --unit abstract-listener python3 /srv/data/listen.py").ok();
    eventually(|| {
        match host().run("grep -q @berth-test /proc/net/unix").code {
            Some(0) => Ok(()),
            _ => Err("nobody listens"),
        }
        .map_err(str::to_owned)
    });
    let attack = r#"
def connect():
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(b"\0berth-test")
    return "connected"
attempt("abstract socket", connect)
attempt("systemd's private socket", lambda: socket.socket(socket.AF_UNIX).connect("/run/systemd/private") or "connected")
"#;
    stays_in(host(), "abstract-out", "", attack, 2);
    host().run("systemctl stop abstract-listener").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn devices_beyond_the_standard_ones_cannot_be_made_or_opened() {
    let attack = r#"
import stat
for name, kind, numbers in [("disk", stat.S_IFBLK, (254, 0)), ("disk of another kind", stat.S_IFBLK, (8, 0)),
        ("memory", stat.S_IFCHR, (1, 1)), ("kmsg", stat.S_IFCHR, (1, 11)), ("fuse", stat.S_IFCHR, (10, 229)), ("tun", stat.S_IFCHR, (10, 200))]:
    def make():
        path = "/tmp/" + name.replace(" ", "-")
        os.mknod(path, kind | 0o600, os.makedev(*numbers))
        return os.open(path, os.O_RDONLY)
    attempt(name, make)
attempt("/dev/kmsg", lambda: read("/dev/kmsg"))
attempt("/dev/mem", lambda: read("/dev/mem"))
attempt("loop", lambda: os.open("/dev/loop-control", os.O_RDWR))
def others():
    known = "console core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"
    return [name for name in os.listdir("/dev") if name not in known.split()]
attempt("more in /dev", others)
"#;
    stays_in(host(), "devices-out", "", attack, 10);
}

#[test]
#[ignore = "host ring: make check"]
fn a_terminal_cannot_be_typed_into() {
    let attack = r#"
controller, terminal = os.openpty()
attempt("TIOCSTI", lambda: fcntl.ioctl(terminal, 0x5412, b"x") and 1)
attempt("TIOCLINUX", lambda: fcntl.ioctl(terminal, 0x541c, b"\2") and 1)
attempt("TIOCSTI with a stray upper half", lambda: call(16 if x86 else 29, terminal, 0x5412 | 1 << 32, b"x") + 1)
"#;
    let seen = stays_in(host(), "typing-out", "", attack, 3);
    // A terminal that is not a virtual console answers ENOTTY; this is the filter's answer.
    assert!(seen.contains("TIOCLINUX refused: EPERM"), "no filter: {seen}");
}

#[test]
#[ignore = "host ring: make check"]
fn a_set_user_id_program_gives_its_caller_nothing() {
    // The file is on a volume, where the image's own mount options do not count.
    host().run("mkdir -p /srv/data/setuid; cp /usr/bin/id /srv/data/setuid/id; chmod 6755 /srv/data/setuid/id").ok();
    let rest = "user = \"www-data\"\n[[mount]]\nsource = \"/srv/data/setuid\"\ntarget = \"/setuid\"\n";
    let script =
        "id -u; /setuid/id -u; /setuid/id -g; grep NoNewPrivs /proc/self/status; su -c id 2>/dev/null || echo refused";
    let container = host().declare("setuid", &toml(DEBIAN, rest, script));
    assert_eq!(container.start_and_read(), "33\n33\n33\nNoNewPrivs:\t1\nrefused");
}

#[test]
#[ignore = "host ring: make check"]
fn the_filter_comes_last_so_it_may_refuse_what_the_set_up_needs() {
    let refused =
        ["capset", "setgroups", "setresgid", "setresuid", "prctl", "setsid", "keyctl", "close_range", "fchdir"];
    let profile = format!(
        r#"{{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{{ "names": {refused:?}, "action": "SCMP_ACT_ERRNO", "errnoRet": 1 }}] }}"#
    );
    host().write("/srv/data/strict.json", &profile);
    let rest = "user = \"www\"\n[security]\nseccomp = \"/srv/data/strict.json\"\n";
    let asked = "id -u; grep -E '^(CapPrm|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | cut -f 2";
    let container = host().declare("strict", &toml(BUSYBOX, rest, &format!("{asked}; sleep 1000")));
    container.start();
    let bounding = capability::DEFAULT_APPLICATION;
    let expected = format!("33\n{:016x}\n{bounding:016x}\n1\n2", 0);
    let seen = eventually(|| match container.journal() {
        seen if seen.lines().count() >= 5 => Ok(seen),
        seen => Err(format!("the filter came too early: {seen}{}", container.show("StatusText"))),
    });
    assert_eq!(seen, expected);
    assert_eq!(host().run(&format!("berthctl exec strict -- sh -c \"{asked}\"")).ok(), expected);
}
