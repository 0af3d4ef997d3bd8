//! The kernel's part of the table.

use super::{Area, Feature, Finding, Host, Without};
use crate::executor::probe::{self, Probed};
use crate::machine::cgroup_of;

const OLD: &str = "a kernel from Linux 6.1 on has it";

pub const FEATURES: &[Feature] = &[
    Feature {
        area: Area::Kernel,
        name: "Linux",
        since: "Linux 6.1",
        use_: "the oldest kernel berth is made for",
        without: Without::Get("install a newer kernel"),
        probe: version,
    },
    required("fsopen", "Linux 5.2", "every file system of a container is mounted by descriptor", OLD, |host| {
        privileged(host, probe::mount_api)
    }),
    required("open_tree", "Linux 5.2", "layers and mounts are taken from the host as detached copies", OLD, |host| {
        privileged(host, probe::tree)
    }),
    required("mount_setattr", "Linux 5.12", "read-only, nosuid and the like are set on whole trees", OLD, |host| {
        privileged(host, probe::attributes)
    }),
    required(
        "overlayfs",
        "Linux 5.11",
        "a container's root is its image's layers below a writable one",
        "load the module overlay, or use a kernel with CONFIG_OVERLAY_FS",
        |host| privileged(host, probe::overlay),
    ),
    optional(
        "lowerdir+",
        "Linux 6.5",
        "layers are given to overlayfs one by one, however many there are",
        "all layers go into one mount option of at most a page: an image with very many layers may not start",
        |host| privileged(host, probe::layers_one_by_one),
    ),
    required(
        "user namespaces",
        "Linux 3.8",
        "each container has user ids of its own",
        "set the sysctl user.max_user_namespaces above 0, or mode = \"host\" in [security.user-namespace] of every \
         container",
        user_namespaces,
    ),
    required(
        "clone3",
        "Linux 5.3",
        "the payload is made in all its namespaces at once, with a pidfd",
        "use a kernel from Linux 6.1 on with mount, PID, IPC, UTS, network and cgroup namespaces",
        |host| privileged(host, probe::namespaces),
    ),
    required("CLONE_INTO_CGROUP", "Linux 5.7", "exec and shell start in the container's cgroup", OLD, |host| {
        match cgroup_tree() {
            Ok(()) => privileged(host, probe::birth_in_cgroup),
            Err(finding) => finding,
        }
    }),
    required(
        "pidfds",
        "Linux 5.8",
        "signals and namespaces of a process, never of a later one of its number",
        OLD,
        |host| privileged(host, probe::process_descriptors),
    ),
    required("openat2", "Linux 5.6", "no path inside a container leads out of it", OLD, |_| {
        Finding::of(probe::confined_lookup())
    }),
    required("close_range", "Linux 5.11", "no descriptor of the host's reaches a payload", OLD, |_| {
        Finding::of(probe::descriptor_ranges())
    }),
    required(
        "seccomp filters",
        "Linux 4.14",
        "system calls a container has no use for are refused",
        "use a kernel with CONFIG_SECCOMP_FILTER, or seccomp = \"unconfined\" in [security] of every container",
        seccomp,
    ),
    optional(
        "MFD_EXEC",
        "Linux 6.3",
        "berth-init runs from sealed memory where vm.memfd_noexec is 1",
        "the flag is left out: kernels without it have no vm.memfd_noexec",
        memory_programs,
    ),
    optional(
        "noswap of tmpfs",
        "Linux 6.4",
        "credentials are kept in memory that is never swapped out",
        "a container's copy of its credentials can be swapped out",
        |host| privileged(host, probe::unswappable_memory),
    ),
    optional(
        "keyrings",
        "Linux 2.6.10",
        "each payload has a session keyring of its own",
        "nothing is done: there is no keyring to keep from it",
        |_| present("/proc/keys", "no /proc/keys"),
    ),
    required(
        "cgroup v2",
        "Linux 4.5",
        "limits, freezing and accounting of a container are its unit's",
        "boot with systemd.unified_cgroup_hierarchy=1, so that /sys/fs/cgroup is a cgroup2 file system",
        |_| cgroup_tree().map_or_else(|finding| finding, |()| Finding::Present(String::new())),
    ),
    controller("cpu"),
    controller("memory"),
    controller("io"),
    controller("pids"),
    controller("cpuset"),
    optional("freezer", "Linux 5.2", "berthctl pause and resume", "berthctl pause fails", |_| freezer()),
    optional(
        "AppArmor",
        "",
        "the profile of apparmor = … in [security]",
        "a container that names a profile does not start; the others have none",
        |_| enabled("/sys/module/apparmor/parameters/enabled", "Y"),
    ),
    optional(
        "SELinux",
        "",
        "the label of selinux-label = … in [security]",
        "a container that names a label does not start; the others have none",
        |_| present("/sys/fs/selinux/enforce", "not enabled"),
    ),
];

const fn required(
    name: &'static str,
    since: &'static str,
    use_: &'static str,
    get: &'static str,
    probe: fn(&Host) -> Finding,
) -> Feature {
    Feature { area: Area::Kernel, name, since, use_, without: Without::Get(get), probe }
}

