//! The top of a container's file, and how its image gets here.

use super::{Key, key};

pub const TOP: &[Key] = &[
    key("description", "One line for `systemctl status` and `berthctl list`."),
    key(
        "image",
        "A reference to an image, such as \"docker.io/library/nginx:1.27\", \"localhost/web:latest\", \"web\" or \
         \"web@sha256:…\". One that is not in the store is pulled at the start, see `[pull]`. Either this or `rootfs` \
         is required.",
    ),
    key(
        "rootfs",
        "A directory tree, or a disk image: a file whose name ends in .raw and whose partitions systemd-dissect(1) \
         finds; a bare name is below /var/lib/machines. An application container runs on a writable layer \
         over it and leaves it as it is.",
    ),
    key(
        "autostart",
        "Start at boot, with machines.target. Default: false. `systemctl enable container@NAME` does the same by hand.",
    ),
    key("boot", "Run the tree's own init, a whole system; see `[os]`. Default: false."),
    key(
        "init",
        "Run `berth-init` as PID 1 and the payload as its child: it forwards signals and reaps orphans. Default: false. \
         A PID 1 without a handler for its stop signal cannot be stopped by it; the kernel drops it.",
    ),
    key("entrypoint", "A list of words that replaces the image's entrypoint."),
    key("command", "A list of words that replaces the image's command; it follows the entrypoint."),
    key(
        "environment",
        "A table of variables. They win over `environment-files`, those over `environment-pass`, those over the \
         image's.",
    ),
    key("environment-files", "Files of lines NAME=value. With \"-\" before the path one may be missing."),
    key(
        "environment-pass",
        "Names of variables taken from the unit's environment, with `berthctl run` from the caller's.",
    ),
    key(
        "http-proxy",
        "Pass http_proxy, https_proxy, ftp_proxy, no_proxy and all_proxy as `environment-pass` does. Default: false.",
    ),
    key("working-directory", "Where the payload starts. Default: the image's, or /."),
    key(
        "user",
        "\"USER[:GROUP]\": names or numbers, looked up in the container's own /etc/passwd and /etc/group. Default: the \
         image's, or root.",
    ),
    key("groups", "Supplementary groups, names or numbers of the container's own."),
    key("umask", "Octal, as a string. Default: \"0022\"."),
    key("hostname", "Default: the container's name."),
    key("timezone", "\"host\" (the default), \"off\", or a name such as \"Europe/Berlin\"."),
    key("stop-signal", "What asks PID 1 to end. Default: the image's, or SIGTERM."),
    key("reload-signal", "`systemctl reload` sends this signal to the payload."),
    key("reload-command", "`systemctl reload` runs this list of words beside the payload."),
    key(
        "notify",
        "\"executor\": the unit is up when the payload is about to run. \"container\": the payload says READY=1 itself, \
         see sd_notify(3). Default: \"executor\"; with `boot`, \"container\" where the init is systemd.",
    ),
    key(
        "tty",
        "The payload has a terminal, `/dev/console`, whose other end is there for who comes: `berthctl run -t` sits at it from the \
         beginning, `berthctl console` for as long as one likes. What is written to it is logged unless somebody sat there \
         from the beginning. Default: false; with `boot` there is a console always.",
    ),
    key(
        "ephemeral",
        "What is written is dropped at stop. Default: true for an application, false with `boot`. A kept layer belongs \
         to the image it was made for, and the container stays with that one whatever its name stands for later; after \
         `berthctl reset NAME` a newer one is used.",
    ),
    key("read-only", "The root cannot be written. Default: false."),
    key(
        "volatile",
        "What is written is in memory, and gone at stop, as --volatile= of systemd-nspawn(1) has it. \"overlay\": of \
         the whole root. \"state\": of /var alone, the rest is read-only. \"yes\": the root is empty but for /usr, which \
         is read-only, and the system sets itself up as at its first boot; /bin and the like must be links into /usr. \
         Default: \"no\".",
    ),
    key("shm-size", "Size of /dev/shm. Default: \"64M\"."),
    key("devices", "A list of \"HOST[:CONTAINER[:rwm]]\": the node, and the unit's DeviceAllow= for it."),
    key("labels", "A table of free text."),
    key("annotations", "A table of free text."),
    key("pull", "How the image gets here; a section of its own."),
    key("mount", "What is mounted; a section of its own."),
    key("namespaces", "What is shared with the host or with another container; a section of its own."),
    key("security", "What the payload may do; a section of its own."),
    key("sysctls", "A table of settings of the kernel that belong to the container's own namespaces."),
    key("rlimits", "A table of limits of each process, as \"SOFT:HARD\", a number for both, or \"infinity\"."),
    key("network", "A section of its own."),
    key("socket", "On what systemd listens for the container; a section of its own."),
    key("os", "What only a booted system has; a section of its own."),
    key("unit", "Settings of systemd.unit(5)."),
    key("service", "Settings of systemd.service(5) and systemd.exec(5)."),
    key("resources", "Settings of systemd.resource-control(5)."),
    key("install", "What `systemctl enable` does, see systemd.unit(5)."),
];

pub const PULL: &[Key] = &[
    key(
        "policy",
        "\"missing\" (the default): where the image is not in the store. \"always\": at every start the registry is asked \
         whether it has another one. \"newer\": the same, but where that fails the one in the store is used. \"never\". \
         `berthctl pull --all` goes by it, too.",
    ),
    key("platform", "OS/ARCHITECTURE[/VARIANT] of an image for several. Default: this machine's."),
    key("retry", "How often to try again when a registry or the way to it fails. Default: 3."),
    key("retry-delay", "How long after, each later time twice as long. Default: \"2s\"."),
];
