//! Answers, question by question.

use std::net::IpAddr;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};

use super::answer::{Answer, Answerer};
use super::known::Known;
use crate::network::state::{Live, LiveSubnet, Member};

/// A bridge `br-NAME`, whose gateway is the first address of its subnet.
pub(super) fn live(name: &str, subnet: &str) -> Live {
    let subnet: ipnet::IpNet = subnet.parse().unwrap();
    let gateway = subnet.hosts().next();
    Live {
        name: name.to_owned(),
        driver: "bridge".to_owned(),
        interface: format!("br-{name}"),
        subnets: vec![LiveSubnet { subnet, gateway }],
        internal: false,
        isolate: false,
        dns: true,
        mtu: None,
    }
}

pub(super) fn member(container: &str, addresses: &[&str], aliases: &[&str]) -> Member {
    Member {
        container: container.to_owned(),
        interface: "eth0".to_owned(),
        host_interface: None,
        mac: None,
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
    }
}

/// `one` and `two` of both families, with `web` on both; `shut` is internal.
fn known() -> Known {
    let mut one = live("one", "10.1.0.0/24");
    one.subnets.push(live("one", "fd01::/64").subnets.remove(0));
    let members_of_one = vec![
        member("web", &["10.1.0.2/24", "fd01::2/64"], &["www", "Shop.Example.org"]),
        member("db", &["10.1.0.3/24"], &["store"]),
        member("db-copy", &["10.1.0.4/24"], &["store"]),
        member("store-only-six", &["fd01::5/64"], &[]),
    ];
    let members_of_two = vec![member("web", &["10.2.0.2/24"], &[]), member("cache", &["10.2.0.3/24"], &[])];
    let shut = Live { internal: true, ..live("shut", "10.3.0.0/24") };
    let silent = Live { dns: false, ..live("silent", "10.4.0.0/24") };
    Known::new([
        (one, members_of_one),
        (live("two", "10.2.0.0/24"), members_of_two),
        (shut, vec![member("vault", &["10.3.0.2/24"], &[]), member("guard", &["10.3.0.3/24"], &[])]),
        (silent, vec![member("mute", &["10.4.0.2/24"], &[])]),
    ])
}

pub(super) fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::new(4711, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message
}

enum Told {
    Message(Box<Message>),
    Elsewhere,
}

/// What is answered to a message from an address of a network.
fn told(known: &Known, network: &str, source: &str, message: &Message) -> Told {
    let source: IpAddr = source.parse().unwrap();
    let mut out = Vec::new();
    let asker = known.asker(Some(network), source);
    match Answerer::default().answer(&message.to_vec().unwrap(), asker, false, &mut out) {
        Answer::Here => Told::Message(Box::new(Message::from_vec(&out).unwrap())),
        Answer::Elsewhere(_) => Told::Elsewhere,
        Answer::Silence => panic!("no answer"),
    }
}

/// The same, as text: the code, then what the answer holds, sorted.
fn asked(network: &str, source: &str, name: &str, kind: RecordType) -> String {
    match told(&known(), network, source, &question(name, kind)) {
        Told::Elsewhere => "elsewhere".to_owned(),
        Told::Message(message) => {
            assert_eq!((message.id, message.message_type), (4711, MessageType::Response));
            let mut words: Vec<String> = message.answers.iter().map(|record| record.data.to_string()).collect();
            words.sort_unstable();
            words.insert(0, format!("{:?}", message.response_code));
            words.join(" ")
        }
    }
}

const WEB: (&str, &str) = ("br-one", "10.1.0.2");
const DB: (&str, &str) = ("br-one", "10.1.0.3");
const CACHE: (&str, &str) = ("br-two", "10.2.0.3");
const GUARD: (&str, &str) = ("br-shut", "10.3.0.3");

