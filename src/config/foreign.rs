//! What other tools call the keys, in plain form (see `suggest::plain`), and what berth has for them.

/// Words, and the key or the advice for them.
type Words = &'static [(&'static [&'static str], &'static str)];

const OF_NETWORKS: &str = "a network has it, in a file of its own: networks/NAME.toml";

/// podman's, Quadlet's, compose's and nspawn's words, in plain form, and where berth has the same.
const FOREIGN: Words = &[
    (&["ports", "port", "publishport", "publishports", "expose"], "berth's key is “publish” in [network]"),
    (&["volume", "volumes", "mounts", "bind", "binds", "bindreadonly"], "berth's key is [[mount]], one for each"),
    (&["tmpfs", "temporaryfilesystem"], "write a [[mount]] with type = \"tmpfs\""),
    (&["overlay"], "write a [[mount]] with type = \"overlay\""),
    (&["inaccessible"], "write a [[mount]] with type = \"inaccessible\""),
    (&["restartpolicy"], "write Restart = \"…\" in [service]"),
    (&["env", "environmentvariables"], "berth's key is “environment”"),
    (&["envfile", "environmentfile"], "berth's key is “environment-files”"),
    (&["passenvironment", "envhost"], "berth's key is “environment-pass”"),
    (&["exec", "cmd", "args", "parameters"], "berth's key is “command”"),
    (&["workdir", "workingdir", "cwd"], "berth's key is “working-directory”"),
    (&["name", "containername"], "a container is named by its file: NAME.toml"),
    (&["memory", "mem", "memlimit", "memorylimit"], "write MemoryMax = \"…\" in [resources]"),
    (&["cpus", "cpu"], "write CPUQuota = \"…%\" in [resources]"),
    (&["cpushares"], "write CPUWeight = … in [resources]"),
    (&["pidslimit"], "write TasksMax = … in [resources]"),
    (&["limits", "deploy"], "systemd's limits stand in [resources]"),
    (&["capadd", "addcapability", "capability"], "berth's key is “add” in [security.capabilities]"),
    (&["capdrop", "dropcapability"], "berth's key is “drop” in [security.capabilities]"),
    (&["networkmode", "net", "privatenetwork"], "berth's key is “mode” in [network]"),
    (&["networkalias", "networkaliases", "alias"], "berth's key is “aliases” in [network]"),
    (&["ipaddress", "ipaddresses", "ip6", "ipv4address", "ipv6address"], "berth's key is “ip” in [network]"),
    (&["macaddress"], "berth's key is “mac” in [network]"),
    (&["dnsopt", "dnsopts"], "berth's key is “dns-options” in [network]"),
    (&["bridge", "networkbridge", "zone", "networkzone"], "berth's key is “networks” in [network]"),
    (&["networkinterface"], "write a [[network.interface]] with type = \"move\""),
    (&["macvlan", "networkmacvlan"], "write a [[network.interface]] with type = \"macvlan\""),
    (&["ipvlan", "networkipvlan"], "write a [[network.interface]] with type = \"ipvlan\""),
    (
        &["veth", "virtualethernet", "virtualethernetextra", "networkveth"],
        "write a [[network.interface]] with type = \"veth\"",
    ),
    (&["networknamespacepath"], "write mode = \"path:…\" in [network]"),
    (
        &["subnet", "subnets", "gateway", "gateways", "iprange", "driver", "internal", "isolate", "ipv6", "mtu"],
        OF_NETWORKS,
    ),
    (&["dependson"], "write Requires = […] and After = […] in [unit]"),
    (&["healthcheck", "healthcmd"], "berth's section will be [health], not yet there"),
    (&["autoupdate"], "berth's section will be [update], not yet there"),
    (&["pullpolicy"], "berth's key is “policy” in [pull]"),
    (&["userns", "usernsmode", "privateusers", "remapuid"], "berth's key is “mode” in [security.user-namespace]"),
    (&["securityopt", "securitylabeltype"], "see [security]: seccomp, apparmor, selinux-label, no-new-privileges"),
    (&["seccompprofile", "systemcallfilter"], "berth's key is “seccomp” in [security]"),
    (&["ulimit", "ulimits"], "berth's section is [rlimits]"),
    (&["sysctl"], "berth's section is [sysctls]"),
    (&["stoptimeout", "stopgraceperiod"], "write TimeoutStopSec = \"…\" in [service]"),
    (&["killsignal"], "berth's key is “stop-signal”"),
    (&["addhost", "extrahosts"], "berth's key is “hosts” in [network]"),
    (&["label"], "berth's key is “labels”"),
    (&["annotation"], "berth's key is “annotations”"),
    (&["device", "adddevice"], "berth's key is “devices”"),
    (&["logdriver", "logging"], "output goes to the journal; StandardOutput in [service] changes that"),
    (&["secret", "secrets"], "write LoadCredential = [\"NAME:PATH\"] in [service]"),
    (&["readonlyrootfs", "readonlyroot"], "berth's key is “read-only”"),
    (&["rootdirectory", "rootimage"], "berth's key is “rootfs”"),
    (&["runinit"], "berth's key is “init”"),
    (&["tz"], "berth's key is “timezone”"),
    (&["group", "groupadd", "supplementarygroups"], "berth's key is “groups”"),
    (&["reload"], "berth's keys are “reload-signal” and “reload-command”"),
    (&["container", "services"], "the container's keys stand at the top of the file, in no [section]"),
    (&["files"], "berth's section is [[mount]]"),
    (&["build", "dockerfile"], "berth builds no images; build it elsewhere and name it as “image”"),
    (&["capabilities"], "berth's section is [security.capabilities]"),
];

