//! Round numbers along an axis.

/// The range of `values` with a margin; none without finite values. A single value gets room on both sides.
pub fn range(values: impl Iterator<Item = f64>) -> Option<[f64; 2]> {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
    if low > high {
        return None;
    }
    let margin = match high - low {
        width if width > 0.0 => width * 0.06,
        _ if low != 0.0 => low.abs() * 0.1,
        _ => 1.0,
    };
    Some([low - margin, high + margin])
}

/// Round numbers within a range, about five, and how they are written.
pub fn ticks([low, high]: [f64; 2]) -> Vec<(f64, String)> {
    let width = high - low;
    if !width.is_finite() || width <= 0.0 {
        return Vec::new();
    }
    let power = 10_f64.powf((width / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|round| round * power)
        .find(|step| width / step <= 6.0)
        .unwrap_or(10.0 * power);
    let digits = (-step.log10()).ceil().clamp(0.0, 12.0) as usize;
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last)
        .map(|number| {
            let value = number as f64 * step;
            let written = format!("{:.digits$}", value.abs());
            let sign = if number < 0 { "−" } else { "" };
            (value, format!("{sign}{written}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(range: [f64; 2]) -> Vec<String> {
        ticks(range).into_iter().map(|(_, words)| words).collect()
    }

    /// Broken by: ticks outside the range, labels that do not differ, or a hyphen for a minus.
    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(
            words([0.13, 0.42]),
            ["0.15", "0.20", "0.25", "0.30", "0.35", "0.40"]
        );
        assert_eq!(words([-12.0, 9.0]), ["−10", "−5", "0", "5"]);
        assert!(ticks([1.0, 1.0]).is_empty() && ticks([f64::NAN, 1.0]).is_empty());
    }

    /// Broken by: an axis without width where all values are equal, or one that a NaN spoils.
    #[test]
    fn a_range_has_room() {
        let [low, high] = range([0.5, 0.5].into_iter()).unwrap();
        assert!(low < 0.5 && high > 0.5);
        assert_eq!(range([0.0].into_iter()), Some([-1.0, 1.0]));
        assert_eq!(range([f64::NAN].into_iter()), None);
        assert!(range([0.0, f64::NAN, 1.0].into_iter()).unwrap()[1] > 1.0);
    }
}
