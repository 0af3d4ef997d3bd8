//! `[network]`: what can be published and how it is read, and what the modes leave to be said.

use berth::config::{ExtraInterfaceKind, IpvlanMode, NetworkName};

use super::*;

/// What is written for what was typed, or the message and its help, `NOTHING` where there is none.
const NOTHING: &str = "";
const FORM: &str = "a port to publish: [ADDRESS:][HOST:]CONTAINER[/udp], such as 8080:80 or 127.0.0.1:8080:80";

const GOOD: [(&str, &str); 24] = [
    ("80", "80/tcp"),
    ("80/udp", "80/udp"),
    ("1", "1/tcp"),
    ("65535", "65535/tcp"),
    ("9000-9009", "9000-9009/tcp"),
    ("80-80", "80/tcp"),
    ("8080:80", "8080:80/tcp"),
    ("8080:80/tcp", "8080:80/tcp"),
    ("8080:80/udp", "8080:80/udp"),
    ("9000-9009:19000-19009", "9000-9009:19000-19009/tcp"),
    ("1-65535:1-65535/udp", "1-65535:1-65535/udp"),
    ("127.0.0.1:8443:443", "127.0.0.1:8443:443/tcp"),
    ("127.0.0.1::80", "127.0.0.1::80/tcp"),
    ("127.0.0.1::80-81/udp", "127.0.0.1::80-81/udp"),
    ("127.255.255.254:80:80", "127.255.255.254:80:80/tcp"),
    ("0.0.0.0:80:80", "0.0.0.0:80:80/tcp"),
    ("192.168.1.2:53:53/udp", "192.168.1.2:53:53/udp"),
    ("[::]:9000-9009:9000-9009/udp", "[::]:9000-9009:9000-9009/udp"),
    ("[::]::80", "[::]::80/tcp"),
    ("[fd00::1]:8080:80", "[fd00::1]:8080:80/tcp"),
    ("[fd00:0:0::0001]:8080:80", "[fd00::1]:8080:80/tcp"),
    ("[2001:db8::1]::9000-9001", "[2001:db8::1]::9000-9001/tcp"),
    ("[fe80::1]:80:80", "[fe80::1]:80:80/tcp"),
    ("[::2]:80:80", "[::2]:80:80/tcp"),
];

#[test]
fn what_is_published_is_printed_as_it_can_be_written() {
    for (text, expected) in GOOD {
        let published = published(text).unwrap_or_else(|problem| panic!("{text:?}: {problem:?}"));
        assert_eq!(published, expected, "{text:?}");
        assert_eq!(self::published(&published).as_deref(), Ok(expected), "{text:?}");
    }
}

#[test]
fn what_cannot_be_published_has_one_clear_error() {
    let not_a_form = |text: &str| format!("“{text}” is not {FORM}");
    for text in [
        "",
        ":",
        "::",
        ":::",
        "/tcp",
        "[fd00::1",
        "[fd00::1]",
        "[fd00::1]:",
        "[fd00::1]80:80",
        "[fd00::1]:1:2:3",
        "1:2:3:4",
    ] {
        assert_eq!(published(text), Err((not_a_form(text), NOTHING.to_owned())), "{text:?}");
    }
    for (text, message, help) in BAD {
        assert_eq!(published(text), Err(((*message).to_owned(), (*help).to_owned())), "{text:?}");
    }
    for (text, help) in
        [("tcp:8080:80", "8080:80/tcp"), ("udp:53", "53/udp"), ("tcp::8080", "8080/tcp"), ("sctp:1:1", "1:1/sctp")]
    {
        let help = format!("the protocol stands last: \"{help}\"");
        assert_eq!(published(text), Err((not_a_form(text), help)), "{text:?}");
    }
}

