//! What must hold for any bytes at all. Run by libFuzzer (fuzz_targets/) and, over the corpora, by tests/corpus.rs.

// Each program uses one of them.
#![allow(dead_code)]

use std::path::Path;

use berth::Scope;
use berth::config::{ContainerName, Diagnostics, Driver, Network, NetworkName, NetworkSources, Sources};
use berth::executor::passwd;
use berth::image::trust::{Message, Rule, Trust, TrustError};
use berth::image::{Digest, ImportOptions, Reference, Registries, RegistriesError, Silent, Store, unpack_bytes};
use berth::network::names::{Answer, Answerer, Known};
use berth::network::state::{Live, LiveSubnet, Member};

/// A container's file, or a network's: understood, or refused at a place that is in it; and no value becomes a setting of its own.
pub fn toml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for name in ["web", "web@blue"] {
        let name: ContainerName = name.parse().expect("a name");
        match Sources::from_text(name, text).parse() {
            Ok(container) => {
                for publish in &container.network.publish {
                    assert_eq!(
                        publish.host.as_ref().map_or(publish.container.len(), |host| host.len()),
                        publish.container.len()
                    );
                }
                let Ok(properties) = berth::unit::properties(&container, None, &|_| None) else { continue };
                let unit = berth::unit::text(&properties);
                let mut continued = false;
                for line in unit.lines().filter(|line| !line.is_empty()) {
                    let is_setting = line.split_once('=').is_some_and(|(key, _)| {
                        key.starts_with("X-") || berth::unit::table::all().any(|setting| setting.name == key)
                    });
                    let is_section = ["[Unit]", "[Service]", "[Install]"].contains(&line);
                    assert!(continued || is_setting || is_section, "{line:?} of {unit:?}");
                    continued = line.ends_with('\\');
                }
            }
            Err(diagnostics) => point_into(text, &diagnostics),
        }
    }
    match NetworkSources::from_text(NetworkName::default(), text).parse() {
        Ok(network) => addresses(&network),
        Err(diagnostics) => point_into(text, &diagnostics),
    }
}

fn point_into(text: &str, diagnostics: &Diagnostics) {
    let lines = text.split('\n').count();
    assert!(diagnostics.problems().all(|problem| (1..=lines).contains(&problem.line)), "{diagnostics}");
    assert!(!diagnostics.first_line().contains('\n'));
}

/// A network that is understood has subnets of its own, each with what is in it alone.
fn addresses(network: &Network) {
    for (at, subnet) in network.subnets.iter().enumerate() {
        assert!(subnet.gateway.is_none_or(|gateway| subnet.subnet.contains(&gateway)), "{network:?}");
        assert!(subnet.range.is_none_or(|range| subnet.subnet.contains(&range)), "{network:?}");
        assert!(network.subnets[..at].iter().all(|other| !other.subnet.contains(&subnet.subnet)), "{network:?}");
    }
    let on = match &network.driver {
        Driver::Bridge => return,
        Driver::Macvlan { parent, .. } | Driver::Ipvlan { parent, .. } => parent,
    };
    assert!((1..=15).contains(&on.interface.len()) && !network.subnets.is_empty(), "{network:?}");
}

