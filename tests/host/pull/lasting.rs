//! What a pull has finished lasts, however the pull ends; and what two pulls need is fetched once.

use crate::faults::{Random, counts, say};
use crate::ring::{BUSYBOX, Host};

/// `$PULL/NAME` pulls quietly from the slow registry; `fetched NAME` are the digests of its blobs that were asked for.
const FUNCTIONS: &str = r#"
PULL="berthctl pull -q --insecure image-signature --retry 0 127.0.0.1:6200"
fetched() { sed -n "s|^$1 sha256:||p" /srv/slow.log; }
until_true() { # COMMAND…
    local deadline=$((SECONDS + 60))
    until "$@"; do ((SECONDS < deadline)) || { echo "never true: $*" >&2; exit 1; }; sleep 0.02; done
}
is_finished() { # DIGEST: in its place, or on its way there
    compgen -G "/var/lib/berth/oci/blobs/sha256/$1" >/dev/null || compgen -G "/var/lib/berth/incoming/*/blob-$1" >/dev/null
}
has_finished() { # NAME COUNT: that many of its blobs
    local count=0 digest
    for digest in $(fetched "$1"); do ! is_finished "$digest" || count=$((count + 1)); done
    ((count >= $2))
}
nothing_staged() { [[ ! $(ls -A /var/lib/berth/incoming 2>/dev/null) ]]; }
"#;

/// With a registry of its own, which takes `delay` seconds for each tenth of a blob.
fn boot(purpose: &str, delay: &str) -> Host {
    let host = Host::boot(purpose);
    host.write("/srv/slow.py", include_str!("slow.py"));
    host.write("/srv/slow.delay", delay);
    let settings = "[[registry]]\nlocation = \"127.0.0.1:6200\"\ninsecure = true";
    host.write("/etc/containers/registries.conf.d/tests.conf", settings);
    host.run(
        "touch /srv/slow.log; systemd-run -q --unit slow python3 /srv/slow.py /srv/slow.log /srv/slow.delay
        for _ in $(seq 200); do curl -s 127.0.0.1:6200/v2/ && exit 0; sleep 0.1; done; exit 1",
    )
    .ok();
    host
}

#[track_caller]
fn run(host: &Host, script: &str) -> String {
    let ran = host.run_within(600, &format!("{FUNCTIONS}{script}"));
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    ran.stdout.trim_end().to_owned()
}

#[test]
#[ignore = "host ring: make check"]
fn whenever_a_pull_is_killed_the_store_is_right_and_no_finished_blob_is_fetched_again() {
    let host = boot("pull-lasting", "0.03");
    let moments = counts(200, 20);
    let mut random = Random::seeded();
    let parts: Vec<String> = (0..moments).map(|_| random.below(1000).to_string()).collect();
    let (mut killed, mut partly) = (0, 0);
    for (batch, parts) in parts.chunks(20).enumerate() {
        // As long as one takes on this machine and at this hour.
        let script = format!(
            r#"
start=$(date +%s%N); $PULL/timed/{batch}/8 >/dev/null || exit 1; took=$((($(date +%s%N) - start) / 1000000)) killed=0 partly=0
for part in {parts}; do
    number=$((number + 1)) after=$((took * part / 1000)); name=killed/{batch}/$number/8
    $PULL/$name >/dev/null 2>&1 & command=$!
    sleep $((after / 1000)).$(printf %03d $((after % 1000)))
    kill -KILL $command 2>/dev/null; wait $command 2>/dev/null
    [[ $? != 137 ]] || killed=$((killed + 1))
    for digest in $(fetched $name); do ! is_finished $digest || echo $digest; done >/run/before
    berthctl image check >/run/check || {{ echo "after $after ms"; cat /run/check; exit 1; }}
    ! has_finished $name 1 || berthctl image list -q | grep -qxF 127.0.0.1:6200/$name:latest || partly=$((partly + 1))
    : >/srv/slow.log
    $PULL/$name >/dev/null || {{ echo "after $after ms"; exit 1; }}
    again=$(fetched $name | grep -xFf /run/before)
    [[ ! $again ]] || {{ echo "after $after ms: fetched again: $again"; exit 1; }}
    nothing_staged || {{ ls -lR /var/lib/berth/incoming; exit 1; }}
    berthctl image check >/run/check || {{ cat /run/check; exit 1; }}
    # So that the next check is of the next image alone.
    berthctl image gc --all -q >/dev/null
done
echo $killed $partly"#,
            parts = parts.join(" ")
        );
        let seen = run(&host, &script);
        let counts: Vec<u32> = seen.split(' ').map(|count| count.parse().unwrap()).collect();
        killed += counts[0];
        partly += counts[1];
    }
    let count = format!("of {moments} pulls {killed} were killed, {partly} of them half-way");
    say(&count);
    // A third hit, and of those some had finished something, or nothing was tried.
    assert!(killed * 3 >= moments && partly * 8 >= moments, "{count}");
}

