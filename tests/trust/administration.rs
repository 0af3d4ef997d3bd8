//! `berthctl trust`: keys and markers are written whole, and only what makes sense.

use std::os::unix::fs::PermissionsExt;

use berth::image::trust::{Prefix, Trust, TrustedKey};

use crate::{Place, shell};

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn pem(place: &Place, name: &str) -> std::path::PathBuf {
    shell(place.path(), "openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout >\"$1\"", &[name]);
    place.path().join(name)
}

fn rows(place: &Place) -> Vec<TrustedKey> {
    place.trust().unwrap().trusted().flat_map(|trusted| trusted.rows()).collect()
}

#[test]
fn a_key_is_added_listed_and_removed_and_leaves_nothing() {
    let place = Place::empty();
    let scope = place.scope();
    let key = pem(&place, "release.pem");
    let path = Trust::add(&scope, &prefix("quay.io/x/y"), &key).unwrap();
    assert_eq!(path, place.path().join("etc/berth/trust/quay.io/x/y/release.pub"));
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&key).unwrap());
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o644);
    let rows = rows(&place);
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((row.prefix.as_str(), row.kind.as_str(), &row.problem), ("quay.io/x/y", "cosign", &None));
    assert_eq!((row.key.as_ref(), row.fingerprints.len()), (Some(&path), 1));
    // Once more is no mistake; another key by the same name is.
    Trust::add(&scope, &prefix("quay.io/x/y"), &key).unwrap();
    pem(&place, "release.pem");
    let error = Trust::add(&scope, &prefix("quay.io/x/y"), &key).unwrap_err().to_string();
    assert!(error.contains("is another key of this name"), "{error}");
    assert!(Trust::remove(&scope, &prefix("quay.io/x/y"), Some("other.pub")).is_err());
    assert_eq!(Trust::remove(&scope, &prefix("quay.io/x/y"), Some("release.pub")).unwrap(), [path]);
    let left: Vec<_> = std::fs::read_dir(scope.trust()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(
        Trust::remove(&scope, &prefix("quay.io/x/y"), None).unwrap_err().to_string().contains("nothing is said of")
    );
}

#[test]
fn keys_and_leave_to_be_unsigned_do_not_stand_together() {
    let place = Place::empty();
    let scope = place.scope();
    let marker = Trust::allow(&scope, &prefix("quay.io")).unwrap();
    assert_eq!(rows(&place)[0].kind, "unsigned");
    Trust::add(&scope, &prefix("quay.io"), &pem(&place, "k.pub")).unwrap();
    assert!(!marker.exists());
    let error = Trust::allow(&scope, &prefix("quay.io")).unwrap_err().to_string();
    assert!(error.contains("`berthctl trust remove quay.io` first"), "{error}");
    // A part of it may have rules of its own.
    Trust::allow(&scope, &prefix("quay.io/x")).unwrap();
    assert_eq!(Trust::remove(&scope, &prefix("quay.io"), None).unwrap().len(), 1);
    assert_eq!(rows(&place).len(), 1);
}

#[test]
fn what_is_no_public_key_is_not_added() {
    let place = Place::empty();
    let key = |name: &str, script: &str| {
        shell(place.path(), script, &[name]);
        place.path().join(name)
    };
    for (file, expected) in [
        (place.file("text", "hello"), "it is no OpenPGP public key; a PEM public key would do too"),
        (place.file("empty", ""), "it is no OpenPGP public key"),
        (key("private.pem", "openssl genpkey -algorithm ed25519 >\"$1\""), "this is a private key"),
        (key("cut.pem", "openssl genpkey -algorithm ed25519 | openssl pkey -pubout | head -1 >\"$1\""), "is not a PEM"),
        (
            key("kind.pem", "openssl genpkey -algorithm x25519 | openssl pkey -pubout >\"$1\""),
            "of a kind that is not known",
        ),
        (place.path().join("nowhere"), "cannot read"),
        (place.path().to_owned(), "cannot read"),
    ] {
        let error = Trust::add(&place.scope(), &prefix("quay.io"), &file).unwrap_err().to_string();
        assert!(error.contains(expected), "{}: {error}", file.display());
    }
    assert!(!place.scope().trust().exists());
}

#[test]
#[ignore = "needs gpg, gpgv and sqv: make check"]
fn openpgp_keys_are_named_as_gpg_names_them() {
    let place = Place::empty();
    let gpg = |script: &str| {
        let options = "gpg() { command gpg --batch --quiet --yes --passphrase '' \"$@\"; }\n";
        shell(place.path(), &format!("{options}{script}\ngpgconf --kill all"), &[])
    };
    gpg("gpg --quick-generate-key one rsa2048 sign never; gpg --armor --export one >one.txt; gpg --export one >one.bin
         gpg --export-secret-keys one >secret; gpg --armor --export-secret-keys one >secret.asc
         gpg --faked-system-time 20200101T000000 --quick-generate-key old ed25519 sign 2d; gpg --export old >old");
    let fingerprint = gpg("gpg --with-colons --list-keys one | awk -F: '/^fpr/ { print $10; exit }'");
    for (file, kept) in [("one.txt", "one.asc"), ("one.bin", "one.gpg")] {
        let path = Trust::add(&place.scope(), &prefix("quay.io"), &place.path().join(file)).unwrap();
        assert!(path.ends_with(kept));
    }
    for row in rows(&place) {
        assert_eq!((row.kind.as_str(), row.fingerprints.as_slice()), ("openpgp", &[fingerprint.trim().to_owned()][..]));
    }
    for (file, expected) in
        [("secret", "is a secret key"), ("secret.asc", "is a secret key"), ("old", "no key that is not expired")]
    {
        let error = Trust::add(&place.scope(), &prefix("quay.io"), &place.path().join(file)).unwrap_err().to_string();
        assert!(error.contains(expected), "{file}: {error}");
    }
}
