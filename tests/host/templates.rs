//! One file, many containers: templates, containers that start by themselves, and sockets that start them.

use crate::ring::{BUSYBOX, DEBIAN, Declared, Host, eventually, toml};

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
