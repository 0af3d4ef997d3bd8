//! Archives and directories of images, written here and read by podman and skopeo, and the other way round.

use super::peers::{SAYS_SO, peers};

#[test]
#[ignore = "host ring: make check"]
fn podman_loads_and_runs_what_is_saved() {
    let host = peers();
    for name in ["to-load", "to-load-too"] {
        host.import_image(name);
    }
    let script = r#"
cd $(mktemp -d)
ran() { podman run --rm --pull=never $1 && podman rmi $1 >/dev/null || exit 1; }
for format in docker-archive oci-archive oci-dir; do
    berthctl image save --format $format -o one-$format to-load:1 && loaded=$(podman load -q -i one-$format) || exit 1
    # Of a directory podman takes no name, not even of its own.
    [[ $format == oci-dir || $loaded == 'Loaded image: localhost/to-load:1' ]] && ran ${loaded#Loaded image: }
    # Several: podman loads all of docker's archive, of the others only the one that is named.
    berthctl image save --format $format -o both-$format to-load:1 to-load-too:1
done
podman load -q -i both-docker-archive >/dev/null && ran localhost/to-load:1 && ran localhost/to-load-too:1
podman pull -q oci-archive:both-oci-archive:localhost/to-load-too:1 >/dev/null && ran localhost/to-load-too:1
podman pull -q oci:both-oci-dir:localhost/to-load-too:1 >/dev/null && ran localhost/to-load-too:1
for format in docker-archive oci-archive; do berthctl image save --format $format to-load:1 | podman load -q >/dev/null && ran localhost/to-load:1; done
# Out of the store, where it lies.
podman pull -q oci:/var/lib/berth/oci:localhost/to-load:1 >/dev/null && ran localhost/to-load:1
"#;
    let (one, too) = ("to-load amd64 1", "to-load-too amd64 1");
    assert_eq!(host.run(script).ok(), [one, one, one, one, too, too, too, one, one, one].join("\n"));
}

#[test]
#[ignore = "host ring: make check"]
fn what_podman_saves_in_any_format_is_loaded_and_runs() {
    let host = peers();
    host.commit_by_podman("to-save");
    let script = r#"
cd $(mktemp -d)
ran() { says_so berthctl run --pull never $1 && berthctl image remove $1 >/dev/null || exit 1; }
for format in docker-archive oci-archive oci-dir; do
    podman save -q --format $format -o $format to-save:1 && berthctl image load -q -i $format && ran to-save:1 || exit 1
    [[ $format == oci-dir ]] || { podman save -q --format $format to-save:1 | berthctl image load -q && ran to-save:1; } || exit 1
done
# Such a directory knows no name.
for compress in '' --compress; do
    podman save -q --format docker-dir $compress -o saved-dir$compress to-save:1 && berthctl image load -q -i saved-dir$compress && ran saved-dir$compress || exit 1
done
berthctl image import -q saved-dir called:2 && ran called:2 && berthctl pull -q dir:$PWD/saved-dir && ran saved-dir"#;
    let loaded = host.run(&format!("{SAYS_SO}{script}")).ok();
    let names: Vec<&str> = loaded.lines().map(|line| line.split(' ').next().unwrap()).collect();
    let saved = ["localhost/to-save:1"; 5].into_iter();
    let rest = [
        "localhost/saved-dir:latest",
        "localhost/saved-dir--compress:latest",
        "localhost/called:2",
        "localhost/saved-dir:latest",
    ];
    assert_eq!(names, saved.chain(rest).collect::<Vec<_>>(), "{loaded}");
}

#[test]
#[ignore = "host ring: make check"]
fn of_an_archive_of_several_images_each_comes_in_by_all_its_names() {
    let host = peers();
    host.commit_by_podman("many-one");
    host.commit_by_podman("many-two");
    let names = "localhost/many-one:1 quay.io/many/more:2 localhost/many-two:1";
    let script = format!(
        r#"{SAYS_SO}
cd $(mktemp -d); podman tag many-one:1 quay.io/many/more:2; podman save -q -m -o all {names} || exit 1
for name in {names}; do berthctl pull -q docker-archive:all:$name && says_so berthctl run --pull never $name && berthctl image remove $name >/dev/null || exit 1; done
berthctl image load -q -i all || exit 1
for name in {names}; do says_so berthctl run --pull never $name; done"#
    );
    let loaded = host.run(&script).ok();
    let loaded: Vec<&str> = loaded.lines().map(|line| line.split(' ').next().unwrap()).collect();
    let once = || names.split(' ');
    assert_eq!(loaded, once().chain(once()).collect::<Vec<_>>());
}

#[test]
#[ignore = "host ring: make check"]
fn skopeo_reads_and_writes_what_we_do() {
    let host = peers();
    host.import_image("by-skopeo");
    host.commit_by_podman("skopeo-saves");
    let script = format!(
        r#"{SAYS_SO}
cd $(mktemp -d); copy() {{ skopeo copy -q "$@" || exit 1; }}
for format in docker-archive oci-archive oci-dir; do
    berthctl image save --format $format -o $format by-skopeo:1 || exit 1
    copy ${{format%-dir}}:$format containers-storage:localhost/from-$format:1
    podman run --rm --pull=never from-$format:1
done
# Out of the store, where it lies, and by way of a registry that asks for a login.
copy oci:/var/lib/berth/oci:localhost/by-skopeo:1 containers-storage:localhost/in-place:1; podman run --rm --pull=never in-place:1
copy --preserve-digests oci:/var/lib/berth/oci:localhost/by-skopeo:1 docker://localhost:5001/in/place:1
berthctl push -q by-skopeo:1 localhost:5001/in/place:2 >/dev/null
for tag in 1 2; do skopeo inspect --format '{{{{.Digest}}}}' docker://localhost:5001/in/place:$tag; done | uniq | wc -l
for to in docker-archive:a.tar:localhost/skopeo:1 oci-archive:b.tar:localhost/skopeo:1 oci:c:localhost/skopeo:1 dir:skopeo; do
    copy containers-storage:localhost/skopeo-saves:1 $to
    path=${{to#*:}}; path=${{path%%:*}}
    for command in "image load -q -i $path" "pull -q ${{to%%:*}}:$PWD/$path"; do
        name=$(berthctl $command | cut -d' ' -f1); echo $name
        says_so berthctl run --pull never $name; berthctl image remove $name >/dev/null
    done
done"#
    );
    let said = host.run(&script).ok();
    let mut lines = said.lines();
    for _ in 0..4 {
        assert_eq!(lines.next(), Some("by-skopeo amd64 1"), "{said}");
    }
    assert_eq!(lines.next(), Some("1"), "{said}");
    let named = [["localhost/skopeo:1"; 6].as_slice(), &["localhost/skopeo:latest"; 2]].concat();
    assert_eq!(lines.collect::<Vec<_>>(), named, "{said}");
}
