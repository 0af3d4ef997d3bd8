//! Images signed by cosign in the registry, and by skopeo beside it: which come in, and what refuses the others.

use super::{PLAIN, registries};
use crate::ring::Host;

#[test]
#[ignore = "host ring: make check"]
fn only_what_a_trusted_key_has_signed_comes_in_and_the_record_says_which() {
    let host = registries();
    for name in ["signed/right", "signed/wrong", "signed/not"] {
        host.push(name, 2, "amd64", PLAIN, &format!("localhost:5000/{name}:1"));
    }
    host.run(
        "set -e; cd /srv/reg; export COSIGN_PASSWORD=
        for key in ours theirs; do cosign generate-key-pair --output-key-prefix $key >/dev/null 2>&1; done
        sign() {
            digest=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' docker://localhost:5000/$2:1)
            cosign sign --yes --tlog-upload=false --allow-http-registry --allow-insecure-registry --key $1.key localhost:5000/$2@$digest >&2
        }
        sign ours signed/right; sign theirs signed/wrong
        berthctl trust add localhost:5000/signed ours.pub",
    )
    .ok();
    host.run("berthctl pull localhost:5000/signed/right:1").ok();
    assert_eq!(host.run("berthctl run localhost:5000/signed/right:1").ok(), "signed/right amd64 1");
    let inspected = host.run("berthctl image inspect localhost:5000/signed/right:1").ok();
    assert!(inspected.contains("cosign") && inspected.contains("trust/localhost"), "{inspected}");
    for name in ["signed/wrong", "signed/not"] {
        let refused = host.run(&format!("berthctl pull localhost:5000/{name}:1"));
        assert!(refused.stderr.contains("berthctl trust"), "{refused:?}");
        refused.exits(1);
        host.run(&format!("berthctl image inspect localhost:5000/{name}:1")).exits(1);
    }
    // Another image under the signed one's name, with the signature that was made for the one before.
    host.push("signed/swapped", 2, "amd64", PLAIN, "localhost:5000/signed/swapped:1");
    let swap = "set -e; of() { skopeo inspect --tls-verify=false --format '{{.Digest}}' docker://localhost:5000/signed/$1:1; }
        from=$(of right) to=$(of swapped)
        skopeo copy -q --src-tls-verify=false --dest-tls-verify=false docker://localhost:5000/signed/right:${from/:/-}.sig \
            docker://localhost:5000/signed/swapped:${to/:/-}.sig
        berthctl pull localhost:5000/signed/swapped:1";
    let swapped = host.run(swap);
    assert!(swapped.stderr.contains("is for sha256:"), "{swapped:?}");
    swapped.exits(1);
    host.run("berthctl trust allow localhost:5000/signed/not && berthctl pull localhost:5000/signed/not:1").ok();
    host.run("berthctl trust remove localhost:5000/signed; berthctl trust remove localhost:5000/signed/not").ok();
}

