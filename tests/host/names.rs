//! `berth-names`, asked from namespaces that the tests join to bridges of their own, by what they write into the state.

use crate::ring::{Host, eventually, host};

/// Bridges with a namespace for each container on them, and the rule by which questions to a gateway come to the responder.
const NETWORKS: &str = r#"
set -e
state=/run/berth/state/networks
bridge() { # NAME 4-PREFIX 6-PREFIX INTERNAL
    ip link add br-$1 type bridge
    ip link set br-$1 up
    ip addr add $2.1/24 dev br-$1
    ip addr add $3::1/64 dev br-$1 nodad
    mkdir -p $state/$1/members
    echo '{"name":"'$1'","driver":"bridge","interface":"br-'$1'","internal":'$4',"isolate":false,"dns":true,"mtu":null,
        "subnets":[{"subnet":"'$2'.0/24","gateway":"'$2'.1"},{"subnet":"'$3'::/64","gateway":"'$3'::1"}]}' >$state/$1/new
    mv $state/$1/new $state/$1/network.json
}
member() { # NETWORK CONTAINER 4-ADDRESS 6-ADDRESS ALIASES
    echo '{"container":"'$2'","interface":"eth0","host-interface":null,"mac":null,
        "addresses":["'$3'/24","'$4'/64"],"aliases":['$5']}' >$state/$1/members/$2.new
    mv $state/$1/members/$2.new $state/$1/members/$2.json
}
join() { # NETWORK CONTAINER 4-ADDRESS 6-ADDRESS ALIASES
    ip netns add $2 2>/dev/null || true
    ip link add $1-$2 type veth peer name eth-$1 netns $2
    ip link set $1-$2 master br-$1 up
    ip -n $2 link set lo up
    ip -n $2 link set eth-$1 up
    ip -n $2 addr add $3/24 dev eth-$1
    ip -n $2 addr add $4/64 dev eth-$1 nodad
    member "$@"
}
bridge one 10.71.0 fd71 false
bridge two 10.72.0 fd72 false
bridge shut 10.73.0 fd73 true
join one web 10.71.0.2 fd71::2 '"www","Shop"'
join one db 10.71.0.3 fd71::3 '"store"'
join two web 10.72.0.2 fd72::2
join two cache 10.72.0.3 fd72::3
join shut vault 10.73.0.2 fd73::2
nft -f - <<'RULES'
table inet redirected {
    chain prerouting {
        type nat hook prerouting priority dstnat
        iifname "br-*" fib daddr type local udp dport 53 redirect to :5303
        iifname "br-*" fib daddr type local tcp dport 53 redirect to :5303
    }
}
RULES
systemctl start berth-names.socket
"#;

fn boot(purpose: &str) -> Host {
    let host = Host::boot(purpose);
    host.write("/srv/ask.py", include_str!("names/ask.py"));
    host.write("/srv/resolver.py", include_str!("names/resolver.py"));
    host.run(NETWORKS).ok();
    host
}

#[track_caller]
fn ask(host: &Host, container: &str, words: &str) -> String {
    host.run(&format!("ip netns exec {container} python3 /srv/ask.py {words}")).ok()
}

/// Makes these addresses the host's resolvers, each a process of resolver.py in a mode.
fn resolvers(host: &Host, servers: &[(&str, &str)]) {
    let mut conf = String::new();
    for (address, mode) in servers {
        conf += &format!("nameserver {address}\n");
        host.run(&format!(
            "set -e; unit=resolver-$(systemd-escape {address}); systemctl stop $unit 2>/dev/null || true
             systemd-run -q --unit=$unit -p StandardOutput=file:/run/$unit.out python3 /srv/resolver.py {address} {mode}
             until grep -q ready /run/$unit.out; do sleep 0.05; done"
        ))
        .ok();
    }
    host.write("/etc/resolv.new", &conf);
    host.run("mv /etc/resolv.new /etc/resolv.conf").ok();
}

