//! berth's own table as a text for nft(8): the rules, which never change, and every element there is to be.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::element::Element;
use crate::network::NAMES_PORT;

/// Replaces the table, if there is one, in one transaction. No other table is named.
///
/// The rules are the same however many networks and containers there are: what differs is in sets and maps, and a packet
/// of a connection that is known already meets none of those for addresses. What is accepted here may still be dropped by
/// a table of somebody else's, and must be: a verdict holds within its own chain.
fn rules() -> String {
    format!(
        r#"table inet berth
delete table inet berth
table inet berth {{
	map published4 {{ type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service; }}
	map published4-any {{ type inet_proto . inet_service : ipv4_addr . inet_service; }}
	map published6 {{ type inet_proto . ipv6_addr . inet_service : ipv6_addr . inet_service; }}
	map published6-any {{ type inet_proto . inet_service : ipv6_addr . inet_service; }}
	set bridges {{ type ifname; }}
	set within {{ type ifname . ifname; }}
	set back4 {{ type ifname . ipv4_addr; flags interval; }}
	set back6 {{ type ifname . ipv6_addr; flags interval; }}
	set translated {{ type ifname; }}
	set internal {{ type ifname; }}
	set isolated {{ type ifname; }}
	set named {{ type ifname; }}
	chain guard {{
		type filter hook prerouting priority raw; policy accept;
		iifname @bridges ip daddr 127.0.0.0/8 drop comment "only the host itself may go to published ports by 127.0.0.1"
		iifname @bridges ip saddr 127.0.0.0/8 drop
		iifname != @bridges iif != lo meta l4proto {{ tcp, udp }} th dport {NAMES_PORT} fib daddr type local drop comment "berth-names is there for containers"
		iifname @internal fib daddr . iif type unicast fib daddr type local drop comment "of the host, its address there alone"
	}}
	chain publish {{
		dnat ip to meta l4proto . ip daddr . th dport map @published4
		dnat ip to meta l4proto . th dport map @published4-any
		dnat ip6 to meta l4proto . ip6 daddr . th dport map @published6
		dnat ip6 to meta l4proto . th dport map @published6-any
	}}
	chain arriving {{
		type nat hook prerouting priority dstnat; policy accept;
		iifname @named meta l4proto {{ tcp, udp }} th dport 53 fib daddr . iif type local redirect to :{NAMES_PORT}
		fib daddr type local jump publish
	}}
	chain own {{
		type nat hook output priority -100; policy accept;
		ip6 daddr ::1 return comment "cannot be translated: refused, so that 127.0.0.1 is tried"
		fib daddr type local jump publish
	}}
	chain leaving {{
		type nat hook postrouting priority srcnat; policy accept;
		oifname @bridges ct status dnat fib saddr type local masquerade comment "the host to published ports"
		ct status dnat oifname . ip saddr @back4 masquerade comment "containers to published ports of their own network"
		ct status dnat oifname . ip6 saddr @back6 masquerade
		iifname @translated oifname != @bridges masquerade
	}}
	chain between {{
		type filter hook forward priority filter; policy accept;
		ct state established,related accept
		iifname . oifname @within accept
		iifname @internal drop
		oifname @internal drop
		iifname @isolated oifname @bridges drop
		iifname @bridges oifname @isolated drop
		ct status dnat accept
		oifname @bridges iifname != @bridges drop comment "from outside, published ports alone"
	}}
}}
"#
    )
}

/// How many rules the table has.
pub fn count() -> usize {
    rules().lines().filter(|line| line.starts_with("\t\t") && !line.contains(" hook ")).count()
}

/// The whole table.
pub fn ruleset(elements: &[Element]) -> String {
    let mut sets: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for Element { set, key, end, data } in elements {
        let joined = |parts: Vec<String>| parts.join(" . ");
        let key = key.iter().enumerate().map(|(at, part)| match end.get(at) {
            Some(end) if end != part => format!("{}-{}", part.text(), end.text()),
            _ => part.text(),
        });
        let data: Vec<String> = data.iter().map(super::Part::text).collect();
        let colon = if data.is_empty() { "" } else { " : " };
        sets.entry(set).or_default().push(format!("{}{colon}{}", joined(key.collect()), joined(data)));
    }
    let mut text = rules();
    for (set, elements) in sets {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "add element inet berth {set} {{ {} }}", elements.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::attachment::{Attachment, Published};
    use crate::network::firewall::element::{of_network, of_published};
    use crate::network::state::{Live, LiveSubnet};

    #[test]
    fn each_port_is_one_element_and_a_network_is_known_by_its_bridge() {
        let network = Live {
            name: "default".to_owned(),
            driver: Live::BRIDGE.to_owned(),
            interface: "berth-default".to_owned(),
            subnets: vec![LiveSubnet { subnet: "10.88.0.0/16".parse().unwrap(), gateway: "10.88.0.1".parse().ok() }],
            internal: false,
            isolate: true,
            dns: false,
            mtu: None,
        };
        let published = |address: Option<&str>, host, container, count| Published {
            protocol: "udp".to_owned(),
            address: address.map(|address| address.parse().unwrap()),
            host,
            container,
            count,
        };
        let attachment = Attachment {
            published: vec![published(None, 5000, 6000, 2), published(Some("2001:db8::1"), 53, 53, 1)],
            targets: vec!["10.88.0.7".parse().unwrap(), "fd00::7".parse().unwrap()],
            ..Attachment::default()
        };
        let mut elements = of_network(&network);
        elements.extend(of_published(&attachment));
        let text = ruleset(&elements);
        for line in [
            "add element inet berth back4 { \"berth-default\" . 10.88.0.0-10.88.255.255 }",
            "add element inet berth isolated { \"berth-default\" }",
            "add element inet berth translated { \"berth-default\" }",
            "add element inet berth published4-any { 17 . 5000 : 10.88.0.7 . 6000, 17 . 5001 : 10.88.0.7 . 6001 }",
            "add element inet berth published6 { 17 . 2001:db8::1 . 53 : fd00::7 . 53 }",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("element inet berth named") && !text.contains("element inet berth published4 "));
        assert_eq!(count(), text.lines().filter(|line| line.starts_with("\t\t") && !line.contains("policy")).count());
    }
}
