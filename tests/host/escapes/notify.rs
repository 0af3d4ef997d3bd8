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
def lie():
    for pid in range(1, 400):
        say("MAINPID=%d" % pid)
    for name in ["berth-locks", "stored", "unknown", ""]:
        say("FDSTOREREMOVE=1\nFDNAME=" + name)
    say("FDSTORE=1\nFDNAME=berth-locks", [os.open("/", os.O_RDONLY)])
    say("EXTEND_TIMEOUT_USEC=600000000\nSTOPPING=1\nRELOADING=1\nWATCHDOG=trigger")
lie()
say("STATUS=said \x1b]0;title\nREADY=1")
while True:
    try:
        lie()
        time.sleep(0.05)
    except ConnectionRefusedError:
        break
print("nobody listens", flush=True)
time.sleep(1000)
"#;
    let container = hostile(host(), "liar", DEBIAN, "notify = \"container\"\n", attack);
    container.start();
    let main = container.show("MainPID");
    // What a terminal would obey is not passed on either.
    container.wait_for("StatusText", |text| text == "said \u{fffd}]0;title");
    eventually(|| match container.journal() {
        said if said.contains("nobody listens") => Ok(()),
        said => Err(said),
    });
    // The locks of its name and of its range.
    assert_eq!((container.show("MainPID"), container.show("NFileDescriptorStore")), (main, "2".to_owned()));
    assert_eq!(container.show("ActiveState"), "active");
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
fn root_of_a_container_without_users_of_its_own_cannot_have_a_process_of_the_host_s_killed() {
    host().run("systemd-run -q --unit=bystander sleep 1000").ok();
    let bystander = host().show("bystander.service", "MainPID");
    let attack = format!(
        r#"
def say(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])
say("MAINPID={bystander}")
say("READY=1\nMAINPID={bystander}")
time.sleep(1000)
"#
    );
    let rest =
        "notify = \"container\"\n[security.user-namespace]\nmode = \"host\"\n[service]\nTimeoutStopSec = \"1s\"\n";
    let container = hostile(host(), "marksman", DEBIAN, rest, &attack);
    container.start();
    assert_ne!(container.show("MainPID"), bystander);
    container.stop();
    assert_eq!(host().show("bystander.service", "ActiveState"), "active");
    host().run("systemctl stop bystander").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn nobody_but_its_init_says_that_a_booted_system_is_ready() {
    let tree = crate::booted::Tree::debian("hasty");
    host().write(
        &format!("{}/etc/systemd/system/hasty.service", tree.path),
        "[Service]\nType=oneshot\nUser=nobody\nEnvironment=NOTIFY_SOCKET=/run/host/notify\n\
         ExecStart=/bin/sh -c 'systemd-notify --ready --status=hasty; systemd-notify MAINPID=$$$$; touch /tmp/said'\n\
         ExecStart=/bin/sh -c 'until test -e /gate; do sleep 0.05; done'\n",
    );
    let wants = "cd {path}/etc/systemd/system && mkdir -p multi-user.target.wants && ln -s ../hasty.service multi-user.target.wants";
    host().run(&wants.replace("{path}", &tree.path)).ok();
    let container = tree.declare("hasty", "");
    host().run("systemctl start --no-block container@hasty").ok();
    eventually(|| match host().run("berthctl exec hasty -- test -e /tmp/said") {
        said if said.code == Some(0) => Ok(()),
        said => Err(format!("{said:?}")),
    });
    assert_eq!(container.show("ActiveState"), "activating");
    let main = container.show("MainPID");
    assert_eq!(container.with_payload("cat /proc/$pid/comm"), "systemd");
    host().run(&format!("touch {}/gate", tree.path)).ok();
    container.wait_for("ActiveState", |state| state == "active");
    assert_eq!(container.show("MainPID"), main);
    // Then nobody hears any more, and nobody of ours is left.
    let late = host().run("berthctl exec hasty -- env NOTIFY_SOCKET=/run/host/notify systemd-notify STATUS=late");
    assert_ne!(late.code, Some(0), "{late:?}");
    assert_ne!(container.show("StatusText"), "late");
    let left = "for leaf in $group/notify-*/; do cat $leaf/cgroup.procs; done";
    assert_eq!(container.with_payload(left), "");
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
for _ in range(20):
    say("FDSTORE=1\nFDNAME=berth-locks-0", [os.open("/tmp", os.O_RDONLY)])
    say("FDSTORE=1\nFDNAME=other", [os.open("/tmp", os.O_RDONLY)])
say("READY=1")
print("stored", flush=True)
time.sleep(0.3)
sys.exit(1) if not os.path.exists("/attacks/calm") else time.sleep(1000)
"#;
    let rest = "notify = \"container\"\n[unit]\nStartLimitIntervalSec = 0\n[service]\nRestart = \"on-failure\"\nRestartSec = \"50ms\"\n";
    let container = hostile(host(), "restarts", DEBIAN, rest, attack);
    // It may have ended again by now.
    host().run("systemctl start container@restarts");
    container.wait_for("NRestarts", |count| count.parse().is_ok_and(|count: u32| count >= 3));
    host().run("touch /srv/attacks/calm").ok();
    container.wait_for("ActiveState", |state| state == "active");
    eventually(|| {
        let other = host().run(&format!("berthctl run -d --name restarts --rootfs {BUSYBOX} -- true"));
        if other.code == Some(125) { Ok(()) } else { Err(format!("the name was given away: {other:?}")) }
    });
    host().run("rm /srv/attacks/calm").ok();
}