/// fstab's, mount(8)'s and other engines' words for the keys of a mount.
const MOUNT_WORDS: Words = &[
    (&["src", "what", "from", "host", "hostpath"], "source"),
    (&["dst", "dest", "destination", "where", "to", "container", "mountpoint", "path"], "target"),
    (&["ro"], "read-only"),
    (&["tmpfssize"], "size"),
    (&["tmpfsmode"], "mode"),
    (&["kind", "fstype"], "type"),
    (&["lowerdir"], "lower"),
    (&["upperdir"], "upper"),
];

/// ip-link(8)'s.
const INTERFACE_WORDS: Words = &[
    (&["master", "link", "dev", "device", "interface", "hostdevice"], "parent"),
    (&["kind", "driver"], "type"),
    (&["ifname", "interfacename", "containerinterface"], "name"),
    (&["hostname", "hostinterface", "peer"], "host"),
];

/// The key of one table that its own words are for.
fn own(header: &str) -> Words {
    match header {
        "[[mount]]" => MOUNT_WORDS,
        "[[network.interface]]" => INTERFACE_WORDS,
        "[network]" => &[(&["network"], "networks")],
        _ => &[],
    }
}

/// podman's, docker's and Quadlet's words for what a network has.
const OF_NETWORK_FILES: Words = &[
    (&["subnet", "ipam", "ipamconfig"], "berth's key is “subnets”, a list"),
    (&["gateway"], "berth's key is “gateways”, a list"),
    (&["range", "iprange", "ipranges", "leaserange", "auxaddress"], "berth's key is “ranges”, a list"),
    (&["enableipv6", "ipv6enabled"], "berth's key is “ipv6”"),
    (&["isolated"], "berth's key is “isolate”"),
    (&["disabledns", "dnsenabled"], "berth's key is “dns”: true or false"),
    (
        &["dnsservers", "dnsserver"],
        "the servers behind it are the host's; a container has others by “dns” in its [network]",
    ),
    (&["interfacename", "networkinterface", "bridge", "bridgename"], "berth's key is “interface”"),
    (&["master", "link", "dev", "device"], "berth's key is “parent”"),
    (&["vlanid"], "berth's key is “vlan”"),
    (&["type", "kind"], "berth's key is “driver”"),
    (&["name", "networkname"], "a network is named by its file: NAME.toml"),
    (&["options", "opt", "driveropts"], "what a driver takes are keys of their own: mtu, vlan, mode, parent, isolate"),
    (&["ipamdriver", "dhcp"], "berth gives the addresses out itself, and knows no other way"),
    (&["networkdeleteonstop", "deleteonstop"], "a network that nobody is on is removed anyhow"),
    (&["label", "labels"], "a network has no labels"),
    (&["network", "networks"], "a network's keys stand at the top of its file, in no [section]"),
];

/// The key of this table that a word is for.
pub fn key(header: &str, word: &str) -> Option<&'static str> {
    find(own(header), word)
}

/// What to write in a container's file.
pub fn advice(word: &str) -> Option<&'static str> {
    find(FOREIGN, word)
}

/// What to write in a network's file.
pub fn network_advice(word: &str) -> Option<&'static str> {
    find(OF_NETWORK_FILES, word)
}

fn find(words: Words, word: &str) -> Option<&'static str> {
    words.iter().find(|(names, _)| names.contains(&word)).map(|(_, found)| *found)
}
