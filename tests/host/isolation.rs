//! What a container's processes can see and do, asked from inside.

use berth::config::capability;

use crate::ring::{BUSYBOX, DEBIAN, host, toml};

/// What of the host a container does not get to read.
const MASKED: [&str; 9] = [
    "/proc/kcore",
    "/proc/keys",
    "/proc/kallsyms",
    "/proc/interrupts",
    "/proc/timer_list",
    "/proc/sysrq-trigger",
    "/proc/scsi",
    "/proc/acpi",
    "/sys/firmware",
];

#[test]
#[ignore = "host ring: make check"]
fn it_has_its_own_namespace_of_every_kind() {
    let container = host().declare_shell("spaces", "", "sleep 1000");
    container.start();
    for kind in ["pid", "mnt", "uts", "ipc", "net", "user", "cgroup"] {
        let both = container.with_payload(&format!("readlink /proc/1/ns/{kind} /proc/$pid/ns/{kind}"));
        let (ours, theirs) = both.split_once('\n').unwrap();
        assert_ne!(ours, theirs, "{kind}");
    }
}

#[test]
#[ignore = "host ring: make check"]
fn it_is_pid_1_sees_only_itself_and_has_its_own_name() {
    let script = "echo $$; for entry in /proc/[0-9]*; do echo ${entry#/proc/}; done; hostname; cat /etc/hostname";
    let container = host().declare_shell("alone", "", script);
    assert_eq!(container.start_and_read(), "1\n1\nalone\nalone");
}

#[test]
#[ignore = "host ring: make check"]
fn it_does_not_see_the_host_s_shared_memory_and_mounts() {
    host().run("python3 -c 'import ctypes; print(ctypes.CDLL(None).shmget(0x62657274, 4096, 0o1600))'").ok();
    let container = host().declare_shell(
        "apart",
        "",
        "tail -n +2 /proc/sysvipc/shm | wc -l; grep -c berth-bed /proc/mounts; [ -e /srv/debian ] || echo absent",
    );
    assert_eq!(container.start_and_read(), "0\n0\nabsent");
    assert!(host().run("tail -n +2 /proc/sysvipc/shm").ok().contains(&0x6265_7274.to_string()));
}

#[test]
#[ignore = "host ring: make check"]
fn two_containers_have_disjoint_ranges_of_users() {
    let one = host().declare_shell("range-one", "", "sleep 1000");
    let two = host().declare_shell("range-two", "", "sleep 1000");
    let [one, two] = [&one, &two].map(|container| {
        container.start();
        let map = container.with_payload("cat /proc/$pid/uid_map /proc/$pid/gid_map");
        let lines: Vec<Vec<u64>> =
            map.lines().map(|line| line.split_whitespace().map(|word| word.parse().unwrap()).collect()).collect();
        assert_eq!(lines.len(), 2, "{map}");
        assert_eq!(lines[0], lines[1], "users and groups are mapped alike");
        assert_eq!((lines[0][0], lines[0][2]), (0, 65536), "{map}");
        assert!((524_288..1_879_048_192).contains(&lines[0][1]), "{map}");
        lines[0][1]
    });
    assert!(one.abs_diff(two) >= 65536, "{one} and {two} overlap");
}

#[test]
#[ignore = "host ring: make check"]
fn it_has_the_documented_capabilities_and_no_other() {
    let container = host().declare_shell("caps", "", "grep ^Cap /proc/self/status");
    let expected = format!("{:016x}", capability::DEFAULT_APPLICATION);
    let none = format!("{:016x}", 0);
    let wanted =
        format!("CapInh:\t{none}\nCapPrm:\t{expected}\nCapEff:\t{expected}\nCapBnd:\t{expected}\nCapAmb:\t{none}");
    assert_eq!(container.start_and_read(), wanted);
}

#[test]
#[ignore = "host ring: make check"]
fn capabilities_are_added_and_dropped_by_name() {
    let rest = "[security.capabilities]\nadd = [\"CAP_SYS_TIME\"]\ndrop = [\"CAP_CHOWN\"]\n";
    let container = host().declare_shell("caps-changed", rest, "grep ^CapBnd /proc/self/status");
    let time = 1 << capability::number("CAP_SYS_TIME").unwrap();
    let chown = 1 << capability::number("CAP_CHOWN").unwrap();
    let expected = format!("CapBnd:\t{:016x}", (capability::DEFAULT_APPLICATION | time) & !chown);
    assert_eq!(container.start_and_read(), expected);
}

