//! What systemd's BPF programs refuse, they refuse to a container too.

use crate::ring::{BUSYBOX, eventually, toml};
use crate::vm::{PATIENT, vm};

/// A node that everybody may read and write, so that only the device's rule can refuse.
const NODE: &str =
    "mknod -m 666 /dev/bed-disk b $(stat -c '0x%t 0x%T' /dev/nvme0n1) 2>/dev/null; test -b /dev/bed-disk";

/// Opens the disk for reading and for writing, and says what came of both.
const PROBE: &str = "head -c 1 /dev/disk 2>&1 >/dev/null && echo read; : 2>&1 >>/dev/disk && echo written; exit 0";

#[test]
#[ignore = "vm ring: make check"]
fn a_device_without_an_allowance_cannot_be_opened_although_its_node_is_there() {
    vm().run(NODE).ok();
    let rest = "[[mount]]\nsource = \"/dev/bed-disk\"\ntarget = \"/dev/disk\"\n";
    let container = vm().declare("no-device", &toml(BUSYBOX, rest, PROBE));
    let said = container.start_and_read();
    assert_eq!(said.matches("Operation not permitted").count(), 2, "{said}");
    assert!(!said.contains("read") && !said.contains("written"), "{said}");
}

#[test]
#[ignore = "vm ring: make check"]
fn a_device_allowed_for_reading_cannot_be_written() {
    vm().run(NODE).ok();
    let container = vm().declare("reads", &toml(BUSYBOX, "devices = [\"/dev/bed-disk:/dev/disk:r\"]\n", PROBE));
    let said = container.start_and_read();
    assert!(said.lines().any(|line| line == "read"), "{said}");
    assert!(said.contains("Operation not permitted") && !said.contains("written"), "{said}");
}

#[test]
#[ignore = "vm ring: make check"]
fn ip_address_deny_cuts_a_container_off_even_from_itself() {
    let rest = "[resources]\nIPAddressDeny = [\"any\"]\n";
    let container = vm().declare_shell("cut-off", rest, &format!("httpd -p 80 -h /etc; {PATIENT}"));
    container.start();
    let inside = |command: &str| vm().run(&format!("berthctl exec cut-off -- {command}"));
    eventually(|| match inside("grep ':0050 ' /proc/net/tcp /proc/net/tcp6") {
        listening if listening.code == Some(0) => Ok(()),
        listening => Err(format!("{listening:?}")),
    });
    let fetch = "wget -T 5 -qO- http://127.0.0.1/passwd";
    let refused = inside(fetch);
    assert!(refused.code == Some(1) && refused.stdout.is_empty(), "{refused:?}");
    vm().run("systemctl set-property --runtime container@cut-off IPAddressAllow=localhost").ok();
    assert!(inside(fetch).ok().starts_with("root:"));
}
