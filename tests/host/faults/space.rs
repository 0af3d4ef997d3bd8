//! A full disk, at every point where it can fill up: file systems that hold one file more each time.

use super::verbs::write_image;
use super::{CENSUS, PATIENT, VICTIM, nothing_is_left, run, surveyed};
use crate::ring::Host;

/// `let_go DIRECTORY` unmounts it; systemd may be about to close what it has open there.
const LET_GO: &str = r#"
let_go() {
    local deadline=$((SECONDS + 30))
    until umount $1 2>/run/said; do
        ((SECONDS < deadline)) || { cat /run/said; exit 1; }
        sleep 0.05
    done
}
"#;

/// Starts the victim with 1, 2, 3… of what `limit` counts at `directory`, until it starts. Returns how many it took.
fn filled(host: &Host, directory: &str, limit: &str) -> u32 {
    let script = format!(
        r#"{CENSUS}
{LET_GO}
for room in {{2..80}}; do
    mount -t tmpfs -o {limit} tmpfs {directory} || exit 1
    timeout 60 systemctl start container@victim 2>/run/said
    while state=$(systemctl is-active container@victim); [[ $state == *ing ]]; do sleep 0.02; done
    if [[ $state == active ]]; then
        stopped container@victim || exit 1
        let_go {directory}; echo $room; exit
    fi
    [[ $state == failed ]] || {{ echo "$room: the unit is $state"; exit 1; }}
    status=$(systemctl show --value -p StatusText container@victim)
    [[ $status == *"No space left on device"* ]] || {{ echo "$room: “$status” does not say why"; exit 1; }}
    systemctl reset-failed container@victim
    # What it could not write is no reason to keep what it could.
    left=$(find {directory} -mindepth 1 -type f)
    [[ ! $left ]] || {{ echo "$room: left: $left"; exit 1; }}
    let_go {directory}
    unchanged /run/census || {{ echo "with $room: left behind"; exit 1; }}
done; echo "never started"; exit 1"#
    );
    let done = host.run_within(super::PATIENCE, &script);
    assert_eq!(done.code, Some(0), "{directory}, {limit}: {}{}", done.stdout, done.stderr);
    done.stdout.trim().parse().unwrap()
}

#[test]
#[ignore = "host ring: make check"]
fn a_start_with_no_room_says_so_and_leaves_nothing() {
    let host = surveyed("full");
    let _victim = host.declare_shell("victim", VICTIM, PATIENT);
    // Room for some directories is never enough, or nothing was tried.
    assert!(filled(&host, "/run/berth", "nr_inodes=$room") > 4);
    assert!(filled(&host, "/run/berth", "size=$((room * 4096))") > 2);
    assert!(filled(&host, "/var/lib/berth", "nr_inodes=$room") > 4);
}

#[test]
#[ignore = "host ring: make check"]
fn berthctl_run_where_systemd_has_no_room_for_a_unit_says_so_and_leaves_nothing() {
    let host = surveyed("full-systemd");
    let script = r#"
mkdir -p /run/systemd/transient
for limit in nr_inodes=1 size=4096; do
    mount -t tmpfs -o $limit tmpfs /run/systemd/transient || exit 1
    [[ $limit == nr* ]] || dd if=/dev/zero of=/run/systemd/transient/full bs=4096 count=1 2>/dev/null
    for flag in -d ''; do
        ! timeout 60 berthctl run --network private $flag --name mayfly --rootfs /srv/busybox -- true 2>/run/said || { echo "$limit: it ran"; exit 1; }
        # systemd's own words where it cannot write the file of a unit.
        grep -q -e "No space left on device" -e "Unit berth-run-mayfly.service not found" /run/said || { cat /run/said; exit 1; }
    done
    let_go /run/systemd/transient
    unchanged /run/census || { echo "$limit: left behind"; exit 1; }
    # With room again the name is as free as any.
    timeout 60 berthctl run --network private --name mayfly --rootfs /srv/busybox -- true || exit 1
    unchanged /run/census || exit 1
done"#;
    run(&host, &format!("{LET_GO}{script}"));
}

#[test]
#[ignore = "host ring: make check"]
fn an_import_with_no_room_says_so_and_works_once_there_is_some() {
    let host = surveyed("full-store");
    write_image(&host);
    let imported = run(
        &host,
        r#"
mount -t tmpfs -o size=16k tmpfs /var/lib/berth
for room in 16k 64k 256k 512k 1m 1536k 2m 2560k 3m 4m 6m 8m 12m 16m; do
    mount -o remount,size=$room /var/lib/berth || exit 1
    if berthctl image import /srv/image.tar five >/dev/null 2>/run/said; then
        berthctl run --network private five cat /etc/release && echo "refused ${refused:-0} times"
        exit
    fi
    refused=$((refused + 1))
    grep -q "No space left on device" /run/said || { cat /run/said; exit 1; }
    ! berthctl image list | grep five || exit 1
    left=$(cd /var/lib/berth && find incoming layers oci/blobs/sha256 oci/records -mindepth 1 2>/dev/null; find /var/lib/berth -name '*.new')
    [[ ! $left ]] || { echo "with $room: left: $left"; exit 1; }
done; exit 1"#,
    );
    let mut lines = imported.lines();
    assert_eq!(lines.next(), Some("layer 4"), "{imported}");
    assert_ne!(lines.next(), Some("refused 0 times"), "{imported}");
    host.run("umount /var/lib/berth").ok();
    nothing_is_left(&host);
}
