//! Containers on networks, with real traffic: each test on a host of its own, beside which a namespace `far` is the outside.

mod crowds;
mod ends;
mod errors;
mod named;
mod others;
mod reach;
mod repair;
mod ways;

use crate::ring::{DEBIAN, Declared, Host, eventually};

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

/// Answers each connection and datagram at a port with its own name and who asked.
const SERVER: &str = r"
socat TCP6-LISTEN:$port,fork,reuseaddr,ipv6only=0 SYSTEM:'echo $name sees $SOCAT_PEERADDR' &
socat UDP6-RECVFROM:$port,fork,reuseaddr,ipv6only=0 SYSTEM:'echo $name sees $SOCAT_PEERADDR' &
wait";

/// As socat prints an address of IPv4 that comes to a socket of IPv6, and one of IPv6.
const GATEWAY: &str = "10.86.0.1";

fn host(purpose: &str) -> Host {
    let host = Host::boot(purpose);
    host.run(OUTSIDE).ok();
    host
}

/// A container that serves at port 80, on networks of its own.
fn server<'a>(host: &'a Host, name: &str, network: &str) -> Declared<'a> {
    let script = SERVER.replace("$port", "80").replace("$name", name);
    let toml = format!(
        "rootfs = \"{DEBIAN}\"\ninit = true\ncommand = [\"/bin/sh\", \"-c\", '''{script}''']\n[network]\n{network}\n"
    );
    host.declare(name, &toml)
}

/// Starts it, and waits until it serves.
fn start(container: &Declared) {
    container.start();
    let pid = container.show("MainPID");
    eventually(|| {
        let listening = container.host.run(&format!("nsenter -n -t {pid} ss -Hltun 'sport = 80'")).stdout;
        if listening.lines().count() == 2 { Ok(()) } else { Err(format!("{}: {listening}", container.name)) }
    });
}

/// What a client is answered: `from` is a prefix of its command, `to` an address of socat's.
fn ask(host: &Host, from: &str, to: &str) -> String {
    // A server that is done closes a connection at which something unread waits with a reset.
    let script = match to.starts_with("UDP") {
        true => format!("echo | timeout 5 {from} socat -T 2 -t 2 - {to} 2>&1 | head -n 1"),
        false => format!("timeout 5 {from} socat -T 2 -t 2 - {to},connect-timeout=2 </dev/null 2>&1 | head -n 1"),
    };
    // socat's own server loses a datagram now and then.
    let tries = if to.starts_with("UDP") { 5 } else { 1 };
    let answers = (0..tries).map(|_| plain(host.run(&script).stdout.trim_end()));
    let mut answers = answers.skip_while(String::is_empty);
    answers.next().unwrap_or_default()
}

/// With addresses as everybody writes them.
fn plain(text: &str) -> String {
    let word = |word: &str| match word.trim_matches(['[', ']']).parse::<std::net::Ipv6Addr>() {
        Ok(address) => address.to_canonical().to_string(),
        Err(_) => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn inside(container: &Declared) -> String {
    format!("berthctl exec -i {} --", container.name)
}

const FAR: &str = "ip netns exec far";

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