#[test]
#[ignore = "host ring: make check"]
fn what_two_pulls_at_once_need_is_fetched_once() {
    let host = boot("pull-sharing", "0.02");
    let script = r"
$PULL/same/6 >/run/one & one=$!; $PULL/same/6 >/run/two & two=$!
wait $one && wait $two && cmp /run/one /run/two || exit 1
fetched same/6 | sort | uniq -c | tr -s ' ' | cut -d' ' -f2 | sort | uniq -c
$PULL/shared/one/6 >/dev/null & one=$!; $PULL/shared/two/6 >/dev/null & two=$!
wait $one && wait $two || exit 1
cat <(fetched shared/one/6) <(fetched shared/two/6) | sort | uniq -d
cat <(fetched shared/one/6) <(fetched shared/two/6) | wc -l
nothing_staged && berthctl image check -q";
    // Six layers and a configuration, once; then three layers of both, three of each, and two configurations.
    let seen = run(&host, script);
    let lines: Vec<String> = seen.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines, ["7 1", "11"], "{seen}");
}

#[test]
#[ignore = "host ring: make check"]
fn who_waits_for_another_pull_takes_over_when_that_one_dies() {
    let host = boot("pull-takeover", "0.02");
    let script = r"
touch /srv/slow.delay.never
$PULL/never/4 >/run/one 2>&1 & one=$!
asked_for() { (($(fetched $1 | wc -l) >= $2)); }
until_true has_finished never/4 4; until_true asked_for never/4 5
last=$(for digest in $(fetched never/4); do is_finished $digest || echo $digest; done)
$PULL/never/4 >/run/two 2>&1 & two=$!
# It has what is finished, and is left with the one that comes never.
until_true lsof_has $two $last
rm /srv/slow.delay.never
kill -KILL $one; wait $two || { cat /run/two; exit 1; }
fetched never/4 | grep -c $last
fetched never/4 | wc -l
# What the killed one has staged, the next one takes away.
$PULL/never/4 >/dev/null && nothing_staged && berthctl image check -q";
    let has = "lsof_has() { ls -l /proc/$1/fd 2>/dev/null | grep -q incoming/$2; }\n";
    // Five blobs, the last of them twice.
    assert_eq!(run(&host, &format!("{has}{script}")), "2\n6");
}

#[test]
#[ignore = "host ring: make check"]
fn an_interrupted_pull_ends_with_one_line_and_the_next_one_goes_on() {
    let host = boot("pull-interrupted", "0");
    let script = r#"
for signal in INT TERM; do
    printf trickle >/srv/slow.delay.never
    name=never/${signal,,}/8
    $PULL/$name >/run/said 2>&1 & pulling=$!
    until_true has_finished $name 8
    kill -$signal $pulling; wait $pulling; echo $? $(wc -l </run/said) $(cat /run/said)
    nothing_staged || exit 1
    rm /srv/slow.delay.never; : >/srv/slow.log
    $PULL/$name >/dev/null || exit 1
    fetched $name | wc -l
done
# Nor does it wait for a registry that has fallen silent.
touch /srv/slow.delay.never
$PULL/never/4 >/run/said 2>&1 & pulling=$!
until_true has_finished never/4 4
kill -TERM $pulling; SECONDS=0; wait $pulling; echo $? $(wc -l </run/said) $(cat /run/said)
((SECONDS < 20)) && nothing_staged && has_finished never/4 4 && berthctl image check -q"#;
    let line = |code: u32| format!("{code} 1 berthctl: interrupted; what was finished is kept for the next try");
    assert_eq!(run(&host, script), [&line(130), "1", &line(143), "1", &line(143)].join("\n"));
}