#[test]
fn every_kind_of_question_has_its_answer() {
    use RecordType::{A, AAAA, ANY, DNSKEY, DS, HTTPS, MX, NS, PTR, TXT};
    let cases = [
        // Names and aliases, in any case, with the zone and without.
        (DB, "web.", A, "NoError 10.1.0.2"),
        (DB, "web.", AAAA, "NoError fd01::2"),
        (DB, "WEB.Berth.", A, "NoError 10.1.0.2"),
        (DB, "www.", A, "NoError 10.1.0.2"),
        (DB, "shop.example.ORG.", A, "NoError 10.1.0.2"),
        (DB, "db.", A, "NoError 10.1.0.3"),
        (DB, "store.", A, "NoError 10.1.0.3 10.1.0.4"),
        (DB, "web.", ANY, "NoError 10.1.0.2 fd01::2"),
        (("br-one", "fd01::2"), "cache.", A, "NoError 10.2.0.3"),
        // A name without what is asked for; no name at all.
        (DB, "db.", AAAA, "NoError"),
        (DB, "store-only-six.", A, "NoError"),
        (DB, "web.", MX, "NoError"),
        (DB, "web.", HTTPS, "NoError"),
        (DB, "berth.", A, "NoError"),
        (DB, "nobody.", A, "NXDomain"),
        (DB, "nobody.", TXT, "NXDomain"),
        (DB, "nobody.berth.", A, "NXDomain"),
        (DB, "a.web.berth.", A, "NXDomain"),
        (DB, "nobody.berth.", NS, "NXDomain"),
        // Only who shares a network; by any of them.
        (DB, "cache.", A, "NXDomain"),
        (CACHE, "db.", A, "NXDomain"),
        (CACHE, "web.", A, "NoError 10.2.0.2"),
        (WEB, "web.", A, "NoError 10.1.0.2 10.2.0.2"),
        (WEB, "cache.", A, "NoError 10.2.0.3"),
        (WEB, "vault.", A, "NXDomain"),
        (GUARD, "vault.", A, "NoError 10.3.0.2"),
        // An address of the network where no container is known knows that network.
        (("br-one", "10.1.0.99"), "web.", A, "NoError 10.1.0.2"),
        (("br-one", "10.1.0.99"), "cache.", A, "NXDomain"),
        // Addresses.
        (DB, "2.0.1.10.in-addr.arpa.", PTR, "NoError web."),
        (DB, "2.0.1.10.IN-ADDR.arpa.", ANY, "NoError web."),
        (DB, "2.0.1.10.in-addr.arpa.", A, "NoError"),
        (DB, "77.0.1.10.in-addr.arpa.", PTR, "NXDomain"),
        (DB, "2.0.2.10.in-addr.arpa.", PTR, "elsewhere"),
        (WEB, "3.0.2.10.in-addr.arpa.", PTR, "NoError cache."),
        (DB, "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.d.f.ip6.arpa.", PTR, "NoError web."),
        (DB, "0.1.10.in-addr.arpa.", PTR, "elsewhere"),
        (DB, "999.0.1.10.in-addr.arpa.", PTR, "elsewhere"),
        // The rest of the world, and that nothing of it is asked on an internal network.
        (DB, "example.org.", A, "elsewhere"),
        (DB, "web.example.org.", A, "elsewhere"),
        (DB, "myberth.", A, "NXDomain"),
        (DB, "org.", DS, "elsewhere"),
        (DB, ".", DNSKEY, "elsewhere"),
        (GUARD, "example.org.", A, "NXDomain"),
        (GUARD, "2.0.1.10.in-addr.arpa.", PTR, "NXDomain"),
        (GUARD, ".", NS, "NXDomain"),
        // Strangers: by the wrong interface, from no network, the host itself, where there are no names.
        (("br-two", "10.1.0.2"), "web.", A, "Refused"),
        (("eth0", "10.1.0.2"), "web.", A, "Refused"),
        (("br-one", "192.0.2.1"), "web.", A, "Refused"),
        (("br-one", "10.1.0.1"), "web.", A, "Refused"),
        (("lo", "127.0.0.1"), "web.", A, "Refused"),
        (("br-silent", "10.4.0.2"), "mute.", A, "Refused"),
    ];
    for ((network, source), name, kind, expected) in cases {
        assert_eq!(asked(network, source, name, kind), expected, "{name} {kind} from {source} by {network}");
    }
}

#[test]
fn a_container_on_an_internal_network_and_another_one_may_ask_the_world() {
    let shut = Live { internal: true, ..live("shut", "10.3.0.0/24") };
    let known = Known::new([
        (shut, vec![member("both", &["10.3.0.2/24"], &[])]),
        (live("open", "10.5.0.0/24"), vec![member("both", &["10.5.0.2/24"], &[])]),
    ]);
    let question = question("example.org.", RecordType::A);
    assert!(matches!(told(&known, "br-shut", "10.3.0.2", &question), Told::Elsewhere));
}

#[test]
fn on_a_network_where_the_host_has_no_address_nobody_is_known() {
    let mut lan = live("lan", "10.6.0.0/24");
    lan.subnets[0].gateway = None;
    let known = Known::new([(lan, vec![member("web", &["10.6.0.2/24"], &[])])]);
    assert!(known.asker(Some("br-lan"), "10.6.0.2".parse().unwrap()).is_none());
}

