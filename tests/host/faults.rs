//! What is left when something goes wrong half-way: the executor killed at its every system call, a full disk, a kernel
//! without its newer calls, two starts of one name, many at once. Nothing, is the answer to be asserted.
//!
//! Every test here has a host of its own and compares a census of it with an earlier one. Counts are reduced and
//! random unless `BERTH_FULL` is set. What was picked is said on standard error and in `$CARGO_TARGET_DIR/seeds`, a
//! line a test, as libtest swallows what a test that passes has said; `BERTH_SEED` repeats a run.

mod crowds;
mod inside;
mod kernel;
mod killed;
mod space;
mod traced;
pub mod verbs;

use std::io::Write;

use crate::ring::{Host, eventually};

/// A PID 1 that ends at SIGTERM.
const PATIENT: &str = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";

/// On no bridge, whose repairer looks at every change for a second; starts on networks have a test of their own.
const ALONE: &str = "[network]\nmode = \"private\"\n";

/// A container with something of everything: mounts, a range of ids, settings, a credential, hidden paths.
const VICTIM: &str = r#"
[network]
mode = "private"
[unit]
StartLimitIntervalSec = 0
[service]
TimeoutStartSec = "60s"
SetCredential = ["token:secret"]
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
/// waits until it is again what FILE has, or fails with the difference. `stopped UNIT` stops one with a [`PATIENT`]
/// payload, which would sit out a SIGTERM that comes before it has its handler.
///
/// What the host's own services leave as they come and go is left out, and `/run/systemd/units`, where systemd 257 forgets
/// the `log-extra-fields:` of any transient unit.
const CENSUS: &str = r#"
census() {
    awk '{ print "mount", $5, $9 }' /proc/1/mountinfo
    find /sys/fs/cgroup -mindepth 1 -type d -printf 'cgroup %P\n' |
        grep -Ev '^cgroup (machine\.slice|(system\.slice/)?((system|user|dbus|modprobe|dev|sys|proc|run|tmp|init|bed)[^/]*))$'
    for interface in /sys/class/net/*; do echo "interface $interface"; done
    ! [[ -x /usr/sbin/nft ]] || nft -s list ruleset | sed 's/^/rule /'
    find /run/berth /var/lib/berth /run/systemd/{nspawn-uid,machines,transient,system,system.control,incoming} /run/credentials \
        /tmp /var/tmp /dev/shm /dev/mqueue -mindepth 1 -maxdepth 4 ! -path /run/berth/state ! -path '/run/berth/state/containers' \
        ! -path /run/berth/state/networks ! -path /run/berth/state/networks/.lock ! -path '*/systemd-private-*' ! -path '/run/credentials/systemd-*' \
        ! -path '/var/lib/berth/layers/*/*' -printf 'file %p\n' 2>/dev/null
    find /run/systemd \( -path /run/systemd/generator -o -path /run/systemd/units \) -prune -o \( -name '*berth-run-*' -o -name '*container@*' \) -printf 'file %p\n'
    awk '$4 == "00010000" && NF > 7 { print "listening", $8 }' /proc/net/unix
    machinectl list --no-legend | awk '{ print "machine", $1 }'
    systemctl list-units --all --no-legend --plain 'container@*' 'berth-run-*' | awk '{ print "unit", $1, $3 }'
    systemctl list-jobs --no-legend --plain 'container@*' 'berth-*' | awk '{ print "job", $2 }'
    for unit in $(systemctl list-units --all --no-legend --plain 'container@*' 'berth-run-*' | awk '{ print $1 }'); do
        echo "stored $unit $(systemctl show --value -p NFileDescriptorStore $unit)"
    done
    # Locks are held by whoever has the file open, namespaces by whoever has them open or is in them.
    find /proc/[0-9]*/fd \( -lname '/run/berth*' -o -lname '/run/systemd/nspawn-uid/*' -o -lname '/var/lib/berth*' -o \
        -lname 'mnt:*' -o -lname 'user:*' -o -lname 'pid:*' -o -lname 'ipc:*' -o -lname 'uts:*' -o -lname 'net:*' -o \
        -lname 'cgroup:*' \) -printf 'held %h %l\n' 2>/dev/null | sed 's/:\[.*//'
    for process in /proc/[0-9]*; do
        exe=$(readlink $process/exe) pid=$(readlink $process/ns/pid) user=$(readlink $process/ns/user)
        [[ $exe != */berth* && ${pid:-$our_pid} == $our_pid && ${user:-$our_user} == $our_user ]] ||
            echo "process $(cat $process/comm)"
    done 2>/dev/null
}
our_pid=$(readlink /proc/1/ns/pid) our_user=$(readlink /proc/1/ns/user)
unchanged() {
    local deadline=$((SECONDS + 30))
    while ((SECONDS < deadline)); do
        census | sort >/run/census.now
        ! diff "$1" /run/census.now >/run/census.diff || return 0
        sleep 0.05
    done
    cat /run/census.diff
    return 1
}
patient() {
    local pid payload caught deadline=$((SECONDS + 60))
    pid=$(systemctl show --value -p MainPID $1)
    while [[ $pid && -d /proc/$pid ]]; do
        payload=$pid
        # Or will be: the program is executed once systemd has been told.
        [[ $(cat /proc/$pid/comm 2>/dev/null) != berth-init ]] || payload=$(pgrep -P $pid | head -n 1)
        caught=$(sed -n 's/^SigCgt:\t/0x/p' /proc/$payload/status 2>/dev/null)
        [[ -z $caught ]] || ! ((caught & 0x4000)) || return 0
        ((SECONDS < deadline)) || { echo "the payload of $1 does not catch SIGTERM"; exit 1; }
        sleep 0.01
    done
}
stopped() { patient $1; systemctl stop $1; }
"#;

