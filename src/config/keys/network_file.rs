//! All of a network's file.

use super::{Key, key};

pub const NETWORK_FILE: &[Key] = &[
    key("description", "One line for people."),
    key(
        "driver",
        "\"bridge\" (the default): a bridge of the network's own, behind whose addresses what leaves the host is hidden. \
         \"macvlan\" and \"ipvlan\": containers are beside the host on one of its interfaces, with addresses of the \
         network that is on. Nothing is published there, and the host and its containers do not reach each other.",
    ),
    key(
        "subnets",
        "Networks as ADDRESS/LENGTH, at most 64, of IPv4 and IPv6. Where none is said, one of each is picked, free of \
         the host's routes, when the network is made. \"macvlan\" and \"ipvlan\" need it.\n\n\
         The host's routes are those of every table that a rule leads to (ip-rule(8)), such as VPNs have. What is said \
         here must not overlap one either, but may be a part of what the main table has by a router: the narrower route \
         is taken first.",
    ),
    key(
        "gateways",
        "Addresses, each in one of `subnets`. On a bridge the host's own address (default: the first of the subnet); \
         else the router's, without which there is no way out.",
    ),
    key(
        "ranges",
        "Parts of `subnets`, as ADDRESS/LENGTH: from each subnet addresses are given out from there only. What a \
         container asks for by `ip` may be outside.",
    ),
    key(
        "ipv6",
        "Of a bridge: whether a subnet of IPv6 is picked where `subnets` has none. Default: true where `subnets` is left \
         out, else false.",
    ),
    key("internal", "Of a bridge: nothing leaves the network but to the host's own address on it. Default: false."),
    key("isolate", "Of a bridge: nothing is forwarded between it and other networks of berth's. Default: false."),
    key(
        "dns",
        "Of a bridge: whether the host answers for the names and aliases of its containers, at the gateways, see \
         berth-names(8). Default: true.",
    ),
    key("mtu", "Bytes of a packet, from 68, with IPv6 from 1280, to 65535. Default: the kernel's, or the parent's."),
    key("interface", "Of a bridge: its name on the host, at most 15 bytes. Default: made from the network's."),
    key("parent", "Of a macvlan or ipvlan, required: the interface of the host's it is on."),
    key(
        "vlan",
        "Of a macvlan or ipvlan, 1 to 4094: on this VLAN of its parent, for which an interface is made with the network.",
    ),
    key(
        "mode",
        "Of a macvlan \"bridge\" (the default), \"private\", \"vepa\" or \"passthru\"; of an ipvlan \"l2\" (the default), \
         \"l3\" or \"l3s\", see ip-link(8).",
    ),
];