const fn optional(
    name: &'static str,
    since: &'static str,
    use_: &'static str,
    instead: &'static str,
    probe: fn(&Host) -> Finding,
) -> Feature {
    Feature { area: Area::Kernel, name, since, use_, without: Without::Instead(instead), probe }
}

/// A controller of cgroup v2, as [resources] needs it.
const fn controller(name: &'static str) -> Feature {
    let (since, use_, instead, probe): (_, _, _, fn(&Host) -> Finding) = match name.as_bytes() {
        b"cpu" => (
            "Linux 4.15",
            "CPUQuota and CPUWeight in [resources]",
            "the settings are accepted and have no effect",
            |_| offered("cpu"),
        ),
        b"memory" => (
            "Linux 4.5",
            "MemoryMax and its like in [resources]",
            "the settings are accepted and have no effect",
            |_| offered("memory"),
        ),
        b"io" => (
            "Linux 4.5",
            "IOWeight and IO…BandwidthMax in [resources]",
            "the settings are accepted and have no effect",
            |_| offered("io"),
        ),
        b"pids" => (
            "Linux 4.5",
            "TasksMax; 16384 where a container sets none",
            "nothing limits the number of a container's processes",
            |_| offered("pids"),
        ),
        _ => (
            "Linux 5.0",
            "AllowedCPUs and AllowedMemoryNodes in [resources]",
            "the settings are accepted and have no effect",
            |_| offered("cpuset"),
        ),
    };
    Feature { area: Area::Kernel, name, since, use_, without: Without::Instead(instead), probe }
}

/// As root: for anybody else the kernel's refusal would say nothing of the feature.
fn privileged(host: &Host, probe: fn() -> Probed) -> Finding {
    if host.root { Finding::of(probe()) } else { Finding::Unknown("only root can ask".to_owned()) }
}

fn version(_: &Host) -> Finding {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    let found: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found >= (6, 1) { Finding::Present(release) } else { Finding::Absent(release) }
}

fn user_namespaces(host: &Host) -> Finding {
    let most = read("/proc/sys/user/max_user_namespaces");
    match privileged(host, probe::user_namespace) {
        Finding::Present(_) => Finding::Present(most.map(|most| format!("at most {most}")).unwrap_or_default()),
        Finding::Absent(why) => {
            Finding::Absent(format!("{why}; user.max_user_namespaces is {}", most.unwrap_or("missing".to_owned())))
        }
        unknown => unknown,
    }
}

/// The actions of berth's own policy; a profile may ask for others.
fn seccomp(_: &Host) -> Finding {
    let Some(actions) = read("/proc/sys/kernel/seccomp/actions_avail") else {
        return Finding::Absent("no /proc/sys/kernel/seccomp".to_owned());
    };
    let missing: Vec<&str> = ["allow", "errno", "kill_process"]
        .into_iter()
        .filter(|wanted| !actions.split_whitespace().any(|action| action == *wanted))
        .collect();
    match (missing.is_empty(), probe::filter()) {
        (true, Ok(())) => Finding::Present(actions),
        (true, Err(error)) => Finding::Absent(error.to_string()),
        (false, _) => Finding::Absent(format!("no action {}", missing.join(", "))),
    }
}

fn memory_programs(_: &Host) -> Finding {
    match read("/proc/sys/vm/memfd_noexec").as_deref() {
        None => Finding::Absent("no vm.memfd_noexec".to_owned()),
        Some(policy) => match probe::program_in_memory() {
            Ok(()) => Finding::Present(format!("vm.memfd_noexec is {policy}")),
            Err(error) => Finding::Absent(format!("{error}; vm.memfd_noexec is {policy}: init = true cannot work")),
        },
    }
}

/// statfs(2) of the place where systemd, and thus every path of ours, has it.
fn cgroup_tree() -> Result<(), Finding> {
    const CGROUP2_SUPER_MAGIC: u64 = 0x6367_7270;
    match rustix::fs::statfs("/sys/fs/cgroup") {
        Ok(about) if about.f_type as u64 == CGROUP2_SUPER_MAGIC => Ok(()),
        Ok(_) => Err(Finding::Absent("/sys/fs/cgroup is not a cgroup2 file system".to_owned())),
        Err(errno) => Err(Finding::Absent(format!("/sys/fs/cgroup: {errno}"))),
    }
}

fn offered(controller: &str) -> Finding {
    match read("/sys/fs/cgroup/cgroup.controllers") {
        Some(all) if all.split_whitespace().any(|one| one == controller) => Finding::Present(String::new()),
        Some(_) => Finding::Absent("not among cgroup.controllers".to_owned()),
        None => Finding::Absent("no /sys/fs/cgroup/cgroup.controllers".to_owned()),
    }
}

/// Every cgroup but the root has the file.
fn freezer() -> Finding {
    match cgroup_of("self") {
        Ok(path) if path != "/" => present(&format!("/sys/fs/cgroup{path}/cgroup.freeze"), "no cgroup.freeze"),
        _ => Finding::Unknown("we are in no cgroup of our own".to_owned()),
    }
}

fn enabled(path: &str, wanted: &str) -> Finding {
    Finding::from_option(read(path).filter(|found| found == wanted).map(|_| String::new()), "not enabled")
}

fn present(path: &str, absent: &str) -> Finding {
    Finding::from_option(std::path::Path::new(path).exists().then(String::new), absent)
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}
