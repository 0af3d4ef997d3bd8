//! `[Socket]`, systemd.socket(5): what a `[[socket]]` may assign. They stand in units of their own, beside the container's.

use super::{Setting, of};
use crate::config::VerbatimSection;
use crate::unit::setting::Kind::{self, *};

const fn socket(name: &'static str, kind: Kind) -> Setting {
    of(VerbatimSection::Socket, name, kind).refused("a transient container has no socket unit")
}

/// One of these says where it listens.
pub const LISTENS: [&str; 5] =
    ["ListenStream", "ListenDatagram", "ListenSequentialPacket", "ListenFIFO", "ListenNetlink"];

pub(super) const SETTINGS: &[Setting] = &[
    socket("ListenStream", Address),
    socket("ListenDatagram", Address),
    socket("ListenSequentialPacket", Address),
    socket("ListenFIFO", Node),
    socket("ListenNetlink", Lines),
    socket("FileDescriptorName", DescriptorName),
    // Another way to be started, for each connection, is none that a container could have.
    socket("Accept", Word(&["no"])),
    socket("SocketProtocol", Word(&["udplite", "sctp"])),
    socket("SocketUser", Text),
    socket("SocketGroup", Text),
    socket("SocketMode", Mode),
    socket("DirectoryMode", Mode),
    socket("Writable", Bool),
    socket("Symlinks", Paths),
    socket("RemoveOnStop", Bool),
    socket("FlushPending", Bool),
    socket("BindIPv6Only", Word(&["default", "both", "ipv6-only"])),
    socket("BindToDevice", Text),
    socket("Backlog", Unsigned),
    socket("FreeBind", Bool),
    socket("Transparent", Bool),
    socket("Broadcast", Bool),
    socket("ReusePort", Bool),
    socket("KeepAlive", Bool),
    socket("KeepAliveTimeSec", Span),
    socket("KeepAliveIntervalSec", Span),
    socket("KeepAliveProbes", Unsigned),
    socket("NoDelay", Bool),
    socket("DeferAcceptSec", Span),
    socket("TCPCongestion", Text),
    socket("Priority", Integer { least: 0, most: i32::MAX }),
    socket("Mark", Integer { least: 0, most: i32::MAX }),
    socket("IPTOS", Word(&["low-delay", "throughput", "reliability", "low-cost"])),
    socket("IPTTL", Integer { least: 1, most: 255 }),
    socket("ReceiveBuffer", Bytes),
    socket("SendBuffer", Bytes),
    socket("PipeSize", Bytes),
    socket("PassCredentials", Bool),
    socket("PassSecurity", Bool),
    socket("PassPacketInfo", Bool),
    socket("Timestamping", Word(&["off", "us", "usec", "µs", "ns", "nsec"])),
    socket("TriggerLimitIntervalSec", Span),
    socket("TriggerLimitBurst", Unsigned),
    socket("PollLimitIntervalSec", Span).since(255),
    socket("PollLimitBurst", Unsigned).since(255),
];
