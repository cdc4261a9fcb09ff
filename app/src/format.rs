//! Numbers, times and lists as people read and write them.

use protocol::device::{DeviceBackend, DeviceCheck};
pub use protocol::numeral::{alpha, decimal, signed};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// A share as a percentage with one digit: `87.3 %`.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A range of shares as `59.8 to 61.6 %`; one number where both ends read the same, and a dash where there is none.
pub fn percent_range(ends: Option<[f64; 2]>) -> String {
    match ends {
        None => "–".to_owned(),
        Some([low, high]) if percent(low) == percent(high) => percent(low),
        Some([low, high]) => format!("{:.1} to {}", low * 100.0, percent(high)),
    }
}

/// A number to three significant digits: `12.3`, `0.0123`, `1.23e−5`.
pub fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.abs().to_string();
    }
    // The place of the first digit as it is written: 9.999 is written 10.0.
    let written = format!("{value:.2e}");
    let place: i32 = written
        .split_once('e')
        .and_then(|(_, place)| place.parse().ok())
        .unwrap_or(0);
    let text = match place {
        0..=2 => format!(
            "{value:.*}",
            2_usize.saturating_sub(place.unsigned_abs() as usize)
        ),
        -3..=-1 => format!("{value:.*}", 2 + place.unsigned_abs() as usize),
        3..=5 => format!("{value:.0}"),
        _ => written,
    };
    text.replace('-', "−")
}

/// A probability under the null hypothesis as papers write it: `0.031`, `< 0.001`.
pub fn p(p: f64) -> String {
    if p < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

/// An interval after its estimate: ` [−0.3, 2.5]`; nothing where there is none.
pub fn interval(ends: Option<[f64; 2]>, digits: usize) -> String {
    ends.map_or(String::new(), |[low, high]| {
        format!(" [{}, {}]", decimal(low, digits), decimal(high, digits))
    })
}

/// A count with thousands set apart: `12,345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 run`, `2 runs`.
pub fn plural(number: u64, singular: &str, plural: &str) -> String {
    format!(
        "{} {}",
        count(number),
        if number == 1 { singular } else { plural }
    )
}

/// `text` with a capital at its beginning.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// A duration to two units: `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "unknown".to_owned();
    }
    let seconds = seconds.max(0.0).round() as u64;
    let pair = |large: u64, one: &str, small: u64, two: &str| match small {
        0 => format!("{} {one}", count(large)),
        _ => format!("{} {one} {small} {two}", count(large)),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => pair(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => pair(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// The time that is left: `about 3 min 20 s left`.
pub fn time_left(seconds: f64) -> String {
    format!("about {} left", duration(seconds))
}

/// A size in binary units: `512 B`, `1.5 MiB`.
pub fn bytes(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if size < 1024.0 {
            let digits = if unit == "B" { 0 } else { 1 };
            return format!("{size:.digits$} {unit}");
        }
        size /= 1024.0;
    }
    format!("{size:.1} TiB")
}

/// How a GPU's kernels are made: `Vulkan, WGSL; NVIDIA 580.65; without fusion and autotune`.
pub fn backend(backend: &DeviceBackend) -> String {
    let tuning = match (backend.fusion, backend.autotune) {
        (true, true) => "with fusion and autotune",
        (true, false) => "with fusion",
        (false, true) => "with autotune",
        (false, false) => "without fusion and autotune",
    };
    format!(
        "{}, {}; {}; {tuning}",
        backend.api, backend.compiler, backend.driver
    )
}

/// A check's largest difference: `3.1e-6`, or that something was missing or not finite.
pub fn largest_difference(check: &DeviceCheck) -> String {
    if check.largest_difference < 1e30 {
        format!("{:.1e}", check.largest_difference)
    } else {
        "missing or not finite".to_owned()
    }
}

/// A time in milliseconds since 1970-01-01 UTC, in UTC.
fn written(milliseconds: i64, format: &[BorrowedFormatItem]) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000)
        .ok()
        .and_then(|time| time.format(format).ok())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// Milliseconds since 1970-01-01 UTC as `2026-01-31 09:30 UTC`. UTC on both sides: the server does
/// not know the reader's zone, and the two must render the same text.
pub fn timestamp(milliseconds: i64) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    written(milliseconds, format)
}

/// The day alone: `2026-01-31`.
pub fn date(milliseconds: i64) -> String {
    written(milliseconds, format_description!("[year]-[month]-[day]"))
}

