//! Where a socket listens, and what it is called (systemd.socket(5)).

use std::net::{Ipv4Addr, Ipv6Addr};

/// The longest path of a Unix socket, without the NUL (unix(7)).
const LONGEST_PATH: usize = 107;
const LONGEST_NAME: usize = 255;

/// The text itself, where it is an address. One with specifiers is systemd's to judge.
pub fn address(text: &str) -> Option<&str> {
    let valid = match text.as_bytes().first()? {
        _ if text.contains('%') && !text.starts_with('[') => true,
        b'/' => text.len() <= LONGEST_PATH && text.split('/').all(|part| part != ".." && part != "."),
        b'@' => (2..=LONGEST_PATH + 1).contains(&text.len()),
        b'[' => bracketed(text).is_some(),
        _ => match text.split_once(':') {
            None => port(text),
            Some(("vsock", rest)) => vsock(rest),
            Some((address, number)) => address.parse::<Ipv4Addr>().is_ok() && port(number),
        },
    };
    valid.then_some(text)
}

/// `[::1]:80`, `[fe80::1]:80%%eth0`, with the per cent sign that a unit file needs.
fn bracketed(text: &str) -> Option<()> {
    let (address, rest) = text.strip_prefix('[')?.split_once("]:")?;
    let (number, interface) = rest.split_once("%%").map_or((rest, None), |(number, name)| (number, Some(name)));
    let is_name = interface.is_none_or(|name| (1..=15).contains(&name.len()) && !name.contains(['/', ' ']));
    (address.parse::<Ipv6Addr>().is_ok() && port(number) && is_name).then_some(())
}

fn port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// `CID:PORT`; no CID is any.
fn vsock(text: &str) -> bool {
    let Some((cid, number)) = text.split_once(':') else { return false };
    (cid.is_empty() || cid.parse::<u32>().is_ok()) && number.parse::<u32>().is_ok()
}

/// Names are told with colons between them, and in an environment variable.
pub fn descriptor_name(text: &str) -> Option<&str> {
    let valid = text.len() <= LONGEST_NAME && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    (valid && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_systemd_socket() {
        for good in [
            "80",
            "65535",
            "0.0.0.0:80",
            "127.0.0.1:8080",
            "[::]:80",
            "[fe80::1]:80%%eth0",
            "/run/web.sock",
            "@web",
            "vsock:2:1234",
            "vsock::1234",
            "%t/web.sock",
        ] {
            assert_eq!(address(good), Some(good));
        }
        for bad in [
            "0",
            "65536",
            "+80",
            "http",
            "0.0.0.0",
            "0.0.0.0:",
            "1.2.3:80",
            "example.org:80",
            "::1:80",
            "[::1]",
            "[::1]80",
            "[::1]:0",
            "[1.2.3.4]:80",
            "[fe80::1]:80%eth0",
            "[fe80::1]:80%%",
            "run/web.sock",
            "/run/../web.sock",
            "@",
            "vsock:80",
        ] {
            assert_eq!(address(bad), None, "{bad}");
        }
        assert!(address(&format!("/{}", "a".repeat(107))).is_none());
    }

    #[test]
    fn a_name_has_no_colon_and_no_space() {
        assert!(["http", "a.b-c_1"].iter().all(|name| descriptor_name(name).is_some()));
        assert!(["", "a:b", "a b", "ä", &"a".repeat(256)].iter().all(|name| descriptor_name(name).is_none()));
    }
}
