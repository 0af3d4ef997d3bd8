//! Many at once, many in turn, and two that want the same name.

use super::{ALONE, CENSUS, PATIENT, counts, nothing_is_left, run, say, surveyed};
use crate::ring::{BUSYBOX, Host};

/// Two starts at once: exactly one wins, the loser names it, and the winner is unharmed by the loser's end.
fn race(host: &Host, name: &str, one: (&str, &str), other: (&str, &str)) {
    let script = format!(
        r#"
({one_command}) >/run/one 2>&1 & one=$!
({other_command}) >/run/other 2>&1 & other=$!
wait $one; first=$?; wait $other; second=$?
settled() {{ while [[ $(systemctl is-active $1) == *ing ]]; do sleep 0.02; done; }}
settled {one_unit}; settled {other_unit}
up=(); for unit in {one_unit} {other_unit}; do [[ $(systemctl is-active $unit) != active ]] || up+=($unit); done
[[ ${{#up[@]}} == 1 ]] || {{ echo "up: ${{up[*]}}; $first $second"; cat /run/one /run/other; systemctl --no-pager status {one_unit} {other_unit}; exit 1; }}
[[ $((first == 0)) != $((second == 0)) ]] || {{ echo "exit codes $first and $second"; cat /run/one /run/other; exit 1; }}
said=$(cat /run/one /run/other; systemctl show --value -p StatusText {one_unit} {other_unit}; journalctl --sync; journalctl -q -o cat -n 30 -u {one_unit} -u {other_unit})
[[ $said == *"{name} is already running as ${{up[0]}}"* ]] || {{ echo "nobody says who: $said"; exit 1; }}
# The winner has all it had: its state, its place in the list, its own files, exec.
leader=$(systemctl show --value -p MainPID ${{up[0]}})
deadline=$((SECONDS + 30))
until [[ $(berthctl exec {name} -- cat /mark 2>/run/said) == mine ]]; do
    ((SECONDS < deadline)) || {{ echo "the winner is harmed"; cat /run/said; exit 1; }}
done
berthctl list | grep -q {name} || {{ berthctl list; exit 1; }}
until [[ $(machinectl show -p Leader --value {name}) == $leader ]]; do
    ((SECONDS < deadline)) || {{ echo "machined has another leader than $leader"; machinectl; exit 1; }}
done
stopped ${{up[0]}}; systemctl reset-failed {one_unit} {other_unit} 2>/dev/null
echo ${{up[0]}}"#,
        one_command = one.0,
        one_unit = one.1,
        other_command = other.0,
        other_unit = other.1,
    );
    run(host, &script);
}

const MARKED: &str = "echo mine >/mark; trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";

#[test]
#[ignore = "host ring: make check"]
fn of_a_declared_and_a_transient_start_of_one_name_one_wins_and_the_other_names_it() {
    let host = surveyed("race-both");
    let twin = host.declare_shell("twin", ALONE, MARKED);
    host.run("systemctl daemon-reload").ok();
    let declared = "systemctl start container@twin";
    let transient = format!("berthctl run --network private -d --name twin --rootfs {BUSYBOX} -- sh -c \"{MARKED}\"");
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
(berthctl run --network private -d --name twin --rootfs {BUSYBOX} -- sh -c "{MARKED}") >/run/one 2>&1 & one=$!
sleep 0.0{later}
(berthctl run --network private -d --name twin --rootfs {BUSYBOX} -- sh -c "{MARKED}") >/run/other 2>&1 & other=$!
wait $one; first=$?; wait $other; second=$?
[[ $((first == 0)) != $((second == 0)) ]] || {{ echo "exit codes $first and $second"; cat /run/one /run/other; exit 1; }}
grep -hq "twin is already running as berth-run-twin.service" /run/one /run/other || {{ cat /run/one /run/other; exit 1; }}
deadline=$((SECONDS + 30))
until [[ $(berthctl exec twin -- cat /mark 2>/run/said) == mine ]]; do
    ((SECONDS < deadline)) || {{ echo "the winner is harmed"; cat /run/said; exit 1; }}
done
stopped berth-run-twin.service"#,
            later = turn % 10
        );
        run(&host, &script);
    }
    nothing_is_left(&host);
}

#[test]
#[ignore = "host ring: make check"]
fn two_starts_of_a_declared_one_are_one_start() {
    let host = surveyed("race-declared");
    let twin = host.declare_shell("twin", ALONE, MARKED);
    for _ in 0..counts(100, 10) {
        let script = "systemctl start container@twin & one=$!; berthctl start twin 2>/run/said & other=$!
            wait $one || exit 1; wait $other || { cat /run/said; exit 1; }
            [[ $(systemctl is-active container@twin) == active ]] && stopped container@twin";
        run(&host, script);
    }
    drop(twin);
    host.run("systemctl daemon-reload").ok();
    nothing_is_left(&host);
}

/// What a leak would add to, and what is the same whenever nothing runs: descriptors of systemd and its daemons, cgroups,
/// mounts, processes, keys. `memory` prints what they hold themselves, in KiB.
const TALLY: &str = r#"
daemons() {
    echo 1
    for unit in systemd-machined dbus systemd-journald; do systemctl show --value -p MainPID $unit; done
}
tally() {
    for pid in $(daemons); do
        echo "descriptors $(cat /proc/$pid/comm) $(ls /proc/$pid/fd | wc -l)"
    done
    echo "cgroups $(find /sys/fs/cgroup -type d | wc -l)"
    echo "mounts $(wc -l </proc/1/mountinfo)"
    echo "processes $(ls -d /proc/[0-9]* | wc -l)"
    # Session keyrings of a payload's root, whose ids are those of its name.
    awk -v first="$(cat /run/base 2>/dev/null)" '$1 + 0 == first + 0 && first { print "keys", $1, $3 }' /proc/key-users
}
memory() { for pid in $(daemons); do awk '/^RssAnon/ { print $2 }' /proc/$pid/status; done; }
settled() {
    local deadline=$((SECONDS + 60))
    while ((SECONDS < deadline)); do
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
    let _cycled = host.declare_shell("cycled", &format!("{ALONE}[unit]\nStartLimitIntervalSec = 0\n"), PATIENT);
    host.run("systemctl daemon-reload").ok();
    let cycle = "systemctl start container@cycled && stopped container@cycled || exit 1";
    let noted = "systemctl start container@cycled
        awk '{ print $2 }' /proc/$(systemctl show --value -p MainPID container@cycled)/uid_map >/run/base
        stopped container@cycled || exit 1";
    run(&host, &format!("{TALLY}\n{noted}; for turn in {{1..3}}; do {cycle}; done"));
    // Once nothing moves any more.
    run(&host, &format!("{TALLY}\nunchanged /run/census && tally >/run/tally && settled /run/tally"));
    let memory = || -> Vec<u64> {
        run(&host, &format!("{TALLY}\nmemory")).split_whitespace().map(|number| number.parse().unwrap()).collect()
    };
    let before = memory();
    let cycles = counts(1000, 30);
    for _ in 0..cycles / 10 {
        run(&host, &format!("for turn in {{1..10}}; do {cycle}; done"));
    }
    run(&host, &format!("{TALLY}\nsettled /run/tally"));
    let after = memory();
    say(&format!("systemd, machined, bus and journal hold {before:?} KiB, after {cycles} cycles {after:?}"));
    for (before, after) in before.iter().zip(&after) {
        // An allocator grows a little at first; a leak grows with every cycle.
        assert!(after.saturating_sub(*before) < 2048 + u64::from(cycles), "{before} KiB have become {after}");
    }
    nothing_is_left(&host);
}

#[test]
#[ignore = "host ring: make check"]
fn fifty_starts_at_once_all_come_up_with_ranges_of_their_own_and_go_without_a_trace() {
    let host = surveyed("crowd");
    run(&host, &format!("{TALLY}\nunchanged /run/census && tally >/run/tally && settled /run/tally"));
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
        for unit in ${{units[@]}}; do patient $unit; done; systemctl stop ${{units[@]}} && rm /etc/berth/containers/crowd*.toml; systemctl daemon-reload
        unchanged /run/census"
    );
    let seen = host.run_within(super::PATIENCE, &script);
    assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
    assert_eq!(seen.stdout.split_whitespace().take(3).collect::<Vec<_>>(), ["50", "50", "50"], "{}", seen.stdout);
    run(&host, &format!("{TALLY}\nsettled /run/tally"));
}
