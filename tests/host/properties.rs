//! Every setting of berth's table means the same to systemd as text in a unit file and as a variant over D-Bus.
//!
//! Neither unit runs: a condition that fails keeps the transient one from starting, and a reference keeps it loaded.

use std::collections::{BTreeMap, BTreeSet};

use berth::unit::table;
use berth::unit::{Bus, Kind, Property, Setting, text, variants};
use zbus::{OwnedObjectPath, OwnedVariant, Variant};

use crate::ring::Host;

/// What every unit of the test has: a service that would run, and does not.
const COMMON: &str = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n";

/// Lines to assign, in the unit file's form; several for kinds that have several shapes.
fn samples(setting: &Setting) -> Vec<&'static str> {
    match (setting.name, setting.kind) {
        ("Type", _) => vec!["notify"],
        ("Restart", _) => vec!["on-failure", "on-abnormal"],
        ("Documentation", _) => vec!["man:berth(1) https://example.org/"],
        ("SourcePath", _) => vec!["/srv/source"],
        ("LogNamespace", _) => vec!["bed"],
        ("Conflicts", _) => vec!["rescue.service"],
        // Over D-Bus systemd has no share for these, nor has systemd-run.
        (name, Kind::Memory) if name.starts_with("Startup") => vec!["512M", "infinity"],
        ("CPUSchedulingPriority", _) => vec!["5"],
        ("SocketUser" | "SocketGroup", _) => vec!["root", "0"],
        ("BindToDevice", _) => vec!["lo"],
        ("TCPCongestion", _) => vec!["cubic"],
        (_, Kind::Bool) => vec!["yes", "no"],
        (_, Kind::Word(words)) => words.to_vec(),
        (_, Kind::Named(names)) => names.iter().map(|(name, _)| *name).collect(),
        (_, Kind::Text) => vec!["a \"quoted\" line, 100%% of it"],
        (_, Kind::Slice) => vec!["machine-bed.slice"],
        (_, Kind::Unsigned) => vec!["7"],
        (_, Kind::Integer { .. }) => vec!["3"],
        (_, Kind::Signal) => vec!["SIGQUIT", "SIGRTMIN+3"],
        (_, Kind::Mode) => vec!["0750"],
        (_, Kind::Bytes) => vec!["64K", "1000"],
        ("ListenSequentialPacket", _) => vec!["/run/bed", "@bed"],
        (_, Kind::Address) => vec!["7000", "127.0.0.1:7000", "[::1]:7000", "[fe80::1]:7000%%lo", "/run/bed", "@bed"],
        (_, Kind::Node) => vec!["/run/bed"],
        (_, Kind::Lines) => vec!["kobject-uevent 1"],
        (_, Kind::DescriptorName) => vec!["bed"],
        (_, Kind::Large) => vec!["12345"],
        (_, Kind::Span | Kind::Timeout) => vec!["90s", "1min 30s 5ms", "infinity"],
        (_, Kind::Nanoseconds) => vec!["70us", "5"],
        (_, Kind::Memory) => vec!["512M", "1.5G", "50%", "infinity"],
        (_, Kind::Tasks) => vec!["512", "40%", "infinity"],
        (_, Kind::Weight { idle: true }) => vec!["200", "idle"],
        (_, Kind::Weight { idle: false }) => vec!["200"],
        (_, Kind::Quota) => vec!["150%", "33.3%"],
        (_, Kind::Share) => vec!["60%", "12.5%"],
        (_, Kind::Units) => vec!["one.service two@a\\x2db.service"],
        (_, Kind::Names) => vec!["cpu memory"],
        (_, Kind::Paths) => vec!["/srv/one /srv/two"],
        (_, Kind::Directories) => vec!["bed bed/below"],
        (_, Kind::Assignments) => vec!["ONE=1 \"TWO=a b\\nc\" THREE=50%%"],
        (_, Kind::Fields) => vec!["ONE=1 \"TWO=a b\""],
        (_, Kind::Devices) => vec!["/dev/null rw", "char-pts rwm"],
        (_, Kind::PathAmount) => vec!["/dev/null 5M", "/dev/null 1500"],
        (_, Kind::PathWeight) => vec!["/dev/null 300"],
        (_, Kind::PathSpan) => vec!["/dev/null 25ms"],
        (_, Kind::Credential) => vec!["token:/etc/hostname"],
        (_, Kind::CredentialData) => vec!["token:a b\\x00\\n%%"],
        (_, Kind::Program) => vec!["egress:/sys/fs/bpf/bed"],
        (_, Kind::Prefixes) => vec!["10.0.0.0/8 ::1", "any", "localhost"],
        (_, Kind::Ports) => vec!["tcp:8000-8010", "ipv4:udp:53", "any"],
        (_, Kind::Interfaces) => vec!["lo eth0", "~lo"],
        (_, Kind::Set) => vec!["0-1", "0"],
        (_, Kind::Command) => vec!["/bin/echo \"two words\" 50%%", "-/bin/false", "+/bin/true"],
        (_, Kind::Statuses) => vec!["3 250 SIGUSR1"],
        (_, Kind::ConditionText) => vec!["sample", "|!sample"],
        (_, Kind::ConditionPath) => vec!["/sample", "!/sample"],
        (_, Kind::Input) => vec!["null", "file:/etc/hostname"],
        (_, Kind::Output) => vec!["journal", "null", "append:/run/bed.log", "truncate:/run/bed.log"],
        (_, Kind::Delegate) => vec!["yes", "cpu memory"],
    }
}