#[test]
fn an_answer_bears_the_question_as_it_was_spelled_and_is_final() {
    let Told::Message(message) = told(&known(), WEB.0, WEB.1, &question("dB.", RecordType::A)) else { panic!() };
    assert_eq!(message.queries[0].name.to_ascii(), "dB.");
    assert_eq!(message.answers[0].name.to_ascii(), "dB.");
    assert_eq!(message.answers[0].ttl, 0);
    assert!(message.authoritative && message.recursion_available && message.recursion_desired);
    assert!(!message.truncation && message.edns.is_none());
}

#[test]
fn several_addresses_take_turns() {
    let (known, mut answerer, mut out) = (known(), Answerer::default(), Vec::new());
    let packet = question("store.", RecordType::A).to_vec().unwrap();
    let mut first = || {
        answerer.answer(&packet, known.asker(None, DB.1.parse().unwrap()), false, &mut out);
        Message::from_vec(&out).unwrap().answers[0].data.to_string()
    };
    let firsts = [first(), first(), first(), first()];
    assert!(firsts[0] != firsts[1] && firsts[0] == firsts[2] && firsts[1] == firsts[3], "{firsts:?}");
}

#[test]
fn what_does_not_fit_is_truncated_and_comes_whole_by_a_stream() {
    let all: Vec<String> = (2..102).map(|number| format!("10.1.0.{number}/24")).collect();
    let members = all.iter().enumerate().map(|(number, address)| member(&format!("c{number}"), &[address], &["all"]));
    let known = Known::new([(live("one", "10.1.0.0/24"), members.collect())]);
    let asker = || known.asker(Some("br-one"), "10.1.0.2".parse().unwrap());
    let mut question = question("all.", RecordType::A);
    let mut out = Vec::new();
    for (payload, longest) in [(None, 512), (Some(100), 512), (Some(1000), 1000), (Some(65000), 1232)] {
        question.edns = payload.map(|payload| {
            let mut edns = Edns::new();
            edns.set_max_payload(payload);
            edns
        });
        Answerer::default().answer(&question.to_vec().unwrap(), asker(), false, &mut out);
        let answer = Message::from_vec(&out).unwrap();
        assert!(out.len() <= longest && answer.truncation, "{} bytes of {longest}", out.len());
        assert_eq!(answer.edns.is_some(), payload.is_some());
    }
    Answerer::default().answer(&question.to_vec().unwrap(), asker(), true, &mut out);
    let answer = Message::from_vec(&out).unwrap();
    assert_eq!((answer.answers.len(), answer.truncation), (100, false));
}

#[test]
fn what_is_not_understood_is_refused_by_its_name() {
    let of = |change: fn(&mut Message)| {
        let mut message = question("web.", RecordType::A);
        change(&mut message);
        match told(&known(), DB.0, DB.1, &message) {
            Told::Message(message) => message.response_code,
            Told::Elsewhere => panic!("asked elsewhere"),
        }
    };
    assert_eq!(of(|message| message.metadata.op_code = OpCode::Status), ResponseCode::NotImp);
    assert_eq!(of(|message| message.metadata.op_code = OpCode::Notify), ResponseCode::NotImp);
    assert_eq!(of(|message| message.queries.clear()), ResponseCode::FormErr);
    assert_eq!(of(|message| message.queries.push(message.queries[0].clone())), ResponseCode::FormErr);
    assert_eq!(of(|message| message.queries[0].query_type = RecordType::AXFR), ResponseCode::Refused);
    assert_eq!(of(|message| message.queries[0].query_class = DNSClass::CH), ResponseCode::Refused);
    // BADVERS, whose number is also that of another code.
    assert_eq!(u16::from(of(|message| message.edns = Some(edns_of_version(1)))), 16);
    assert_eq!(of(|message| message.edns = Some(edns_of_version(0))), ResponseCode::NoError);
}

fn edns_of_version(version: u8) -> Edns {
    let mut edns = Edns::new();
    edns.set_version(version);
    edns
}

