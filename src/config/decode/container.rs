//! The keys at the top of the file that say what the container is.

use std::time::Duration;

use super::{mounts, network, process, security, sockets, verbatim};
use crate::config::diagnostics::Mistake;
use crate::config::item::{Item, Section};
use crate::config::tree::Place;
use crate::config::{
    Container, LinkJournal, Notify, Os, Pull, PullPolicy, RootSource, Timezone, Volatile, parse, schema,
};

/// As runtime-spec and every engine have it.
const SHM_SIZE: u64 = 64 << 20;

const VOLATILE: [(&str, Volatile); 4] =
    [("no", Volatile::No), ("yes", Volatile::Yes), ("state", Volatile::State), ("overlay", Volatile::Overlay)];

pub fn decode(root: Section) -> Container {
    Container {
        description: root.read("description", Item::line).map(str::to_owned),
        source: source(root),
        autostart: root.flag("autostart"),
        boot: root.flag("boot"),
        init: root.flag("init"),
        entrypoint: root.read("entrypoint", process::command),
        command: root.read("command", process::command),
        environment: process::environment(root),
        environment_files: root.list("environment-files", |item| item.parsed(parse::environment_file)),
        environment_pass: root.list("environment-pass", process::passed_variable),
        http_proxy: root.flag("http-proxy"),
        working_directory: root.read("working-directory", |item| item.parsed(parse::absolute)),
        user: root.read("user", |item| item.amount("a string or an integer", parse::user)),
        groups: root.list("groups", |item| item.amount("a string or an integer", parse::user_or_group)),
        umask: root.read("umask", process::umask).unwrap_or(0o022),
        hostname: root.read("hostname", |item| item.parsed(parse::hostname)),
        timezone: root.read("timezone", timezone).unwrap_or(Timezone::Host),
        stop_signal: root.read("stop-signal", process::signal),
        reload: process::reload(root),
        notify: root
            .read("notify", |item| item.word(&[("executor", Notify::Executor), ("container", Notify::Container)])),
        tty: root.flag("tty"),
        ephemeral: root.read("ephemeral", Item::boolean),
        read_only: root.flag("read-only"),
        volatile: root.read("volatile", |item| item.word(&VOLATILE)).unwrap_or(Volatile::No),
        shm_size: root.read("shm-size", |item| item.amount("a size", parse::bytes)).unwrap_or(SHM_SIZE),
        devices: root.list("devices", |item| item.parsed(parse::device)),
        labels: process::labels(root, "labels"),
        annotations: process::labels(root, "annotations"),
        pull: pull(root.section("pull", &schema::PULL)),
        mounts: mounts::decode(root),
        namespaces: security::namespaces(root.section("namespaces", &schema::NAMESPACES)),
        security: security::decode(root.section("security", &schema::SECURITY)),
        sysctls: process::sysctls(root),
        rlimits: process::rlimits(root),
        network: network::decode(root.section("network", &schema::NETWORK)),
        sockets: sockets::decode(root),
        os: os(root.section("os", &schema::OS)),
        verbatim: verbatim::decode(root),
    }
}

/// Exactly one of `image` and `rootfs`. What stands in for neither is never handed out: the absence is reported.
fn source(root: Section) -> RootSource {
    match (root.place("image"), root.place("rootfs")) {
        (Some(image), Some(rootfs)) => {
            let (second, first) = if image > rootfs { (image, rootfs) } else { (rootfs, image) };
            let message = "“image” and “rootfs” exclude each other: a container has one root";
            let other = root.report.seen_from(second, first);
            root.report.add(second, Mistake::new(message, format!("the other one is in {other}; keep one of the two")));
        }
        // A key that is nearly one of the two is reported already.
        (None, None) if root.has_nearly(&["image", "rootfs"]) => {}
        (None, None) => {
            let mistake = Mistake::new("neither “image” nor “rootfs” is set", "write image = \"…\" or rootfs = \"…\"");
            root.report.add(&Place::top(0), mistake);
        }
        _ => {}
    }
    let image = root.read("image", |item| item.parsed(parse::image)).map(RootSource::Image);
    let rootfs = root.read("rootfs", |item| item.parsed(parse::root_source)).map(RootSource::RootFs);
    image.or(rootfs).unwrap_or_else(|| RootSource::RootFs(String::new()))
}

fn timezone(item: Item) -> Option<Timezone> {
    item.parsed(|text| match text {
        "host" => Ok(Timezone::Host),
        "off" => Ok(Timezone::Off),
        zone => parse::timezone(zone).map(Timezone::Zone),
    })
}

fn os(section: Section) -> Os {
    let links = [
        ("no", LinkJournal::No),
        ("guest", LinkJournal::Guest),
        ("try-guest", LinkJournal::TryGuest),
        ("host", LinkJournal::Host),
        ("try-host", LinkJournal::TryHost),
    ];
    Os {
        machine_id: section.read("machine-id", machine_id).flatten(),
        link_journal: section.read("link-journal", |item| item.word(&links)).unwrap_or(LinkJournal::TryGuest),
        nesting: section.read("nesting", |item| item.boolean()).unwrap_or(false),
    }
}

/// As machine-id(5) has it; `auto` is `None`.
fn machine_id(item: Item) -> Option<Option<String>> {
    let is_id = |text: &str| {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        text.len() == 32 && digits && text.bytes().any(|byte| byte != b'0')
    };
    item.parsed(|text| match text {
        "auto" => Ok(None),
        id if is_id(id) => Ok(Some(id.to_owned())),
        other => Err(Mistake::not(other, "“auto” or 32 hexadecimal digits in lower case, not all of them 0")),
    })
}

fn pull(section: Section) -> Pull {
    let policies = [
        ("missing", PullPolicy::Missing),
        ("always", PullPolicy::Always),
        ("newer", PullPolicy::Newer),
        ("never", PullPolicy::Never),
    ];
    let retry = section.read("retry", |item| item.integer(0, 100)).unwrap_or(3);
    Pull {
        policy: section.read("policy", |item| item.word(&policies)).unwrap_or(PullPolicy::Missing),
        platform: section.read("platform", |item| item.parsed(parse::platform)),
        retry: u32::try_from(retry).unwrap_or_default(),
        retry_delay: section
            .read("retry-delay", |item| item.amount("a time span", parse::duration))
            .unwrap_or(Duration::from_secs(2)),
    }
}
