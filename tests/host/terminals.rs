//! Real terminals on `run -t`, `exec -t`, `shell`, `login` and `console`: what is typed, resized, left and dropped.

use crate::booted::{Tree, is_running};
use crate::ring::{DEBIAN, Declared, Output, eventually, host, toml};

/// A container with Debian's plain shell, which edits no lines.
fn declare(name: &str, rest: &str, script: &str) -> Declared<'static> {
    host().declare(name, &toml(DEBIAN, rest, script))
}

const WAITING: &str = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";

/// Runs a script that has `Terminal` and `expect` of terminal.py.
fn script(name: &str, text: &str) -> Output {
    host().write("/srv/terminals/terminal.py", include_str!("terminal.py"));
    host().write(&format!("/srv/terminals/{name}.py"), &format!("from terminal import *\n{text}"));
    host().run(&format!("python3 /srv/terminals/{name}.py"))
}

#[test]
#[ignore = "host ring: make check"]
fn a_console_is_typed_to_resized_interrupted_left_dropped_and_found_again() {
    let container = declare("console-app", "tty = true\n", "PS1='$ ' exec sh");
    container.start();
    let test = r##"
one = Terminal("berthctl", "console", "console-app")
one.until("leaves it.\r\n$ ")
one.ask("stty size; tty", "24 80\r\n/dev/console\r\n$ ")
one.resize(40, 132)
# The size follows the signal that says so.
while "40 132" not in one.ask("stty size", "$ "): pass
one.type("sh -c 'echo st\"\"arted; exec sleep 1000'\n")
one.until("started\r\n")
one.type("\x03")
one.until("^C")
one.until("$ ")
one.ask("echo status $?", "status 130\r\n$ ")
one.type("# half a line")
one.until("half a line")
expect(one.leave(), 0)
expect(one.seen, b"\r\nLeft console-app, which goes on.\r\n")

# Another one finds what was written last, the half line too, and goes on where it was.
two = Terminal("berthctl", "console", "-q", "console-app")
recent = two.until("# half a line")
expect(recent.startswith("$ stty size; tty\r\n24 80"), True)
expect(recent.endswith("status 130\r\n$ "), True)
two.type("\n")
two.until("\r\n$ ")
expect(two.drop(), 0)

# Two at a time see the same.
three, four = (Terminal("berthctl", "console", "-q", "console-app") for _ in range(2))
three.until("half a line\r\n$ ")
four.until("half a line\r\n$ ")
three.type("echo to $((1 + 1))\n")
expect(four.until("to 2\r\n$ "), "echo to $((1 + 1))\r\n")
expect(three.until("to 2\r\n$ "), "echo to $((1 + 1))\r\n")
expect(four.leave(), 0)

# Every byte of much, in order, and nothing else.
lines = "".join(f"{number}\r\n" for number in range(1, 20001))
expect(three.ask("seq 1 20000", lines + "$ "), "")
three.type("exit 5\n")
expect(three.end(), 0)
expect(three.all.endswith(b"$ exit 5\r\n"), True)
"##;
    script("console-app", test).ok();
    container.wait_for("ExecMainStatus", |status| status == "5");
    // Who has nothing to type sees it and goes.
    container.start();
    assert!(host().run("berthctl console console-app </dev/null").ok().contains("$ "));
    assert_eq!(container.show("ActiveState"), "active");
    let logged =
        "journalctl --sync; berthctl logs -q -o cat console-app; journalctl -q -o cat CONTAINER_NAME=console-app";
    assert_eq!(host().run(logged).ok().matches("status 130").count(), 2);
    host().run("berthctl kill -s KILL console-app").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn a_console_that_nobody_reads_holds_nothing_up_for_long_and_those_without_one_say_so() {
    let none = declare("console-none", "", WAITING);
    none.start();
    for (name, said) in [
        ("console-none", "console-none has no terminal: set tty = true, or use `berthctl shell console-none`"),
        ("no-such", "container no-such is not running"),
    ] {
        let refused = host().run(&format!("berthctl console {name}"));
        assert!(refused.stderr.contains(said), "{refused:?}");
        refused.exits(1);
    }
    host().run("berthctl console").exits(2);
    // Much more than any buffer on the way takes, with nobody there, and with one who is stopped.
    let test = r##"
import signal, subprocess
subprocess.run(["berthctl", "run", "-d", "-t", "--name", "console-full", "--rootfs", "/srv/debian", "sh", "-c",
    "read line; seq 1 200000; echo done; read line"], check=True)
one = Terminal("berthctl", "console", "-q", "console-full")
one.type("go\n")
one.until("1\r\n2\r\n3\r\n")
os.kill(one.pid, signal.SIGSTOP)
two = Terminal("berthctl", "console", "-q", "console-full")
two.until("done\r\n", patience=60)
os.kill(one.pid, signal.SIGKILL)
two.type("\n")
expect(two.end(), 0)
"##;
    script("console-full", test).ok();
}

#[test]
#[ignore = "host ring: make check"]
fn a_run_on_a_terminal_can_be_left_and_goes_on_without_its_own() {
    let test = r##"
import subprocess
run = ("berthctl", "run", "-t", "-i", "--name", "run-left", "--rootfs", "/srv/debian", "-e", "PS1=$ ", "sh")
one = Terminal(*run)
one.until("$ ")
expect(one.all, b"$ ")
one.ask("stty size", "24 80\r\n$ ")
expect(one.leave(), 0)
expect(one.seen, b"run-left goes on; `berthctl console run-left` comes back to it\r\n")
two = Terminal("berthctl", "console", "-q", "run-left")
two.until("24 80\r\n$ ")
two.type("exit 3\n")
expect(two.end(), 0)
# Its name is free once its unit is gone.
while subprocess.run("systemctl list-units --all --no-legend --plain berth-run-run-left.service | grep -q .", shell=True).returncode == 0: pass

dropped = Terminal(*run)
dropped.until("$ ")
dropped.drop()
three = Terminal("berthctl", "console", "-q", "run-left")
three.ask("echo still $((40 + 2))", "still 42\r\n$ ")
three.type("exit\n")
expect(three.end(), 0)

# What it says last is seen in full, whatever comes after.
for turn in range(20):
    last = Terminal("berthctl", "run", "-t", "--rootfs", "/srv/debian", "sh", "-c", "seq 1 3000; printf end; exit 4")
    expect(last.end(), 4)
    expect(last.all, "".join(f"{n}\r\n" for n in range(1, 3001)).encode() + b"end")
"##;
    script("run-left", test).ok();
    let left = "systemctl list-units --all --no-legend --plain 'berth-run-run-left*'";
    eventually(|| match host().run(left).ok() {
        left if left.is_empty() => Ok(()),
        left => Err(left),
    });
}

#[test]
#[ignore = "host ring: make check"]
fn an_exec_and_a_shell_have_every_byte_and_end_with_the_terminal_or_when_left() {
    let name = "exec-terminals";
    let container = declare(name, "", WAITING);
    container.start();
    let test = r##"
import subprocess
name = "exec-terminals"
plain = Terminal("berthctl", "exec", "-t", name, "printf", "a\\nb")
expect(plain.end(), 0)
expect(plain.all, b"a\r\nb")
for words in [("exec", "-t", "-i", name, "sh", "-l"), ("shell", name), ("login", name)]:
    one = Terminal("berthctl", *words)
    one.until("# ")
    expect(one.ask("seq 1 20000", "20000\r\n"), "".join(f"{n}\r\n" for n in range(1, 20000)))
    one.until("# ")
    one.type("sh -c 'echo st\"\"arted; exec sleep 1000'\n")
    one.until("started\r\n")
    one.type("\x03")
    one.until("# ")
    one.type("exit 6\n")
    expect(one.end(), 6)
    left = Terminal("berthctl", *words)
    left.until("# ")
    expect(left.leave(), 0)
    dropped = Terminal("berthctl", *words)
    dropped.until("# ")
    dropped.drop()
# Nothing of them is left beside the payload.
for turn in range(200):
    count = subprocess.run(["berthctl", "exec", name, "pgrep", "-c", "-t", "pts/0,pts/1,pts/2"], capture_output=True, text=True).stdout
    if count.strip() == "0": break
    time.sleep(0.05)
expect(count.strip(), "0")
"##;
    script(name, test).ok();
}

#[test]
#[ignore = "host ring: make check"]
fn a_booted_system_is_logged_in_to_at_its_console_and_on_a_terminal_of_its_own() {
    let tree = Tree::debian("console-booted");
    let script_of_tree = "cd {path} && rm etc/systemd/system/console-getty.service etc/systemd/system/getty.target && \
        echo root:sesame | chroot . chpasswd";
    host().run(&script_of_tree.replace("{path}", tree.path())).ok();
    let container = tree.declare("console-booted", "");
    container.start();
    is_running(host(), "console-booted");
    let test = r##"
def log_in(terminal):
    terminal.until("login: ")
    terminal.type("root\n")
    terminal.until("Password: ")
    terminal.type("wrong\n")
    terminal.until("Login incorrect")
    terminal.until("login: ")
    terminal.type("root\n")
    terminal.until("Password: ")
    terminal.type("sesame\n")
    terminal.until("~# ")

def use(terminal, where):
    terminal.ask("bind 'set enable-bracketed-paste off'", "# ")
    terminal.ask("PS1='> '", "> ")
    terminal.ask("tty; stty size", where + "\r\n24 80\r\n")
    terminal.resize(50, 160)
    while "50 160" not in terminal.ask("stty size; echo m''ore", "more\r\n"): pass
    terminal.type("sh -c 'echo st\"\"arted; exec sleep 1000'\n")
    terminal.until("started\r\n")
    terminal.type("\x03")
    terminal.until("> ")
    terminal.ask("echo status $?", "status 130\r\n> ")
    expect(terminal.ask("seq 1 20000", "20000\r\n"), "".join(f"{n}\r\n" for n in range(1, 20000)))

console = Terminal("berthctl", "console", "console-booted")
log_in(console)
use(console, "/dev/console")
expect(console.leave(), 0)
again = Terminal("berthctl", "console", "-q", "console-booted")
again.until("20000\r\n")
again.ask("echo $((40 + 2)) s''till", "42 still\r\n")
again.drop()
third = Terminal("berthctl", "console", "-q", "console-booted")
third.until("42 still\r\n")
third.ask("echo a''gain", "again\r\n")
third.type("exit\n")
# Its getty asks the next one.
third.until("login: ")
expect(third.leave(), 0)

login = Terminal("berthctl", "login", "console-booted")
log_in(login)
where = login.ask("tty", "~# ").split("\r\n")[0]
expect(where.startswith("/dev/pts/"), True)
use(login, where)
login.type("exit\n")
expect(login.end(), 0)
# Who does not log in leaves.
expect(Terminal("berthctl", "login", "console-booted").leave(), 0)

shell = Terminal("berthctl", "shell", "console-booted")
shell.until("# ")
use(shell, shell.ask("tty", "\r\n").strip())
shell.type("exit 7\n")
expect(shell.end(), 7)
"##;
    script("console-booted", test).ok();
    // One who sits there sees it power off, and nothing holds that up.
    let powered_off = r##"
console = Terminal("berthctl", "console", "-q", "console-booted")
console.until("login: ")
import subprocess
subprocess.run(["berthctl", "poweroff", "console-booted"], check=True)
expect(console.end(), 0)
expect(b"login: " in console.all, True)
"##;
    script("console-off", powered_off).ok();
    container.ended();
    assert_eq!(container.show("Result"), "success");
}

#[test]
#[ignore = "host ring: make check"]
fn who_holds_a_terminal_goes_with_the_container_and_has_no_privileges() {
    let container = declare("console-held", "tty = true\n", "exec cat");
    container.start();
    let status = "for pid in $(pgrep -f 'berth-executor console'); do
        awk '/^(CapEff|NoNewPrivs|Seccomp):/ { print $1 $2 }' /proc/$pid/status; break; done";
    assert_eq!(host().run(status).ok(), "CapEff:0000000000000000\nNoNewPrivs:1\nSeccomp:2");
    assert_eq!(
        host().run("stat -c %a:%u /run/berth/console /run/berth/state/containers/console-held/console").ok(),
        "600:0\n600:0"
    );
    // With a container that is not there any more nobody holds anything: its own socket is gone, too.
    let pid = container.show("MainPID");
    let holder = host()
        .run(&format!("for pid in $(pgrep -f 'berth-executor console'); do grep -q '^Pid:[[:space:]]*{pid}$' /proc/$pid/fdinfo/* && echo $pid; done; true"))
        .ok();
    assert!(!holder.is_empty() && !holder.contains('\n'), "{holder}");
    host().run("berthctl kill -s KILL console-held").ok();
    container.ended();
    eventually(|| match host().run(&format!("test -e /proc/{holder}")).code {
        Some(1) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    host().run("test -e /run/berth/state/containers/console-held/console").exits(1);
}

#[test]
#[ignore = "host ring: make check"]
fn what_is_called_without_a_terminal_of_its_own_is_not_given_ours() {
    let container = declare("not-ours", "", WAITING);
    container.start();
    let test = r##"
name = "not-ours"
for words in [("exec", "-i", name), ("run", "-i", "--rootfs", "/srv/debian", "--"), ("run", "--scope", "-i", "--rootfs", "/srv/debian", "--")]:
    one = Terminal("berthctl", *words, "sh", "-c", "for n in 0 1 2; do test -t $n && echo terminal $n; done; read line; echo got $line; echo error >&2; exit 3")
    one.type("typed\n")
    expect(one.end(), 3)
    expect(one.all, b"typed\r\ngot typed\r\nerror\r\n")
    # Its input ends with ours.
    two = Terminal("berthctl", *words, "cat")
    two.type("line\n\x04")
    expect(two.end(), 0)
    expect(two.all, b"line\r\nline\r\n")
# What goes on in the container reads nothing of what is typed afterwards, by whichever descriptor.
shell = Terminal("sh")
shell.until("# ")
shell.type("PS1='> '\n")
shell.until("> ")
shell.ask("berthctl exec not-ours sh -c '(for n in 0 1 2; do head -c 5 <&$n >/tmp/stolen-$n & done; sleep 1000) & exit 0'; echo b''ack", "back\r\n> ")
shell.ask("echo ty''ped", "typed\r\n> ")
shell.ask("berthctl exec not-ours sh -c 'cat /tmp/stolen-*' | wc -c", "0\r\n> ")
shell.type("exit\n")
expect(shell.end(), 0)
"##;
    script("not-ours", test).ok();
}
