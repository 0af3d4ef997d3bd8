//! Which rule decides for a name.

use berth::image::trust::{FullName, Identity, KeySource, Origin, Refusal, Rule, Trust};

use crate::{Place, Registry};

const POLICY: &str = r#"{
    "default": [{"type": "reject"}],
    "transports": {
        "docker": {
            "docker.io": [{"type": "insecureAcceptAnything"}],
            "docker.io/lib": [{"type": "reject"}],
            "docker.io/library/nginx": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/n.gpg"}],
            "docker.io/library/nginx:old": [{"type": "reject"}],
            "docker.io/library/nginx@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855":
                [{"type": "insecureAcceptAnything"}],
            "*.example.com": [{"type": "insecureAcceptAnything"}],
            "*.eu.example.com": [{"type": "reject"}],
            "own.example.com": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/o.gpg"}],
            "own.example.com:5000": [{"type": "insecureAcceptAnything"}],
            "[::1]:5000/x": [{"type": "insecureAcceptAnything"}]
        },
        "docker-daemon": {"": [{"type": "insecureAcceptAnything"}]},
        "atomic": {"quay.io": [{"type": "insecureAcceptAnything"}]}
    }
}"#;

/// What decides, in a word: the last of the directory or the policy's scope, and what it says.
fn decided(place: &Place, trust: &Trust, name: &str) -> String {
    let requirement = trust.decide(&name.parse::<FullName>().unwrap());
    let who = match &requirement.origin {
        Origin::Prefix(directory) => {
            directory.strip_prefix(place.path().join("etc/berth/trust")).unwrap().display().to_string()
        }
        Origin::Policy { scope, .. } => scope
            .strip_prefix("transports.docker.“")
            .map_or(scope.as_str(), |scope| scope.trim_end_matches('”'))
            .to_owned(),
        Origin::Nobody { .. } => "nobody".to_owned(),
        Origin::Skipped => "skipped".to_owned(),
    };
    let rules: Vec<&str> = requirement.rules.iter().map(word).collect();
    format!("{who}: {}", rules.join(" "))
}

fn word(rule: &Rule) -> &str {
    match rule {
        Rule::Accept => "accept",
        Rule::Reject => "reject",
        Rule::Signed(_) => "signed",
        Rule::Unsupported(what) => what,
    }
}

#[test]
fn the_narrowest_scope_of_the_policy_decides() {
    let place = Place::empty();
    place.policy(POLICY);
    let trust = place.trust().unwrap();
    let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let other = empty.replace("e3b0", "0000");
    let by_digest = |name: &str, digest: &str| format!("{name}@{digest}");
    for (name, expected) in [
        ("docker.io/library/nginx:1", "docker.io/library/nginx: signed"),
        ("docker.io/library/nginx:old", "docker.io/library/nginx:old: reject"),
        ("docker.io/library/nginx:older", "docker.io/library/nginx: signed"),
        ("nginx:old", "docker.io/library/nginx:old: reject"),
        (&by_digest("nginx", &other), "docker.io/library/nginx: signed"),
        (&by_digest("nginx", empty), &format!("docker.io/library/nginx@{empty}: accept")),
        // The tag is nobody's word where the digest decides.
        (&by_digest("nginx:old", &other), "docker.io/library/nginx: signed"),
        (&by_digest("nginx:1", empty), &format!("docker.io/library/nginx@{empty}: accept")),
        ("docker.io/library/nginx2:1", "docker.io: accept"),
        ("docker.io/library/nginx/x:1", "docker.io/library/nginx: signed"),
        ("docker.io/library/web:1", "docker.io: accept"),
        ("docker.io/lib/web:1", "docker.io/lib: reject"),
        ("docker.io/lib/a/web:1", "docker.io/lib: reject"),
        ("docker.io/libs/web:1", "docker.io: accept"),
        ("index.docker.io/lib/web:1", "docker.io/lib: reject"),
        ("docker.io:443/lib/web:1", "default: reject"),
        ("a.example.com/x:1", "*.example.com: accept"),
        ("a.b.example.com/x:1", "*.example.com: accept"),
        ("a.example.com:5000/x:1", "*.example.com: accept"),
        ("example.com/x:1", "default: reject"),
        ("a.example.com.evil.org/x:1", "default: reject"),
        ("notexample.com/x:1", "default: reject"),
        ("a.eu.example.com/x:1", "*.eu.example.com: reject"),
        ("eu.example.com/x:1", "*.example.com: accept"),
        ("own.example.com/x:1", "own.example.com: signed"),
        ("own.example.com:5000/x:1", "own.example.com:5000: accept"),
        ("own.example.com:5001/x:1", "*.example.com: accept"),
        ("[::1]:5000/x/y:1", "[::1]:5000/x: accept"),
        ("[::1]:5000/y:1", "default: reject"),
        // What other transports say is not for registries.
        ("quay.io/x:1", "default: reject"),
    ] {
        assert_eq!(decided(&place, &trust, name), expected, "{name}");
    }
}

