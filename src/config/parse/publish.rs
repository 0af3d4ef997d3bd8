//! What a container publishes: `[[ADDRESS:][HOST]:]CONTAINER[/PROTOCOL]`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use crate::config::diagnostics::Mistake;
use crate::config::{Protocol, Publish};

/// Ports of the host's that lead to as many of the container's; without the host's the kernel picks.
pub fn publish(text: &str) -> Result<Publish, Mistake> {
    let (ports, protocol) = match text.split_once('/') {
        Some((ports, word)) => (ports, protocol(text, word)?),
        None => (text, Protocol::Tcp),
    };
    let (address, host, container) = parts(text, ports)?;
    let address = address.map(|address| usable(address, text)).transpose()?;
    let container = range(container, false)?;
    let host = host.map(|host| range(host, true)).transpose()?;
    if let Some(host) = &host {
        let (of_host, of_container) = (host.len(), container.len());
        if of_host != of_container {
            let message = format!("{of_host} of the host's ports cannot lead to {of_container} of the container's");
            return Err(Mistake::new(message, "both ranges have the same length"));
        }
    }
    Ok(Publish { address, host, container, protocol })
}

fn protocol(text: &str, word: &str) -> Result<Protocol, Mistake> {
    match word {
        "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        "" => Err(Mistake::new(format!("“{text}” has no protocol behind the slash"), "write /tcp or /udp")),
        _ if word.eq_ignore_ascii_case("tcp") || word.eq_ignore_ascii_case("udp") => {
            let mistake = Mistake::not(word, "a protocol that can be published");
            Err(mistake.help(format!("write /{}", word.to_ascii_lowercase())))
        }
        _ if word.contains([',', '+']) => {
            Err(Mistake::new(format!("“{word}” is more than one protocol"), "publish the port once for each of them"))
        }
        _ => Err(Mistake::not(word, "a protocol that can be published: these are tcp and udp")),
    }
}

type Parts<'a> = (Option<IpAddr>, Option<&'a str>, &'a str);

fn parts<'a>(text: &str, ports: &'a str) -> Result<Parts<'a>, Mistake> {
    if ports.bytes().all(|byte| byte == b':') {
        return Err(form(text));
    }
    if let Some(rest) = ports.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or_else(|| form(text))?;
        let address: Ipv6Addr = address.parse().map_err(|_| match address.parse::<Ipv4Addr>() {
            Ok(_) => Mistake::not(text, "right").help("an IPv4 address stands without brackets"),
            Err(_) => Mistake::not(address, "an IPv6 address"),
        })?;
        return match rest.strip_prefix(':').map(|rest| rest.split(':').collect::<Vec<_>>()).as_deref() {
            Some([host, container]) => {
                Ok((Some(address.into()), Some(*host).filter(|host| !host.is_empty()), container))
            }
            Some([port]) if !port.is_empty() => Err(one_port(text, &format!("[{address}]"), port)),
            _ => Err(form(text)),
        };
    }
    match ports.split(':').collect::<Vec<_>>()[..] {
        [container] => Ok((None, None, container)),
        ["tcp" | "udp" | "sctp", ..] => {
            let (protocol, rest) = ports.split_once(':').unwrap_or_default();
            let rest = rest.trim_start_matches(':');
            Err(form(text).help(format!("the protocol stands last: \"{rest}/{protocol}\"")))
        }
        ["", container] => {
            let message = format!("“{text}” has no port of the host's before the colon");
            Err(Mistake::new(message, format!("write \"{container}\" for one that the kernel picks")))
        }
        [address, port] if address.parse::<IpAddr>().is_ok() => Err(one_port(text, address, port)),
        [host, container] => Ok((None, Some(host), container)),
        ["", _, _] => Err(Mistake::new(
            format!("“{text}” has no address before the first colon"),
            "leave the colon out for every address of the host's",
        )),
        [address, host, container] => {
            let address: Ipv4Addr =
                address.parse().map_err(|_| Mistake::not(address, "an IP address, such as 127.0.0.1 or [fd00::1]"))?;
            Ok((Some(address.into()), Some(host).filter(|host| !host.is_empty()), container))
        }
        _ => Err(without_brackets(ports).unwrap_or_else(|| form(text))),
    }
}

/// The form on its own says enough, where nothing is known of what was meant.
fn form(text: &str) -> Mistake {
    Mistake::not(text, "a port to publish: [ADDRESS:][HOST:]CONTAINER[/udp], such as 8080:80 or 127.0.0.1:8080:80")
}

fn one_port(text: &str, address: &str, port: &str) -> Mistake {
    let message = format!("“{text}” has an address, but one port alone");
    Mistake::new(message, format!("write \"{address}::{port}\" for one of the host's that the kernel picks"))
}

/// `fd00::1:8080:80`: which colon is whose nobody can know; two ports are the likeliest.
fn without_brackets(ports: &str) -> Option<Mistake> {
    let ends = ports.rmatch_indices(':').map(|(at, _)| at).take(2).collect::<Vec<_>>();
    let end = ends.into_iter().rev().find(|end| ports[..*end].parse::<Ipv6Addr>().is_ok())?;
    let (address, rest) = ports.split_at(end);
    let help = format!("write \"[{address}]{rest}\"");
    Some(Mistake::new(format!("the IPv6 address of “{ports}” is not in brackets"), help))
}

/// An address that packets can come in for, and be led on from.
fn usable(address: IpAddr, text: &str) -> Result<IpAddr, Mistake> {
    match address {
        IpAddr::V6(v6) if v6.is_loopback() => {
            let message = "nothing can be published on [::1]: the kernel routes no packet on from there";
            let rest = text.split_once(']').map_or("", |(_, rest)| rest);
            Err(Mistake::new(message, format!("write \"127.0.0.1{rest}\"; “localhost” leads there as well")))
        }
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
            let v4 = v6.to_ipv4_mapped().unwrap_or(Ipv4Addr::UNSPECIFIED);
            Err(Mistake::not(&v6.to_string(), "an address of an interface").help(format!("write {v4}")))
        }
        _ if address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) => {
            Err(Mistake::not(&address.to_string(), "an address of one host: nothing can be published on it"))
        }
        _ => Ok(address),
    }
}

fn range(text: &str, of_host: bool) -> Result<RangeInclusive<u16>, Mistake> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first, text, of_host)?, port(last, text, of_host)?);
    match first <= last {
        true => Ok(first..=last),
        false => Err(Mistake::new(format!("“{text}” ends before it begins"), format!("write {last}-{first}"))),
    }
}

fn port(text: &str, whole: &str, of_host: bool) -> Result<u16, Mistake> {
    let whose = if of_host { "host's" } else { "container's" };
    if text.is_empty() {
        return Err(match whole {
            "" => format!("the {whose} port is missing"),
            _ => format!("“{whole}” has only one end: a range is FIRST-LAST"),
        }
        .into());
    }
    if !text.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(Mistake::not(text, "a port: a number from 1 to 65535"));
    }
    match text.parse::<u16>() {
        Ok(0) if of_host => {
            Err(Mistake::not(text, "a port").help("leave the host's port out for one that the kernel picks"))
        }
        Ok(0) | Err(_) => Err(Mistake::not(text, "a port: they are 1 to 65535")),
        Ok(_) if text.starts_with('0') => Err(Mistake::not(text, "a port: write it without the zero in front")),
        Ok(port) => Ok(port),
    }
}