const BAD: &[(&str, &str, &str)] = &[
    ("0", "“0” is not a port: they are 1 to 65535", NOTHING),
    ("8080:0", "“0” is not a port: they are 1 to 65535", NOTHING),
    ("0:80", "“0” is not a port", "leave the host's port out for one that the kernel picks"),
    ("65536", "“65536” is not a port: they are 1 to 65535", NOTHING),
    ("65536:80", "“65536” is not a port: they are 1 to 65535", NOTHING),
    ("8080:99999999999999999999", "“99999999999999999999” is not a port: they are 1 to 65535", NOTHING),
    ("-1", "“-1” has only one end: a range is FIRST-LAST", NOTHING),
    ("80-", "“80-” has only one end: a range is FIRST-LAST", NOTHING),
    ("-", "“-” has only one end: a range is FIRST-LAST", NOTHING),
    ("http", "“http” is not a port: a number from 1 to 65535", NOTHING),
    ("8080:http", "“http” is not a port: a number from 1 to 65535", NOTHING),
    ("+80", "“+80” is not a port: a number from 1 to 65535", NOTHING),
    (" 80", "“ 80” is not a port: a number from 1 to 65535", NOTHING),
    ("80 :80", "“80 ” is not a port: a number from 1 to 65535", NOTHING),
    ("0x50", "“0x50” is not a port: a number from 1 to 65535", NOTHING),
    ("８０", "“８０” is not a port: a number from 1 to 65535", NOTHING),
    ("080", "“080” is not a port: write it without the zero in front", NOTHING),
    ("1-2-3", "“2-3” is not a port: a number from 1 to 65535", NOTHING),
    ("9009-9000:9009-9000", "“9009-9000” ends before it begins", "write 9000-9009"),
    (
        "9000-9009:9000-9008",
        "10 of the host's ports cannot lead to 9 of the container's",
        "both ranges have the same length",
    ),
    ("9000-9009:80", "10 of the host's ports cannot lead to 1 of the container's", "both ranges have the same length"),
    ("8080:80-81", "1 of the host's ports cannot lead to 2 of the container's", "both ranges have the same length"),
    ("8080:", "the container's port is missing", NOTHING),
    ("127.0.0.1:80:", "the container's port is missing", NOTHING),
    (":80", "“:80” has no port of the host's before the colon", "write \"80\" for one that the kernel picks"),
    ("::80", "“::80” has no address before the first colon", "leave the colon out for every address of the host's"),
    (
        ":8080:80",
        "“:8080:80” has no address before the first colon",
        "leave the colon out for every address of the host's",
    ),
    (
        "127.0.0.1:80",
        "“127.0.0.1:80” has an address, but one port alone",
        "write \"127.0.0.1::80\" for one of the host's that the kernel picks",
    ),
    (
        "[fd00::1]:80",
        "“[fd00::1]:80” has an address, but one port alone",
        "write \"[fd00::1]::80\" for one of the host's that the kernel picks",
    ),
    ("icmp:80:8080", "“icmp” is not an IP address, such as 127.0.0.1 or [fd00::1]", NOTHING),
    ("%$š", "“%$š” is not a port: a number from 1 to 65535", NOTHING),
    ("localhost:8080:80", "“localhost” is not an IP address, such as 127.0.0.1 or [fd00::1]", NOTHING),
    ("256.0.0.1:80:80", "“256.0.0.1” is not an IP address, such as 127.0.0.1 or [fd00::1]", NOTHING),
    ("127.0.0.01:80:80", "“127.0.0.01” is not an IP address, such as 127.0.0.1 or [fd00::1]", NOTHING),
    ("10.0.0.0/8:80:80", "“8:80:80” is not a protocol that can be published: these are tcp and udp", NOTHING),
    ("fd00::1:8080:80", "the IPv6 address of “fd00::1:8080:80” is not in brackets", "write \"[fd00::1]:8080:80\""),
    (":::8080:80", "the IPv6 address of “:::8080:80” is not in brackets", "write \"[::]:8080:80\""),
    ("[127.0.0.1]:80:80", "“[127.0.0.1]:80:80” is not right", "an IPv4 address stands without brackets"),
    ("[fe80::1%eth0]:80:80", "“fe80::1%eth0” is not an IPv6 address", NOTHING),
    ("[]:80:80", "“” is not an IPv6 address", NOTHING),
    (
        "[::1]:8080:80",
        "nothing can be published on [::1]: the kernel routes no packet on from there",
        "write \"127.0.0.1:8080:80\"; “localhost” leads there as well",
    ),
    (
        "[0::1]::80/udp",
        "nothing can be published on [::1]: the kernel routes no packet on from there",
        "write \"127.0.0.1::80/udp\"; “localhost” leads there as well",
    ),
    ("[::ffff:127.0.0.1]:80:80", "“::ffff:127.0.0.1” is not an address of an interface", "write 127.0.0.1"),
    ("224.0.0.1:80:80", "“224.0.0.1” is not an address of one host: nothing can be published on it", NOTHING),
    (
        "255.255.255.255:80:80",
        "“255.255.255.255” is not an address of one host: nothing can be published on it",
        NOTHING,
    ),
    ("[ff02::1]:80:80", "“ff02::1” is not an address of one host: nothing can be published on it", NOTHING),
    ("80/", "“80/” has no protocol behind the slash", "write /tcp or /udp"),
    ("80/TCP", "“TCP” is not a protocol that can be published", "write /tcp"),
    ("80/sctp", "“sctp” is not a protocol that can be published: these are tcp and udp", NOTHING),
    ("80/tcp,udp", "“tcp,udp” is more than one protocol", "publish the port once for each of them"),
    ("80/tcp/udp", "“tcp/udp” is not a protocol that can be published: these are tcp and udp", NOTHING),
];

