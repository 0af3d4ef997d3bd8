//! A container can be frozen by systemd and by berthctl, and stopped all the same.

use crate::ring::Declared;
use crate::vm::{PATIENT, vm};

/// `1` once the kernel has frozen every process of the container.
fn frozen(container: &Declared<'_>) -> String {
    container.with_payload("awk '$1 == \"frozen\" { print $2 }' $group/cgroup.events")
}

#[test]
#[ignore = "vm ring: make check"]
fn systemctl_freezes_and_thaws_a_container() {
    let container = vm().declare_shell("cold", "", "while :; do date +%s%N >/count; sleep 0.1; done");
    container.start();
    vm().run("systemctl freeze container@cold").ok();
    assert_eq!(container.show("FreezerState"), "frozen");
    assert_eq!(frozen(&container), "1");
    let count = "cat /proc/$pid/root/count";
    let before = container.with_payload(count);
    assert_eq!(container.with_payload(&format!("sleep 1; {count}")), before);
    vm().run("systemctl thaw container@cold").ok();
    assert_eq!(frozen(&container), "0");
    container.with_payload(&format!("until [ \"$({count})\" != '{before}' ]; do sleep 0.1; done"));
}

#[test]
#[ignore = "vm ring: make check"]
fn berthctl_pauses_and_resumes_a_container() {
    let container = vm().declare_shell("cool", "", PATIENT);
    container.start();
    vm().run("berthctl pause cool").ok();
    assert_eq!(frozen(&container), "1");
    vm().run("berthctl resume cool").ok();
    assert_eq!(frozen(&container), "0");
    assert_eq!(container.show("ActiveState"), "active");
}

#[test]
#[ignore = "vm ring: make check"]
fn berthctl_stops_a_frozen_container() {
    let container = vm().declare_shell("iced", "", PATIENT);
    container.start();
    vm().run("systemctl freeze container@iced").ok();
    vm().run("berthctl stop iced").ok();
    assert_eq!(container.show("ActiveState"), "inactive");
    assert_eq!(container.show("Result"), "success");
    assert_eq!(vm().run("systemctl start container@iced && systemctl is-active container@iced").ok(), "active");
}
