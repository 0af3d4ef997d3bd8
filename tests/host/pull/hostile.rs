//! A registry that does wrong, one repository for each way (`hostile.py`): each gets one line of error, and leaves the
//! store as it was. And one that merely stumbles, which is put up with.

use std::sync::OnceLock;

use super::PULL;
use crate::ring::{Host, eventually};

fn hostile() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| boot("pull-hostile"))
}

fn boot(purpose: &str) -> Host {
    let host = Host::boot(purpose);
    host.write("/srv/hostile.py", include_str!("hostile.py"));
    let settings = "unqualified-search-registries = []\n[[registry]]\nlocation = \"127.0.0.1:6000\"\ninsecure = true";
    host.write("/etc/containers/registries.conf.d/tests.conf", settings);
    host.run(
        "systemd-run -q --unit hostile python3 /srv/hostile.py /srv/hostile.log
        for _ in $(seq 200); do curl -s 127.0.0.1:6000/v2/ && curl -s 127.0.0.1:6001/v2/ && exit 0; sleep 0.1; done; exit 1",
    )
    .ok();
    // A store that is no longer empty, so that something could be lost.
    host.run(&format!("{PULL} 127.0.0.1:6000/good:1 && cp -a /var/lib/berth /srv/other-store")).ok();
    host
}

/// What was asked of the registry about one of its repositories: port, path, range, and how we called ourselves.
fn asked(case: &str) -> String {
    hostile().run(&format!("grep /v2/{case}/ /srv/hostile.log")).ok()
}

