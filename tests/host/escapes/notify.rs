//! A payload that may speak to systemd, and lies.

use super::hostile;
use crate::ring::{BUSYBOX, DEBIAN, eventually, host};

#[test]
#[ignore = "host ring: make check"]
fn a_payload_that_may_say_it_is_ready_cannot_give_away_locks_or_its_place() {
    let attack = r#"
def say(text, descriptors=()):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.connect(os.environ["NOTIFY_SOCKET"])
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("%di" % len(descriptors), *descriptors))] if descriptors else []
        one.sendmsg([text.encode()], rights)
say("READY=1")
say("MAINPID=1")
for pid in range(2, 400):
    say("MAINPID=%d" % pid)
for name in ["berth-locks", "stored", "unknown", ""]:
    say("FDSTOREREMOVE=1\nFDNAME=" + name)
say("FDSTORE=1\nFDNAME=berth-locks", [os.open("/", os.O_RDONLY)])
say("STOPPING=1")
say("STATUS=said")
print("attacked", flush=True)
time.sleep(1000)
"#;
    let container = hostile(host(), "liar", DEBIAN, "notify = \"container\"\n", attack);
    container.start();
    let main = container.show("MainPID");
    container.wait_for("StatusText", |text| text == "said");
    assert_eq!(container.show("MainPID"), main);
    host().run("grep -q python3 /proc/$(systemctl show --value -p MainPID container@liar)/cmdline").ok();
    // The name is still taken, and the range of ids still locked.
    let other = host().run(&format!("berthctl run -d --name liar --rootfs {BUSYBOX} -- true"));
    assert_eq!(other.code, Some(125), "the name was given away: {other:?}");
    let base = container.with_payload("awk '{ print $2 }' /proc/$pid/uid_map");
    let locked = format!(
        "python3 -c 'import fcntl, os, struct; fd = os.open(\"/run/systemd/nspawn-uid/{base}\", os.O_RDWR); fcntl.fcntl(fd, 37, struct.pack(\"hhqqi4x\", 1, 0, 0, 0, 0))'"
    );
    let taken = host().run(&locked);
    assert!(taken.stderr.contains("BlockingIOError"), "the range was given away: {taken:?}");
}

#[test]
#[ignore = "host ring: make check"]
fn a_payload_that_was_not_asked_has_nobody_to_tell() {
    let attack = r#"
attempt("a socket in the environment", lambda: os.environ.get("NOTIFY_SOCKET"))
attempt("systemd's own", lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).connect("/run/systemd/notify") or "connected")
attempt("berth's", lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).connect("/run/host/notify") or "connected")
attempt("the bus", lambda: socket.socket(socket.AF_UNIX).connect("/run/dbus/system_bus_socket") or "connected")
"#;
    super::stays_in(host(), "unasked", "", attack, 4);
}

#[test]
#[ignore = "host ring: make check"]
fn a_restart_after_lies_keeps_what_was_locked() {
    let attack = r#"
def say(text, descriptors=()):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.connect(os.environ["NOTIFY_SOCKET"])
        one.sendmsg([text.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", one)) for one in descriptors])
say("READY=1")
for _ in range(20):
    say("FDSTORE=1\nFDNAME=berth-locks", [os.open("/tmp", os.O_RDONLY)])
print("stored", flush=True)
time.sleep(0.3)
sys.exit(1) if not os.path.exists("/attacks/calm") else time.sleep(1000)
"#;
    let rest = "notify = \"container\"\n[unit]\nStartLimitIntervalSec = 0\n[service]\nRestart = \"on-failure\"\nRestartSec = \"50ms\"\n";
    let container = hostile(host(), "restarts", DEBIAN, rest, attack);
    container.start();
    container.wait_for("NRestarts", |count| count.parse().is_ok_and(|count: u32| count >= 3));
    host().run("touch /srv/attacks/calm").ok();
    container.wait_for("ActiveState", |state| state == "active");
    eventually(|| {
        let other = host().run(&format!("berthctl run -d --name restarts --rootfs {BUSYBOX} -- true"));
        if other.code == Some(125) { Ok(()) } else { Err(format!("the name was given away: {other:?}")) }
    });
    host().run("rm /srv/attacks/calm").ok();
}
