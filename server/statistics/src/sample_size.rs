//! How many replicates an interval of a wanted width needs.

use super::distributions::student_reach;

/// The most replicates that [`replicates_for_half_width`] answers with.
pub const MOST_REPLICATES: u32 = 100_000;

/// The fewest replicates (at least 2) whose interval of Student's t for their mean, of the given
/// confidence (within (0, 1)), reaches no further than `half_width` to either side, if their
/// standard deviation is the given one, in the same unit. `None` above [`MOST_REPLICATES`], for a
/// half-width that is not above 0, a standard deviation below 0, or input that is not finite.
///
/// The next replicates have a different deviation: with the returned number the interval is wider
/// than wanted about half of the time.
pub fn replicates_for_half_width(
    standard_deviation: f64,
    half_width: f64,
    confidence: f64,
) -> Option<u32> {
    let usable = standard_deviation.is_finite()
        && standard_deviation >= 0.0
        && half_width.is_finite()
        && half_width > 0.0;
    if !usable {
        return None;
    }
    let suffices = |n: u32| {
        let reach = student_reach(confidence, f64::from(n) - 1.0)?;
        Some(reach * standard_deviation / f64::from(n).sqrt() <= half_width)
    };
    if !suffices(MOST_REPLICATES)? {
        return None;
    }
    // The reach shrinks with every replicate.
    let (mut fewest, mut enough) = (2, MOST_REPLICATES);
    while fewest < enough {
        let middle = fewest.midpoint(enough);
        if suffices(middle)? {
            enough = middle;
        } else {
            fewest = middle + 1;
        }
    }
    Some(enough)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// next(n for n in range(2, 100001) if scipy.stats.t.isf((1 - confidence) / 2, n - 1) * sd /
    /// n ** 0.5 <= half_width). Broken by: the normal quantile (16 for the first), n degrees of
    /// freedom, or a search that stops one off.
    #[test]
    fn replicates_are_scipys() {
        for (standard_deviation, half_width, confidence, expected) in [
            (1.0, 0.5, 0.95, 18),
            (0.02, 0.01, 0.95, 18),
            (1.0, 2.0, 0.95, 4),
            (1.0, 20.0, 0.95, 2),
            (1.0, 0.05, 0.99, 2658),
            (0.3, 0.01, 0.9, 2437),
            (0.0, 0.01, 0.95, 2),
        ] {
            let found = replicates_for_half_width(standard_deviation, half_width, confidence);
            assert_eq!(found, Some(expected));
        }
    }

    /// The widest that the most replicates allow and the least that they do not: scipy.stats.t.isf(
    /// 0.025, 99999) / 100000 ** 0.5 = 0.00619803. Broken by: a limit that is one off, or a search
    /// without an end.
    #[test]
    fn there_is_a_limit() {
        let limit = 1.9599877075346095 / 100_000.0_f64.sqrt();
        assert_eq!(
            replicates_for_half_width(1.0, limit * 1.000001, 0.95),
            Some(MOST_REPLICATES)
        );
        assert_eq!(replicates_for_half_width(1.0, limit * 0.999999, 0.95), None);
    }

    /// Broken by: a panic, or a number of replicates for nonsense.
    #[test]
    fn bad_input_has_no_answer() {
        for bad in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(replicates_for_half_width(bad, 0.1, 0.95), None);
            assert_eq!(replicates_for_half_width(1.0, bad, 0.95), None);
            assert_eq!(replicates_for_half_width(1.0, 0.1, bad), None);
        }
        assert_eq!(replicates_for_half_width(1.0, 0.0, 0.95), None);
        assert_eq!(replicates_for_half_width(1.0, 0.1, 1.0), None);
    }
}
