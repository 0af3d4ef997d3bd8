//! What a check of the store finds, and what it makes right.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use berth::image::{Finding, Part};

use crate::Place;
use crate::archive::{Archive, Layout, digest, layer};

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
    type Change = fn(&Path);
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

/// Puts `content` in the place of the image's only layer blob, as if it had been announced.
fn swap_layer_blob(place: &Place, content: &[u8]) {
    let oci = place.scope().store.join("oci");
    let read = |path: &Path| serde_json::from_slice::<serde_json::Value>(&std::fs::read(path).unwrap()).unwrap();
    let mut index = read(&oci.join("index.json"));
    let old = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
    let mut manifest = read(&blob(place, &old));
    std::fs::write(blob(place, &digest(content)), content).unwrap();
    manifest["layers"][0]["digest"] = digest(content).into();
    manifest["layers"][0]["size"] = content.len().into();
    let text = manifest.to_string();
    let new = digest(text.as_bytes());
    std::fs::write(blob(place, &new), &text).unwrap();
    index["manifests"][0]["digest"] = new.clone().into();
    index["manifests"][0]["size"] = text.len().into();
    std::fs::write(oci.join("index.json"), index.to_string()).unwrap();
    let record = |manifest: &str| oci.join("records").join(format!("{}.json", &manifest[7..]));
    let text = std::fs::read_to_string(record(&old)).unwrap();
    std::fs::write(record(&new), text.replace(&old, &new)).unwrap();
}

#[test]
fn what_cannot_be_read_is_one_finding_and_the_check_goes_on() {
    let place = Place::empty();
    import(&place);
    swap_layer_blob(&place, b"\x1f\x8b no gzip after all");
    let archive = Archive::new().file("of-two", "content");
    let two = place.file("two.tar", &Layout::new("two:1", &[layer(archive)]).archive());
    let two = place.import_file(&two, None).unwrap().remove(0).record;
    std::fs::write(place.scope().layer(&two.layers[0]).join("of-two"), "CONTENT").unwrap();
    // As much as an error of the disk: it is opened, and cannot be read.
    let unreadable = blob(&place, &"0".repeat(64));
    std::fs::create_dir(&unreadable).unwrap();
    let expected = [
        (Part::Layer, Some("localhost/one:1"), "cannot be decompressed (gzip)"),
        (Part::Layer, Some("localhost/two:1"), "/of-two: its content is another"),
        (Part::Blob, None, "cannot read"),
    ];
    let found = check(&place, false);
    let told = |part| found.iter().filter(move |it: &&Finding| it.part == part);
    for (part, image, problem) in expected {
        let is_it = |it: &Finding| it.image.as_deref() == image && it.problem.contains(problem);
        assert!(told(part).any(is_it), "{image:?}: {problem}: {found:?}");
    }
    let repaired: Vec<_> = check(&place, true).into_iter().filter(|it| it.repaired).map(|it| it.digest).collect();
    assert!(repaired.contains(&two.layers[0]) && !unreadable.exists(), "{repaired:?}");
    let left = check(&place, false);
    assert_eq!((left.len(), left[0].image.as_deref()), (1, Some("localhost/one:1")), "{left:?}");
}

#[test]
fn a_container_that_outlived_its_lock_keeps_its_layer() {
    let place = Place::empty();
    let layer = import(&place);
    let manifest = place.store().find("one:1").unwrap().manifest;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let start: u64 = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(19).unwrap().parse().unwrap();
    let started = serde_json::json!({
        "name": "lockless", "unit": "berth-run-lockless.scope", "cgroup": "/", "leader": std::process::id(),
        "leader_start": start, "started_at": 0, "image": ["one:1", manifest], "root_directory": null,
        "user_namespace": null, "free_range": false, "network": "none", "init": false, "sources": [], "reload": null,
        "process": {
            "argv": [], "environment": [], "working_directory": "/", "user": null, "groups": [], "umask": 0,
            "capabilities": 0, "ambient": 0, "no_new_privileges": true, "seccomp": "default", "apparmor": null,
            "selinux_label": null, "rlimits": [],
        },
    });
    let state = place.scope().container_states().join("lockless");
    std::fs::create_dir_all(&state).unwrap();
    std::fs::write(state.join("started.json"), started.to_string()).unwrap();
    std::fs::write(layer.join("dir/file"), "CONTENT").unwrap();
    let held = check(&place, true);
    assert_eq!(held[0].hindrance.as_deref(), Some("lockless runs with it: stop that first"), "{held:?}");
    std::fs::remove_dir_all(&state).unwrap();
    assert!(check(&place, true)[0].repaired);
}

#[test]
fn a_blob_that_somebody_fetches_is_not_put_away_under_their_hands() {
    let place = Place::empty();
    import(&place);
    let whole = b"a blob of a pull under way";
    let (path, turn) = (blob(&place, &digest(whole)), place.scope().store.join("incoming").join(&digest(whole)[7..]));
    std::fs::write(&path, "half of it").unwrap();
    let mut written = std::fs::File::options().write(true).open(&path).unwrap();
    let fetches = std::fs::File::create(&turn).unwrap();
    fetches.lock().unwrap();
    std::thread::scope(|threads| {
        let checks = threads.spawn(|| place.store().check(&[], true).unwrap());
        let opened = || {
            let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
            open.filter(|open| std::fs::read_link(open.path()).is_ok_and(|to| to == turn)).count()
        };
        // Until it waits for its turn.
        while opened() < 2 && !checks.is_finished() {
            std::thread::yield_now();
        }
        written.write_all(whole).unwrap();
        std::fs::remove_file(&turn).unwrap();
        drop(fetches);
        checks.join().unwrap();
    });
    assert_eq!(std::fs::read(&path).unwrap(), whole);
}
