//! `poweroff`, `reboot` and `terminate`, machinectl's words for the end of what runs, and `enable` and `disable`.

use crate::ring::{Declared, host};

const PATIENT: &str = "trap 'echo asked >/seen/how; exit 0' TERM; touch /tmp/up; while :; do sleep 1000 & wait; done";

/// One that notes on the host when it is asked to end.
fn running(name: &str, rest: &str) -> Declared<'static> {
    let mount = format!(
        "{rest}[[mount]]\nsource = \"/srv/data/{name}\"\ntarget = \"/seen\"\n[service]\nRestart = \"always\"\n"
    );
    host().run(&format!("rm -rf /srv/data/{name}; mkdir -p /srv/data/{name}")).ok();
    let container = host().declare_shell(name, &mount, PATIENT);
    container.start();
    host().run(&format!("until berthctl exec {name} test -e /tmp/up; do sleep 0.02; done")).ok();
    container
}

#[test]
#[ignore = "host ring: make check"]
fn a_poweroff_asks_and_a_termination_does_not_and_neither_starts_it_again() {
    for (end, asked) in [
        ("berthctl poweroff end-one", true),
        ("berthctl stop end-one", true),
        ("machinectl terminate end-one", true),
        ("berthctl terminate end-one", false),
        ("berthctl pause end-one; timeout 30 berthctl terminate end-one", false),
    ] {
        let container = running("end-one", "");
        host().run(end).ok();
        container.ended();
        assert_eq!(container.show("ActiveState"), "inactive", "{end}");
        assert_eq!(host().run("cat /srv/data/end-one/how").code, Some(if asked { 0 } else { 1 }), "{end}");
        assert_eq!(host().run("ls /run/berth/state/containers | grep -c ^end-one$").exits(1), "0", "{end}");
    }
    for verb in ["poweroff", "reboot", "terminate"] {
        let refused = host().run(&format!("berthctl {verb} end-one"));
        assert!(refused.stderr.contains("container end-one is not running"), "{refused:?}");
        refused.exits(1);
        host().run(&format!("berthctl {verb} end-none")).exits(1);
    }
}

#[test]
#[ignore = "host ring: make check"]
fn a_reboot_is_a_new_payload_of_a_container_with_a_file() {
    let container = running("end-again", "");
    let first = container.show("MainPID");
    host().run("berthctl reboot end-again").ok();
    assert_ne!(container.show("MainPID"), first);
    assert_eq!(host().run("cat /srv/data/end-again/how").ok(), "asked");
    host().run("berthctl run -d --name end-loose --rootfs /srv/busybox -- sleep 1000").ok();
    let refused = host().run("berthctl reboot end-loose");
    assert!(refused.stderr.contains("transient container"), "{refused:?}");
    refused.exits(1);
    host().run("berthctl terminate end-loose").ok();
    assert_eq!(host().run("systemctl list-units --all --no-legend 'berth-run-end-loose*'").ok(), "");
}

#[test]
#[ignore = "host ring: make check"]
fn what_is_enabled_is_linked_as_its_file_says_and_disabled_again() {
    let container = host().declare_shell(
        "end-linked",
        "[install]\nWantedBy = [\"timers.target\"]\n",
        "trap 'exit 0' TERM; sleep 1000 & wait",
    );
    let link = "/etc/systemd/system/timers.target.wants/container@end-linked.service";
    let said = host().run("berthctl enable end-linked");
    assert!(said.stderr.contains(&format!("Created symlink {link}")), "{said:?}");
    said.ok();
    host().run(&format!("test -L {link}; systemctl is-enabled container@end-linked")).ok();
    assert_eq!(container.show("ActiveState"), "inactive");
    host().run("berthctl enable --now --quiet end-linked").ok();
    assert_eq!(container.show("ActiveState"), "active");
    let said = host().run("berthctl disable --now end-linked");
    assert!(said.stderr.contains(&format!("Removed {link}")), "{said:?}");
    said.ok();
    assert_eq!(container.show("ActiveState"), "inactive");
    host().run(&format!("test -e {link}")).exits(1);
    for verb in ["enable", "disable"] {
        let refused = host().run(&format!("berthctl {verb} end-unknown"));
        assert!(refused.stderr.contains("no container “end-unknown”"), "{refused:?}");
        refused.exits(1);
    }
}
