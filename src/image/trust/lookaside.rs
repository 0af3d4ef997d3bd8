//! `registries.d`: where signatures are that are not in the registry itself (containers-registries.d(5)).

use std::collections::BTreeMap;

use super::policy::unknown;
use super::{FullName, document};
use crate::config::diagnostics::{Mistake, Report};
use crate::config::tree::{Entry, Node, Table, Value};
use crate::config::{Diagnostics, SourceFile};

/// Where podman and skopeo look if nothing else is said.
const DEFAULT: &str = "file:///var/lib/containers/sigstore";

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lookasides {
    default: Location,
    docker: BTreeMap<String, Location>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Location {
    lookaside: Option<String>,
    attachments: Option<bool>,
}

impl Lookasides {
    pub fn parse(files: &[SourceFile]) -> Result<Lookasides, Diagnostics> {
        let report = Report::new(files);
        let mut all = Lookasides::default();
        let mut first_default = None;
        let mut first = BTreeMap::new();
        for (number, file) in files.iter().enumerate() {
            let Some(node) = document::yaml(number, &file.text, &report) else { continue };
            for Entry { key, key_place, node } in table(&node, &report).iter().flat_map(|table| &table.entries) {
                match key.as_str() {
                    "default-docker" => {
                        all.default = location(node, &report);
                        if let Some(place) = first_default.replace(key_place.clone()) {
                            let place = report.seen_from(key_place, &place);
                            report.add(key_place, format!("“default-docker” is given twice, first at {place}").into());
                        }
                    }
                    "docker" => {
                        for scope in table(node, &report).iter().flat_map(|table| &table.entries) {
                            all.docker.insert(scope.key.clone(), location(&scope.node, &report));
                            if let Some(place) = first.insert(scope.key.clone(), scope.key_place.clone()) {
                                let place = report.seen_from(&scope.key_place, &place);
                                let message = format!("“{}” is given twice, first at {place}", scope.key);
                                report.add(&scope.key_place, message.into());
                            }
                        }
                    }
                    _ => report.add(key_place, unknown(key, &["default-docker", "docker"])),
                }
            }
        }
        report.so_far().map_or(Ok(all), Err)
    }

    /// The narrowest scope that says something, without a trailing slash.
    pub fn lookaside(&self, name: &FullName) -> String {
        let found = self.find(name, |location| location.lookaside.clone());
        found.unwrap_or_else(|| DEFAULT.to_owned()).trim_end_matches('/').to_owned()
    }

    /// Whether signatures in the registry count: yes, unless it is said that they do not.
    pub fn attachments(&self, name: &FullName) -> bool {
        self.find(name, |location| location.attachments).unwrap_or(true)
    }

    fn find<T>(&self, name: &FullName, value: impl Fn(&Location) -> Option<T>) -> Option<T> {
        let scopes = name.scopes();
        scopes.iter().filter_map(|scope| self.docker.get(scope)).chain([&self.default]).find_map(value)
    }
}

fn location(node: &Node, report: &Report) -> Location {
    const KEYS: [&str; 5] =
        ["lookaside", "lookaside-staging", "sigstore", "sigstore-staging", "use-sigstore-attachments"];
    let mut location = Location::default();
    for Entry { key, key_place, node } in table(node, report).iter().flat_map(|table| &table.entries) {
        match (key.as_str(), &node.value) {
            // `sigstore` is what `lookaside` was called.
            ("lookaside" | "sigstore", Value::String(url)) => {
                if !["file:///", "http://", "https://"].iter().any(|scheme| url.starts_with(scheme)) {
                    report.add(&node.place, Mistake::not(url, "a file://, http:// or https:// URL"));
                }
                if key == "lookaside" || location.lookaside.is_none() {
                    location.lookaside = Some(url.clone());
                }
            }
            ("use-sigstore-attachments", Value::Boolean(whether)) => location.attachments = Some(*whether),
            ("use-sigstore-attachments", _) => report.add(&node.place, "expected true or false".into()),
            // Where signatures are written to; we write none.
            ("lookaside-staging" | "sigstore-staging", Value::String(_)) => {}
            (known, _) if KEYS.contains(&known) => report.add(&node.place, "expected a URL".into()),
            _ => report.add(key_place, unknown(key, &KEYS)),
        }
    }
    location
}

fn table<'n>(node: &'n Node, report: &Report) -> Option<&'n Table> {
    match &node.value {
        Value::Table(table) => Some(table),
        _ => {
            report.add(&node.place, "expected a mapping".into());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(texts: &[&str]) -> Result<Lookasides, String> {
        let file = |(number, text): (usize, &&str)| SourceFile {
            path: format!("/{number}.yaml").into(),
            text: (*text).to_owned(),
        };
        let files: Vec<SourceFile> = texts.iter().enumerate().map(file).collect();
        Lookasides::parse(&files).map_err(|problems| problems.first_line())
    }

    #[test]
    fn the_narrowest_scope_that_names_a_place_wins() {
        let text = "# comment\ndefault-docker:\n  lookaside: file:///d/\ndocker:\n  quay.io:\n    lookaside: 'https://q/s'\n  \
                    quay.io/x:\n    use-sigstore-attachments: false\n  \"*.example.com\": {sigstore: http://e}\n";
        let all = parse(&[text, "", "docker:\n"]).unwrap();
        for (name, lookaside, attachments) in [
            ("quay.io/a/b:1", "https://q/s", true),
            ("quay.io/x/b:1", "https://q/s", false),
            ("r.example.com/b:1", "http://e", true),
            ("docker.io/b:1", "file:///d", true),
        ] {
            let name: FullName = name.parse().unwrap();
            assert_eq!((all.lookaside(&name).as_str(), all.attachments(&name)), (lookaside, attachments), "{name}");
        }
        assert_eq!(parse(&[]).unwrap().lookaside(&"a.b/c:1".parse().unwrap()), DEFAULT);
    }

    #[test]
    fn mistakes_have_a_place() {
        for (text, expected) in [
            (
                "docker:\n  quay.io:\n    lookasid: https://x\n",
                "/0.yaml:3:5: unknown key “lookasid” (did you mean “lookaside”?)",
            ),
            ("dokcer: {}\n", "/0.yaml:1:1: unknown key “dokcer” (did you mean “docker”?)"),
            (
                "default-docker:\n  lookaside: /var/lib\n",
                "/0.yaml:2:14: “/var/lib” is not a file://, http:// or https:// URL",
            ),
            ("docker: [a]\n", "/0.yaml:1:9: expected a plain value or a mapping"),
            ("docker: a\n", "/0.yaml:1:9: expected a mapping"),
            ("default-docker:\n  use-sigstore-attachments: maybe\n", "/0.yaml:2:29: expected true or false"),
            ("docker:\n  a: {}\n  a: {}\n", "/0.yaml:3:3: “a” is given twice, first at line 2"),
            ("docker: {\n", "/0.yaml:2:1: this is not YAML"),
        ] {
            let error = parse(&[text]).unwrap_err();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
        let twice = parse(&["default-docker: {}", "default-docker: {}"]).unwrap_err();
        assert_eq!(twice, "/1.yaml:1:1: “default-docker” is given twice, first at /0.yaml:1");
    }
}
