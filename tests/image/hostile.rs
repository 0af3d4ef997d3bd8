//! Archives that lie, and what the person is told.

use std::os::unix::fs::{FileTypeExt, MetadataExt};

use proptest::prelude::*;

use crate::Place;
use crate::archive::{Archive, Layout, digest, gzip, layer};

/// The error of importing this as a root file system, after checking that nothing of it stayed.
fn refused(content: &[u8]) -> String {
    let place = Place::empty();
    let error = place.import_root(content).unwrap_err().to_string();
    assert!(place.layers().is_empty() && place.blobs().is_empty() && place.incoming().is_empty(), "{error}");
    assert!(place.store().list().unwrap().is_empty());
    error
}

#[test]
fn names_that_lead_out_are_refused_by_name() {
    for (archive, expected) in [
        (Archive::new().file("a/../../etc/passwd", ""), "entry “a/../../etc/passwd”: the name has “..” in it"),
        (Archive::new().file("/etc/passwd", ""), "entry “/etc/passwd”: the name is absolute"),
        (Archive::new().file("", "x"), "the name is empty"),
        (Archive::new().file("a/.wh...", ""), "entry “a/.wh...”: a whiteout must name one entry"),
        (Archive::new().file(".wh.", ""), "a whiteout must name one entry"),
        (Archive::new().file(".wh.a/b", ""), "“.wh.a” on its way has the form of a whiteout"),
        (Archive::new().file("./", "x").hardlink("a", ""), "the link's target: the name is empty"),
        (Archive::new().pax(&[("path", b"a\0b")]).file("x", ""), "the name has a NUL"),
        (Archive::new().pax(&[("path", &[b'a'; 300])]).file("x", ""), "a part longer than 255"),
        (Archive::new().pax(&[("path", "a/".repeat(3000).as_bytes())]).file("x", ""), "longer than 4095"),
        (Archive::new().file("x", "").file("x/y", ""), "entry “x/y”: “x” on its way is not a directory"),
        (Archive::new().file("./", "").symlink("./", "x"), "the root of the layer can only be a directory"),
    ] {
        let error = refused(&archive.end());
        assert!(error.contains(expected), "{error}\nnot: {expected}");
    }
}

#[test]
fn hard_links_reach_only_files_of_the_same_layer() {
    for (archive, expected) in [
        (Archive::new().hardlink("a", "../../../etc/passwd"), "the link's target: the name has “..”"),
        (Archive::new().hardlink("a", "/etc/passwd"), "hard link to “/etc/passwd”, which is not in this layer"),
        (Archive::new().symlink("s", "/").hardlink("a", "s/etc/passwd"), "which is not in this layer"),
        (Archive::new().directory("d").hardlink("a", "d"), "hard link to “d”, which is a directory"),
        (Archive::new().file(".wh.b", "").hardlink("a", "b"), "which is not in this layer"),
        (Archive::new().hardlink("a", "a"), "which is not in this layer"),
    ] {
        let error = refused(&archive.end());
        assert!(error.contains(expected), "{error}\nnot: {expected}");
    }
}

#[test]
fn a_link_is_never_written_through() {
    let place = Place::empty();
    let victim = place.file("victim", b"kept");
    let outside = place.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let archive = Archive::new()
        .symlink("a", victim.to_str().unwrap())
        .file("a", "new")
        .symlink("b", victim.to_str().unwrap())
        .hardlink("c", "b")
        .file("c", "new")
        .symlink("d", outside.to_str().unwrap())
        .file("d/inside", "new")
        .symlink("e", "../../../../../../../../..")
        .file("e/up", "new")
        .symlink("f", outside.to_str().unwrap())
        .directory("f");
    let layer = place.import_root(&archive.end()).unwrap();
    assert_eq!(std::fs::read(&victim).unwrap(), b"kept");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    assert_eq!(std::fs::read(layer.join("a")).unwrap(), b"new");
    assert_eq!(std::fs::read_link(layer.join("b")).unwrap(), victim);
    assert_eq!(std::fs::read(layer.join("c")).unwrap(), b"new");
    assert_eq!(std::fs::read(layer.join("up")).unwrap(), b"new");
    assert!(layer.join("f").symlink_metadata().unwrap().is_dir());
    let inside = outside.strip_prefix("/").unwrap();
    assert_eq!(std::fs::read(layer.join(inside).join("inside")).unwrap(), b"new");
}

