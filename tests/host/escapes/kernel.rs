//! What berth itself opens inside by a name that others may have changed: the console, settings below /proc.

use crate::ring::{BUSYBOX, Host, host, toml};

/// Runs a command with a terminal as its standard streams, and returns what it wrote and its exit status.
fn on_terminal(host: &Host, command: &str) -> String {
    host.run(&format!("timeout 20 script --quiet --return --command '{command}' /dev/null; echo exit $?"))
        .ok()
        .replace('\r', "")
        .replace("^@", "")
}

#[test]
#[ignore = "host ring: make check"]
fn the_console_is_the_terminal_whatever_the_image_has_there() {
    for change in [
        "ln -s /proc/sysrq-trigger dev/console",
        "ln -s /root/secret-of-the-host dev/console",
        "mkfifo dev/console",
        "mkdir dev/console",
        "echo text >dev/console",
    ] {
        let root = "/srv/trees/console";
        host().run(&format!("rm -rf {root}; mkdir -p /srv/trees; cp -a {BUSYBOX} {root}; cd {root}; {change}")).ok();
        let asked = "tty; grep -c \" - devpts \" /proc/self/mountinfo; grep -c \" /dev/console \" /proc/self/mountinfo";
        let asked = asked.replace('"', "\\\"");
        let seen = on_terminal(host(), &format!("berthctl run -t -i --rootfs {root} -- sh -c \"{asked}\""));
        // Two, of which one is /dev/pts: nothing of it went where the image pointed.
        assert_eq!(seen, "/dev/console\n2\n1\nexit 0", "{change}");
    }
}

#[test]
#[ignore = "host ring: make check"]
fn a_mount_that_hides_the_console_does_not_give_another() {
    // CVE-2025-52565: what is opened at /dev/console would become the payload's terminal.
    let dev = "/srv/data/false-console";
    let another = "/dev/console of the container is not the terminal it was given";
    for (there, said) in [
        ("mkfifo", another),
        ("touch", another),
        ("ln -s /etc/passwd", another),
        ("ln -s null", another),
        ("ln -s /proc/self/fd/0", "openat2(/dev/console)"),
        ("mkdir", "openat2(/dev/console)"),
    ] {
        host().run(&format!("rm -rf {dev}; mkdir -p {dev}; mknod -m 666 {dev}/null c 1 3; {there} {dev}/console")).ok();
        let seen = on_terminal(host(), &format!("berthctl run -t -i -v {dev}:/dev --rootfs {BUSYBOX} -- tty"));
        assert!(seen.contains(said), "another console was taken: {there}: {seen}");
        assert!(seen.ends_with("exit 125"), "{there}: {seen}");
    }
}

#[test]
#[ignore = "host ring: make check"]
fn a_setting_is_not_written_through_what_is_mounted_over_it() {
    // CVE-2025-52881. The host's own /proc is the one place where something can be mounted over a setting.
    let host = Host::boot("covered");
    host.run(
        "mkdir -p /srv/data/fake/ipv4; echo 0 >/srv/data/fake/ipv4/ip_forward; chmod 666 /srv/data/fake/ipv4/ip_forward; mount --bind /srv/data/fake /proc/sys/net",
    )
    .ok();
    // Without a bridge, for which the host itself is to forward.
    let rest = "[namespaces]\npid = \"host\"\n[network]\nmode = \"private\"\n[sysctls]\n\"net.ipv4.ip_forward\" = 1\n";
    let container = host.declare("covered", &toml(BUSYBOX, rest, "echo ran"));
    let seen = container.start_and_read();
    assert_eq!(host.run("cat /srv/data/fake/ipv4/ip_forward").ok(), "0", "the setting went to another file");
    assert_eq!(seen, "");
    let said = container.show("StatusText");
    assert!(said.contains("write “1” to /proc/sys/net/ipv4/ip_forward: Cross-device link"), "{said}");
}

#[test]
#[ignore = "host ring: make check"]
fn a_mount_over_proc_is_refused_before_anything_is_made() {
    let rest = "[[mount]]\nsource = \"/srv/data\"\ntarget = \"/proc/self/attr\"\n";
    let container = host().declare("over-proc", &toml(BUSYBOX, rest, "echo ran"));
    assert_eq!(container.start_and_read(), "");
    assert_eq!(container.show("ExecMainStatus"), "78");
    let said = container.show("StatusText");
    assert!(said.contains("target: “/proc/self/attr” is the kernel's"), "{said}");
}
