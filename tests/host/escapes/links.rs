//! Images that lie about where their directories are.

use super::SECRET;
use crate::ring::{BUSYBOX, Declared, Host, host, toml};

/// A copy of the busybox tree, changed by a script that runs in it.
fn tree<'a>(host: &'a Host, name: &str, change: &str, rest: &str, script: &str) -> Declared<'a> {
    let root = format!("/srv/trees/{name}");
    host.run(&format!(
        "echo secret of the host >{SECRET}; rm -rf {root}; mkdir -p /srv/trees; cp -a {BUSYBOX} {root}; cd {root}; {change}"
    ))
    .ok();
    host.declare(name, &toml(&root, rest, script))
}

/// Everything on the host that a start might write to by following a link.
fn marks(host: &Host) -> String {
    host.run("find /etc /root/ -mindepth 1 ! -path /root/secret-of-the-host -newer /srv/marked 2>/dev/null | grep -v '^/etc/berth\\|^/etc/systemd'; find /srv/data /usr/lib/berth /tmp -newer /srv/marked 2>/dev/null | grep -v '^/etc/berth\\|^/etc/systemd'; awk '{ print $5 }' /proc/1/mountinfo | sort")
        .stdout
}

#[test]
#[ignore = "host ring: make check"]
fn a_linked_proc_sys_or_dev_is_refused_by_name() {
    for directory in ["proc", "sys", "dev"] {
        for target in ["/", "/etc", "../../../../../etc", "/proc/self", "nowhere"] {
            let change = format!("rmdir {directory}; ln -s {target} {directory}");
            let container = tree(host(), "linked-kernel", &change, "", "echo ran");
            assert_eq!(container.start_and_read(), "", "/{directory} -> {target}");
            assert_eq!(container.show("Result"), "exit-code");
            let said = container.show("StatusText");
            assert!(said.contains(&format!("/{directory} of the image is a symbolic link")), "{said}");
        }
    }
}

#[test]
#[ignore = "host ring: make check"]
fn linked_targets_of_mounts_and_files_end_inside() {
    // Of its own: what others write on a shared one would be taken for this one's.
    let host = Host::boot("links");
    host.run("mkdir -p /srv/data/inner; echo inner >/srv/data/inner/file; mkdir -p /srv/data/untouched; sleep 0.02; touch /srv/marked; sleep 0.02").ok();
    let before = marks(&host);
    let change = "mkdir -p real; rm -rf etc; ln -s ../../../../../../etc/ away; mkdir etc; cp /srv/busybox/etc/* etc/
        ln -s /../../srv/data/untouched data; ln -s /root/hosts-of-the-host etc/hosts
        ln -s ../../../../../../root/hostname-of-the-host etc/hostname; ln -s /root/zone etc/localtime; ln -s /tmp/scratch-of-the-host scratch";
    let rest = "timezone = \"Etc/UTC\"\n[[mount]]\nsource = \"/srv/data/inner\"\ntarget = \"/data\"\n\
        [[mount]]\ntype = \"tmpfs\"\ntarget = \"/scratch/deep\"\n[[mount]]\nsource = \"/srv/data/inner\"\ntarget = \"/away/berth-data\"\n";
    let script = "cat /data/file /away/berth-data/file; hostname; cat /etc/hosts | head -n 1; grep -c ' /tmp/scratch-of-the-host/deep ' /proc/mounts";
    let container = tree(&host, "linked-targets", change, rest, script);
    let seen = container.start_and_read();
    assert_eq!(marks(&host), before, "the host was changed; {seen}");
    assert!(seen.starts_with("inner\n"), "a mount went elsewhere: {seen} {}", container.show("StatusText"));
    assert!(seen.ends_with("127.0.0.1 localhost\n1"), "a file went elsewhere: {seen}");
}

#[test]
#[ignore = "host ring: make check"]
fn a_link_of_the_image_does_not_put_a_mount_into_proc() {
    // A setting or a label written there would go to a file of the container's choosing (CVE-2025-52881).
    host().run("mkdir -p /srv/data/fake/ipv4; echo 0 >/srv/data/fake/ipv4/ip_forward").ok();
    let mount = "[[mount]]\nsource = \"/srv/data/fake\"\ntarget = \"/data\"\n[sysctls]\n\"net.ipv4.ip_forward\" = 1\n";
    for (change, rest) in [
        ("ln -s /proc/sys/net data", mount),
        ("ln -s /proc/self/attr data", mount),
        ("ln -s /proc/self/status etc/hosts", ""),
        ("rm -r etc; ln -s /proc/1 etc", ""),
        ("ln -s /sys/kernel data", mount),
    ] {
        let container = tree(host(), "linked-proc", change, rest, "echo ran");
        assert_eq!(container.start_and_read(), "", "{change}");
        assert_eq!(container.show("Result"), "exit-code", "{change}");
        let said = container.show("StatusText");
        assert!(said.contains("leads into") || change.ends_with("etc"), "{change}: {said}");
    }
    assert_eq!(host().run("cat /srv/data/fake/ipv4/ip_forward").ok(), "0");
}

