//! One file, many containers: templates, containers that start by themselves, and sockets that start them.

use crate::ring::{BUSYBOX, DEBIAN, Declared, Host, eventually, host, toml};

const PATIENT: &str = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";

const TEMPLATE: &str = "
hostname = \"%i-host\"
environment = { WHO = \"%i\", ALL = \"%n\", HALF = \"50%%\" }

[service]
ExecStopPost = \"/bin/sh -c 'echo %i >>/run/stopped'\"
[resources]
TasksMax = 77
";

fn script() -> String {
    format!("echo $WHO $ALL $HALF $(hostname); {PATIENT}")
}

/// An instance of the template `web@.toml`, which this writes.
fn instance<'a>(host: &'a Host, name: &str) -> Declared<'a> {
    host.write("/etc/berth/containers/web@.toml", &toml(BUSYBOX, TEMPLATE, &script()));
    Declared { host, name: name.to_owned(), unit: format!("container@{name}.service") }
}

#[test]
#[ignore = "host ring: make check"]
fn instances_of_a_template_start_without_a_reload_and_each_is_its_own() {
    let host = Host::boot("templates");
    let (blue, red) = (instance(&host, "web@blue"), instance(&host, "web@red"));
    blue.start();
    red.start();
    let said = |container: &Declared| {
        eventually(|| {
            let text = container.journal();
            if text.contains("-host") { Ok(text) } else { Err(text) }
        })
    };
    assert_eq!(said(&blue).trim(), "blue web@blue 50% blue-host");
    assert_eq!(said(&red).trim(), "red web@red 50% red-host");
    blue.wait_for("TasksMax", |found| found == "77");
    assert_eq!(host.run("machinectl show -p Leader --value web-blue").ok(), blue.show("MainPID"));
    assert_eq!(host.run("berthctl list -q").ok(), "web@blue\nweb@red");

    let log = host.run("berthctl logs web@red; journalctl -q -o cat CONTAINER_NAME=web@red _TRANSPORT=stdout").ok();
    assert!(log.contains("red web@red") && !log.contains("blue"), "{log}");
    assert_eq!(host.run("berthctl exec web@red -- hostname").ok(), "red-host");

    // Another reload leaves the running instances their settings.
    host.run("systemctl daemon-reload").ok();
    assert_eq!(red.show("TasksMax"), "77");
    blue.stop();
    red.stop();
    assert_eq!(host.run("sort /run/stopped").ok(), "blue\nred");
    assert_eq!(host.run("berthctl list -q --all").ok(), "");
}

#[test]
#[ignore = "host ring: make check"]
fn an_enabled_instance_has_its_settings_before_its_first_start() {
    let host = Host::boot("enabled");
    let blue = instance(&host, "web@blue");
    host.write("/etc/berth/containers/web@blue.toml.d/10-more.toml", "[resources]\nTasksMax = 78");
    host.run("systemctl enable container@web@blue").ok();
    host.run("test -L /etc/systemd/system/machines.target.wants/container@web@blue.service").ok();
    host.run("systemctl daemon-reload").ok();
    assert_eq!(blue.show("TasksMax"), "78");
    assert_eq!(host.run("berthctl list -q --all").ok(), "web@blue");
    host.run("systemctl start machines.target").ok();
    blue.wait_for("ActiveState", |state| state == "active");
    host.run("systemctl disable --now container@web@blue").ok();
    host.run("systemctl daemon-reload").ok();
    assert_ne!(blue.show("TasksMax"), "78");
}

#[test]
#[ignore = "host ring: make check"]
fn a_template_that_would_start_by_itself_is_refused_and_so_is_its_machine_s_second_name() {
    let host = Host::boot("refused");
    let blue = instance(&host, "web@blue");
    blue.start();
    let twin = host.declare_shell("web-blue", "", PATIENT);
    host.run("systemctl start container@web-blue").exits(1);
    let status = twin.show("StatusText");
    assert!(status.contains("container@web@blue.service"), "{status}");
    // Nor does its end take the entry of the one that runs.
    assert_eq!(host.run("machinectl show -p Leader --value web-blue").ok(), blue.show("MainPID"));

    host.write("/etc/berth/containers/own@.toml", &toml(BUSYBOX, "autostart = true", PATIENT));
    host.run("systemctl start container@own@x").exits(1);
    let status = host.show("container@own@x.service", "StatusText");
    assert!(status.contains("“autostart” has no meaning in a template"), "{status}");
    let said = host.run("berthctl check own@");
    assert!(said.stderr.contains("own@.toml:") && said.stderr.contains("“autostart”"), "{said:?}");
    host.run("systemctl daemon-reload; ls /run/systemd/generator/machines.target.wants").exits(2);
}