#[test]
fn links_that_loop_end_as_an_error() {
    let error = refused(&Archive::new().symlink("a", "b").symlink("b", "a").file("a/x", "").end());
    assert!(error.contains("entry “a/x”: openat2: Too many levels of symbolic links"), "{error}");
}

#[test]
fn a_later_entry_replaces_an_earlier_one_of_any_type() {
    let place = Place::empty();
    let archive = Archive::new()
        .directory("dir")
        .file("dir/deep/file", "x")
        .device(b'3', "dir", (1, 3))
        .file("file", "old")
        .directory("file")
        .file("file/inside", "new")
        .file("twice", "longer than the second")
        .file("twice", "second");
    let layer = place.import_root(&archive.end()).unwrap();
    let device = layer.join("dir").symlink_metadata().unwrap();
    assert!(device.file_type().is_char_device());
    assert_eq!(device.rdev(), rustix::fs::makedev(1, 3));
    assert_eq!(std::fs::read(layer.join("file/inside")).unwrap(), b"new");
    assert_eq!(std::fs::read(layer.join("twice")).unwrap(), b"second");
    assert!(place.incoming().is_empty());
}

#[test]
fn a_directory_moved_out_of_the_way_is_not_written_to_any_more() {
    let place = Place::empty();
    let archive = Archive::new().directory("a").directory("a/b").file("a/b/1", "").symlink("a", "c").directory("c");
    let layer = place.import_root(&archive.file("a/b/2", "x").end()).unwrap();
    assert_eq!(std::fs::read(layer.join("c/b/2")).unwrap(), b"x");
    assert!(!layer.join("c/b/1").exists());
}

#[test]
fn attributes_that_rule_the_host_or_overlayfs_are_refused() {
    for name in ["trusted.overlay.opaque", "security.ima", "user.overlay.redirect", "system.nfs4_acl"] {
        let archive = Archive::new().pax(&[(&format!("SCHILY.xattr.{name}"), b"x")]).file("a", "");
        let error = refused(&archive.end());
        assert!(error.contains(&format!("entry “a”: extended attribute “{name}” is not allowed")), "{error}");
    }
}

#[test]
fn sizes_are_bounded_before_they_are_believed() {
    let huge = refused(&Archive::new().promise(b'x', "pax", 8 << 30).end());
    assert!(huge.contains("entry “pax”: the extended header is larger than 1048576 bytes"), "{huge}");
    let name = refused(&Archive::new().promise(b'L', "././@LongLink", 8 << 30).end());
    assert!(name.contains("larger than 1048576 bytes"), "{name}");
    let short = refused(&Archive::new().promise(b'0', "a", 1 << 20).end());
    assert!(short.contains("ends in the middle of an entry"), "{short}");
    let owner = refused(&Archive::new().pax(&[("uid", b"4294967295")]).file("a", "").end());
    assert!(owner.contains("owner 4294967295 does not fit"), "{owner}");
}

#[test]
fn a_truncated_stream_is_told_from_a_whole_one() {
    let whole = gzip(&Archive::new().file("a", &"text ".repeat(1000)).end());
    for end in [whole.len() - 1, whole.len() - 9, whole.len() / 2] {
        let error = refused(&whole[..end]);
        assert!(
            error.contains("root.tar: cannot be decompressed (gzip)") || error.contains("in the middle"),
            "{error}"
        );
    }
    let mut broken = whole.clone();
    let sum = broken.len() - 6;
    broken[sum] ^= 1;
    assert!(refused(&broken).contains("cannot be decompressed (gzip)"));
}

#[test]
fn what_is_no_archive_is_told_so() {
    for content in [&b""[..], b"hello", &[b'x'; 4096]] {
        assert!(refused(content).contains("root.tar: neither a root file system's tar archive"), "{content:?}");
    }
    let place = Place::empty();
    let error = place.import_file(place.path(), Some("x")).unwrap_err().to_string();
    assert!(error.contains("a directory without `oci-layout` or `manifest.json` is no image"), "{error}");
}

