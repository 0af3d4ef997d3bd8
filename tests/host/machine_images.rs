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

#[test]
#[ignore = "host ring: make check"]
fn what_is_pulled_is_what_its_sums_and_their_signature_say() {
    let host = Host::boot("machine-pulls");
    host.run(
        r#"mkdir -p /var/lib/machines /srv/data/www && cd /srv/data/www && tar -C /srv/busybox -czf bb.tar.gz .
        truncate -s 64K disk && mkfs.ext4 -q -L berth disk && mv disk disk.raw
        export GNUPGHOME=/root/keys; mkdir -m 700 $GNUPGHOME
        gpg -q --batch --passphrase '' --quick-gen-key images@example.org rsa2048 sign
        gpg -q --export >/etc/systemd/import-pubring.gpg
        sha256sum * >SHA256SUMS && gpg -q --batch --detach-sign SHA256SUMS && mv SHA256SUMS.sig SHA256SUMS.gpg
        cp -r . /srv/data/changed; cd /srv/data/changed; tar -C /srv -czf bb.tar.gz busybox
        cp -r . /srv/data/signed-by-nobody; cd /srv/data/signed-by-nobody; sha256sum *.tar.gz *.raw >SHA256SUMS
        systemd-run -q -p WorkingDirectory=/srv/data python3 -m http.server --bind 127.0.0.1 8010
        until curl -s http://127.0.0.1:8010/ >/dev/null; do sleep 0.05; done"#,
    )
    .ok();
    host.run("berthctl pull-tar -q http://127.0.0.1:8010/www/bb.tar.gz && test -x /var/lib/machines/bb/bin/busybox")
        .ok();
    host.run("berthctl pull-raw -q http://127.0.0.1:8010/www/disk.raw disk && cmp /srv/data/www/disk.raw /var/lib/machines/disk.raw").ok();
    for (wrong, code) in [
        // There already, another archive than was summed, sums that nobody signed, not there.
        ("pull-tar -q http://127.0.0.1:8010/www/bb.tar.gz", 1),
        ("pull-tar -q http://127.0.0.1:8010/changed/bb.tar.gz changed", 1),
        ("pull-tar -q --verify=checksum http://127.0.0.1:8010/changed/bb.tar.gz changed", 1),
        ("pull-tar -q http://127.0.0.1:8010/signed-by-nobody/bb.tar.gz changed", 1),
        ("pull-tar -q http://127.0.0.1:8010/www/none.tar.gz changed", 1),
        ("pull-tar --verify=perhaps http://127.0.0.1:8010/www/bb.tar.gz changed", 2),
        ("pull-tar", 2),
    ] {
        host.run(&format!("berthctl {wrong}")).exits(code);
        host.run("test -e /var/lib/machines/changed").exits(1);
    }
    host.run("berthctl pull-tar -q --verify=checksum http://127.0.0.1:8010/signed-by-nobody/bb.tar.gz summed").ok();
    host.run("berthctl pull-tar -q --verify=no --force --read-only http://127.0.0.1:8010/changed/bb.tar.gz summed")
        .ok();
    assert_eq!(
        host.run("ls /var/lib/machines/summed; berthctl list-images --no-legend | awk '{ print $1, $3 }'").ok(),
        "busybox\nbb no\ndisk no\nsummed yes"
    );
    // What was pulled runs.
    host.run("berthctl run --rootfs bb true").ok();
    host.run("berthctl export-raw -q disk /srv/data/disk.raw.gz && gzip -dc /srv/data/disk.raw.gz | cmp - /srv/data/www/disk.raw").ok();
    host.run(
        "berthctl import-raw -q /srv/data/disk.raw.gz again && cmp /srv/data/www/disk.raw /var/lib/machines/again.raw",
    )
    .ok();
    host.run("berthctl export-raw -q bb /srv/data/none.raw").exits(1);
    host.run("berthctl import-raw -q /srv/data/none.raw none").exits(1);
    host.run("berthctl import-fs -q /srv/data/none none").exits(1);
}
