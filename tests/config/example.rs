//! The schema by example, without the keys that are not there yet, means what it says.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use berth::config::{
    AppArmor, CapabilityChanges, EnvironmentFile, ExtraInterface, ExtraInterfaceKind, MacAddress, MacvlanMode,
    NamespaceMode, Namespaces, NetworkName, Parent, Protocol, Publish, UserSpec,
};

use super::*;

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_example_means_what_it_says() {
    let container = parse(include_str!("example.toml")).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    let paths = |words: &[&str]| words.iter().map(PathBuf::from).collect::<Vec<_>>();
    assert_eq!(container.description.as_deref(), Some("Front web server"));
    assert_eq!(container.source, RootSource::Image("docker.io/library/nginx:1.27".to_owned()));
    assert!(!container.autostart && !container.boot && !container.init && !container.http_proxy && !container.tty);
    assert_eq!(container.entrypoint, Some(strings(&["/docker-entrypoint.sh"])));
    assert_eq!(container.command, Some(strings(&["nginx", "-g", "daemon off;"])));
    assert_eq!(container.environment, map(&[("TZ", "UTC"), ("MODE", "live")]));
    let file = |path: &str, optional| EnvironmentFile { path: path.into(), optional };
    let expected = [file("/etc/berth/web.env", false), file("/etc/berth/web.local.env", true)];
    assert_eq!(container.environment_files, expected);
    assert_eq!(container.environment_pass, ["LANG"]);
    assert_eq!(container.working_directory, Some("/srv".into()));
    assert_eq!(container.user, Some(UserSpec { user: "www-data".into(), group: Some("www-data".into()) }));
    assert_eq!(container.groups, ["adm"]);
    assert_eq!(container.umask, 0o22);
    assert_eq!(container.hostname.as_deref(), Some("web"));
    assert_eq!(container.timezone, Timezone::Host);
    assert_eq!(container.stop_signal, Some(Signal(3)));
    assert_eq!(container.reload, Some(Reload::Signal(Signal(1))));
    assert_eq!(container.notify, Some(Notify::Executor));
    assert_eq!(container.ephemeral, Some(true));
    assert!(!container.read_only);
    assert_eq!(container.volatile, Volatile::No);
    assert_eq!(container.shm_size, 64 << 20);
    let device =
        |host: &str, mknod| Device { host: host.into(), container: host.into(), read: true, write: true, mknod };
    assert_eq!(container.devices, [device("/dev/fuse", true), device("/dev/dri", false)]);
    assert_eq!(container.labels, map(&[("org.example.tier", "front")]));
    assert_eq!(container.annotations, map(&[("org.example.owner", "ops")]));
    let platform = Some("linux/amd64".to_owned());
    let retry_delay = Duration::from_secs(2);
    assert_eq!(container.pull, Pull { policy: PullPolicy::Missing, platform, retry: 3, retry_delay });
    assert_eq!(container.mounts, mounts());
    let private = || NamespaceMode::Private;
    assert_eq!(container.namespaces, Namespaces { pid: private(), ipc: private(), uts: private(), cgroup: private() });
    let security = &container.security;
    assert!(!security.privileged && security.insecure.is_empty());
    assert_eq!(security.no_new_privileges, Some(true));
    assert_eq!((&security.seccomp, &security.apparmor), (&SeccompSource::Default, &AppArmor::Default));
    assert_eq!(security.selinux_label, None);
    assert_eq!(security.masked_paths, paths(&["/proc/custom"]));
    assert!(security.unmasked_paths.is_empty() && security.read_only_paths.is_empty());
    let (add, drop) = (strings(&["CAP_NET_RAW"]), strings(&["CAP_MKNOD"]));
    assert_eq!(security.capabilities, CapabilityChanges { add, drop, ambient: vec![] });
    assert_eq!(security.user_namespace, UserNamespace::Fixed { base: 1_000_000_000, size: 65_536 });
    assert_eq!(container.sysctls, map(&[("net.core.somaxconn", "1024")]));
    let range = LimitRange { soft: Some(1024), hard: Some(65_536) };
    assert_eq!(container.rlimits, BTreeMap::from([(ResourceLimit::Nofile, range)]));
    let network = &container.network;
    assert_eq!(network.mode, NetworkMode::Bridge);
    let names: Vec<&str> = network.networks.iter().map(NetworkName::as_str).collect();
    assert_eq!(names, ["default", "backend"]);
    let port = |address: Option<&str>, host, container, protocol| Publish {
        address: address.map(|address| address.parse().unwrap()),
        host: Some(host),
        container,
        protocol,
    };
    let expected = [
        port(None, 8080..=8080, 80..=80, Protocol::Tcp),
        port(Some("127.0.0.1"), 8443..=8443, 443..=443, Protocol::Tcp),
        port(Some("::"), 9000..=9009, 9000..=9009, Protocol::Udp),
    ];
    assert_eq!(network.publish, expected);
    assert_eq!(network.aliases, ["www"]);
    assert_eq!(network.ip, ["10.88.0.10", "fd00::10"].map(|ip| ip.parse::<IpAddr>().unwrap()));
    assert_eq!(network.mac, Some(MacAddress([2, 0, 0, 0, 0, 0x10])));
    let parent = Parent { interface: "eth1".to_owned(), vlan: None };
    let kind = ExtraInterfaceKind::Macvlan { parent, mode: MacvlanMode::Bridge };
    assert_eq!(network.interfaces, [ExtraInterface { kind, name: Some("lan0".to_owned()) }]);
    assert_eq!(network.dns, ["10.0.0.53"]);
    assert_eq!(
        (&network.dns_search[..], &network.dns_options[..]),
        (&strings(&["example.org"])[..], &strings(&["ndots:1"])[..])
    );
    assert_eq!(network.hosts, map(&[("db", "10.88.0.20")]));
    assert_eq!(network.resolv_conf, ResolvConf::Auto);
    let socket = |key: &str, value: &str| VerbatimSetting {
        section: VerbatimSection::Socket,
        key: key.to_owned(),
        values: strings(&[value]),
    };
    let settings = vec![socket("ListenStream", "0.0.0.0:80"), socket("FileDescriptorName", "http")];
    assert_eq!(container.sockets, [Socket { settings }]);
    assert_eq!(container.verbatim, verbatim());
    berth::unit::properties(&container, None, &|_| None).unwrap();
}

