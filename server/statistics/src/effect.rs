//! Effect sizes: how large a difference is next to the spread it is seen against.

use super::distributions::normal_reach;
use super::mean_and_deviation;
use statrs::function::gamma::ln_gamma;

/// A standardised difference of the means of two samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HedgesG {
    /// First mean minus second, in pooled standard deviations, corrected for the bias of few
    /// values.
    pub g: f64,
    /// Its approximate confidence interval, low end first.
    pub interval: [f64; 2],
    /// Values of both samples together.
    pub n: u32,
}

/// Hedges' g of two samples (Hedges 1981, with his exact correction) and its large-sample normal
/// interval of the given confidence (within (0, 1)), from the variance 1 / n1 + 1 / n2 +
/// g^2 / (2 (n1 + n2)) (Hedges & Olkin 1985, p. 86). `None` below 2 values on either side, without
/// spread within both, or for input that is not finite.
pub fn hedges(first: &[f64], second: &[f64], confidence: f64) -> Option<HedgesG> {
    let (first_mean, first_deviation) = mean_and_deviation(first)?;
    let (second_mean, second_deviation) = mean_and_deviation(second)?;
    let (first_n, second_n) = (first.len() as f64, second.len() as f64);
    let degrees_of_freedom = first_n + second_n - 2.0;
    let variance = ((first_n - 1.0) * first_deviation.powi(2)
        + (second_n - 1.0) * second_deviation.powi(2))
        / degrees_of_freedom;
    let g = bias_correction(degrees_of_freedom) * (first_mean - second_mean) / variance.sqrt();
    let of_g = 1.0 / first_n + 1.0 / second_n + g * g / (2.0 * (first_n + second_n));
    let reach = normal_reach(confidence)? * of_g.sqrt();
    reach.is_finite().then_some(HedgesG {
        g,
        interval: [g - reach, g + reach],
        n: u32::try_from(first.len() + second.len()).ok()?,
    })
}

/// What makes a standardised difference unbiased: about 1 - 3 / (4 degrees of freedom - 1).
fn bias_correction(degrees_of_freedom: f64) -> f64 {
    let half = degrees_of_freedom / 2.0;
    (ln_gamma(half) - ln_gamma(half - 0.5)).exp() / half.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: [f64; 5] = [0.71, 0.74, 0.69, 0.78, 0.73];
    const SECOND: [f64; 6] = [0.65, 0.70, 0.62, 0.71, 0.69, 0.60];

    /// numpy, with s the pooled deviation and m = 9: j = exp(gammaln(m / 2) - gammaln((m - 1) / 2))
    /// / sqrt(m / 2), g = j (mean(FIRST) - mean(SECOND)) / s, and g +- norm.ppf(0.975)
    /// sqrt(1 / 5 + 1 / 6 + g^2 / 22). Broken by: no correction, deviations that are not pooled,
    /// or the other sign.
    #[test]
    fn g_is_hedges() {
        let found = hedges(&FIRST, &SECOND, 0.95).unwrap();
        let [low, high] = found.interval;
        assert!((found.g - 1.5356438410873485).abs() < 1e-9, "{found:?}");
        assert!((low - 0.18645715477044833).abs() < 1e-9, "{found:?}");
        assert!((high - 2.8848305274042487).abs() < 1e-9, "{found:?}");
        assert_eq!(found.n, 11);
    }

    /// By hand: gamma(3 / 2) / (sqrt(3 / 2) gamma(1)) = 0.7236 for 3 degrees of freedom, as
    /// gamma(3 / 2) is sqrt(pi) / 2. Broken by: the approximation 1 - 3 / (4 m - 1), 0.7273 there.
    #[test]
    fn the_correction_is_exact() {
        let expected = std::f64::consts::PI.sqrt() / 2.0 / 1.5_f64.sqrt();
        assert!((bias_correction(3.0) - expected).abs() < 1e-12);
    }

    /// Broken by: a panic, an infinite effect or a NaN where there is no answer.
    #[test]
    fn bad_input_has_no_answer() {
        assert_eq!(hedges(&[0.1; 3], &[0.2; 3], 0.95), None);
        assert_eq!(hedges(&[0.1; 3], &[0.1; 3], 0.95), None);
        assert_eq!(hedges(&FIRST, &[0.1], 0.95), None);
        assert_eq!(hedges(&FIRST, &[0.1, f64::NAN], 0.95), None);
        assert_eq!(hedges(&FIRST, &SECOND, 1.0), None);
    }
}
