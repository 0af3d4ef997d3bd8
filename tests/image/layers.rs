//! What a layer looks like on the disk, and through the kernel's own overlayfs.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::archive::{Archive, Layout, digest, layer};
use crate::{Place, shell};

/// Names and contents as a container with these layers sees them, the lowest first.
fn stacked(place: &Place, layers: &[String]) -> String {
    let scope = place.scope();
    let lower: Vec<_> = layers.iter().rev().map(|id| scope.layer(id).display().to_string()).collect();
    let empty = place.path().join("empty");
    std::fs::create_dir_all(&empty).unwrap();
    let lower = format!("{}:{}", lower.join(":"), empty.display());
    let script = r#"unshare -m sh -ec '
        mount -t overlay -o "userxattr,lowerdir=$1" berth "$2"; cd "$2"
        find . -mindepth 1 | sort | while read -r f; do if [ -f "$f" ]; then echo "$f=$(cat "$f")"; else echo "$f"; fi; done
    ' sh "$1" "$2""#;
    shell(script, &[Path::new(&lower), &empty])
}

#[test]
fn whiteouts_and_opaque_directories_hide_what_is_below() {
    let place = Place::empty();
    let lower = Archive::new()
        .file("gone", "1")
        .file("kept", "1")
        .directory("old")
        .file("old/gone", "1")
        .directory("swapped")
        .file("swapped/lower", "1")
        .directory("remade")
        .file("remade/lower", "1")
        .directory("tree")
        .file("tree/lower", "1")
        .directory("implied")
        .file("implied/lower", "1");
    let upper = Archive::new()
        .file(".wh.gone", "")
        .directory("old")
        .file("old/.wh..wh..opq", "")
        .file("old/new", "2")
        .file("old/.wh.gone", "")
        .file(".wh.swapped", "")
        .directory("swapped")
        .file("swapped/upper", "2")
        .directory("remade")
        .file("remade/upper", "2")
        .file(".wh.remade", "")
        .file(".wh.tree", "")
        .file(".wh.implied", "")
        .file("implied/upper", "2");
    let layout = Layout::new("x:1", &[layer(lower), layer(upper)]);
    let file = place.file("x.tar", &layout.archive());
    let imported = place.import_file(&file, None).unwrap();
    assert_eq!(
        stacked(&place, &imported[0].record.layers),
        "./implied\n./implied/upper=2\n./kept=1\n./old\n./old/new=2\n./remade\n./remade/upper=2\n./swapped\n./swapped/upper=2\n"
    );
}

#[test]
fn an_opaque_root_hides_every_layer_below() {
    let place = Place::empty();
    let layers = [
        layer(Archive::new().file("lower", "1")),
        layer(Archive::new().file(".wh..wh..opq", "").file("middle", "2")),
        layer(Archive::new().file("upper", "3")),
    ];
    let file = place.file("x.tar", &Layout::new("x:1", &layers).archive());
    let record = place.import_file(&file, None).unwrap().remove(0).record;
    assert_eq!(record.layers, [layers[1].1.clone(), layers[2].1.clone()]);
    assert_eq!(stacked(&place, &record.layers), "./middle=2\n./upper=3\n");
}

/// Everything `find` can say of a tree but what cannot be equal.
fn described(tree: &Path) -> String {
    let find =
        r#"cd "$1"; find . -printf '%p %y %m %U %G %n %l %T@ ' \( -type d -printf '\n' -o -printf '%s\n' \) | sort"#;
    let xattrs = r#"cd "$1"; for f in owned usr/bin/hello; do
        python3 -c "import os, sys; print([(n, os.getxattr(sys.argv[1], n)) for n in os.listxattr(sys.argv[1])])" $f; done"#;
    shell(find, &[tree]) + &shell(xattrs, &[tree])
}

#[test]
fn a_layer_is_what_gnu_tar_makes_of_its_archive() {
    let place = Place::empty();
    let (source, expected) = (place.path().join("source"), place.path().join("expected"));
    let script = r#"
        mkdir -p "$1/usr/bin" "$1/tmp" "$2"; cd "$1"; umask 0
        echo hello >usr/bin/hello; chmod 4755 usr/bin/hello; ln usr/bin/hello usr/bin/again
        ln -s usr/bin bin; ln -s /nowhere dangling; chmod 1777 tmp; mkdir -m 2750 group
        mknod null c 1 3; mknod disk b 259 70000; mkfifo -m 600 fifo
        echo x >owned; chown 100000:4294967294 owned; chown -h 7:8 dangling
        touch -d '1969-12-31 23:59:58.25' ancient; touch -d '2100-01-01 00:00:00.123456789' future
        n=$(printf 'n%.0s' $(seq 200)); mkdir -p "deep/$n"; echo x >"deep/$n/$n"; ln -s "$n/$n" "deep/link"
        truncate -s 5M sparse; echo end >>sparse; printf 'a' | dd of=sparse bs=1 seek=1000000 conv=notrunc status=none
        touch -d '2001-02-03 04:05:06' usr usr/bin tmp .
        python3 -c "import os; os.setxattr('owned', 'user.note', b'a\nb=c'); os.setxattr('usr/bin/hello', 'security.capability', bytes.fromhex('0100000200040000000000000000000000000000'))"
    "#;
    shell(script, &[&source, &expected]);
    for format in
        ["--format=pax --xattrs --xattrs-include=*", "--format=gnu", "--format=gnu --sparse", "--format=pax --sparse"]
    {
        let archive = place.path().join("made.tar");
        shell(&format!(r#"cd "$1"; tar --numeric-owner {format} -cf "$2" ."#), &[&source, &archive]);
        let extract = r#"rm -rf "$1"; mkdir "$1"; tar --numeric-owner --xattrs --xattrs-include='*' -p --same-owner -xf "$2" -C "$1""#;
        shell(extract, &[&expected, &archive]);
        let layer = place.import_root(&std::fs::read(&archive).unwrap()).unwrap();
        assert_eq!(described(&layer), described(&expected), "{format}");
        assert_eq!(std::fs::read(layer.join("sparse")).unwrap(), std::fs::read(source.join("sparse")).unwrap());
    }
}

#[test]
fn undescribed_parents_are_ordinary_directories_whatever_stands_in_the_way() {
    let place = Place::empty();
    let archive = Archive::new().file("a/b/file", "1").symlink("lib", "usr/lib").file("lib/so", "2").end();
    let layer = place.import_root(&archive).unwrap();
    assert_eq!(layer.join("a").metadata().unwrap().mode() & 0o7777, 0o755);
    assert_eq!(layer.metadata().unwrap().mode() & 0o7777, 0o755);
    assert_eq!(std::fs::read(layer.join("usr/lib/so")).unwrap(), b"2");
    assert_eq!(digest(&archive)["sha256:".len()..], *layer.file_name().unwrap().to_str().unwrap());
}
