//! kill -9 of the executor at every call of its own: at a start, whichever way it came about, and after the end.

use super::traced::{self, Call, KILLING, TOUCHING};
use super::verbs::write_image;
use super::{ALONE, PATIENT, Random, VICTIM, nothing_is_left, say, survey, surveyed};
use crate::ring::{BUSYBOX, Host, toml};

/// One way to a start. In its scripts `$step` is the number of the call.
struct Way<'a> {
    what: &'a str,
    unit: &'a str,
    start: &'a str,
    /// The executor makes the same calls each time, but for a few that wait.
    steady: bool,
}

const DECLARED: Way = Way {
    what: "declared",
    unit: "container@victim.service",
    start: "timeout 90 systemctl start container@victim 2>/run/said",
    steady: true,
};

/// The calls of an undisturbed start, and at which systemd is told of the payload, and at which that is let go.
struct Course {
    calls: Vec<Call>,
    told: u32,
    released: u32,
}

/// Calls by which two runs of the same start may differ.
const SLACK: u32 = 30;

fn course(host: &Host, way: &Way) -> Course {
    let Way { what, unit, start, .. } = way;
    let trace = traced::run(
        host,
        &format!(
            r#"
step=0
inject start -D -q -s 100 -o /run/faults/trace {TOUCHING}
{start} || {{ cat /run/said; exit 1; }}
calm; untraced
stopped {unit} 2>/dev/null
unchanged /run/census || exit 1
grep -q '^+++ exited with 0' /run/faults/trace || echo "not traced to its end"
cat /run/faults/trace"#
        ),
    );
    let calls = traced::calls(&trace);
    let number = |text: &str| calls.iter().rposition(|call| call.text.contains(text)).map_or(0, |at| at as u32 + 1);
    let (told, released) = (number("FDSTORE=1"), number("iov_base=\"G\""));
    assert!(!trace.starts_with("not") && calls.len() > 100 && released > 50, "{what}: {trace}");
    Course { calls, told, released }
}

/// Starts a container with each of the `steps` as the call that kills, and has everything compared after each.
fn killed_at(host: &Host, way: &Way, random: &mut Random, sample: u32) {
    let Way { what, unit, start, steady } = way;
    let course = course(host, way);
    let last = course.calls.len() as u32;
    let steps = random.steps(last, sample);
    say(&format!("{what}: killed at {steps:?} of {last}"));
    let mut hits = 0;
    for batch in steps.chunks(10) {
        let script = format!(
            r#"
for word in {words}; do
    {KILLING}
    rm -f /run/faults/trace
    journalctl --sync; journalctl -q -n 0 --cursor-file=/run/faults/cursor
    inject start -D -q -o /run/faults/trace {TOUCHING} $kill
    {start}
    calm
    settled {unit}
    eval "$(systemctl show -p ExecMainCode -p ExecMainStatus {unit})"
    case $state:$ExecMainCode:$ExecMainStatus in
    failed:2:9) fate=killed ;;
    # systemd knew of the payload already, and that saw its executor gone.
    failed:1:1) fate=orphaned ;;
    active:* | inactive:* | unknown:*)
        untraced
        if grep -q '+++ killed by SIGKILL' /run/faults/trace; then
            fate=$state-killed
        elif grep -q '+++ exited with 0' /run/faults/trace; then
            fate=missed
        else
            # The unit has taken the tracer with it, and is gone itself: its log is left.
            journalctl --sync; journalctl -q -o cat -u {unit} --cursor-file=/run/faults/cursor >/run/said
            grep -q 'Main process exited, code=killed, status=9/KILL' /run/said && fate=inactive-killed || fate=unknown
        fi ;;
    *) echo "step $step: the unit is $state, $ExecMainCode, $ExecMainStatus"; systemctl status --no-pager {unit}; exit 1 ;;
    esac
    stopped {unit} 2>/dev/null
    systemctl reset-failed {unit} 2>/dev/null
    echo "$step $fate"
    unchanged /run/census || {{ echo "left behind by the kill at call $step, $name, $fate"; exit 1; }}