/// In seconds, for one script: many starts, each with a census, on a machine that has other things to do.
const PATIENCE: u32 = 600;

/// Whether every count is to be the full one.
fn full() -> bool {
    std::env::var_os("BERTH_FULL").is_some()
}

pub fn counts(full_count: u32, reduced: u32) -> u32 {
    if full() { full_count } else { reduced }
}

/// Tells whoever ran the tests, were they to pass or not.
pub fn say(text: &str) {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let directory = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    eprintln!("{text}");
    let file = std::fs::OpenOptions::new().create(true).append(true).open(format!("{directory}/seeds"));
    writeln!(file.unwrap(), "{test}: {text}").unwrap();
}

/// Numbers that differ from run to run, and are the same again with the `BERTH_SEED` it says.
pub struct Random(u64);

impl Random {
    pub fn seeded() -> Random {
        let now = || std::time::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64);
        let seed = std::env::var("BERTH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(now);
        say(&format!("BERTH_SEED={seed}"));
        Random(seed)
    }

    /// splitmix64.
    pub fn below(&mut self, limit: u32) -> u32 {
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
        (0..sample)
            .map(|part| {
                let (first, next) = (part * last / sample, (part + 1) * last / sample);
                1 + first + self.below(next - first)
            })
            .collect()
    }
}

/// Runs a script with the census' functions at hand.
#[track_caller]
fn run(host: &Host, script: &str) -> String {
    run_with(host, "", script)
}

/// The same with more functions.
#[track_caller]
fn run_with(host: &Host, functions: &str, script: &str) -> String {
    let done = host.run_within(PATIENCE, &format!("{CENSUS}{functions}\n{script}"));
    assert_eq!(done.code, Some(0), "{script}\nstdout: {}\nstderr: {}", done.stdout, done.stderr);
    done.stdout.trim_end_matches('\n').to_owned()
}

/// A host whose census, once a container has come and gone, is in `/run/census`.
fn surveyed(purpose: &str) -> Host {
    let host = Host::boot(purpose);
    host.run("mkdir -p /srv/data").ok();
    let first = host.declare_shell("first", ALONE, PATIENT);
    first.start();
    first.stop();
    drop(first);
    host.run("systemctl daemon-reload").ok();
    eventually(|| {
        let loaded =
            host.run("systemctl list-units --all --no-legend 'container@*'; machinectl list --no-legend").stdout;
        if loaded.trim().is_empty() { Ok(()) } else { Err(loaded) }
    });
    survey(&host);
    host
}

/// Takes the census that later ones are compared with.
fn survey(host: &Host) {
    run(host, "census | sort >/run/census");
}

/// Asserts that the host is as it was surveyed.
#[track_caller]
fn nothing_is_left(host: &Host) {
    let compared = host.run(&format!("{CENSUS}\nunchanged /run/census"));
    assert_eq!(compared.code, Some(0), "left behind:\n{}{}", compared.stdout, compared.stderr);
}