fn mounts() -> Vec<Mount> {
    let mount = |target: &str, kind| Mount { target: target.into(), kind, read_only: false, options: vec![] };
    vec![
        Mount {
            target: "/usr/share/nginx/html".into(),
            kind: MountKind::Bind {
                source: "/srv/www".into(),
                recursive: true,
                propagation: Propagation::Private,
                idmap: Idmap::Auto,
                optional: false,
            },
            read_only: true,
            options: strings(&["noexec", "nosuid"]),
        },
        mount("/var/cache/nginx", MountKind::Tmpfs { size: Some(64 << 20), mode: 0o755 }),
        mount("/srv/merged", MountKind::Overlay { lower: vec!["/srv/base".into(), "/srv/site".into()], upper: None }),
        mount("/usr/share/doc", MountKind::Inaccessible),
    ]
}

fn verbatim() -> Vec<VerbatimSetting> {
    use VerbatimSection::{Install, Resources, Service, Unit};
    [
        (Unit, "After", "container@db.service"),
        (Unit, "Requires", "container@db.service"),
        (Service, "Restart", "on-failure"),
        (Service, "RestartSec", "2s"),
        (Service, "TimeoutStopSec", "30s"),
        (Service, "LoadCredential", "tls.key:/etc/ssl/private/web.key"),
        (Resources, "Slice", "machine-web.slice"),
        (Resources, "MemoryMax", "512M"),
        (Resources, "CPUQuota", "150%"),
        (Resources, "TasksMax", "512"),
        (Install, "WantedBy", "multi-user.target"),
    ]
    .map(|(section, key, value)| VerbatimSetting { section, key: key.to_owned(), values: vec![value.to_owned()] })
    .to_vec()
}

#[test]
fn what_is_not_written_has_its_default() {
    let container = parse("rootfs = \"deb\"").unwrap();
    assert_eq!(container.source, RootSource::RootFs("deb".to_owned()));
    assert_eq!((container.entrypoint, container.command, container.ephemeral), (None, None, None));
    assert_eq!((container.umask, container.shm_size), (0o22, 64 << 20));
    assert_eq!((container.network.mode, container.network.networks.len()), (NetworkMode::Bridge, 1));
    assert_eq!(container.security.user_namespace, UserNamespace::Auto { size: 65_536 });
    assert_eq!(container.security.no_new_privileges, None);
    assert!(container.verbatim.is_empty() && container.mounts.is_empty());
}

#[test]
fn numbers_and_booleans_are_written_as_systemd_writes_them() {
    let text = "image = \"x\"\n[service]\nSendSIGHUP = true\nOOMScoreAdjust = -5\nRestartSec = 1.5\n[resources]\nTasksMax = 10";
    let container = parse(text).unwrap();
    let service = |key| values(&container, VerbatimSection::Service, key).unwrap();
    assert_eq!(
        (service("SendSIGHUP"), service("OOMScoreAdjust"), service("RestartSec")),
        (strings(&["yes"]), strings(&["-5"]), strings(&["1.5"]))
    );
}

#[test]
fn dropping_all_capabilities_leaves_those_that_are_added() {
    let container = parse("image = \"x\"\n[security.capabilities]\ndrop = [\"ALL\"]\nadd = [\"CAP_CHOWN\"]").unwrap();
    let capabilities = container.security.capabilities;
    assert_eq!((capabilities.add, capabilities.drop.len()), (strings(&["CAP_CHOWN"]), 40));
    assert!(!capabilities.drop.contains(&"CAP_CHOWN".to_owned()));
}
