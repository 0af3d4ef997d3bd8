//! The process of a container: what it runs and what it may do.

use std::path::PathBuf;

use super::{PlanError, Process, SeccompChoice};
use crate::config::{AppArmor, Container, NetworkMode, ResourceLimit, SeccompSource, UserSpec, capability};
use crate::image::ProcessDefaults;

pub fn process(container: &Container, image: &ProcessDefaults) -> Result<Process, PlanError> {
    let boot = container.boot;
    let mut argv = container.entrypoint.clone().unwrap_or_else(|| image.entrypoint.clone());
    match &container.command {
        Some(command) => argv.extend(command.iter().cloned()),
        // A replaced entrypoint does not get the image's arguments, as with docker and podman.
        None if container.entrypoint.is_some() => {}
        None => argv.extend(image.command.iter().cloned()),
    }
    if boot {
        argv.clear();
    } else if argv.is_empty() {
        return Err(PlanError::NothingToRun);
    }
    let security = &container.security;
    let all = (1u64 << (capability::LAST + 1)) - 1;
    let mut capabilities = match (security.privileged, container.boot) {
        (true, _) => all,
        (false, true) => capability::DEFAULT_BOOTED | network_of_its_own(container),
        (false, false) => capability::DEFAULT_APPLICATION,
    };
    let mask = |names: &[String]| names.iter().filter_map(|name| capability::number(name)).fold(0, |m, n| m | 1 << n);
    capabilities = (capabilities | mask(&security.capabilities.add)) & !mask(&security.capabilities.drop);
    Ok(Process {
        argv,
        environment: Vec::new(),
        working_directory: container
            .working_directory
            .clone()
            .or_else(|| image.working_directory.as_deref().filter(|dir| !dir.is_empty() && !boot).map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from("/")),
        user: match &container.user {
            Some(user) => Some(user_text(user)),
            None => image.user.clone().filter(|user| !user.is_empty() && !boot),
        },
        groups: container.groups.clone(),
        umask: container.umask,
        capabilities,
        ambient: mask(&security.capabilities.ambient) & capabilities,
        no_new_privileges: security.no_new_privileges.unwrap_or(!container.boot && !security.privileged),
        seccomp: match &security.seccomp {
            SeccompSource::Default if security.privileged => SeccompChoice::Unconfined,
            SeccompSource::Default if container.os.nesting => SeccompChoice::Nesting,
            SeccompSource::Default => SeccompChoice::Default,
            SeccompSource::Unconfined => SeccompChoice::Unconfined,
            SeccompSource::Profile(path) => SeccompChoice::Profile(path.clone()),
        },
        apparmor: match &security.apparmor {
            AppArmor::Profile(profile) => Some(profile.clone()),
            AppArmor::Default | AppArmor::Unconfined => None,
        },
        selinux_label: security.selinux_label.clone(),
        rlimits: container
            .rlimits
            .iter()
            .map(|(&resource, range)| {
                let value = |limit: Option<u64>| limit.unwrap_or(libc::RLIM64_INFINITY);
                (rlimit_number(resource), value(range.soft), value(range.hard))
            })
            .collect(),
    })
}

/// Only where a network is the container's own is its init to set it up.
fn network_of_its_own(container: &Container) -> u64 {
    match container.network.mode {
        NetworkMode::Bridge | NetworkMode::Private | NetworkMode::None => capability::NET_ADMIN,
        NetworkMode::Host | NetworkMode::Container(_) | NetworkMode::Path(_) => 0,
    }
}

fn user_text(user: &UserSpec) -> String {
    match &user.group {
        Some(group) => format!("{}:{group}", user.user),
        None => user.user.clone(),
    }
}

fn rlimit_number(resource: ResourceLimit) -> u32 {
    let number = match resource {
        ResourceLimit::Cpu => libc::RLIMIT_CPU,
        ResourceLimit::Fsize => libc::RLIMIT_FSIZE,
        ResourceLimit::Data => libc::RLIMIT_DATA,
        ResourceLimit::Stack => libc::RLIMIT_STACK,
        ResourceLimit::Core => libc::RLIMIT_CORE,
        ResourceLimit::Rss => libc::RLIMIT_RSS,
        ResourceLimit::Nproc => libc::RLIMIT_NPROC,
        ResourceLimit::Nofile => libc::RLIMIT_NOFILE,
        ResourceLimit::Memlock => libc::RLIMIT_MEMLOCK,
        ResourceLimit::As => libc::RLIMIT_AS,
        ResourceLimit::Locks => libc::RLIMIT_LOCKS,
        ResourceLimit::Sigpending => libc::RLIMIT_SIGPENDING,
        ResourceLimit::Msgqueue => libc::RLIMIT_MSGQUEUE,
        ResourceLimit::Nice => libc::RLIMIT_NICE,
        ResourceLimit::Rtprio => libc::RLIMIT_RTPRIO,
        ResourceLimit::Rttime => libc::RLIMIT_RTTIME,
    };
    #[allow(clippy::unnecessary_cast)] // glibc and musl disagree about the type.
    {
        number as u32
    }
}
