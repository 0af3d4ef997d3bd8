//! Images named by where they lie.

use std::path::Path;

use berth::image::{PullOptions, SaveFormat, Silent};

use crate::archive::{Archive, Layout, layer, manifest};
use crate::{Place, shell};

fn pull(place: &Place, reference: &str) -> Result<(String, String), String> {
    let pulled = place.store().pull(reference, &PullOptions::default(), &Silent);
    pulled.map(|image| (image.name, image.record.manifest)).map_err(|error| error.to_string())
}

/// `web` with two tags and `quay.io/x/db:1`, as a layout, its archive and docker's.
fn saved(place: &Place) {
    let other = Place::empty();
    for name in ["web:1", "web:2", "quay.io/x/db:1"] {
        let layers = [layer(Archive::new().file("name", name))];
        let file = other.file("image.tar", &Layout::new(name, &layers).archive());
        other.import_file(&file, None).unwrap();
    }
    let images = ["web:1", "web:2", "quay.io/x/db:1"].map(str::to_owned);
    let save = |format, name: &str| other.store().save(&images, format, &place.path().join(name)).unwrap();
    save(SaveFormat::OciDirectory, "layout");
    save(SaveFormat::OciArchive, "oci.tar");
    save(SaveFormat::DockerArchive, "docker.tar");
}

fn content(place: &Place, image: &str) -> String {
    let record = place.store().find(image).unwrap();
    std::fs::read_to_string(place.scope().layer(&record.layers[0]).join("name")).unwrap()
}

#[test]
fn of_a_layout_or_an_archive_the_image_with_the_tag_is_pulled() {
    let place = Place::empty();
    saved(&place);
    let at = place.path().display();
    for source in
        [format!("oci:{at}/layout"), format!("oci-archive:{at}/oci.tar"), format!("docker-archive:{at}/docker.tar")]
    {
        for (tag, name) in [("localhost/web:2", "localhost/web:2"), ("quay.io/x/db:1", "quay.io/x/db:1")] {
            assert_eq!(pull(&place, &format!("{source}:{tag}")).unwrap().0, name, "{source}");
            assert_eq!(content(&place, name), name.strip_prefix("localhost/").unwrap_or(name));
        }
        assert_eq!(place.store().list().unwrap().iter().filter(|row| row.name.is_some()).count(), 2, "{source}");
        let there = "localhost/web:1, localhost/web:2, quay.io/x/db:1";
        let path = source.split_once(':').unwrap().1;
        let several =
            format!("image “{source}”: {path} holds several images; say which one: {path}:TAG; there are {there}");
        assert_eq!(pull(&place, &source).unwrap_err(), several);
        let missing = format!("image “{source}:web:3”: {path}: no image there is called “web:3”; there are {there}");
        assert_eq!(pull(&place, &format!("{source}:web:3")).unwrap_err(), missing);
        for image in ["web:2", "quay.io/x/db:1"] {
            place.store().remove(image).unwrap();
        }
    }
    assert!(place.store().list().unwrap().is_empty() && place.blobs().is_empty() && place.incoming().is_empty());
}

#[test]
fn of_the_names_of_one_image_only_the_one_that_was_asked_for_comes_in() {
    let (place, other) = (Place::empty(), Place::empty());
    let file = other.file("image.tar", &Layout::new("web:1", &[layer(Archive::new().file("name", "web"))]).archive());
    other.import_file(&file, None).unwrap();
    other.store().tag("web:1", "quay.io/x/also:2").unwrap();
    let names = ["web:1", "quay.io/x/also:2"].map(str::to_owned);
    for (kind, format) in [("docker-archive", SaveFormat::DockerArchive), ("oci-archive", SaveFormat::OciArchive)] {
        let archive = place.path().join(kind);
        other.store().save(&names, format, &archive).unwrap();
        for name in ["localhost/web:1", "quay.io/x/also:2"] {
            assert_eq!(pull(&place, &format!("{kind}:{}:{name}", archive.display())).unwrap().0, name);
            assert_eq!(place.store().list().unwrap().len(), 1, "{kind}: {name}");
            place.store().remove(name).unwrap();
        }
    }
}

#[test]
fn a_tag_alone_is_added_to_the_name_of_the_file() {
    let place = Place::empty();
    let layout = Layout::new("1.27", &[layer(Archive::new().file("name", "x"))]);
    layout.write(&place.path().join("nginx"));
    place.file("nginx.oci.tar", &layout.archive());
    let at = place.path().display();
    assert_eq!(pull(&place, &format!("oci:{at}/nginx:1.27")).unwrap().0, "localhost/nginx:1.27");
    assert_eq!(pull(&place, &format!("oci:{at}/nginx")).unwrap().0, "localhost/nginx:1.27");
    assert_eq!(pull(&place, &format!("oci-archive:{at}/nginx.oci.tar:1.27")).unwrap().0, "localhost/nginx:1.27");
    let error = pull(&place, &format!("oci:{at}/nginx:1.26")).unwrap_err();
    assert!(error.ends_with("nginx: no image there is called “1.26”; there is only 1.27"), "{error}");
    let mut files = Vec::new();
    let nameless = manifest(&mut files, &[layer(Archive::new().file("name", "x"))], "amd64");
    Layout::with_index(files, vec![nameless]).write(&place.path().join("nameless"));
    assert_eq!(pull(&place, &format!("oci:{at}/nameless")).unwrap().0, "localhost/nameless:latest");
    let error = pull(&place, &format!("oci:{at}/nameless:1")).unwrap_err();
    assert!(error.ends_with("no image there is called “1”; there is none with a name"), "{error}");
}

