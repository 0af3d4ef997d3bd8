//! `policy.json`, which podman, skopeo and buildah share with us (containers-policy.json(5)).

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::requirement::{KeySource, Rule, Signers};
use super::{FullName, Identity, armor, document};
use crate::config::diagnostics::{Mistake, Report};
use crate::config::suggest::nearest;
use crate::config::tree::{Entry, Node, Place, Table, Value};
use crate::config::{Diagnostics, SourceFile};

/// What the policy says of images in registries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub file: PathBuf,
    default: Vec<Rule>,
    docker: BTreeMap<String, Vec<Rule>>,
}

impl Policy {
    /// Unknown keys are mistakes: one that is passed over could be the one that matters.
    pub fn parse(file: SourceFile) -> Result<Policy, Diagnostics> {
        let files = [file];
        let report = Report::new(&files);
        let policy = document::json(0, &files[0].text, &report).and_then(|node| {
            let reader = Reader { report: &report, top: &node.place };
            reader.policy(&node, &files[0])
        });
        match (report.so_far(), policy) {
            (None, Some(policy)) => Ok(policy),
            (Some(problems), _) => Err(problems),
            (None, None) => {
                report.add(&Place::top(0), "this is no policy".into());
                report.so_far().map_or_else(|| unreachable!("a problem was just added"), Err)
            }
        }
    }

    /// The rules for a name, all of which it must satisfy, and where they stand.
    pub fn rules(&self, name: &FullName) -> (String, &[Rule]) {
        let scopes = name.scopes().into_iter().chain([String::new()]);
        for scope in scopes {
            if let Some(rules) = self.docker.get(&scope) {
                return (format!("transports.docker.“{scope}”"), rules);
            }
        }
        ("default".to_owned(), &self.default)
    }
}

struct Reader<'a> {
    report: &'a Report<'a>,
    top: &'a Place,
}