#[test]
fn an_image_that_lies_about_its_layers_is_refused() {
    let (blob, diff_id) = layer(Archive::new().file("a", "x"));
    let other = digest(b"other");
    let wrong_diff = Layout::new("x:1", &[(blob.clone(), other.clone())]);
    assert!(refused(&wrong_diff.archive()).contains(&format!("but the image's configuration says {other}")));

    let mut wrong_blob = Layout::new("x:1", &[(blob.clone(), diff_id.clone())]);
    let file = wrong_blob.0.iter_mut().find(|(_, content)| *content == blob).unwrap();
    file.1 = gzip(&Archive::new().file("a", "y").end());
    let error = refused(&wrong_blob.archive());
    assert!(error.contains("was announced") || error.contains("were announced"), "{error}");

    let mut longer = Layout::new("x:1", &[(blob.clone(), diff_id.clone())]);
    let file = longer.0.iter_mut().find(|(_, content)| *content == blob).unwrap();
    file.1.extend([0; 4096]);
    assert!(refused(&longer.archive()).contains("bytes were announced, but it has more"));

    let mut manifest = Layout::new("x:1", &[(blob, diff_id)]);
    let file = manifest.0.iter_mut().find(|(_, content)| content.starts_with(br#"{"config":{"digest""#)).unwrap();
    file.1.push(b' ');
    assert!(refused(&manifest.archive()).contains("was announced"));
}

#[test]
fn a_layout_directory_cannot_make_us_read_the_host() {
    let place = Place::empty();
    let directory = place.path().join("layout");
    Layout::new("x:1", &[layer(Archive::new().file("a", ""))]).write(&directory);
    std::fs::remove_file(directory.join("index.json")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", directory.join("index.json")).unwrap();
    let refused = || place.import_file(&directory, None).unwrap_err().to_string();
    assert!(refused().contains("without `oci-layout` or `manifest.json`"), "{}", refused());
    std::os::unix::fs::symlink("/etc/passwd", directory.join("manifest.json")).unwrap();
    assert!(refused().contains("without `oci-layout` or `manifest.json`"), "{}", refused());
}

#[test]
fn trees_deeper_than_a_path_may_be_long_are_refused_and_cleaned_up() {
    let deep = "d/".repeat(1000);
    let mut archive = Archive::new();
    for level in 0..4 {
        archive = archive.pax(&[("path", format!("l{level}/{deep}").as_bytes())]).directory("x");
        archive = archive
            .pax(&[("linkpath", format!("l{level}/{deep}").as_bytes())])
            .symlink(&format!("l{}", level + 1), "x");
    }
    let error = refused(&archive.end());
    assert!(error.contains("File name too long"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_archives_are_errors_or_layers_never_panics(
        flips in prop::collection::vec((0usize..6000, any::<u8>()), 0..12),
        length in 0usize..7000,
        fix_sums in any::<bool>(),
    ) {
        let place = tempfile::tempdir().unwrap();
        let mut archive = Archive::new()
            .directory("d").pax(&[("path", b"d/long"), ("mtime", b"1.5"), ("SCHILY.xattr.user.a", b"b")])
            .file("x", "content").symlink("s", "d/../..").hardlink("h", "d/long").file("d/.wh.gone", "")
            .device(b'3', "null", (1, 3)).file("d/.wh..wh..opq", "").end();
        for (at, value) in flips {
            let at = at % archive.len();
            archive[at] = value;
        }
        archive.truncate(length);
        if fix_sums {
            for block in archive.chunks_exact_mut(512) {
                block[148..156].fill(b' ');
                let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
                block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
        }
        let directory = place.path().join("inside");
        std::fs::create_dir(&directory).unwrap();
        let _ = berth::image::unpack_bytes(&archive, &directory);
        prop_assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
        prop_assert!(std::fs::read_dir(&directory).unwrap().count() <= 3, "something left the layer");
    }
}