#[test]
#[ignore = "host ring: make check"]
fn the_null_device_behind_masks_is_the_null_device() {
    host().run("echo open >/srv/data/not-null").ok();
    let rest = "[[mount]]\nsource = \"/srv/data/not-null\"\ntarget = \"/link\"\n";
    let container = tree(host(), "false-null", "ln -s /dev/null link", rest, "cat /proc/kallsyms");
    assert_eq!(container.start_and_read(), "");
    let said = container.show("StatusText");
    assert!(said.contains("/dev/null is not the null device"), "{said}");
}

#[test]
#[ignore = "host ring: make check"]
fn a_linked_directory_of_masked_paths_leaves_nothing_open() {
    // The mask follows inside the container's own /proc and /sys alone; these links are the image's below its root.
    let change = "ln -s /proc/kallsyms symbols; ln -s /proc kernel";
    let rest = "[security]\nmasked-paths = [\"/kernel/version\", \"/srv/absent\"]\n";
    let script = "wc -c </symbols; wc -c </kernel/kallsyms; wc -c </kernel/version; wc -c </proc/version";
    let container = tree(host(), "linked-mask", change, rest, script);
    assert_eq!(container.start_and_read(), "0\n0\n0\n0");
}

#[test]
#[ignore = "host ring: make check"]
fn a_working_directory_that_is_a_descriptor_of_ours_is_refused() {
    host().run(&format!("echo secret of the host >{SECRET}")).ok();
    for number in 0..24 {
        let ran = host().run(&format!(
            "berthctl run -w /proc/self/fd/{number} --rootfs {BUSYBOX} -- sh -c 'cat ../../../../..{SECRET} .{SECRET} 2>/dev/null; pwd'"
        ));
        assert!(!ran.stdout.contains("secret"), "descriptor {number}: {}", ran.stdout);
    }
    let change =
        "for number in $(seq 0 24); do ln -s /proc/self/fd/$number work$number; done; ln -s /proc/self/fd work";
    // With users of the host's, who may read what they reach.
    let rest = "[security]\nuser-namespace = { mode = \"host\" }\n";
    let container = tree(host(), "descriptor", change, rest, "sleep 1000");
    container.start();
    // Some of the caller's own among them, as runc had: CVE-2024-21626.
    let script = format!(
        "exec 7</root 8</ 9</etc
        for number in {{0..24}}; do
            for way in /proc/self/fd/$number /work$number /work/$number /proc/thread-self/fd/$number /dev/fd/$number; do
                berthctl exec -w $way descriptor -- cat ../../../../..{SECRET} .{SECRET} ./secret-of-the-host 2>/dev/null && echo out by $way
            done
        done; true"
    );
    assert_eq!(host().run(&script).ok(), "");
}

#[test]
#[ignore = "host ring: make check"]
fn a_mount_target_that_is_swapped_for_a_link_while_it_is_used_stays_inside() {
    let host = Host::boot("swapped");
    host.run(&format!("mkdir -p /srv/data/shared/sub /srv/data/inner; rm -rf /srv/data/swapped; mkdir /srv/data/swapped; echo secret of the host >{SECRET}")).ok();
    // CVE-2021-30465: one container swaps what another one is about to mount upon.
    let rest = "[[mount]]\nsource = \"/srv/data/shared\"\ntarget = \"/vol\"\n";
    let swap = "cd /vol; while :; do mv sub was 2>/dev/null; ln -s /../../../../../.. sub; rm sub; mv was sub 2>/dev/null; done";
    let swapper = host.declare_shell("swapper", rest, swap);
    swapper.start();
    let rest = "[[mount]]\nsource = \"/srv/data/shared\"\ntarget = \"/vol\"\n[[mount]]\ntype = \"tmpfs\"\ntarget = \"/vol/sub/srv\"\n";
    let script = format!("cat /vol/sub/{SECRET} /{SECRET} 2>/dev/null; [ -e /srv/attacks ] && echo out; exit 0");
    let before = host.run("awk '{ print $5 }' /proc/1/mountinfo | sort").ok();
    for _ in 0..25 {
        let victim = host.declare_shell("swapped", rest, &script);
        let seen = victim.start_and_read();
        assert_eq!(seen, "");
    }
    assert_eq!(host.run("awk '{ print $5 }' /proc/1/mountinfo | sort").ok(), before);
}

#[test]
#[ignore = "host ring: make check"]
fn a_name_is_never_a_path() {
    for name in ["../../etc", "a/b", ".", "..", "-", "a..b/../c", "A", "x y", "a@b@c"] {
        let ran = host().run(&format!(
            "/usr/lib/berth/berth-executor start -- '{name}' || /usr/lib/berth/berth-executor start '{name}'"
        ));
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.stderr);
        assert_eq!(host().run(&format!("/usr/lib/berth/berth-executor stop-post '{name}'")).code, Some(2), "{name}");
    }
}
