//! What systemd's container interface promises an inner system, and what of its tree is written.

use super::{HOST_USERS, Tree, is_running};
use crate::ring::{eventually, host};

/// Runs a script as a unit of the inner system.
#[track_caller]
fn inside(machine: &str, script: &str) -> String {
    let quoted = script.replace('\'', "'\\''");
    host().run(&format!("systemd-run -q -M {machine} --wait --pipe /bin/sh -c '{quoted}'")).ok()
}

fn variables(machine: &str) -> Vec<String> {
    inside(machine, "tr '\\0' '\\n' </proc/1/environ").lines().map(str::to_owned).collect()
}

#[track_caller]
fn has_the_container_interface(name: &str, rest: &str) {
    let tree = Tree::debian(name);
    host().write("/root/secret", "hush");
    let text = "[service]\nLoadCredential = [\"given:/root/secret\"]\n";
    let container = tree.declare(name, &format!("{rest}{text}"));
    container.start();
    is_running(host(), name);

    let id = inside(name, "cat /etc/machine-id");
    let uuid = inside(name, "cat /run/host/container-uuid");
    assert_eq!((id.len(), uuid.replace('-', "")), (32, id.clone()));
    let known = variables(name);
    for expected in [
        "container=berth".to_owned(),
        format!("container_uuid={uuid}"),
        "container_host_id=debian".to_owned(),
        "NOTIFY_SOCKET=/run/host/notify".to_owned(),
        "CREDENTIALS_DIRECTORY=/run/host/credentials".to_owned(),
    ] {
        assert!(known.contains(&expected), "{expected} is not in {known:?}");
    }
    assert_eq!(inside(name, "cat /run/host/container-manager; systemd-detect-virt"), "berthcontainer-other");
    assert_eq!(inside(name, "cat /run/host/credentials/given"), "hush");
    assert_eq!(inside(name, "cat /run/host/os-release"), host().run("cat /etc/os-release").ok());
    let hidden = "cd /run/host/inaccessible && stat -c '%n %a %F' reg dir fifo sock chr";
    let expected =
        "reg 0 regular empty file\ndir 0 directory\nfifo 0 fifo\nsock 0 socket\nchr 0 character special file";
    assert_eq!(inside(name, hidden), expected);
    let refused = host().run(&format!("systemd-run -q -M {name} --wait --pipe touch /run/host/x"));
    assert!(refused.stderr.contains("Read-only file system"), "{refused:?}");

    assert_eq!(inside(name, "stat -f -c %T /run /tmp /dev; findmnt -no PROPAGATION /"), "tmpfs\ntmpfs\ntmpfs\nshared");
    let settings = "cd /proc/sys && test ! -w kernel/hostname && test -w net/ipv4/ip_forward && test ! -w /sys/class \
        && test -w /sys/fs/cgroup/cgroup.procs && echo as-it-should";
    assert_eq!(inside(name, settings), "as-it-should");
    // Limits are the host's to set; of its own users only where its cgroups are mounted with nsdelegate.
    if rest != HOST_USERS {
        let limit = "echo 1 >/sys/fs/cgroup/cgroup.max.depth";
        let refused = host().run(&format!("systemd-run -q -M {name} --wait --pipe /bin/sh -c '{limit}'"));
        assert!(refused.stderr.contains("Permission denied"), "{refused:?}");
    }
    let privileges = inside(name, "grep -E '^(NoNewPrivs|Seccomp|CapBnd):' /proc/1/status | tr -d '\\t\\n'");
    assert!(privileges.starts_with("CapBnd:") && privileges.ends_with("NoNewPrivs:0Seccomp:2"), "{privileges}");
    let bounding = u64::from_str_radix(&privileges[7..23], 16).unwrap();
    // CAP_NET_ADMIN, its network being its own, and neither CAP_SYS_MODULE nor CAP_SYS_TIME.
    assert_eq!((bounding >> 12 & 1, bounding >> 16 & 1, bounding >> 25 & 1), (1, 0, 0), "{privileges}");

    let boot = inside(name, "cat /proc/sys/kernel/random/boot_id");
    assert_ne!(boot, host().run("cat /proc/sys/kernel/random/boot_id").ok());
    container.stop().start();
    is_running(host(), name);
    assert_ne!(boot, inside(name, "cat /proc/sys/kernel/random/boot_id"));
    assert_eq!(id, inside(name, "cat /etc/machine-id"), "the machine stays the same");
}

#[test]
#[ignore = "host ring: make check"]
fn a_system_with_users_of_its_own_has_the_container_interface() {
    has_the_container_interface("inner-auto", "");
}

#[test]
#[ignore = "host ring: make check"]
fn a_system_with_the_host_s_users_has_the_container_interface() {
    has_the_container_interface("inner-host", HOST_USERS);
}

#[test]
#[ignore = "host ring: make check"]
fn a_system_has_the_name_time_zone_resolver_and_machine_id_of_its_toml() {
    const ID: &str = "0123456789abcdef0123456789abcdef";
    let tree = Tree::debian("inner-named");
    let rest = format!(
        "hostname = \"named\"\ntimezone = \"Europe/Berlin\"\n[os]\nmachine-id = \"{ID}\"\n\
         [network]\nmode = \"private\"\ndns = [\"192.0.2.53\"]\n"
    );
    let container = tree.declare("inner-named", &rest);
    container.start();
    is_running(host(), "inner-named");
    assert_eq!(inside("inner-named", "hostname; cat /etc/hostname"), "named\nnamed");
    assert_eq!(
        inside("inner-named", "readlink /etc/localtime; date +%Z | tr -d '\\n' | grep -cE 'CES?T'"),
        "../usr/share/zoneinfo/Europe/Berlin\n1"
    );
    assert_eq!(inside("inner-named", "cat /etc/resolv.conf"), "nameserver 192.0.2.53");
    assert_eq!(inside("inner-named", "cat /etc/machine-id"), ID);
    let known = host().run("machinectl show -p Id --value inner-named").ok();
    assert_eq!(known, ID);
    // They are its own files.
    inside(
        "inner-named",
        "hostnamectl set-hostname other && timedatectl set-timezone UTC && echo '# mine' >>/etc/resolv.conf",
    );
    assert_eq!(inside("inner-named", "cat /etc/hostname"), "other");
    drop(container);
    // Without a name in the TOML the tree's own counts.
    let container = tree.declare("inner-named", "");
    container.start();
    assert_eq!(inside("inner-named", "hostname"), "other");
}

#[test]
#[ignore = "host ring: make check"]
fn a_system_on_a_network_keeps_the_address_it_was_given() {
    let tree = Tree::debian("inner-addressed");
    let container = tree.declare("inner-addressed", "");
    container.start();
    is_running(host(), "inner-addressed");
    let addresses = "ip -4 -o address show dev eth0 | awk '{ print $4 }'";
    let address = inside("inner-addressed", addresses);
    assert!(address.starts_with("10.86."), "{address}");
    let plain = address.split('/').next().unwrap().to_owned();
    eventually(|| {
        let listed = host().run("machinectl list --no-legend --max-addresses=all").ok();
        let found = listed.lines().any(|line| line.starts_with("inner-addressed") && line.contains(&plain));
        if found { Ok(()) } else { Err(listed) }
    });
    let resolver = inside("inner-addressed", "grep -m1 nameserver /etc/resolv.conf");
    assert_eq!(resolver, "nameserver 10.86.0.1");
}
