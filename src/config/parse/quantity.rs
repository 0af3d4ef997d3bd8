//! Sizes, time spans, modes, signals and resource limits, as systemd writes them.

use std::time::Duration;

use crate::config::diagnostics::Mistake;
use crate::config::suggest::nearest;
use crate::config::{LimitRange, ResourceLimit, Signal};
use crate::unit::{self, INFINITY, signal as signals};

/// Bytes: `"64M"`, `"1.5G"`, `"65536"`; the suffixes are powers of 1024. Not infinity: what has a size here is memory.
pub fn bytes(text: &str) -> Result<u64, Mistake> {
    match unit::bytes(text, 1024) {
        Some(0) => Err("a size of 0 leaves no room at all".into()),
        Some(INFINITY) => Err("“infinity” is not a size here; write an amount, such as 64M".into()),
        Some(number) => Ok(number),
        None => {
            let mistake = Mistake::not(text, "a size, such as 64M or 1.5G (K, M, G and T are powers of 1024)");
            let upper = text.trim().to_ascii_uppercase();
            let short = upper.trim_end_matches("IB").trim_end_matches('B').trim_end();
            Err(match unit::bytes(short, 1024) {
                Some(_) if !short.is_empty() => mistake.help(format!("write \"{short}\"")),
                _ => mistake,
            })
        }
    }
}

/// `"2s"`, `"1min 30s"`, a plain number of seconds.
pub fn duration(text: &str) -> Result<Duration, Mistake> {
    match unit::span(text) {
        Some(INFINITY) | None => Err(Mistake::not(text, "a time span, such as 2s, 500ms or 1min 30s")),
        Some(microseconds) => Ok(Duration::from_micros(microseconds)),
    }
}

/// An octal file mode or mask: `"0022"`.
pub fn mode(text: &str, most: u32) -> Result<u32, Mistake> {
    let octal = !text.is_empty() && text.len() <= 5 && text.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    let mode = octal.then(|| u32::from_str_radix(text, 8).ok()).flatten().filter(|mode| *mode <= most);
    mode.ok_or_else(|| Mistake::not(text, &format!("an octal mode of at most {most:04o}, such as 0022 or 0755")))
}

/// `SIGQUIT`, `QUIT`, `3`, `SIGRTMIN+3`.
pub fn signal(text: &str) -> Result<Signal, Mistake> {
    if let Some(number) = signals::number(text) {
        return Ok(Signal(number));
    }
    let upper = text.to_ascii_uppercase();
    let names: Vec<String> = (1..=34).map(signals::name).collect();
    let meant = match signals::number(&upper) {
        Some(number) if number > 0 => Some(signals::name(number)),
        _ => nearest(&format!("SIG{}", upper.trim_start_matches("SIG")), names.iter().map(String::as_str))
            .map(str::to_owned),
    };
    let mistake = Mistake::not(text, "the name or number of a signal, such as SIGTERM or SIGRTMIN+3");
    Err(Mistake { help: meant.map(|name| format!("did you mean “{name}”?")), ..mistake })
}

const LIMITS: [(&str, ResourceLimit); 16] = [
    ("cpu", ResourceLimit::Cpu),
    ("fsize", ResourceLimit::Fsize),
    ("data", ResourceLimit::Data),
    ("stack", ResourceLimit::Stack),
    ("core", ResourceLimit::Core),
    ("rss", ResourceLimit::Rss),
    ("nproc", ResourceLimit::Nproc),
    ("nofile", ResourceLimit::Nofile),
    ("memlock", ResourceLimit::Memlock),
    ("as", ResourceLimit::As),
    ("locks", ResourceLimit::Locks),
    ("sigpending", ResourceLimit::Sigpending),
    ("msgqueue", ResourceLimit::Msgqueue),
    ("nice", ResourceLimit::Nice),
    ("rtprio", ResourceLimit::Rtprio),
    ("rttime", ResourceLimit::Rttime),
];

/// A resource of setrlimit(2), in lower case and without `RLIMIT_`.
pub fn rlimit(name: &str) -> Result<ResourceLimit, Mistake> {
    if let Some((_, limit)) = LIMITS.iter().find(|(known, _)| *known == name) {
        return Ok(*limit);
    }
    let lower = name.to_ascii_lowercase();
    let short = lower.trim_start_matches("rlimit_").trim_start_matches("limit");
    let meant = nearest(short, LIMITS.iter().map(|(known, _)| *known)).map(|known| format!("did you mean “{known}”?"));
    let names: Vec<&str> = LIMITS.iter().map(|(known, _)| *known).collect();
    Err(Mistake { message: format!("[rlimits] has no “{name}”; there are {}", names.join(", ")), help: meant })
}

