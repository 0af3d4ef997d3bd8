//! Simple signing: OpenPGP messages below a lookaside, made by gpg and skopeo.

use std::path::{Path, PathBuf};

use berth::image::Digest;
use berth::image::trust::{Message, TOOLS};

use crate::{Place, Registry, shell};

const NAME: &str = "quay.io/x/y:1";
const MANIFEST: &[u8] = br#"{"schemaVersion": 2}"#;

/// A place with a key of its own, trusted for the whole registry.
struct Signer {
    place: Place,
    lookaside: PathBuf,
}

impl Signer {
    fn new() -> Signer {
        let place = Place::empty();
        let lookaside = place.lookaside();
        std::fs::create_dir_all(place.path().join("etc/berth/trust/quay.io")).unwrap();
        let signer = Signer { place, lookaside };
        signer.key("signer", "");
        signer.gpg("gpg --armor --export signer >etc/berth/trust/quay.io/signer.asc");
        signer
    }

    fn gpg(&self, script: &str) -> String {
        let options = "gpg() { command gpg --batch --quiet --yes --passphrase '' \"$@\"; }\n";
        shell(self.place.path(), &format!("{options}{script}"), &[])
    }

    fn key(&self, name: &str, options: &str) {
        self.gpg(&format!("gpg {options} --quick-generate-key {name} ed25519 sign never"));
    }

    /// As `skopeo standalone-sign` writes it.
    fn payload(name: &str, manifest: &[u8]) -> String {
        let digest = Digest::of(manifest);
        format!(
            r#"{{"critical":{{"identity":{{"docker-reference":"{name}"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"atomic container signature"}},"optional":{{"creator":"a test"}}}}"#
        )
    }

    fn sign(&self, payload: &str, options: &str) -> Vec<u8> {
        self.place.file("payload", payload);
        self.gpg(&format!("gpg {options} --output signed --sign payload"));
        std::fs::read(self.place.path().join("signed")).unwrap()
    }

    fn publish(&self, number: usize, manifest: &[u8], signature: &[u8]) {
        let path = signature_path(&self.lookaside, manifest, number);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, signature).unwrap();
    }

    #[track_caller]
    fn refused(&self, expected: &str) {
        let refusal = self.place.refused(NAME, MANIFEST, &Registry::default());
        assert!(refusal.contains(expected), "{expected}: {refusal}");
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        // Its agent must not outlive its directory.
        let _ =
            std::process::Command::new("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", self.place.path()).status();
    }
}

fn signature_path(lookaside: &Path, manifest: &[u8], number: usize) -> PathBuf {
    lookaside.join(format!("x/y@sha256={}/signature-{number}", Digest::of(manifest).hex()))
}

#[test]
#[ignore = "needs gpg, gpgv and sqv: make check"]
fn a_signature_by_the_trusted_key_is_accepted_and_the_key_recorded() {
    let signer = Signer::new();
    let payload = Signer::payload(NAME, MANIFEST);
    let fingerprint = signer.gpg("gpg --with-colons --list-keys signer | awk -F: '/^fpr/ { print $10; exit }'");
    for options in
        ["-u signer", "-u signer --armor", "-u signer --compress-algo zlib", "-u signer --compress-algo none"]
    {
        signer.publish(1, MANIFEST, &signer.sign(&payload, options));
        let verified = signer.place.verify(NAME, MANIFEST, &Registry::default()).unwrap();
        let [signed] = verified.signatures.as_slice() else { panic!("{verified:?}") };
        assert_eq!((signed.kind.as_str(), signed.fingerprint.as_str()), ("simple-signing", fingerprint.trim()));
        assert!(signed.key.ends_with("etc/berth/trust/quay.io/signer.asc"), "{signed:?}");
        assert_eq!(signed.identity, NAME);
    }
}