/// As [`timestamp`], to the second and without the day: `09:30:07`.
pub fn clock(milliseconds: i64) -> String {
    written(
        milliseconds,
        format_description!("[hour]:[minute]:[second]"),
    )
}

/// Wilson's 95 % score interval for `share` correct out of `n` (Wilson 1927); `None` for n = 0.
pub fn wilson(share: f64, n: u64) -> Option<[f64; 2]> {
    if n == 0 {
        return None;
    }
    // The 97.5 % quantile of the normal distribution.
    const Z: f64 = 1.959_963_984_540_054;
    let n = n as f64;
    let scale = 1.0 + Z * Z / n;
    let centre = (share + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    // Rounding may exceed the range in the last digit, or give -0.0 %.
    Some([(centre - half).max(0.0), (centre + half).min(1.0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: ends in the wrong order, or a single value that looks like a range.
    #[test]
    fn ranges_are_percentages() {
        assert_eq!(percent_range(Some([0.598, 0.616])), "59.8 to 61.6 %");
        assert_eq!(percent_range(Some([0.598, 0.598])), "59.8 %");
        assert_eq!(percent_range(None), "–");
    }

    /// Broken by: `-0`, an ASCII hyphen that breaks at line ends, or lost digits of small alphas.
    #[test]
    fn alpha_has_its_sign() {
        let written = [-0.05, -1.0, -0.0, 0.0, 0.4, 2.0].map(alpha);
        assert_eq!(written, ["−0.05", "−1", "0", "0", "+0.4", "+2"]);
    }

    /// Broken by: a small gradient shown as 0, or digits that were never measured.
    #[test]
    fn three_digits_are_written() {
        let written = [
            0.0,
            0.5,
            12.34,
            9.999,
            0.001_234,
            0.000_012_34,
            1234.5,
            -0.25,
        ]
        .map(significant);
        assert_eq!(
            written,
            [
                "0",
                "0.500",
                "12.3",
                "10.0",
                "0.00123",
                "1.23e−5",
                "1234",
                "−0.250"
            ]
        );
    }

    /// Broken by: a hyphen for a minus, a sign on 0, or a p of 0.
    #[test]
    fn signs_and_probabilities_are_written_as_in_papers() {
        let written = [2.46, -0.31, -0.04, 0.0].map(|value| signed(value, 1));
        assert_eq!(written, ["+2.5", "−0.3", "0.0", "0.0"]);
        assert_eq!(interval(Some([-7.94, 54.6]), 1), " [−7.9, 54.6]");
        assert_eq!(interval(None, 1), "");
        assert_eq!(
            [0.0, 0.0004, 0.0312].map(p),
            ["< 0.001", "< 0.001", "0.031"]
        );
    }

    /// Broken by: separators in the wrong place.
    #[test]
    fn counts_are_grouped_in_thousands() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
    }

    /// Broken by: `60 s`, a unit left out, or a negative remainder shown as such.
    #[test]
    fn durations_have_two_units() {
        let written = [-1.0, 59.6, 200.0, 7_500.0, 273_600.0].map(duration);
        assert_eq!(
            written,
            ["0 s", "1 min", "3 min 20 s", "2 h 5 min", "3 d 4 h"]
        );
        assert_eq!(duration(f64::NAN), "unknown");
    }

    /// Broken by: decimal units, or digits on bytes.
    #[test]
    fn sizes_are_binary() {
        assert_eq!([512, 1_572_864].map(bytes), ["512 B", "1.5 MiB"]);
    }

    /// Broken by: seconds taken for milliseconds, or a local time zone.
    #[test]
    fn times_are_utc() {
        assert_eq!(timestamp(1_700_000_000_000), "2023-11-14 22:13 UTC");
        assert_eq!(clock(1_700_000_000_000), "22:13:20");
    }

    /// 10 of 20: 0.2993 to 0.7007; 0 of 10: 0 to 0.2775 (Wilson's formula, worked by hand).
    /// Broken by: the normal approximation, which gives 0.281 to 0.719 and a width of 0, or an end of -0.
    #[test]
    fn the_interval_is_wilsons() {
        let close = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).abs() + (a[1] - b[1]).abs() < 2e-4;
        assert!(close(wilson(0.5, 20).unwrap(), [0.2993, 0.7007]));
        assert!(close(wilson(0.0, 10).unwrap(), [0.0, 0.2775]));
        assert!(wilson(0.0, 40).unwrap()[0].is_sign_positive());
        assert_eq!(wilson(0.5, 0), None);
    }
}
