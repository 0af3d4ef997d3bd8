//! The .deb on hosts that have never had berth: installed, upgraded under load, purged; and a vendor's that ships a container.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::ring::{Declared, Host, eventually, stage};

/// Whether what the package's links are for is up, a line each.
pub const WANTED: &str = "systemctl is-active berth-names.socket berth-network.path berth-console.socket";

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A page on a published port of the host, from a tree that is there before berth.
pub const WEB: &str = r#"
rootfs = "/srv/busybox"
command = ["/bin/httpd", "-f", "-p", "80", "-h", "/etc"]
init = true
[network]
publish = ["8080:80"]
"#;

/// Everything that berth has no business to leave: files, users, links and rules. Logs and what dpkg notes are the host's.
const TRACES: &str = r"
find / -xdev \( -path /proc -o -path /sys -o -path /var/log -o -path /var/lib/dpkg -o -path /var/cache -o -path /tmp \
    -o -path /var/backups -o -path /root \) -prune -o -print
find /var/lib/berth /run/berth /run/systemd/{generator,transient,system,nspawn-uid,machines,system.control} \
    /var/lib/machines /etc/systemd /dev/shm 2>/dev/null
getent passwd; getent group
ip -o link | cut -d: -f2
nft list ruleset
systemctl list-units --all --plain --no-legend 'container@*' 'berth*' | cut -d' ' -f1
systemctl list-unit-files --plain --no-legend 'container@*' 'berth*'
";

/// Both versions of berth and the vendor's package, as a tree to lay over a host's.
pub fn files() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("to-install");
        let root = made.join("root");
        std::fs::create_dir_all(&root).unwrap();
        for (version, name) in [(VERSION.to_owned(), "berth.deb"), (newer(), "newer.deb")] {
            std::fs::rename(package("deb", &version), root.join(name)).unwrap();
        }
        let vendor = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/packages/hello");
        run(Command::new("dpkg-deb").args(["--root-owner-group", "--build", vendor]).arg(root.join("hello.deb")));
        made
    })
}

/// The stage as a package; the newer one holds the same.
fn package(kind: &str, version: &str) -> PathBuf {
    let mut command = Command::new(format!("{}/packaging/{kind}", env!("CARGO_MANIFEST_DIR")));
    command.args(["--version", version]).arg(stage()).env("CARGO_TARGET_DIR", env!("CARGO_TARGET_TMPDIR"));
    // Unpacked on an emulated processor.
    command.env("DPKG_DEB_COMPRESSOR_TYPE", "zstd").env("DPKG_DEB_COMPRESSOR_LEVEL", "3");
    run(&mut command).into()
}

fn newer() -> String {
    format!("{VERSION}+1")
}

/// What it printed.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

pub fn install(host: &Host, name: &str) {
    let done = host.run(&format!("dpkg --install /root/{name}"));
    let said = done.stderr.clone();
    done.ok();
    assert_eq!(said, "", "{name}");
}

/// Waits until the page is there.
pub fn served(host: &Host, port: u16, page: &str) {
    eventually(|| {
        let fetched = host.run(&format!("busybox wget -qO- http://127.0.0.1:{port}/{page}"));
        if fetched.code == Some(0) { Ok(fetched.stdout) } else { Err(fetched.stderr) }
    });
}

