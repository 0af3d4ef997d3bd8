//! What a check of the store finds, and what it makes right.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use berth::image::{Finding, Part};

use crate::Place;
use crate::archive::{Archive, Layout, layer};

/// An image of one layer, and where that is.
fn import(place: &Place) -> PathBuf {
    let archive = Archive::new().file("dir/file", "content").file("dir/other", "x").symlink("link", "dir/file");
    let file = place.file("image.tar", &Layout::new("one:1", &[layer(archive)]).archive());
    let imported = place.import_file(&file, None).unwrap();
    place.scope().layer(&imported[0].record.layers[0])
}

fn check(place: &Place, repair: bool) -> Vec<Finding> {
    let findings = place.store().check(&[], repair).unwrap();
    assert!(place.incoming().is_empty());
    findings
}

fn blob(place: &Place, digest: &str) -> PathBuf {
    place.scope().store.join("oci/blobs/sha256").join(digest.trim_start_matches("sha256:"))
}

#[test]
fn every_change_of_a_layer_is_found_and_repaired() {
    type Change = fn(&std::path::Path);
    let changes: [(&str, Change); 8] = [
        ("/dir/file: its content is another", |layer| std::fs::write(layer.join("dir/file"), "CONTENT").unwrap()),
        ("/dir/file: its size is 4, not 7", |layer| std::fs::write(layer.join("dir/file"), "four").unwrap()),
        ("/dir/file: it is missing", |layer| std::fs::remove_file(layer.join("dir/file")).unwrap()),
        ("/dir/new: the image has no such file", |layer| std::fs::write(layer.join("dir/new"), "").unwrap()),
        ("/dir/file: its mode is 777", |layer| {
            std::fs::set_permissions(layer.join("dir/file"), PermissionsExt::from_mode(0o777)).unwrap();
        }),
        ("/dir: its owner is 5:6", |layer| std::os::unix::fs::chown(layer.join("dir"), Some(5), Some(6)).unwrap()),
        ("/link: its ", |layer| {
            std::fs::remove_file(layer.join("link")).unwrap();
            symlink("dir/elsewhere", layer.join("link")).unwrap();
        }),
        ("/dir: its attribute user.overlay.opaque is another", |layer| {
            let directory = std::fs::File::open(layer.join("dir")).unwrap();
            rustix::fs::fsetxattr(&directory, "user.overlay.opaque", b"y", rustix::fs::XattrFlags::empty()).unwrap();
        }),
    ];
    let place = Place::empty();
    let layer = import(&place);
    assert_eq!(check(&place, false), []);
    for (expected, change) in changes {
        change(&layer);
        let found = check(&place, false);
        assert_eq!((found.len(), found[0].part, found[0].repaired), (1, Part::Layer, false), "{expected}: {found:?}");
        assert!(found[0].problem.contains(expected), "{expected}: {found:?}");
        assert_eq!(found[0].image.as_deref(), Some("localhost/one:1"));
        // What has it open would be lost.
        let running = place.store().lock_image(&place.store().find("one:1").unwrap()).unwrap();
        let held = check(&place, true);
        assert!(held[0].hindrance.as_deref().is_some_and(|it| it.contains("a container runs with it")), "{held:?}");
        drop(running);
        assert!(check(&place, true)[0].repaired);
        assert_eq!(check(&place, false), [], "{expected}");
    }
    std::fs::remove_dir_all(&layer).unwrap();
    assert!(check(&place, true)[0].repaired);
    assert_eq!(std::fs::read(layer.join("dir/file")).unwrap(), b"content");
}

#[test]
fn a_blob_that_is_missing_or_another_is_found_and_where_to_get_it_is_told() {
    let place = Place::empty();
    import(&place);
    let details = place.store().inspect("one:1").unwrap();
    for (digest, part) in [(&details.blobs[0].digest, Part::Blob), (&details.record.manifest, Part::Manifest)] {
        let path = blob(&place, digest);
        let whole = std::fs::read(&path).unwrap();
        let mut other = whole.clone();
        other[20] ^= 1;
        std::fs::write(&path, other).unwrap();
        let found = check(&place, false);
        assert_eq!((found[0].part, &*found[0].problem, &found[0].digest), (part, "its content is another", digest));
        std::fs::write(&path, &whole[1..]).unwrap();
        assert!(check(&place, false)[0].problem.contains("bytes, not"));
        std::fs::remove_file(&path).unwrap();
        let found = check(&place, true);
        assert_eq!((&*found[0].problem, found[0].repaired), ("it is missing", false));
        assert_eq!(found[0].hindrance.as_deref(), Some("it was imported: import it again"));
        std::fs::write(&path, whole).unwrap();
        assert_eq!(check(&place, false), []);
    }
}

#[test]
fn a_record_is_written_anew_and_a_damaged_blob_of_no_image_put_away() {
    let place = Place::empty();
    import(&place);
    let before = place.store().find("one:1").unwrap();
    let path = place.scope().store.join("oci/records").join(format!("{}.json", &before.manifest[7..]));
    std::fs::write(&path, "{").unwrap();
    let stray = blob(&place, &"0".repeat(64));
    std::fs::write(&stray, "of a disk that lies").unwrap();
    let found = check(&place, false);
    assert_eq!(found.iter().map(|it| it.part).collect::<Vec<_>>(), [Part::Record, Part::Blob], "{found:?}");
    assert!(check(&place, true).iter().all(|it| it.repaired));
    assert_eq!(place.store().find("one:1").unwrap(), before);
    assert!(!stray.exists());
    assert_eq!(check(&place, false), []);
}

#[test]
fn room_is_told_by_who_takes_it() {
    let place = Place::empty();
    let shared = || layer(Archive::new().file("shared", &"s".repeat(50_000)));
    for name in ["one", "two"] {
        let layers = [shared(), layer(Archive::new().file(name, &name.repeat(10_000)))];
        let file = place.file("image.tar", &Layout::new(&format!("{name}:1"), &layers).archive());
        place.import_file(&file, None).unwrap();
    }
    let written = place.scope().writable().join("web/upper");
    std::fs::create_dir_all(&written).unwrap();
    std::fs::write(written.join("file"), vec![1; 8192]).unwrap();
    std::fs::write(blob(&place, &"0".repeat(64)), vec![1; 4096]).unwrap();
    let usage = place.store().usage().unwrap();
    assert_eq!(usage.images.len(), 2);
    for image in &usage.images {
        assert!(image.shared_layers >= 50_000 && image.own_layers >= 30_000, "{image:?}");
        assert!(image.shared_blobs > 0 && image.own_blobs > 0, "{image:?}");
    }
    assert!(usage.writable["web"] >= 8192 && usage.unnamed_blobs >= 4096 && usage.unnamed_layers == 0, "{usage:?}");
    let once = usage.images.iter().map(|it| it.own_blobs + it.own_layers).sum::<u64>();
    let shared = usage.images[0].shared_blobs + usage.images[0].shared_layers;
    assert_eq!(usage.total, once + shared + usage.writable["web"] + usage.unnamed_blobs);
}