/// The properties of one unit, each as the words of its value.
type Shown = BTreeMap<String, Vec<String>>;

/// `systemctl show` of many units at once, in their order.
fn show(host: &Host, units: &[String]) -> Vec<Shown> {
    let shown = host.run(&format!("systemctl show --all {}", units.join(" "))).ok();
    let blocks: Vec<_> = shown.split("\n\n").filter(|block| !block.trim().is_empty()).collect();
    assert_eq!(blocks.len(), units.len());
    blocks.into_iter().map(properties).collect()
}

fn properties(block: &str) -> Shown {
    let mut shown = Shown::new();
    for (name, value) in block.lines().filter_map(|line| line.split_once('=')) {
        // What a command did is no setting of it.
        let value = value.split(" ; start_time=").next().unwrap_or_default();
        let words = shown.entry(name.to_owned()).or_default();
        words.extend(value.split_whitespace().map(str::to_owned));
        words.sort();
    }
    shown
}

/// What one property gained and lost against a unit without the sample.
fn change(with: &Shown, without: &Shown, name: &str) -> (Vec<String>, Vec<String>) {
    let none = Vec::new();
    let (with, without) = (with.get(name).unwrap_or(&none), without.get(name).unwrap_or(&none));
    let beyond = |one: &[String], other: &[String]| {
        let mut rest = other.to_vec();
        let missing =
            |word: &&String| rest.iter().position(|next| next == *word).map(|at| rest.swap_remove(at)).is_none();
        one.iter().filter(missing).cloned().collect::<Vec<_>>()
    };
    (beyond(with, without), beyond(without, with))
}

/// How many transient units one connection keeps loaded. For each, systemd watches the connection with a match rule of
/// its own, and dbus-daemon grants it 512 (dbus-daemon(1), `max_match_rules_per_connection`).
const BATCH: usize = 100;

/// Settings that are compared by what the bus says of them: systemctl shows them not at all, or with their outcome.
const UNSHOWN: [&str; 4] = ["Condition", "Assert", "LoadCred", "SetCred"];

/// A unit's own names and places, which differ from unit to unit.
const IDENTITY: [&str; 4] = ["Id", "Names", "FragmentPath", "DropInPaths"];

