//! What containers of one image have in common, and what they do not.

use crate::faults::verbs::write_image;
use crate::ring::Host;

const MANY: usize = 50;

#[test]
#[ignore = "host ring: make check"]
fn fifty_containers_share_their_image_on_the_disk_and_in_memory_but_not_what_they_write() {
    let host = Host::boot("sharing");
    write_image(&host);
    host.run("berthctl image import /srv/image.tar five >/dev/null").ok();
    let stored = "find /var/lib/berth/layers /var/lib/berth/oci ! -type d -printf '%P %s %T@\n' | grep -v lock | sort | sha256sum";
    let before = host.run(stored).ok();
    let start = format!(
        "for n in $(seq {MANY}); do
            berthctl run -d --name many-$n five sh -c \"echo many-$n >/own; trap 'exit 0' TERM; while :; do sleep 1000 & wait; done\" &
        done; wait"
    );
    host.run_within(300, &start).ok();

    // Each has its own layer, with its own file alone.
    let own = "cd /var/lib/berth/writable; for n in $(seq 50); do
            until [ -s many-$n/upper/own ]; do sleep 0.02; done
            [ $(cat many-$n/upper/own) = many-$n ] && berthctl exec many-$n -- cat /own
        done; du -s --inodes . | cut -f1; find . -name own | wc -l";
    let own = host.run_within(120, own).ok();
    let lines: Vec<&str> = own.lines().collect();
    assert_eq!(lines.len(), MANY + 2, "{own}");
    assert!((0..MANY).all(|n| lines[n] == format!("many-{}", n + 1)), "{own}");
    assert_eq!(lines[MANY + 1], MANY.to_string());

    // The image is on the disk as it was.
    assert_eq!(host.run(stored).ok(), before);

    // Pages of the program, as the kernel divides them among all that map them (Pss): together about one copy.
    let mapped = "for n in $(seq 50); do
            cat /proc/$(systemctl show --value -p MainPID berth-run-many-$n)/smaps
        done | awk '/busybox$/ { ours = 1 } /^[0-9a-f]+-/ && !/busybox$/ { ours = 0 }
            ours && $1 == \"Rss:\" { rss += $2 } ours && $1 == \"Pss:\" { pss += $2 }
            ours && /^Private_Dirty:/ { dirty += $2 } END { print rss, pss - dirty }'";
    let seen = host.run(mapped).ok();
    let (resident, shared) = seen.split_once(' ').unwrap();
    let (resident, shared): (u64, u64) = (resident.parse().unwrap(), shared.parse().unwrap());
    let one = resident / MANY as u64;
    assert!(one > 200, "{seen}: each maps the program");
    // Fifty copies would be fifty times as much; a little more than one is mapped by each for itself at its own moment.
    assert!(shared < 2 * one, "{shared} KiB for all of them, each has {one} KiB resident");
}
