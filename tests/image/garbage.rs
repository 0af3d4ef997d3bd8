//! What the collection of garbage takes and what it leaves.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use berth::image::{CollectOptions, Collection, Kind};

use crate::Place;
use crate::archive::{Archive, Layout, layer};

const YOUNG: CollectOptions = CollectOptions { grace: Duration::from_secs(3600), all: false, dry_run: false };
const ANY_AGE: CollectOptions = CollectOptions { grace: Duration::ZERO, all: false, dry_run: false };
const ALL: CollectOptions = CollectOptions { grace: Duration::ZERO, all: true, dry_run: false };

fn import(place: &Place, name: &str, content: &str) {
    let layers = [layer(Archive::new().file("base", "1")), layer(Archive::new().file("own", content))];
    let file = place.file("image.tar", &Layout::new(name, &layers).archive());
    place.import_file(&file, None).unwrap();
}

/// What a killed import leaves that had finished something.
fn unnamed(place: &Place) {
    let scope = place.scope();
    std::fs::create_dir_all(scope.layers().join("f".repeat(64)).join("directory")).unwrap();
    std::fs::write(scope.layers().join("f".repeat(64)).join("directory/file"), vec![1; 10_000]).unwrap();
    std::fs::write(scope.store.join("oci/blobs/sha256").join("e".repeat(64)), "blob").unwrap();
    std::fs::write(scope.store.join("oci/records").join(format!("{}.json", "d".repeat(64))), "{}").unwrap();
}

fn declare(place: &Place, file: &str, text: &str) {
    let directory = place.path().join("root/etc/berth/containers");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join(file), text).unwrap();
}

fn kinds(collection: &Collection) -> Vec<Kind> {
    collection.collected.iter().map(|it| it.kind).collect()
}

fn names(place: &Place) -> Vec<String> {
    place.store().list().unwrap().into_iter().map(|row| row.name.unwrap_or(row.id)).collect()
}

#[test]
fn what_no_image_has_goes_once_it_is_old_enough() {
    let place = Place::empty();
    import(&place, "one:1", "one");
    unnamed(&place);
    assert_eq!(place.store().collect(&YOUNG).unwrap(), Collection::default());
    let dry = place.store().collect(&CollectOptions { dry_run: true, ..ANY_AGE }).unwrap();
    assert_eq!((place.layers().len(), place.blobs().len()), (3, 5));
    let collected = place.store().collect(&ANY_AGE).unwrap();
    assert_eq!(collected, dry);
    let mut seen = kinds(&collected);
    seen.sort_by_key(|kind| format!("{kind:?}"));
    assert_eq!(seen, [Kind::Blob, Kind::Layer, Kind::Record]);
    assert!(collected.collected.iter().any(|it| it.kind == Kind::Layer && it.size >= 10_000), "{collected:?}");
    assert_eq!((place.layers().len(), place.blobs().len(), place.incoming().len()), (2, 4, 0));
    assert_eq!(names(&place), ["localhost/one:1"]);
    assert_eq!(place.store().collect(&ANY_AGE).unwrap(), Collection::default());
}

#[test]
fn an_image_that_lost_its_name_goes_once_nothing_needs_it() {
    let place = Place::empty();
    import(&place, "one:1", "old");
    let old = place.store().find("one:1").unwrap();
    import(&place, "one:1", "new");
    assert_eq!(place.store().collect(&YOUNG).unwrap(), Collection::default());
    let kept = place.scope().writable().join("web");
    std::fs::create_dir_all(&kept).unwrap();
    std::fs::write(kept.join("made-for"), &old.manifest).unwrap();
    assert_eq!(place.store().collect(&ANY_AGE).unwrap(), Collection::default());
    std::fs::remove_dir_all(&kept).unwrap();
    let in_use = place.store().lock_image(&old).unwrap();
    assert_eq!(place.store().collect(&ANY_AGE).unwrap(), Collection::default());
    drop(in_use);
    assert_eq!(place.store().collect(&ANY_AGE).unwrap().collected[0].name, old.manifest);
    assert_eq!(names(&place), ["localhost/one:1"]);
    assert_eq!((place.layers().len(), place.blobs().len()), (2, 4));
}

/// When a file was put there or last changed.
fn changed(path: &Path) -> (i64, i64) {
    let about = path.metadata().unwrap();
    (about.ctime(), about.ctime_nsec())
}

