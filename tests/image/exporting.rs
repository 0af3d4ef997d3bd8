//! Root file systems as archives, and what differs between two.

use std::path::{Path, PathBuf};

use berth::image::ChangeKind;

use crate::archive::{Archive, Layout, layer};
use crate::{Place, shell};

fn import(place: &Place, name: &str, layers: Vec<Archive>) -> Vec<PathBuf> {
    let layers: Vec<_> = layers.into_iter().map(layer).collect();
    let file = place.file("image.tar", &Layout::new(name, &layers).archive());
    let record = place.import_file(&file, None).unwrap().remove(0).record;
    record.layers.iter().rev().map(|layer| place.scope().layer(layer)).collect()
}

fn export(place: &Place, trees: &[PathBuf], name: &str) -> PathBuf {
    let path = place.path().join(name);
    place.store().export(trees, &path).unwrap();
    path
}

/// File capabilities of version 2: cap_net_raw, permitted and effective.
const CAPABILITY: &[u8] = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

fn everything() -> Vec<Archive> {
    let long = "long/".repeat(40);
    let lower = Archive::new()
        .pax(&[("uid", b"70000"), ("gid", b"3000000000"), ("mtime", b"1.5")])
        .directory("owned")
        .directory("etc")
        .file("etc/hidden", "x")
        .file("etc/kept", "kept")
        .directory("replaced")
        .file("replaced/old", "x")
        .directory("gone")
        .file("gone/inside", "x")
        .pax(&[("SCHILY.xattr.security.capability", CAPABILITY), ("SCHILY.xattr.user.note", b"a=\nb\0")])
        .entry(b'0', "ping", "", 0o4755, b"program")
        .hardlink("pong", "ping")
        .pax(&[("path", format!("{long}file").as_bytes()), ("mtime", b"-3.25")])
        .file("x", "deep")
        .pax(&[("linkpath", long.as_bytes())])
        .symlink("link", "x")
        .symlink("dangling", "/../../nowhere")
        .device(b'3', "null", (1, 3))
        .device(b'4', "loop0", (7, 0))
        .entry(b'6', "fifo", "", 0o600, b"");
    let upper = Archive::new()
        .file("etc/.wh.hidden", "")
        .file(".wh.gone", "")
        .directory("replaced")
        .file("replaced/.wh..wh..opq", "")
        .file("replaced/new", "n")
        .file("pong", "no longer the same file");
    vec![lower, upper]
}

#[test]
fn an_export_is_the_root_file_system_as_it_is_seen() {
    let place = Place::empty();
    let archive = export(&place, &import(&place, "all:1", everything()), "all.tar");
    let names = shell("tar -tf \"$1\" | grep -v long", &[&archive]);
    let expected =
        "./\ndangling\nfifo\nlink\nloop0\nnull\nping\npong\netc/\netc/kept\nowned/\nreplaced/\nreplaced/new\n";
    assert_eq!(names, expected);
    let listed = shell("tar -tvf \"$1\" --numeric-owner | grep -v long | tr -s ' ' | cut -d' ' -f1-3", &[&archive]);
    for line in ["-rwsr-xr-x 0/0 7", "crw-rw-rw- 0/0 1,3", "brw-rw-rw- 0/0 7,0", "drwxr-xr-x 70000/3000000000 0"] {
        assert!(listed.lines().any(|listed| listed == line), "{line}\n{listed}");
    }
}

#[test]
fn what_is_exported_and_imported_is_the_same_tree() {
    let place = Place::empty();
    let first = export(&place, &import(&place, "all:1", everything()), "all.tar");
    let again = place.import_file(&first, Some("again")).unwrap().remove(0).record;
    let tree = place.scope().layer(&again.layers[0]);
    let second = export(&place, std::slice::from_ref(&tree), "again.tar");
    shell("cmp \"$1\" \"$2\"", &[&first, &second]);
    let mut value = [0; 64];
    let length = rustix::fs::getxattr(tree.join("ping"), "user.note", &mut value).unwrap();
    assert_eq!(&value[..length], b"a=\nb\0");
    let seen = shell("cd \"$1\"; getcap ping; find long -name file -printf '%T@ %p\n' | cut -c1-10", &[&tree]);
    // find prints the whole seconds before that time and the fraction after them.
    assert_eq!(seen, "ping cap_net_raw=ep\n-4.7500000\n");
}

