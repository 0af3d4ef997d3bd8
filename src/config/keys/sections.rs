//! The sections of a container's file that are not systemd's.

use super::{Key, key};

pub const MOUNT: &[Key] = &[
    key("type", "\"bind\" (the default), \"tmpfs\", \"overlay\" or \"inaccessible\"."),
    key(
        "source",
        "Of a bind mount: what of the host. A file or a directory; it has to be there, unless the mount is `optional`.",
    ),
    key(
        "target",
        "Where, in the container. Below /proc only over files that tell of the whole host, such as /proc/meminfo.",
    ),
    key("read-only", "Default: false."),
    key("recursive", "Of a bind mount: with the mounts below it. Default: true."),
    key("propagation", "Of a bind mount: \"private\" (the default), \"slave\" or \"shared\"."),
    key(
        "idmap",
        "Of a bind mount: whose the files are, seen from the container's own range of users. \"auto\" (the default): as \
         on the host, where the file system can; else as \"none\". \"none\": nobody's. \"root-owner\": the host's root \
         is the container's. \"owner\": the owner of the source is the container's root.",
    ),
    key("options", "A list of \"noexec\", \"nosuid\", \"nodev\", \"noatime\" and the like, see mount(8)."),
    key("optional", "Of a bind mount: the source may be missing, and then nothing is mounted. Default: false."),
    key("size", "Of a tmpfs: how much fits into it. Default: the kernel's, half of the memory."),
    key("mode", "Of a tmpfs: its root's permissions, octal, as a string."),
    key("lower", "Of an overlay: directories, the lowest first."),
    key("upper", "Of an overlay: the directory that is written to. Without it what is written is dropped at stop."),
];

pub const NAMESPACES: &[Key] = &[
    key("pid", "The processes it sees."),
    key("ipc", "System V and POSIX message queues, semaphores and shared memory."),
    key("uts", "The host name."),
    key("cgroup", "The cgroups it sees."),
];

pub const SECURITY: &[Key] = &[
    key("privileged", "Lift every restriction below. Default: false."),
    key(
        "insecure",
        "Checks that are left out, each by its name. There is \"image-signature\": whose the image is, is not asked, see \
         berth-image-trust(7).",
    ),
    key(
        "no-new-privileges",
        "No program gains privileges by being run: set-user-id bits do nothing. Default: true for an application, false \
         with `boot`.",
    ),
    key(
        "seccomp",
        "\"default\" (see berth-seccomp(7)), \"unconfined\", or the path of a profile in the JSON format of OCI engines.",
    ),
    key("apparmor", "The AppArmor profile of the payload, where the host has AppArmor."),
    key("selinux-label", "The SELinux label of the payload, where the host has SELinux."),
    key("masked-paths", "Further paths that are hidden."),
    key("unmasked-paths", "Paths in /proc and /sys that are hidden or read-only by default, and are neither here."),
    key("read-only-paths", "Further paths that are read-only."),
    key("capabilities", "A section of its own."),
    key("user-namespace", "A section of its own."),
];

pub const CAPABILITIES: &[Key] = &[
    key(
        "add",
        "Beside the default set: CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL, CAP_SETGID, CAP_SETUID, \
         CAP_SETPCAP, CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT, CAP_SETFCAP. \"ALL\" is every one.",
    ),
    key("drop", "What the default set is without. [\"ALL\"] leaves what `add` names."),
    key("ambient", "What a payload that is not root keeps when it runs a program."),
];

pub const USER_NAMESPACE: &[Key] = &[
    key(
        "mode",
        "\"auto\" (the default): a free range of ids of the host's is picked at every start. \"host\": none, the \
         container's root is the host's. \"identity\": the host's ids, in a namespace of its own. \"fixed\": the range \
         from `base` on.",
    ),
    key("base", "The first id of the host's, with mode \"fixed\"."),
    key("size", "How many ids. Default: 65536."),
];