#[test]
fn of_several_images_without_a_name_only_the_one_for_this_machine_is_meant() {
    let place = Place::empty();
    let at = place.path().display();
    let mut files = Vec::new();
    let of = |name: &str| [layer(Archive::new().file("name", name))];
    let mut all = [("other", "s390x"), ("ours", host()), ("same", host())]
        .map(|(name, architecture)| manifest(&mut files, &of(name), architecture));
    Layout::with_index(files.clone(), all[..2].to_vec()).write(&place.path().join("platforms"));
    assert_eq!(pull(&place, &format!("oci:{at}/platforms")).unwrap().0, "localhost/platforms:latest");
    assert_eq!(content(&place, "platforms"), "ours");
    all.iter_mut().for_each(|manifest| drop(manifest.as_object_mut().unwrap().remove("platform")));
    Layout::with_index(files, all[1..].to_vec()).write(&place.path().join("several"));
    let error = pull(&place, &format!("oci:{at}/several")).unwrap_err();
    let expected = "several holds 2 images without a name, so none of them can be meant: give them names there, \
        org.opencontainers.image.ref.name in index.json";
    assert!(error.ends_with(expected), "{error}");
}

/// This machine's architecture, as Go calls it.
fn host() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

#[test]
fn what_does_not_lie_there_or_is_of_another_kind_is_one_error() {
    let place = Place::empty();
    saved(&place);
    let at = place.path().display();
    for (reference, expected) in [
        (format!("oci:{at}/nothing"), "No such file or directory"),
        (format!("oci-archive:{at}/nothing.tar"), "No such file or directory"),
        (format!("oci:{at}"), "index.json is not in the archive"),
        (format!("dir:{at}/layout"), "manifest.json is not in the archive"),
        (format!("oci-archive:{at}/layout:x"), "is a directory, not an archive; oci:"),
        (format!("docker-archive:{at}/oci.tar:x"), "manifest.json is not in the archive"),
        (format!("oci-archive:{at}/docker.tar:x"), "index.json is not in the archive"),
    ] {
        let error = pull(&place, &reference).unwrap_err();
        assert!(error.starts_with(&format!("image “{reference}”: ")) && error.contains(expected), "{error}");
        assert!(place.blobs().is_empty() && place.incoming().is_empty(), "{reference}");
    }
}

#[test]
#[ignore = "needs skopeo: make check"]
fn directories_as_skopeo_writes_them_are_pulled_and_checked() {
    let place = Place::empty();
    saved(&place);
    let (layout, flat, index) = (place.path().join("layout"), place.path().join("flat"), place.path().join("index"));
    shell("skopeo copy -q --insecure-policy oci:$1:localhost/web:1 dir:$2", &[&layout, &flat]);
    let raw = shell("sha256sum <\"$1\"/manifest.json | cut -d' ' -f1", &[&flat]);
    let reference = format!("dir:{}", flat.display());
    let pulled = pull(&place, &reference).unwrap();
    assert_eq!(pulled, ("localhost/flat:latest".into(), format!("sha256:{}", raw.trim())));
    assert_eq!(content(&place, "flat"), "web:1");
    let loaded = place.store().load(&flat, &Silent).unwrap();
    assert_eq!((&loaded[0].name, &loaded[0].record.manifest), (&pulled.0, &pulled.1));
    assert_eq!(place.import_file(&flat, Some("given:2")).unwrap()[0].name, "localhost/given:2");
    place.store().remove("given:2").unwrap();

    let mut files = Vec::new();
    let architectures = ["riscv64", if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }];
    let manifests =
        architectures.map(|it| manifest(&mut files, &[layer(Archive::new().file("name", it))], it)).to_vec();
    let nested = serde_json::json!({ "schemaVersion": 2, "manifests": manifests });
    let kind = "application/vnd.oci.image.index.v1+json";
    let top = crate::archive::blob(&mut files, nested.to_string().into_bytes(), kind);
    Layout::with_index(files, vec![top]).write(&place.path().join("several"));
    let several = place.path().join("several");
    shell("skopeo copy -q --all --insecure-policy oci:$1 dir:$2", &[&several, &index]);
    pull(&place, &format!("dir:{}", index.display())).unwrap();
    assert_eq!(content(&place, "index"), architectures[1]);

    place.store().remove("flat").unwrap();
    let layer = shell("grep -o 'sha256:[0-9a-f]*' \"$1\"/manifest.json | tail -n 1 | cut -d: -f2", &[&flat]);
    damage(&flat.join(layer.trim()));
    let error = pull(&place, &reference).unwrap_err();
    assert!(error.contains(layer.trim()), "{error}");
    assert!(place.store().find("flat").is_err() && place.incoming().is_empty());
}

fn damage(path: &Path) {
    let mut content = std::fs::read(path).unwrap();
    let last = content.len() - 1;
    content[last] ^= 1;
    std::fs::write(path, content).unwrap();
}