#[test]
fn a_prefix_of_our_own_decides_before_the_policy() {
    let place = Place::empty();
    place.policy(POLICY);
    for file in [
        "docker.io/library/nginx/a.asc",
        "docker.io/lib/allow",
        "docker.io/lib/secret/a.pub",
        "docker.io/lib/secret/allow",
        "docker.io/library/nginx:1/allow",
        "localhost:5000/allow",
        "quay.io/x/y/.a.pub.12",
        "*.example.com/a.gpg",
        "own.example.com/allow",
    ] {
        place.file(&format!("etc/berth/trust/{file}"), "");
    }
    let trust = place.trust().unwrap();
    for (name, expected) in [
        ("docker.io/library/nginx:2", "docker.io/library/nginx: signed"),
        ("docker.io/library/nginx:1", "docker.io/library/nginx:1: accept"),
        ("docker.io/library/nginx:11", "docker.io/library/nginx: signed"),
        ("docker.io/library/nginx/x:1", "docker.io/library/nginx: signed"),
        ("docker.io/library/web:1", "docker.io: accept"),
        ("docker.io/lib/web:1", "docker.io/lib: accept"),
        ("docker.io/lib/secret:1", "docker.io/lib/secret: signed"),
        ("docker.io/lib/secret/deep:1", "docker.io/lib/secret: signed"),
        ("docker.io/lib/secrets:1", "docker.io/lib: accept"),
        ("localhost:5000/x:1", "localhost:5000: accept"),
        ("localhost:50001/x:1", "default: reject"),
        ("localhost/x:1", "default: reject"),
        // Half written: nothing is said yet.
        ("quay.io/x/y:1", "default: reject"),
        ("a.example.com/x:1", "*.example.com: signed"),
        ("own.example.com/x:1", "own.example.com: accept"),
    ] {
        assert_eq!(decided(&place, &trust, name), expected, "{name}");
    }
    let requirement = trust.decide(&"docker.io/lib/secret:1".parse().unwrap());
    let [Rule::Signed(signers)] = requirement.rules.as_slice() else { panic!("{requirement:?}") };
    let key = place.path().join("etc/berth/trust/docker.io/lib/secret/a.pub");
    assert_eq!((&signers.openpgp, &signers.cosign), (&vec![], &vec![KeySource::File(key)]));
    assert_eq!(signers.identity, Identity::Named);
}

#[test]
fn where_nobody_says_anything_an_image_is_refused_and_told_what_would_allow_it() {
    let place = Place::empty();
    let refusal = place.refused("quay.io/x/y:1", b"{}", &Registry::default());
    let root = place.path().display();
    let expected = format!(
        "image “quay.io/x/y:1” is refused: neither {root}/etc/berth/trust nor {root}/etc/containers/policy.json says whom \
         to trust for it\nto allow it: `berthctl trust add quay.io/x/y KEYFILE` if you have its signer's public key, \
         `berthctl trust allow quay.io/x/y` if it may be unsigned, or `--insecure image-signature` this once"
    );
    assert_eq!(refusal, expected);
}

#[test]
fn what_is_accepted_unsigned_is_recorded_with_who_said_so() {
    let place = Place::empty();
    place.policy(r#"{"default": [{"type": "insecureAcceptAnything"}]}"#);
    place.file("etc/berth/trust/quay.io/allow", "");
    for (name, rule) in [("quay.io/x:1", "etc/berth/trust/quay.io"), ("a.b/x:1", "etc/containers/policy.json, default")]
    {
        let registry = Registry::default();
        let verified = place.verify(name, b"{}", &registry).unwrap();
        assert_eq!(verified.rule, place.path().join(rule).display().to_string());
        assert!(verified.signatures.is_empty() && registry.asked.borrow().is_empty());
    }
}

#[test]
fn all_rules_of_a_scope_must_be_satisfied() {
    let place = Place::empty();
    place.policy(r#"{"default": [{"type": "insecureAcceptAnything"}, {"type": "reject"}]}"#);
    assert!(place.refused("quay.io/x:1", b"{}", &Registry::default()).contains("the rule is “reject”"));
}

#[test]
fn what_is_not_supported_refuses_its_own_images_by_name() {
    for (rule, expected) in [
        (r#"{"type": "sigstoreSigned", "fulcio": {"caPath": "/x"}}"#, "fulcio is not supported yet"),
        (r#"{"type": "sigstoreSigned", "pki": {}}"#, "pki is not supported yet"),
        (
            r#"{"type": "sigstoreSigned", "keyPath": "/k", "rekorPublicKeyPath": "/r"}"#,
            "rekorPublicKeyPath is not supported yet",
        ),
        (
            r#"{"type": "signedBy", "keyType": "X509Certificates", "keyPath": "/k"}"#,
            "keyType X509Certificates is not supported yet",
        ),
    ] {
        let place = Place::empty();
        place.policy(&format!(
            r#"{{"default": [{rule}], "transports": {{"docker": {{"a.b": [{{"type": "insecureAcceptAnything"}}]}}}}}}"#
        ));
        let refusal: Refusal = place.verify("quay.io/x:1", b"{}", &Registry::default()).unwrap_err();
        assert!(refusal.to_string().contains(expected), "{refusal}");
        place.verify("a.b/x:1", b"{}", &Registry::default()).unwrap();
    }
}
