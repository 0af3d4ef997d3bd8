//! Trees in /var/lib/machines by machinectl's verbs, berthctl's and machinectl's own side by side.

use crate::ring::Host;

#[test]
#[ignore = "host ring: make check"]
fn a_tree_is_cloned_renamed_protected_and_removed_but_not_under_a_container() {
    let host = Host::boot("machine-images");
    host.run("mkdir -p /var/lib/machines && cp -a /srv/busybox /var/lib/machines/bb").ok();
    let listed = |program: &str| {
        host.run(&format!("{program} list-images --no-legend --no-pager | awk '{{ print $1, $2, $3 }}' | sort")).ok()
    };
    assert_eq!(listed("berthctl"), "bb directory no");
    assert_eq!(listed("machinectl"), listed("berthctl"));
    host.run("berthctl clone bb two && berthctl rename two three && test -x /var/lib/machines/three/bin/busybox").ok();
    host.run("berthctl read-only three").ok();
    assert_eq!(listed("machinectl"), listed("berthctl"));
    assert_eq!(
        host.run("berthctl show-image three | python3 -c 'import json, sys; print(json.load(sys.stdin)[0][\"kind\"])'")
            .ok(),
        "directory"
    );
    let status = host.run("berthctl image-status bb three").ok();
    assert!(status.contains("Path: /var/lib/machines/three"), "{status}");
    host.run("berthctl read-only three no").ok();
    let container = host.declare_shell("user", "", "trap 'exit 0' TERM; sleep 10000 & wait");
    host.run("sed -i 's|/srv/busybox|three|' /etc/berth/containers/user.toml").ok();
    container.start();
    for verb in ["remove three", "rename three four", "clean --all"] {
        let refused = host.run(&format!("berthctl {verb}"));
        assert!(refused.stderr.contains("three is in use: container user runs on it"), "{refused:?}");
        refused.exits(1);
    }
    assert!(host.run("berthctl image-status three").ok().contains("container user runs on it"));
    container.stop();
    host.run("berthctl remove three").ok();
    assert_eq!(listed("machinectl"), "bb directory no");
    host.run("mkdir /var/lib/machines/.raw-old; berthctl clean").ok();
    assert_eq!(host.run("berthctl list-images --quiet --all").ok(), ".host\nbb");
    for wrong in [
        "remove none",
        "clone none x",
        "clone bb bb",
        "rename none x",
        "image-status none",
        "show-image none",
        "read-only none",
    ] {
        let refused = host.run(&format!("berthctl {wrong}"));
        assert!(!refused.stderr.is_empty(), "{wrong}");
        refused.exits(1);
    }
    host.run("berthctl set-limit bb nonsense").exits(2);
}

#[test]
#[ignore = "host ring: make check"]
fn a_tree_goes_to_an_archive_and_comes_back_the_same() {
    let host = Host::boot("machine-archives");
    host.run(
        "mkdir -p /var/lib/machines && cp -a /srv/busybox /var/lib/machines/bb && chown 33 /var/lib/machines/bb/var",
    )
    .ok();
    host.run("berthctl export-tar -q bb /srv/data/bb.tar.gz && berthctl import-tar -q /srv/data/bb.tar.gz back").ok();
    let look = |tree: &str| {
        host.run(&format!("cd /var/lib/machines/{tree} && find . -printf '%P %y %m %U %l\\n' | sort")).ok()
    };
    assert_eq!(look("back"), look("bb"));
    host.run("berthctl import-tar -q /srv/data/bb.tar.gz back").exits(1);
    host.run("berthctl import-tar -q --force /srv/data/bb.tar.gz back && berthctl import-fs -q /srv/busybox plain")
        .ok();
    assert_eq!(host.run("berthctl list-images -q").ok(), "back\nbb\nplain");
    host.run("berthctl import-tar -q /srv/data/none.tar x").exits(1);
    host.run("berthctl export-tar -q none /srv/data/none.tar").exits(1);
}
