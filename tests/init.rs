//! berth-init as PID 1 of a real PID namespace.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

const INIT: &str = env!("CARGO_BIN_EXE_berth-init");

/// A command that runs berth-init in namespaces of its own, with `/proc` showing them, and ends as it does.
fn inside(payload: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "--", INIT, "--"]).args(payload);
    command
}

fn shell(script: &str) -> Output {
    inside(&["bash", "-c", script]).output().expect("unshare starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// A payload that has said a first line, with the number by which we know its init.
struct Running {
    unshare: Child,
    output: BufReader<ChildStdout>,
    errors: ChildStderr,
    init: i32,
}

impl Running {
    fn start(script: &str) -> Self {
        let mut unshare = inside(&["bash", "-c", script])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .expect("unshare starts");
        let mut output = BufReader::new(unshare.stdout.take().unwrap());
        let errors = unshare.stderr.take().unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let children = format!("/proc/{0}/task/{0}/children", unshare.id());
        let init = std::fs::read_to_string(children).unwrap().trim().parse().expect("unshare has one child");
        Running { unshare, output, errors, init }
    }

    fn signal(&self, number: i32) {
        let status = Command::new("kill").args([format!("-{number}"), self.init.to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// What else it said, and its exit status.
    fn finish(mut self) -> (String, i32) {
        let (mut said, mut errors) = (String::new(), String::new());
        self.output.read_to_string(&mut said).unwrap();
        self.errors.read_to_string(&mut errors).unwrap();
        let status = self.unshare.wait().unwrap();
        (said + &errors, status.code().unwrap_or_else(|| 1000 + status.signal().unwrap_or_default()))
    }
}

#[test]
fn the_exit_status_is_the_payloads() {
    for code in [0, 1, 7, 255] {
        assert_eq!(shell(&format!("exit {code}")).status.code(), Some(code));
    }
}

#[test]
fn a_payload_killed_by_a_signal_ends_with_128_and_its_number() {
    for number in [1, 9, 15, 37] {
        assert_eq!(shell(&format!("kill -{number} $$")).status.code(), Some(128 + number));
    }
}

#[test]
fn a_program_that_cannot_run_is_named() {
    for (program, code, message) in [
        ("no-such-program", 127, "berth-init: no-such-program: No such file or directory"),
        ("/no/such/program", 127, "berth-init: /no/such/program: No such file or directory"),
        ("/etc/passwd", 126, "berth-init: /etc/passwd: Permission denied"),
    ] {
        let output = inside(&[program]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{program}");
        assert!(text(&output.stderr).starts_with(message), "{}", text(&output.stderr));
    }
    let output = Command::new(INIT).arg("--").output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert_eq!(text(&output.stderr), "berth-init: nothing to run; usage: berth-init [--] PROGRAM [ARGUMENT…]");
}

#[test]
fn arguments_reach_the_payload_as_they_are() {
    let output = inside(&["printf", "%s|", "--", "", "two words", "-x"]).output().unwrap();
    assert_eq!(text(&output.stdout), "--||two words|-x|");
}

#[test]
fn signals_reach_a_payload_that_handles_them() {
    // HUP INT QUIT SEGV USR2 TERM CONT WINCH PWR, and real-time ones: systemd's stop signal, the last.
    for number in [1, 2, 3, 11, 12, 15, 18, 28, 30, 37, 64] {
        let script = format!("trap 'echo caught; exit 3' {number}; echo ready; while :; do sleep 0.02; done");
        let running = Running::start(&script);
        running.signal(number);
        assert_eq!(running.finish(), ("caught\n".to_owned(), 3), "signal {number}");
    }
}

#[test]
fn a_payload_without_a_handler_ends_by_the_signal() {
    let running = Running::start("echo ready; exec sleep 60");
    let sent = Instant::now();
    running.signal(15);
    assert_eq!(running.finish(), (String::new(), 143));
    assert!(sent.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_signal_from_inside_is_forwarded_too() {
    let output = shell("trap 'echo caught; exit 4' TERM; kill -TERM 1; while :; do sleep 0.02; done");
    assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("caught", Some(4)));
}

#[test]
fn orphans_are_reaped() {
    // Each subshell's child is left to PID 1.
    let output = shell(
        "for i in $(seq 30); do (sleep 0.05 &); done
         for i in $(seq 100); do
             [ $(grep -sl '^PPid:.1$' /proc/[0-9]*/status | wc -l) = 1 ] && break
             sleep 0.05
         done
         grep -sl '^PPid:.1$' /proc/[0-9]*/status",
    );
    assert_eq!(text(&output.stdout), "/proc/2/status", "the payload is PID 1's only child");
}

#[test]
fn signals_and_orphans_do_not_make_it_grow() {
    let output = shell(
        "trap : USR1
         size() { grep -E '^(VmData|VmStk):' /proc/1/status | tr -s '\\n\\t ' ' '; echo; }
         before=$(size)
         for i in $(seq 300); do (true &); kill -USR1 1; done
         sleep 0.1
         [ \"$before\" = \"$(size)\" ] && echo same: $before || echo $before then $(size)",
    );
    assert!(text(&output.stdout).starts_with("same: VmData:"), "{}", text(&output.stdout));
}

#[test]
fn the_payload_finds_signals_as_a_new_process_should() {
    let output = shell("grep -E '^Sig(Blk|Ign)' /proc/self/status");
    assert_eq!(text(&output.stdout), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000");
}

#[test]
fn the_payload_leads_a_process_group_of_its_own() {
    let output = shell("read -r _ _ _ _ group _ < /proc/$$/stat; echo $$ $group");
    assert_eq!(text(&output.stdout), "2 2");
}

#[test]
fn the_payload_is_in_the_foreground_of_its_terminal() {
    let script =
        "read -r _ _ _ _ group _ _ foreground _ < /proc/$$/stat; echo $group $foreground; read -r line; echo $line";
    let command = inside(&["bash", "-c", script]);
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quoted: Vec<String> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    let mut typed = Command::new("script")
        .args(["-qec", &quoted.join(" "), "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut typed.stdin.take().unwrap(), b"typed\n").unwrap();
    let output = typed.wait_with_output().unwrap();
    let lines: Vec<String> = text(&output.stdout).lines().map(|line| line.trim().to_owned()).collect();
    assert!(lines.contains(&"2 2".to_owned()), "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("typed"), "{lines:?}");
}

#[test]
fn passed_sockets_go_to_the_payload_and_are_not_held_here() {
    // The init lets go while the payload runs already; leaving the directory is the last of it.
    let payload = "for i in $(seq 250); do [ $(readlink /proc/1/cwd) = / ] && break; sleep 0.02; done
        echo $(readlink /proc/1/cwd) $(ls /proc/1/fd); [ -e /proc/$$/fd/7 ]; echo $? $LISTEN_PID $$";
    let inner = inside(&["bash", "-c", payload]);
    let outer = "cd /proc; exec 7</dev/null; export LISTEN_PID=99 LISTEN_FDS=1; exec \"$@\"";
    let words = std::iter::once(inner.get_program()).chain(inner.get_args());
    let output = Command::new("bash").args(["-c", outer, "bash"]).args(words).output().unwrap();
    assert_eq!(text(&output.stdout), "/ 0 1 2\n0 2 2");
}