#[test]
#[ignore = "needs gpg, gpgv and sqv: make check"]
fn gpgv_and_sqv_give_the_same_answers() {
    let signer = Signer::new();
    signer.key("other", "");
    signer.gpg("gpg --export signer >signer.gpg; gpg --export other >other.gpg; cat signer.gpg other.gpg >both.gpg");
    let message = Message::parse(&signer.sign("hello", "-u signer")).unwrap();
    let changed = Message { payload: b"jello".to_vec(), signature: message.signature.clone() };
    for tool in TOOLS {
        let keyring = |name: &str| std::fs::read(signer.place.path().join(name)).unwrap();
        let by = |name: &str| tool.verify(&keyring(name), &message).unwrap();
        assert_eq!(by("signer.gpg").as_ref().map(String::len), Ok(40), "{tool:?}");
        assert_eq!(by("both.gpg"), by("signer.gpg"));
        assert!(by("other.gpg").is_err());
        assert!(tool.verify(&keyring("signer.gpg"), &changed).unwrap().is_err(), "{tool:?}");
        assert!(tool.verify(b"", &message).unwrap().is_err(), "{tool:?}");
    }
}

#[test]
#[ignore = "needs gpg, gpgv and sqv: make check"]
fn an_expired_key_has_no_say_whichever_tool_looks() {
    let signer = Signer::new();
    let then = "--faked-system-time 20200101T000000";
    signer.gpg(&format!("gpg {then} --quick-generate-key old ed25519 sign 2d"));
    signer.gpg("gpg --export old >old.gpg; cp old.gpg etc/berth/trust/quay.io/old.gpg");
    let payload = Signer::payload(NAME, MANIFEST);
    let signed = signer.sign(&payload, "--faked-system-time 20200101T010000 -u old");
    let message = Message::parse(&signed).unwrap();
    let keyring = std::fs::read(signer.place.path().join("old.gpg")).unwrap();
    for tool in TOOLS {
        let answer = tool.verify(&keyring, &message).unwrap();
        assert_eq!(answer, Err("it is by a key that is expired".to_owned()), "{tool:?}");
    }
    signer.publish(1, MANIFEST, &signed);
    signer.refused("signature-1: ");
    // As long as it is not.
    signer
        .gpg("gpg --quick-set-expire $(gpg --with-colons --list-keys old | awk -F: '/^fpr/ { print $10; exit }') 10y");
    signer.gpg("gpg --export old >etc/berth/trust/quay.io/old.gpg");
    signer.place.verify(NAME, MANIFEST, &Registry::default()).unwrap();
}

#[test]
#[ignore = "needs gpg, gpgv and sqv: make check"]
fn a_key_that_was_superseded_has_no_say_whichever_tool_looks() {
    let signer = Signer::new();
    signer.key("dated", "--faked-system-time 20200101T000000");
    let signed = signer.sign("hello", "--faked-system-time 20200101T010000 -u dated");
    let message = Message::parse(&signed).unwrap();
    // Years later. gpg's own certificate, made with the key, is without a reason; this one says “superseded”.
    signer.gpg(
        "fingerprint=$(gpg --with-colons --list-keys dated | awk -F: '/^fpr/ { print $10; exit }')
         printf 'y\\n2\\n\\ny\\n' | command gpg --no-tty --command-fd 0 --pinentry-mode loopback --passphrase '' \
             --yes --output revocation --gen-revoke \"$fingerprint\"
         gpg --import revocation; gpg --export dated >revoked.gpg",
    );
    let keyring = std::fs::read(signer.place.path().join("revoked.gpg")).unwrap();
    for tool in TOOLS {
        let answer = tool.verify(&keyring, &message).unwrap();
        assert_eq!(answer, Err("it is by a key that is revoked".to_owned()), "{tool:?}");
    }
}

