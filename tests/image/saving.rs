//! Images saved and loaded again, by us and by skopeo.

use std::path::Path;

use berth::image::SaveFormat;

use crate::archive::{Archive, Layout, digest, layer};
use crate::{Place, shell};

const FORMATS: [(SaveFormat, &str, &str); 3] = [
    (SaveFormat::OciArchive, "saved.tar", "oci-archive"),
    (SaveFormat::DockerArchive, "saved.docker.tar", "docker-archive"),
    (SaveFormat::OciDirectory, "saved", "oci"),
];

/// `one:1` and `two:1`, with a layer in common, and `one:1` once more as `again`.
fn filled() -> Place {
    let place = Place::empty();
    let base = || layer(Archive::new().directory("etc").file("etc/base", "1").file("etc/.wh.gone", ""));
    for name in ["one", "two"] {
        let layers = [base(), layer(Archive::new().file(name, name))];
        let file = place.file("image.tar", &Layout::new(&format!("{name}:1"), &layers).archive());
        place.import_file(&file, None).unwrap();
    }
    place.store().tag("one:1", "again").unwrap();
    place
}

fn save(place: &Place, images: &[&str], format: SaveFormat, name: &str) -> std::path::PathBuf {
    let path = place.path().join(name);
    let images: Vec<String> = images.iter().map(|&image| image.to_owned()).collect();
    place.store().save(&images, format, &path).unwrap();
    path
}

#[test]
fn what_is_saved_is_loaded_with_its_names_and_its_layers() {
    let place = filled();
    for (format, name, _) in FORMATS {
        let saved = save(&place, &["one:1", "two:1", "again", "one:1"], format, name);
        let other = Place::empty();
        let loaded = other.store().load(&saved, &berth::image::Silent).unwrap();
        let names: Vec<&str> = loaded.iter().map(|image| &*image.name).collect();
        assert_eq!(names.len(), 3, "{name}: {names:?}");
        assert_eq!(other.layers().len(), 3, "{name}");
        for image in ["one:1", "two:1", "again"] {
            let (before, after) = (place.store().find(image).unwrap(), other.store().find(image).unwrap());
            assert_eq!((&before.layers, &before.process), (&after.layers, &after.process), "{name}: {image}");
            // The layers of docker's archive are not compressed, so its manifest is another.
            assert_eq!(before.manifest == after.manifest, format != SaveFormat::DockerArchive, "{name}: {image}");
        }
        assert_eq!(other.store().find("one:1").unwrap().manifest, other.store().find("again").unwrap().manifest);
    }
}

#[test]
fn blobs_are_saved_as_they_are_and_once() {
    let place = filled();
    let saved = save(&place, &["one:1", "two:1"], SaveFormat::OciDirectory, "saved");
    let kept = |path: &Path| shell("cd \"$1\" && sha256sum * | sort", &[path]);
    assert_eq!(kept(&saved.join("blobs/sha256")), kept(&place.scope().store.join("oci/blobs/sha256")));
    let archive = save(&place, &["one:1", "two:1"], SaveFormat::OciArchive, "saved.tar");
    let listed = shell("tar -tf \"$1\" | grep -c blobs/", &[&archive]);
    assert_eq!(listed.trim(), "7");
    let again = save(&place, &["one:1", "two:1"], SaveFormat::OciArchive, "again.tar");
    shell("cmp \"$1\" \"$2\"", &[&archive, &again]);
}

#[test]
fn an_image_chosen_by_its_id_is_saved_without_a_name() {
    let place = filled();
    let id = place.store().find("one:1").unwrap().manifest;
    let saved = save(&place, &[&id[7..19]], SaveFormat::OciArchive, "by-id.tar");
    let other = Place::empty();
    let loaded = other.store().load(&saved, &berth::image::Silent).unwrap();
    assert_eq!((&*loaded[0].name, &loaded[0].record.manifest), ("localhost/by-id:latest", &id));
}

