//! Whole systems where the kernel enforces what their units say, and disk images, which need loop devices.

use std::sync::OnceLock;

use crate::booted::{HOST_USERS, is_running};
use crate::ring::{Declared, eventually};
use crate::vm::vm;

/// The machine's own Debian, without what makes it a virtual machine: once for all of these tests.
fn system() -> &'static str {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| {
        let script = r"
set -e
mkdir -p /srv/system
tar -C / --one-file-system --exclude=./srv --exclude=./bed --exclude=./boot --exclude=./usr/lib/modules \
    --exclude=./usr/share/doc --exclude=./usr/share/locale --exclude=./usr/share/man --exclude=./var/lib/berth \
    --exclude=./var/lib/apt --exclude=./var/cache --exclude=./etc/berth --exclude=./usr/bin/docker-registry \
    --exclude=./usr/bin/skopeo --exclude=./usr/bin/berthctl -c . | tar -C /srv/system -x
cd /srv/system/etc/systemd/system
for unit in ssh.service bed-network.service; do ln -sf /dev/null $unit; done
rm -f multi-user.target.wants/bed-network.service
rm -rf /srv/system/usr/lib/berth /srv/system/usr/lib/systemd/system-generators/berth-generator
rm -f /srv/system/usr/lib/systemd/system/berth-* /srv/system/usr/lib/systemd/system/*.target.wants/berth-*
";
        vm().run_within(600, script).ok();
    });
    "/srv/system"
}

/// A copy of it: a tree is one container's.
fn tree(name: &str) -> String {
    let path = format!("/srv/{name}");
    vm().run_within(300, &format!("rm -rf {path}; cp -a {} {path}", system())).ok();
    path
}

/// The same as one file system in a file.
fn disk(name: &str) -> String {
    let path = format!("/srv/{name}.raw");
    // This machine has no modules loaded that nobody asked for, and none of the units that do.
    let script =
        format!("modprobe loop; rm -f {path}; truncate -s 1G {path} && mke2fs -q -t ext4 -d {} {path}", system());
    vm().run_within(600, &script).ok();
    path
}

/// What its own systemd says of a unit of its.
fn inside(name: &str, options: &str, command: &str) -> crate::ring::Output {
    vm().run(&format!("systemd-run -q -M {name} --wait --pipe {options} {command}"))
}

#[track_caller]
fn boots_reboots_and_powers_off(container: &Declared) {
    let name = &container.name;
    container.start();
    is_running(vm(), name);
    let before = container.show("MainPID");
    vm().run(&format!("systemctl -M {name} reboot"));
    container.wait_for("NRestarts", |restarts| restarts == "1");
    container.wait_for("MainPID", |pid| pid != "0" && pid != before);
    container.wait_for("ActiveState", |state| state == "active");
    is_running(vm(), name);
    vm().run(&format!("systemctl -M {name} poweroff"));
    container.ended();
    assert_eq!((container.show("ActiveState"), container.show("Result")), ("inactive".into(), "success".into()));
}

/// Those of its own units and those of the container's.
#[track_caller]
fn limits_hold_inside_and_outside(container: &Declared) {
    let name = &container.name;
    container.start();
    is_running(vm(), name);
    let controllers = inside(name, "", "cat /sys/fs/cgroup/cgroup.subtree_control").ok();
    for expected in ["memory", "pids"] {
        assert!(controllers.split_whitespace().any(|found| found == expected), "{controllers}");
    }
    let limits = "cat /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/memory.max";
    let limits = inside(name, "-p MemoryMax=64M -p MemorySwapMax=0", &format!("sh -c '{limits}'")).ok();
    assert_eq!(limits, "67108864");
    let killed = inside(name, "-p MemoryMax=32M -p MemorySwapMax=0 --unit=glutton", "tail /dev/zero");
    assert_ne!(killed.code, Some(0), "{killed:?}");
    // Its own limit and not the container's: nothing else ended.
    vm().run(&format!("systemctl -M {name} reset-failed")).ok();
    is_running(vm(), name);
    assert_eq!(container.show("ActiveState"), "active");

    assert_eq!(container.with_payload("cat $group/memory.max $group/pids.max"), "402653184\n300");
    let beyond = inside(name, "", "tail /dev/zero");
    assert_ne!(beyond.code, Some(0), "{beyond:?}");
    let counted = container.with_payload("awk '$1 == \"oom_kill\" { print $2 }' $group/memory.events");
    assert!(counted.parse::<u32>().is_ok_and(|kills| kills >= 2), "{counted}");
    // The container's own limit ended a process of its, not the system: OOMPolicy=continue.
    assert_eq!(container.show("ActiveState"), "active");
    // The unit's own attributes are not the payload's to write.
    let raised = inside(name, "", "sh -c 'echo max >/sys/fs/cgroup/memory.max'");
    assert_ne!(raised.code, Some(0), "{raised:?}");
    vm().run(&format!("systemctl set-property --runtime {} TasksMax=200", container.unit)).ok();
    eventually(|| match container.with_payload("cat $group/pids.max").as_str() {
        "200" => Ok(()),
        other => Err(other.to_owned()),
    });
    container.stop();
    assert_eq!(container.show("Result"), "success");
}

const LIMITS: &str = "[resources]\nMemoryMax = \"384M\"\nMemorySwapMax = 0\nTasksMax = 300\n";

fn declared(name: &str, root: &str, rest: &str) -> Declared<'static> {
    vm().declare(name, &format!("rootfs = \"{root}\"\nboot = true\n{rest}"))
}

#[test]
#[ignore = "vm ring: make check"]
fn a_system_with_users_of_its_own_has_its_controllers_and_keeps_to_its_limits() {
    let container = declared("limited", &tree("limited"), LIMITS);
    limits_hold_inside_and_outside(&container);
    boots_reboots_and_powers_off(&container);
}

#[test]
#[ignore = "vm ring: make check"]
fn a_system_with_the_host_s_users_has_its_controllers_and_keeps_to_its_limits() {
    let container = declared("limited-host", &tree("limited-host"), &format!("{HOST_USERS}{LIMITS}"));
    limits_hold_inside_and_outside(&container);
    boots_reboots_and_powers_off(&container);
}

/// Nothing on the host is left of it, but what it wrote in the image.
#[track_caller]
fn a_disk_s_life(name: &str, rest: &str) {
    let image = disk(name);
    let container = declared(name, &image, rest);
    boots_reboots_and_powers_off(&container);
    container.start();
    vm().run(&format!("systemd-run -q -M {name} --wait sh -c 'echo kept >/etc/kept'")).ok();
    // While it runs it is nobody else's, and the host does not see it.
    let other = declared(&format!("{name}-too"), &image, rest);
    assert_ne!(vm().run(&format!("systemctl start {}", other.unit)).code, Some(0));
    let status = vm().run(&format!("systemctl status --no-pager -l {}", other.unit)).stdout;
    assert!(status.contains("is the root of another container"), "{status}");
    assert_eq!(vm().run("ls -A /run/berth/state/disks; grep -c berth/state/disks /proc/mounts").stdout.trim(), "0");
    container.stop();
    eventually(|| match vm().run(&format!("losetup -n -O BACK-FILE | grep -c {image}")).stdout.trim() {
        "0" => Ok(()),
        left => Err(left.to_owned()),
    });
    let kept = format!(
        "systemd-dissect --copy-from {image} /etc/kept -; systemd-dissect --copy-from {image} /etc/machine-id -"
    );
    let kept = vm().run(&kept).ok();
    assert_eq!((kept.lines().next(), kept.lines().nth(1).map(str::len)), (Some("kept"), Some(32)), "{kept}");
    // Of a writable layer that is thrown away it sees nothing.
    let passing = declared(name, &image, &format!("ephemeral = true\n{rest}"));
    let before = vm().run(&format!("sha256sum {image}")).ok();
    passing.start();
    is_running(vm(), name);
    vm().run(&format!("systemd-run -q -M {name} --wait sh -c 'echo lost >/etc/kept'")).ok();
    passing.stop();
    assert_eq!(vm().run(&format!("sha256sum {image}")).ok(), before);
}

#[test]
#[ignore = "vm ring: make check"]
fn a_disk_image_with_users_of_its_own_boots_reboots_and_powers_off() {
    a_disk_s_life("disk-auto", "");
}

#[test]
#[ignore = "vm ring: make check"]
fn a_disk_image_with_the_host_s_users_boots_reboots_and_powers_off() {
    a_disk_s_life("disk-host", HOST_USERS);
}

#[test]
#[ignore = "vm ring: make check"]
fn a_disk_image_that_is_none_is_seen_in_the_unit() {
    vm().run("truncate -s 1M /srv/not-a-disk.raw").ok();
    let container = declared("not-a-disk", "/srv/not-a-disk.raw", "");
    vm().run("systemctl start container@not-a-disk");
    container.wait_for("ActiveState", |state| state == "failed");
    let status = vm().run("systemctl status --no-pager -l container@not-a-disk").stdout;
    assert!(status.contains("disk image /srv/not-a-disk.raw: "), "{status}");
}
