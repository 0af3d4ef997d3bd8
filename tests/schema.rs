//! `share/berth/{container,network}.schema.json` are made from the keys themselves: `BERTH_BLESS=1` writes them anew. What
//! berth accepts, the schema accepts; mistakes an editor can know of, it knows.

use std::path::{Path, PathBuf};

use berth::config::{NetworkSources, Sources, json_schema, network_json_schema};
use serde_json::Value;

fn path(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_committed_schemas_are_those_the_keys_make() {
    for (kind, schema) in [("container", json_schema()), ("network", network_json_schema())] {
        let file = path(&format!("share/berth/{kind}.schema.json"));
        let schema = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("BERTH_BLESS").is_some() {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, &schema).unwrap();
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(committed == schema, "{} is not current: BERTH_BLESS=1 cargo test --test schema", file.display());
    }
}

/// What the schema says against a file; `None` where it is no TOML or holds what JSON has not.
fn complaints(text: &str) -> Option<Vec<String>> {
    against(&json_schema(), text)
}

fn against(schema: &Value, text: &str) -> Option<Vec<String>> {
    let document: Value = serde_json::to_value(text.parse::<toml::Table>().ok()?).ok()?;
    let schema = jsonschema::draft202012::new(schema).expect("a schema of its draft");
    Some(schema.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect())
}

#[test]
fn what_berth_accepts_the_schema_accepts() {
    let mut accepted = 0;
    let mut files = vec![path("tests/config/example.toml")];
    files.extend(std::fs::read_dir(path("fuzz/corpus/toml")).unwrap().map(|entry| entry.unwrap().path()));
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        if Sources::from_text("web@blue".parse().unwrap(), text.as_str()).parse().is_ok() {
            assert_eq!(complaints(&text), Some(vec![]), "{}", file.display());
            accepted += 1;
        }
    }
    assert!(accepted >= 3, "only {accepted}");
}

#[test]
fn every_setting_of_systemd_takes_the_forms_berth_takes() {
    for text in [
        "[service]\nRestart = \"no\"\nRestartSec = 2\nExecStartPre = [\"/bin/true\", \"-/bin/false\"]",
        "[service]\nRestart = false\nExecStartPre = \"/bin/true\"\nTimeoutStopSec = 1.5",
        "[resources]\nMemoryMax = 1024\nCPUAccounting = true\nIPAddressDeny = \"any\"\nDeviceAllow = []",
        "[resources]\nCPUAccounting = \"yes\"\nIOAccounting = \"off\"\nTasksMax = \"50%\"",
        "[install]\nWantedBy = [\"a.target\", \"\", \"b.target\"]",
    ] {
        let text = format!("image = \"x\"\n{text}");
        let parsed = Sources::from_text("web".parse().unwrap(), text.as_str()).parse();
        assert!(parsed.is_ok(), "{}", parsed.unwrap_err());
        assert_eq!(complaints(&text), Some(vec![]), "{text}");
    }
}

#[test]
fn mistakes_are_found() {
    for stem in [
        "both-sources",
        "capabilities",
        "missing-source",
        "mistyped-keys",
        "mount-missing-keys",
        "mount-values",
        "mount-wrong-keys",
        "network-interfaces",
        "network-modes",
        "network-other-tools",
        "not-yet-keys",
        "other-tools-keys",
        "quadlet",
    ] {
        let text = std::fs::read_to_string(path(&format!("tests/config/bad/{stem}.toml"))).unwrap();
        let complaints = complaints(&text).unwrap_or_else(|| panic!("{stem}.toml is no TOML"));
        assert!(!complaints.is_empty(), "{stem}.toml passes");
    }
    for (text, place) in [
        ("image = \"x\"\ntty = \"yes\"", "/tty"),
        ("image = \"x\"\ncommand = \"true\"", "/command"),
        ("image = \"x\"\n[network]\nmode = \"bridged\"", "/network/mode"),
        ("image = \"x\"\n[service]\nRestart = \"sometimes\"", "/service/Restart"),
        ("image = \"x\"\n[service]\nMemoryMax = 1", "/service"),
    ] {
        let complaints = complaints(text).unwrap();
        assert!(complaints.iter().any(|complaint| complaint.starts_with(&format!("{place}:"))), "{complaints:?}");
    }
}

#[test]
fn what_berth_accepts_of_a_network_the_schema_accepts() {
    let example = std::fs::read_to_string(path("tests/config/network.toml")).unwrap();
    let macvlan = "driver = \"macvlan\"\nparent = \"eth0\"\nvlan = 7\nmode = \"vepa\"\nsubnets = [\"10.1.0.0/24\"]";
    for text in [&example, macvlan, &macvlan.replace("macvlan", "ipvlan").replace("vepa", "l3s"), ""] {
        NetworkSources::from_text("back".parse().unwrap(), text).parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(against(&network_json_schema(), text), Some(vec![]), "{text}");
    }
}

#[test]
fn mistakes_in_a_network_are_found() {
    for stem in ["driver", "macvlan", "mtu", "other-tools", "other-tools-keys", "parents", "types"] {
        let text = std::fs::read_to_string(path(&format!("tests/config/bad-networks/{stem}.toml"))).unwrap();
        let complaints = against(&network_json_schema(), &text).unwrap_or_else(|| panic!("{stem}.toml is no TOML"));
        assert!(!complaints.is_empty(), "{stem}.toml passes");
    }
}