#[test]
#[ignore = "host ring: make check"]
fn containers_find_each_other_by_both_families_and_both_protocols() {
    let host = boot("names-each-other");
    let questions = "web web/AAAA WWW shop.berth db/MX cache nobody nobody.berth 3.0.71.10.in-addr.arpa/PTR";
    let answers = "NOERROR 10.71.0.2\nNOERROR fd71::2\nNOERROR 10.71.0.2\nNOERROR 10.71.0.2\nNOERROR\nNXDOMAIN\n\
                   NXDOMAIN\nNXDOMAIN\nNOERROR db";
    for server in ["10.71.0.1", "fd71::1"] {
        for way in ["", "--tcp", "--edns 1232", "--port 5303", "--port 5303 --tcp"] {
            assert_eq!(ask(&host, "db", &format!("{way} {server} {questions}")), answers, "{server} {way}");
        }
    }
    // On two networks: by either gateway it knows them both, and nobody knows the internal one.
    for server in ["10.71.0.1", "fd72::1"] {
        assert_eq!(
            ask(&host, "web", &format!("{server} db cache vault")),
            "NOERROR 10.71.0.3\nNOERROR 10.72.0.3\nNXDOMAIN"
        );
    }
    // Who comes is found at once, and who has gone is not.
    host.run(&format!("{} member one late 10.71.0.9 fd71::9", functions())).ok();
    assert_eq!(ask(&host, "db", "10.71.0.1 late"), "NOERROR 10.71.0.9");
    host.run("rm /run/berth/state/networks/one/members/late.json").ok();
    assert_eq!(ask(&host, "db", "10.71.0.1 late"), "NXDOMAIN");
}

/// The functions of [`NETWORKS`] alone.
fn functions() -> &'static str {
    NETWORKS.split_once("bridge one").map_or("", |(functions, _)| functions)
}

#[test]
#[ignore = "host ring: make check"]
fn on_a_host_without_ipv6_it_answers_by_the_other() {
    let host = boot("names-v4");
    host.write(
        "/run/systemd/system/berth-names.socket.d/v4.conf",
        "[Socket]\nListenDatagram=\nListenStream=\nListenDatagram=0.0.0.0:5303\nListenStream=0.0.0.0:5303",
    );
    host.run("systemctl daemon-reload; systemctl stop berth-names.service; systemctl restart berth-names.socket").ok();
    for way in ["", "--tcp"] {
        let told = ask(&host, "db", &format!("{way} 10.71.0.1 web web/AAAA nobody"));
        assert_eq!(told, "NOERROR 10.71.0.2\nNOERROR fd71::2\nNXDOMAIN");
    }
    assert_eq!(host.run("python3 /srv/ask.py --port 5303 127.0.0.1 web").ok(), "REFUSED");
}

#[test]
#[ignore = "host ring: make check"]
fn a_thousand_questions_are_answered_though_the_responder_is_killed_again_and_again() {
    let host = boot("names-killed");
    // One that has just come is given the time to answer something, and what asks takes its time as well.
    let killer = "systemd-run -q --unit=killer bash -c 'while sleep 1; do
        pid=$(systemctl show --value -p MainPID berth-names.service); ((pid == 0)) || { kill -9 $pid && echo killed; }; done'";
    host.run(killer).ok();
    let words = "web db/AAAA ".repeat(500);
    let answers = ask(&host, "db", &format!("--every 0.3 --pause 0.005 10.71.0.1 {words}"));
    let count = |line: &str| answers.lines().filter(|found| *found == line).count();
    assert_eq!((count("NOERROR 10.71.0.2"), count("NOERROR fd71::3")), (500, 500));
    host.run("systemctl stop killer").ok();
    let killed = host.run("journalctl --sync; journalctl -q -o cat -u killer | grep -c killed").ok();
    assert!(killed.parse::<u32>().is_ok_and(|count| count >= 3), "killed {killed} times");
    assert_eq!(host.show("berth-names.socket", "ActiveState"), "active");
}

#[test]
#[ignore = "host ring: make check"]
fn strangers_are_refused_and_learn_nothing() {
    let host = boot("names-strangers");
    let ask_here = |words: &str| host.run(&format!("python3 /srv/ask.py --port 5303 {words}"));
    for server in ["127.0.0.1", "::1", "10.71.0.1", "fd71::1"] {
        assert_eq!(ask_here(&format!("{server} web example.org")).ok(), "REFUSED\nREFUSED", "{server}");
        let closed = ask_here(&format!("--tcp {server} web"));
        assert!(closed.code != Some(0) && closed.stdout.is_empty(), "{closed:?}");
    }
    // A neighbour of the host's, which says that it is a container: it comes by another interface.
    let outside = "set -e; ip netns add outside; ip link add outer type veth peer name eth0 netns outside
        ip link set outer up; ip addr add 10.79.0.1/24 dev outer; ip -n outside link set eth0 up
        ip -n outside addr add 10.79.0.2/24 dev eth0; ip -n outside addr add 10.71.0.3/32 dev eth0";
    host.run(outside).ok();
    // With the rules it does not come so far; without them it learns nothing either.
    host.run("berthctl network reload").ok();
    host.run("ip netns exec outside python3 /srv/ask.py --port 5303 10.79.0.1 web").exits(1);
    host.run(
        "systemctl stop berth-network.path berth-network.socket berth-network.service; nft delete table inet berth",
    )
    .ok();
    assert_eq!(ask(&host, "outside", "--port 5303 10.79.0.1 web"), "REFUSED");
    host.run("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.outer.rp_filter=0").ok();
    assert_eq!(ask(&host, "outside", "--source 10.71.0.3 --port 5303 10.79.0.1 web"), "REFUSED");
}

