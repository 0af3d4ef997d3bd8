//! Changes of elements as one transaction of nfnetlink (linux/netfilter/nf_tables.h): all of them or none.

use rustix::io::Errno;

use super::{Element, Part};
use crate::network::netlink::{Message, Refused, Socket, attributes};

const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const DELTABLE: u16 = SUBSYSTEM << 8 | 2;
const GETRULE: u16 = SUBSYSTEM << 8 | 7;
const NEWSETELEM: u16 = SUBSYSTEM << 8 | 12;
const GETSETELEM: u16 = SUBSYSTEM << 8 | 13;
const DELSETELEM: u16 = SUBSYSTEM << 8 | 14;
const FAMILY_INET: u8 = 1;

const TABLE_NAME: u16 = 1;
const LIST_TABLE: u16 = 1;
const LIST_SET: u16 = 2;
const LIST_ELEMENTS: u16 = 3;
const LIST_ELEMENT: u16 = 1;
const ELEMENT_KEY: u16 = 1;
const ELEMENT_DATA: u16 = 2;
const ELEMENT_KEY_END: u16 = 10;
const DATA_VALUE: u16 = 1;

/// The length of an attribute has 16 bits; an element has less than 100 bytes.
const ROOM: usize = 60_000;

pub const TABLE: &str = "berth";

/// Those that are there already stay.
pub fn add(elements: &[Element]) -> Result<(), Refused> {
    commit(messages(NEWSETELEM, libc::NLM_F_CREATE, elements))
}

/// Those that are not there are added first: the removal of one alone would undo the rest's.
pub fn remove(elements: &[Element]) -> Result<(), Refused> {
    let mut all = messages(NEWSETELEM, libc::NLM_F_CREATE, elements);
    all.extend(messages(DELSETELEM, 0, elements));
    commit(all)
}

pub fn remove_table() -> Result<(), Refused> {
    let fixed = [FAMILY_INET, 0, 0, 0];
    commit(vec![Message::new(DELTABLE, libc::NLM_F_ACK, &fixed).text(TABLE_NAME, TABLE)])
}

/// How many rules the table has.
pub fn rules() -> Result<usize, Errno> {
    let question = Message::new(GETRULE, libc::NLM_F_DUMP, &[FAMILY_INET, 0, 0, 0]).text(TABLE_NAME, TABLE);
    Ok(Socket::netfilter()?.ask(question)?.len())
}

/// How many elements a set has.
pub fn elements(set: &str) -> Result<usize, Errno> {
    let question = Message::new(GETSETELEM, libc::NLM_F_DUMP, &[FAMILY_INET, 0, 0, 0]);
    let answers = Socket::netfilter()?.ask(question.text(LIST_TABLE, TABLE).text(LIST_SET, set))?;
    let lists = answers.iter().filter_map(|answer| answer.body.get(4..));
    let lists = lists.flat_map(attributes).filter(|(kind, _)| *kind == LIST_ELEMENTS);
    Ok(lists.map(|(_, list)| attributes(list).count()).sum())
}

fn commit(messages: Vec<Message>) -> Result<(), Refused> {
    if messages.is_empty() {
        return Ok(());
    }
    let edge = |kind| {
        let subsystem = SUBSYSTEM.to_be_bytes();
        Message::new(kind, 0, &[0, 0, subsystem[0], subsystem[1]])
    };
    let all = std::iter::once(edge(BATCH_BEGIN)).chain(messages).chain([edge(BATCH_END)]).collect();
    Socket::netfilter()?.send(all)
}

/// One message for as many elements of a set as fit.
fn messages(kind: u16, flags: i32, elements: &[Element]) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut rest = elements;
    while let Some(first) = rest.first() {
        let alike = rest.iter().take_while(|element| element.set == first.set).count();
        let (mut taken, all) = (0, &rest[..alike]);
        let message = Message::new(kind, flags | libc::NLM_F_ACK, &[FAMILY_INET, 0, 0, 0])
            .text(LIST_TABLE, TABLE)
            .text(LIST_SET, first.set);
        messages.push(message.nested(LIST_ELEMENTS, |mut list| {
            for element in all {
                if list.length() > ROOM {
                    break;
                }
                list = list.nested(LIST_ELEMENT, |entry| fill(entry, element));
                taken += 1;
            }
            list
        }));
        rest = &rest[taken..];
    }
    messages
}

fn fill(entry: Message, element: &Element) -> Message {
    let value = |parts: &[Part]| parts.iter().flat_map(Part::bytes).collect::<Vec<u8>>();
    let entry = entry.nested(ELEMENT_KEY, |key| key.attribute(DATA_VALUE, &value(&element.key)));
    [(ELEMENT_KEY_END, &element.end), (ELEMENT_DATA, &element.data)].into_iter().fold(entry, |entry, (kind, parts)| {
        match parts.is_empty() {
            true => entry,
            false => entry.nested(kind, |data| data.attribute(DATA_VALUE, &value(parts))),
        }
    })
}
