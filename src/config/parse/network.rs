//! Addresses and what resolv.conf(5) holds.

use std::net::{IpAddr, Ipv6Addr};

use super::name::is_domain;
use crate::config::diagnostics::Mistake;

/// An IPv4 or IPv6 address, in its usual form.
pub fn address(text: &str) -> Result<String, Mistake> {
    ip(text).map(|address| address.to_string())
}

pub fn ip(text: &str) -> Result<IpAddr, Mistake> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address);
    }
    let mistake = Mistake::not(text, "an IP address, such as 10.0.0.53 or fd00::53");
    let bare = text.trim_start_matches('[').split_once(']').map(|(inner, _)| inner);
    Err(match bare.and_then(|inner| inner.parse::<Ipv6Addr>().ok()) {
        Some(inner) => mistake.help(format!("write \"{inner}\"")),
        None if text.contains('/') => mistake.help("an address without a prefix length"),
        None => mistake,
    })
}

/// Another name of a container on its networks: names are asked for in any case, and answered in one.
pub fn alias(text: &str) -> Result<String, Mistake> {
    if text.parse::<IpAddr>().is_ok() {
        return Err(format!("“{text}” is an address, not a name").into());
    }
    if !is_domain(text) {
        return Err(Mistake::not(text, "a name that DNS can carry: letters, digits, dots and inner hyphens"));
    }
    match text.to_ascii_lowercase() {
        lower if lower == text => Ok(lower),
        lower => Err(Mistake::not(text, "in lower case").help(format!("write \"{lower}\""))),
    }
}

/// A domain to search in; `.` alone turns searching off.
pub fn search_domain(text: &str) -> Result<String, Mistake> {
    match text == "." || is_domain(text.strip_suffix('.').unwrap_or(text)) {
        true => Ok(text.to_owned()),
        false => Err(Mistake::not(text, "a domain, such as example.org")),
    }
}

/// One word of an `options` line.
pub fn resolver_option(text: &str) -> Result<String, Mistake> {
    let allowed = |next: char| next.is_ascii_alphanumeric() || "-_:.".contains(next);
    match !text.is_empty() && text.chars().all(allowed) {
        true => Ok(text.to_owned()),
        false => Err(Mistake::not(text, "an option of resolv.conf(5), such as ndots:1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_plain() {
        assert_eq!(address("fd00:0::0053").as_deref(), Ok("fd00::53"));
        assert_eq!(address("[fd00::1]:53").unwrap_err().help.as_deref(), Some("write \"fd00::1\""));
        for bad in ["", "10.0.0", "10.0.0.1/24", "example.org", "host-gateway", "fe80::1%eth0"] {
            assert!(address(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_alias_is_a_name_in_lower_case() {
        for good in ["www", "db.example.org", "1a", "a-b"] {
            assert_eq!(alias(good).as_deref(), Ok(good));
        }
        assert_eq!(alias("WWW").unwrap_err().help.as_deref(), Some("write \"www\""));
        for bad in ["", ".", "a..b", "-a", "a_b", "10.0.0.1", "a b", &"a".repeat(64)] {
            assert!(alias(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn nothing_can_break_out_of_its_line_of_resolv_conf() {
        for bad in ["", "a b", "a\nnameserver 1.1.1.1", "a#b", "..", "-x"] {
            assert!(search_domain(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "a b", "ndots:1\nx", "a;b"] {
            assert!(resolver_option(bad).is_err(), "{bad:?}");
        }
        assert!(search_domain(".").is_ok() && search_domain("example.org.").is_ok());
        assert!(resolver_option("ndots:1").is_ok() && resolver_option("edns0").is_ok());
    }
}