#[test]
#[ignore = "host ring: make check"]
fn autostart_links_a_container_into_machines_target_at_a_reload() {
    let host = Host::boot("autostart");
    let container = host.declare_shell("early", "autostart = true\n", PATIENT);
    host.declare_shell("never", "autostart = false\n", PATIENT);
    host.run("systemctl daemon-reload").ok();
    let links = host.run("ls /run/systemd/generator/machines.target.wants").ok();
    assert_eq!(links, "container@early.service");
    assert!(host.show("machines.target", "Wants").contains("container@early.service"));
    // What a boot does.
    host.run("systemctl start machines.target").ok();
    container.wait_for("ActiveState", |state| state == "active");
    host.write("/etc/berth/containers/early.toml", &toml(BUSYBOX, "", PATIENT));
    host.run("systemctl daemon-reload; ls /run/systemd/generator/machines.target.wants").exits(2);
}

#[test]
#[ignore = "host ring: make check"]
fn a_socket_unit_of_the_container_s_name_starts_it_and_hands_it_the_connection() {
    let host = Host::boot("socket");
    let serve = "exec python3 -c '
import os, socket
own = os.environ[\"LISTEN_PID\"] == str(os.getpid())
connection, _ = socket.socket(fileno=3).accept()
said = (str(own), os.environ[\"LISTEN_FDS\"], os.environ[\"LISTEN_FDNAMES\"])
connection.sendall(\" \".join(said).encode())'";
    let container = host.declare("answers", &toml(DEBIAN, "", serve));
    host.write(
        "/etc/systemd/system/container@answers.socket",
        "[Socket]\nListenStream=/run/answers\nFileDescriptorName=front\n[Install]\nWantedBy=sockets.target\n",
    );
    host.run("systemctl daemon-reload; systemctl enable --now container@answers.socket").ok();
    assert_eq!(container.show("ActiveState"), "inactive");
    let ask = "python3 -c 'import socket
s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(\"/run/answers\"); print(s.recv(100).decode())'";
    assert_eq!(host.run(ask).ok(), "True 1 front");
    // The payload has answered and ended; the next connection starts it again.
    container.ended();
    assert_eq!(host.run(ask).ok(), "True 1 front");
}

/// Answers on every socket it was given with the socket's name, whether they are meant for it, and the names of all.
const ANSWERS: &str = "exec python3 -c '
import os, select, socket
names = os.environ[\"LISTEN_FDNAMES\"].split(\":\")
own = os.environ[\"LISTEN_PID\"] == str(os.getpid()) and os.environ[\"LISTEN_FDS\"] == str(len(names))
listening = {socket.socket(fileno=3 + number): name for number, name in enumerate(names)}
while True:
    for ready in select.select(list(listening), [], [])[0]:
        connection, _ = ready.accept()
        connection.sendall(f\"{listening[ready]} of {names} {own}\".encode())
        connection.close()'";

const ASK_IT: &str = "python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX) if sys.argv[1][0] == \"/\" else socket.socket()
s.settimeout(30); s.connect(sys.argv[1] if len(sys.argv) < 3 else (sys.argv[1], int(sys.argv[2])))
print(s.recv(100).decode())' ";

#[test]
#[ignore = "host ring: make check"]
fn its_sockets_start_a_container_at_the_first_connection_and_outlive_it() {
    let host = Host::boot("sockets");
    let sockets = "init = true\n[service]\nTimeoutStopSec = 5\n\
        [[socket]]\nListenStream = [\"127.0.0.1:81\", \"127.0.0.1:82\"]\nFileDescriptorName = \"web\"\n\
        [[socket]]\nListenStream = \"/run/knock\"\nFileDescriptorName = \"control\"\nSocketMode = \"0600\"\n";
    let container = host.declare("knock", &toml(DEBIAN, sockets, ANSWERS));
    // Nobody has reloaded systemd since the file is there.
    host.run("systemctl enable --now container@knock.socket").ok();
    assert_eq!(container.show("ActiveState"), "inactive");
    assert_eq!(host.run("stat -c %a /run/knock").ok(), "600");
    let ask = |address: &str| host.run(&format!("{ASK_IT}{address}")).ok();
    let all = "['web', 'web', 'control'] True";
    assert_eq!(ask("127.0.0.1 82"), format!("web of {all}"));
    assert_eq!(container.show("ActiveState"), "active");
    assert_eq!(ask("/run/knock"), format!("control of {all}"));
    container.stop();
    assert_eq!(container.show("ActiveState"), "inactive");
    assert_eq!(host.show("container@knock.socket", "ActiveState"), "active");
    assert_eq!(ask("/run/knock"), format!("control of {all}"));
    let first = container.show("MainPID");
    container.with_payload("kill -9 $pid");
    container.ended();
    host.run("systemctl reset-failed container@knock.service");
    assert_eq!(ask("127.0.0.1 81"), format!("web of {all}"));
    assert_ne!(container.show("MainPID"), first);
    // They go together, and come with the container.
    let states = "systemctl is-active container@knock.service container@knock.socket berth-socket-knock-2.socket";
    host.run("systemctl stop container@knock.socket").ok();
    assert_eq!(host.run(states).stdout, "inactive\ninactive\ninactive\n");
    container.start();
    assert_eq!(host.run(states).ok(), "active\nactive\nactive");
    assert_eq!(ask("127.0.0.1 81"), format!("web of {all}"));
    let first = container.show("MainPID");
    host.run("systemctl restart container@knock.socket").ok();
    assert_eq!(ask("/run/knock"), format!("control of {all}"));
    assert_ne!(container.show("MainPID"), first);
    // With fewer in the file there are fewer units.
    host.run("systemctl stop container@knock.service container@knock.socket").ok();
    let fewer = "[[socket]]\nListenStream = \"/run/knock\"\n";
    host.write("/etc/berth/containers/knock.toml", &toml(DEBIAN, fewer, ANSWERS));
    host.run("systemctl daemon-reload; systemctl start container@knock.socket").ok();
    assert_eq!(ask("/run/knock"), "container@knock.socket of ['container@knock.socket'] True");
    assert_eq!(host.show("berth-socket-knock-2.socket", "LoadState"), "not-found");
    // An address that is taken fails the start, and the journal says so.
    host.run(
        "systemctl stop container@knock.socket; systemd-run -q --unit=taker python3 -m http.server -b 127.0.0.1 81",
    )
    .ok();
    host.write("/etc/berth/containers/knock.toml", &toml(DEBIAN, sockets, ANSWERS));
    host.run("until (exec 3<>/dev/tcp/127.0.0.1/81) 2>/dev/null; do sleep 0.1; done; systemctl daemon-reload").ok();
    host.run("systemctl start container@knock.service").exits(1);
    let said = host.run("journalctl --sync; journalctl -q -o cat -u container@knock.socket").ok();
    assert!(said.contains("Address already in use"), "{said}");
}

#[test]
#[ignore = "host ring: make check"]
fn sockets_are_for_containers_that_systemd_can_start_again() {
    let text = toml(BUSYBOX, "[[socket]]\nListenStream = \"/run/once\"\n", "true");
    host().write("/srv/once.toml", &text);
    let refused = host().run("berthctl run /srv/once.toml");
    assert_eq!(refused.code, Some(125));
    assert!(refused.stderr.contains("systemctl enable --now container@once.socket"), "{refused:?}");
    assert_eq!(host().run("berthctl check /srv/once.toml").code, Some(0));
    let none = host().declare_shell("none", "", "true");
    host().run("systemctl daemon-reload; systemctl start container@none.socket").exits(1);
    assert_eq!(none.show("ActiveState"), "inactive");
}
