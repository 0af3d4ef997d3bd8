//! `berthctl exec` and `shell` in a running container.

use crate::ring::{Declared, eventually, host};

const WAITING: &str = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";

fn running(name: &str) -> Declared<'static> {
    let container = host().declare_shell(name, "environment = { MODE = \"live\" }\n", WAITING);
    container.start();
    container
}

#[test]
#[ignore = "host ring: make check"]
fn it_passes_the_exit_code_and_keeps_the_streams_apart() {
    let _container = running("streams");
    let ran = host().run("berthctl exec streams -- sh -c 'echo out; echo err >&2; exit 7'");
    assert_eq!(ran.stderr, "err\n");
    assert_eq!(ran.exits(7), "out");
    host().run("berthctl exec streams -- sh -c 'kill -9 $$'").exits(128 + 9);
    host().run("berthctl exec streams -- /no/such/program").exits(127);
    host().run("berthctl exec no-such-container -- true").exits(125);
}

#[test]
#[ignore = "host ring: make check"]
fn a_hundred_megabytes_pass_through_a_pipe_unchanged() {
    let _container = running("pipe");
    let sums = host().run(
        "set -o pipefail; head -c 104857600 /dev/urandom >/srv/data/hundred; sha256sum </srv/data/hundred
        berthctl exec -i pipe -- cat </srv/data/hundred | sha256sum; rm /srv/data/hundred",
    );
    let sums = sums.ok();
    let (sent, returned) = sums.split_once('\n').unwrap();
    assert_eq!(sent, returned);
}

#[test]
#[ignore = "host ring: make check"]
fn a_terminal_is_one_inside_and_follows_a_resize() {
    let _container = running("terminal");
    let script = r#"
import fcntl, os, pty, select, struct, sys, termios
def resize(rows, columns):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
seen = b""
def until(wanted):
    global seen
    while wanted not in seen:
        if not select.select([master], [], [], 10)[0]: sys.exit(f"no {wanted} in {seen}")
        seen += os.read(master, 4096)
    seen = seen[seen.index(wanted) + len(wanted):]
pid, master = pty.fork()
if pid == 0:
    os.read(0, 1)
    os.execvp("berthctl", ["berthctl", "exec", "-t", "-i", "terminal", "--", "sh", "-c",
        "tty; stty size; read line; stty size; echo got $line; exit 6"])
resize(24, 80)
os.write(master, b"\n")
until(b"/dev/")
until(b"24 80")
resize(40, 132)
import time; time.sleep(0.3)
os.write(master, b"hello\n")
until(b"40 132")
until(b"got hello")
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;
    host().write("/root/terminal.py", script);
    assert_eq!(host().run("python3 /root/terminal.py").ok(), "6");
}

#[test]
#[ignore = "host ring: make check"]
fn the_process_is_in_the_unit_s_cgroup_and_ends_with_it() {
    let container = running("grouped");
    let mut exec = host().command(["berthctl", "exec", "grouped", "--", "sleep", "98765"]).spawn().unwrap();
    let group = container.show("ControlGroup");
    let pid = eventually(|| {
        let found = host().run("pgrep -x -f 'sleep 98765'").stdout;
        if found.trim().is_empty() { Err("no such process".to_owned()) } else { Ok(found.trim().to_owned()) }
    });
    let of_process = host().run(&format!("grep ^0:: /proc/{pid}/cgroup")).ok();
    assert!(of_process.starts_with(&format!("0::{group}")), "{of_process} is not below {group}");
    container.stop();
    assert!(!exec.wait().unwrap().success());
    host().run(&format!("test -e /proc/{pid}")).exits(1);
}

