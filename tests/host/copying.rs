//! `berthctl copy-to` and `copy-from`, and machinectl's of the same names on the same containers.

use crate::ring::{Declared, Host, host};

const WAITING: &str = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";

fn running<'a>(host: &'a Host, name: &str, rest: &str) -> Declared<'a> {
    let container = host.declare_shell(name, rest, WAITING);
    container.start();
    container
}

/// What find(1) says of each file below a directory.
const LOOK: &str = "find . -printf '%P %y %m %U:%G %s %T@ %l %n\\n' | sort";

/// A tree with one of everything that is copied.
const TREE: &str = "mkdir -p tree/deep/er tree/empty; cd tree
    echo one >one; head -c 3000000 /dev/urandom >deep/large; truncate -s 1G deep/er/sparse
    ln -s /etc/passwd absolute; ln -s nowhere broken; ln one again; printf x >$'odd\\nname \\xff'
    chown 33:4 one; chown 70000:70000 deep/large; chmod 4750 one; chmod 1777 empty; chown -h 33 broken
    python3 -c 'import os; os.setxattr(\"one\", \"user.note\", b\"kept\")'; touch -d '2001-02-03 04:05:06.789' one deep empty; cd ..";

#[test]
#[ignore = "host ring: make check"]
fn a_tree_comes_back_as_it_went_with_its_owners_mapped() {
    let container = running(host(), "copy-tree", "");
    let all = format!(
        "set -e; rm -rf /srv/data/copy-tree; mkdir -p /srv/data/copy-tree; cd /srv/data/copy-tree; {TREE}
        berthctl copy-to copy-tree tree /var/went
        berthctl copy-from copy-tree /var/went back
        chown 65534:65534 tree/deep/large; chmod 0750 tree/one; chmod 0777 tree/empty
        (cd tree; {LOOK}; sha256sum one deep/large) >there; (cd back; {LOOK}; sha256sum one deep/large) >here
        diff there here; python3 -c 'import os; assert os.getxattr(\"back/one\", \"user.note\") == b\"kept\"'; du -k back/deep/er/sparse | cut -f1"
    );
    let blocks: u64 = host().run(&all).ok().parse().unwrap();
    assert!(blocks < 1024, "the hole took {blocks} KiB");
    let seen = "stat -c '%u:%g %a' /var/went/one /var/went/deep/large /var/went/empty; readlink /var/went/absolute";
    let seen = host().run(&format!("berthctl exec copy-tree sh -c \"{seen}\"")).ok();
    assert_eq!(seen, "33:4 4750\n65534:65534 644\n0:0 1777\n/etc/passwd");
    let leader = container.show("MainPID");
    let outside = host()
        .run(&format!("stat -c %u /proc/{leader}/root/var/went/one; awk '{{ print $2 }}' /proc/{leader}/uid_map"));
    let outside = outside.ok();
    let (owner, base) = outside.split_once('\n').unwrap();
    assert_eq!(owner.parse::<u32>().unwrap(), base.parse::<u32>().unwrap() + 33);
    assert!(base.parse::<u32>().unwrap() > 0);
}

#[test]
#[ignore = "host ring: make check"]
fn a_file_goes_where_it_is_told_to_and_replaces_only_by_force() {
    let _container = running(host(), "copy-file", "");
    let directory = "mkdir -p /srv/data/copy-file; cd /srv/data/copy-file";
    let run = |script: &str| host().run(&format!("{directory}; {script}"));
    run("rm -rf *; echo one >file; echo two >other; berthctl copy-to copy-file file /tmp/new").ok();
    run("berthctl copy-to copy-file file /tmp").ok();
    run("berthctl copy-to copy-file other tmp/relative").ok();
    assert_eq!(run("berthctl exec copy-file cat /tmp/new /tmp/file /tmp/relative").ok(), "one\none\ntwo");
    let refused = run("berthctl copy-to copy-file other /tmp/new");
    assert!(refused.stderr.contains("/tmp/new is there already; --force replaces it"), "{refused:?}");
    refused.exits(1);
    assert_eq!(run("berthctl exec copy-file cat /tmp/new").ok(), "one");
    run("berthctl copy-to --force copy-file other /tmp/new").ok();
    assert_eq!(run("berthctl copy-from copy-file /tmp/new -").ok(), "two");
    // The same path where none is given.
    run("berthctl exec copy-file mkdir -p $PWD; berthctl copy-to copy-file file && rm file && berthctl copy-from copy-file $PWD/file").ok();
    assert_eq!(run("cat file; berthctl copy-from copy-file /tmp/new fresh; cat fresh").ok(), "one\ntwo");
    for (wrong, said) in [
        ("copy-to copy-file none /tmp/x", "open(none)"),
        ("copy-to copy-file file /none/x", "open(/none)"),
        ("copy-to copy-file file /tmp/new/x", "open(/tmp/new)"),
        ("copy-to copy-file file /absent/", "does not say what the copy is to be called"),
        ("copy-to --force copy-file file /", "is a directory"),
        ("copy-from copy-file /none x", "open(/none)"),
        ("copy-from copy-file /tmp -", "/tmp is a directory"),
        ("copy-to no-such file /tmp/x", "container no-such is not running"),
        ("copy-from no-such /tmp x", "no-such is not running"),
    ] {
        let refused = run(&format!("mkdir -p x.d; berthctl exec copy-file mkdir -p /file; berthctl {wrong}"));
        assert!(refused.stderr.contains(said), "{wrong}: {refused:?}");
        assert_eq!(refused.stderr.lines().count(), 1, "{wrong}: {refused:?}");
        refused.exits(1);
    }
    assert_eq!(run("berthctl copy-to copy-file - </dev/null").exits(2), "");
    assert_eq!(run("ls -A | grep berth-copy; berthctl exec copy-file find / -xdev -name '.#berth*'").ok(), "");
}

