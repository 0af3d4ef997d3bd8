//! What of the caller of `exec` must not come along, and what it names must not be: users, containers that are gone.

use super::{SECRET, hostile};
use crate::ring::{BUSYBOX, DEBIAN, Declared, host, toml};

fn running(name: &str, rest: &str) -> Declared<'static> {
    let container = host().declare(name, &toml(DEBIAN, rest, "exec sleep 1000"));
    container.start();
    container
}

#[test]
#[ignore = "host ring: make check"]
fn signals_and_the_umask_of_the_host_do_not_come_along() {
    let asked = "grep -E '^Sig(Blk|Ign)' /proc/self/status; umask; ls -l /proc/self/cwd | sed 's/.* //'";
    let none = "0".repeat(16);
    let expected = format!("SigBlk:\t{none}\nSigIgn:\t{none}\n0022\n/");
    let started = host().declare("inherits", &toml(DEBIAN, "", &format!("exec /bin/sh -c \"{asked}\"")));
    assert_eq!(started.start_and_read(), expected);
    let _container = running("joined", "");
    let caller = format!(
        "import os, signal, sys\n\
         signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n\
         for one in (1, 2, 3, 13, 15, 20, 34, 64): signal.signal(one, signal.SIG_IGN)\n\
         os.umask(0o777); os.chdir('/root')\n\
         os.execvp('berthctl', ['berthctl', 'exec', 'joined', '--', 'sh', '-c', {asked:?}])\n"
    );
    host().write("/srv/data/caller.py", &caller);
    assert_eq!(host().run("python3 /srv/data/caller.py").ok(), expected);
}

#[test]
#[ignore = "host ring: make check"]
fn keys_of_the_caller_do_not_come_along() {
    // Nothing else stands between: no filter, and the host's users.
    let _container = running("keyless", "[security]\nseccomp = \"unconfined\"\nuser-namespace = { mode = \"host\" }\n");
    let python = r#"
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
keyctl, add_key = (250, 248) if os.uname().machine == "x86_64" else (219, 217)
def call(*arguments):
    return libc.syscall(*[ctypes.c_long(one) if isinstance(one, int) else one for one in arguments])
if sys.argv[1:] == ["search"]:
    found = call(keyctl, 10, -3, b"user", b"berth-secret", 0)
    print("found" if found >= 0 else errno.errorcode[ctypes.get_errno()])
    sys.exit()
# A session keyring with a key in it, for this process and those that it starts.
assert call(keyctl, 1, None) >= 0 and call(add_key, b"user", b"berth-secret", b"secret", 6, -3) >= 0
os.execvp(sys.argv[1], sys.argv[1:])
"#;
    host().write("/srv/data/keys.py", python);
    let keyed = "python3 /srv/data/keys.py";
    assert_eq!(host().run(&format!("{keyed} {keyed} search")).ok(), "found");
    let inside = format!("{keyed} berthctl exec -i keyless -- python3 - search </srv/data/keys.py");
    assert_eq!(host().run(&inside).ok(), "ENOKEY", "a key of the caller came along");
}

#[test]
#[ignore = "host ring: make check"]
fn descriptors_of_the_caller_do_not_come_along() {
    let _container = running("closed", "");
    let opened = format!("exec 4</ 7<{SECRET} 20</root 512<>/root/secret-of-the-host");
    host().run(&format!("echo secret of the host >{SECRET}")).ok();
    let asked = "sh -c 'ls /proc/$$/fd; true'";
    for command in ["berthctl exec closed --", &format!("berthctl run --scope --rootfs {BUSYBOX} --")] {
        let seen = host().run(&format!("{opened}; {command} {asked}")).ok();
        assert_eq!(seen, "0\n1\n2", "a descriptor of the caller came along: {command}");
    }
}

#[test]
#[ignore = "host ring: make check"]
fn a_user_that_is_no_name_and_no_number_is_nobody_and_not_root() {
    // CVE-2026-30892: what was no number was read as 0, and one too large as what was left of it.
    let _container = running("users", "user = \"www-data\"\n");
    for user in [
        "-1",
        "+0",
        "0x0",
        " root",
        "root ",
        " 0",
        "0 ",
        "4294967295",
        "4294967296",
        "18446744073709551616",
        "1:2:3",
        "a:-1",
        "33:-1",
        "33:4294967296",
        "33: 0",
        "33:0x0",
        "nobody:no-such-group",
        "no-such-user",
        "root\n",
        "1.0",
        "1e1",
    ] {
        let ran = host().run(&format!("berthctl exec --user=$'{}' users -- id -u", user.replace('\n', "\\n")));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(125), ""), "somebody was run as for {user:?}: {ran:?}");
    }
    assert_eq!(host().run("berthctl exec --user=33 users -- id -u").ok(), "33");
    assert_eq!(host().run("berthctl exec --user=0033:4 users -- sh -c 'id -u; id -G'").ok(), "33\n4");
    assert_eq!(host().run("berthctl exec users -- id -u").ok(), "33");
}

#[test]
#[ignore = "host ring: make check"]
fn a_process_with_the_number_of_one_that_is_gone_is_not_touched() {
    // As if the leader had ended and its number were another's by now: what is saved tells them apart by their start.
    let victim = "trap 'echo caught >>/root/caught' USR1; while :; do sleep 0.1; done";
    host().run(&format!("rm -f /root/caught /root/entered; systemd-run -q --unit recycled bash -c \"{victim}\"")).ok();
    let number = host().show("recycled.service", "MainPID");
    let container = running("gone", "reload-signal = \"SIGUSR1\"\n");
    let state = "/run/berth/state/containers/gone/started.json";
    let change = format!(
        "import json; path = '{state}'; known = json.load(open(path)); known['leader'] = {number}; json.dump(known, open(path, 'w'))"
    );
    host().run(&format!("cp {state} /root/was.json; python3 -c \"{change}\"")).ok();
    let entered = host().run("berthctl exec gone -- touch /root/entered");
    assert_eq!(entered.code, Some(125), "another process was entered: {entered:?}");
    assert!(entered.stderr.contains("container gone is not running"), "another process was entered: {entered:?}");
    let shell = host().run("echo touch /root/entered | berthctl shell gone");
    assert_eq!(shell.code, Some(125), "{shell:?}");
    assert_ne!(host().run("systemctl reload container@gone").code, Some(0), "another process was signalled");
    let joins = "[namespaces]\nipc = \"container:gone\"\n";
    let joining = host().declare("joins-gone", &toml(BUSYBOX, joins, "echo ran"));
    assert_eq!(joining.start_and_read(), "");
    assert!(joining.show("StatusText").contains("container gone is not running"), "{}", joining.show("StatusText"));
    host().run("test ! -e /root/entered && test ! -e /root/caught").ok();
    // As it was, it is all of that again.
    host().run(&format!("cp /root/was.json {state}; berthctl exec gone -- true")).ok();
    container.stop();
    assert_eq!(host().show("recycled.service", "ActiveState"), "active");
    host().run("systemctl stop recycled").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn a_payload_cannot_start_a_line_in_a_unit_or_the_journal_s_fields() {
    let attack = r#"print("one\nCONTAINER_NAME=other", flush=True)"#;
    let container = hostile(
        host(),
        "lines",
        DEBIAN,
        "description = \"one\\u000aExecStartPre=/usr/bin/touch /root/started\"\n",
        attack,
    );
    host().run("rm -f /root/started; systemctl daemon-reload").ok();
    container.start_and_read();
    host().run("test ! -e /root/started").ok();
    assert_eq!(host().run("journalctl -q -o cat CONTAINER_NAME=other").ok(), "");
}