#[test]
#[ignore = "host ring: make check"]
fn a_user_of_the_container_s_own_passwd_has_no_capability() {
    let script = "id -u; id -g; id -G; grep -E '^Cap(Prm|Eff|Amb)' /proc/self/status; cat /proc/self/uid_map >/dev/null && echo $HOME";
    let container = host().declare_shell("www", "user = \"www\"\ngroups = [\"adm\"]\n", script);
    let none = format!("{:016x}", 0);
    let seen = container.start_and_read();
    assert_eq!(seen, format!("33\n33\n33 4\nCapPrm:\t{none}\nCapEff:\t{none}\nCapAmb:\t{none}\n/var"));
}

#[test]
#[ignore = "host ring: make check"]
fn no_new_privileges_and_seccomp_are_on() {
    let container = host().declare_shell("locked", "", "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status");
    assert_eq!(container.start_and_read(), "NoNewPrivs:\t1\nSeccomp:\t2");
}

#[test]
#[ignore = "host ring: make check"]
fn masked_paths_give_nothing() {
    let script = format!(
        "for path in {}; do
            [ -e $path ] || continue
            if [ -d $path ]; then ls -A $path; else head -c 8 $path 2>/dev/null | wc -c | grep -vx 0; fi
        done; echo asked; ls /proc/keys",
        MASKED.join(" ")
    );
    let container = host().declare_shell("masked", "", &script);
    assert_eq!(container.start_and_read(), "asked\n/proc/keys");
}

#[test]
#[ignore = "host ring: make check"]
fn a_path_is_unmasked_by_name() {
    let rest = "[security]\nunmasked-paths = [\"/proc/interrupts\"]\n";
    let container = host().declare_shell("unmasked", rest, "head -c 4 /proc/interrupts | wc -c");
    assert_eq!(container.start_and_read(), "4");
}

#[test]
#[ignore = "host ring: make check"]
fn the_kernel_s_settings_are_read_only() {
    let script = "cat /proc/sys/kernel/ostype
for path in kernel/hostname kernel/domainname net/ipv4/ip_forward vm/drop_caches; do
    (echo 1 >/proc/sys/$path) 2>&1 | grep -o 'Read-only file system'
done
(echo 1 >/sys/kernel/uevent_seqnum) 2>/dev/null || echo refused";
    let container = host().declare_shell("sysctl", "", script);
    let read_only = "Read-only file system\n".repeat(4);
    assert_eq!(container.start_and_read(), format!("Linux\n{read_only}refused"));
}

#[test]
#[ignore = "host ring: make check"]
fn no_descriptor_but_the_three_standard_ones_is_inherited() {
    let container = host().declare_shell("descriptors", "", "ls /proc/1/fd; true");
    assert_eq!(container.start_and_read(), "0\n1\n2");
}

