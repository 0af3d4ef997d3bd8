//! One store, many images and many who use it at once.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use berth::Scope;
use berth::image::{CollectOptions, Digest, ImportOptions, Kind, Silent, Store, StoreError};

use crate::Place;
use crate::archive::{Archive, Layout, layer};

fn import(place: &Place, name: &str, layers: &[Archive]) -> Vec<String> {
    let layers: Vec<_> = layers.iter().cloned().map(layer).collect();
    let file = place.file("image.tar", &Layout::new(name, &layers).archive());
    place.import_file(&file, None).unwrap().remove(0).record.layers
}

fn base() -> Archive {
    Archive::new().file("base", "1")
}

#[test]
fn a_shared_layer_is_unpacked_once_and_stays_as_long_as_one_image_needs_it() {
    let place = Place::empty();
    let one = import(&place, "one:1", &[base(), Archive::new().file("one", "")]);
    let inode = std::fs::metadata(place.scope().layer(&one[0])).unwrap().ino();
    let two = import(&place, "two:1", &[base(), Archive::new().file("two", "")]);
    assert_eq!(one[0], two[0]);
    assert_eq!(std::fs::metadata(place.scope().layer(&one[0])).unwrap().ino(), inode);
    assert_eq!((place.layers().len(), place.blobs().len()), (3, 7));

    let removed = place.store().remove("one:1").unwrap();
    assert_eq!(removed.name.as_deref(), Some("localhost/one:1"));
    assert!(removed.manifest.is_some());
    assert_eq!((place.layers().len(), place.blobs().len()), (2, 4));
    assert!(place.scope().layer(&two[0]).join("base").exists());
    assert!(matches!(place.store().find("one:1"), Err(StoreError::NotFound { .. })));
    place.store().remove("two:1").unwrap();
    assert_eq!((place.layers().len(), place.blobs().len()), (0, 0));
    assert!(place.store().list().unwrap().is_empty() && place.incoming().is_empty());
}

#[test]
fn the_image_goes_with_its_last_name() {
    let place = Place::empty();
    let layers = import(&place, "one:1", &[base()]);
    import(&place, "one:2", &[base()]);
    let id = place.store().find("one:1").unwrap().manifest;
    let error = place.store().remove(&id[7..20]).unwrap_err().to_string();
    assert!(error.contains("several names; remove them one by one: localhost/one:1, localhost/one:2"), "{error}");
    assert_eq!(place.store().remove("one:1").unwrap().manifest, None);
    assert!(place.scope().layer(&layers[0]).exists());
    assert_eq!(place.store().remove(&id).unwrap().manifest, Some(id));
    assert!(!place.scope().layer(&layers[0]).exists());
}

#[test]
fn an_image_in_use_is_not_removed() {
    let place = Place::empty();
    import(&place, "one:1", &[base()]);
    let record = place.store().find("one:1").unwrap();
    let lock = place.store().lock_image(&record).unwrap();
    let again = place.store().lock_image(&record).unwrap();
    let error = place.store().remove("one:1").unwrap_err();
    assert_eq!(error.to_string(), "image “one:1” is in use by a container that is starting");
    assert!(place.store().find("one:1").is_ok());
    drop((lock, again));
    place.store().remove("one:1").unwrap();
    assert!(matches!(place.store().lock_image(&record), Err(StoreError::Vanished(_))));
}

#[test]
fn a_name_moves_on_and_its_old_image_stays_until_it_is_collected() {
    let place = Place::empty();
    let options = CollectOptions { grace: std::time::Duration::ZERO, all: false, dry_run: false };
    let collect = || place.store().collect(&options).unwrap().collected;
    let old = import(&place, "one:1", &[base()]);
    let in_use = place.store().lock_image(&place.store().find("one:1").unwrap()).unwrap();
    let new = import(&place, "one:1", &[Archive::new().file("new", "")]);
    assert_eq!(place.store().find("one:1").unwrap().layers, new);
    assert_eq!(place.store().list().unwrap().iter().filter(|row| row.name.is_none()).count(), 1);
    assert!(collect().is_empty());
    assert!(place.scope().layer(&old[0]).exists());
    drop(in_use);
    assert_eq!(collect()[0].kind, Kind::Image);
    assert!(!place.scope().layer(&old[0]).exists());
    assert_eq!(place.store().list().unwrap().len(), 1);
}

#[test]
fn images_are_found_by_short_names_digests_and_ids() {
    let place = Place::empty();
    import(&place, "docker.io/library/nginx:latest", &[base()]);
    let manifest = place.store().find("nginx").unwrap().manifest;
    for name in ["docker.io/nginx", "nginx:latest", &format!("nginx@{manifest}"), &manifest, &manifest[7..13]] {
        assert_eq!(place.store().find(name).unwrap().manifest, manifest, "{name}");
    }
    import(&place, "nginx", &[Archive::new().file("local", "")]);
    assert_ne!(place.store().find("image:nginx").unwrap().manifest, manifest);
    let error = |name: &str| place.store().find(name).unwrap_err().to_string();
    assert_eq!(error("ngnix"), "image “ngnix” is not in the store; did you mean “docker.io/library/nginx:latest”?");
    assert_eq!(error("web"), "image “web” is not in the store; get it with `berthctl pull` or `berthctl image import`");
    assert!(error("quay.io/nginx:latest").contains("did you mean"));
    assert!(error(&format!("other@{manifest}")).contains("not in the store"));
}

