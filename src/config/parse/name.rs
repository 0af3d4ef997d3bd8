//! Names of hosts, time zones, variables, sysctls and capabilities.

use crate::config::capability as capabilities;
use crate::config::diagnostics::Mistake;
use crate::config::suggest::nearest;

/// What sethostname(2) takes and DNS can carry: labels of letters, digits and inner hyphens, 64 characters together.
pub fn hostname(text: &str) -> Result<String, Mistake> {
    if text.len() > 64 {
        return Err(format!("“{text}” is longer than 64 characters, the kernel's limit for a host name").into());
    }
    match is_domain(text) {
        true => Ok(text.to_owned()),
        false => Err(Mistake::not(text, "a host name: letters, digits, dots and inner hyphens")),
    }
}

pub(super) fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        let allowed = |next: char| next.is_ascii_alphanumeric() || next == '-';
        (1..=63).contains(&label.len())
            && label.chars().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// `Europe/Berlin`: a file below `/usr/share/zoneinfo`.
pub fn timezone(text: &str) -> Result<String, Mistake> {
    let part = |part: &str| {
        let allowed = |next: char| next.is_ascii_alphanumeric() || "_+-".contains(next);
        !part.is_empty() && part.chars().all(allowed)
    };
    match text.to_ascii_lowercase().as_str() {
        "local" | "localtime" => return Err(Mistake::not(text, "a time zone").help("write “host” for the host's own")),
        "none" | "image" => return Err(Mistake::not(text, "a time zone").help("write “off” for the image's own")),
        _ => {}
    }
    match text.split('/').all(part) {
        true => Ok(text.to_owned()),
        false => Err(Mistake::not(text, "host, off or a time zone, such as Europe/Berlin")),
    }
}

/// The name of a variable: anything environ(7) can hold.
pub fn environment_name(text: &str) -> Result<(), Mistake> {
    if text.is_empty() {
        return Err("a variable's name cannot be empty".into());
    }
    if text.contains(['=', '\0']) {
        return Err(Mistake::not(text, "the name of a variable: it has an “=” or a NUL character in it"));
    }
    Ok(())
}

/// The key of a label or an annotation.
pub fn label_key(text: &str) -> Result<(), Mistake> {
    match text.is_empty() || text.contains(|next: char| next.is_control() || next == '=') {
        true => Err(Mistake::not(text, "the name of a label: one line, not empty and without “=”")),
        false => Ok(()),
    }
}

/// A kernel parameter in sysctl(8)'s dotted form.
pub fn sysctl(text: &str) -> Result<(), Mistake> {
    let allowed = |next: char| next.is_ascii_alphanumeric() || "-_/".contains(next);
    if !text.contains('.') && text.contains('/') {
        let mistake = Mistake::not(text, "the name of a kernel parameter, such as net.core.somaxconn");
        return Err(mistake.help(format!("write \"{}\"", text.trim_start_matches("/proc/sys/").replace('/', "."))));
    }
    match text.contains('.') && text.split('.').all(|part| !part.is_empty() && part.chars().all(allowed)) {
        true => Ok(()),
        false => Err(Mistake::not(text, "the name of a kernel parameter, such as net.core.somaxconn")),
    }
}

/// `CAP_NET_RAW`.
pub fn capability(text: &str) -> Result<u8, Mistake> {
    if let Some(number) = capabilities::number(text).filter(|number| capabilities::name(*number) == Some(text)) {
        return Ok(number);
    }
    let names: Vec<&str> = (0..=capabilities::LAST).filter_map(capabilities::name).collect();
    let upper = text.to_ascii_uppercase().replace('-', "_");
    let full = if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") };
    let meant = names.iter().find(|name| **name == full).copied().or_else(|| nearest(&full, names.iter().copied()));
    let mistake = Mistake::not(text, "the name of a capability, such as CAP_NET_RAW, or ALL");
    Err(Mistake { help: meant.map(|name| format!("did you mean “{name}”?")), ..mistake })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_what_dns_can_carry() {
        for good in ["web", "web.example.org", "WEB-1", "a"] {
            assert!(hostname(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "a..b", "a_b", "wéb", ".", &"a".repeat(64), &"ab.".repeat(22)] {
            assert!(hostname(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_time_zone_never_leaves_its_directory() {
        for good in ["UTC", "Europe/Berlin", "Etc/GMT+1", "America/Argentina/Buenos_Aires"] {
            assert!(timezone(good).is_ok(), "{good}");
        }
        for bad in ["", "../etc/passwd", "/etc/localtime", "Europe/", "a//b", "local"] {
            assert!(timezone(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn kernel_parameters_are_dotted() {
        for good in ["net.core.somaxconn", "net.ipv4.conf.eth0/1.rp_filter", "kernel.shm_rmid_forced"] {
            assert!(sysctl(good).is_ok(), "{good}");
        }
        for bad in ["", "somaxconn", "net/core/somaxconn", "net..x", ".net", "net.a b"] {
            assert!(sysctl(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_capability_in_another_tools_spelling_is_told_ours() {
        assert_eq!(capability("CAP_CHOWN"), Ok(0));
        for (text, meant) in [
            ("net_raw", "CAP_NET_RAW"),
            ("NET-ADMIN", "CAP_NET_ADMIN"),
            ("cap_chown", "CAP_CHOWN"),
            ("CAP_CHWON", "CAP_CHOWN"),
        ] {
            assert_eq!(capability(text).unwrap_err().help, Some(format!("did you mean “{meant}”?")), "{text}");
        }
    }
}