/// A user, a passwd and a group file, with a NUL between them: the kernel's “no id” is never anybody's.
pub fn passwd(data: &[u8]) {
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let (user, accounts, groups) = (parts.next(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Some(Ok(user)) = user.map(std::str::from_utf8) else { return };
    let Ok(identity) = passwd::resolve(Some(user), &[], accounts, groups) else { return };
    assert!(identity.uid != u32::MAX && identity.groups.iter().all(|gid| *gid != u32::MAX), "{identity:?}");
    assert_eq!(identity.groups.first(), Some(&identity.gid));
    assert!(identity.home.is_none_or(|home| home.starts_with('/') && !home.contains('\0')));
    let number = user.split(':').next().unwrap_or_default();
    if let Ok(uid) = number.parse::<u32>() {
        assert_eq!(identity.uid, uid, "a number stands for another user");
    }
}

/// A name on the first line, a registries.conf after it: understood, or refused at a line that is in it; and what a name
/// leads to is always a registry and a path on it.
pub fn registries(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (name, settings) = text.split_once('\n').unwrap_or((text, ""));
    let found = match Registries::merge(&[("registries.conf".into(), settings.to_owned())]) {
        Ok(registries) => name.parse::<Reference>().map(|name| registries.resolve(&name)),
        Err(error) => Ok(Err(error)),
    };
    match found {
        Ok(Ok(found)) => {
            for whereabouts in found {
                assert!(!whereabouts.places.is_empty(), "{whereabouts:?}");
                for place in whereabouts.places {
                    let parsed: Reference = format!("{}/{}", place.host, place.path).parse().expect("a name");
                    assert_eq!((parsed.host(), parsed.path()), (Some(place.host.as_str()), place.path.as_str()));
                }
            }
        }
        Ok(Err(error)) => {
            assert!(!error.to_string().contains('\n'), "{error}");
            if let RegistriesError::At { line, .. } = error {
                assert!((1..=settings.split('\n').count()).contains(&line), "{error}");
            }
        }
        Err(_) => {}
    }
}

/// A layer's archive: whatever it says, only its own directory is written to.
pub fn archive(data: &[u8]) {
    let place = tempfile::tempdir().expect("a directory");
    let victim = place.path().join("victim");
    std::fs::write(&victim, "kept").expect("a file");
    let directory = place.path().join("unpacked");
    std::fs::create_dir(&directory).expect("a directory");
    let unpacked = unpack_bytes(data, &directory);
    assert_eq!(std::fs::read(&victim).expect("the file is still there"), b"kept");
    assert_eq!(names(place.path()), ["unpacked", "victim"]);
    assert_eq!(names(&directory), ["layer", "notes", "trash"]);
    if let Ok(layer) = unpacked {
        assert!(layer.is_dir() && layer.starts_with(&directory));
    }
}

/// The documents of an image's archive, with a NUL between them, and one empty layer: all of the image is in the store
/// afterwards, by names that lead nowhere else, or nothing of it.
///
/// The first is `index.json`, or docker's `manifest.json` if it is an array; then `config.json` is the second. `$NEXT`
/// in one stands for the digest of the one after it, so that a document can change and still be found.
pub fn image(data: &[u8]) {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("image.tar");
    std::fs::write(&file, image_archive(data)).expect("a file");
    let scope = Scope::system_below(&place.path().join("root"));
    let store = Store::open(&scope);
    let imported = store.import(&file, &ImportOptions::default(), &Silent);
    assert_eq!(names(place.path()), if scope.store.exists() { &["image.tar", "root"][..] } else { &["image.tar"] });
    let listed = store.list().expect("a store that can be read");
    let Ok(imported) = imported else {
        assert!(listed.is_empty(), "{listed:?}");
        for directory in [scope.layers(), scope.store.join("incoming")] {
            assert!(!directory.exists() || names(&directory).is_empty(), "{directory:?}");
        }
        return;
    };
    assert!(!imported.is_empty());
    for image in &imported {
        let reference: Reference = image.name.parse().expect("a name is a reference");
        assert_eq!(reference.given_name(), image.name);
        let found = store.find(&image.name).expect("what came in is found");
        assert!(imported.iter().any(|other| other.name == image.name && other.record == found), "{:?}", image.name);
        assert!(image.record.layers.iter().all(|layer| layer.parse::<Digest>().is_ok() && scope.layer(layer).is_dir()));
        store.inspect(&image.name).expect("what came in can be looked at");
    }
}

fn image_archive(data: &[u8]) -> Vec<u8> {
    const LAYER: [u8; 1024] = [0; 1024];
    let mut documents: Vec<Vec<u8>> = data.splitn(8, |byte| *byte == 0).map(<[u8]>::to_vec).collect();
    for number in (1..documents.len()).rev() {
        let digest = Digest::of(&documents[number]).to_string();
        let text = std::mem::take(&mut documents[number - 1]);
        documents[number - 1] = replace(&text, b"$NEXT", digest.as_bytes());
    }
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |name: &str, content: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, content).expect("in memory");
    };
    if documents[0].starts_with(b"[") {
        add("manifest.json", &documents[0]);
        add("config.json", documents.get(1).map_or(&[], Vec::as_slice));
        add("layer.tar", &LAYER);
    } else {
        add("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
        add("index.json", &documents[0]);
        for blob in documents[1..].iter().map(Vec::as_slice).chain([&LAYER[..]]) {
            add(&format!("blobs/sha256/{}", Digest::of(blob).hex()), blob);
        }
    }
    archive.into_inner().expect("in memory")
}

fn replace(text: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(position) = rest.windows(old.len()).position(|window| window == old) {
        out.extend_from_slice(&rest[..position]);
        out.extend_from_slice(new);
        rest = &rest[position + old.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// An image's name: what is understood is understood again as it is printed, and never leads anywhere as a path.
pub fn reference(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(reference) = text.parse::<Reference>() else { return };
    let printed = reference.to_string();
    assert_eq!(printed.parse::<Reference>().as_ref(), Ok(&reference), "{text:?} is printed as {printed:?}");
    assert!(!reference.path().split('/').any(|part| part.is_empty() || part.starts_with('.')), "{printed:?}");
}

/// The policy and, after a NUL, a file of `registries.d`: refused at places that are in them, or understood, and then
/// nothing is accepted by a rule that does not say so.
pub fn policy(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned());
    let (policy, registries) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let place = tempfile::tempdir().expect("a directory");
    let settings = place.path().join("etc/containers");
    std::fs::create_dir_all(settings.join("registries.d")).expect("a directory");
    std::fs::write(settings.join("policy.json"), &policy).expect("a file");
    std::fs::write(settings.join("registries.d/a.yaml"), &registries).expect("a file");
    match Trust::load(&Scope::system_below(place.path())) {
        Ok(trust) => {
            for name in ["docker.io/library/nginx:1", "quay.io/x/y:1", "a.example.com:5000/x:1"] {
                let requirement = trust.decide(&name.parse().expect("a name"));
                assert!(!requirement.rules.is_empty(), "a policy always says something");
                let accepts = requirement.rules.iter().all(|rule| *rule == Rule::Accept);
                assert!(!accepts || policy.contains("insecureAcceptAnything") || policy.contains("\\u"), "{policy:?}");
                assert!(requirement.lookaside.is_some_and(|url| url.contains("://")));
            }
        }
        Err(TrustError::Settings(diagnostics)) => {
            let lines = policy.split('\n').count().max(registries.split('\n').count());
            assert!(diagnostics.problems().all(|problem| (1..=lines).contains(&problem.line)), "{diagnostics}");
            assert!(!diagnostics.first_line().contains('\n'));
        }
        Err(other) => panic!("{other}"),
    }
}

/// A signature beside an image: taken apart, or refused, whatever it is.
pub fn signature(data: &[u8]) {
    let Ok(message) = Message::parse(data) else { return };
    assert!(message.payload.len() <= 1 << 20 || data.len() > 1 << 20);
    let again =
        [&[0xcb, 0xff][..], &(message.payload.len() as u32 + 6).to_be_bytes(), b"b\0\0\0\0\0", &message.payload];
    let again = [&message.signature, &again.concat()[..]].concat();
    assert_eq!(Message::parse(&again), Ok(message));
}

/// A question to the responder: whatever it is, the answer is one to it, and short; a stranger's is no longer than its
/// question; and what is passed on is a question.
pub fn query(data: &[u8]) {
    let subnets = ["10.1.0.0/24", "fd01::/64"].map(|subnet| {
        let subnet: ipnet::IpNet = subnet.parse().expect("a subnet");
        LiveSubnet { subnet, gateway: subnet.hosts().next() }
    });
    let live = Live {
        name: "one".to_owned(),
        driver: "bridge".to_owned(),
        interface: "br-one".to_owned(),
        subnets: subnets.to_vec(),
        internal: false,
        isolate: false,
        dns: true,
        mtu: None,
    };
    let members = (2..80).map(|number| Member {
        container: format!("c{number}"),
        interface: "eth0".to_owned(),
        host_interface: None,
        mac: None,
        addresses: [format!("10.1.0.{number}/24"), format!("fd01::{number}/64")]
            .map(|address| address.parse().expect("an address"))
            .to_vec(),
        aliases: vec!["all".to_owned()],
    });
    let known = Known::new([(live, members.collect())]);
    let asker = || known.asker(Some("br-one"), "10.1.0.2".parse().expect("an address"));
    let mut out = Vec::new();
    for (asker, by_stream) in [(asker(), false), (asker(), true), (None, false)] {
        match Answerer::default().answer(data, asker, by_stream, &mut out) {
            Answer::Silence => assert!(data.len() < 12 || data[2] & 0x80 != 0),
            Answer::Here => {
                assert!(out.len() >= 12 && out[..2] == data[..2] && out[2] & 0x80 != 0, "{out:?}");
                assert!(by_stream || out.len() <= 1232, "{} bytes", out.len());
                assert!(asker.is_some() || out.len() <= data.len(), "a stranger is told more than it asked");
                hickory_proto::op::Message::from_vec(&out).expect("an answer that can be read");
            }
            Answer::Elsewhere(query) => {
                assert!(asker.is_some() && (17..=data.len()).contains(&query.end), "{query:?}");
            }
        }
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("the directory is still there");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}