impl Reader<'_> {
    fn policy(&self, node: &Node, file: &SourceFile) -> Option<Policy> {
        let table = self.table(node)?;
        self.known(table, &["default", "transports"]);
        let Some(default) = table.get("default") else {
            self.report.add(self.top, Mistake::new("“default” is missing", "“default”: [{\"type\": \"reject\"}]"));
            return None;
        };
        let default = self.rules(&default.node);
        let mut docker = BTreeMap::new();
        let transports = table.get("transports").and_then(|entry| self.table(&entry.node));
        for Entry { key, node, .. } in transports.iter().flat_map(|table| &table.entries) {
            for scope in self.table(node).iter().flat_map(|table| &table.entries) {
                // The other transports are those of other programs; what is wrong there is wrong all the same.
                let rules = self.rules(&scope.node);
                if let (Some(rules), "docker") = (rules, key.as_str()) {
                    docker.insert(scope.key.clone(), rules);
                }
            }
        }
        Some(Policy { file: file.path.clone(), default: default?, docker })
    }

    fn rules(&self, node: &Node) -> Option<Vec<Rule>> {
        let rules = self.array(node)?;
        if rules.is_empty() {
            self.report.add(&node.place, Mistake::new("there is no rule in it", "[{\"type\": \"reject\"}] refuses"));
        }
        rules.iter().map(|rule| self.rule(rule)).collect()
    }

    fn rule(&self, node: &Node) -> Option<Rule> {
        const TYPES: [&str; 4] = ["insecureAcceptAnything", "reject", "signedBy", "sigstoreSigned"];
        let table = self.table(node)?;
        let kind = self.required(node, table, "type")?;
        match self.string(kind)? {
            "insecureAcceptAnything" => {
                self.known(table, &["type"]);
                Some(Rule::Accept)
            }
            "reject" => {
                self.known(table, &["type"]);
                Some(Rule::Reject)
            }
            "signedBy" => self.signed_by(node, table),
            "sigstoreSigned" => self.sigstore_signed(node, table),
            other => {
                self.report.add(&kind.place, mistaken(other, &TYPES));
                None
            }
        }
    }

    fn signed_by(&self, node: &Node, table: &Table) -> Option<Rule> {
        self.known(table, &["type", "keyType", "keyPath", "keyPaths", "keyData", "signedIdentity"]);
        let key_type = self.required(node, table, "keyType")?;
        match self.string(key_type)? {
            "GPGKeys" => {}
            kind @ ("signedByGPGKeys" | "X509Certificates" | "signedByX509CAs") => {
                return Some(Rule::Unsupported(format!("keyType {kind}")));
            }
            other => {
                self.report.add(&key_type.place, mistaken(other, &["GPGKeys"]));
                return None;
            }
        }
        let openpgp = self.keys(node, table, &["keyPath", "keyPaths", "keyData"])?;
        Some(Rule::Signed(Signers { openpgp, cosign: Vec::new(), identity: self.identity(table)? }))
    }

    fn sigstore_signed(&self, node: &Node, table: &Table) -> Option<Rule> {
        const KEYS: [&str; 4] = ["keyPath", "keyPaths", "keyData", "keyDatas"];
        const REKOR: [&str; 4] =
            ["rekorPublicKeyPath", "rekorPublicKeyPaths", "rekorPublicKeyData", "rekorPublicKeyDatas"];
        let known: Vec<&str> =
            ["type", "signedIdentity", "fulcio", "pki"].into_iter().chain(KEYS).chain(REKOR).collect();
        self.known(table, &known);
        let identity = self.identity(table)?;
        // Passing over one of these would accept more than was asked for.
        if let Some(key) = ["fulcio", "pki"].iter().chain(&REKOR).find(|key| table.get(key).is_some()) {
            return Some(Rule::Unsupported((*key).to_owned()));
        }
        let cosign = self.keys(node, table, &KEYS)?;
        Some(Rule::Signed(Signers { openpgp: Vec::new(), cosign, identity }))
    }

    /// By exactly one of the given keys of the table.
    fn keys(&self, node: &Node, table: &Table, names: &[&str]) -> Option<Vec<KeySource>> {
        let given: Vec<&Entry> = names.iter().filter_map(|name| table.get(name)).collect();
        let [entry] = given.as_slice() else {
            let place = given.get(1).map_or(&node.place, |second| &second.key_place);
            self.report.add(place, format!("exactly one of {} is needed", names.join(", ")).into());
            return None;
        };
        let nodes = if entry.key.ends_with('s') { self.array(&entry.node)? } else { std::slice::from_ref(&entry.node) };
        if nodes.is_empty() {
            self.report.add(&entry.node.place, "there is no key in it".into());
        }
        let key = |node: &Node| {
            let text = self.string(node)?;
            if entry.key.starts_with("keyPath") {
                if !text.starts_with('/') {
                    self.report.add(&node.place, Mistake::not(text, "an absolute path"));
                }
                return Some(KeySource::File(text.into()));
            }
            let bytes = armor::base64(text);
            if bytes.is_none() {
                self.report.add(&node.place, "this is not base64".into());
            }
            Some(KeySource::Data { bytes: bytes?, of: entry.key.clone() })
        };
        nodes.iter().map(key).collect()
    }

    fn identity(&self, table: &Table) -> Option<Identity> {
        const TYPES: [&str; 6] = [
            "matchExact",
            "matchRepoDigestOrExact",
            "matchRepository",
            "exactReference",
            "exactRepository",
            "remapIdentity",
        ];
        let Some(Entry { node, .. }) = table.get("signedIdentity") else { return Some(Identity::RepoDigestOrExact) };
        let table = self.table(node)?;
        let kind = self.required(node, table, "type")?;
        let text = |key: &str| self.string(self.required(node, table, key)?);
        match self.string(kind)? {
            "matchExact" => self.only(table, &[], Identity::Exact),
            "matchRepoDigestOrExact" => self.only(table, &[], Identity::RepoDigestOrExact),
            "matchRepository" => self.only(table, &[], Identity::Repository),
            "exactReference" => {
                let name = self.name(table, text("dockerReference")?, "dockerReference")?;
                if name.tag().is_none() && name.digest().is_none() {
                    self.report.add(&node.place, "the dockerReference has neither a tag nor a digest".into());
                }
                self.only(table, &["dockerReference"], Identity::ExactReference(name))
            }
            "exactRepository" => {
                let name = self.name(table, text("dockerRepository")?, "dockerRepository")?;
                if name.tag().is_some() || name.digest().is_some() {
                    self.report.add(&node.place, "a dockerRepository has neither a tag nor a digest".into());
                }
                self.only(table, &["dockerRepository"], Identity::ExactRepository(name.repository()))
            }
            "remapIdentity" => {
                let remap = Identity::Remap { prefix: text("prefix")?.into(), signed: text("signedPrefix")?.into() };
                self.only(table, &["prefix", "signedPrefix"], remap)
            }
            other => {
                self.report.add(&kind.place, mistaken(other, &TYPES));
                None
            }
        }
    }

    fn only(&self, table: &Table, keys: &[&str], identity: Identity) -> Option<Identity> {
        self.known(table, &[&["type"], keys].concat());
        Some(identity)
    }

    fn name(&self, table: &Table, text: &str, key: &str) -> Option<FullName> {
        match text.parse() {
            Ok(name) => Some(name),
            Err(error) => {
                let place = table.get(key).map_or(self.top, |entry| &entry.node.place);
                self.report.add(place, format!("{error}").into());
                None
            }
        }
    }

    fn known(&self, table: &Table, keys: &[&str]) {
        for entry in table.entries.iter().filter(|entry| !keys.contains(&entry.key.as_str())) {
            self.report.add(&entry.key_place, unknown(&entry.key, keys));
        }
    }

    fn required<'n>(&self, node: &Node, table: &'n Table, key: &str) -> Option<&'n Node> {
        let entry = table.get(key);
        if entry.is_none() {
            self.report.add(&Place { end: node.place.start + 1, ..node.place }, format!("“{key}” is missing").into());
        }
        entry.map(|entry| &entry.node)
    }

    fn table<'n>(&self, node: &'n Node) -> Option<&'n Table> {
        match &node.value {
            Value::Table(table) => Some(table),
            other => self.expected("an object", other, node),
        }
    }

    fn array<'n>(&self, node: &'n Node) -> Option<&'n [Node]> {
        match &node.value {
            Value::Array(nodes) => Some(nodes),
            other => self.expected("an array", other, node),
        }
    }

    fn string<'n>(&self, node: &'n Node) -> Option<&'n str> {
        match &node.value {
            Value::String(text) => Some(text),
            other => self.expected("a string", other, node),
        }
    }

    fn expected<T>(&self, expected: &str, found: &Value, node: &Node) -> Option<T> {
        let found = match found {
            Value::Table(_) => "an object",
            other => other.kind(),
        };
        self.report.add(&node.place, format!("expected {expected}, found {found}").into());
        None
    }
}

/// A key that is not known, with the one that was probably meant.
pub(super) fn unknown(key: &str, keys: &[&str]) -> Mistake {
    let message = format!("unknown key “{key}”");
    match nearest(key, keys.iter().copied()) {
        Some(near) => Mistake::new(message, format!("did you mean “{near}”?")),
        None => Mistake::new(message, format!("known here: {}", keys.join(", "))),
    }
}

fn mistaken(word: &str, words: &[&str]) -> Mistake {
    let expected = match words {
        [only] => format!("“{only}”"),
        several => format!("one of {}", several.join(", ")),
    };
    match nearest(word, words.iter().copied()) {
        Some(near) => Mistake::not(word, &expected).help(format!("did you mean “{near}”?")),
        None => Mistake::not(word, &expected),
    }
}
