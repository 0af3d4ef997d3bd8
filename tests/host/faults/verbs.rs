//! kill -9 of what people run: berthctl, at every call, and the generator.

use super::traced::{self, KILLING, TOUCHING};
use super::{PATIENT, Random, VICTIM, counts, nothing_is_left, run, say, survey, surveyed};
use crate::ring::{BUSYBOX, Host, toml};

/// Runs `command` below strace with each of the calls it makes as the one that kills it, `after` after each, and has
/// everything compared. `options` are strace's.
fn killed_at(host: &Host, command: &str, options: &str, after: &str, random: &mut Random, sample: u32) {
    let traced = format!("timeout 60 strace -q -o /run/faults/trace {options} {TOUCHING}");
    let script = format!(
        "{traced} {command} >/run/said 2>&1 || {{ cat /run/said; exit 1; }}
        mv /run/faults/trace /run/faults/undisturbed
        {after}
        unchanged /run/census && cat /run/faults/undisturbed"
    );
    let calls = traced::calls(&traced::run(host, &script));
    let last = calls.len() as u32;
    // More would be a loop that waits for nothing.
    assert!((30..600).contains(&last), "{command}: {last} calls were seen");
    let steps = random.steps(last, sample);
    say(&format!("{command}: killed at {steps:?} of {last}"));
    let mut hits = 0;
    for batch in steps.chunks(20) {
        let script = format!(
            r#"
for word in {words}; do
    {KILLING}
    {traced} $kill {command} >/run/said 2>&1
    # strace ends as what it runs does, and timeout as strace.
    code=$?
    [[ $code == 0 || $code == 137 ]] || {{ echo "step $step: exit status $code"; cat /run/said; exit 1; }}
    {after}
    [[ $code != 137 ]] || echo $step
    unchanged /run/census || {{ echo "left behind by the kill at call $step, $name"; exit 1; }}
done"#,
            words = traced::words(&calls, batch)
        );
        hits += traced::run(host, &script).lines().count();
    }
    // Threads meet in another order each time, and what was waited for once has come already another time.
    assert!(hits * 10 >= steps.len() * 6, "{command}: only {hits} of {} kills hit", steps.len());
}

/// What a user does who finds a `berthctl run` killed: ends its unit, and runs something else.
const CLEARED: &str = r#"
    for unit in berth-run-mayfly.service berth-run-mayfly.scope; do
        systemctl stop $unit 2>/dev/null
        systemctl reset-failed $unit 2>/dev/null
    done
    # A young reservation is left alone: it may be of one that is just about to have its unit.
    [[ ! -d /run/berth/state/containers/mayfly ]] || touch -d '10 minutes ago' /run/berth/state/containers/mayfly
    timeout 60 berthctl run --network private --name another --rootfs /srv/busybox -- true || exit 1
"#;

#[test]
#[ignore = "host ring: make check"]
fn berthctl_run_killed_at_any_call_leaves_nothing_once_another_runs() {
    let mut random = Random::seeded();
    let host = surveyed("run-killed");
    let detached = format!("berthctl run --network private -d --name mayfly --rootfs {BUSYBOX} -- sleep 1000");
    killed_at(&host, &detached, "", CLEARED, &mut random, 12);
    // In the foreground it has threads.
    let foreground = format!("berthctl run --network private --name mayfly --rootfs {BUSYBOX} -- true");
    killed_at(&host, &foreground, "-f", CLEARED, &mut random, 12);
    nothing_is_left(&host);
}

#[test]
#[ignore = "host ring: make check"]
fn berthctl_run_with_a_scope_killed_at_any_call_leaves_nothing_once_another_runs() {
    let mut random = Random::seeded();
    let host = surveyed("scope-killed");
    let command = format!("berthctl run --network private --scope --name mayfly --rootfs {BUSYBOX} -- true");
    killed_at(&host, &command, "", CLEARED, &mut random, 15);
    nothing_is_left(&host);
}

#[test]
#[ignore = "host ring: make check"]
fn exec_killed_at_any_call_leaves_the_container_as_it_was() {
    let mut random = Random::seeded();
    let host = surveyed("exec-killed");
    let joined = host.declare_shell("joined", VICTIM, PATIENT);
    host.run("systemctl daemon-reload").ok();
    joined.start();
    survey(&host);
    let before = joined.with_payload("cat $group/cgroup.procs | wc -l");
    killed_at(&host, "berthctl exec joined -- true", "", "", &mut random, 12);
    killed_at(&host, "script -qec 'berthctl exec -t joined -- true' /dev/null", "-f", "", &mut random, 8);

    // The process inside: calls that only it makes, once it has entered. Its caller lives on and says what happened.
    let traced = format!("timeout 60 strace -f -q -o /run/faults/trace {TOUCHING}");
    let trace = traced::run(&host, &format!("{traced} berthctl exec joined -- true && cat /run/faults/trace"));
    let ours = traced::calls(&trace);
    let main = trace.split_whitespace().next().unwrap();
    let theirs: Vec<&str> = trace.lines().filter(|line| !line.starts_with(main)).collect();
    let mut theirs = traced::calls(&format!("born\n{}", theirs.join("\n")));
    theirs.truncate(theirs.iter().position(|call| call.name == "execve").unwrap());
    theirs.retain(|call| !ours.iter().any(|other| other.name == call.name));
    let last = theirs.len() as u32;
    assert!(last > 40, "only {last} calls were seen: {trace}");
    let steps = random.steps(last, 15);
    say(&format!("exec, inside: killed at {steps:?} of {last}"));
    let script = format!(
        r#"
for word in {words}; do
    {KILLING}
    {traced} $kill berthctl exec joined -- true 2>/run/said
    # As of any process that SIGKILL ends.
    said="$? $(grep -c '+++ killed by SIGKILL' /run/faults/trace)"
    [[ $said == "137 1" ]] || {{ echo "call $step, $name: $said"; cat /run/said; exit 1; }}
    unchanged /run/census || {{ echo "left behind by the kill at call $step, $name"; exit 1; }}
done"#,
        words = traced::words(&theirs, &steps)
    );
    traced::run(&host, &script);
    assert_eq!(joined.with_payload("cat $group/cgroup.procs | wc -l"), before);
}

