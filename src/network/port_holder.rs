//! Who listens at a port of the host's: for the error that says why a container cannot have it.

use std::fs::{read_dir, read_link, read_to_string};

/// State of a socket that listens, and of a UDP socket that is connected to nobody (linux/net/tcp_states.h).
const LISTEN: &str = "0A";
const UNCONNECTED: &str = "07";

/// A process by name and number; `None` where none can be found.
pub fn find(protocol: &str, port: u16) -> Option<String> {
    let tables = [format!("/proc/net/{protocol}"), format!("/proc/net/{protocol}6")];
    let lines = tables.iter().filter_map(|path| read_to_string(path).ok()).collect::<String>();
    let sockets: Vec<String> =
        lines.lines().filter_map(|line| socket_at(line, port)).map(|inode| format!("socket:[{inode}]")).collect();
    let mut numbers: Vec<u32> = read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|number| has_one_of(*number, &sockets))
        .collect();
    // systemd holds the sockets of its units beside those who serve them.
    numbers.sort_by_key(|number| (*number == 1, *number));
    let number = numbers.first()?;
    let name = read_to_string(format!("/proc/{number}/comm")).unwrap_or_default();
    Some(format!("{} (process {number})", name.trim_end()))
}

/// The inode of a line of `/proc/net/tcp` (proc_net(5)), if it is bound to that port.
fn socket_at(line: &str, port: u16) -> Option<&str> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (_, local) = fields.get(1)?.rsplit_once(':')?;
    let bound = u16::from_str_radix(local, 16).ok()? == port && [LISTEN, UNCONNECTED].contains(fields.get(3)?);
    fields.get(9).copied().filter(|_| bound)
}

fn has_one_of(process: u32, sockets: &[String]) -> bool {
    let open = read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    open.filter_map(|entry| read_link(entry.path()).ok())
        .any(|link| sockets.iter().any(|socket| link.as_os_str() == &**socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_socket_is_found_by_its_port() {
        let line = "   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3711 1";
        assert_eq!(socket_at(line, 8080), Some("3711"));
        assert_eq!(socket_at(line, 8081), None);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = find("tcp", listener.local_addr().unwrap().port()).unwrap();
        assert!(found.ends_with(&format!("(process {})", std::process::id())), "{found}");
    }
}