#[test]
fn two_imports_at_once_both_succeed() {
    let place = Place::empty();
    let archive = (0..300).fold(Archive::new(), |archive, number| archive.file(&format!("d/{number}"), "content"));
    let file = place.file("image.tar", &Layout::new("x:1", &[layer(archive)]).archive());
    let results: Vec<_> = std::thread::scope(|threads| {
        let imports: Vec<_> = (0..4).map(|_| threads.spawn(|| place.import_file(&file, None))).collect();
        imports.into_iter().map(|import| import.join().unwrap().unwrap()).collect()
    });
    assert!(results.iter().all(|imported| *imported == results[0]));
    assert_eq!((place.layers().len(), place.incoming().len(), place.store().list().unwrap().len()), (1, 0, 1));
}

const STORE: &str = "BERTH_TEST_IMPORT_INTO";

/// Not a test: the process the next one kills.
#[test]
#[ignore = "run by the test of killed imports"]
fn import_standard_input() {
    let Some(root) = std::env::var_os(STORE) else { return };
    let scope = Scope::system_below(Path::new(&root));
    let options = ImportOptions { name: Some("killed".into()), platform: None };
    Store::open(&scope).import(Path::new("-"), &options, &Silent).unwrap();
}

#[test]
fn what_an_import_has_finished_goes_with_it_when_its_image_is_wrong() {
    let place = Place::empty();
    import(&place, "one:1", &[base()]);
    let mut layers = vec![layer(base()), layer(Archive::new().file("own", "")), layer(Archive::new().file("last", ""))];
    layers[2].1 = format!("sha256:{}", "0".repeat(64));
    let file = place.file("wrong.tar", &Layout::new("wrong:1", &layers).archive());
    place.import_file(&file, None).unwrap_err();
    // What the other image has as well stays.
    assert_eq!((place.layers().len(), place.blobs().len(), place.incoming().len()), (1, 3, 0));
}

#[test]
fn a_layer_without_its_tree_is_unpacked_from_its_blob() {
    let place = Place::empty();
    let layers = import(&place, "one:1", &[base()]);
    std::fs::remove_dir_all(place.scope().layer(&layers[0])).unwrap();
    import(&place, "one:1", &[base()]);
    assert_eq!(std::fs::read(place.scope().layer(&layers[0]).join("base")).unwrap(), b"1");
    // And from what is imported where that blob has been damaged.
    std::fs::remove_dir_all(place.scope().layer(&layers[0])).unwrap();
    let manifest = place.store().inspect("one:1").unwrap();
    let blob = place.scope().store.join("oci/blobs/sha256").join(&manifest.blobs[0].digest["sha256:".len()..]);
    let whole = std::fs::read(&blob).unwrap();
    std::fs::write(&blob, vec![0; whole.len()]).unwrap();
    import(&place, "one:1", &[base()]);
    assert_eq!(std::fs::read(&blob).unwrap(), whole);
    assert!(place.scope().layer(&layers[0]).join("base").exists() && place.incoming().is_empty());
}

#[test]
fn what_a_killed_import_had_finished_is_taken_over_unless_the_machine_was_started_since() {
    let place = Place::empty();
    import(&place, "one:1", &[base()]);
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let store = place.scope().store;
    let blobs = || store.join("oci/blobs/sha256");
    for (boot, content, is_kept) in [(boot.trim(), "of now", true), ("5b6c0d4e-earlier", "of then", false)] {
        let (digest, scratch) = (Digest::of(content.as_bytes()), store.join(format!("incoming/{boot}.4194305-0")));
        std::fs::create_dir(&scratch).unwrap();
        std::fs::write(scratch.join(format!("blob-{}", digest.hex())), content).unwrap();
        std::fs::write(scratch.join("7"), "half of something").unwrap();
        import(&place, "two:1", &[base()]);
        assert_eq!(blobs().join(digest.hex()).exists(), is_kept, "{content}");
        assert!(place.incoming().is_empty());
    }
}

#[test]
fn a_killed_import_leaves_nothing_visible_and_the_next_one_cleans_up() {
    let place = Place::empty();
    let content = "x".repeat(3000);
    let archive =
        (0..2000).fold(Archive::new(), |archive, number| archive.file(&format!("d{}/{number}", number % 50), &content));
    let archive = archive.end();
    let mut seen_leftovers = 0;
    for step in 0..12 {
        let mut import = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sharing::import_standard_input", "--ignored"])
            .env(STORE, place.path().join("root"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = import.stdin.take().unwrap();
        let fed = archive.len() * (step + 1) / 12;
        input.write_all(&archive[..fed]).unwrap();
        if step == 11 {
            drop(input);
            std::thread::sleep(Duration::from_millis(3));
        }
        import.kill().unwrap();
        import.wait().unwrap();
        let visible = place.store().list().unwrap();
        assert!(visible.is_empty() || step == 11, "{visible:?}");
        seen_leftovers += place.incoming().len();
    }
    assert!(seen_leftovers > 0, "no import was killed in its middle");
    import(&place, "other:1", &[base()]);
    assert!(place.incoming().is_empty());
    let _ = place.store().remove("killed");
    // It may have finished its layer, and not have named it.
    place.store().collect(&CollectOptions { grace: Duration::ZERO, all: false, dry_run: false }).unwrap();
    assert_eq!((place.layers().len(), place.blobs().len()), (1, 3));
}
