//! Systems of which nothing is kept, a copy of the host's own among them.

use super::{Tree, is_running};
use crate::ring::{Host, host};

/// Everything on the host's own root, but for what the host itself goes on writing.
const FINGERPRINT: &str = "cd / && find etc usr root opt home srv/own -xdev -printf '%p %m %U %G %s %T@ %l\\n' 2>/dev/null | sort | sha256sum";

#[test]
#[ignore = "host ring: make check"]
fn a_throwaway_copy_of_the_host_boots_and_the_host_is_as_it_was() {
    // A host of its own: others change theirs meanwhile. Its root is an overlay, which no user namespace can map.
    let host = Host::boot("copied");
    let run = "berthctl run --detach --boot --ephemeral --userns host --rootfs / --name copy";
    let before = host.run(FINGERPRINT).ok();
    host.run(run).ok();
    is_running(&host, "copy");
    assert_eq!(host.run("berthctl exec copy -- cat /etc/hostname").ok(), "copy");
    let ids = host.run("cat /etc/machine-id; berthctl exec copy -- cat /etc/machine-id").ok();
    let (own, copied) = ids.split_once('\n').unwrap();
    assert_ne!(own, copied);
    host.run("berthctl exec copy -- sh -c 'rm -rf /usr/share/doc /etc/hosts; useradd someone; echo x >/etc/new'").ok();
    assert_eq!(host.run(FINGERPRINT).ok(), before);
    host.run("berthctl stop copy").ok();
    assert_eq!(host.run(FINGERPRINT).ok(), before);
    let left = "ls /var/lib/berth/writable /run/berth/state/containers; ls -d /var/log/journal/*";
    let left = host.run(left).stdout;
    assert!(!left.contains("copy") && !left.contains(copied), "{left}");
}

#[test]
#[ignore = "host ring: make check"]
fn the_host_s_root_is_not_booted_to_be_kept() {
    let kept = host().run("berthctl run --detach --boot --rootfs / --name kept-copy");
    assert_eq!(kept.code, Some(125));
    assert!(
        kept.stderr.contains("the host's own root can only be used with a writable layer that is discarded"),
        "{kept:?}"
    );
}

#[test]
#[ignore = "host ring: make check"]
fn a_tree_that_is_booted_ephemerally_stays_as_it_was_and_is_new_at_every_boot() {
    let tree = Tree::debian("throwaway");
    let container = tree.declare("throwaway", "ephemeral = true\n");
    let fingerprint = format!("cd {} && find . -printf '%p %m %U %G %s %T@ %l\\n' | sort | sha256sum", tree.path);
    let before = host().run(&fingerprint).ok();
    container.start();
    is_running(host(), "throwaway");
    host().run("berthctl exec throwaway -- sh -c 'echo x >/etc/written'").ok();
    host().run("systemctl -M throwaway reboot");
    container.wait_for("NRestarts", |restarts| restarts == "1");
    container.wait_for("ActiveState", |state| state == "active");
    host().run("berthctl exec throwaway -- test -e /etc/written").exits(1);
    container.stop();
    assert_eq!(host().run(&fingerprint).ok(), before);
    assert_ne!(host().run("test -e /var/lib/berth/writable/throwaway").code, Some(0));
}

#[test]
#[ignore = "host ring: make check"]
fn a_transient_system_survives_its_reboots_and_is_gone_when_it_powers_off() {
    let tree = Tree::debian("passing");
    let run = format!("berthctl run --detach --boot --ephemeral --rootfs {} --name passing", tree.path);
    host().run(&run).ok();
    is_running(host(), "passing");
    let unit = "berth-run-passing.service";
    host().run("systemctl -M passing reboot");
    crate::ring::eventually(|| match (host().show(unit, "NRestarts"), host().show(unit, "ActiveState")) {
        (restarts, state) if (&*restarts, &*state) == ("1", "active") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    is_running(host(), "passing");
    host().run("systemctl -M passing poweroff");
    crate::ring::eventually(|| match host().show(unit, "LoadState").as_str() {
        "not-found" => Ok(()),
        other => Err(other.to_owned()),
    });
    assert_ne!(host().run("test -e /run/berth/state/containers/passing").code, Some(0));
    // In the foreground its end is ours.
    let foreground = run.replace("--detach", "");
    let seen = host().run(&format!(
        "{foreground} >/dev/null 2>&1 & until systemctl is-active -q {unit}; do sleep 0.1; done; \
         systemctl -M passing poweroff; wait $!; echo $?"
    ));
    assert_eq!(seen.stdout.lines().last(), Some("0"), "{seen:?}");
}
