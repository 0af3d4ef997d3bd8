//! Every way an image can arrive.

use std::path::Path;

use berth::image::{ImportError, ImportOptions, Silent};
use serde_json::json;

use crate::archive::{Archive, Layout, blob, digest, layer, manifest};
use crate::{Place, shell};

fn small() -> Vec<u8> {
    Archive::new().directory("./").file("./etc/os-release", "ID=test\n").end()
}

#[test]
fn compressed_by_the_real_tools_it_is_the_same_layer() {
    let place = Place::empty();
    let plain = place.file("a.tar", &small());
    let (first, second) = (place.file("first", &small()[..700]), place.file("second", &small()[700..]));
    let commands = [
        ("a.tar.gz", "gzip -9c $1"),
        ("a.tar.xz", "xz -9c $1"),
        ("a.tar.zst", "zstd -19 -qc $1"),
        ("members.tar.gz", "gzip -c $2; gzip -c $3"),
        ("frames.tar.zst", "zstd -qc $2; zstd -qc $3"),
        ("streams.tar.xz", "xz -c $2; xz -c $3"),
        ("padded.tar", "cat $1; head -c 20480 /dev/zero"),
    ];
    place.import_file(&plain, Some("plain")).unwrap();
    let expected = digest(&small());
    assert_eq!(place.store().find("plain").unwrap().layers[0], expected);
    for (name, command) in commands {
        let file = place.path().join(name);
        shell(&format!("{{ {command}; }} >\"$4\""), &[&plain, &first, &second, &file]);
        let imported = place.import_file(&file, None).unwrap().remove(0);
        assert_eq!(imported.record.layers[0] == expected, name != "padded.tar", "{name}");
        let details = place.store().inspect(&imported.name).unwrap();
        let kept = place.scope().store.join("oci/blobs/sha256").join(&details.blobs[0].digest["sha256:".len()..]);
        assert_eq!(std::fs::metadata(&kept).unwrap().len(), details.blobs[0].size, "{name}");
        assert_eq!(digest(&std::fs::read(&kept).unwrap()), details.blobs[0].digest, "{name}");
        if name.ends_with("gz") {
            assert_eq!(std::fs::read(&kept).unwrap(), std::fs::read(&file).unwrap(), "a blob is kept as it came");
        }
    }
    assert_eq!(place.layers().len(), 2);
}

#[test]
fn names_come_from_the_person_the_archive_or_the_file() {
    let place = Place::empty();
    let root = place.file("Debian-13.tar", &small());
    assert_eq!(place.import_file(&root, None).unwrap()[0].name, "localhost/debian-13:latest");
    assert_eq!(place.import_file(&root, Some("a/b:1")).unwrap()[0].name, "localhost/a/b:1");
    assert_eq!(place.import_file(&root, Some("quay.io/a")).unwrap()[0].name, "quay.io/a:latest");
    let layers = [layer(Archive::new().file("a", ""))];
    for (own, expected) in
        [("docker.io/library/x:1", "docker.io/library/x:1"), ("x:1", "localhost/x:1"), ("1.27", "localhost/saved:1.27")]
    {
        let file = place.file("saved.tar", &Layout::new(own, &layers).archive());
        assert_eq!(place.import_file(&file, None).unwrap()[0].name, expected);
    }
    let error = place.import_file(&root, Some("Not A Name")).unwrap_err();
    assert!(matches!(error, ImportError::Name(_)));
}

#[test]
fn a_layout_is_the_same_as_a_directory_and_as_an_archive() {
    let place = Place::empty();
    let layout = Layout::new("x:1", &[layer(Archive::new().file("a", "1")), layer(Archive::new().file("b", "2"))]);
    let directory = place.path().join("layout");
    layout.write(&directory);
    let from_directory = place.import_file(&directory, None).unwrap();
    let archive = place.file("x.tar", &layout.archive());
    let compressed = place.path().join("x.tar.zst");
    shell("zstd -q \"$1\" -o \"$2\"", &[&archive, &compressed]);
    assert_eq!(place.import_file(&archive, None).unwrap(), from_directory);
    assert_eq!(place.import_file(&compressed, None).unwrap(), from_directory);
    let process = &from_directory[0].record.process;
    assert_eq!((&process.command[..], &process.volumes[..]), (&["/bin/sh".to_owned()][..], &["/data".to_owned()][..]));
    assert_eq!(process.working_directory, None);
    assert_eq!(from_directory[0].record.platform, "linux/amd64");
    assert!(directory.join("index.json").exists());
}