#[test]
fn malformed_packets_get_at_most_a_bare_error() {
    let good = question("web.", RecordType::A).to_vec().unwrap();
    let with = |position: usize, byte: u8| {
        let mut packet = good.clone();
        packet[position] = byte;
        packet
    };
    let answer = |packet: &[u8]| {
        let mut out = Vec::new();
        let known = known();
        let asker = known.asker(Some(DB.0), DB.1.parse().unwrap());
        match Answerer::default().answer(packet, asker, false, &mut out) {
            Answer::Here => Some(out[3] & 0x0f),
            Answer::Elsewhere(_) => panic!("asked elsewhere"),
            Answer::Silence => None,
        }
    };
    assert_eq!(answer(&good), Some(0));
    for length in 0..12 {
        assert_eq!(answer(&good[..length]), None, "{length} bytes");
    }
    for length in 12..good.len() {
        assert_eq!(answer(&good[..length]), Some(1), "{length} bytes");
    }
    assert_eq!(answer(&with(2, 0x80)), None, "an answer");
    assert_eq!(answer(&with(4, 0xff)), Some(1), "65281 questions");
    assert_eq!(answer(&with(7, 1)), Some(1), "an answer announced");
    assert_eq!(answer(&with(11, 1)), Some(1), "a record announced");
    assert_eq!(answer(&with(12, 0xc0)), Some(1), "a pointer");
    assert_eq!(answer(&with(12, 64)), Some(1), "a label of 64 bytes");
    assert_eq!(answer(&with(12, 200)), Some(1), "a label beyond the end");
    let mut pointed = good.clone();
    pointed.splice(12..17, [0xc0, 12]);
    assert_eq!(answer(&pointed), Some(1), "a name that is itself");
    let mut long = good[..12].to_vec();
    (0..8).for_each(|_| long.extend(std::iter::once(63).chain([b'a'; 63])));
    long.extend([0, 0, 1, 0, 1]);
    assert_eq!(answer(&long), Some(1), "a name of 512 bytes");
    let mut trailing = good.clone();
    trailing.extend([0; 100]);
    assert_eq!(answer(&trailing), Some(0), "what comes after the message is nobody's");
}

#[test]
fn a_stranger_gets_no_more_bytes_than_it_sent() {
    let known = known();
    for packet in [question("web.", RecordType::ANY).to_vec().unwrap(), vec![0; 12], vec![0x41; 4096]] {
        let mut out = Vec::new();
        Answerer::default().answer(&packet, known.asker(Some("eth0"), "192.0.2.1".parse().unwrap()), false, &mut out);
        assert_eq!((out.len(), out[3] & 0x0f), (12, 5));
    }
    let mut out = Vec::new();
    let answer = Answerer::default().answer(&[0; 11], None, false, &mut out);
    assert!(matches!(answer, Answer::Silence) && out.is_empty());
}

#[test]
fn a_name_is_no_container_s_for_dots_or_strange_bytes_within_its_labels() {
    let mut message = question("web.", RecordType::A);
    for labels in [[&b"shop.example"[..], b"org"], [b"we\0b", b"berth"]] {
        message.queries[0].name = Name::from_labels(labels).unwrap();
        assert!(matches!(told(&known(), DB.0, DB.1, &message), Told::Elsewhere), "{labels:?}");
    }
    message.queries[0].name = Name::from_labels([&b"\xff"[..]]).unwrap();
    assert!(matches!(told(&known(), DB.0, DB.1, &message), Told::Message(_)), "a single one stays here");
}

#[test]
fn a_name_of_an_address_is_the_container_s() {
    let Told::Message(message) = told(&known(), DB.0, DB.1, &question("2.0.1.10.in-addr.arpa.", RecordType::PTR))
    else {
        panic!("asked elsewhere")
    };
    let RData::PTR(name) = &message.answers[0].data else { panic!("{message:?}") };
    assert_eq!(name.0.to_ascii(), "web.");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 4000, failure_persistence: None, ..Default::default() })]

    /// A question with some of its bytes replaced, and cut or continued: nothing is told to strangers, and answers fit.
    #[test]
    fn any_packet_has_an_answer_that_fits_or_none(
        kind in 0u16..=260,
        name in "(web|www|store|nobody|berth|[a-z]{1,20})(\\.(berth|org|in-addr\\.arpa)){0,3}\\.",
        edns in proptest::option::of(0u16..),
        changes in proptest::collection::vec((0usize..200, proptest::prelude::any::<u8>()), 0..6),
        more in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40),
        cut in 0usize..400,
    ) {
        let mut message = question(&name, RecordType::from(kind));
        message.edns = edns.map(|payload| {
            let mut edns = Edns::new();
            edns.set_max_payload(payload);
            edns
        });
        let mut packet = message.to_vec().unwrap();
        packet.extend(more);
        for (position, byte) in changes {
            let position = position % packet.len();
            packet[position] = byte;
        }
        packet.truncate(cut);
        let known = known();
        let mut out = Vec::new();
        for source in [DB.1, GUARD.1, "192.0.2.1"] {
            let asker = known.asker(None, source.parse().unwrap());
            match Answerer::default().answer(&packet, asker, false, &mut out) {
                Answer::Here => {
                    assert!(out.len() <= 1232 && out[..2] == packet[..2] && out[2] & 0x80 != 0);
                    assert!(asker.is_some() || out.len() <= packet.len());
                    Message::from_vec(&out).unwrap();
                }
                Answer::Elsewhere(query) => assert!(source == DB.1 && query.end <= packet.len()),
                Answer::Silence => assert!(packet.len() < 12 || packet[2] & 0x80 != 0),
            }
        }
    }
}