#[test]
#[ignore = "host ring: make check"]
fn it_enters_what_the_payload_has_and_no_more() {
    let container = running("entered");
    for kind in ["pid", "mnt", "uts", "ipc", "net", "user", "cgroup"] {
        let payload = container.with_payload(&format!("readlink /proc/$pid/ns/{kind}"));
        let entered = host().run(&format!("berthctl exec entered -- readlink /proc/self/ns/{kind}")).ok();
        assert_eq!(payload, entered, "{kind}");
    }
    let status = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc";
    let payload = container.with_payload(&format!("{status}/$pid/status"));
    assert_eq!(payload, host().run(&format!("berthctl exec entered -- {status}/self/status")).ok());
    let descriptors = host().run("berthctl exec entered -- sh -c 'ls /proc/$$/fd; true'");
    assert_eq!(descriptors.ok(), "0\n1\n2");
}

#[test]
#[ignore = "host ring: make check"]
fn user_environment_and_working_directory_are_the_caller_s_to_set() {
    let _container = running("settings");
    let ran = host().run("berthctl exec -u www -e EXTRA=yes -w /tmp settings -- sh -c 'id -u; pwd; echo $EXTRA $MODE'");
    assert_eq!(ran.ok(), "33\n/tmp\nyes live");
    let shell = host().run("echo 'echo in $(hostname)' | berthctl shell settings");
    assert!(shell.stdout.contains("in settings"), "{shell:?}");
}

#[test]
#[ignore = "host ring: make check"]
fn a_terminal_is_told_what_kind_it_is() {
    let _container = running("exec-term");
    let typed = "exec berthctl exec -t exec-term sh -c 'tty >/dev/null && echo kind $TERM; exit 5'";
    host().write("/srv/data/exec-term", typed);
    let seen = host().run("TERM=kind-of-ours script -qec 'bash /srv/data/exec-term' /dev/null").exits(5);
    assert!(seen.contains("kind kind-of-ours"), "{seen}");
    // Without a terminal there is nothing to say it of.
    assert_eq!(host().run("TERM=kind-of-ours berthctl exec exec-term sh -c 'echo kind $TERM'").ok(), "kind");
    assert_eq!(host().run("berthctl exec -e TERM=mine exec-term sh -c 'echo kind $TERM'").ok(), "kind mine");
}

#[test]
#[ignore = "host ring: make check"]
fn a_process_that_closes_its_terminal_goes_on_and_is_waited_for() {
    let _container = running("exec-closes");
    let typed = "exec berthctl exec -t exec-closes sh -c 'echo last words; exec <&- >&- 2>&-
        until [ -e /tmp/go ]; do sleep 0.02; done; exit 4'";
    host().write("/srv/data/exec-closes", typed);
    let ran = host().run(
        "touch /srv/data/exec-closed; script -qefc 'bash /srv/data/exec-closes' /srv/data/exec-closed & client=$!
        until grep -q 'last words' /srv/data/exec-closed; do sleep 0.02; done
        berthctl exec exec-closes touch /tmp/go; wait $client",
    );
    ran.exits(4);
}

#[test]
#[ignore = "host ring: make check"]
fn a_shell_is_a_login_shell_or_a_program_of_any_user() {
    let _container = running("exec-shell");
    let shell = |arguments: &str| host().run(&format!("berthctl shell {arguments}"));
    assert_eq!(shell("exec-shell id -u").ok(), "0");
    assert_eq!(shell("www@exec-shell id -u").ok(), "33");
    assert_eq!(shell("--uid=www -q exec-shell id -u").ok(), "33");
    assert_eq!(shell("-E EXTRA=more --setenv=OTHER=too exec-shell sh -c 'echo $EXTRA $OTHER'").ok(), "more too");
    assert_eq!(shell("exec-shell sh -c 'echo \"$1\"; exit 3' sh 'two words'").exits(3), "two words");
    let typed = "export TERM=kind-of-ours
        printf 'tty; echo kind $TERM of $(id -un); exit 9\\n' | script -qec 'berthctl shell www@exec-shell' /dev/null";
    let login = host().run(typed).exits(9);
    assert!(login.contains("/dev/pts/") && login.contains("kind kind-of-ours of www"), "{login}");
    host().run("berthctl shell no-such-container").exits(125);
    host().run("berthctl shell 'No such'").exits(125);
}
