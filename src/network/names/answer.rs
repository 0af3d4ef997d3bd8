//! The answer to a question, from what is known. Pure: what is known and who asks is given.

use std::net::IpAddr;

use hickory_proto::op::{Edns, Metadata, ResponseCode, emit_message_parts};
use hickory_proto::rr::{Name, RData, Record, RecordType, rdata};
use hickory_proto::serialize::binary::BinEncoder;

use super::known::Asker;
use super::query::{LONGEST_DATAGRAM, Malformed, Query, bare_answer};

/// Names are answered with this after them as well; nothing else is there.
const ZONE: &str = "berth";
/// In seconds: the next container of a name has another address.
const TIME_TO_LIVE: u32 = 0;

#[derive(Debug)]
pub enum Answer {
    /// It is written.
    Here,
    /// Others are to be asked.
    Elsewhere(Query),
    Silence,
}

/// Answers, with room that is used again and again.
#[derive(Default)]
pub struct Answerer {
    name: String,
    addresses: Vec<IpAddr>,
    records: Vec<Record>,
    /// Which of several addresses is first in the next answer.
    turn: usize,
}

/// What is to be said of a name.
enum Finding {
    Records,
    Unknown,
    Elsewhere,
}

impl Answerer {
    /// To `packet`, from `asker` (none: a stranger), into `out`.
    pub fn answer(&mut self, packet: &[u8], asker: Option<Asker<'_>>, by_stream: bool, out: &mut Vec<u8>) -> Answer {
        out.clear();
        let Some(asker) = asker else {
            bare_answer(packet, ResponseCode::Refused, out);
            return if out.is_empty() { Answer::Silence } else { Answer::Here };
        };
        let query = match Query::read(packet) {
            Ok(query) => query,
            Err(Malformed::Silence) => return Answer::Silence,
            Err(Malformed::Error(ResponseCode::BADVERS)) => {
                bad_version(packet, out);
                return Answer::Here;
            }
            Err(Malformed::Error(code)) => {
                bare_answer(packet, code, out);
                return Answer::Here;
            }
        };
        let code = match self.find(&query, asker) {
            Finding::Records => ResponseCode::NoError,
            Finding::Unknown => ResponseCode::NXDomain,
            Finding::Elsewhere if asker.leads_out() => return Answer::Elsewhere(query),
            Finding::Elsewhere => ResponseCode::NXDomain,
        };
        if self.write(&query, code, asker.leads_out(), by_stream, out).is_err() {
            bare_answer(packet, ResponseCode::ServFail, out);
        }
        Answer::Here
    }

    /// Leaves what answers the question in `records`; none of them where the name has nothing of that type.
    fn find(&mut self, query: &Query, asker: Asker<'_>) -> Finding {
        self.records.clear();
        self.addresses.clear();
        if let Some(address) = query.reverse() {
            return self.find_reverse(query, address, asker);
        }
        if !query.name(&mut self.name) {
            let is_single = query.question().name.num_labels() == 1;
            return if is_single { Finding::Unknown } else { Finding::Elsewhere };
        }
        let whole = self.name.as_str();
        let in_zone = whole.strip_suffix(ZONE).and_then(|rest| rest.strip_suffix('.'));
        let name = in_zone.unwrap_or(whole);
        if !asker.find(name, &mut self.addresses) {
            return match query.kind() {
                _ if whole == ZONE => Finding::Records,
                _ if in_zone.is_some() => Finding::Unknown,
                // What is asked of a top-level domain itself, by who validates.
                RecordType::DS | RecordType::DNSKEY | RecordType::NS | RecordType::SOA => Finding::Elsewhere,
                // Names of hosts here are not told to the world.
                _ if !name.is_empty() && !name.contains('.') => Finding::Unknown,
                _ => Finding::Elsewhere,
            };
        }
        let wanted = |address: &IpAddr| match query.kind() {
            RecordType::A => address.is_ipv4(),
            RecordType::AAAA => address.is_ipv6(),
            RecordType::ANY => true,
            _ => false,
        };
        self.addresses.retain(wanted);
        if !self.addresses.is_empty() {
            self.turn = self.turn.wrapping_add(1);
            let turn = self.turn % self.addresses.len();
            self.addresses.rotate_left(turn);
        }
        let owner = &query.question().name;
        self.records.extend(self.addresses.iter().map(|address| {
            let data = match address {
                IpAddr::V4(address) => RData::A(rdata::A(*address)),
                IpAddr::V6(address) => RData::AAAA(rdata::AAAA(*address)),
            };
            Record::from_rdata(owner.clone(), TIME_TO_LIVE, data)
        }));
        Finding::Records
    }

    fn find_reverse(&mut self, query: &Query, address: IpAddr, asker: Asker<'_>) -> Finding {
        let Some(container) = asker.container_at(address) else {
            return if asker.owns(address) { Finding::Unknown } else { Finding::Elsewhere };
        };
        let name = Name::from_labels(container.split('.').map(str::as_bytes));
        if let (RecordType::PTR | RecordType::ANY, Ok(name)) = (query.kind(), name) {
            let owner = query.question().name.clone();
            self.records.push(Record::from_rdata(owner, TIME_TO_LIVE, RData::PTR(rdata::PTR(name))));
        }
        Finding::Records
    }

    fn write(
        &self,
        query: &Query,
        code: ResponseCode,
        recursion_available: bool,
        by_stream: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), hickory_proto::ProtoError> {
        let mut metadata = Metadata::response_from_request(&query.message.metadata);
        metadata.authoritative = true;
        metadata.recursion_available = recursion_available;
        metadata.response_code = code;
        let edns = query.message.edns.as_ref().map(|asked| own_edns(asked.flags().dnssec_ok));
        write_message(&metadata, query, &self.records, edns.as_ref(), out)?;
        if out.len() > usize::from(query.limit(by_stream)) {
            metadata.truncation = true;
            write_message(&metadata, query, &[], edns.as_ref(), out)?;
        }
        Ok(())
    }
}

fn write_message(
    metadata: &Metadata,
    query: &Query,
    records: &[Record],
    edns: Option<&Edns>,
    out: &mut Vec<u8>,
) -> Result<(), hickory_proto::ProtoError> {
    out.clear();
    let mut encoder = BinEncoder::new(out);
    let question = std::slice::from_ref(query.question());
    let nothing: &[Record] = &[];
    emit_message_parts(
        metadata,
        &mut question.iter(),
        &mut records.iter(),
        &mut nothing.iter(),
        &mut nothing.iter(),
        edns,
        None,
        &mut encoder,
    )
    .map(drop)
}

fn own_edns(dnssec_ok: bool) -> Edns {
    let mut edns = Edns::new();
    edns.set_max_payload(LONGEST_DATAGRAM).set_dnssec_ok(dnssec_ok);
    edns
}

/// The code's upper bits stand in an OPT record, which needs no question beside it (RFC 6891).
fn bad_version(packet: &[u8], out: &mut Vec<u8>) {
    bare_answer(packet, ResponseCode::BADVERS, out);
    if let Some(additionals) = out.get_mut(11) {
        *additionals = 1;
        let [high, low] = LONGEST_DATAGRAM.to_be_bytes();
        out.extend([0, 0, 41, high, low, ResponseCode::BADVERS.high(), 0, 0, 0, 0, 0]);
    }
}