#[test]
fn an_image_ages_from_when_it_lost_its_name() {
    for lose in [(|place| import(place, "one:1", "new")) as fn(&Place), |place| {
        drop(place.store().tag("two:1", "one:1").unwrap())
    }] {
        let place = Place::empty();
        import(&place, "one:1", "old");
        import(&place, "two:1", "two");
        let old = place.store().find("one:1").unwrap().manifest;
        let record = place.scope().store.join("oci/records").join(format!("{}.json", &old[7..]));
        // By the clock that files have their times from, which ticks seldom.
        let tick = || changed(&place.file("tick", b""));
        let imported = tick();
        while tick() <= imported {}
        assert!(changed(&record) <= imported);
        lose(&place);
        assert!(changed(&record) > imported);
        // One that has another name does not age, and is written to as little.
        let two = place.store().find("two:1").unwrap().manifest;
        let record = place.scope().store.join("oci/records").join(format!("{}.json", &two[7..]));
        assert!(changed(&record) <= imported);
    }
}

#[test]
fn all_leaves_what_a_container_is_declared_or_runs_with() {
    let place = Place::empty();
    for name in ["declared", "template", "dropped-in", "running", "unused"] {
        import(&place, &format!("{name}:latest"), name);
    }
    declare(&place, "web.toml", "image = \"declared\"\n");
    declare(&place, "many@.toml", "image = \"template\"\n");
    declare(&place, "db.toml", "image = \"unused\"\n");
    let drop_in = place.path().join("root/etc/berth/containers/db.toml.d");
    std::fs::create_dir_all(&drop_in).unwrap();
    std::fs::write(drop_in.join("10.toml"), "image = \"dropped-in\"\n").unwrap();
    let running = place.store().lock_image(&place.store().find("running").unwrap()).unwrap();
    let collection = place.store().collect(&ALL).unwrap();
    let images: Vec<_> = collection.collected.iter().filter(|it| it.kind == Kind::Image).map(|it| &it.name).collect();
    assert_eq!(images, ["localhost/unused:latest"]);
    let left = ["declared", "dropped-in", "running", "template"].map(|name| format!("localhost/{name}:latest"));
    assert_eq!(names(&place), left);
    // The layer that all have, and the own one of each.
    assert_eq!(place.layers().len(), 5);
    drop(running);
    std::fs::remove_dir_all(place.path().join("root/etc/berth")).unwrap();
    place.store().collect(&ALL).unwrap();
    assert_eq!((place.layers().len(), place.blobs().len(), names(&place).len()), (0, 0, 0));
    assert_eq!(std::fs::read_dir(place.scope().store.join("oci/records")).unwrap().count(), 0);
}

#[test]
fn what_is_not_known_is_left_alone() {
    let place = Place::empty();
    import(&place, "one:1", "one");
    unnamed(&place);
    declare(&place, "broken.toml", "image = \n");
    let collection = place.store().collect(&ALL).unwrap();
    assert!(collection.notes[0].contains("broken.toml:1"), "{:?}", collection.notes);
    assert_eq!(names(&place), ["localhost/one:1"]);
    assert_eq!(place.layers().len(), 2);
    // Nor is anything an import under way may count on.
    unnamed(&place);
    let lock = std::fs::File::open(place.scope().store.join("imports.lock")).unwrap();
    lock.lock_shared().unwrap();
    let collection = place.store().collect(&ALL).unwrap();
    assert!(collection.collected.is_empty() && collection.notes[0].contains("under way"), "{collection:?}");
    drop(lock);
    assert_eq!(kinds(&place.store().collect(&ALL).unwrap()).len(), 3);
    // A damaged image is told of, and nothing removed for it.
    let manifest = place.store().find("one:1").unwrap().manifest;
    std::fs::remove_file(place.scope().store.join("oci/blobs/sha256").join(&manifest[7..])).unwrap();
    unnamed(&place);
    let collection = place.store().collect(&ANY_AGE).unwrap();
    let told = |note: &String| note.contains("is missing") && note.ends_with("so blobs and layers stay");
    assert!(collection.collected.is_empty() && collection.notes.iter().any(told), "{collection:?}");
    assert_eq!(place.layers().len(), 3);
}
