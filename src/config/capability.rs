//! Capabilities by name and by number (capabilities(7)), and the sets containers start with.

/// By number, from 0 on.
const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The highest number there is, as of Linux 5.9 and still in 6.18.
pub const LAST: u8 = NAMES.len() as u8 - 1;

/// What an application container starts with: podman's eleven, which is docker's list without the right to make
/// device nodes, raw sockets and audit records.
pub const DEFAULT_APPLICATION: u64 = 0x8004_05fb;

/// What a booted operating system starts with: the list of systemd-nspawn(1), `--capability=`.
pub const DEFAULT_BOOTED: u64 = set(&[
    "CAP_AUDIT_CONTROL",
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_IPC_OWNER",
    "CAP_KILL",
    "CAP_LEASE",
    "CAP_LINUX_IMMUTABLE",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_CHROOT",
    "CAP_SYS_NICE",
    "CAP_SYS_PTRACE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TTY_CONFIG",
]);

/// What systemd-nspawn adds where the network is the container's own.
pub const NET_ADMIN: u64 = set(&["CAP_NET_ADMIN"]);

/// `CAP_NET_RAW`, `net_raw` and the like. `None` for what is no capability.
pub fn number(name: &str) -> Option<u8> {
    let position = NAMES.iter().position(|known| {
        name.eq_ignore_ascii_case(known)
            || known.strip_prefix("CAP_").is_some_and(|bare| name.eq_ignore_ascii_case(bare))
    });
    position.map(|number| number as u8)
}

/// The full name, `CAP_…`.
pub fn name(number: u8) -> Option<&'static str> {
    NAMES.get(usize::from(number)).copied()
}

/// A wrong name stops the compiler.
const fn set(names: &[&str]) -> u64 {
    let mut set = 0;
    let mut next = 0;
    while next < names.len() {
        let mut number = 0;
        while !same(NAMES[number].as_bytes(), names[next].as_bytes()) {
            number += 1;
        }
        set |= 1 << number;
        next += 1;
    }
    set
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut position = 0;
    while position < a.len() && position < b.len() && a[position] == b[position] {
        position += 1;
    }
    position == a.len() && position == b.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(set: u64) -> Vec<&'static str> {
        (0..=LAST).filter(|number| set & (1 << number) != 0).filter_map(name).collect()
    }

    #[test]
    fn numbers_are_the_kernels() {
        for (name, expected) in [
            ("CAP_CHOWN", 0),
            ("CAP_NET_ADMIN", 12),
            ("CAP_NET_RAW", 13),
            ("CAP_SYS_ADMIN", 21),
            ("CAP_MKNOD", 27),
            ("CAP_SETFCAP", 31),
            ("CAP_SYSLOG", 34),
            ("CAP_BPF", 39),
            ("CAP_CHECKPOINT_RESTORE", 40),
        ] {
            assert_eq!(number(name), Some(expected), "{name}");
        }
    }

    #[test]
    fn every_capability_is_found_by_its_name_in_any_case_with_and_without_prefix() {
        for expected in 0..=LAST {
            let name = name(expected).unwrap();
            assert_eq!(number(name), Some(expected));
            assert_eq!(number(&name.to_lowercase()), Some(expected));
            assert_eq!(number(&name[4..]), Some(expected));
            assert_eq!(number(&name[4..].to_lowercase()), Some(expected));
        }
        assert_eq!(name(LAST + 1), None);
    }

    #[test]
    fn other_words_are_no_capabilities() {
        for word in ["", "CAP_", "CAP_CAP_CHOWN", "CHOWN ", "NET", "CAP-NET-RAW"] {
            assert_eq!(number(word), None, "{word:?}");
        }
    }

    #[test]
    fn applications_start_with_podmans_eleven() {
        assert_eq!(
            names(DEFAULT_APPLICATION),
            [
                "CAP_CHOWN",
                "CAP_DAC_OVERRIDE",
                "CAP_FOWNER",
                "CAP_FSETID",
                "CAP_KILL",
                "CAP_SETGID",
                "CAP_SETUID",
                "CAP_SETPCAP",
                "CAP_NET_BIND_SERVICE",
                "CAP_SYS_CHROOT",
                "CAP_SETFCAP",
            ]
        );
    }

    #[test]
    fn booted_systems_start_without_what_reaches_the_host() {
        assert_eq!(DEFAULT_BOOTED.count_ones(), 26);
        for refused in ["SYS_MODULE", "SYS_RAWIO", "SYS_TIME", "SYSLOG", "NET_ADMIN", "BPF", "PERFMON", "MAC_ADMIN"] {
            assert_eq!(DEFAULT_BOOTED & (1 << number(refused).unwrap()), 0, "{refused}");
        }
    }
}