#[test]
#[ignore = "host ring: make check"]
fn a_pull_that_fills_the_disk_frees_what_it_brought_and_disturbs_no_container() {
    let host = boot("pull-full", "0");
    let script = format!(
        r#"
mount -t tmpfs -o size=6m tmpfs /var/lib/berth || exit 1
trap 'systemctl stop berth-run-stays; umount -l /var/lib/berth' EXIT
berthctl run -d --name stays --rootfs {BUSYBOX} -- sh -c 'while :; do sleep 1000 & wait; done' >/dev/null || exit 1
$PULL/small/1 >/dev/null || exit 1
used() {{ find /var/lib/berth -printf '%P %y %s\n' | sort; }}
used >/run/before
$PULL/large/40 >/dev/null 2>/run/said && exit 1
echo $(wc -l </run/said) $(grep -c 'No space left on device' /run/said)
nothing_staged && diff /run/before <(used) || exit 1
berthctl image check -q || exit 1
berthctl exec stays -- sh -c 'echo goes on >/file && cat /file' || exit 1
mount -o remount,size=100m /var/lib/berth && $PULL/large/40 >/dev/null && berthctl image check -q"#
    );
    assert_eq!(run(&host, &script), "1 1\ngoes on");
}

#[test]
#[ignore = "host ring: make check"]
fn what_is_damaged_or_missing_is_repaired_from_where_it_came() {
    let host = boot("pull-repaired", "0");
    let script = r#"
$PULL/repaired/4 >/dev/null && $PULL/intact/2 >/dev/null || exit 1
cd /var/lib/berth
set -- $(fetched repaired/4)
# The configuration comes first. Of a layer the tree is gone as well.
echo other >oci/blobs/sha256/$1
dd if=/dev/zero of=oci/blobs/sha256/$2 bs=1000 count=1 conv=notrunc status=none
rm oci/blobs/sha256/$3
diff_id=$(zcat oci/blobs/sha256/$4 | sha256sum | cut -d' ' -f1); rm -r layers/$diff_id oci/blobs/sha256/$4
for blob in oci/blobs/sha256/*; do ! grep -q repaired-0 $blob || rm $blob; done
: >/srv/slow.log
berthctl image check -q 127.0.0.1:6200/intact/2 || exit 1
berthctl image check >/run/found; echo $? $(grep -c repaired/4 /run/found) $(wc -l </srv/slow.log)
berthctl image check --repair >/run/repaired; echo $? $(grep -c ' yes ' /run/repaired) $(grep -c ' no ' /run/repaired)
fetched repaired/4 | sort | uniq | wc -l
berthctl image check -q && echo clean || exit 1
# A mirror that does not have the whole of it is no reason to give up.
printf '[[registry.mirror]]\nlocation = "127.0.0.1:6200/short"\ninsecure = true\n' >>/etc/containers/registries.conf.d/tests.conf
rm oci/blobs/sha256/$2
berthctl image check --repair | grep -c ' yes '
berthctl image check -q && echo clean"#;
    assert_eq!(run(&host, script), "1 1 0\n0 5 0\n4\nclean\n1\nclean");
}

#[test]
#[ignore = "host ring: make check"]
fn a_killed_collection_leaves_what_the_next_one_clears() {
    let host = boot("pull-collected", "0");
    let script = r#"
berthctl run -d --name stays --rootfs /srv/busybox -- sh -c 'while :; do sleep 1000 & wait; done' >/dev/null || exit 1
killed=0
$PULL/timed/8 >/dev/null; start=$(date +%s%N); berthctl image gc --all -q >/dev/null; took=$((($(date +%s%N) - start) / 1000000))
for turn in $(seq 15); do
    $PULL/turn/$turn/8 >/dev/null || exit 1
    berthctl image gc --all -q >/dev/null & command=$!
    sleep 0.$(printf %03d $((turn * took / 16))); kill -KILL $command 2>/dev/null; wait $command 2>/dev/null
    [[ $? != 137 ]] || killed=$((killed + 1))
    berthctl image check -q || exit 1
    berthctl image gc --all -q >/dev/null || exit 1
    left=$(find /var/lib/berth/{incoming,layers,oci/blobs,oci/records} -mindepth 1 ! -name sha256)
    [[ ! $left ]] || { echo "$left"; exit 1; }
done
((killed > 2)) || { echo "only $killed were killed"; exit 1; }
# The daily one leaves alone what is young.
$PULL/named/2 >/dev/null && mkdir /var/lib/berth/layers/$(printf f%.0s {1..64}) || exit 1
systemctl enable -q --now berth-gc.timer && systemctl start berth-gc.service && systemctl -q is-active berth-gc.timer || exit 1
berthctl image gc --all --dry-run --no-legend | cut -d' ' -f1 | grep '^[a-z]' | sort | uniq -c | tr -s ' \n' ' '; echo
ls /var/lib/berth/layers | wc -l"#;
    // An image of two layers, its manifest and configuration, its record with the lock; and a layer of none.
    assert_eq!(run(&host, script).trim_start(), "4 blob 1 image 3 layer 2 record \n3");
}
