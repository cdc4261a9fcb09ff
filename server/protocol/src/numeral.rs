//! Numbers as papers write them: with a true minus sign.

/// The largest seed: 2^53 - 1, the largest whole number that every JSON reader keeps exact.
pub const MAXIMUM_SEED: u64 = (1 << 53) - 1;

/// A number with all its digits, as a person would type it: `0.05`, `100`, `1e308`, `1e-7`. It reads back as the same number.
pub fn plain(value: f64) -> String {
    // Rust's Debug, other than its Display, turns to powers of ten before a number has hundreds of digits.
    let text = format!("{value:?}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// Alpha with a true minus sign and an explicit plus: `−0.05`, `0`, `+1`.
pub fn alpha(alpha: f64) -> String {
    if alpha > 0.0 {
        format!("+{}", plain(alpha))
    } else if alpha < 0.0 {
        format!("−{}", plain(-alpha))
    } else {
        "0".to_owned()
    }
}

/// A number with `digits` after the point and a true minus: `2.5`, `−0.3`, `0.0`.
pub fn decimal(value: f64, digits: usize) -> String {
    let signed = signed(value, digits);
    signed.strip_prefix('+').unwrap_or(&signed).to_owned()
}

/// A number with its sign, a true minus, and `digits` after the point: `+2.5`, `−0.3`, `0.0`.
pub fn signed(value: f64, digits: usize) -> String {
    let text = format!("{:.digits$}", value.abs());
    let zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    match value {
        _ if zero => text,
        value if value < 0.0 => format!("−{text}"),
        _ => format!("+{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: a number with 309 digits, one that reads back as another, or `1.0` for 1.
    #[test]
    fn numbers_are_short_and_exact() {
        let numbers = [
            0.05,
            100.0,
            -0.4,
            1e308,
            1e30,
            1e-7,
            f64::MIN_POSITIVE,
            123_456.75,
        ];
        let written = numbers.map(plain);
        assert_eq!(
            written[..6],
            ["0.05", "100", "-0.4", "1e308", "1e30", "1e-7"]
        );
        for (number, text) in numbers.iter().zip(&written) {
            assert_eq!(text.parse(), Ok(*number));
        }
        assert_eq!(alpha(1e308), "+1e308");
    }
}
