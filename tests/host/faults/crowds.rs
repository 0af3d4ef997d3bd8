//! Many at once, many in turn, and two that want the same name.

use super::{CENSUS, PATIENT, counts, nothing_is_left, run, surveyed};
use crate::ring::{BUSYBOX, Host};

/// Two starts at once: exactly one wins, the loser names it, and the winner is unharmed by the loser's end.
fn race(host: &Host, name: &str, one: (&str, &str), other: (&str, &str)) {
    let script = format!(
        r#"
({one_command}) >/run/one 2>&1 & one=$!
({other_command}) >/run/other 2>&1 & other=$!
wait $one; first=$?; wait $other; second=$?
sleep 0.2
up=(); for unit in {one_unit} {other_unit}; do [[ $(systemctl is-active $unit) != active ]] || up+=($unit); done
[[ ${{#up[@]}} == 1 ]] || {{ echo "up: ${{up[*]}}; $first $second"; cat /run/one /run/other; systemctl --no-pager status {one_unit} {other_unit}; exit 1; }}
[[ $((first == 0)) != $((second == 0)) ]] || {{ echo "exit codes $first and $second"; cat /run/one /run/other; exit 1; }}
said=$(cat /run/one /run/other; systemctl show --value -p StatusText {one_unit} {other_unit}; journalctl --sync; journalctl -q -o cat -n 30 -u {one_unit} -u {other_unit})
[[ $said == *"{name} is already running as ${{up[0]}}"* || $said == *"{name} is already running as another start"* ]] || {{ echo "nobody says who: $said"; exit 1; }}
# The winner has all it had: its state, its place in the list, its own files, exec.
[[ $(berthctl exec {name} -- cat /mark) == mine ]] || {{ echo "the winner is harmed"; exit 1; }}
berthctl list | grep -q {name} || {{ berthctl list; exit 1; }}
machinectl show -p Leader --value {name} | grep -qx $(systemctl show --value -p MainPID ${{up[0]}}) || {{ echo "machined has another leader"; machinectl; exit 1; }}
systemctl stop ${{up[0]}}; systemctl reset-failed {one_unit} {other_unit} 2>/dev/null
echo ${{up[0]}}"#,
        one_command = one.0,
        one_unit = one.1,
        other_command = other.0,
        other_unit = other.1,
    );
    let raced = host.run(&script);
    assert_eq!(raced.code, Some(0), "{}{}", raced.stdout, raced.stderr);
}

const MARKED: &str = "echo mine >/mark; trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";

#[test]
#[ignore = "host ring: make check"]
fn of_a_declared_and_a_transient_start_of_one_name_one_wins_and_the_other_names_it() {
    let host = surveyed("race-both");
    let twin = host.declare_shell("twin", "", MARKED);
    host.run("systemctl daemon-reload").ok();
    let declared = "systemctl start container@twin";
    let transient = format!("berthctl run -d --name twin --rootfs {BUSYBOX} -- sh -c \"{MARKED}\"");
    for turn in 0..counts(200, 15) {
        // Whoever is first by a little.
        let later = |command: &str| format!("sleep 0.0{}; {command}", turn % 10);
        let (one, other) =
            if turn % 2 == 0 { (declared.to_owned(), later(&transient)) } else { (later(declared), transient.clone()) };
        race(&host, "twin", (&one, "container@twin.service"), (&other, "berth-run-twin.service"));
    }
    drop(twin);
    host.run("systemctl daemon-reload").ok();
    nothing_is_left(&host);
}

#[test]
#[ignore = "host ring: make check"]
fn of_two_transient_starts_of_one_name_one_wins_and_the_other_names_it() {
    let host = surveyed("race-transient");
    for turn in 0..counts(200, 15) {
        let script = format!(
            r#"
(berthctl run -d --name twin --rootfs {BUSYBOX} -- sh -c "{MARKED}") >/run/one 2>&1 & one=$!
sleep 0.0{later}
(berthctl run -d --name twin --rootfs {BUSYBOX} -- sh -c "{MARKED}") >/run/other 2>&1 & other=$!
wait $one; first=$?; wait $other; second=$?
[[ $((first == 0)) != $((second == 0)) ]] || {{ echo "exit codes $first and $second"; cat /run/one /run/other; exit 1; }}
grep -hq "already running as" /run/one /run/other || {{ cat /run/one /run/other; exit 1; }}
for attempt in {{1..20}}; do [[ $(berthctl exec twin -- cat /mark) != mine ]] || break; sleep 0.02; done
[[ $(berthctl exec twin -- cat /mark) == mine ]] || {{ echo "the winner is harmed"; exit 1; }}
berthctl stop twin"#,
            later = turn % 10
        );
        let raced = host.run(&script);
        assert_eq!(raced.code, Some(0), "{}{}", raced.stdout, raced.stderr);
    }
    nothing_is_left(&host);
}

#[test]
#[ignore = "host ring: make check"]
fn two_starts_of_a_declared_one_are_one_start() {
    let host = surveyed("race-declared");
    let twin = host.declare_shell("twin", "", MARKED);
    for _ in 0..counts(100, 10) {
        let script = "systemctl start container@twin & one=$!; berthctl start twin 2>/run/said & other=$!
            wait $one || exit 1; wait $other || { cat /run/said; exit 1; }
            [[ $(systemctl is-active container@twin) == active ]] && systemctl stop container@twin";
        host.run(script).ok();
    }
    drop(twin);
    host.run("systemctl daemon-reload").ok();
    nothing_is_left(&host);
}

/// What a leak would add to, and what is the same whenever nothing runs: descriptors and memory of PID 1, cgroups,
/// mounts, processes.
const TALLY: &str = r#"
tally() {
    echo "descriptors $(ls /proc/1/fd | wc -l)"
    echo "cgroups $(find /sys/fs/cgroup -type d | wc -l)"
    echo "mounts $(wc -l </proc/1/mountinfo)"
    echo "processes $(ls -d /proc/[0-9]* | wc -l)"
    echo "machined $(ls /proc/$(systemctl show --value -p MainPID systemd-machined)/fd | wc -l)"
    echo "bus $(ls /proc/$(systemctl show --value -p MainPID dbus)/fd | wc -l)"
}
settled() {
    for attempt in {1..100}; do
        tally >/run/tally.now
        ! diff "$1" /run/tally.now >/run/tally.diff || return 0
        sleep 0.1
    done
    cat /run/tally.diff
    return 1
}
"#;

#[test]
#[ignore = "host ring: make check"]
fn start_and_stop_in_turn_bring_every_count_back_to_where_it_was() {
    let host = surveyed("cycles");
    let _cycled = host.declare_shell("cycled", "[unit]\nStartLimitIntervalSec = 0\n", PATIENT);
    host.run("systemctl daemon-reload").ok();
    let cycle = "systemctl start container@cycled && systemctl stop container@cycled || exit 1";
    run(&host, &format!("{TALLY}\nfor turn in {{1..3}}; do {cycle}; done; sleep 1; tally >/run/tally"));
    let memory = || -> u64 { host.run("awk '/^RssAnon/ { print $2 }' /proc/1/status").ok().trim().parse().unwrap() };
    let before = memory();
    let cycles = counts(1000, 30);
    for _ in 0..cycles / 10 {
        run(&host, &format!("for turn in {{1..10}}; do {cycle}; done"));
    }
    run(&host, &format!("{TALLY}\nsettled /run/tally"));
    let kept = memory().saturating_sub(before);
    // systemd's allocator grows a little at first; a leak grows with every cycle.
    assert!(kept < 2048 + u64::from(cycles), "PID 1 holds {kept} KiB more after {cycles} cycles");
    nothing_is_left(&host);
}

#[test]
#[ignore = "host ring: make check"]
fn fifty_starts_at_once_all_come_up_with_ranges_of_their_own_and_go_without_a_trace() {
    let host = surveyed("crowd");
    run(&host, &format!("{TALLY}\nsleep 1; tally >/run/tally"));
    let toml = crate::ring::toml(BUSYBOX, "", PATIENT);
    host.write("/srv/crowd.toml", &toml);
    let script = format!(
        "{CENSUS}
        for number in {{1..50}}; do cp /srv/crowd.toml /etc/berth/containers/crowd$number.toml; units+=(container@crowd$number); done
        systemctl start ${{units[@]}} || {{ systemctl --no-pager status ${{units[@]}} | grep -B3 -A12 failed | head -60; exit 1; }}
        for unit in ${{units[@]}}; do
            [[ $(systemctl is-active $unit) == active ]] || exit 1
            awk '{{ print $2 }}' /proc/$(systemctl show --value -p MainPID $unit)/uid_map
        done | sort | uniq | wc -l
        berthctl list | grep -c crowd; machinectl list --no-legend | grep -c crowd
        systemctl stop ${{units[@]}} && rm /etc/berth/containers/crowd*.toml && systemctl daemon-reload
        unchanged /run/census"
    );
    let seen = host.run(&script);
    assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
    assert_eq!(seen.stdout.split_whitespace().take(3).collect::<Vec<_>>(), ["50", "50", "50"], "{}", seen.stdout);
    run(&host, &format!("{TALLY}\nsettled /run/tally"));
}
