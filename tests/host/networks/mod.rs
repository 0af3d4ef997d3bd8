//! Containers on networks, with real traffic: each test on a host of its own, beside which a namespace `far` is the outside.

pub mod beside;
mod crowds;
mod ends;
mod errors;
mod firewalld;
mod flows;
mod matrix;
mod named;
mod others;
mod reach;
mod repair;
pub mod ways;

use crate::ring::{DEBIAN, Declared, Host, Ring, eventually};

/// A second namespace, on the other side of a link: 192.0.2.1 and 2001:db8::1 are the host's.
const OUTSIDE: &str = r"
set -e
ip link add out type veth peer name outside
ip netns add far
ip link set outside netns far
ip addr add 192.0.2.1/24 dev out
ip addr add 2001:db8::1/64 dev out nodad
ip link set out up
ip netns exec far sh -c '
    ip link set lo up
    ip addr add 192.0.2.2/24 dev outside
    ip addr add 2001:db8::2/64 dev outside nodad
    ip link set outside up'
";

/// Answers whoever asks it with its own name and who asked, and asks.
pub const TALK: &str = include_str!("talk.py");

fn host(purpose: &str) -> Host {
    let host = Host::boot(purpose);
    host.run(OUTSIDE).ok();
    host.write("/srv/talk.py", TALK);
    host
}

/// A container that serves at port 80, on networks of its own.
fn server<'a>(host: &'a Host, name: &str, network: &str) -> Declared<'a> {
    server_at(host, name, network, 80)
}

/// In a virtual machine its root is the machine's own.
pub fn server_at<'a>(host: &'a Host, name: &str, network: &str, port: u16) -> Declared<'a> {
    let root = if Ring::chosen() == Ring::Vm { "/" } else { DEBIAN };
    let toml = format!(
        "rootfs = \"{root}\"\ninit = true\n\
        command = [\"python3\", \"-c\", '''{TALK}''', \"serve\", \"{name}\", \"{port}\"]\n[network]\n{network}\n"
    );
    host.declare(name, &toml)
}

/// Starts it, and waits until it serves.
pub fn start(container: &Declared) {
    container.start();
    serves(container, 80);
}

/// Waits until it does so at that port.
fn serves(container: &Declared, port: u16) {
    let pid = container.show("MainPID");
    listens(container.host, &format!("nsenter -n -t {pid}"), port);
}

/// Serves beside containers: on the host, or where `place` leads.
pub fn serve(host: &Host, name: &str, place: &str, port: u16) {
    host.run(&format!("systemd-run -q --unit=talk-{name} {place} python3 /srv/talk.py serve {name} {port}")).ok();
    listens(host, place, port);
}

fn listens(host: &Host, place: &str, port: u16) {
    eventually(|| {
        let listening = host.run(&format!("{place} ss -Hltun 'sport = {port}'")).stdout;
        if listening.lines().count() == 2 { Ok(()) } else { Err(format!("port {port}: {listening}")) }
    });
}

/// What a client is answered: `from` is a prefix of its command, `to` a question of talk.py's, or several, each with a line.
fn ask(host: &Host, from: &str, to: &str) -> String {
    host.run(&format!("{from} python3 - ask 2 {to} </srv/talk.py")).stdout.trim_end().to_owned()
}

fn inside(container: &Declared) -> String {
    format!("berthctl exec -i {} --", container.name)
}

pub const FAR: &str = "ip netns exec far";

/// Its address on its first network: of IPv4, or of IPv6.
fn address(container: &Declared, six: bool) -> String {
    let listed = container.host.run("berthctl list --output=json").ok();
    let rows: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let row = rows.as_array().unwrap().iter().find(|row| row["name"] == *container.name).unwrap();
    let addresses = row["addresses"].as_array().unwrap().iter().map(|address| address.as_str().unwrap().to_owned());
    addresses.into_iter().find(|address| address.contains(':') == six).unwrap()
}

/// Links by name, and every rule: what must be as it was.
const STATE: &str = "ip -o link | awk '{ print $2 }' | sort; nft -s list ruleset; find /run/berth/state/networks \
    -mindepth 1 ! -name .lock 2>/dev/null || true";