#[test]
#[ignore = "host ring: make check"]
fn the_rest_is_asked_of_the_host_s_resolvers() {
    let host = boot("names-elsewhere");
    resolvers(&host, &[("127.0.0.11", "/run/asked")]);
    assert_eq!(
        ask(&host, "db", "10.71.0.1 a.example.org B.Example.org nowhere.example.net"),
        "NOERROR 192.0.2.7\nNOERROR 192.0.2.7\nNXDOMAIN"
    );
    assert_eq!(ask(&host, "db", "fd71::1 many.example.org"), "NOERROR TC");
    let many = ask(&host, "db", "--tcp 10.71.0.1 many.example.org a.example.org");
    assert_eq!(many.split_whitespace().filter(|word| word.starts_with("192.0.2.")).count(), 201, "{many}");
    // Names of hosts here do not go out, nor do addresses of the network, nor anything from an internal one.
    ask(&host, "db", "10.71.0.1 single single.berth 99.0.71.10.in-addr.arpa/PTR");
    assert_eq!(ask(&host, "vault", "10.73.0.1 inner.example.org vault web"), "NXDOMAIN\nNOERROR 10.73.0.2\nNXDOMAIN");
    let asked = host.run("cat /run/asked").ok();
    assert!(asked.contains("udp") && asked.contains("tcp"), "{asked}");
    assert!(!asked.contains("single") && !asked.contains("99") && !asked.contains("inner"), "{asked}");
    // The first does not answer, the second is not there, the third does not know.
    resolvers(&host, &[("127.0.0.12", "silent"), ("127.0.0.13", "failing"), ("127.0.0.11", "/run/asked")]);
    host.run("systemctl stop resolver-127.0.0.13").ok();
    for way in ["--every 5", "--every 5 --tcp"] {
        assert_eq!(ask(&host, "db", &format!("{way} 10.71.0.1 c.example.org")), "NOERROR 192.0.2.7", "{way}");
    }
    resolvers(&host, &[("127.0.0.13", "failing"), ("127.0.0.11", "/run/asked")]);
    assert_eq!(ask(&host, "db", "--every 5 10.71.0.1 d.example.org"), "NOERROR 192.0.2.7");
    // Nobody is there.
    host.run("systemctl stop resolver-127.0.0.11 resolver-127.0.0.13").ok();
    assert_eq!(ask(&host, "db", "--every 5 10.71.0.1 e.example.org web"), "SERVFAIL\nNOERROR 10.71.0.2");
}

#[test]
#[ignore = "host ring: make check"]
fn a_question_that_would_come_back_to_the_responder_ends() {
    let host = boot("names-loop");
    host.write("/etc/resolv.conf", "nameserver 10.71.0.1\nnameserver fd71::1");
    assert_eq!(ask(&host, "db", "--every 9 10.71.0.1 a.example.org"), "SERVFAIL");
    // A resolver in a container, which is the host's own, and asks the responder what it is asked.
    host.run("systemctl kill -s KILL berth-names.service; systemctl reset-failed berth-names.service").ok();
    host.write(
        "/srv/loop.py",
        "import socket, select\n\
         front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); front.bind(('10.71.0.2', 53))\n\
         back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); back.connect(('10.71.0.1', 53))\n\
         open('/run/ready', 'w').close()\n\
         count = 0\n\
         while True:\n    \
             for ready in select.select([front, back], [], [])[0]:\n        \
                 packet, peer = ready.recvfrom(4096)\n        \
                 if ready is front:\n            \
                     asker, count = peer, count + 1; open('/run/count', 'w').write(str(count)); back.send(packet)\n        \
                 else:\n            front.sendto(packet, asker)\n",
    );
    host.run("set -e; systemd-run -q --unit=loop ip netns exec web python3 /srv/loop.py; until [[ -e /run/ready ]]; do sleep 0.05; done")
        .ok();
    host.write("/etc/resolv.conf", "nameserver 10.71.0.2");
    assert_eq!(ask(&host, "db", "--every 9 10.71.0.1 b.example.org web"), "SERVFAIL\nNOERROR 10.71.0.2");
    let count: u32 = host.run("cat /run/count").ok().parse().unwrap();
    assert!((1..=4).contains(&count), "asked {count} times");
}

