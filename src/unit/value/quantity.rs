//! Time spans, sizes and shares, read as systemd reads them (systemd.time(7), systemd.resource-control(5)).

use super::INFINITY;

/// A limit in bytes or tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`INFINITY`] is no limit.
    Absolute(u64),
    /// Of the machine's memory, or of the tasks the system allows.
    Share(Share),
}

/// Parts of ten thousand, the finest share systemd reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(pub u32);

impl Share {
    /// As systemd sends it over D-Bus: scaled so that the whole is 2³²−1.
    pub fn scaled(self) -> u32 {
        let scaled = (u64::from(self.0.min(10_000)) * u64::from(u32::MAX) + 5_000) / 10_000;
        u32::try_from(scaled).unwrap_or(u32::MAX)
    }
}

const UNITS: [(&[&str], u64); 9] = [
    (&["us", "usec", "µs", "μs"], 1),
    (&["ms", "msec"], 1_000),
    (&["", "s", "sec", "second", "seconds"], 1_000_000),
    (&["m", "min", "minute", "minutes"], 60 * 1_000_000),
    (&["h", "hr", "hour", "hours"], 3_600 * 1_000_000),
    (&["d", "day", "days"], 86_400 * 1_000_000),
    (&["w", "week", "weeks"], 7 * 86_400 * 1_000_000),
    (&["M", "month", "months"], 2_629_800 * 1_000_000),
    (&["y", "year", "years"], 31_557_600 * 1_000_000),
];

/// Microseconds: `"5min 20s"`, `"1.5"`, `"infinity"`.
pub fn span(text: &str) -> Option<u64> {
    if text.trim() == "infinity" {
        return Some(INFINITY);
    }
    sum(text, |unit| UNITS.iter().find(|(names, _)| names.contains(&unit)).map(|&(_, scale)| scale))
}

/// Bytes with a suffix of powers of `base` (1024 for memory, 1000 for bandwidths): `"512M"`, `"1.5G"`, `"infinity"`.
pub fn bytes(text: &str, base: u64) -> Option<u64> {
    if text.trim() == "infinity" {
        return Some(INFINITY);
    }
    sum(text, |unit| {
        let power = match unit {
            "" | "B" => 0,
            "K" => 1,
            "M" => 2,
            "G" => 3,
            "T" => 4,
            "P" => 5,
            "E" => 6,
            _ => return None,
        };
        Some(base.pow(power))
    })
}

/// `"12.5%"`, `"125‰"` and `"1250‱"`, in parts of ten thousand.
pub fn permyriad(text: &str) -> Option<u32> {
    let text = text.trim();
    let (digits, scale) = [("%", 100), ("‰", 10), ("‱", 1)]
        .into_iter()
        .find_map(|(sign, scale)| Some((text.strip_suffix(sign)?, scale)))?;
    let number = decimal(digits.trim_end(), scale)?;
    (number.1 == 0).then(|| u32::try_from(number.0).ok()).flatten()
}

/// The sum of `NUMBER UNIT` terms; at least one, each worth less than [`INFINITY`] together.
fn sum(text: &str, scale: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|next: char| !next.is_ascii_digit() && next != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let end = after.find(|next: char| next.is_ascii_digit() || next.is_whitespace()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        total = total.checked_add(decimal(number, scale(unit)?)?.0)?;
        rest = after.trim_start();
    }
    (total != INFINITY).then_some(total)
}

/// `number` × `scale` rounded down, and what the rounding dropped (not zero if anything).
fn decimal(number: &str, scale: u64) -> Option<(u64, u128)> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > 18 || !(whole.to_owned() + fraction).bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let divisor = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let fraction = if fraction.is_empty() { 0 } else { fraction.parse::<u128>().ok()? * u128::from(scale) };
    let total = u128::from(whole.parse::<u64>().ok()?) * u128::from(scale) + fraction / divisor;
    Some((u64::try_from(total).ok()?, fraction % divisor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_are_read_as_systemd_reads_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("5", Some(5_000_000)),
            ("2s", Some(2_000_000)),
            ("1.5", Some(1_500_000)),
            ("5min 20s", Some(320_000_000)),
            ("5min20s", Some(320_000_000)),
            ("1h 30 m", Some(5_400_000_000)),
            ("10ms", Some(10_000)),
            ("7us", Some(7)),
            ("1M", Some(2_629_800_000_000)),
            ("infinity", Some(INFINITY)),
            ("", None),
            ("soon", None),
            ("5 parsecs", None),
            ("-1", None),
            (".5", None),
            ("1..5", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(span(text), expected, "{text:?}");
        }
    }

    #[test]
    fn sizes_have_suffixes_of_their_base() {
        assert_eq!(bytes("512M", 1024), Some(512 << 20));
        assert_eq!(bytes("1.5G", 1024), Some(3 << 29));
        assert_eq!(bytes("5M", 1000), Some(5_000_000));
        assert_eq!(bytes("infinity", 1024), Some(INFINITY));
        assert_eq!(bytes("12", 1024), Some(12));
        for bad in ["", "M", "512m", "5%", "1Z", "16777216T"] {
            assert_eq!(bytes(bad, 1024), None, "{bad:?}");
        }
    }

    #[test]
    fn shares_are_exact_to_one_in_ten_thousand() {
        assert_eq!(permyriad("50%"), Some(5_000));
        assert_eq!(permyriad("12.5%"), Some(1_250));
        assert_eq!(permyriad("0.01%"), Some(1));
        assert_eq!(permyriad("150%"), Some(15_000));
        assert_eq!(permyriad("5‰"), Some(50));
        assert_eq!(permyriad("7‱"), Some(7));
        for bad in ["", "%", "0.001%", "50", "x%", "-1%"] {
            assert_eq!(permyriad(bad), None, "{bad:?}");
        }
        assert_eq!((Share(10_000).scaled(), Share(5_000).scaled()), (u32::MAX, 2_147_483_648));
    }
}