done"#,
            words = traced::words(&course.calls, batch)
        );
        for line in traced::run(host, &script).lines() {
            let (step, fate) = line.split_once(' ').unwrap();
            let step: u32 = step.parse().unwrap();
            let before = |call: u32| step + SLACK < call;
            let possible = match fate {
                "killed" => !steady || step < course.told + SLACK,
                "orphaned" => !steady || (!before(course.told) && step < course.released + SLACK),
                "active-killed" => !steady || !before(course.released),
                "inactive-killed" => true,
                // What was waited for in the one run had come already in the other.
                "missed" | "unknown" => true,
                _ => false,
            };
            assert!(possible, "{what}: {fate} at call {step} of {last}");
            hits += u32::from(!["missed", "unknown"].contains(&fate));
        }
    }
    assert!(hits * 10 >= steps.len() as u32 * 8, "{what}: only {hits} of {} kills hit", steps.len());
}

#[test]
#[ignore = "host ring: make check"]
fn the_executor_killed_at_any_system_call_leaves_nothing() {
    let mut random = Random::seeded();
    let host = surveyed("killed");
    traced::prepare(&host);
    let victim = host.declare_shell("victim", VICTIM, PATIENT);
    host.run("systemctl daemon-reload").ok();
    killed_at(&host, &DECLARED, &mut random, 30);
    drop(victim);
    host.run("systemctl daemon-reload").ok();
    nothing_is_left(&host);
}

#[test]
#[ignore = "host ring: make check"]
fn a_start_that_needs_a_reload_killed_at_any_call_leaves_nothing() {
    let mut random = Random::seeded();
    let host = surveyed("killed-reload");
    traced::prepare(&host);
    let victim = host.declare_shell("victim", VICTIM, PATIENT);
    // Each start finds settings that systemd has not seen.
    let start = format!("echo \"# $step\" >>/etc/berth/containers/victim.toml; {}", DECLARED.start);
    killed_at(&host, &Way { what: "reload", start: &start, steady: false, ..DECLARED }, &mut random, 12);
    drop(victim);
    host.run("systemctl daemon-reload").ok();
    nothing_is_left(&host);
}

#[test]
#[ignore = "host ring: make check"]
fn a_start_from_an_image_killed_at_any_call_leaves_nothing() {
    let mut random = Random::seeded();
    let host = surveyed("killed-image");
    traced::prepare(&host);
    write_image(&host);
    host.run("berthctl image import /srv/image.tar five").ok();
    let image = toml(BUSYBOX, &format!("init = true\n{VICTIM}"), PATIENT);
    let image = image.replace(&format!("rootfs = \"{BUSYBOX}\""), "image = \"five\"");
    let victim = host.declare("victim", &image);
    super::run(&host, "systemctl daemon-reload; systemctl start container@victim && stopped container@victim");
    survey(&host);
    killed_at(&host, &Way { what: "image", ..DECLARED }, &mut random, 12);
    drop(victim);
}

/// The victim on networks, with ports, and with an interface that is to be given back. Surveys the host anew.
fn on_networks(host: &Host) -> String {
    host.write("/etc/berth/networks/second.toml", "internal = true");
    let network = r#"[network]
mode = "bridge"
networks = ["default", "second"]
publish = ["8080:80", "127.0.0.1:9000-9009:9000-9009/udp", "53"]
[[network.interface]]
type = "move"
parent = "spare"
[[network.interface]]
type = "macvlan"
parent = "spare-end"
"#;
    host.run("ip link add spare type veth peer name spare-end; ip link set spare-end up").ok();
    survey(host);
    VICTIM.replace(ALONE, network)
}

#[test]
#[ignore = "host ring: make check"]
fn a_start_on_networks_killed_at_any_call_leaves_nothing() {
    let mut random = Random::seeded();
    let host = surveyed("killed-networks");
    traced::prepare(&host);
    let victim = host.declare_shell("victim", &on_networks(&host), PATIENT);
    host.run("systemctl daemon-reload").ok();
    killed_at(&host, &Way { what: "networks", steady: false, ..DECLARED }, &mut random, 40);
    drop(victim);
    host.run("systemctl daemon-reload").ok();
    nothing_is_left(&host);
}

