//! A writable layer as overlayfs leaves it, made into an image.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use berth::image::{CommitOptions, ImportError, Imported, SaveFormat, Silent};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, mknodat, setxattr};

use crate::Place;
use crate::archive::{Archive, Layout, layer};

fn base(place: &Place) {
    let archive = Archive::new()
        .directory("etc")
        .file("etc/gone", "x")
        .file("etc/marked", "x")
        .directory("replaced")
        .file("replaced/old", "x")
        .file("kept", "kept");
    let file = place.file("image.tar", &Layout::new("base:1", &[layer(archive)]).archive());
    place.import_file(&file, None).unwrap();
}

fn upper(place: &Place) -> PathBuf {
    let upper = place.path().join("upper");
    std::fs::create_dir_all(&upper).unwrap();
    upper
}

fn overlay(path: &Path, name: &str, value: &[u8]) {
    setxattr(path, format!("user.overlay.{name}"), value, XattrFlags::empty()).unwrap();
}

fn commit(place: &Place, of: &str, stop: bool) -> Result<Imported, ImportError> {
    let base = place.store().find(of).unwrap();
    let options = CommitOptions { message: Some("why".into()), ..CommitOptions::default() };
    let written = place.path().join("upper");
    let store = place.store();
    Ok(store.commit((&base, &written), "new:1", &options, &AtomicBool::new(stop), &Silent)?.finish()?)
}

/// What is seen of an image, as paths.
fn seen(place: &Place, name: &str) -> String {
    let record = place.store().find(name).unwrap();
    let trees: Vec<PathBuf> = record.layers.iter().rev().map(|layer| place.scope().layer(layer)).collect();
    let archive = place.path().join("seen.tar");
    place.store().export(&trees, &archive).unwrap();
    crate::shell("tar -tf \"$1\"", &[&archive])
}

#[test]
fn whiteouts_of_either_kind_and_opaque_directories_come_out_in_the_new_layer() {
    let place = Place::empty();
    base(&place);
    let upper = upper(&place);
    std::fs::create_dir(upper.join("etc")).unwrap();
    mknodat(CWD, upper.join("etc/gone"), FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    overlay(&upper.join("etc"), "opaque", b"x");
    std::fs::write(upper.join("etc/marked"), "").unwrap();
    overlay(&upper.join("etc/marked"), "whiteout", b"");
    std::fs::create_dir(upper.join("replaced")).unwrap();
    overlay(&upper.join("replaced"), "opaque", b"y");
    overlay(&upper.join("replaced"), "origin", b"of no meaning elsewhere");
    symlink("/etc/shadow", upper.join("replaced/link")).unwrap();
    let image = commit(&place, "base:1", false).unwrap();
    assert_eq!(image.name, "localhost/new:1");
    assert_eq!(seen(&place, "new:1"), "./\nkept\netc/\nreplaced/\nreplaced/link\n");
    let details = place.store().inspect("new:1").unwrap();
    assert_eq!(details.blobs[0], place.store().inspect("base:1").unwrap().blobs[0]);
    assert_eq!(place.store().history("new:1").unwrap()[0].comment.as_deref(), Some("why"));
    // It is a whole image: everything of it can be taken elsewhere, and the base be removed.
    place.store().remove("base:1").unwrap();
    let saved = place.path().join("saved.tar");
    place.store().save(&["new:1".into()], SaveFormat::OciArchive, &saved).unwrap();
    let other = Place::empty();
    other.store().load(&saved, &Silent).unwrap();
    assert_eq!(other.store().find("new:1").unwrap().layers, image.record.layers);
}

#[test]
fn what_no_layer_can_hold_is_refused_and_the_store_is_as_it_was() {
    let place = Place::empty();
    base(&place);
    let before = (place.blobs(), place.layers(), place.store().list().unwrap());
    let upper = upper(&place);
    for name in [".wh.kept", ".wh..wh..opq", ".wh."] {
        std::fs::write(upper.join(name), "").unwrap();
        let error = commit(&place, "base:1", false).unwrap_err().to_string();
        let expected = format!("{name}: a name that begins with “.wh.” means a whiteout in a layer");
        assert!(error.ends_with(&expected), "{error}");
        std::fs::remove_file(upper.join(name)).unwrap();
    }
    std::fs::write(upper.join("file"), "x").unwrap();
    let error = commit(&place, "base:1", true).unwrap_err().to_string();
    assert!(error.ends_with("stopped by a signal"), "{error}");
    assert_eq!((place.blobs(), place.layers(), place.store().list().unwrap()), before);
    assert!(place.incoming().is_empty());
}

#[test]
#[ignore = "needs skopeo: make check"]
fn an_image_of_docker_s_own_kind_can_be_built_on() {
    let place = Place::empty();
    base(&place);
    let (docker, changed) = (place.path().join("docker"), place.path().join("changed.tar"));
    let oci = place.scope().store.join("oci");
    let copy = "skopeo copy -q --insecure-policy --format v2s2 oci:$1:localhost/base:1 dir:$2
        skopeo copy -q --insecure-policy --format v2s2 dir:$2 oci-archive:$3:docker:1";
    crate::shell(copy, &[&oci, &docker, &changed]);
    place.import_file(&changed, Some("docker:1")).unwrap();
    std::fs::write(upper(&place).join("new"), "x").unwrap();
    commit(&place, "docker:1", false).unwrap();
    let inspected = crate::shell("skopeo inspect --raw oci:$1:localhost/new:1", &[&oci]);
    let manifest: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    let kinds: Vec<_> = manifest["layers"].as_array().unwrap().iter().map(|layer| &layer["mediaType"]).collect();
    let tar = "application/vnd.oci.image.layer.v1.tar";
    assert_eq!(kinds, [&format!("{tar}+gzip"), &format!("{tar}+zstd")]);
    let copied = place.path().join("copied");
    crate::shell("skopeo copy -q --insecure-policy oci:$1:localhost/new:1 dir:$2", &[&oci, &copied]);
}