#[test]
fn a_damaged_blob_is_told_and_nothing_is_left_of_the_archive() {
    let place = filled();
    let blob = place.store().inspect("one:1").unwrap().blobs[0].digest["sha256:".len()..].to_owned();
    let path = place.scope().store.join("oci/blobs/sha256").join(blob);
    let mut content = std::fs::read(&path).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    std::fs::write(&path, &content).unwrap();
    let found = digest(&content);
    for (format, name, _) in FORMATS {
        let target = place.path().join(name);
        let before = place.file("before", b"old");
        if format != SaveFormat::OciDirectory {
            std::fs::rename(before, &target).unwrap();
        }
        let count = std::fs::read_dir(place.path()).unwrap().count();
        let error = place.store().save(&["one:1".into()], format, &target).unwrap_err().to_string();
        match format {
            SaveFormat::DockerArchive => assert!(error.contains("unpack"), "{error}"),
            _ => assert!(error.contains(&format!("its content is {found} in")), "{error}"),
        }
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), count, "{name}");
        assert!(format == SaveFormat::OciDirectory || std::fs::read(&target).unwrap() == b"old");
    }
}

#[test]
fn what_is_no_saved_image_is_not_loaded_and_what_is_there_is_not_overwritten() {
    let place = filled();
    let root = place.file("root.tar", &Archive::new().file("etc/passwd", "").end());
    let error = place.store().load(&root, &berth::image::Silent).unwrap_err().to_string();
    let expected = "a root file system, not a saved image; `berthctl image import` makes an image of it";
    assert!(error.ends_with(expected), "{error}");
    let error = place.store().save(&["one:1".into()], SaveFormat::OciDirectory, place.path()).unwrap_err().to_string();
    assert!(error.contains("cannot write to") && error.contains("not empty"), "{error}");
    let missing = place.store().save(&["nine".into()], SaveFormat::OciArchive, &place.path().join("x")).unwrap_err();
    assert!(missing.to_string().contains("is not in the store"), "{missing}");
    assert!(!place.path().join("x").exists());
}

#[test]
fn where_no_layout_can_be_put_is_told_before_anything_is_read() {
    let place = filled();
    // Whoever reads it finds that it is damaged.
    let blob = place.store().inspect("one:1").unwrap().blobs[0].digest["sha256:".len()..].to_owned();
    let path = place.scope().store.join("oci/blobs/sha256").join(blob);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, "damaged").unwrap();
    place.file("file", b"x");
    std::os::unix::fs::symlink("nowhere", place.path().join("dangling")).unwrap();
    std::os::unix::fs::symlink("empty", place.path().join("link")).unwrap();
    std::fs::create_dir(place.path().join("empty")).unwrap();
    let save = |name: &Path| {
        let saved = place.store().save(&["one:1".into()], SaveFormat::OciDirectory, &place.path().join(name));
        saved.map_err(|error| error.to_string())
    };
    for (name, expected) in [
        ("file", "Not a directory"),
        ("dangling", "already exists"),
        ("root", "not empty"),
        ("/proc", "not empty"),
        ("none/new", "No such file or directory"),
    ] {
        let error = save(Path::new(name)).unwrap_err();
        assert!(error.contains(expected), "{name}: {error}");
    }
    std::fs::write(&path, whole).unwrap();
    save(Path::new("link")).unwrap();
    assert!(place.path().join("empty/index.json").exists());
    assert_eq!(std::fs::read_link(place.path().join("link")).unwrap(), Path::new("empty"));
}

#[test]
#[ignore = "needs skopeo: make check"]
fn skopeo_reads_what_is_saved() {
    let place = filled();
    let record = place.store().find("one:1").unwrap();
    for (format, name, transport) in FORMATS {
        let saved = save(&place, &["one:1", "two:1"], format, name);
        let inspect = format!("skopeo inspect {transport}:$1:localhost/one:1");
        let seen: serde_json::Value = serde_json::from_str(&shell(&inspect, &[&saved])).unwrap();
        assert_eq!(seen["Env"][0], "A=b", "{transport}");
        match format {
            SaveFormat::DockerArchive => assert_eq!(seen["Layers"], serde_json::json!(record.layers)),
            _ => assert_eq!(seen["Digest"], record.manifest),
        }
        let copied = place.path().join(format!("copied-{name}"));
        shell(&format!("skopeo copy -q --insecure-policy {transport}:$1:localhost/two:1 dir:$2"), &[&saved, &copied]);
    }
}