fn published(text: &str) -> Result<String, (String, String)> {
    said("publish", text, |network| network.publish[0].to_string())
}

/// What a list of one such text means, or what is wrong with it.
fn said(
    key: &str,
    text: &str,
    meaning: fn(&berth::config::ContainerNetwork) -> String,
) -> Result<String, (String, String)> {
    match parse(&format!("image = \"x\"\n[network]\nmode = \"bridge\"\n{key} = [{text:?}]")) {
        Ok(container) => Ok(meaning(&container.network)),
        Err(diagnostics) => {
            let mut problems = diagnostics.problems();
            let problem = problems.next().unwrap();
            assert!(problems.next().is_none(), "{text:?}: {diagnostics}");
            assert_eq!((problem.line, problem.column), (4, key.len() + 5), "{text:?}");
            let message = problem.message.strip_prefix(&format!("{key}: ")).unwrap();
            Err((message.to_owned(), problem.help.clone().unwrap_or_default()))
        }
    }
}

#[test]
fn an_address_of_its_own_is_one_that_an_interface_can_have() {
    let address = |text: &str| said("ip", text, |network| network.ip[0].to_string());
    for (text, expected) in [
        ("10.88.0.10", "10.88.0.10"),
        ("1.0.0.1", "1.0.0.1"),
        ("223.255.255.254", "223.255.255.254"),
        ("fd00::10", "fd00::10"),
        ("FD00:0:0::10", "fd00::10"),
        ("2001:db8::1", "2001:db8::1"),
    ] {
        assert_eq!(address(text).as_deref(), Ok(expected));
    }
    let no_address = |text: &str| format!("“{text}” is not an IP address, such as 10.0.0.53 or fd00::53");
    for text in
        ["", "10.88.0", "10.88.0.256", "010.88.0.1", "10.88.0.1.2", " 10.88.0.1", "db", "fd00::1%eth0", "fd00:::1"]
    {
        assert_eq!(address(text), Err((no_address(text), NOTHING.to_owned())));
    }
    for (text, help) in [
        ("10.88.0.10/24", "an address without a prefix length"),
        ("fd00::1/64", "an address without a prefix length"),
        ("[fd00::1]", "write \"fd00::1\""),
        ("[fd00::1]:80", "write \"fd00::1\""),
    ] {
        assert_eq!(address(text), Err((no_address(text), help.to_owned())));
    }
    for text in ["0.0.0.0", "::", "127.0.0.1", "127.1.2.3", "::1", "224.0.0.1", "255.255.255.255", "ff02::1"] {
        let message = format!("“{text}” is not an address that an interface can have");
        assert_eq!(address(text), Err((message, NOTHING.to_owned())));
    }
    let mapped = "“::ffff:10.0.0.1” is not an address of IPv6's own".to_owned();
    assert_eq!(address("::ffff:10.0.0.1"), Err((mapped, "write \"10.0.0.1\"".to_owned())));
}