#[test]
#[ignore = "needs gpg, gpgv and sqv: make check"]
fn what_is_not_signed_as_it_should_be_is_refused() {
    let signer = Signer::new();
    signer.refused("signature-1: it is not there");
    let payload = Signer::payload(NAME, MANIFEST);
    let publish = |payload: &str, options: &str| signer.publish(1, MANIFEST, &signer.sign(payload, options));

    signer.key("stranger", "");
    publish(&payload, "-u stranger");
    signer.refused("signature-1: it is by the key");

    // Made for another tag, another repository, another image.
    publish(&Signer::payload("quay.io/x/y:2", MANIFEST), "-u signer");
    signer.refused("it is for the name quay.io/x/y:2, which does not count for this one");
    publish(&Signer::payload("quay.io/x/z:1", MANIFEST), "-u signer");
    signer.refused("it is for the name quay.io/x/z:1");
    publish(&Signer::payload(NAME, b"{}"), "-u signer");
    signer.refused("which is another image");

    publish(&payload.replace(r#""type""#, r#""not-after":"yesterday","type""#), "-u signer");
    signer.refused("unknown field `not-after`");
    publish(&payload.replace("atomic", "other"), "-u signer");
    signer.refused("is of the type “other container signature”");
    publish("hello", "-u signer");
    signer.refused("its payload is not understood");

    // Signed in other forms, or not at all.
    signer.publish(1, MANIFEST, payload.as_bytes());
    signer.refused("it is not an OpenPGP message");
    signer.place.file("payload", &payload);
    signer.gpg("gpg -u signer --output clear --clear-sign payload; gpg --output stored --store payload");
    for (file, expected) in [("clear", "cleartext"), ("stored", "it is not one payload with one signature")] {
        signer.publish(1, MANIFEST, &std::fs::read(signer.place.path().join(file)).unwrap());
        signer.refused(expected);
    }
    publish(&payload, "-u signer -u stranger");
    signer.refused("it is not one payload with one signature");
    let good = signer.sign(&payload, "-u signer");
    signer.publish(1, MANIFEST, &good[..good.len() - 1]);
    signer.refused("signature-1: ");

    // A good one after bad ones counts.
    signer.publish(2, MANIFEST, &good);
    signer.place.verify(NAME, MANIFEST, &Registry::default()).unwrap();
    // Under another tag it does not.
    signer.place.refused("quay.io/x/y:2", MANIFEST, &Registry::default());
}

#[test]
#[ignore = "needs gpg, gpgv and sqv: make check"]
fn a_lookaside_of_the_web_is_asked_by_its_url() {
    let signer = Signer::new();
    signer
        .place
        .file("etc/containers/registries.d/q.yaml", "docker:\n  quay.io: {lookaside: https://example.com/s/}\n");
    let mut registry = Registry::default();
    let url = format!("https://example.com/s/x/y@sha256={}/signature-1", Digest::of(MANIFEST).hex());
    assert!(signer.place.refused(NAME, MANIFEST, &registry).contains(&url));
    let signed = signer.sign(&Signer::payload(NAME, MANIFEST), "-u signer");
    registry.files.insert(url.clone(), signed);
    let verified = signer.place.verify(NAME, MANIFEST, &registry).unwrap();
    assert_eq!(verified.signatures[0].signature, url);
}

#[test]
#[ignore = "needs gpg, gpgv and sqv: make check"]
fn the_policy_names_keys_in_files_or_in_itself() {
    let signer = Signer::new();
    signer.gpg("gpg --export signer >k.gpg; rm -r etc/berth");
    signer.publish(1, MANIFEST, &signer.sign(&Signer::payload(NAME, MANIFEST), "-u signer"));
    let path = signer.place.path().join("k.gpg").display().to_string();
    let data = shell(signer.place.path(), "base64 -w0 k.gpg", &[]);
    for keys in
        [format!(r#""keyPath": "{path}""#), format!(r#""keyPaths": ["{path}"]"#), format!(r#""keyData": "{data}""#)]
    {
        signer.place.policy(&format!(r#"{{"default": [{{"type": "signedBy", "keyType": "GPGKeys", {keys}}}]}}"#));
        signer.place.verify(NAME, MANIFEST, &Registry::default()).unwrap();
    }
    signer.place.policy(r#"{"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/nowhere.gpg"}]}"#);
    signer.refused("/nowhere.gpg: cannot read it: No such file");
}

#[test]
#[ignore = "needs skopeo and gpg: make check"]
fn what_skopeo_signs_is_accepted() {
    let signer = Signer::new();
    signer.place.file("manifest.json", MANIFEST);
    let fingerprint = signer.gpg("gpg --with-colons --list-keys signer | awk -F: '/^fpr/ { print $10; exit }'");
    signer.gpg(&format!("skopeo standalone-sign manifest.json {NAME} {} -o signed", fingerprint.trim()));
    signer.publish(1, MANIFEST, &std::fs::read(signer.place.path().join("signed")).unwrap());
    let verified = signer.place.verify(NAME, MANIFEST, &Registry::default()).unwrap();
    assert_eq!(verified.signatures[0].fingerprint, fingerprint.trim());
}