#[test]
fn hard_links_of_one_layer_stay_one_file() {
    let place = Place::empty();
    let links = Archive::new().file("a", "content").hardlink("d/b", "a").symlink("s", "a").hardlink("t", "s");
    let archive = export(&place, &import(&place, "links:1", vec![links]), "links.tar");
    let tree = place.import_file(&archive, Some("again")).unwrap().remove(0).record;
    let tree = place.scope().layer(&tree.layers[0]);
    let seen = shell("cd \"$1\"; [ a -ef d/b ]; stat -c %h a s t; readlink t", &[&tree]);
    assert_eq!(seen, "2\n2\n2\na\n");
}

#[test]
fn a_tree_cannot_make_an_export_read_the_host() {
    let place = Place::empty();
    let outside = place.file("secret", b"of the host");
    let layers = [Archive::new().directory("d").file("d/file", "x")];
    let trees = import(&place, "links:1", layers.to_vec());
    // As a container would replace what it has written while it is read.
    std::fs::remove_file(trees[0].join("d/file")).unwrap();
    std::os::unix::fs::symlink(&outside, trees[0].join("d/file")).unwrap();
    std::os::unix::fs::symlink(place.path(), trees[0].join("up")).unwrap();
    let archive = export(&place, &trees, "links.tar");
    assert!(!String::from_utf8_lossy(&std::fs::read(&archive).unwrap()).contains("of the host"));
    assert_eq!(shell("tar -tf \"$1\"", &[&archive]), "./\nup\nd/\nd/file\n");
}

#[test]
fn a_tree_deeper_than_a_name_may_be_long_is_one_error_and_no_archive() {
    let place = Place::empty();
    let trees = import(&place, "deep:1", vec![Archive::new().directory("d")]);
    let script = "cd \"$1\"; for i in $(seq 50); do mkdir $2; cd -P $2; done";
    let name = "d".repeat(100);
    shell(script, &[&trees[0], Path::new(&name)]);
    let error = place.store().export(&trees, &place.path().join("deep.tar")).unwrap_err().to_string();
    assert!(error.contains("File name too long"), "{error}");
    assert!(!place.path().join("deep.tar").exists());
}

fn changes(place: &Place, before: &[PathBuf], after: &[PathBuf]) -> Vec<String> {
    let letter = |kind| match kind {
        ChangeKind::Added => 'A',
        ChangeKind::Changed => 'C',
        ChangeKind::Deleted => 'D',
    };
    let changes = place.store().difference(before, after).unwrap();
    changes.iter().map(|change| format!("{} {}", letter(change.change), change.path)).collect()
}

#[test]
fn images_differ_where_their_layers_do() {
    let place = Place::empty();
    let trees = import(&place, "all:1", everything());
    let (before, nothing) = (&trees[1..], Vec::<String>::new());
    let expected =
        ["C /etc", "D /etc/hidden", "D /gone", "C /pong", "C /replaced", "A /replaced/new", "D /replaced/old"];
    assert_eq!(changes(&place, before, &trees), expected);
    assert_eq!(changes(&place, &trees, &trees), nothing);
    let back = [
        "C /etc",
        "A /etc/hidden",
        "A /gone",
        "A /gone/inside",
        "C /pong",
        "C /replaced",
        "D /replaced/new",
        "A /replaced/old",
    ];
    assert_eq!(changes(&place, &trees, before), back);
    // The same files in other layers.
    let archive = export(&place, &trees, "all.tar");
    let flat = place.import_file(&archive, Some("flat")).unwrap().remove(0).record;
    assert_eq!(changes(&place, &trees, &[place.scope().layer(&flat.layers[0])]), nothing);
}

#[test]
fn a_file_that_becomes_a_directory_has_changed_and_what_is_in_it_is_new() {
    let place = Place::empty();
    let lower = Archive::new().file("a", "x").directory("b").file("b/c", "x").file("mode", "x").symlink("s", "1");
    let upper = Archive::new()
        .directory("a")
        .file("a/new", "")
        .symlink("b", "a")
        .entry(b'0', "mode", "", 0o600, b"x")
        .symlink("s", "2");
    let trees = import(&place, "types:1", vec![lower, upper]);
    assert_eq!(changes(&place, &trees[1..], &trees), ["C /a", "A /a/new", "C /b", "C /mode", "C /s"]);
}