#[test]
#[ignore = "host ring: make check"]
fn a_transient_start_killed_at_any_call_leaves_nothing() {
    let mut random = Random::seeded();
    let host = surveyed("killed-run");
    traced::prepare(&host);
    let unit = "berth-run-mayfly.service";
    let detached = format!(
        "berthctl run --network private -d --name mayfly --rootfs {BUSYBOX} -- sh -c \"{PATIENT}\" >/run/said 2>&1"
    );
    let way = Way { what: "detached", unit, start: &detached, steady: true };
    killed_at(&host, &way, &mut random, 12);
    // With a terminal, which needs somebody at it.
    let tty = format!(
        "script -qec 'timeout --foreground 60 berthctl run --network private -t --name mayfly --rootfs {BUSYBOX} -- true' /dev/null >/run/said 2>&1"
    );
    killed_at(&host, &Way { what: "terminal", unit, start: &tty, steady: true }, &mut random, 12);
    let scope = format!(
        "timeout 90 berthctl run --network private --scope --name mayfly --rootfs {BUSYBOX} -- true >/run/said 2>&1"
    );
    let way = Way { what: "scope", unit: "berth-run-mayfly.scope", start: &scope, steady: false };
    killed_at(&host, &way, &mut random, 12);
    nothing_is_left(&host);
}

#[test]
#[ignore = "host ring: make check"]
fn a_stop_post_killed_at_any_call_is_made_good_by_the_next_start_and_stop() {
    let mut random = Random::seeded();
    let host = surveyed("stop-post");
    traced::prepare(&host);
    let _victim = host.declare_shell("victim", VICTIM, PATIENT);
    host.run("systemctl daemon-reload").ok();
    // The thread that speaks to machined counts for itself; with -f it is hit, too.
    let again = "systemctl start container@victim && stopped container@victim || exit 1";
    for (threads, sample) in [("", 15), ("-f", 8)] {
        stop_posts_killed(&host, threads, again, &mut random, sample);
    }
    nothing_is_left(&host);
}

#[test]
#[ignore = "host ring: make check"]
fn a_stop_post_on_networks_killed_at_any_call_is_made_good_by_the_next_sweep() {
    let mut random = Random::seeded();
    let host = surveyed("stop-post-networks");
    traced::prepare(&host);
    let victim = host.declare_shell("victim", &on_networks(&host), PATIENT);
    host.run("systemctl daemon-reload").ok();
    for (threads, sample) in [("", 25), ("-f", 8)] {
        stop_posts_killed(&host, threads, "systemctl start berth-sweep.service", &mut random, sample);
    }
    drop(victim);
    host.run("systemctl daemon-reload").ok();
    nothing_is_left(&host);
}

/// Ends the victim with each of a sample of the calls of stop-post as the one that kills, and has everything compared after
/// `again`, which is to make it good. `threads` are strace's options.
fn stop_posts_killed(host: &Host, threads: &str, again: &str, random: &mut Random, sample: u32) {
    let trace = format!("inject stop-post {threads} -q -s 100 -o /run/faults/trace {TOUCHING}");
    let script = format!(
        "{trace}
        systemctl start container@victim && stopped container@victim || exit 1
        calm; grep -q '+++ exited with 0' /run/faults/trace || echo 'not traced to its end'
        cat /run/faults/trace"
    );
    let undisturbed = traced::run(host, &script);
    let calls = traced::calls(&undisturbed);
    let last = calls.len() as u32;
    assert!(last > 40 && !undisturbed.starts_with("not"), "{undisturbed}");
    let steps = random.steps(last, sample);
    say(&format!("stop-post {threads}: killed at {steps:?} of {last}"));
    let mut hits = 0;
    for batch in steps.chunks(10) {
        let script = format!(
            r#"
for word in {words}; do
    {KILLING}
    rm -f /run/faults/trace
    {trace} $kill
    systemctl start container@victim && stopped container@victim || exit 1
    calm
    grep -q '+++ killed by SIGKILL' /run/faults/trace && echo $step
    {again}
    unchanged /run/census || {{ echo "left behind by the kill at call $step, $name"; exit 1; }}
done"#,
            words = traced::words(&calls, batch)
        );
        hits += traced::run(host, &script).lines().count();
    }
    // The number of calls differs by a few where a wait is interrupted.
    assert!(hits * 10 >= steps.len() * 8, "only {hits} of {} kills hit", steps.len());
}
