//! Signals and exit codes by systemd's names for them.
//!
//! `SIGRTMIN` is 34 here, as the service manager (glibc) counts; musl, which the binaries are built with, reserves one
//! more for itself.

const FIRST_REALTIME: i32 = 34;
const LAST_REALTIME: i32 = 64;

/// Numbers of Linux on x86 and ARM, signal(7).
const NAMES: [(&str, i32); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`, `RTMAX-1`.
pub fn number(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse() {
        return (1..=LAST_REALTIME).contains(&number).then_some(number);
    }
    let name = text.strip_prefix("SIG").unwrap_or(text);
    if let Some(&(_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Some(number);
    }
    let number = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(""), _) => FIRST_REALTIME,
        (_, Some("")) => LAST_REALTIME,
        (Some(offset), _) => FIRST_REALTIME + i32::from(offset.strip_prefix('+')?.parse::<u8>().ok()?),
        (_, Some(offset)) => LAST_REALTIME - i32::from(offset.strip_prefix('-')?.parse::<u8>().ok()?),
        _ => return None,
    };
    (FIRST_REALTIME..=LAST_REALTIME).contains(&number).then_some(number)
}

/// `SIGTERM`, `SIGRTMIN+3`; a number where there is no name.
pub fn name(number: i32) -> String {
    match NAMES.iter().find(|(_, known)| *known == number) {
        Some((name, _)) => format!("SIG{name}"),
        None if number == FIRST_REALTIME => "SIGRTMIN".to_owned(),
        None if number > FIRST_REALTIME => format!("SIGRTMIN+{}", number - FIRST_REALTIME),
        None => number.to_string(),
    }
}

/// systemd's names for exit codes, systemd.exec(5) “Process Exit Codes”.
pub(super) fn exit_status(name: &str) -> Option<i32> {
    const LOW: [&str; 8] = [
        "SUCCESS",
        "FAILURE",
        "INVALIDARGUMENT",
        "NOTIMPLEMENTED",
        "NOPERMISSION",
        "NOTINSTALLED",
        "NOTCONFIGURED",
        "NOTRUNNING",
    ];
    const BSD: [&str; 15] = [
        "USAGE",
        "DATAERR",
        "NOINPUT",
        "NOUSER",
        "NOHOST",
        "UNAVAILABLE",
        "SOFTWARE",
        "OSERR",
        "OSFILE",
        "CANTCREAT",
        "IOERR",
        "TEMPFAIL",
        "PROTOCOL",
        "NOPERM",
        "CONFIG",
    ];
    let at = |names: &[&str], first| names.iter().zip(first..).find(|(known, _)| **known == name).map(|(_, code)| code);
    at(&LOW, 0).or_else(|| at(&BSD, 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_is_read_back_from_its_name() {
        for signal in 1..=64 {
            assert_eq!(number(&name(signal)), Some(signal));
        }
        for (text, expected) in [("TERM", 15), ("SIGRTMIN+3", 37), ("RTMAX", 64), ("RTMAX-30", 34), ("9", 9)] {
            assert_eq!(number(text), Some(expected), "{text}");
        }
        for bad in ["", "SIG", "term", "0", "65", "RTMIN+31", "RTMIN-1", "SIGRT"] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn exit_codes_have_systemds_names() {
        assert_eq!((exit_status("FAILURE"), exit_status("CONFIG"), exit_status("NOPE")), (Some(1), Some(78), None));
    }
}