#[test]
#[ignore = "host ring: make check"]
fn streams_carry_a_file_both_ways() {
    let _container = running(host(), "copy-stream", "");
    let sums = host().run(
        "set -eo pipefail; head -c 20000000 /dev/urandom >/srv/data/copy-stream; sha256sum </srv/data/copy-stream
        cat /srv/data/copy-stream | berthctl copy-to copy-stream - /var/streamed
        berthctl copy-from copy-stream /var/streamed - | sha256sum; berthctl exec copy-stream sh -c 'sha256sum </var/streamed'
        berthctl copy-from copy-stream /proc/uptime - | wc -w",
    );
    let sums = sums.ok();
    let lines: Vec<&str> = sums.lines().collect();
    assert_eq!((lines[0], lines[0], "2"), (lines[1], lines[2], lines[3]));
    // A writer that goes away with us leaves nothing, however far it had come.
    host()
        .run(
            "mkfifo /srv/data/copy-slow; exec 9<>/srv/data/copy-slow
        berthctl copy-to copy-stream - /var/never <&9 & client=$!; echo begun >&9
        until berthctl exec copy-stream ls -A /var | grep -q '#berth-copy'; do sleep 0.02; done
        kill -INT $client; kill $client; wait $client
        until [ -z \"$(berthctl exec copy-stream ls -A /var | grep '#berth-copy')\" ]; do sleep 0.02; done
        berthctl exec copy-stream test -e /var/never",
        )
        .exits(1);
}

#[test]
#[ignore = "host ring: make check"]
fn a_link_of_the_container_s_does_not_lead_out_of_it_and_is_not_written_through() {
    let host = Host::boot("copy-links");
    let _container = running(&host, "copy-links", "");
    host.run(
        "mkdir -p /srv/victim /srv/take; echo secret >/srv/victim/secret; echo new >/srv/take/file
        berthctl exec copy-links sh -c 'ln -s /../../../../srv/victim /var/out; ln -s /srv/victim/secret /var/secret; mkdir -p /var/tree/in /srv; ln -s /etc /var/tree/etc'",
    )
    .ok();
    host.run("berthctl copy-to copy-links /srv/take/file /var/out/file").exits(1);
    host.run("berthctl copy-from copy-links /var/out/secret /srv/take/got").exits(1);
    host.run("berthctl copy-from copy-links /var/secret -").exits(1);
    // Itself is copied, and replaced; never what it leads to.
    assert_eq!(
        host.run("berthctl copy-from copy-links /var/secret /srv/take/link && readlink /srv/take/link").ok(),
        "/srv/victim/secret"
    );
    host.run("berthctl copy-to --force copy-links /srv/take/file /var/secret").ok();
    assert_eq!(host.run("berthctl exec copy-links cat /var/secret; cat /srv/victim/secret").ok(), "new\nsecret");
    // Nor below the directory that a tree is merged into.
    let merged = host.run("mkdir -p /srv/take/tree/etc; echo x >/srv/take/tree/etc/passwd; berthctl copy-to --force copy-links /srv/take/tree /var/tree");
    assert!(merged.stderr.contains("/var/tree/etc is not a directory"), "{merged:?}");
    merged.exits(1);
    host.run("berthctl exec copy-links grep -q root /etc/passwd; ls /srv/victim | grep -v secret").exits(1);
}

#[test]
#[ignore = "host ring: make check"]
fn a_tree_with_a_device_is_refused_whole() {
    let _container = running(host(), "copy-device", "");
    for (make, kind) in [
        ("mknod bad c 1 3", "device"),
        ("mkfifo bad", "pipe"),
        ("python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"bad\")'", "socket"),
    ] {
        let refused = host().run(&format!(
            "rm -rf /srv/data/copy-device; mkdir -p /srv/data/copy-device/inner; cd /srv/data/copy-device/inner; echo good >good; {make}; cd ..
            berthctl copy-to copy-device inner /var/inner"
        ));
        assert!(
            refused.stderr.contains(&format!("inner/bad is a {kind}; only files, directories and links are copied")),
            "{refused:?}"
        );
        refused.exits(1);
        let one = host().run("berthctl copy-to copy-device /srv/data/copy-device/inner/bad /var/bad");
        assert!(one.stderr.contains(kind), "{one:?}");
    }
    let out = host().run("berthctl copy-from copy-device /dev /srv/data/copy-device/dev");
    assert!(out.stderr.contains(" is a "), "{out:?}");
    out.exits(1);
    assert_eq!(host().run("ls -A /srv/data/copy-device; berthctl exec copy-device ls -A /var").ok(), "inner");
}

#[test]
#[ignore = "host ring: make check"]
fn nothing_is_left_of_a_copy_for_which_there_was_no_room() {
    let rest = "[[mount]]\ntype = \"tmpfs\"\ntarget = \"/small\"\nsize = \"1M\"\n";
    let _container = running(host(), "copy-full", rest);
    let refused = host().run(
        "mkdir -p /srv/data/copy-full/a; cd /srv/data/copy-full; echo fits >a/0; head -c 3000000 /dev/zero | tr '\\0' x >a/9
        berthctl copy-to copy-full a /small",
    );
    assert!(refused.stderr.contains("No space left"), "{refused:?}");
    refused.exits(1);
    assert_eq!(host().run("berthctl exec copy-full ls -A /small").ok(), "");
    // And what is there already is not half replaced.
    host().run("berthctl exec copy-full sh -c 'echo old >/small/0'; berthctl copy-to --force copy-full /srv/data/copy-full/a /small").exits(1);
    assert_eq!(host().run("berthctl exec copy-full sh -c 'ls -A /small; cat /small/0'").ok(), "0\nold");
}

#[test]
#[ignore = "host ring: make check"]
fn a_tree_is_merged_into_a_directory_as_machinectl_does() {
    // With users of its own, machined cannot write to it: files of its own making have no owner there (EOVERFLOW).
    let _container = running(host(), "copy-merge", "[security]\nuser-namespace = { mode = \"host\" }\n");
    let prepare = "rm -rf /srv/data/copy-merge; mkdir -p /srv/data/copy-merge/t/sub; cd /srv/data/copy-merge; echo 1 >t/a; echo 2 >t/sub/b
        berthctl exec copy-merge sh -c 'rm -rf /var/m; mkdir -p /var/m/sub; echo kept >/var/m/sub/own'";
    for copy in ["berthctl", "machinectl"] {
        host().run(&format!("{prepare}; {copy} copy-to copy-merge /srv/data/copy-merge/t /var/m")).ok();
        let seen = host().run("berthctl exec copy-merge sh -c 'cd /var/m; cat a sub/b sub/own'").ok();
        assert_eq!(seen, "1\n2\nkept", "{copy}");
        host().run(&format!("{copy} copy-from copy-merge /var/m /srv/data/copy-merge/back")).ok();
        assert_eq!(host().run("cd /srv/data/copy-merge/back; cat a sub/b sub/own").ok(), "1\n2\nkept", "{copy}");
    }
}

#[test]
#[ignore = "host ring: make check"]
fn containers_without_users_of_their_own_and_paused_ones_are_copied_to_as_well() {
    let _container = running(host(), "copy-host", "[security]\nuser-namespace = { mode = \"host\" }\n");
    host().run("echo file >/srv/data/copy-host; chown 1234 /srv/data/copy-host; berthctl pause copy-host; timeout 30 berthctl copy-to copy-host /srv/data/copy-host /var/file").ok();
    host().run("berthctl resume copy-host").ok();
    assert_eq!(host().run("berthctl exec copy-host stat -c %u /var/file").ok(), "1234");
    let read_only = running(host(), "copy-ro", "read-only = true\n");
    let refused = host().run("berthctl copy-to copy-ro /srv/data/copy-host /var/file");
    assert!(refused.stderr.contains("Read-only file system"), "{refused:?}");
    read_only.stop();
    let stopped = host().run("berthctl copy-to copy-ro /srv/data/copy-host /var/file");
    assert!(
        stopped.stderr.contains("copy-ro is not running") && stopped.stderr.contains("berthctl start copy-ro"),
        "{stopped:?}"
    );
}
