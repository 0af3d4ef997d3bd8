//! `berthctl bind` and `unbind`: the host's files in a container that runs.

use crate::ring::{Declared, host};

const WAITING: &str = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";

fn running<'a>(name: &str, rest: &str) -> Declared<'a> {
    let container = host().declare_shell(name, rest, WAITING);
    container.start();
    host().run(&format!("rm -rf /srv/data/{name}; mkdir -p /srv/data/{name}; echo host >/srv/data/{name}/file; chown 33:33 /srv/data/{name}/file")).ok();
    container
}

#[test]
#[ignore = "host ring: make check"]
fn a_bound_directory_is_the_host_s_own_with_the_container_s_users_until_it_is_taken_away() {
    let _container = running("bind-tree", "");
    let inside = |script: &str| host().run(&format!("berthctl exec bind-tree sh -c '{script}'"));
    let refused = host().run("berthctl bind bind-tree /srv/data/bind-tree /data/deep");
    assert!(refused.stderr.contains("/data/deep is missing in the container; --mkdir makes it"), "{refused:?}");
    refused.exits(1);
    host().run("berthctl bind --mkdir bind-tree /srv/data/bind-tree /data/deep").ok();
    assert_eq!(inside("cat /data/deep/file; stat -c %u:%g /data/deep/file /data").ok(), "host\n33:33\n0:0");
    inside("echo inside >/data/deep/new; chown 33 /data/deep/new").ok();
    assert_eq!(host().run("cat /srv/data/bind-tree/new; stat -c %u /srv/data/bind-tree/new").ok(), "inside\n33");
    let status = host().run("berthctl status -n 0 bind-tree").ok();
    assert!(status.contains("Bound: /srv/data/bind-tree on /data/deep"), "{status}");
    host().run("berthctl unbind bind-tree /data/deep").ok();
    assert_eq!(inside("ls -A /data/deep; grep -c /data/deep /proc/mounts").exits(1), "0");
    assert!(!host().run("berthctl status -n 0 bind-tree").ok().contains("Bound:"));
    assert_eq!(host().run("cat /srv/data/bind-tree/file").ok(), "host");
    let again = host().run("berthctl unbind bind-tree /data/deep");
    assert!(again.stderr.contains("nothing is at /data/deep that `berthctl bind` has put there"), "{again:?}");
    again.exits(1);
}

#[test]
#[ignore = "host ring: make check"]
fn a_read_only_binding_stays_so_and_a_file_can_be_bound() {
    let _container = running("bind-file", "");
    host().run("berthctl bind --read-only --mkdir bind-file /srv/data/bind-file/file").ok();
    let inside = |script: &str| host().run(&format!("berthctl exec bind-file sh -c '{script}'"));
    assert_eq!(inside("cat /srv/data/bind-file/file").ok(), "host");
    let refused = inside("mount -o remount,rw,bind /srv/data/bind-file/file; echo x >/srv/data/bind-file/file");
    assert!(refused.stderr.contains("Read-only file system"), "{refused:?}");
    // One over the other, and each taken away by itself.
    host().run("echo second >/srv/data/bind-file/second; berthctl bind bind-file /srv/data/bind-file/second /srv/data/bind-file/file").ok();
    assert_eq!(inside("cat /srv/data/bind-file/file").ok(), "second");
    host().run("berthctl unbind bind-file /srv/data/bind-file/file").ok();
    assert_eq!(inside("cat /srv/data/bind-file/file").ok(), "host");
    host().run("berthctl unbind bind-file /srv/data/bind-file/file").ok();
    assert_eq!(inside("cat /srv/data/bind-file/file").ok(), "");
}

#[test]
#[ignore = "host ring: make check"]
fn a_link_of_the_container_s_leads_a_binding_nowhere_else() {
    let container = running("bind-links", "");
    host().run("berthctl exec bind-links sh -c 'mkdir /real; ln -s /../../../real /link; ln -s /proc/sys /kernel; ln -s /srv/data/bind-links /out'").ok();
    let before = host().run("awk '{ print $5 }' /proc/1/mountinfo | sort").ok();
    host().run("berthctl bind bind-links /srv/data/bind-links /link").ok();
    assert_eq!(host().run("berthctl exec bind-links cat /real/file").ok(), "host");
    host().run("berthctl unbind bind-links /link").ok();
    let kernel = host().run("berthctl bind bind-links /srv/data/bind-links /kernel");
    assert!(kernel.stderr.contains("leads into /proc"), "{kernel:?}");
    host().run("berthctl bind bind-links /srv/data/bind-links /out").exits(1);
    for (wrong, said) in [
        ("bind bind-links /none /real", "open_tree(/none)"),
        ("bind no-such /srv /real", "no-such is not running"),
        ("unbind no-such /real", "no-such is not running"),
        // What the container's own start has mounted is not anybody's to take away.
        ("unbind bind-links /proc/kallsyms", "nothing is at /proc/kallsyms"),
        ("unbind bind-links /dev", "nothing is at /dev"),
        ("unbind bind-links /", "nothing is at /"),
    ] {
        let refused = host().run(&format!("berthctl {wrong}"));
        assert!(refused.stderr.contains(said), "{wrong}: {refused:?}");
        refused.exits(1);
    }
    assert_eq!(host().run("awk '{ print $5 }' /proc/1/mountinfo | sort").ok(), before);
    // It ends with the container, and the next one has nothing of it.
    host().run("berthctl bind bind-links /srv/data/bind-links /real; berthctl restart bind-links").ok();
    assert!(!host().run("berthctl status -n 0 bind-links").ok().contains("Bound:"));
    assert_eq!(host().run("cat /srv/data/bind-links/file").ok(), "host");
    container.stop();
    host().run("berthctl bind bind-links /srv/data/bind-links /real").exits(1);
}
