//! `[[socket]]`: systemd's own names, as in the other verbatim sections; several, if each has a name.

use super::verbatim;
use crate::config::diagnostics::Mistake;
use crate::config::item::{Item, Section};
use crate::config::tree::{Node, Value};
use crate::config::{Socket, VerbatimSection};
use crate::unit::table::LISTENS;

const NAME: &str = "FileDescriptorName";

/// What the executor's own descriptors are called, which a payload must not be taken for.
const OURS: &str = "berth-";

pub fn decode(root: Section) -> Vec<Socket> {
    let Some(item) = root.item("socket") else { return Vec::new() };
    let Value::Array(nodes) = &item.node.value else {
        let help = "write [[socket]] with double brackets: there may be several";
        item.fail::<()>(item.mismatch("an array of tables").help(help));
        return Vec::new();
    };
    let mut sockets: Vec<Socket> = Vec::new();
    for node in nodes {
        let item = Item { node, ..item };
        let Some(settings) = verbatim::table(VerbatimSection::Socket, item) else { continue };
        let socket = Socket { settings };
        check(item, &socket, &sockets, nodes.len() > 1);
        sockets.push(socket);
    }
    sockets
}

fn check(item: Item, socket: &Socket, earlier: &[Socket], is_one_of_several: bool) {
    // Keys that are wrong are reported already.
    if !keys(item.node).any(|key| LISTENS.contains(&key)) {
        let help = "write ListenStream = \"PORT\", ListenDatagram = … or another Listen…";
        item.fail::<()>(Mistake::new("this [[socket]] listens nowhere", help));
    }
    match socket.name() {
        Some(name) if name.starts_with(OURS) => {
            named(item, Mistake::new(format!("“{name}” may be one of berth's own descriptors"), "choose another name"));
        }
        Some(name) if earlier.iter().any(|other| other.name() == Some(name)) => {
            named(item, Mistake::new(format!("another [[socket]] is called “{name}”"), "give each its own name"));
        }
        None if is_one_of_several && !keys(item.node).any(|key| key == NAME) => {
            let help = "write FileDescriptorName = \"…\" in each: the payload finds them by it in LISTEN_FDNAMES";
            item.fail::<()>(Mistake::new("one of several [[socket]] needs a name", help));
        }
        _ => {}
    }
}

fn named(item: Item, mistake: Mistake) {
    if let Value::Table(table) = &item.node.value
        && let Some(entry) = table.get(NAME)
    {
        Item::of(entry, item.report).fail::<()>(mistake);
    }
}

fn keys(node: &Node) -> impl Iterator<Item = &str> {
    let entries = match &node.value {
        Value::Table(table) => table.entries.as_slice(),
        _ => &[],
    };
    entries.iter().map(|entry| entry.key.as_str())
}
