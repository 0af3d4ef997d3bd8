//! What is left when something goes wrong half-way: the executor killed at its every system call, a full disk, a kernel
//! without its newer calls, two starts of one name, many at once. Nothing, is the answer to be asserted.
//!
//! Every test here has a host of its own and compares a census of it with an earlier one. Counts are reduced and
//! random (the seed is printed) unless `BERTH_FULL` is set; `BERTH_SEED` repeats a run.

mod crowds;
mod kernel;
mod killed;
mod space;

use crate::ring::{Host, eventually};

/// A PID 1 that ends at SIGTERM.
const PATIENT: &str = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";

/// A container with something of everything: mounts, a range of ids, settings, hidden paths.
const VICTIM: &str = r#"
[unit]
StartLimitIntervalSec = 0
[service]
TimeoutStartSec = "20s"
[sysctls]
"net.ipv4.ip_forward" = 1
[[mount]]
source = "/srv/data"
target = "/data"
[[mount]]
type = "tmpfs"
target = "/scratch"
"#;

/// All that berth could leave on a host, one thing a line, as shell functions: `census` prints it, `unchanged FILE`
/// waits until it is again what FILE has, or fails with the difference.
const CENSUS: &str = r#"
census() {
    awk '{ print "mount", $5, $9 }' /proc/1/mountinfo
    find /sys/fs/cgroup/machine.slice -mindepth 1 -type d -printf 'cgroup %p\n' 2>/dev/null
    for interface in /sys/class/net/*; do echo "interface $interface"; done
    find /run/berth/state /var/lib/berth/writable /var/lib/berth/incoming /run/systemd/nspawn-uid /run/systemd/machines \
        -mindepth 1 ! -path /run/berth/state/containers ! -path /run/berth/state/networks -printf 'file %p\n' 2>/dev/null
    awk '/nspawn-uid|berth/' /proc/locks | sed 's/^/lock /'
    machinectl list --no-legend | awk '{ print "machine", $1 }'
    systemctl list-units --all --no-legend --plain 'container@*' 'berth-run-*' | awk '{ print "unit", $1, $3 }'
    for unit in $(systemctl list-units --all --no-legend --plain 'container@*' 'berth-run-*' | awk '{ print $1 }'); do
        echo "stored $unit $(systemctl show --value -p NFileDescriptorStore $unit)"
    done
    for process in /proc/[0-9]*; do
        [[ $(readlink $process/exe) != */berth* ]] || echo "process $(cat $process/comm)"
    done
}
unchanged() {
    for attempt in {1..60}; do
        census | sort >/run/census.now
        ! diff "$1" /run/census.now >/run/census.diff || return 0
        sleep 0.05
    done
    cat /run/census.diff
    return 1
}
"#;

/// Whether every count is to be the full one.
fn full() -> bool {
    std::env::var_os("BERTH_FULL").is_some()
}

fn counts(full_count: u32, reduced: u32) -> u32 {
    if full() { full_count } else { reduced }
}

/// Numbers that differ from run to run, and are the same again with the `BERTH_SEED` it prints.
struct Random(u64);

impl Random {
    fn seeded() -> Random {
        let now = || std::time::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64);
        let seed = std::env::var("BERTH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(now);
        eprintln!("BERTH_SEED={seed}");
        Random(seed)
    }

    /// splitmix64.
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % u64::from(limit)) as u32
    }

    /// Every number from 1 to `last`, or with reduced counts `sample` of them.
    fn steps(&mut self, last: u32, sample: u32) -> Vec<u32> {
        if full() || last <= sample {
            return (1..=last).collect();
        }
        // One from each of `sample` equal parts, so that no phase is left out.
        (0..sample).map(|part| 1 + part * last / sample + self.below(last / sample)).collect()
    }
}

/// Runs a script with the census' functions at hand.
#[track_caller]
fn run(host: &Host, script: &str) -> String {
    host.run(&format!("{CENSUS}\n{script}")).ok()
}

/// A host whose census, once a container has come and gone, is in `/run/census`.
fn surveyed(purpose: &str) -> Host {
    let host = Host::boot(purpose);
    host.run("mkdir -p /srv/data").ok();
    let first = host.declare_shell("first", "", PATIENT);
    first.start();
    first.stop();
    drop(first);
    host.run("systemctl daemon-reload").ok();
    eventually(|| {
        let loaded =
            host.run("systemctl list-units --all --no-legend 'container@*'; machinectl list --no-legend").stdout;
        if loaded.trim().is_empty() { Ok(()) } else { Err(loaded) }
    });
    run(&host, "census | sort >/run/census");
    host
}

/// Asserts that the host is as it was surveyed.
#[track_caller]
fn nothing_is_left(host: &Host) {
    let compared = host.run(&format!("{CENSUS}\nunchanged /run/census"));
    assert_eq!(compared.code, Some(0), "left behind:\n{}{}", compared.stdout, compared.stderr);
}