pub const NETWORK: &[Key] = &[
    key(
        "mode",
        "\"bridge\" (the default): on the networks of `networks`. \"private\": loopback and what \
         `[[network.interface]]` adds. \"none\": loopback only. \"host\": the host's. \"container:NAME\": that of another \
         container, with which it starts, restarts and ends. \"path:/run/netns/NAME\": a network namespace that somebody else made. A key without \
         use in a mode is a mistake.\n\n\
         A container in a namespace of another's, by this key or by `[namespaces]`, is started after that one, which is \
         started for it where it has a file (Requires= and After=); both are stopped and restarted together, also when \
         systemd starts the other again after a crash, and when that one has crashed for good, this one is stopped.\n\n\
         A container with users of its own cannot bind the host's ports below 1024 with mode = \"host\"; a `[[socket]]` \
         can do it for it, or user-namespace.mode = \"host\".",
    ),
    key(
        "networks",
        "Of mode \"bridge\": the networks it is on, by name, see berth.network(5). Default: [\"default\"]. Its interfaces \
         are eth0, eth1, … in that order; the first that leads further has the default route. \
         What is sent from the address of another leaves by that one (ip-rule(8), tables 1000 and on): who comes by a \
         published port is answered by the bridge, though the first network be a macvlan. A server of UDP has to \
         answer from the address it was asked at.",
    ),
    key(
        "publish",
        "Of mode \"bridge\": ports of the host that lead to the container's, as [[ADDRESS:]HOST:]CONTAINER[/udp]: \
         \"8080:80\", \"127.0.0.1:8443:443\", \"[::]:9000-9009:9000-9009/udp\". Two ranges have the same length. Without \
         an address, on every address of the host. Without HOST, as in \"80\" and \"127.0.0.1::80\", the kernel picks a \
         port. Nothing can be published on [::1]; localhost leads to 127.0.0.1 as well.\n\n\
         A port that a process of the host's has is refused. Nothing holds a published one afterwards: a process that \
         binds it later is left without packets, but for those to [::1], and `berthctl network check` names it.",
    ),
    key("aliases", "Of mode \"bridge\": other names it is found by on its networks, see berth-names(8)."),
    key("ip", "Of mode \"bridge\": addresses of its own, each of the network with its subnet."),
    key("mac", "Of mode \"bridge\": the hardware address of eth0."),
    key("interface", "Further interfaces; a section of its own."),
    key("dns", "Addresses of the servers that are asked for names. Default: its networks', or the host's."),
    key("dns-search", "Domains that names are looked for in."),
    key("dns-options", "What resolv.conf(5) has as options."),
    key("hosts", "A table of names and addresses for /etc/hosts."),
    key(
        "resolv-conf",
        "What /etc/resolv.conf says. \"auto\" (the default): what the keys above say, else what fits the network. \
         \"copy-host\": a copy of the host's. \"bind-host\": the host's own file. \"off\": the image's.",
    ),
];

pub const INTERFACE: &[Key] = &[
    key(
        "type",
        "\"move\": one of the host's is the container's as long as it runs, and is given back; where the host has another \
         of its name by then it is kept aside, and given back by the next start, stop or sweep after that one is \
         renamed. \"macvlan\", \"ipvlan\": one beside the \
         host's. \"veth\": a pair, of which the host has one end.",
    ),
    key("parent", "Of \"move\", \"macvlan\" and \"ipvlan\", required: the host's interface."),
    key("name", "In the container. Default: the parent's; of \"veth\" host0."),
    key("mode", "Of \"macvlan\" and \"ipvlan\", as in berth.network(5)."),
    key("vlan", "Of \"macvlan\" and \"ipvlan\", as in berth.network(5)."),
    key("host", "Of \"veth\": the name of the host's end. Default: made from the container's."),
];

pub const OS: &[Key] = &[
    key(
        "machine-id",
        "32 hexadecimal digits, or \"auto\" (the default): the tree's own, or where it has none one that is made of the \
         container's name. A copy of this host that is dropped has another than the host.",
    ),
    key(
        "link-journal",
        "Whether the host's journalctl and `berthctl logs` find its journal, as --link-journal= of systemd-nspawn(1): \
         \"guest\" keeps it in the tree with a link below the host's /var/log/journal, \"host\" keeps it on the host, \
         \"try-guest\" (the default) and \"try-host\" do so where the host has a journal on disk and the tree is \
         systemd's, \"no\" does not. What is dropped at stop is not linked, nor can a link see into a disk image: \
         \"host\" works there.",
    ),
    key(
        "nesting",
        "Engines of containers run inside: podman, systemd-nspawn, berth itself. The system may make keyrings, and its \
         root alone finds a /proc and a /sys with nothing hidden in /run/host/nesting, without which the kernel lets \
         nobody in a user namespace mount new ones. A berth inside a system with users of its own has no further range \
         of users to give away: its containers need user-namespace.mode = \"host\". Default: false.",
    ),
];