fn network(text: &str) -> berth::config::ContainerNetwork {
    let text = format!("image = \"x\"\n[network]\n{text}");
    parse(&text).unwrap_or_else(|diagnostics| panic!("{diagnostics}")).network
}

#[test]
fn a_bridge_is_on_the_default_network_where_nothing_else_is_said() {
    assert_eq!(network("mode = \"bridge\"").networks, [NetworkName::default()]);
    let names = |text| network(text).networks.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names("mode = \"bridge\"\nnetworks = [\"back\", \"front-1\"]"), ["back", "front-1"]);
    assert!(names("mode = \"private\"").is_empty());
}

#[test]
fn every_mode_is_written_as_it_is_read() {
    for mode in ["bridge", "none", "private", "host", "container:db", "container:db@blue", "path:/run/netns/x"] {
        assert_eq!(network(&format!("mode = {mode:?}")).mode.to_string(), mode);
    }
}

#[test]
fn the_lists_of_a_drop_in_are_added_and_an_empty_one_begins_anew() {
    let main = "image = \"x\"\n[network]\nmode = \"bridge\"\nnetworks = [\"a\"]\npublish = [\"80:80\"]";
    let container =
        merged(&[main, "[network]\nnetworks = [\"b\"]\npublish = []", "network.publish = [\"81:81\"]"]).unwrap();
    let names: Vec<&str> = container.network.networks.iter().map(NetworkName::as_str).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(container.network.publish.iter().map(ToString::to_string).collect::<Vec<_>>(), ["81:81/tcp"]);
    let problems = merged(&[main, "network.publish = [\"127.0.0.1:80:1\"]"]).unwrap_err();
    assert!(problems.first_line().starts_with("1.toml:1:20: publish: port 80/tcp"), "{problems}");
    assert!(problems.first_line().contains("in web.toml:5"), "{problems}");
}

#[test]
fn interfaces_have_a_name_inside_by_their_kind() {
    let network = network(
        "mode = \"private\"\n[[network.interface]]\ntype = \"move\"\nparent = \"eth1\"\n[[network.interface]]\ntype = \"veth\"\n\
         [[network.interface]]\ntype = \"ipvlan\"\nparent = \"eth2\"\nvlan = 7\nmode = \"l3\"\nname = \"lan\"",
    );
    let names: Vec<&str> = network.interfaces.iter().map(|interface| interface.inner_name()).collect();
    assert_eq!(names, ["eth1", "host0", "lan"]);
    let ExtraInterfaceKind::Ipvlan { parent, mode } = &network.interfaces[2].kind else { panic!("{network:?}") };
    assert_eq!((parent.interface.as_str(), parent.vlan, *mode), ("eth2", Some(7), IpvlanMode::L3));
}

/// A list as long as a file can hold is not compared each with each.
#[test]
fn thousands_of_ports_are_looked_through_at_once() {
    let ports: Vec<String> =
        (1..=30_000).map(|port| format!("\"10.0.{}.{}:{port}:1\"", port / 250, port % 250)).collect();
    let text = format!("mode = \"bridge\"\npublish = [{}]", ports.join(", "));
    assert_eq!(network(&text).publish.len(), 30_000);
}
