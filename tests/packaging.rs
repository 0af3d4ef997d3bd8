//! What packages hold: crates whose licences `deny.toml` allows (`cargo deny check` looks at more, this needs nothing but
//! cargo), and examples that are understood.

use std::collections::{BTreeSet, HashMap};
use std::iter::Peekable;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
fn every_crate_has_a_licence_that_is_allowed() {
    let allowed = allowed();
    let crates = crates();
    assert!(crates.len() > 50, "{crates:?}");
    let refused: Vec<_> = crates.iter().filter(|(_, licence)| !is_allowed(licence, &allowed)).collect();
    assert!(refused.is_empty(), "deny.toml does not allow {refused:?}");
}

#[test]
fn a_choice_needs_one_allowed_licence_and_a_sum_all() {
    let allowed = ["MIT", "Apache-2.0 WITH LLVM-exception", "Zlib"].map(str::to_owned).into();
    for good in
        ["MIT", "GPL-3.0-only OR MIT", "MIT/Apache-2.0", "(GPL-2.0 OR MIT) AND Zlib", "Apache-2.0 WITH LLVM-exception"]
    {
        assert!(is_allowed(good, &allowed), "{good}");
    }
    for bad in ["", "GPL-3.0-only", "MIT AND GPL-3.0-only", "MIT OR", "Zlib AND (ISC OR GPL-2.0)", "Apache-2.0", "(MIT"]
    {
        assert!(!is_allowed(bad, &allowed), "{bad}");
    }
}

#[test]
fn every_example_is_understood() {
    let mut examples = Vec::new();
    for kind in ["containers", "networks"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(kind);
        examples.extend(std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()));
    }
    let checked = Command::new(env!("CARGO_BIN_EXE_berthctl")).arg("check").args(&examples).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
    assert_eq!(String::from_utf8_lossy(&checked.stdout).matches(": ok").count(), examples.len(), "{said}");
}

fn allowed() -> BTreeSet<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml")).unwrap();
    let rules: toml::Table = text.parse().unwrap();
    let list = rules["licenses"]["allow"].as_array().unwrap();
    list.iter().map(|licence| licence.as_str().unwrap().to_owned()).collect()
}

/// What is linked into the binaries or run to build them, with its licence.
fn crates() -> Vec<(String, String)> {
    let listed = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version=1", "--filter-platform=x86_64-unknown-linux-musl"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let metadata: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let nodes: HashMap<&str, &Value> = nodes.iter().map(|node| (node["id"].as_str().unwrap(), node)).collect();
    let root = metadata["resolve"]["root"].as_str().unwrap();
    let mut needed = BTreeSet::from([root]);
    let mut open = vec![root];
    while let Some(id) = open.pop() {
        for dependency in nodes[id]["deps"].as_array().unwrap() {
            let mut kinds = dependency["dep_kinds"].as_array().unwrap().iter();
            let id = dependency["pkg"].as_str().unwrap();
            if kinds.any(|kind| kind["kind"] != "dev") && needed.insert(id) {
                open.push(id);
            }
        }
    }
    let packages = metadata["packages"].as_array().unwrap().iter();
    let needed = packages.filter(|package| needed.contains(package["id"].as_str().unwrap()));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    needed.map(|package| (text(&package["name"]), text(&package["license"]))).collect()
}

/// Whether an SPDX expression, or the old form with a slash, can be met by licences of the list.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ").replace(" WITH ", "\0");
    let mut words = spaced.split_whitespace().peekable();
    let met = choice(&mut words, allowed);
    met == Some(true) && words.next().is_none()
}

/// `None` for what is no expression.
fn choice<'a>(words: &mut Peekable<impl Iterator<Item = &'a str>>, allowed: &BTreeSet<String>) -> Option<bool> {
    let mut met = sum(words, allowed)?;
    while words.next_if_eq(&"OR").is_some() {
        met |= sum(words, allowed)?;
    }
    Some(met)
}

fn sum<'a>(words: &mut Peekable<impl Iterator<Item = &'a str>>, allowed: &BTreeSet<String>) -> Option<bool> {
    let mut met = licence(words, allowed)?;
    while words.next_if_eq(&"AND").is_some() {
        met &= licence(words, allowed)?;
    }
    Some(met)
}

fn licence<'a>(words: &mut Peekable<impl Iterator<Item = &'a str>>, allowed: &BTreeSet<String>) -> Option<bool> {
    match words.next()? {
        "(" => {
            let met = choice(words, allowed)?;
            words.next_if_eq(&")").map(|_| met)
        }
        ")" | "OR" | "AND" => None,
        name => Some(allowed.contains(&name.replace('\0', " WITH "))),
    }
}