#[test]
#[ignore = "host ring: make check"]
fn each_wrong_does_one_line_of_error_and_nothing_to_the_store() {
    let host = hostile();
    let cases: Vec<(&str, &str)> = vec![
        ("wrong-blob", "was announced"),
        ("short-blob", "bytes were announced, but the registry has only 100000"),
        ("empty-blob", "bytes were announced, but the registry has only 0"),
        ("long-blob", "bytes were announced, but it has more"),
        ("no-blob", "is not at 127.0.0.1:6000"),
        ("no-config", "is not at 127.0.0.1:6000"),
        ("layer-size-small", "5000 bytes were announced, but it has more"),
        ("layer-size-large", "but the registry has only"),
        ("layer-size-negative", "invalid value: integer `-1`"),
        ("corrupt-gzip", "cannot be decompressed (gzip)"),
        ("cut-gzip", "cannot be decompressed (gzip)"),
        ("not-a-tar", "header"),
        ("dots", "“..”"),
        ("wrong-diff-id", "but the image's configuration says"),
        ("few-diff-ids", "1 layers, but 0 diff ids"),
        ("odd-diff-id", "64 lower-case hexadecimal digits"),
        ("layer-sha512", "only sha256 is supported"),
        ("layer-digest-path", "digest"),
        ("config-size", "5 bytes were announced, but it has"),
        ("config-large", "larger than the 4194304 bytes"),
        ("config-wrong", "was asked for"),
        ("config-text", "expected"),
        ("artifact", "not an image, but something whose configuration is application/vnd.cncf.helm"),
        ("manifest-text", "expected value"),
        ("manifest-empty", "EOF"),
        ("manifest-large", "larger than the 4194304 bytes"),
        ("manifest-both", "it lists both manifests and layers"),
        ("manifest-neither", "neither an index nor a manifest"),
        ("manifest-deep", "invalid type: sequence"),
        ("schema-1", "schema 1"),
        ("index-empty", "no image for linux/amd64"),
        ("index-other-platform", "there is only linux/riscv64"),
        ("index-missing", "is not at 127.0.0.1:6000"),
        ("index-size", "3 bytes were announced"),
        ("index-swapped", "was asked for"),
        ("index-lies", "announced as application/vnd.oci.image.index.v1+json, but it is"),
        ("index-deep", "too many indexes in each other"),
        ("header-lies", "was asked for"),
        ("always-500", "the registry answers 500: UNKNOWN: it[31m burns"),
        ("denied", "denies access to denied:1: DENIED: not you"),
        ("teapot", "the registry answers 418"),
        ("wants-basic", "log in with `berthctl registry login 127.0.0.1:6000`"),
        ("wants-nothing", "denies access"),
        ("token-never-right", "denies access"),
        ("token-broken", "no token"),
        ("token-nowhere", "it leads to “file:///etc/passwd"),
        ("redirect-loop", "more than 5 redirects"),
        ("redirect-file", "it leads to “file:///etc/passwd"),
        ("closes", "127.0.0.1:6000/v2/closes/manifests/1: "),
        ("garbage", "127.0.0.1:6000/v2/garbage/manifests/1: "),
        ("cut-always", "the connection broke after"),
        ("cut-other-range", "the server sends Some(7)"),
        ("no-such", "is not at 127.0.0.1:6000"),
        ("manifest-utf8", "invalid unicode code point"),
        ("config-utf8", "invalid unicode code point"),
        ("layers-text", "invalid type: string \"none\", expected a sequence"),
        ("index-loop", "was asked for"),
        ("absolute", "entry “/etc/passwd”: the name is absolute"),
        ("link-out", "entry “a”: the link's target: the name has “..” in it"),
        ("link-to-host", "entry “a”: hard link to “/etc/passwd”, which is not in this layer before it"),
        ("link-through", "entry “a”: hard link to “s/etc/passwd”, which is not in this layer before it"),
        ("link-loop", "entry “a/x”: openat2: Symbolic link loop"),
        ("through-file", "entry “x/y”: “x” on its way is not a directory"),
        ("whiteout-parent", "entry “a/.wh...”: a whiteout must name one entry beside it"),
        ("whiteout-itself", "entry “.wh..”: a whiteout must name one entry beside it"),
        ("whiteout-on-the-way", "entry “.wh.a/b”: “.wh.a” on its way has the form of a whiteout"),
        ("owner-large", "entry “a”: owner 4294967295 does not fit into 32 bits"),
        ("overlay-attribute", "entry “a”: extended attribute “trusted.overlay.opaque” is not allowed"),
        ("nul-in-name", "the name has a NUL in it"),
        ("deep-name", "the name is longer than 4095 bytes"),
        ("deep-directories", "openat2: Filename too long"),
        ("odd-type", "entry “a”: type “Z” is not one a layer can have"),
        ("wrong-sum", "no tar header at byte 0: its checksum is wrong"),
        ("cut-header", "the archive ends in the middle of an entry"),
        ("sparse-lies", "entry “a”: the map of a sparse file is wrong"),
        ("million-entries", "the archive has more than 1000000 entries"),
    ];
    // The other tests of this host change its store: these pulls see a copy of it in its place.
    let mut script =
        "look() { (cd /srv/other-store && find . -printf '%P %y %s\\n' | sort); }\nlook >/srv/before\n".to_owned();
    let pull = PULL.replace(
        "berthctl",
        "unshare -m bash -c 'mount --bind /srv/other-store /var/lib/berth; exec berthctl \"$@\"' - ",
    );
    for (case, _) in &cases {
        let reference =
            if *case == "no-such" { "127.0.0.1:6000/good:none".to_owned() } else { format!("127.0.0.1:6000/{case}:1") };
        script += &format!(
            "{pull} -q {reference} >/srv/out 2>/srv/err; echo \"{case}: $? $(wc -l </srv/out) $(wc -l </srv/err) $(cmp -s /srv/before <(look) && echo same || diff /srv/before <(look) | tr '\\n' '|') $(cat /srv/err)\"\n"
        );
    }
    let told = host.run_within(600, &script).ok();
    let mut wrong = Vec::new();
    for (case, expected) in &cases {
        let line = told.lines().find(|line| line.starts_with(&format!("{case}: "))).unwrap_or_default();
        if !line.starts_with(&format!("{case}: 1 0 1 same berthctl: image “127.0.0.1:6000/"))
            || !line.contains(expected)
        {
            wrong.push(format!("{line}\n    expected: {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "host ring: make check"]
fn a_bomb_larger_than_the_store_is_one_error_and_all_of_it_is_freed() {
    let script = format!(
        r#"unshare -m bash -c '
        mount -t tmpfs -o size=1G tmpfs /var/lib/berth; cp -a /srv/other-store/. /var/lib/berth/
        look() {{ cd /var/lib/berth; find . -printf "%P %y %s\n" | sort; df --output=used . | tail -n 1; }}
        look >/srv/bomb-before
        {PULL} -q 127.0.0.1:6000/bomb:1 2>/srv/bomb-told; echo $?
        look | diff /srv/bomb-before - && cat /srv/bomb-told'"#
    );
    let told = hostile().run_within(600, &script).ok();
    let (code, error) = told.split_once('\n').unwrap();
    assert_eq!(code, "1");
    assert!(error.starts_with("berthctl: image “127.0.0.1:6000/bomb:1”: sha256:"), "{told}");
    assert!(error.ends_with("entry “zeros”: write: No space left on device (os error 28)"), "{told}");
}

#[test]
#[ignore = "host ring: make check"]
fn a_broken_connection_goes_on_where_it_was() {
    let host = hostile();
    host.run(&format!("{PULL} 127.0.0.1:6000/cut-once:1")).ok();
    let asked = asked("cut-once");
    let ranges: Vec<_> =
        asked.lines().filter_map(|line| line.split(' ').nth(2)).filter(|range| *range != "-").collect();
    assert_eq!(ranges.len(), 1, "{asked}");
    let from: u64 = ranges[0].trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
    assert!(from > 1_000_000, "{asked}");
    // A registry without ranges sends all of it anew.
    host.run(&format!("{PULL} 127.0.0.1:6000/cut-no-ranges:1")).ok();
    host.run("berthctl image inspect 127.0.0.1:6000/cut-once:1 127.0.0.1:6000/cut-no-ranges:1").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn what_we_are_known_by_is_told_to_no_other_host() {
    hostile().run(&format!("{PULL} 127.0.0.1:6000/elsewhere:1")).ok();
    let asked = asked("elsewhere");
    let layers = |port: &str, known: &str| {
        asked.lines().filter(|line| line.starts_with(port) && line.contains("/blobs/") && line.contains(known)).count()
    };
    assert_eq!((layers("6000", "Bearer"), layers("6001", "nobody"), layers("6001", "Bearer")), (2, 1, 0), "{asked}");
}

#[test]
#[ignore = "host ring: make check"]
fn a_busy_registry_is_asked_again_when_it_says() {
    let host = hostile();
    host.run(&format!("{PULL} 127.0.0.1:6000/once-500:1")).ok();
    let took = host.run(&format!(
        "start=$(date +%s%N); {PULL} 127.0.0.1:6000/once-429:1 >&2 && echo $((($(date +%s%N) - start) / 1000000))"
    ));
    let milliseconds: u64 = took.ok().parse().unwrap();
    assert!(milliseconds >= 1000, "Retry-After: 1, but it took {milliseconds} ms");
    assert_eq!(asked("once-429").lines().filter(|line| line.contains("/manifests/")).count(), 2);
}

#[test]
#[ignore = "host ring: make check"]
fn a_killed_pull_leaves_nothing_that_the_next_one_does_not_clear_up() {
    // Any other pull would clear up as well.
    let host = boot("pull-killed");
    let leftover = "ls -d /var/lib/berth/incoming/*.$(systemctl show --value -p MainPID killed-pull)-*";
    host.run(&format!(
        "systemd-run -q --unit killed-pull {PULL} 127.0.0.1:6000/hangs:1",
        PULL = PULL.replace("berthctl", "/usr/bin/berthctl")
    ))
    .ok();
    let directory = eventually(|| {
        let found = host.run(&format!("{leftover} && find $({leftover}) -size +500k | grep -q ."));
        if found.code == Some(0) { Ok(found.stdout.trim().to_owned()) } else { Err(format!("{found:?}")) }
    });
    host.run("systemctl kill -s KILL killed-pull; while systemctl -q is-active killed-pull; do sleep 0.05; done").ok();
    host.run("berthctl image inspect 127.0.0.1:6000/hangs:1").exits(1);
    host.run(&format!("ls -d {directory}")).ok();
    host.run(&format!("{PULL} 127.0.0.1:6000/after-killed:1")).ok();
    host.run(&format!("ls -d {directory}")).exits(2);
}

#[test]
#[ignore = "host ring: make check"]
fn one_that_falls_silent_is_not_waited_for_forever() {
    let script = "for case in silent hangs-too; do
            berthctl pull -q --insecure image-signature --retry 0 127.0.0.1:6000/$case:1 2>/srv/silent-$case &
        done; wait; cat /srv/silent-silent /srv/silent-hangs-too";
    let told = hostile().run(script).ok();
    let (silent, hangs) = told.split_once('\n').unwrap();
    assert!(silent.contains("/v2/silent/manifests/1: no answer in time"), "{silent}");
    assert!(hangs.contains("the connection broke after"), "{hangs}");
}

#[test]
#[ignore = "host ring: make check"]
fn only_the_registry_itself_may_ask_who_we_are() {
    let host = hostile();
    host.run("echo '{\"auths\": {\"127.0.0.1:6000\": {\"auth\": \"YTpi\"}}}' >/srv/ask.json").ok();
    let ran = host.run(&format!("REGISTRY_AUTH_FILE=/srv/ask.json {PULL} 127.0.0.1:6000/asks-elsewhere:1"));
    assert!(ran.stderr.contains("denies access"), "{}", ran.stderr);
    ran.exits(1);
    host.run("grep -q /token/phished /srv/hostile.log").exits(1);
}

#[test]
#[ignore = "host ring: make check"]
fn whenever_a_pull_is_killed_its_image_is_whole_or_not_there() {
    let host = boot("pull-moments");
    let moments = if std::env::var_os("BERTH_FULL").is_some() { 200 } else { 20 };
    // Moments all over the time one takes, on this machine and at this hour.
    let script = format!(
        "set -e
        pull() {{ berthctl pull -q --insecure image-signature 127.0.0.1:6000/$1:1; }}
        start=$(date +%s%N); pull timed >/dev/null; took=$(($(date +%s%N) - start)); killed=0
        for moment in $(seq {moments}); do
            after=$(printf '%d.%09d' $((took * moment / {moments} / 1000000000)) $((took * moment / {moments} % 1000000000)))
            timeout --signal=KILL $after berthctl pull -q --insecure image-signature 127.0.0.1:6000/killed-$moment:1 >/dev/null || killed=$((killed + 1))
            berthctl image list -q | grep -qxF 127.0.0.1:6000/killed-$moment:1 || continue
            skopeo copy -q oci:/var/lib/berth/oci:127.0.0.1:6000/killed-$moment:1 dir:/srv/copy
        done
        for moment in $(seq {moments}); do
            pull killed-$moment >/dev/null
            skopeo copy -q oci:/var/lib/berth/oci:127.0.0.1:6000/killed-$moment:1 dir:/srv/copy
            rm -rf /srv/copy
        done
        ls -A /var/lib/berth/incoming >&2
        echo $killed"
    );
    let ran = host.run_within(600, &script);
    assert_eq!(ran.stderr.lines().filter(|line| !line.contains("Killed")).collect::<Vec<_>>(), Vec::<&str>::new());
    let killed: u32 = ran.ok().parse().unwrap();
    assert!(killed >= moments / 3, "only {killed} of {moments} were killed before they were done");
}

#[test]
#[ignore = "host ring: make check"]
fn an_image_that_is_still_the_same_is_not_sent_again() {
    let host = hostile();
    for case in ["same", "same-index"] {
        let pull = format!("{PULL} -q 127.0.0.1:6000/{case}:1");
        let first = host.run(&pull).ok();
        let sent = || asked(case).lines().filter(|line| line.ends_with(" GET")).count();
        let count = sent();
        assert_eq!(host.run(&pull).ok(), first);
        assert_eq!(sent(), count, "{}", asked(case));
        assert!(asked(case).ends_with(" HEAD"), "{}", asked(case));
        // What it was chosen from is still known.
        let index = host.run("cat /var/lib/berth/oci/index.json").ok();
        let entry =
            index.split("\"mediaType\"").find(|entry| entry.contains(&format!("/{case}:1"))).unwrap().to_owned();
        assert_eq!(entry.contains("chosen-from"), case == "same-index", "{entry}");
    }
}