#[test]
#[ignore = "host ring: make check"]
fn every_setting_means_the_same_as_text_and_over_the_bus() {
    // A transient unit that does not run may go at the reload any other test asks for.
    let host = &Host::boot("properties");
    let version: u16 =
        host.run("systemctl --version").ok().split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap();
    let mut cases: Vec<(String, Option<Property>)> = vec![("nothing".to_owned(), None)];
    for setting in table::all().filter(|setting| setting.since <= version && setting.bus == Bus::Accepted) {
        for sample in samples(setting) {
            let property = setting.parse(sample).unwrap_or_else(|error| panic!("{}={sample}: {error}", setting.name));
            cases.push((format!("{}={sample}", setting.name), Some(property)));
        }
    }
    let written: Vec<String> = (0..cases.len()).map(|number| format!("bed-text-{number}.service")).collect();
    let started: Vec<String> = (0..cases.len()).map(|number| format!("bed-bus-{number}.service")).collect();
    let mut script = String::from("cd /run/systemd/system\n");
    for (unit, (_, property)) in written.iter().zip(&cases) {
        let sample = property.as_ref().map(|property| text(std::slice::from_ref(property))).unwrap_or_default();
        let condition = "[Unit]\nConditionPathExists=!/\nDescription=a unit of the test\n";
        script.push_str(&format!("cat >{unit} <<'ENDS'\n{condition}{COMMON}{sample}ENDS\n"));
    }
    for named in ["one.service", "two@.service"] {
        script.push_str(&format!("cat >{named} <<'ENDS'\n{COMMON}ENDS\n"));
    }
    host.write("/root/units.sh", &script);
    host.run("bash -e /root/units.sh && systemctl daemon-reload").ok();
    let (mut of_text, mut of_bus, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for batch in (0..cases.len()).collect::<Vec<_>>().chunks(BATCH) {
        let (first, last) = (batch[0], batch[batch.len() - 1]);
        let bus = SystemBus::connect(host);
        for number in first..=last {
            let (case, property) = &cases[number];
            if let Err(error) = bus.start(&started[number], property.as_ref()) {
                refused.push(format!("{case}: systemd refuses it over D-Bus: {error}"));
            }
        }
        for (units, of_all) in [(&written, &mut of_text), (&started, &mut of_bus)] {
            of_all.extend(show(host, &units[first..=last]));
            for number in first..=last {
                let (case, shown) = (&cases[number].0, &mut of_all[number]);
                assert_eq!(shown["LoadState"], ["loaded"], "{case}: {} is not there any more", units[number]);
                if number == 0 || UNSHOWN.iter().any(|start| case.starts_with(start)) {
                    shown.extend(bus.unshown(&units[number]));
                }
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    host.run("rm /run/systemd/system/bed-text-*; systemctl daemon-reload").ok();
    let (mut wrong, mut silent, mut told) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (number, (case, property)) in cases.iter().enumerate().skip(1) {
        let changed: Vec<_> = of_text[number]
            .keys()
            .filter(|name| {
                !IDENTITY.contains(&name.as_str()) && change(&of_text[number], &of_text[0], name) != (vec![], vec![])
            })
            .collect();
        let name = property.as_ref().map(Property::name).unwrap_or_default();
        if changed.is_empty() {
            silent.push(name);
        } else {
            told.insert(name);
        }
        for key in changed {
            let by_text = change(&of_text[number], &of_text[0], key);
            let by_bus = change(&of_bus[number], &of_bus[0], key);
            if by_text != by_bus {
                wrong.push(format!("{case}: {key}: text {by_text:?}, bus {by_bus:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    // A sample that equals the default shows nothing; one of a setting's samples must.
    let untold: BTreeSet<_> = silent.into_iter().filter(|name| !told.contains(name)).collect();
    assert!(untold.is_empty(), "no sample changed anything systemctl shows: {untold:?}");
}

/// The host's system bus, spoken to from here.
struct SystemBus(zbus::Connection);

impl SystemBus {
    fn connect(host: &Host) -> Self {
        let address = format!("unix:path=/proc/{}/root/run/dbus/system_bus_socket", host.leader());
        let builder = zbus::connection::Builder::address(address.as_str());
        SystemBus(zbus::block_on(builder.build()).unwrap())
    }

    /// Makes the transient unit, which stays loaded while the connection lasts.
    fn start(&self, unit: &str, property: Option<&Property>) -> zbus::Result<()> {
        let common =
            ["Type=oneshot", "ExecStart=/bin/true", "ConditionPathExists=!/", "Description=a unit of the test"];
        let mut properties: Vec<Property> = common
            .iter()
            .map(|line| {
                let (name, value) = line.split_once('=').unwrap();
                table::find(name).unwrap().parse(value).unwrap()
            })
            .collect();
        properties.extend(property.cloned());
        let typed = variants(&properties);
        let keep = Variant::from(true);
        let mut all: Vec<(&str, &Variant<'_>)> = vec![("AddRef", &keep), ("RemainAfterExit", &keep)];
        all.extend(typed.iter().map(|(name, value)| (name.as_str(), &**value)));
        let none: [(&str, &[(&str, &Variant<'_>)]); 0] = [];
        let reply = zbus::block_on(self.0.call_method(
            Some("org.freedesktop.systemd1"),
            "/org/freedesktop/systemd1",
            Some("org.freedesktop.systemd1.Manager"),
            "StartTransientUnit",
            &(unit, "fail", all.as_slice(), none.as_slice()),
        ))?;
        reply.body().deserialize::<OwnedObjectPath>().map(drop)
    }

    /// What systemctl does not show of a unit: its conditions, without how they turned out, and its credentials.
    fn unshown(&self, unit: &str) -> Shown {
        let manager = ("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager");
        let path: OwnedObjectPath = self.call(manager, "LoadUnit", &unit);
        let get = |interface: &str, name: &str| -> OwnedVariant {
            let interface = format!("org.freedesktop.systemd1.{interface}");
            self.call((path.as_str(), "org.freedesktop.DBus.Properties"), "Get", &(interface, name))
        };
        let mut shown = Shown::new();
        for name in ["Conditions", "Asserts"] {
            let all: Vec<(String, bool, bool, String, i32)> = get("Unit", name).try_into().unwrap();
            let words = all.into_iter().map(|(kind, trigger, negate, of, _)| format!("{kind} {trigger} {negate} {of}"));
            shown.insert(name.to_owned(), words.collect());
        }
        for name in ["LoadCredential", "LoadCredentialEncrypted", "SetCredential"] {
            shown.insert(name.to_owned(), vec![format!("{:?}", get("Service", name))]);
        }
        shown
    }

    fn call<B, R>(&self, (path, interface): (&str, &str), method: &str, body: &B) -> R
    where
        B: serde::Serialize + zbus::DynamicType,
        R: for<'d> zbus::wire::DynamicDeserialize<'d>,
    {
        let service = Some("org.freedesktop.systemd1");
        let reply = zbus::block_on(self.0.call_method(service, path, Some(interface), method, body)).unwrap();
        reply.body().deserialize().unwrap()
    }
}

/// What a `[[socket]]` may say is written to a unit file only, where systemd complains of what it does not take.
#[test]
#[ignore = "host ring: make check"]
fn every_setting_of_a_socket_is_taken_by_systemd() {
    let host = &Host::boot("socket-settings");
    let version: u16 =
        host.run("systemctl --version").ok().split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap();
    let mut script = format!("cd /run/systemd/system\nprintf '{}' >bed.service\n", COMMON.replace('\n', "\\n"));
    let mut count = 0;
    for setting in table::sockets().filter(|setting| setting.since <= version) {
        for sample in samples(setting) {
            let property = setting.parse(sample).unwrap_or_else(|error| panic!("{}={sample}: {error}", setting.name));
            let own = text(&[property]);
            let socket = format!("[Socket]\nListenStream=/run/bed-{count}\nService=bed.service\n");
            script.push_str(&format!("cat >bed-{count}.socket <<'ENDS'\n{socket}{own}ENDS\n"));
            count += 1;
        }
    }
    assert!(count > 80, "only {count} cases");
    // And that it does complain.
    script.push_str(
        "printf '[Socket]\\nListenStream=/run/x\\nService=bed.service\\nNoDelay=perhaps\\n' >bed-wrong.socket\n",
    );
    host.write("/root/sockets.sh", &script);
    let complaints =
        host.run("bash -e /root/sockets.sh && systemd-analyze verify /run/systemd/system/bed-*.socket 2>&1").stdout;
    let of_ours: Vec<&str> = complaints.lines().filter(|line| line.contains("bed-")).collect();
    assert!(of_ours.len() == 1 && of_ours[0].contains("bed-wrong.socket"), "{complaints}");
}
