//! cosign's signatures, in the registry beside the image.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use berth::image::Digest;
use berth::image::trust::Candidate;

use crate::{Place, Registry, shell};

/// What a real cosign signed; see the README there.
const NAME: &str = "localhost:5871/web/page:1";

fn made(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trust/cosign").join(name)).unwrap()
}

fn tag(manifest: &[u8]) -> String {
    format!("sha256-{}.sig", Digest::of(manifest).hex())
}

fn real() -> (Place, Registry) {
    let place = Place::empty();
    place.file("etc/berth/trust/localhost:5871/web/cosign.pub", made("cosign.pub"));
    let mut registry = Registry::default();
    registry.manifests.insert(tag(&made("image.json")), made("sig.json"));
    registry.blobs.insert(Digest::of(&made("payload")), made("payload"));
    (place, registry)
}

#[test]
fn an_image_signed_by_debians_cosign_is_accepted_and_the_key_recorded() {
    let (place, registry) = real();
    let verified = place.verify(NAME, &made("image.json"), &registry).unwrap();
    let [signed] = verified.signatures.as_slice() else { panic!("{verified:?}") };
    assert_eq!(signed.kind, "cosign");
    assert_eq!(signed.key, place.path().join("etc/berth/trust/localhost:5871/web/cosign.pub").display().to_string());
    let fingerprint = shell(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trust/cosign"),
        "sed 1d cosign.pub | sed '$d' | base64 -d | sha256sum | cut -d' ' -f1",
        &[],
    );
    assert_eq!(signed.fingerprint, format!("sha256:{}", fingerprint.trim()));
    assert_eq!(signed.identity, "localhost:5871/web/page");
    assert_eq!(signed.signature, format!("localhost:5871/web/page:{}", tag(&made("image.json"))));
}

#[test]
fn a_signature_among_the_referrers_is_found() {
    let (place, mut registry) = real();
    registry.manifests.clear();
    registry.manifests.insert(Digest::of(&made("refsig.json")).to_string(), made("refsig.json"));
    let image = made("image.json");
    place.refused(NAME, &image, &registry);
    // As the registry lists them, or, where it cannot, under a tag.
    registry.referrers = Some(made("refs.json"));
    place.verify(NAME, &image, &registry).unwrap();
    registry.referrers = None;
    registry.manifests.insert(format!("sha256-{}", Digest::of(&image).hex()), made("refs.json"));
    place.verify(NAME, &image, &registry).unwrap();
}

