//! The .deb's whole life on a machine that boots: the page of an enabled container is there after a reboot.

use crate::packages::{WANTED, WEB, files, install, purged, served, traces, upgrade_under_load};
use crate::ring::{Host, Ring};

#[test]
#[ignore = "vm ring: make check"]
fn a_container_of_the_package_is_served_after_a_reboot_and_during_an_upgrade_and_a_purge_leaves_nothing() {
    assert_eq!(Ring::chosen(), Ring::Vm, "a reboot needs BERTH_RING=vm");
    let machine = Host::boot_without("packages", files());
    machine.run("mkdir -p /run/systemd/nspawn-uid /run/systemd/transient").ok();
    let before = traces(&machine);
    install(&machine, "berth.deb");
    let web = machine.declare("web", WEB);
    machine.run("systemctl enable --now container@web").ok();
    served(&machine, 8080, "passwd");
    machine.reboot();
    served(&machine, 8080, "passwd");
    assert_eq!(machine.run(WANTED).ok(), "active\nactive\nactive");
    upgrade_under_load(&machine, &web);
    purged(&machine, &before, &["/etc/berth", "/etc/berth/containers", "/etc/berth/containers/web.toml"]);
}