#[test]
#[ignore = "host ring: make check"]
fn the_responder_can_do_nothing_else_and_goes_when_nobody_asks() {
    let host = boot("names-idle");
    host.write(
        "/run/systemd/system/berth-names.service.d/idle.conf",
        "[Service]\nExecStart=\nExecStart=/usr/lib/berth/berth-names 1",
    );
    host.run("systemctl daemon-reload").ok();
    for _ in 0..3 {
        let status = eventually(|| {
            assert_eq!(ask(&host, "db", "10.71.0.1 web"), "NOERROR 10.71.0.2");
            let pid = host.show("berth-names.service", "MainPID");
            let status = host.run(&format!("grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/{pid}/status"));
            if status.code == Some(0) { Ok(status.stdout) } else { Err(status.stderr) }
        });
        assert!(!status.contains("Uid:\t0"), "{status}");
        assert_eq!(status.matches("0000000000000000").count(), 2, "{status}");
        assert!(status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"), "{status}");
        eventually(|| match host.show("berth-names.service", "ActiveState").as_str() {
            "inactive" => Ok(()),
            other => Err(other.to_owned()),
        });
        assert_eq!(host.show("berth-names.service", "Result"), "success");
    }
}

#[test]
#[ignore = "host ring: make check"]
fn a_flood_of_nonsense_leaves_it_answering() {
    let host = boot("names-flood");
    assert_eq!(ask(&host, "db", "10.71.0.1 web"), "NOERROR 10.71.0.2");
    let first = host.show("berth-names.service", "MainPID");
    host.write(
        "/srv/flood.py",
        "import os, random, socket\n\
         s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('10.71.0.1', 53))\n\
         good = bytes.fromhex('000701000001000000000001037765620000010001') + bytes.fromhex('0000291000000000000000')\n\
         for turn in range(20000):\n    \
             packet = bytearray(good)\n    \
             for _ in range(random.randrange(4)): packet[random.randrange(len(packet))] = random.randrange(256)\n    \
             s.send(packet[:random.randrange(len(packet) + 1)] if turn % 2 else packet + os.urandom(random.randrange(4000)))\n\
         held = [socket.create_connection(('10.71.0.1', 53)) for _ in range(40)]\n\
         for one in held:\n    \
             try: one.send(os.urandom(3))\n    \
             except OSError: pass\n",
    );
    host.run("ip netns exec db python3 /srv/flood.py").ok();
    assert_eq!(ask(&host, "db", "10.71.0.1 web"), "NOERROR 10.71.0.2");
    assert_eq!(ask(&host, "web", "--tcp 10.71.0.1 db"), "NOERROR 10.71.0.3");
    assert_eq!(host.show("berth-names.service", "MainPID"), first, "the same process");
}

#[test]
#[ignore = "host ring: make check"]
fn the_host_finds_a_container_by_its_name_in_machined() {
    let container = host().declare_shell("named", "", "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done");
    container.start();
    container.with_payload(
        "set -e; inside() { nsenter -t $pid -n ip \"$@\"; }
         inside link add net0 type bridge; inside link set net0 up
         inside addr add 10.78.0.2/24 dev net0; inside addr add fd78::2/64 dev net0 nodad",
    );
    assert!(host().run("grep '^hosts:' /etc/nsswitch.conf").ok().contains("mymachines"));
    let found = eventually(|| {
        // getent would leave IPv4 out on a host that has no such address itself.
        let found = host().run("python3 -c 'import socket; print(socket.getaddrinfo(\"named\", None))'");
        if found.code == Some(0) { Ok(found.stdout) } else { Err(found.stderr) }
    });
    assert!(found.contains("10.78.0.2") && found.contains("fd78::2"), "{found}");
    container.stop();
    assert_eq!(host().run("getent hosts named").code, Some(2));
}