#[test]
fn a_bundle_is_refused_by_its_name() {
    let (place, mut registry) = real();
    registry.manifests.clear();
    let image = made("image.json");
    let refused = |registry: &Registry| {
        let refusal = place.refused(NAME, &image, registry);
        let sign = format!("sign with `cosign sign --key KEY localhost:5871/web/page@{}`", Digest::of(&image));
        refusal.contains("it is a sigstore bundle, which is not accepted") && refusal.contains(&sign)
    };
    let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let listed_as = |kind: &str| {
        let text = String::from_utf8(made("refs.json")).unwrap();
        Some(text.replace("application/vnd.dev.cosign.artifact.sig.v1+json", kind).into_bytes())
    };
    registry.referrers = listed_as(bundle);
    assert!(refused(&registry));
    // As Debian's cosign lists one where the registry lists no referrers: only the bundle itself says that it is one.
    registry.referrers = listed_as("application/vnd.oci.empty.v1+json");
    assert!(!refused(&registry));
    let listed = Digest::of(&made("refsig.json")).to_string();
    registry.manifests.insert(listed, format!(r#"{{"artifactType": "{bundle}", "layers": []}}"#).into_bytes());
    assert!(refused(&registry));
}

#[test]
fn the_policy_takes_a_signature_without_a_tag_for_the_repository_only() {
    let (place, registry) = real();
    std::fs::remove_dir_all(place.path().join("etc/berth")).unwrap();
    let key = STANDARD.encode(made("cosign.pub"));
    let policy = |identity: &str| {
        place.policy(&format!(r#"{{"default": [{{"type": "sigstoreSigned", "keyData": "{key}"{identity}}}]}}"#));
    };
    policy("");
    assert!(place.refused(NAME, &made("image.json"), &registry).contains("does not count for this one"));
    policy(r#", "signedIdentity": {"type": "matchRepository"}"#);
    let verified = place.verify(NAME, &made("image.json"), &registry).unwrap();
    assert_eq!(verified.signatures[0].key, "keyData of the policy");
    place.file("etc/containers/registries.d/no.yaml", "default-docker:\n  use-sigstore-attachments: false\n");
    assert!(place.refused(NAME, &made("image.json"), &registry).contains("use-sigstore-attachments: false"));
}

#[test]
fn what_is_not_signed_as_it_should_be_is_refused() {
    let image = made("image.json");
    let other = b"{}";
    type Spoil = fn(&Place, &mut Registry);
    let cases: [(&str, &[u8], Spoil, &str); 9] = [
        (NAME, &image, |_, registry| registry.manifests.clear(), "it is not there"),
        ("localhost:5871/web/other:1", &image, |_, _| {}, "is for the name localhost:5871/web/page"),
        // The signature of one image under the tag for another.
        (
            NAME,
            other,
            |_, registry| drop(registry.manifests.insert(tag(b"{}"), made("sig.json"))),
            "which is another image",
        ),
        (
            NAME,
            &image,
            |place, _| {
                shell(
                    place.path(),
                    "openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout >\"$1\"",
                    &["etc/berth/trust/localhost:5871/web/cosign.pub"],
                );
            },
            "it is not by one of the trusted keys",
        ),
        (
            NAME,
            &image,
            |_, registry| {
                registry.blobs.insert(Digest::of(&made("payload")), made("payload").to_ascii_uppercase());
            },
            "its payload is not sha256:",
        ),
        (
            NAME,
            &image,
            |_, registry| {
                let text = String::from_utf8(made("sig.json")).unwrap();
                let text = text.replace("dev.cosignproject.cosign/signature", "dev.cosignproject.cosign/other");
                registry.manifests.insert(tag(&made("image.json")), text.into_bytes());
            },
            "it has no annotation",
        ),
        (
            NAME,
            &image,
            |_, registry| drop(registry.manifests.insert(tag(&made("image.json")), b"{}".to_vec())),
            "there is no signature in it",
        ),
        (
            NAME,
            &image,
            |place, _| drop(place.file("etc/berth/trust/localhost:5871/web/cosign.pub", "nothing")),
            "this is not a PEM public key",
        ),
        (NAME, &image, |_, registry| registry.blobs.clear(), "404"),
    ];
    for (name, manifest, spoil, expected) in cases {
        let (place, mut registry) = real();
        spoil(&place, &mut registry);
        let refusal = place.refused(name, manifest, &registry);
        assert!(refusal.contains(expected), "{expected}: {refusal}");
    }
}

#[test]
fn an_image_is_what_its_digest_says_or_refused() {
    let (place, registry) = real();
    let (image, swapped) = (made("image.json"), b"{\"swapped\": true}".as_slice());
    let requirement = place.trust().unwrap().decide(&NAME.parse().unwrap());
    let refused = |candidate: &Candidate| requirement.verify(candidate, &registry).unwrap_err().to_string();
    let digest = Digest::of(&image);
    assert!(refused(&Candidate { digest, manifest: swapped, chosen: None }).contains("what came has the digest"));
    // By digest: what came is another image, in itself consistent.
    let by_digest = format!("localhost:5871/web/page@{}", Digest::of(b"wanted"));
    assert!(place.refused(&by_digest, &image, &registry).contains("what came has the digest"));
    let by_digest = format!("localhost:5871/web/page@{digest}");
    place.verify(&by_digest, &image, &registry).unwrap();
}

#[test]
fn a_signature_of_the_index_or_of_the_manifest_chosen_from_it_is_enough() {
    let (place, registry) = real();
    let image = made("image.json");
    let requirement = place.trust().unwrap().decide(&NAME.parse().unwrap());
    let index = format!(r#"{{"manifests": [{{"digest": "{}"}}]}}"#, Digest::of(&image));
    let index = Candidate {
        digest: Digest::of(index.as_bytes()),
        manifest: index.as_bytes(),
        chosen: Some((Digest::of(&image), &image)),
    };
    requirement.verify(&index, &registry).unwrap();
    let alone = Candidate { chosen: None, ..index };
    assert!(requirement.verify(&alone, &registry).is_err());
    let empty = br#"{"manifests": []}"#;
    let stranger = Candidate { digest: Digest::of(empty), manifest: empty, ..index };
    assert!(requirement.verify(&stranger, &registry).unwrap_err().to_string().contains("its index does not list"));
}

#[test]
fn keys_of_every_usual_kind_verify_what_openssl_signs() {
    let image = made("image.json");
    for (make, sign) in [
        ("ecparam -name prime256v1 -genkey -noout", "dgst -sha256 -sign k"),
        ("ecparam -name secp384r1 -genkey -noout", "dgst -sha256 -sign k"),
        ("ecparam -name secp384r1 -genkey -noout", "dgst -sha384 -sign k"),
        ("genpkey -algorithm ed25519", "pkeyutl -sign -rawin -inkey k -in"),
        ("genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048", "dgst -sha256 -sign k"),
        ("genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:4096", "dgst -sha256 -sign k"),
    ] {
        let (place, mut registry) = real();
        place.file("payload", made("payload"));
        let script = "openssl $1 >k 2>log; openssl pkey -in k -pubout >\"$3\"; openssl $2 payload | base64 -w0";
        let signature = shell(place.path(), script, &[make, sign, "etc/berth/trust/localhost:5871/web/cosign.pub"]);
        let mut manifest: serde_json::Value = serde_json::from_slice(&made("sig.json")).unwrap();
        let annotation = &mut manifest["layers"][0]["annotations"]["dev.cosignproject.cosign/signature"];
        let real = std::mem::replace(annotation, signature.into());
        registry.manifests.insert(tag(&image), manifest.to_string().into_bytes());
        let verified = place.verify(NAME, &image, &registry);
        assert!(verified.is_ok(), "{make}: {verified:?}");
        manifest["layers"][0]["annotations"]["dev.cosignproject.cosign/signature"] = real;
        registry.manifests.insert(tag(&image), manifest.to_string().into_bytes());
        assert!(place.refused(NAME, &image, &registry).contains("not by one of the trusted keys"), "{make}");
    }
}

#[test]
fn any_of_several_signatures_by_any_of_several_keys_is_enough() {
    let (place, mut registry) = real();
    shell(
        place.path(),
        "openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout >\"$1\"",
        &["etc/berth/trust/localhost:5871/web/a.pub"],
    );
    let mut manifest: serde_json::Value = serde_json::from_slice(&made("sig.json")).unwrap();
    let mut bad = manifest["layers"][0].clone();
    bad["annotations"]["dev.cosignproject.cosign/signature"] = "AAAA".into();
    manifest["layers"].as_array_mut().unwrap().insert(0, bad);
    registry.manifests.insert(tag(&made("image.json")), manifest.to_string().into_bytes());
    let verified = place.verify(NAME, &made("image.json"), &registry).unwrap();
    assert!(verified.signatures[0].key.ends_with("cosign.pub"));
}
