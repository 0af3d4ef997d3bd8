//! Names given to images that are there, and what is told of how images came to be.

use berth::image::{Family, SaveFormat, StoreError};
use serde_json::json;

use crate::Place;
use crate::archive::{Archive, Layout, blob, layer};

fn import(place: &Place, name: &str, files: &[&str]) -> String {
    let layers: Vec<_> = files.iter().map(|file| layer(Archive::new().file(file, file))).collect();
    let file = place.file("image.tar", &Layout::new(name, &layers).archive());
    place.import_file(&file, None).unwrap().remove(0).record.manifest
}

#[test]
fn a_tag_is_one_more_name_and_takes_it_from_whoever_had_it() {
    let place = Place::empty();
    let (one, two) = (import(&place, "one:1", &["a"]), import(&place, "two:1", &["b"]));
    let store = place.store();
    assert_eq!(store.tag("one:1", "both").unwrap(), "localhost/both:latest");
    assert_eq!(store.find("both").unwrap().manifest, one);
    assert_eq!(store.find("one:1").unwrap().manifest, one);
    store.tag(&two[7..19], "both").unwrap();
    assert_eq!(store.find("both").unwrap().manifest, two);
    assert_eq!(store.find("one:1").unwrap().manifest, one);
    assert_eq!(store.tag("both", "docker.io/web").unwrap(), "docker.io/library/web:latest");
    assert_eq!(store.find("web").unwrap().manifest, two);
    // The last name of an image that is taken away leaves it nameless, not gone.
    store.tag("both", "one:1").unwrap();
    assert_eq!(store.find(&one).unwrap().manifest, one);
    assert!(store.list().unwrap().iter().any(|row| row.name.is_none() && row.manifest == one));
    store.tag(&one, "again").unwrap();
    assert!(store.list().unwrap().iter().all(|row| row.name.is_some()));
}

#[test]
fn an_import_is_found_by_the_name_it_was_given_or_has() {
    let place = Place::empty();
    let layout = Layout::new("docker.io/own:1", &[layer(Archive::new().file("a", "a"))]);
    let file = place.file("image.tar", &layout.archive());
    for (given, name) in [
        (Some("docker.io/web"), "docker.io/library/web:latest"),
        (Some("index.docker.io/a/b:2"), "docker.io/a/b:2"),
        (None, "docker.io/library/own:1"),
    ] {
        let imported = place.import_file(&file, given).unwrap().remove(0);
        assert_eq!(imported.name, name);
        for word in [given.unwrap_or("docker.io/own:1"), name] {
            assert_eq!(place.store().find(word).unwrap().manifest, imported.record.manifest, "{word}");
        }
    }
    let root = place.file("root.tar", &Archive::new().file("etc", "").end());
    let imported = place.import_file(&root, Some("docker.io/root")).unwrap().remove(0);
    assert_eq!(place.store().find("docker.io/root").unwrap(), imported.record);
    let with_digest = format!("web@{}", imported.record.manifest);
    let refused = place.import_file(&root, Some(&with_digest)).unwrap_err().to_string();
    assert!(refused.ends_with("a digest is what an image has, not what it can be called"), "{refused}");
}

#[test]
fn what_a_container_would_start_from_is_meant_by_every_verb() {
    let place = Place::empty();
    let id = import(&place, "quay.io/x/db:1", &["a"]);
    let settings = place.scope().shared_settings();
    std::fs::create_dir_all(&settings).unwrap();
    std::fs::write(settings.join("registries.conf"), "[aliases]\n\"short\" = \"quay.io/x/db\"\n").unwrap();
    let store = place.store();
    assert_eq!(store.find("short:1").unwrap().manifest, id);
    assert_eq!(store.inspect("short:1").unwrap().names, ["quay.io/x/db:1"]);
    assert_eq!(store.history("short:1").unwrap().len(), store.history(&id).unwrap().len());
    assert!(store.check(&["short:1".into()], false).unwrap().is_empty());
    let saved = place.path().join("saved");
    store.save(&["short:1".into()], SaveFormat::OciDirectory, &saved).unwrap();
    assert!(std::fs::read_to_string(saved.join("index.json")).unwrap().contains("quay.io/x/db:1"));
    store.tag("short:1", "other").unwrap();
    assert_eq!(store.remove("short:1").unwrap().name.as_deref(), Some("quay.io/x/db:1"));
    assert!(store.remove("short:1").is_err());
    assert_eq!(store.find("other").unwrap().manifest, id);
}