/// `"SOFT:HARD"`, or one value for both; `infinity` is no limit. Limits in bytes take K, M, G and T.
pub fn limit_range(limit: ResourceLimit, text: &str) -> Result<LimitRange, Mistake> {
    let (soft, hard) = text.split_once(':').unwrap_or((text, text));
    let range = LimitRange { soft: one_limit(limit, soft)?, hard: one_limit(limit, hard)? };
    match (range.soft, range.hard) {
        (None, Some(_)) => Err(format!("the soft limit {soft} is above the hard limit {hard}").into()),
        (Some(low), Some(high)) if low > high => {
            Err(format!("the soft limit {soft} is above the hard limit {hard}").into())
        }
        _ => Ok(range),
    }
}

fn one_limit(limit: ResourceLimit, text: &str) -> Result<Option<u64>, Mistake> {
    use ResourceLimit::{As, Core, Data, Fsize, Memlock, Msgqueue, Rss, Stack};
    if text == "infinity" {
        return Ok(None);
    }
    let in_bytes = matches!(limit, Fsize | Data | Stack | Core | Rss | Memlock | As | Msgqueue);
    let number = if in_bytes { unit::bytes(text, 1024) } else { text.parse().ok() };
    number.map(Some).ok_or_else(|| match text {
        "unlimited" | "-1" => Mistake::not(text, "a limit").help("write “infinity” for no limit"),
        _ if in_bytes => Mistake::not(text, "a limit, such as \"64M\", \"1M:infinity\" or 65536"),
        _ => Mistake::not(text, "a limit, such as \"1024:65536\", \"infinity\" or 512"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(bytes("64M").unwrap(), 64 << 20);
        assert_eq!(bytes("1.5G").unwrap(), 3 << 29);
        assert_eq!(bytes("65536").unwrap(), 65_536);
        for (text, help) in [("64m", "write \"64M\""), ("64MiB", "write \"64M\""), ("2 gb", "write \"2 G\"")] {
            assert_eq!(bytes(text).unwrap_err().help.as_deref(), Some(help));
        }
        for bad in ["", "0", "infinity", "M", "b", "ib", "-1", "12X", "99999999999999999999"] {
            assert!(bytes(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn modes_are_octal_strings() {
        assert_eq!(mode("0022", 0o777), Ok(0o22));
        assert_eq!(mode("1777", 0o7777), Ok(0o1777));
        for bad in ["", "0o22", "+22", "888", "1777", "000022", "u=rwx"] {
            assert!(mode(bad, 0o777).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_mistyped_signal_names_the_one_meant() {
        assert_eq!(signal("SIGRTMIN+3"), Ok(Signal(37)));
        for (text, meant) in [("sigterm", "SIGTERM"), ("SIGTREM", "SIGTERM"), ("hup", "SIGHUP"), ("kil", "SIGKILL")] {
            assert_eq!(signal(text).unwrap_err().help, Some(format!("did you mean “{meant}”?")), "{text}");
        }
        assert!(signal("").is_err());
    }

    #[test]
    fn limits_have_a_soft_and_a_hard_value() {
        let range = |soft, hard| Ok(LimitRange { soft, hard });
        assert_eq!(limit_range(ResourceLimit::Nofile, "1024:65536"), range(Some(1024), Some(65_536)));
        assert_eq!(limit_range(ResourceLimit::Memlock, "64K:infinity"), range(Some(65_536), None));
        assert_eq!(limit_range(ResourceLimit::Core, "0"), range(Some(0), Some(0)));
        for bad in ["", ":", "2:1", "infinity:5", "1:2:3", "64K", "unlimited", "-1"] {
            assert!(limit_range(ResourceLimit::Nofile, bad).is_err(), "{bad:?}");
        }
        assert_eq!(rlimit("LimitNOFILE").unwrap_err().help.as_deref(), Some("did you mean “nofile”?"));
    }

    #[test]
    fn time_spans_are_finite() {
        assert_eq!(duration("1min 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        for bad in ["", "soon", "infinity", "-1s"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
    }
}
