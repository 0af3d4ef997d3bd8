//! A question as it comes in: what of it can be answered, and with which error the rest is.

use std::net::IpAddr;

use hickory_proto::op::{Message, MessageType, OpCode, Query as Question, ResponseCode};
use hickory_proto::rr::{DNSClass, RecordType};

const HEADER: usize = 12;
/// An answer by UDP that is longer may be lost with one of its fragments (DNS flag day 2020).
pub const LONGEST_DATAGRAM: u16 = 1232;
/// What everybody takes (RFC 1035).
const SHORTEST: u16 = 512;

/// A well-formed one, of one name.
#[derive(Debug)]
pub struct Query {
    pub message: Message,
    /// Where the question ends in the packet, for those who compare or copy it.
    pub end: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Nothing that could be answered: cut short, or an answer itself.
    Silence,
    Error(ResponseCode),
}

impl Query {
    pub fn read(packet: &[u8]) -> Result<Query, Malformed> {
        if !is_question(packet) {
            return Err(Malformed::Silence);
        }
        let error = |code| Err(Malformed::Error(code));
        let Some(end) = question_end(packet) else { return error(ResponseCode::FormErr) };
        let Ok(message) = Message::from_vec(packet) else { return error(ResponseCode::FormErr) };
        if message.message_type != MessageType::Query || message.queries.len() != 1 {
            return error(ResponseCode::FormErr);
        }
        let query = Query { message, end };
        match () {
            () if query.message.op_code != OpCode::Query => error(ResponseCode::NotImp),
            () if query.message.version() != 0 => error(ResponseCode::BADVERS),
            // Of other classes there is `version.bind`, which is nobody's business.
            () if !matches!(query.question().query_class, DNSClass::IN | DNSClass::ANY) => error(ResponseCode::Refused),
            () if matches!(query.kind(), RecordType::AXFR | RecordType::IXFR) => error(ResponseCode::Refused),
            () => Ok(query),
        }
    }

    pub fn question(&self) -> &Question {
        // There is one: `read` has seen to it.
        &self.message.queries[0]
    }

    pub fn kind(&self) -> RecordType {
        self.question().query_type
    }

    /// How long an answer may be.
    pub fn limit(&self, by_stream: bool) -> u16 {
        match &self.message.edns {
            _ if by_stream => u16::MAX,
            Some(edns) => edns.max_payload().clamp(SHORTEST, LONGEST_DATAGRAM),
            None => SHORTEST,
        }
    }

    /// Puts the name there as it is compared, in lower case and with dots; false for one that no container can have.
    pub fn name(&self, text: &mut String) -> bool {
        text.clear();
        for label in self.question().name.iter() {
            if !label.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'.') {
                return false;
            }
            if !text.is_empty() {
                text.push('.');
            }
            text.extend(label.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
        }
        true
    }

    /// The address whose name is asked for; none for any other question.
    pub fn reverse(&self) -> Option<IpAddr> {
        let name = &self.question().name;
        let is_whole = matches!(name.num_labels(), 6 | 34);
        let network = name.parse_arpa_name().ok().filter(|_| is_whole)?;
        (network.prefix_len() == network.max_prefix_len()).then(|| network.addr())
    }
}

/// Has a header, and is no answer: two that answer each other would never stop.
pub fn is_question(packet: &[u8]) -> bool {
    packet.len() >= HEADER && packet[2] & 0x80 == 0
}

/// The answer that is never longer than its question: a header with nothing after it.
pub fn bare_answer(packet: &[u8], code: ResponseCode, out: &mut Vec<u8>) {
    out.clear();
    if !is_question(packet) {
        return;
    }
    let (opcode_and_rd, cd) = (packet[2] & 0x79, packet[3] & 0x10);
    out.extend([packet[0], packet[1], 0x80 | opcode_and_rd, cd | code.low(), 0, 0, 0, 0, 0, 0, 0, 0]);
}

/// That nobody could be asked: the question's header and name, and SERVFAIL.
pub fn failure(question: &[u8], out: &mut Vec<u8>) {
    bare_answer(question, ResponseCode::ServFail, out);
    if let (Some(count), Some(name)) = (out.get_mut(5), question.get(HEADER..)) {
        *count = 1;
        out.extend_from_slice(name);
    }
}

/// Where the only question of a message ends. None where it has none or several, or a name that points elsewhere.
pub fn question_end(packet: &[u8]) -> Option<usize> {
    if packet.get(4..6)? != [0, 1] {
        return None;
    }
    let mut position = HEADER;
    loop {
        match *packet.get(position)? {
            0 => break,
            length @ 1..=63 => position += 1 + usize::from(length),
            _ => return None,
        }
    }
    // Its type and class.
    let end = position + 1 + 4;
    (end <= packet.len()).then_some(end)
}
