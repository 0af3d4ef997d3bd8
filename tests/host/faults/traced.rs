//! berth's own processes under strace: killed at one call, or refused it.
//!
//! On a host of the test's own, the executor is put aside and a shell script takes its place, which runs it below
//! strace where a file `/run/faults/VERB` says with which options. So every way to a start is caught, and none needs a
//! reload.

use crate::ring::Host;

/// All but calls that touch nothing but the process's own memory: killed there is killed at the one before.
pub const TOUCHING: &str = "-e trace=!mmap,munmap,mprotect,madvise,brk,fcntl,rt_sigaction,rt_sigprocmask,sigaltstack";

const STAND_IN: &str = r#"#!/bin/sh
[ -e "/run/faults/$1" ] || exec /usr/lib/berth/real/berth-executor "$@"
read -r options <"/run/faults/$1"
exec /usr/bin/strace $options /usr/lib/berth/real/berth-executor "$@"
"#;

/// `inject VERB OPTIONS…` has the executor traced from its next run on, `calm` no more; `settled UNIT` waits until it
/// is in no state of passage and leaves the one it is in in `$state`; `untraced` waits until the last tracer has ended.
pub const FUNCTIONS: &str = r#"
mkdir -p /run/faults
inject() { echo "${*:2}" >/run/faults/$1; }
calm() { rm -f /run/faults/{start,stop-post}; }
settled() {
    local deadline=$((SECONDS + 60))
    while state=$(systemctl is-active "$1"); [[ $state == *ing ]]; do
        ((SECONDS < deadline)) || { echo "$1 is still $state"; exit 1; }
        sleep 0.02
    done
}
untraced() {
    local deadline=$((SECONDS + 60))
    while pgrep -x strace >/dev/null; do
        ((SECONDS < deadline)) || { echo "strace does not end"; exit 1; }
        sleep 0.02
    done
}
"#;

/// A host whose executor can be traced.
pub fn prepare(host: &Host) {
    let script = "mkdir -p /usr/lib/berth/real && mv /usr/lib/berth/berth-executor /usr/lib/berth/real/";
    host.run(script).ok();
    host.write("/usr/lib/berth/berth-executor", STAND_IN.trim_end());
    host.run("chmod 755 /usr/lib/berth/berth-executor; mkdir -p /run/faults").ok();
}

/// Runs a script with the functions of this module and of the census at hand.
#[track_caller]
pub fn run(host: &Host, script: &str) -> String {
    super::run_with(host, FUNCTIONS, script)
}

/// One call of an undisturbed run: the `turn`th of its name. strace counts so, each name for itself.
pub struct Call {
    pub name: String,
    turn: u32,
    /// As strace prints it.
    pub text: String,
}

/// The calls of a trace in order; where several processes were traced, of the first one.
pub fn calls(trace: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut lines = trace.lines();
    // The first is the tracer's own execve, which cannot be made to fail.
    lines.next();
    let first = lines.clone().next().and_then(|line| line.split(' ').next()).filter(|pid| pid.parse::<u32>().is_ok());
    for line in lines {
        let line = match first {
            Some(pid) => match line.strip_prefix(pid) {
                Some(line) => line.trim_start(),
                None => continue,
            },
            None => line,
        };
        let name = line.split('(').next().unwrap_or_default();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            continue;
        }
        let turn = 1 + calls.iter().filter(|call| call.name == name).count() as u32;
        calls.push(Call { name: name.to_owned(), turn, text: line.to_owned() });
    }
    calls
}

/// A loop's words for some of the calls by their number, from 1; [`KILLING`] is what it begins with.
pub fn words(calls: &[Call], steps: &[u32]) -> String {
    let word = |step: &u32| {
        let Call { name, turn, .. } = &calls[*step as usize - 1];
        format!("{step}:{name}:{turn}")
    };
    steps.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// Makes `$step` and strace's options in `$kill` of a loop's `$word`.
pub const KILLING: &str = r#"IFS=: read -r step name turn <<<"$word"
    kill="-e inject=$name:signal=KILL:when=$turn""#;
