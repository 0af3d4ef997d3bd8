//! What `/etc/hosts` and `/etc/resolv.conf` of a container on networks hold.

use std::fmt::Write;
use std::net::IpAddr;

use super::attachment::Attachment;
use super::state::Live;

/// systemd-resolved's own list of servers, and the file that everybody reads.
const RESOLVERS: [&str; 2] = ["/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"];
/// More of them are not asked (resolv.conf(5)).
const SERVERS: usize = 3;

/// `text`, and the container's own addresses by its host name and its name.
pub fn hosts(text: &str, hostname: &str, attachment: &Attachment) -> String {
    let mut text = text.to_owned();
    let other = Some(&attachment.container).filter(|name| *name != hostname);
    for address in attachment.addresses() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{} {hostname}", address.addr());
        let _ = other.map(|name| write!(text, " {name}"));
        text.push('\n');
    }
    text
}

/// The gateways that answer names; without such a one, the host's servers that can be reached from a container.
pub fn resolver(networks: &[Live], search: &[String], options: &[String]) -> String {
    let named = networks.iter().filter(|live| live.dns);
    let mut servers: Vec<String> =
        named.flat_map(|live| &live.subnets).filter_map(|subnet| Some(subnet.gateway?.to_string())).collect();
    let (mut found_search, mut found_options) = (Vec::new(), Vec::new());
    if servers.is_empty() {
        let host = RESOLVERS.iter().find_map(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        (servers, found_search, found_options) = of_host(&host);
    }
    // IPv4 first: every program can ask there.
    servers.sort_by_key(|server| server.contains(':'));
    let mut text: String = servers.iter().take(SERVERS).map(|server| format!("nameserver {server}\n")).collect();
    for (word, given, found) in [("search", search, found_search), ("options", options, found_options)] {
        let words = if given.is_empty() { &found } else { given };
        if !words.is_empty() {
            let _ = writeln!(text, "{word} {}", words.join(" "));
        }
    }
    text
}

/// Servers that are not the host's own loopback, domains to search, options.
fn of_host(text: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
    let words = |key: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix(key));
        lines.filter(|rest| rest.starts_with([' ', '\t'])).flat_map(str::split_whitespace).map(str::to_owned).collect()
    };
    let reachable = |server: &String| server.parse::<IpAddr>().is_ok_and(|address| !address.is_loopback());
    (words("nameserver").into_iter().filter(reachable).collect(), words("search"), words("options"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_at_the_hosts_loopback_is_no_server_of_a_container() {
        let text =
            "# a comment\nnameserver 127.0.0.53\nnameserver 192.0.2.53\nnameserver ::1\nsearch a.example b.example\n";
        let (servers, search, options) = of_host(text);
        assert_eq!(servers, ["192.0.2.53"]);
        assert_eq!(search, ["a.example", "b.example"]);
        assert!(options.is_empty());
    }
}