#[test]
fn of_several_platforms_ours_is_taken_or_the_one_asked_for() {
    let place = Place::empty();
    let mut files = Vec::new();
    let ours = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let manifests: Vec<_> = ["riscv64", ours, "s390x"]
        .map(|architecture| manifest(&mut files, &[layer(Archive::new().file(architecture, ""))], architecture))
        .to_vec();
    let mut note = manifest(&mut files, &[layer(Archive::new().file("note", ""))], "unknown");
    note["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest" });
    let all = [&manifests[..], &[note]].concat();
    let inner = json!({ "schemaVersion": 2, "manifests": all });
    let index = blob(&mut files, inner.to_string().into_bytes(), "application/vnd.oci.image.index.v1+json");
    let by_index = format!("many@{}", index["digest"].as_str().unwrap());
    let file = place.file("many.tar", &Layout::with_index(files, vec![index]).archive());
    let imported = place.import_file(&file, None).unwrap().remove(0);
    assert_eq!(imported.record.platform, format!("linux/{ours}"));
    assert!(place.scope().layer(&imported.record.layers[0]).join(ours).exists());
    assert_eq!(place.store().find(&by_index).unwrap(), imported.record);
    let options = |platform: &str| ImportOptions { name: Some("other".into()), platform: Some(platform.into()) };
    let other = place.store().import(&file, &options("linux/s390x"), &Silent).unwrap().remove(0);
    assert_eq!(other.record.platform, "linux/s390x");
    let error = place.store().import(&file, &options("linux/ppc64le"), &Silent).unwrap_err().to_string();
    assert_eq!(error, format!("no image for linux/ppc64le; there are linux/riscv64, linux/{ours}, linux/s390x"));
}

/// As docker wrote before version 25: one directory a layer, equal layers linked.
fn docker_archive(tags: &[&str]) -> (Vec<u8>, Vec<String>) {
    let (one, two) = (Archive::new().file("a", "1").end(), Archive::new().file("b", "2").end());
    let diff_ids = vec![digest(&one), digest(&two), digest(&one)];
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": { "Entrypoint": ["/a"], "ExposedPorts": {"80/tcp": {}} },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let (first, second, third) = ("1".repeat(64), "2".repeat(64), "3".repeat(64));
    let layer = |name: &str| format!("{name}/layer.tar");
    let config_name = format!("{}.json", "c".repeat(64));
    let saved = json!([{
        "Config": config_name, "RepoTags": tags, "Layers": [layer(&first), layer(&second), layer(&third)],
    }]);
    let archive = Archive::new()
        .directory(&first)
        .entry(b'0', &layer(&first), "", 0o644, &one)
        .entry(b'0', &layer(&second), "", 0o644, &two)
        .symlink(&layer(&third), &format!("../{first}/layer.tar"))
        .entry(b'0', &config_name, "", 0o644, config.to_string().as_bytes())
        .entry(b'0', "manifest.json", "", 0o644, saved.to_string().as_bytes());
    (archive.end(), diff_ids)
}

#[test]
fn what_docker_save_wrote_is_imported_under_all_its_names() {
    let place = Place::empty();
    let (archive, diff_ids) = docker_archive(&["web:1", "ghcr.io/me/web:latest"]);
    let file = place.file("web.tar", &archive);
    let imported = place.import_file(&file, None).unwrap();
    let names: Vec<_> = imported.iter().map(|image| image.name.as_str()).collect();
    assert_eq!(names, ["localhost/web:1", "ghcr.io/me/web:latest"]);
    assert_eq!(imported[0].record, imported[1].record);
    assert_eq!(imported[0].record.layers, diff_ids);
    assert_eq!(imported[0].record.process.exposed_ports, ["80/tcp"]);
    assert_eq!(place.layers().len(), 2);
    let details = place.store().inspect("web:1").unwrap();
    assert_eq!(details.names, ["ghcr.io/me/web:latest", "localhost/web:1"]);
    assert_eq!(details.blobs.len(), 3);
}

#[test]
fn several_images_need_no_name_and_a_name_picks_one() {
    let place = Place::empty();
    let mut files = Vec::new();
    let manifests = ["a:1", "b:1"].map(|name| {
        let mut descriptor = manifest(&mut files, &[layer(Archive::new().file(name, ""))], "amd64");
        descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        descriptor
    });
    let file = place.file("two.tar", &Layout::with_index(files, manifests.to_vec()).archive());
    let error = place.import_file(&file, Some("c")).unwrap_err().to_string();
    assert!(error.contains("several images (a:1, b:1)"), "{error}");
    assert_eq!(place.import_file(&file, Some("b:1")).unwrap()[0].name, "localhost/b:1");
    assert_eq!(place.import_file(&file, None).unwrap().len(), 2);
}

/// Prints and counts as skipped where the tool is not installed.
#[test]
#[ignore = "needs skopeo: make check"]
fn real_skopeo_reads_our_store_and_we_read_its_archives() {
    let place = Place::empty();
    let root = place.file("root.tar.gz", &crate::archive::gzip(&small()));
    let original = place.import_file(&root, Some("a:1")).unwrap().remove(0);
    let oci = place.scope().store.join("oci");
    for (kind, name) in [("oci-archive", "localhost/from-oci:1"), ("docker-archive", "localhost/from-docker:1")] {
        let archive = place.path().join(kind);
        shell(&format!("skopeo copy -q --insecure-policy oci:$1:localhost/a:1 {kind}:$2:{name}"), &[&oci, &archive]);
        let imported = place.import_file(Path::new(&archive), None).unwrap().remove(0);
        assert_eq!(imported.name, name);
        assert_eq!(imported.record.layers, original.record.layers);
    }
    assert_eq!(place.layers().len(), 1);
}
