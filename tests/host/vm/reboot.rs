//! What is to start at boot starts at boot, under its limits from the first moment.

use crate::ring::{Host, Ring};
use crate::vm::PATIENT;

#[test]
#[ignore = "vm ring: make check"]
fn enabled_and_autostarted_containers_are_there_after_a_reboot_and_a_loss_of_power() {
    assert_eq!(Ring::chosen(), Ring::Vm, "a reboot needs BERTH_RING=vm");
    let machine = Host::boot("reboot");
    // The bed's machines keep their journal in memory; a real one's is on disk, if it is to survive.
    machine
        .run(
            "mkdir -p /var/log/journal; printf '[Journal]\\nStorage=persistent\\n' >/etc/systemd/journald.conf.d/bed.conf
            rm /etc/systemd/system/systemd-journal-flush.service; systemctl daemon-reload
            systemctl restart systemd-journald systemd-journal-flush",
        )
        .ok();
    let enabled = machine.declare_shell("enabled", "[resources]\nTasksMax = 44\n", PATIENT);
    let automatic = machine.declare_shell("automatic", "autostart = true\nephemeral = false\n", PATIENT);
    let neither = machine.declare_shell("neither", "", PATIENT);
    machine.run("systemctl enable container@enabled").ok();
    for container in [&enabled, &automatic, &neither] {
        container.start();
    }
    machine.run("berthctl exec automatic -- sh -c 'echo kept >/kept; sync'; sync").ok();
    // A frozen container must not hold up the shutdown.
    machine.run("systemctl freeze container@neither").ok();
    for again in [Host::reboot, Host::lose_power] {
        again(&machine);
        for container in [&enabled, &automatic] {
            assert_eq!(container.show("ActiveState"), "active", "{}", container.name);
        }
        assert_eq!(neither.show("ActiveState"), "inactive");
        assert_eq!(enabled.with_payload("cat $group/pids.max"), "44");
        assert_eq!(machine.run("berthctl exec automatic -- cat /kept").ok(), "kept");
        let listed = machine.run("machinectl list --no-legend").ok();
        assert_eq!(listed.lines().count(), 2, "{listed}");
    }
    // What happened before a reboot is still told; what happened just before a loss of power may not be.
    let starts = machine.run("berthctl events --filter container=enabled --filter event=start").ok();
    assert!((2..=3).contains(&starts.lines().count()), "{starts}");
}