#[test]
fn what_cannot_be_a_name_is_refused_and_nothing_changes() {
    let place = Place::empty();
    let id = import(&place, "one:1", &["a"]);
    let before = std::fs::read(place.scope().store.join("oci/index.json")).unwrap();
    let error = |image: &str, name: &str| place.store().tag(image, name).unwrap_err().to_string();
    assert_eq!(error("one:1", "Two"), "image name “Two”: upper-case letters are not allowed; did you mean “two”?");
    let with_digest = format!("two@{id}");
    let expected = format!("image name “{with_digest}”: a digest is what an image has, not what it can be called");
    assert_eq!(error("one:1", &with_digest), expected);
    assert!(matches!(place.store().tag("other", "two"), Err(StoreError::NotFound { .. })));
    assert_eq!(std::fs::read(place.scope().store.join("oci/index.json")).unwrap(), before);
}

/// An image with the history it tells.
fn with_history(place: &Place, name: &str, layers: usize, history: serde_json::Value) {
    let mut files = Vec::new();
    let layers: Vec<_> = (0..layers).map(|number| layer(Archive::new().file(&format!("{number}"), "x"))).collect();
    let diff_ids: Vec<_> = layers.iter().map(|(_, diff_id)| diff_id).collect();
    let config = json!({
        "architecture": "amd64", "os": "linux", "history": history,
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let config = blob(&mut files, config.to_string().into_bytes(), "application/vnd.oci.image.config.v1+json");
    let gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
    let layers: Vec<_> = layers.iter().map(|(content, _)| blob(&mut files, content.clone(), gzip)).collect();
    let manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers }).to_string();
    let mut manifest = blob(&mut files, manifest.into_bytes(), "application/vnd.oci.image.manifest.v1+json");
    manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
    let file = place.file("image.tar", &Layout::with_index(files, vec![manifest]).archive());
    place.import_file(&file, None).unwrap();
}

#[test]
fn the_steps_of_a_build_stand_beside_the_layers_they_made() {
    let place = Place::empty();
    let history = json!([
        { "created": "2026-01-01T00:00:00Z", "created_by": "ADD rootfs" },
        { "created_by": "ENV A=b", "empty_layer": true, "comment": "buildkit" },
        { "created_by": "RUN make" },
    ]);
    with_history(&place, "built:1", 3, history);
    let blobs = place.store().inspect("built:1").unwrap().blobs;
    let steps = place.store().history("built:1").unwrap();
    let seen: Vec<_> = steps.iter().map(|step| (step.created_by.as_deref(), step.layer.as_deref())).collect();
    let digest = |number: usize| Some(blobs[number].digest.as_str());
    // Nothing is said of the third layer.
    assert_eq!(
        seen,
        [(None, digest(2)), (Some("RUN make"), digest(1)), (Some("ENV A=b"), None), (Some("ADD rootfs"), digest(0))]
    );
    assert_eq!((steps[2].size, steps[2].comment.as_deref()), (0, Some("buildkit")));
    assert_eq!((steps[3].size, steps[3].created.as_deref()), (blobs[0].size, Some("2026-01-01T00:00:00Z")));
    // And more is said than there are layers.
    with_history(&place, "talkative:1", 0, json!([{ "created_by": "ADD nothing" }]));
    assert_eq!(place.store().history("talkative:1").unwrap()[0].layer, None);
}

#[test]
fn images_stand_on_the_layers_they_share() {
    let place = Place::empty();
    import(&place, "base:1", &["a"]);
    import(&place, "one:1", &["a", "b"]);
    import(&place, "two:1", &["a", "c", "d"]);
    import(&place, "other:1", &["x"]);
    place.store().tag("base:1", "base:2").unwrap();
    let families = place.store().families(None).unwrap();
    assert_eq!(families.len(), 2);
    let of_base = place.store().families(Some("two:1")).unwrap();
    let [base] = of_base.as_slice() else { panic!("{of_base:?}") };
    assert!(families.contains(base));
    assert_eq!(base.images, ["localhost/base:1", "localhost/base:2"]);
    assert_eq!(base.layers.len(), 1);
    assert_eq!(base.layers[0].diff_id, place.store().find("base:1").unwrap().layers[0]);
    let mut children: Vec<_> =
        base.children.iter().map(|child: &Family| (&*child.images[0], child.layers.len())).collect();
    children.sort();
    assert_eq!(children, [("localhost/one:1", 1), ("localhost/two:1", 2)]);
}