/// Three clients with one request after the other while the newer version comes. None is lost, no packet of a new
/// connection was sent twice because of one that went away, and the container is the same all the time.
pub fn upgrade_under_load(host: &Host, web: &Declared) {
    let payload = web.show("MainPID");
    host.run(
        "systemd-run --quiet --unit=client bash -c '
            client() { while :; do timeout 9 busybox wget -qO- http://127.0.0.1:8080/passwd >/dev/null && echo served || echo lost; done; }
            { client & client & client & wait; } >>/run/said'",
    )
    .ok();
    let requests = || host.run("grep -c served /run/said").stdout.trim().parse::<u32>().unwrap_or_default();
    let more =
        |than: u32| eventually(|| if requests() > than { Ok(()) } else { Err(format!("{} requests", requests())) });
    more(3);
    let sent_again = || host.run("nstat -asz TcpExtTCPSynRetrans | awk 'NR > 1 { print $2 }'").ok();
    let (before, again) = (requests(), sent_again());
    install(host, "newer.deb");
    let after = requests();
    assert!(after > before, "no request came during the upgrade");
    more(after + 3);
    assert_eq!(sent_again(), again);
    host.run("systemctl stop client").ok();
    let lost = host.run("grep -c lost /run/said").stdout;
    assert_eq!(lost.trim(), "0", "beside {} served", requests());
    assert_eq!(
        host.run("dpkg-query -Wf '${Version} ${Status}' berth").ok(),
        format!("{} install ok installed", newer())
    );
    assert_eq!(web.show("MainPID"), payload);
    web.host.run("rm /run/said").ok();
}

/// Every one of [`TRACES`], a line each.
pub fn traces(host: &Host) -> Vec<String> {
    let listed = host.run(TRACES);
    let mut lines: Vec<String> = listed.stdout.lines().map(str::to_owned).collect();
    lines.sort();
    lines.dedup();
    lines
}

/// Purges berth: of what came since `before`, no more than `kept` is left, and dpkg says of what.
#[track_caller]
pub fn purged(host: &Host, before: &[String], kept: &[&str]) {
    let said = host.run("dpkg --purge berth").ok();
    let left: Vec<_> = traces(host).into_iter().filter(|line| !before.contains(line)).collect();
    let journal = || host.run("journalctl --no-pager -b -n 60 -u 'container@*' -u 'berth*'").stdout;
    assert_eq!(left, kept, "{said}\n{}", journal());
    for root in ["/etc/berth", "/var/lib/berth/volumes", "/etc/systemd/system.control/container@web.service.d"] {
        let told = said.contains(&format!("berth: {root} is kept"));
        assert_eq!(told, kept.iter().any(|path| path.starts_with(root)), "{said}");
    }
}

#[test]
#[ignore = "host ring: make check"]
fn a_container_serves_on_while_its_berth_is_upgraded_and_restarts_with_the_new_one() {
    let host = Host::boot_without("upgraded", files());
    install(&host, "berth.deb");
    assert_eq!(host.run(WANTED).ok(), "active\nactive\nactive");
    assert_eq!(host.run("systemctl is-enabled berth-gc.timer").exits(1), "disabled");
    let web = host.declare("web", WEB);
    host.run("systemctl enable --now container@web").ok();
    served(&host, 8080, "passwd");
    upgrade_under_load(&host, &web);
    host.run("systemctl restart container@web").ok();
    served(&host, 8080, "passwd");
    assert_eq!(host.run("systemctl is-enabled container@web").ok(), "enabled");
    assert_eq!(host.run("systemctl --failed --no-legend").ok(), "");
}

#[test]
#[ignore = "host ring: make check"]
fn a_purge_with_everything_running_leaves_what_is_the_administrators_alone_and_says_so() {
    let host = Host::boot_without("purged", files());
    // systemd's own, as soon as it has to do with any unit of these kinds.
    host.run("mkdir -p /run/systemd/nspawn-uid /run/systemd/transient /var/lib/systemd/timers").ok();
    let before = traces(&host);
    install(&host, "berth.deb");
    let web = host.declare("web", WEB);
    let patient = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";
    let kept = host.declare_shell("kept", "ephemeral = false\n", patient);
    let frozen = host.declare_shell("frozen", "autostart = true\n", patient);
    host.run(
        "set -e
        systemctl enable --now container@web berth-gc.timer
        systemctl start container@kept container@frozen
        systemctl set-property container@web TasksMax=500
        systemctl freeze container@frozen
        tar -C /srv/busybox -c . | berthctl image import - leftover
        berthctl run --detach --name=transient leftover sleep 1000
        berthctl run --name=ended leftover true
        mkdir -p /var/lib/berth/volumes/data
        touch /var/lib/berth/volumes/data/precious",
    )
    .ok();
    served(&host, 8080, "passwd");
    let after = traces(&host);
    for wanted in ["/etc/systemd/system/machines.target.wants/container@web.service", "/var/lib/berth/writable/kept"] {
        assert!(after.iter().any(|line| line == wanted), "{wanted} is not there: {after:?}");
    }
    assert!(after.iter().any(|line| line.starts_with("table inet berth")), "{after:?}");
    let mine = [
        "/etc/berth",
        "/etc/berth/containers",
        "/etc/berth/containers/frozen.toml",
        "/etc/berth/containers/kept.toml",
        "/etc/berth/containers/web.toml",
        "/etc/systemd/system.control",
        "/etc/systemd/system.control/container@web.service.d",
        "/etc/systemd/system.control/container@web.service.d/50-TasksMax.conf",
        "/var/lib/berth/volumes",
        "/var/lib/berth/volumes/data",
        "/var/lib/berth/volumes/data/precious",
    ];
    purged(&host, &before, &mine);
    for container in [&web, &kept, &frozen] {
        assert_eq!(container.show("ActiveState"), "inactive");
    }
    // It finds them where they were.
    install(&host, "newer.deb");
    web.start();
    served(&host, 8080, "passwd");
}

#[test]
#[ignore = "host ring: make check"]
fn a_purge_of_what_nobody_used_leaves_nothing() {
    let host = Host::boot_without("unused", files());
    // An administrator who lets no package start anything (Policy 9.3.3).
    host.run("printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d").ok();
    let before = traces(&host);
    install(&host, "berth.deb");
    assert_eq!(host.run(WANTED).stdout, "inactive\ninactive\ninactive\n");
    host.run("dpkg --remove berth").ok();
    purged(&host, &before, &[]);
}

#[test]
#[ignore = "host ring: make check"]
fn a_vendors_package_brings_a_container_as_long_as_it_is_installed() {
    let host = Host::boot_without("vendor", files());
    let refused = host.run("dpkg --install /root/hello.deb");
    assert!(refused.stderr.contains("berth-hello depends on berth"), "{}", refused.stderr);
    refused.exits(1);
    host.run("dpkg --purge berth-hello").ok();
    install(&host, "berth.deb");
    install(&host, "hello.deb");
    // Nobody reloaded by hand.
    assert_eq!(host.show("container@hello", "Description"), "Hello from a vendor");
    host.run("systemctl enable --now container@hello").ok();
    served(&host, 8088, "index.html");
    let after = host.run("dpkg --purge berth-hello; systemctl show --value -p ActiveState container@hello").ok();
    assert!(after.ends_with("inactive"), "{after}");
    assert_eq!(host.run("berthctl list --all --no-legend").ok(), "");
    eventually(|| {
        let its =
            |line: &String| line.contains("/hello") || line.contains("@hello") || line.contains("table inet berth");
        let left: Vec<_> = traces(&host).into_iter().filter(its).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
}

#[test]
#[ignore = "host ring: make check"]
fn a_package_in_a_chroot_leaves_the_containers_of_the_host_alone() {
    let host = Host::boot_without("chroot", files());
    install(&host, "berth.deb");
    let web = host.declare("web", WEB);
    web.start();
    served(&host, 8080, "passwd");
    // As rescue systems and builders of images have it.
    let script = "set -e
        mkdir -p /run/layers /mnt
        mount -t tmpfs layers /run/layers
        mkdir /run/layers/upper /run/layers/work
        mount -t overlay chroot -o lowerdir=/srv/debian,upperdir=/run/layers/upper,workdir=/run/layers/work /mnt
        for bound in dev proc run; do mount --rbind /$bound /mnt/$bound; done
        cp /root/berth.deb /mnt/root/
        chroot /mnt dpkg --install /root/berth.deb
        chroot /mnt dpkg --purge berth";
    let state =
        "nft list table inet berth; find /run/berth; ip -o link | cut -d: -f2; systemctl is-active berth-names.socket";
    let before = host.run(state).ok();
    host.run(script).ok();
    assert_eq!(host.run(state).ok(), before);
    assert_eq!(web.show("ActiveState"), "active");
    served(&host, 8080, "passwd");
}

#[test]
#[ignore = "host ring: make check"]
fn berth_stays_while_a_container_has_an_interface_of_the_hosts() {
    let host = Host::boot_without("holding", files());
    install(&host, "berth.deb");
    let kept = "/run/berth/state/containers/moved/netns";
    host.run(&format!("mkdir -p $(dirname {kept}) && touch {kept} && mount --bind /proc/self/ns/net {kept}")).ok();
    let refused = host.run("dpkg --purge berth");
    assert!(refused.stderr.contains("container moved still has an interface of the host's"), "{}", refused.stderr);
    refused.exits(1);
    assert_eq!(host.run("dpkg-query -Wf '${Status}' berth").ok(), "purge ok installed");
    assert_eq!(host.run(WANTED).ok(), "active\nactive\nactive");
    host.run(&format!("umount {kept}; dpkg --purge berth")).ok();
}
