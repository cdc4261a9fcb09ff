//! Numbers as papers write them: with a true minus sign.

/// Alpha with a true minus sign and an explicit plus: `−0.05`, `0`, `+1`.
pub fn alpha(alpha: f64) -> String {
    if alpha > 0.0 {
        format!("+{alpha}")
    } else if alpha < 0.0 {
        format!("−{}", -alpha)
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
