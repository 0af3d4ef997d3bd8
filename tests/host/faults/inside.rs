//! kill -9 of the container's own process, at every call from its birth to the payload's program, while the executor
//! lives on to see it.

use super::traced::{self, KILLING, TOUCHING};
use super::{PATIENT, Random, VICTIM, nothing_is_left, say, surveyed};

/// `born OPTIONS…` starts the victim, stops its executor where it is about to speak to the newborn for the first time,
/// puts strace on the newborn and lets the executor go on. Calls of the newborn alone are counted so.
const BORN: &str = r#"
unit=container@victim.service
traces() { [[ $(sed -n 's/^TracerPid:\t//p' /proc/$1/status) != 0 ]]; }
born() {
    local deadline=$((SECONDS + 60)) pid
    rm -f /run/faults/{trace,inside}
    inject start -D -q -o /run/faults/trace -e trace=sendmsg -e inject=sendmsg:signal=STOP:when=1
    systemctl start --no-block $unit
    until grep -qs '^--- stopped by SIGSTOP' /run/faults/trace; do
        ((SECONDS < deadline)) || { echo "no executor was stopped"; exit 1; }
        sleep 0.01
    done
    calm
    newborn='' executor=''
    for pid in $(cat /sys/fs/cgroup$(systemctl show --value -p ControlGroup $unit)/cgroup.procs); do
        [[ $(readlink /proc/$pid/exe) == */berth-executor ]] || continue
        if traces $pid; then executor=$pid; else newborn=$pid; fi
    done
    [[ $newborn && $executor ]] || { echo "executor “$executor”, newborn “$newborn”"; exit 1; }
    strace -q -o /run/faults/inside "$@" -p $newborn & tracer=$!
    until traces $newborn; do
        ((SECONDS < deadline)) || { echo "strace never came"; exit 1; }
        sleep 0.01
    done
    kill -CONT $executor
}
"#;

#[test]
#[ignore = "host ring: make check"]
fn the_container_s_process_killed_at_any_step_of_its_set_up_leaves_nothing() {
    let mut random = Random::seeded();
    let host = surveyed("newborn");
    traced::prepare(&host);
    let victim = host.declare_shell("victim", VICTIM, PATIENT);
    host.run("systemctl daemon-reload").ok();
    let script = format!(
        "{BORN}
        born {TOUCHING}
        settled $unit; [[ $state == active ]] || exit 1
        until grep -q '^execve(.* = 0$' /run/faults/inside; do sleep 0.02; done
        stopped $unit; wait $tracer
        unchanged /run/census || exit 1
        echo attached; sed '/^execve(/q' /run/faults/inside"
    );
    let calls = traced::calls(&traced::run(&host, &script));
    let last = calls.len() as u32;
    let ready = 1 + calls.iter().position(|call| call.text.contains("iov_base=\"R")).unwrap() as u32;
    assert!(last > 200, "only {last} calls were seen");
    let mut steps = random.steps(ready, 25);
    // After the executor has heard that all is ready, these few.
    steps.extend(ready + 1..=last);
    say(&format!("inside: killed at {steps:?}, ready at {ready}"));
    for batch in steps.chunks(20) {
        let script = format!(
            r#"{BORN}
for word in {words}; do
    {KILLING}
    journalctl --sync; journalctl -q -n 0 --cursor-file=/run/faults/cursor
    born {TOUCHING} $kill
    wait $tracer
    grep -q '^+++ killed by SIGKILL' /run/faults/inside || {{ echo "step $step: not killed"; tail -n 3 /run/faults/inside; exit 1; }}
    # It may be active until systemd has heard of the end.
    deadline=$((SECONDS + 60))
    until settled $unit; [[ $state == failed ]]; do
        ((SECONDS < deadline)) || {{ echo "step $step: the unit is $state"; exit 1; }}
    done
    # The executor's last message may come when it has gone, and systemd then does not know whose it was.
    status=$(systemctl show --value -p StatusText $unit)
    if [[ ! $status ]]; then
        journalctl --sync
        status=$(journalctl -q -o cat -u $unit --cursor-file=/run/faults/cursor SYSLOG_IDENTIFIER=victim | head -n 1)
    fi
    early="the container's first process ended before it was set up"
    # Until all was ready the executor is there to tell; later it is the unit's main process itself, or just not yet.
    # A recvmsg that strace came into counts twice, or not: it is the first of them, or the one after all is ready.
    case $name:$((step <= {ready})):$(systemctl show --value -p ExecMainStatus $unit):$status in
    *:1:*:"$early" | recvmsg:*:*:"$early" | recvmsg:*:*:"talk to the container's process: sendmsg: Broken pipe"*) ;;
    *:0:9:* | *:0:*:"release the payload: "* | *:0:*:"save the state: "*) ;;
    *) echo "step $step, $name: “$status”"; systemctl status --no-pager $unit; exit 1 ;;
    esac
    systemctl reset-failed $unit
    unchanged /run/census || {{ echo "left behind by the kill at call $step, $name"; exit 1; }}
done"#,
            words = traced::words(&calls, batch)
        );
        traced::run(&host, &script);
    }
    drop(victim);
    host.run("systemctl daemon-reload").ok();
    nothing_is_left(&host);
}
