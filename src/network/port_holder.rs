//! Who listens at a port of the host's: for the error that says why a container cannot have it.

use std::fs::{read_dir, read_link, read_to_string};
use std::net::IpAddr;

/// State of a socket that listens, and of a UDP socket that is connected to nobody (linux/net/tcp_states.h).
const LISTEN: &str = "0A";
const UNCONNECTED: &str = "07";

/// A socket of a process of the host's that takes what comes for a port.
pub struct Listener {
    pub address: IpAddr,
    pub port: u16,
    inode: String,
}

/// Of a protocol, `tcp` or `udp`.
pub fn listeners(protocol: &str) -> Vec<Listener> {
    let tables = [format!("/proc/net/{protocol}"), format!("/proc/net/{protocol}6")];
    let lines = tables.iter().filter_map(|path| read_to_string(path).ok()).collect::<String>();
    lines.lines().filter_map(listener).collect()
}

/// A process by name and number; `None` where none can be found.
pub fn find(protocol: &str, port: u16) -> Option<String> {
    let at_port: Vec<Listener> = listeners(protocol).into_iter().filter(|listener| listener.port == port).collect();
    owner(&at_port.iter().collect::<Vec<_>>())
}

/// Who has one of them open.
pub fn owner(listeners: &[&Listener]) -> Option<String> {
    let sockets: Vec<String> = listeners.iter().map(|listener| format!("socket:[{}]", listener.inode)).collect();
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

/// Of a line of `/proc/net/tcp` (proc_net(5)).
fn listener(line: &str) -> Option<Listener> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (address, port) = fields.get(1)?.rsplit_once(':')?;
    let inode = fields.get(9).filter(|_| [LISTEN, UNCONNECTED].contains(&fields[3]))?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(Listener { address: address_of(address)?, port, inode: (*inode).to_owned() })
}

/// Words of 32 bits, each as the machine has it.
fn address_of(text: &str) -> Option<IpAddr> {
    let words = text.as_bytes().chunks(8).map(|word| u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok());
    let octets: Vec<u8> = words.collect::<Option<Vec<u32>>>()?.into_iter().flat_map(u32::to_ne_bytes).collect();
    super::link::address_of(&octets)
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
        let found = listener(line).unwrap();
        assert_eq!((found.address, found.port, &*found.inode), ([0; 4].into(), 8080, "3711"));
        assert!(listener(&line.replace(" 0A ", " 01 ")).is_none());
        assert_eq!(address_of("0100007F"), Some([127, 0, 0, 1].into()));
        assert_eq!(address_of("00000000000000000000000001000000"), "::1".parse().ok());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = find("tcp", listener.local_addr().unwrap().port()).unwrap();
        assert!(found.ends_with(&format!("(process {})", std::process::id())), "{found}");
    }
}
