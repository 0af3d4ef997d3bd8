//! systemd's settings a container's TOML may not assign, because a key of ours decides them.

use super::VerbatimSection;

pub fn header(section: VerbatimSection) -> &'static str {
    match section {
        VerbatimSection::Unit => "unit",
        VerbatimSection::Service => "service",
        VerbatimSection::Resources => "resources",
        VerbatimSection::Install => "install",
        VerbatimSection::Socket => "socket",
    }
}

/// As it stands in the file.
pub fn bracketed(section: VerbatimSection) -> String {
    match section {
        VerbatimSection::Socket => "[[socket]]".to_owned(),
        table => format!("[{}]", header(table)),
    }
}

/// The verbatim section of this header.
pub fn section(name: &str) -> Option<VerbatimSection> {
    TABLES.into_iter().chain([VerbatimSection::Socket]).find(|section| header(*section) == name)
}

/// Those that a file has once.
pub const TABLES: [VerbatimSection; 4] =
    [VerbatimSection::Unit, VerbatimSection::Service, VerbatimSection::Resources, VerbatimSection::Install];

/// What to write instead of a reserved setting; `None` where it is not reserved. The first pattern that fits counts.
pub fn reserved(name: &str) -> Option<&'static str> {
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    };
    RESERVED.iter().find(|(patterns, _)| patterns.iter().any(|pattern| fits(pattern))).map(|(_, help)| *help)
}

const RESERVED: &[(&[&str], &str)] = &[
    (&["ExecStartPre", "ExecStartPost", "ExecStopPost"], "write it in [service]; it runs on the host"),
    (&["ExecStart*"], "use “command” (and “entrypoint”)"),
    (&["ExecReload*"], "use “reload-signal” or “reload-command”"),
    (&["ExecStop"], "use “stop-signal”; ExecStopPost runs a command on the host after the stop"),
    (&["Exec*"], "use ExecStartPre, ExecStartPost or ExecStopPost for commands on the host"),
    (&["Type", "NotifyAccess"], "use “notify”"),
    (&["Delegate*"], "it is always on: a container manages its own cgroups"),
    (&["DynamicUser"], "use “mode” in [security.user-namespace]"),
    (&["User", "Group"], "use “user”, as \"USER:GROUP\""),
    (&["SupplementaryGroups"], "use “groups”"),
    (&["Root*", "MountImages", "ExtensionImages", "ExtensionDirectories"], "use “image” or “rootfs”"),
    (&["EnvironmentFile"], "use “environment-files”"),
    (&["PassEnvironment"], "use “environment-pass”"),
    (&["Environment*", "UnsetEnvironment"], "use “environment”"),
    (&["WorkingDirectory"], "use “working-directory”"),
    (&["UMask"], "use “umask”"),
    (&["Limit*"], "use [rlimits], for example nofile = \"1024:65536\""),
    (&["KillSignal"], "use “stop-signal”"),
    (&["ReloadSignal"], "use “reload-signal”"),
    (&["KillMode"], "it is always mixed: the stop signal for the payload's first process, SIGKILL for what is left"),
    (&["IgnoreSIGPIPE"], "a container's SIGPIPE is never ignored"),
    (&["RemainAfterExit"], "a container is over when its payload is"),
    (&["Description"], "use “description”"),
    (&["SourcePath"], "berth sets it to the TOML file"),
    (&["PrivateNetwork", "NetworkNamespacePath"], "use “mode” in [network]"),
    (&["PrivateUsers*"], "use “mode” in [security.user-namespace]"),
    (&["PrivateIPC", "IPCNamespacePath"], "use “ipc” in [namespaces]"),
    (&["PrivatePIDs"], "use “pid” in [namespaces]"),
    (&["PrivateDevices"], "use “devices”; a container has only the harmless ones otherwise"),
    (&["PrivateTmp", "TemporaryFileSystem"], "use a [[mount]] with type = \"tmpfs\""),
    (&["Private*"], "see [namespaces], [security] and [[mount]]"),
    (&["ProtectSystem"], "use “read-only”"),
    (&["ProtectHostname"], "use “hostname” and “uts” in [namespaces]"),
    (&["ProtectControlGroups"], "use “cgroup” in [namespaces]"),
    (&["Protect*", "ProcSubset"], "use “masked-paths” and “read-only-paths” in [security]"),
    (&["BindPaths", "BindReadOnlyPaths", "ReadWritePaths", "ExecPaths"], "use a [[mount]]"),
    (&["NoExecPaths"], "use a [[mount]] with options = [\"noexec\"]"),
    (&["InaccessiblePaths"], "use a [[mount]] with type = \"inaccessible\""),
    (&["ReadOnlyPaths"], "use “read-only-paths” in [security]"),
    (&["MountFlags", "MountAPIVFS"], "use “propagation” of a [[mount]]"),
    (&["AmbientCapabilities"], "use “ambient” in [security.capabilities]"),
    (&["CapabilityBoundingSet", "SecureBits"], "use “add” and “drop” in [security.capabilities]"),
    (&["NoNewPrivileges"], "use “no-new-privileges” in [security]"),
    (&["SystemCall*", "Restrict*", "MemoryDenyWriteExecute", "LockPersonality"], "use “seccomp” in [security]"),
    (&["SELinuxContext"], "use “selinux-label” in [security]"),
    (&["AppArmorProfile"], "use “apparmor” in [security]"),
    (&["FileDescriptorStoreMax"], "berth keeps its locks in the descriptor store, and sees to its size"),
    (&["TTY*"], "use “tty”"),
    (&["Sockets"], "write a [[socket]] for each"),
    (&["Service"], "a container's sockets start that container"),
    (&["MaxConnections*", "ListenSpecial", "ListenMessageQueue", "ListenUSBFunction"], "no container could use it"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::{Owner, table};

    #[test]
    fn every_setting_berth_assigns_itself_names_the_key_to_use() {
        for setting in table::all().filter(|setting| setting.owner == Owner::Berth) {
            assert!(reserved(setting.name).is_some(), "{} has no help", setting.name);
        }
    }

    #[test]
    fn the_more_special_pattern_comes_first() {
        assert_eq!(reserved("EnvironmentFile"), Some("use “environment-files”"));
        assert_eq!(reserved("ExecStart"), Some("use “command” (and “entrypoint”)"));
        assert_eq!(reserved("PrivateNetwork"), Some("use “mode” in [network]"));
        assert_eq!(reserved("MemoryMax"), None);
    }
}
