//! Images made of what containers have written, and what is seen of both from outside.

use crate::ring::{Host, eventually, host};

/// An image of busybox with something to change in it.
fn import(host: &Host, name: &str) {
    let script = format!(
        "set -e; rm -rf /srv/{name}; cp -a /srv/busybox /srv/{name}; cd /srv/{name}
        mkdir -p var/replaced opt; echo old >var/replaced/old; echo old >etc/gone; echo old >etc/changed
        tar -c . | berthctl image import -q - {name} >/dev/null; rm -r /srv/{name}"
    );
    host.run(&script).ok();
}

const WRITES: &str = "mkdir -p /opt/new; echo mine >/opt/new/file; ln /opt/new/file /opt/new/link
    chown 33:33 /opt/new/file; chmod 4750 /opt/new/file; ln -s file /opt/new/symbolic
    rm /etc/gone; echo new >/etc/changed; rm -r /var/replaced; mkdir /var/replaced; echo new >/var/replaced/new
    touch /ready; trap exit TERM; while :; do sleep 1000 & wait; done";

fn wait_until_ready(host: &Host, name: &str) {
    eventually(|| match host.run(&format!("berthctl exec {name} -- test -e /ready")).code {
        Some(0) => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

const WRITTEN: [&str; 14] = [
    "C /etc",
    "C /etc/changed",
    "D /etc/gone",
    "C /opt",
    "A /opt/new",
    "A /opt/new/file",
    "A /opt/new/link",
    "A /opt/new/symbolic",
    "A /ready",
    "C /var",
    "C /var/replaced",
    "A /var/replaced/new",
    "D /var/replaced/old",
    "",
];

/// Without the places berth itself has made for what it mounts.
fn differences(host: &Host, name: &str) -> String {
    host.run(&format!("berthctl image diff {name} | grep -E ' /(etc(/changed|/gone)?|opt.*|ready|var.*)$'")).ok() + "\n"
}

#[test]
#[ignore = "host ring: make check"]
fn what_a_container_has_written_becomes_an_image_that_shares_its_layers() {
    let host = host();
    import(host, "commit-base");
    host.run(&format!("berthctl run -d --name commit-source commit-base -- sh -c '{WRITES}'")).ok();
    wait_until_ready(host, "commit-source");
    assert_eq!(differences(host, "commit-source"), WRITTEN.join("\n"));
    let commit = "berthctl image commit -q -a 'A. Author' -m 'what is new' -c 'CMD [\"/bin/sh\", \"-c\", \"cat /opt/new/link; \
        ls -ln /opt/new/file; ls -d /etc/gone; ls /var/replaced; cat /etc/changed; echo $ADDED\"]' -c 'ENV ADDED=yes' \
        commit-source commit-result:1";
    let committed = host.run(commit).ok();
    assert!(committed.starts_with("localhost/commit-result:1 sha256:"), "{committed}");
    assert_eq!(host.show("berth-run-commit-source.service", "FreezerState"), "running");
    let ran = host.run("berthctl run commit-result:1");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[0], "mine");
    assert!(lines[1].starts_with("-rwsr-x---    2 33       33 "), "{}", lines[1]);
    assert_eq!(&lines[2..], ["new", "new", "yes"], "{ran:?}");
    assert!(ran.stderr.contains("/etc/gone: No such file"), "{ran:?}");

    let seen = "skopeo inspect --config oci:/var/lib/berth/oci:localhost/commit-result:1";
    let config: serde_json::Value = serde_json::from_str(&host.run(seen).ok()).unwrap();
    assert_eq!((&config["author"], &config["history"][1]["comment"]), (&"A. Author".into(), &"what is new".into()));
    host.run("skopeo copy -q oci:/var/lib/berth/oci:localhost/commit-result:1 dir:/srv/data/commit-result").ok();
    let layers = |name: &str| -> Vec<serde_json::Value> {
        let text = host.run(&format!("berthctl image inspect {name}")).ok();
        let details: serde_json::Value = serde_json::from_str(&text).unwrap();
        details[0]["layers"].as_array().unwrap().clone()
    };
    let (base, result) = (layers("commit-base"), layers("commit-result:1"));
    assert_eq!((&result[..base.len()], result.len()), (&base[..], base.len() + 1));
    host.run("berthctl stop commit-source").ok();
    let gone = host.run("berthctl image commit commit-source again");
    assert!(gone.stderr.contains("does not run, and nothing that it wrote was kept"), "{gone:?}");
}

#[test]
#[ignore = "host ring: make check"]
fn a_container_is_exported_as_it_sees_itself_running_or_kept() {
    let host = host();
    import(host, "export-base");
    let toml = format!("image = \"export-base\"\nephemeral = false\ncommand = [\"/bin/sh\", \"-c\", '''{WRITES}''']\n");
    let container = host.declare("exported", &toml);
    container.start();
    wait_until_ready(host, "exported");
    let inside = "find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /etc/resolv.conf \
        -o -path /etc/hosts -o -path /etc/hostname -o -path /tmp \\) -prune -o -print | sort";
    let seen = host.run(&format!("berthctl exec exported -- sh -c '{inside}'")).ok();
    let tar = "tar -t | sed 's,^\\./,/,; s,^\\([^/]\\),/\\1,; s,\\(.\\)/$,\\1,' | grep -vE '^/(proc|sys|dev|run|tmp|etc/(resolv.conf|hosts|hostname))' | sort";
    assert_eq!(host.run(&format!("berthctl image export exported | LC_ALL=C {tar}")).ok(), seen);
    let owner = "berthctl image export exported -o /srv/data/exported.tar; tar --numeric-owner -tvf /srv/data/exported.tar opt/new/file";
    assert!(host.run(owner).ok().starts_with("-rwsr-x--- 33/33 "), "{}", host.run(owner).stdout);
    container.stop();
    assert_eq!(differences(host, "exported"), WRITTEN.join("\n"));
    let round = "berthctl image export exported | berthctl image import -q - exported-again >/dev/null
        berthctl run exported-again -- sh -c 'cat /opt/new/link /etc/changed; ls /var/replaced; ls -ln /opt/new/file | cut -c1-28'";
    assert_eq!(host.run(round).ok(), "mine\nnew\nnew\n-rwsr-x---    2 33       33 ");
    host.run("berthctl image commit -q exported exported-kept && berthctl run exported-kept -- cat /opt/new/file").ok();
    host.run("berthctl reset exported").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn a_commit_that_is_interrupted_leaves_the_container_running_and_the_store_as_it_was() {
    let host = host();
    import(host, "interrupt-base");
    let script =
        "dd if=/dev/urandom of=/large bs=1M count=8 2>/dev/null; truncate -s 60G /endless; touch /ready; sleep 1000";
    host.run(&format!("berthctl run -d --name interrupted interrupt-base -- sh -c '{script}'")).ok();
    wait_until_ready(host, "interrupted");
    let before = host.run("ls -R /var/lib/berth/oci /var/lib/berth/layers | sha256sum").ok();
    let seen = host.run(
        "berthctl image commit interrupted interrupted-result 2>/srv/data/interrupted & commit=$!
        until [ \"$(systemctl show --value -p FreezerState berth-run-interrupted)\" = frozen ]; do sleep 0.02; done
        kill -INT $commit; wait $commit; echo $?; cat /srv/data/interrupted; berthctl exec interrupted -- echo goes on",
    );
    let lines: Vec<&str> = seen.stdout.lines().collect();
    assert_eq!((lines.first(), lines.last()), (Some(&"1"), Some(&"goes on")), "{seen:?}");
    assert!(seen.stdout.contains("stopped by a signal"), "{seen:?}");
    assert_eq!(host.run("ls -R /var/lib/berth/oci /var/lib/berth/layers | sha256sum").ok(), before);
    assert_eq!(host.run("ls -A /var/lib/berth/incoming").ok(), "");
    host.run("berthctl stop interrupted").ok();
}

/// A container that has written more than can ever be read.
fn run_endless(host: &Host, name: &str) {
    import(host, &format!("{name}-base"));
    let script = "truncate -s 900G /endless; touch /ready; sleep 1000";
    host.run(&format!("berthctl run -d --name {name} {name}-base -- sh -c '{script}'")).ok();
    wait_until_ready(host, name);
}

fn becomes(host: &Host, name: &str, state: &str) {
    let unit = format!("berth-run-{name}.service");
    eventually(|| match host.show(&unit, "FreezerState") {
        found if found.trim() == state => Ok(()),
        other => Err(format!("{other}, not {state}")),
    });
}

#[test]
#[ignore = "host ring: make check"]
fn a_commit_that_is_killed_leaves_the_container_running() {
    let host = &Host::boot("bereft");
    run_endless(host, "bereft");
    // With all that is in its session.
    host.run(
        "systemd-run -q --unit=bereft-commit -p KillMode=control-group berthctl image commit bereft bereft-result",
    )
    .ok();
    becomes(host, "bereft", "frozen");
    host.run("systemctl kill -s KILL --kill-whom=all bereft-commit").ok();
    becomes(host, "bereft", "running");
    assert_eq!(host.run("berthctl exec bereft -- echo goes on").ok(), "goes on");
    eventually(|| match host.run("systemctl list-units --plain --no-legend 'berth-thaw-*' | grep bereft").stdout {
        left if left.is_empty() => Ok(()),
        left => Err(left),
    });
    host.run("systemctl reset-failed bereft-commit; berthctl stop bereft").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn a_commit_waits_for_another_one_of_the_same_container() {
    let host = &Host::boot("wanted");
    run_endless(host, "wanted");
    let commit = "berthctl image commit -q wanted wanted-result";
    host.run(&format!("systemd-run -q --unit=wanted-first {commit}")).ok();
    becomes(host, "wanted", "frozen");
    host.run(&format!("systemd-run -q --unit=wanted-second {commit}")).ok();
    let second = host.show("wanted-second", "MainPID");
    // Either it waits for its turn or it reads.
    host.run(&format!(
        "until grep -q -- '-> FLOCK .* {second} ' /proc/locks || ls -d /var/lib/berth/incoming/*.{second}-*; do sleep 0.02; done"
    ))
    .ok();
    assert_eq!(host.run(&format!("ls -d /var/lib/berth/incoming/*.{second}-*")).stdout, "");
    host.run("systemctl stop wanted-first").ok();
    becomes(host, "wanted", "frozen");
    host.run("systemctl kill -s KILL wanted-second").ok();
    becomes(host, "wanted", "running");
    host.run("systemctl reset-failed wanted-first wanted-second; berthctl stop wanted").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn what_is_interrupted_on_its_way_out_or_in_leaves_nothing_half_done() {
    let host = Host::boot("interrupted");
    let archives = "set -e; mkdir /srv/out; cd /srv; head -c 3000000 /dev/urandom >large
        tar -c large | berthctl image import -q - cut; berthctl image save cut -o whole.tar; head -c 2000000 whole.tar >half.tar";
    host.run(archives).ok();
    // Whoever opens the largest blob waits for ever.
    host.run("cd /var/lib/berth/oci/blobs/sha256; blob=$(ls -S | head -1); mv $blob /srv/layer; mkfifo -m 600 $blob")
        .ok();
    for (verb, unfinished, code) in [
        ("save cut --format oci-dir -o /srv/out/dir", "/srv/out/.dir.*.new/blobs", 130),
        ("save cut -o /srv/out/archive", "/proc/$going/fd/*", 143),
    ] {
        let signal = if code == 130 { "INT" } else { "TERM" };
        let script = format!(
            "berthctl image {verb} 2>/srv/said & going=$!
            until ls -l {unfinished} 2>/dev/null | grep -q .; do sleep 0.02; done
            until [ \"$(cat /proc/$going/wchan)\" = wait_for_partner ]; do sleep 0.02; done
            kill -{signal} $going; wait $going; echo $?; cat /srv/said; ls -A /srv/out"
        );
        assert_eq!(host.run(&script).ok(), format!("{code}\nberthctl: interrupted"), "{verb}");
    }
    let load = "mkfifo /srv/slow; (cat /srv/half.tar; exec sleep 1000) >/srv/slow & feeds=$!
        berthctl image load -q </srv/slow 2>/srv/said & going=$!
        until ls -d /var/lib/berth/incoming/*.$going-* 2>/dev/null; do sleep 0.02; done >/dev/null
        kill -INT $going; wait $going; echo $?; kill $feeds; cat /srv/said; ls -A /var/lib/berth/incoming";
    assert_eq!(host.run(load).ok(), "130\nberthctl: interrupted; what was finished is kept for the next try");
}

#[test]
#[ignore = "host ring: make check"]
fn an_image_is_removed_and_garbage_collected_on_a_full_disk() {
    let host = Host::boot("full");
    let script = r"set -e; mkdir -p /var/lib/berth; mount -t tmpfs -o size=8m tmpfs /var/lib/berth
        fill() { ! dd if=/dev/zero of=/var/lib/berth/filled-$1 bs=4k 2>/dev/null; df --output=avail /var/lib/berth | tail -n 1; }
        cd /srv; head -c 1000000 /dev/urandom >large; tar -c large | berthctl image import -q - full:1 >/dev/null
        head -c 500000 large >small; tar -c small | berthctl image import -q - kept >/dev/null
        berthctl image tag -q full:1 other
        # Of an image that stays nothing can be freed, but what a killed import has left.
        mkdir /var/lib/berth/incoming/1-0; cp small /var/lib/berth/incoming/1-0/
        fill 1; berthctl image remove -q other
        fill 2; berthctl image remove -q full:1
        berthctl image list -q; ls -A /var/lib/berth/incoming; berthctl image check -q
        rm /var/lib/berth/filled-*; tar -c large | berthctl image import -q - unneeded >/dev/null
        fill 3; berthctl image gc --all >/dev/null; berthctl image list -q
        cd /var/lib/berth; ls -A incoming layers oci/blobs/sha256";
    let removed = host.run(&format!("{script}; cd /; umount -l /var/lib/berth"));
    // No container uses any: the collection leaves none.
    let expected = ["0", "0", "localhost/kept:latest", "0", "incoming:", "layers:", "oci/blobs/sha256:"];
    assert_eq!(removed.ok().split_whitespace().collect::<Vec<_>>(), expected);
}

#[test]
#[ignore = "host ring: make check"]
fn verbs_on_images_say_what_they_cannot_do() {
    let host = host();
    import(host, "told");
    let container = host.declare_shell("told-tree", "", "touch /ready; sleep 1000");
    container.start();
    wait_until_ready(host, "told-tree");
    // What an earlier start has kept is not what this one writes.
    let sleep = "image = \"told\"\ninit = true\ncommand = [\"/bin/sleep\", \"1000\"]\n";
    host.declare("told-memory", &format!("{sleep}ephemeral = false\n")).start().stop();
    let memory = host.declare("told-memory", &format!("{sleep}volatile = \"overlay\"\n"));
    memory.start();
    host.run("mkdir -p /run/told-mount && mount -t tmpfs told /run/told-mount").ok();
    for (verb, expected) in [
        ("commit told-tree new", "is of a directory tree, not of an image: berthctl image export told-tree | "),
        ("commit nobody new", "container “nobody” does not run, and nothing that it wrote was kept"),
        ("commit told-memory new", "container “told-memory” keeps what it writes in memory"),
        ("diff told-memory", "container “told-memory” keeps what it writes in memory"),
        ("export nobody", "image “nobody” is not in the store"),
        ("save --format oci-dir -o /run/told-mount told", "something is mounted there; name a new directory in it"),
        ("save --format oci-dir told", "a directory needs a name: --output DIRECTORY"),
    ] {
        let refused = host.run(&format!("berthctl image {verb} | cat; exit ${{PIPESTATUS[0]}}"));
        assert!(refused.stderr.contains(expected), "{verb}: {refused:?}");
        assert_ne!(refused.code, Some(0), "{verb}");
    }
    let terminal = host.run("script -qec 'berthctl image export told' /dev/null");
    assert!(terminal.stdout.contains("an archive is not written to a terminal"), "{terminal:?}");
    let listed =
        host.run("berthctl image tag told told-too; berthctl image tree told; berthctl image history told").ok();
    assert!(listed.contains("├─ localhost/told-too:latest") || listed.contains("├─ localhost/told:latest"), "{listed}");
}

/// Makes `umoci` and `buildah`, layouts with the image `1`, from `busybox` and `policy.json` in its directory.
const BUILD: &str = r#"
umoci init --layout umoci; umoci new --image umoci:1; umoci unpack --image umoci:1 bundle
mkdir bundle/rootfs/bin; cp busybox bundle/rootfs/bin/; echo old >bundle/rootfs/gone
umoci repack --refresh-bundle --image umoci:1 bundle
rm bundle/rootfs/gone; ln bundle/rootfs/bin/busybox bundle/rootfs/bin/sh; umoci repack --image umoci:1 bundle
umoci config --image umoci:1 --config.env WHO=umoci --config.cmd /bin/sh --config.cmd -c --config.cmd "$SHOW"
b="buildah --storage-driver vfs --root $PWD/storage --runroot $PWD/run"
c=$($b from scratch); $b copy -q $c busybox /bin/busybox; $b copy -q $c busybox /bin/sh
$b config --env WHO=buildah --cmd "[\"/bin/sh\", \"-c\", \"$SHOW\"]" $c
$b commit -q --signature-policy $PWD/policy.json $c oci:$PWD/buildah:1
tar -cf - umoci buildah
"#;

#[test]
#[ignore = "host ring, needs umoci and buildah: make check"]
fn images_as_umoci_and_buildah_write_them_run() {
    use std::process::{Command, Stdio};
    let directory = tempfile::tempdir().unwrap();
    let busybox = host().command(["cat", "/usr/bin/busybox"]).output().unwrap().stdout;
    let program = directory.path().join("busybox");
    std::fs::write(&program, busybox).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(directory.path().join("policy.json"), r#"{"default": [{"type": "insecureAcceptAnything"}]}"#)
        .unwrap();
    let mut build = Command::new("sh");
    build.args(["-ec", BUILD]).current_dir(&directory).env("SHOW", "echo built by $WHO; ls /gone 2>/dev/null || true");
    let built = build.stderr(Stdio::piped()).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let archive = directory.path().join("built.tar");
    std::fs::write(&archive, built.stdout).unwrap();
    let mut unpack = host().command(["tar", "-x", "-C", "/srv/data"]);
    assert!(unpack.stdin(std::fs::File::open(archive).unwrap()).status().unwrap().success());
    for builder in ["umoci", "buildah"] {
        let pulled = host().run(&format!("berthctl pull -q oci:/srv/data/{builder}:1")).ok();
        assert!(pulled.starts_with(&format!("localhost/{builder}:1 sha256:")), "{pulled}");
        assert_eq!(host().run(&format!("berthctl run {builder}:1")).ok(), format!("built by {builder}"));
    }
}