/// What the tests below do to signatures; each in a directory of its own, with keys of its own in it.
const SIGN: &str = r#"
export COSIGN_PASSWORD=
where="--allow-http-registry --allow-insecure-registry --tlog-upload=false --yes"
api=http://localhost:5000/v2
kinds="Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
digest() { skopeo inspect --tls-verify=false --format '{{.Digest}}' docker://localhost:5000/$1; }
sign() { # NAME:TAG [OPTION…]
    cosign sign $where --key own.key "${@:2}" localhost:5000/${1%:*}@$(digest $1) >&2
}
signature() { local digest=$(digest $1); echo $api/${1%:*}/manifests/${digest/:/-}.sig; }
"#;

/// Keys, and trust in one of them for all of `prefix`.
fn keys(host: &Host, prefix: &str) -> String {
    let there = format!("{SIGN} cd /srv/reg/keys-{prefix}; ");
    let make = "cosign generate-key-pair --output-key-prefix own >/dev/null 2>&1";
    let trust = format!("berthctl trust add localhost:5000/{prefix} own.pub");
    host.run(&format!("mkdir /srv/reg/keys-{prefix}; {there} {make} && {trust}")).ok();
    there
}

#[test]
#[ignore = "host ring: make check"]
fn what_is_done_to_a_signature_or_an_image_once_it_is_signed_is_told() {
    let host = registries();
    let there = keys(host, "later");
    host.push("later", 1, "amd64", PLAIN, "localhost:5000/later/other:1");
    for (name, change, reason) in [
        // Stripped: of the whole signature, and of what is signed in it.
        (
            "later/deleted:1",
            "curl -sf -X DELETE $api/later/deleted/manifests/$(curl -sfI -H \"$kinds\" $(signature $name) | tr -d '\\r' | sed -n 's/^Docker-Content-Digest: //Ip')",
            ".sig: it is not there",
        ),
        (
            "later/emptied:1",
            "curl -sf -H \"$kinds\" $(signature $name) | sed 's,dev.cosignproject.cosign/signature,other,' >emptied &&
            curl -sf -T emptied -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' $(signature $name)",
            "it has no annotation dev.cosignproject.cosign/signature",
        ),
        // The tag moved on to an image that nobody has signed.
        (
            "later/moved:1",
            "skopeo copy -q --src-tls-verify=false --dest-tls-verify=false docker://localhost:5000/later/other:1 docker://localhost:5000/$name",
            ".sig: it is not there",
        ),
    ] {
        host.push(name.split(':').next().unwrap(), 2, "amd64", PLAIN, &format!("localhost:5000/{name}"));
        let pull = format!("berthctl pull -q localhost:5000/{name}");
        host.run(&format!("{there} name={name}; sign $name && {pull} && berthctl image remove localhost:5000/$name"))
            .ok();
        host.run(&format!("{there} name={name}; {change}")).ok();
        let refused = host.run(&pull);
        assert!(refused.stderr.contains(reason), "{name}: {refused:?}");
        refused.exits(1);
        host.run(&format!("berthctl image inspect localhost:5000/{name}")).exits(1);
    }
    host.run("berthctl trust remove localhost:5000/later").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn a_signature_among_the_referrers_lets_in_and_a_bundle_does_not_but_says_how_to_sign() {
    let host = registries();
    let there = keys(host, "referring");
    for name in ["referring/signed", "referring/bundled"] {
        host.push(name, 2, "amd64", PLAIN, &format!("localhost:5000/{name}:1"));
    }
    let pull = |name: &str| host.run(&format!("berthctl pull -q localhost:5000/referring/{name}:1"));
    pull("signed").exits(1);
    let refer = "COSIGN_EXPERIMENTAL=1 sign referring/signed:1 --registry-referrers-mode=oci-1-1";
    host.run(&format!("{there} {refer} && ! curl -sf -H \"$kinds\" $(signature referring/signed:1)")).ok();
    pull("signed").ok();
    let inspected = host.run("berthctl image inspect localhost:5000/referring/signed:1").ok();
    assert!(inspected.contains("\"localhost:5000/referring/signed@sha256:"), "{inspected}");
    // The one kind of bundle that Debian's cosign makes is one of an attestation.
    let bundle = "echo '{}' >predicate; image=localhost:5000/referring/bundled@$(digest referring/bundled:1)
        cosign attest $where --key own.key --new-bundle-format --type custom --predicate predicate $image >&2 && echo $image";
    let image = host.run(&format!("{there} {bundle}")).ok();
    let refused = pull("bundled");
    assert!(refused.stderr.contains("it is a sigstore bundle, which is not accepted because"), "{refused:?}");
    let advice = format!("cosign sign --key KEY {image}");
    assert!(refused.stderr.contains(&format!("`{advice}`")), "{refused:?}");
    refused.exits(1);
    host.run(&format!("{there} {} $where >&2", advice.replace("KEY", "own.key"))).ok();
    pull("bundled").ok();
    host.run("berthctl trust remove localhost:5000/referring").ok();
}

/// The shared policy and signatures of skopeo's own making (containers-signature(5)), beside the registry.
#[test]
#[ignore = "host ring: make check"]
fn a_simple_signature_lets_in_the_image_it_names_and_no_other() {
    let host = Host::boot("simple-signing");
    host.write("/srv/reg/image.py", include_str!("image.py"));
    host.write("/srv/reg/tokens.py", include_str!("tokens.py"));
    host.run(include_str!("registries.sh")).ok();
    let policy = r#"{"default": [{"type": "reject"}], "transports": {"docker": {
        "localhost:5000/simple": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/srv/reg/signer.gpg"}]}}}"#;
    host.run(
        "set -e; cd /srv/reg; mkdir -p signatures /etc/containers/registries.d
        for who in signer stranger; do gpg --batch --quiet --passphrase '' --quick-generate-key $who@tests rsa2048 sign never; done
        gpg --export signer@tests >signer.gpg
        printf 'docker:\\n  localhost:5000/simple:\\n    lookaside: file:///srv/reg/signatures\\n' >/etc/containers/registries.d/simple.yaml",
    )
    .ok();
    for (name, signer) in [
        ("simple/right:1", "--sign-by signer@tests"),
        ("simple/right:2", ""),
        ("simple/wrong:1", "--sign-by stranger@tests"),
        ("simple/moved:1", ""),
        ("simple/not:1", ""),
        ("other/name:1", ""),
    ] {
        // All are the same image: only the name tells them apart.
        host.run(&format!(
            "set -e; cd /srv/reg; [ -d images/simple ] || python3 image.py images/simple simple 2
            skopeo copy -q {PLAIN} {signer} oci:images/simple:latest docker://localhost:5000/{name} >&2"
        ))
        .ok();
    }
    host.push("swapped", 2, "amd64", PLAIN, "localhost:5000/simple/swapped:1");
    host.run(
        "set -e; cd /srv/reg/signatures/simple; cp -r right@* $(ls -d right@* | sed s/right/moved/)
        swapped=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' docker://localhost:5000/simple/swapped:1)
        cp -r right@* swapped@${swapped/:/=}",
    )
    .ok();
    host.write("/etc/containers/policy.json", policy);
    host.run("berthctl pull localhost:5000/simple/right:1").ok();
    assert_eq!(host.run("berthctl run localhost:5000/simple/right:1").ok(), "simple amd64 1");
    let inspected = host.run("berthctl image inspect localhost:5000/simple/right:1").ok();
    let key =
        host.run("gpg --with-colons --list-keys signer@tests | awk -F: '/^fpr/ { print tolower($10); exit }'").ok();
    assert!(inspected.to_lowercase().contains(&key), "{key}: {inspected}");
    let for_another = "it is for the name localhost:5000/simple/right:1, which does not count for this one";
    for (name, reason) in [
        ("simple/right:2", for_another),
        ("simple/moved:1", for_another),
        ("simple/wrong:1", "it is by the key"),
        ("simple/swapped:1", "which is another image"),
        ("simple/not:1", "signature-1: it is not there"),
        ("other/name:1", "reject"),
    ] {
        let refused = host.run(&format!("berthctl pull localhost:5000/{name}"));
        assert!(refused.stderr.contains(reason), "{name}: {refused:?}");
        refused.exits(1);
        host.run(&format!("berthctl image inspect localhost:5000/{name}")).exits(1);
    }
}
