//! `berthctl -H` and `-M`, and containers that come from systemd-nspawn.

use crate::ring::host;

#[test]
#[ignore = "host ring: make check"]
fn a_verb_is_carried_out_by_the_berthctl_of_a_container() {
    // The container is the tree of a Debian with what is installed here.
    let toml = "rootfs = \"/srv/debian\"\ncommand = [\"sleep\", \"10000\"]\n[[mount]]\nsource = \"/usr/bin/berthctl\"\n\
        target = \"/usr/bin/berthctl\"\nread-only = true\n";
    let container = host().declare("else-where", toml);
    container.start();
    let version = host().run("berthctl --version").ok();
    assert_eq!(host().run("berthctl -M .host list --quiet | grep -x else-where").ok(), "else-where");
    // Where it has no containers of its own, and no systemd to ask.
    let inner = host().run("berthctl -M else-where check; berthctl -M root@else-where trust list -q");
    assert_eq!(inner.ok(), "", "{version}");
    let unknown = host().run("berthctl --machine=else-where cat 'no such'");
    assert!(unknown.stderr.contains("no such"), "{unknown:?}");
    unknown.exits(2);
    host().run("berthctl -M else-none list").exits(125);
    host().run("berthctl -H a -M b list").exits(2);
}

#[test]
#[ignore = "host ring: make check"]
fn a_verb_for_another_host_reaches_it_in_one_piece() {
    // What ssh does: a shell of the other host's gets one line.
    host().write(
        "/root/far/ssh",
        "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\n[ \"$2\" = root@far ] || exit 255\nexec sh -c \"$3\"",
    );
    let run = |line: &str| host().run(&format!("chmod +x /root/far/ssh; PATH=/root/far:$PATH berthctl {line}"));
    let _container = host().declare_shell("else-far", "", "trap 'exit 0' TERM; sleep 10000 & wait");
    run("-H root@far start else-far").ok();
    assert_eq!(run("-H root@far exec else-far -- sh -c 'echo \"two  words\"; exit 7'").exits(7), "two  words");
    assert_eq!(run("--host=root@far list -q | grep -x else-far").ok(), "else-far");
    run("-H nobody@nowhere list").exits(255);
}

#[test]
#[ignore = "host ring: make check"]
fn a_machine_of_nspawn_s_becomes_a_container_that_runs_as_it_did() {
    host()
        .write("/etc/systemd/nspawn/else-moved.nspawn", "[Exec]\nBoot=no\nParameters=/bin/sh -c \"cat /data/file; hostname; echo $MODE\"\nEnvironment=MODE=live\nHostname=inner\nPersonality=x86-64\n[Files]\nBindReadOnly=/srv/data/else-moved:/data\n[Network]\nPrivate=yes\n");
    host().run("mkdir -p /srv/data/else-moved /var/lib/machines; echo bound >/srv/data/else-moved/file; cp -a /srv/busybox /var/lib/machines/else-moved").ok();
    let imported = host().run("berthctl import-nspawn else-moved");
    assert!(imported.stderr.contains("/etc/systemd/nspawn/else-moved.nspawn:6: Personality=x86-64: "), "{imported:?}");
    assert_eq!(imported.stderr.lines().count(), 1, "{imported:?}");
    assert_eq!(imported.ok(), "/etc/berth/containers/else-moved.toml");
    host().run("berthctl check -q else-moved; systemctl start container@else-moved || true").ok();
    let said = "journalctl --sync; journalctl -o cat -u container@else-moved _COMM=sh + _COMM=cat + _COMM=hostname --no-pager; berthctl logs -o cat else-moved";
    let said = host().run(said).stdout;
    assert!(said.contains("bound\ninner\nlive"), "{said}");
    let again = host().run("berthctl import-nspawn else-moved");
    assert!(again.stderr.contains("is there already; --force replaces it"), "{again:?}");
    again.exits(1);
    host().run("berthctl import-nspawn --force -q else-moved").ok();
    assert!(
        host()
            .run("berthctl import-nspawn -o - --name other /etc/systemd/nspawn/else-moved.nspawn")
            .stdout
            .contains("rootfs = \"else-moved\"")
    );
    let none = host().run("berthctl import-nspawn else-none");
    assert!(none.stderr.contains("neither a directory nor an image else-none"), "{none:?}");
    none.exits(1);
}