#[test]
#[ignore = "host ring: make check"]
fn sockets_of_systemd_are_passed_on() {
    let script = "echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES; ls /proc/1/fd; true";
    let container = host().declare_shell("sockets", "", script);
    let unit =
        "[Socket]\nListenStream=/run/sockets.test\nFileDescriptorName=front\nService=container@sockets.service\n";
    host().write("/run/systemd/system/berth-sockets.socket", unit);
    host().run("systemctl daemon-reload; systemctl start berth-sockets.socket").ok();
    assert_eq!(container.start_and_read(), "1 1 front\n0\n1\n2\n3");
    host().run("systemctl stop berth-sockets.socket; rm /run/systemd/system/berth-sockets.socket").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn mount_unshare_keyctl_and_bpf_are_refused() {
    let script = r#"exec python3 -c '
import ctypes, errno, platform
libc = ctypes.CDLL(None, use_errno=True)
keyctl, bpf = {"x86_64": (250, 321), "aarch64": (219, 280)}[platform.machine()]
attributes = ctypes.create_string_buffer((1).to_bytes(4, "little") + (4).to_bytes(4, "little") * 2 + (1).to_bytes(4, "little"), 128)
def ask(name, result):
    print(name, "done" if result >= 0 else errno.errorcode[ctypes.get_errno()])
ask("mount", libc.mount(b"none", b"/mnt", b"tmpfs", 0, None))
ask("unshare", libc.unshare(0x20000))
ask("unshare-user", libc.unshare(0x10000000))
ask("keyctl", libc.syscall(keyctl, 0, -3, 0))
ask("bpf", libc.syscall(bpf, 0, attributes, 128))
'"#;
    let container = host().declare("calls", &toml(DEBIAN, "", script));
    let seen = container.start_and_read();
    let names: Vec<_> = seen.lines().filter_map(|line| line.split_once(' ')).collect();
    assert_eq!(names.len(), 5, "{seen}");
    for (name, result) in names {
        assert!(["EPERM", "ENOSYS"].contains(&result), "{name}: {result}");
    }
}

#[test]
#[ignore = "host ring: make check"]
fn the_same_calls_work_where_the_toml_opens_them() {
    let rest = "[security]\nprivileged = true\n";
    let container = host().declare_shell("open", rest, "mkdir -p /mnt; mount -t tmpfs none /mnt && echo mounted");
    assert_eq!(container.start_and_read(), "mounted");
}

#[test]
#[ignore = "host ring: make check"]
fn credentials_are_readable_by_the_container_s_root_and_nobody_else() {
    let script = "cat $CREDENTIALS_DIRECTORY/token; echo; ls -ln $CREDENTIALS_DIRECTORY/token | cut -c1-10; su www -c 'cat $CREDENTIALS_DIRECTORY/token' 2>/dev/null || echo refused";
    let rest = "[service]\nSetCredential = [\"token:very secret\"]\n";
    let container = host().declare_shell("credentials", rest, script);
    host().run("systemctl daemon-reload").ok();
    let seen = container.start_and_read();
    let lines: Vec<_> = seen.lines().collect();
    assert_eq!((lines[0], lines.last()), ("very secret", Some(&"refused")), "{seen}");
}

#[test]
#[ignore = "host ring: make check"]
fn files_it_writes_on_a_bind_mount_belong_to_the_host_s_root() {
    host().run("mkdir -p /srv/data/owned").ok();
    let rest = "[[mount]]\nsource = \"/srv/data/owned\"\ntarget = \"/data\"\n";
    let container = host().declare_shell("owned", rest, "touch /data/new; stat -c %u /data/new");
    assert_eq!(container.start_and_read(), "0");
    assert_eq!(host().run("stat -c %u:%g /srv/data/owned/new").ok(), "0:0");
}

#[test]
#[ignore = "host ring: make check"]
fn read_only_mounts_and_a_read_only_root_refuse_writes() {
    host().run("mkdir -p /srv/data/fixed").ok();
    let rest = "read-only = true\n[[mount]]\nsource = \"/srv/data/fixed\"\ntarget = \"/data\"\nread-only = true\n\
        [[mount]]\ntype = \"tmpfs\"\ntarget = \"/scratch\"\nsize = \"1M\"\n[[mount]]\ntype = \"inaccessible\"\ntarget = \"/etc\"\n";
    let script = "for path in / /data /scratch /bin; do touch $path/new 2>/dev/null && echo $path; done; ls /etc 2>&1 | wc -c; exit 0";
    host().run(&format!("mkdir -p {BUSYBOX}/data {BUSYBOX}/scratch")).ok();
    let container = host().declare_shell("fixed", rest, script);
    let seen = container.start_and_read();
    assert_eq!(seen.lines().next(), Some("/scratch"), "{seen}");
    assert!(!seen.contains("passwd"), "{seen}");
}

#[test]
#[ignore = "host ring: make check"]
fn limits_sysctls_and_umask_are_as_the_toml_says() {
    let rest = "umask = \"0027\"\n[sysctls]\n\"net.ipv4.ip_forward\" = 1\n[rlimits]\nnofile = \"100:200\"\n";
    let script = "umask; cat /proc/sys/net/ipv4/ip_forward; ulimit -Sn; ulimit -Hn";
    let container = host().declare_shell("limits", rest, script);
    assert_eq!(container.start_and_read(), "0027\n1\n100\n200");
}

#[test]
#[ignore = "host ring: make check"]
fn a_private_network_has_loopback_alone_and_it_is_up() {
    let script = "ls /sys/class/net; httpd -p 127.0.0.1:8080 -h /etc; wget -qO- http://127.0.0.1:8080/hostname";
    let container = host().declare_shell("loopback", "[network]\nmode = \"private\"\n", script);
    assert_eq!(container.start_and_read(), "lo\nloopback");
}

#[test]
#[ignore = "host ring: make check"]
fn berth_init_reaps_and_forwards() {
    let script = "echo $$; trap 'echo caught; exit 0' TERM; (sleep 0.1 &) ; sleep 1; ls -d /proc/[0-9]* | wc -l; echo ready; while :; do sleep 1000 & wait; done";
    let container = host().declare_shell("reaper", "init = true\n", script);
    container.start();
    crate::ring::eventually(|| {
        let seen = container.journal();
        if seen.contains("ready") { Ok(()) } else { Err(seen) }
    });
    container.stop();
    let seen = container.journal();
    let lines: Vec<_> = seen.lines().collect();
    assert_eq!((lines[0], lines.last()), ("2", Some(&"caught")), "{seen}");
    assert_eq!(container.show("Result"), "success");
}