/// Writes `/srv/image.tar`, as `docker save` does, with some megabytes in it.
pub fn write_image(host: &Host) {
    host.write("/srv/layers.py", include_str!("../../bench/layers.py"));
    host.run("python3 /srv/layers.py /srv/image.tar").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn an_import_killed_at_any_moment_leaves_what_the_next_one_clears_up() {
    let mut random = Random::seeded();
    let host = surveyed("import-killed");
    write_image(&host);
    let taken = host
        .run("date +%s%N; berthctl image import /srv/image.tar five >/dev/null; date +%s%N; berthctl image list")
        .ok();
    let times: Vec<u64> = taken.lines().filter_map(|line| line.parse().ok()).collect();
    let mut milliseconds = ((times[1] - times[0]) / 1_000_000) as u32;
    run(
        &host,
        "berthctl image remove five && berthctl image gc --all -q >/dev/null && find /var/lib/berth -printf '%y %P\n' | sort >/run/store",
    );
    survey(&host);
    let turns = counts(300, 20);
    let mut hits = 0;
    for _ in 0..turns {
        let delay = random.below(milliseconds);
        let script = format!(
            "berthctl image import /srv/image.tar five >/dev/null 2>&1 & command=$!
            sleep {}.{:03}; kill -9 $command 2>/dev/null; wait $command 2>/dev/null; code=$?
            berthctl image list >/dev/null || exit 1
            # Named or not there at all: what is named runs.
            if berthctl image list | grep -q five; then berthctl run --network private five true || exit 1; fi
            berthctl image import /srv/image.tar five >/dev/null && berthctl run --network private five cat /etc/release || exit 1
            berthctl image remove five >/dev/null && berthctl image list | grep -c five
            # What the killed one had finished has served the next, or waits for it until the garbage is collected.
            berthctl image gc --all -q >/dev/null
            find /var/lib/berth -printf '%y %P\n' | sort | diff /run/store - || {{ echo after {delay} ms; exit 1; }}
            echo $code",
            delay / 1000,
            delay % 1000
        );
        let seen = run(&host, &script);
        assert!(seen.starts_with("layer 4"), "{seen}");
        if seen.ends_with("137") {
            hits += 1;
        } else {
            // It takes less than it took at first, as the machine has less to do now.
            milliseconds = delay.max(20);
        }
    }
    assert!(hits * 3 >= turns, "only {hits} of {turns} kills hit");
    nothing_is_left(&host);
}

#[test]
#[ignore = "host ring: make check"]
fn the_generator_killed_at_any_call_leaves_no_half_a_drop_in() {
    let mut random = Random::seeded();
    let host = Host::boot("generator");
    for name in ["one", "two", "three"] {
        host.write(&format!("/etc/berth/containers/{name}.toml"), &toml(BUSYBOX, VICTIM, "exit 0"));
    }
    let generator = "/usr/lib/systemd/system-generators/berth-generator";
    let whole = "mkdir -p /run/whole/{n,e,l}; strace -q -o /run/trace ";
    let trace = host.run(&format!("{whole} {generator} /run/whole/n /run/whole/e /run/whole/l; cat /run/trace")).ok();
    let calls = traced::calls(&trace);
    assert!(calls.len() > 40, "{trace}");
    for step in random.steps(calls.len() as u32, 25) {
        let word = traced::words(&calls, &[step]);
        let script = format!(
            "rm -rf /run/half; mkdir -p /run/half/{{n,e,l}}; word={word}
            {KILLING}
            strace -qq -o /dev/null $kill {generator} /run/half/n /run/half/e /run/half/l
            [[ $? == 137 ]] || {{ echo not killed; exit 1; }}
            cd /run/half; find . -name '*.conf' -type f | while read -r file; do cmp $file /run/whole/$file || exit 1; done"
        );
        let compared = host.run(&script);
        assert_eq!(compared.code, Some(0), "call {step}: {}{}", compared.stdout, compared.stderr);
    }
}
