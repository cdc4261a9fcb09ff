//! One test over seeds, and how it is put into words.

use protocol::finding::{Estimate, Evidence, PILOT_BELOW, Role, Verdict};
use protocol::numeral;
use protocol::quantity::Scale;
use statistics::{
    CONFIDENCE, Inference, mean_interval, one_sample, slope_by_seed, slope_with_covariate,
};

/// The p-value below which a test decides.
pub const LEVEL: f64 = 1.0 - CONFIDENCE;

/// The fewest seeds that a claim is tested with.
pub const FEWEST_SEEDS: u32 = 3;

/// The fewest seeds with which a bootstrapped interval is shown: with 3 it would hold the true mean 72 % of the time.
pub const FEWEST_FOR_BOOTSTRAP: usize = 10;

/// Both scales in which figures show an accuracy under perturbation.
pub const SCALES: [Scale; 2] = [Scale::Raw, Scale::ShareOfClean];

/// The side of no effect on which a claim expects an estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Above.
    Above,
    /// Below.
    Below,
}

impl Side {
    /// The other one.
    pub fn other(self) -> Side {
        match self {
            Side::Above => Side::Below,
            Side::Below => Side::Above,
        }
    }
}

/// The unit in which an estimate is given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    /// What the raw number is multiplied by.
    pub factor: f64,
    /// The unit after that.
    pub words: &'static str,
    /// The largest difference that counts as none, in that unit (choice).
    pub margin: f64,
}

/// What is tested, before its numbers are known.
#[derive(Debug, Clone)]
pub struct Test {
    /// What is tested, for a reader.
    pub what: String,
    /// The scale of an accuracy under perturbation.
    pub scale: Option<Scale>,
    /// Unit of the estimate.
    pub unit: Unit,
    /// The side on which the claim expects the estimate.
    pub claimed: Side,
    /// Whether the claim's verdict rests on it.
    pub decides: bool,
}

impl Test {
    /// A test of what has no scale.
    pub fn new(what: impl Into<String>, unit: Unit, claimed: Side, decides: bool) -> Test {
        Test {
            what: what.into(),
            scale: None,
            unit,
            claimed,
            decides,
        }
    }

    /// Slopes of y on x, one per seed through its points (seed, x, y), and their mean against 0.
    pub fn of_slopes(self, points: &[(u64, f64, f64)]) -> Evidence {
        let Some(fit) = slope_by_seed(points) else {
            return self.without_numbers();
        };
        let slopes: Vec<f64> = fit.seeds.iter().map(|seed| seed.line.slope).collect();
        let runs = fit.seeds.iter().map(|seed| seed.n).sum();
        self.of_values(&slopes, 0.0, runs)
    }

    /// Slopes of y on x with a covariate z, one per seed through its points (seed, x, z, y), and their mean against 0.
    pub fn of_partial_slopes(self, points: &[(u64, f64, f64, f64)]) -> Evidence {
        let mut seeds: Vec<u64> = points.iter().map(|point| point.0).collect();
        seeds.sort_unstable();
        seeds.dedup();
        let (mut slopes, mut runs) = (Vec::new(), 0);
        for seed in seeds {
            let of_seed = points.iter().filter(|point| point.0 == seed);
            let of_seed: Vec<_> = of_seed.map(|&(_, x, z, y)| (x, z, y)).collect();
            if let Some(slope) = slope_with_covariate(&of_seed) {
                slopes.push(slope);
                runs += of_seed.len() as u32;
            }
        }
        self.of_values(&slopes, 0.0, runs)
    }

    /// The mean of values, one per seed, against `no_effect`; `runs` is how many runs they are over.
    pub fn of_values(self, values: &[f64], no_effect: f64, runs: u32) -> Evidence {
        let factor = self.unit.factor;
        let values: Vec<f64> = values.iter().map(|value| value * factor).collect();
        let inference = one_sample(&values, no_effect * factor, CONFIDENCE);
        self.evidence(&values, no_effect * factor, inference, runs)
    }

    /// The evidence where there are no numbers to test.
    pub fn without_numbers(self) -> Evidence {
        self.evidence(&[], 0.0, None, 0)
    }

    fn evidence(
        self,
        values: &[f64],
        no_effect: f64,
        inference: Option<Inference>,
        runs: u32,
    ) -> Evidence {
        let n = values.len() as u32;
        let estimate = (n > 0).then(|| values.iter().sum::<f64>() / f64::from(n));
        let estimate = inference.map_or(estimate, |inference| Some(inference.estimate));
        Evidence {
            what: self.what,
            scale: self.scale,
            unit: self.unit.words.into(),
            estimate,
            interval: inference.map(|inference| inference.interval),
            bootstrap_interval: mean_interval(values)
                .filter(|_| values.len() >= FEWEST_FOR_BOOTSTRAP),
            p: inference.and_then(|inference| inference.p),
            p_holm: None,
            effect: inference.and_then(|inference| {
                let deviation = inference.standard_error * f64::from(n).sqrt();
                Some((inference.estimate - no_effect) / deviation)
                    .filter(|effect| effect.is_finite())
            }),
            n,
            runs,
            agrees: estimate.map(|estimate| match self.claimed {
                Side::Above => estimate > no_effect,
                Side::Below => estimate < no_effect,
            }),
            decides: self.decides,
        }
    }
}

/// The verdict that an interval supports: not enough runs below [`FEWEST_SEEDS`]; no difference where the interval lies inside
/// the margin on both sides; else a side where the interval leaves 0 out. Seeds without any spread test nothing: their
/// interval is a point, and the verdict is no difference or inconclusive.
pub fn decide(evidence: &Evidence, claimed: Side, margin: Option<f64>) -> Verdict {
    let Some([low, high]) = evidence.interval.filter(|_| evidence.n >= FEWEST_SEEDS) else {
        return Verdict::NotEnoughRuns;
    };
    let has_spread = evidence.p.is_some();
    if margin.is_some_and(|margin| -margin < low && high < margin) {
        Verdict::NoDifference
    } else if has_spread && (low > 0.0 || high < 0.0) {
        match (low > 0.0) == (claimed == Side::Above) {
            true => Verdict::Supported,
            false => Verdict::Contradicted,
        }
    } else {
        Verdict::Inconclusive
    }
}

/// A row of a forest drawing.
pub fn estimate(
    label: impl Into<String>,
    evidence: &Evidence,
    role: Role,
    claimed: Side,
    margin: Option<f64>,
) -> Estimate {
    Estimate {
        label: label.into(),
        unit: evidence.unit.clone(),
        estimate: evidence.estimate,
        interval: evidence.interval,
        margin,
        p: evidence.p,
        n: evidence.n,
        runs: evidence.runs,
        role,
        verdict: decide(evidence, claimed, margin),
    }
}

/// `3 seeds, pilot`, `20 seeds`.
pub fn seeds(n: u32) -> String {
    let pilot = if n < PILOT_BELOW { ", pilot" } else { "" };
    format!("{}{pilot}", count(n, "seed"))
}

/// `−4.0 points per 0.1 of selectivity (95 % CI −4.9 to −3.1, 3 seeds, pilot)`; `interval` is what the interval is called.
pub fn describe(estimate: &Estimate, interval: &str) -> String {
    let n = seeds(estimate.n);
    let Some(value) = estimate.estimate else {
        return format!("no estimate ({n})");
    };
    let ends = estimate.interval.iter().flatten();
    let digits = digits(
        ends.chain([&value])
            .fold(0.0, |most: f64, value| most.max(value.abs())),
    );
    let basis = match estimate.interval {
        Some([low, high]) => {
            let [low, high] = [low, high].map(|end| numeral::decimal(end, digits));
            format!("{interval} {low} to {high}, {n}")
        }
        None => format!("{n}, too few for an interval"),
    };
    let spread = match estimate.p.is_none() && estimate.n >= FEWEST_SEEDS {
        true => ", no spread over seeds",
        false => "",
    };
    format!(
        "{} {} ({basis}{spread})",
        numeral::signed(value, digits),
        estimate.unit
    )
}

/// `1 seed`, `3 seeds`.
pub fn count(n: u32, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Digits after the point that leave a number of this size two significant ones; at most 6.
pub fn digits(largest: f64) -> usize {
    if largest > 0.0 && largest.is_finite() {
        (1 - largest.log10().floor() as i32).clamp(0, 6) as usize
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINTS: Unit = Unit {
        factor: 10.0,
        words: "points per 0.1 of selectivity",
        margin: 0.5,
    };

    fn test() -> Test {
        Test {
            what: "Corruption accuracy".into(),
            scale: Some(Scale::Raw),
            unit: POINTS,
            claimed: Side::Below,
            decides: true,
        }
    }

    /// Slopes -0.2, -0.3 and -0.4 of three seeds: mean -0.3, sd 0.1, so t = -0.3 / (0.1 / sqrt(3)) = -5.196 with 2
    /// degrees of freedom, reach 4.30265 * 0.057735 = 0.24841 and p = 0.0351; ten times that in points per 0.1. Breaks when the
    /// fit is pooled, the interval is of another kind, a sentence has other numbers than the evidence, or a pilot is not called
    /// one.
    #[test]
    fn slopes_become_evidence_and_words() {
        let mut points = Vec::new();
        for (seed, slope) in [(1, -0.2), (2, -0.3), (3, -0.4)] {
            for x in [0.1, 0.2, 0.4, 0.5, 0.6] {
                points.push((seed, x, 0.7 + slope * x));
            }
        }
        let found = test().of_slopes(&points);
        let [low, high] = found.interval.unwrap();
        assert!((found.estimate.unwrap() + 3.0).abs() < 1e-9);
        assert!((low + 5.4841).abs() < 1e-3 && (high + 0.5159).abs() < 1e-3);
        assert!((found.p.unwrap() - 0.0351).abs() < 1e-4);
        assert!((found.effect.unwrap() + 3.0).abs() < 1e-9);
        assert_eq!((found.n, found.runs, found.agrees), (3, 15, Some(true)));
        assert_eq!(found.bootstrap_interval, None, "too short with 3 seeds");
        let row = estimate("raw", &found, Role::Primary, Side::Below, Some(0.5));
        assert_eq!(row.verdict, Verdict::Supported);
        assert_eq!(
            describe(&row, "95 % CI"),
            "−3.0 points per 0.1 of selectivity (95 % CI −5.5 to −0.5, 3 seeds, pilot)"
        );
    }

    fn with_interval(n: u32, interval: [f64; 2], p: Option<f64>) -> Evidence {
        Evidence {
            estimate: Some(interval[0].midpoint(interval[1])),
            interval: Some(interval),
            p,
            n,
            ..test().without_numbers()
        }
    }

    /// Breaks when a difference inside the margin is called an effect, a margin holds on one side only, two seeds decide, or
    /// values without spread do.
    #[test]
    fn intervals_decide_by_one_margin_on_both_sides() {
        let says = |interval, p| decide(&with_interval(3, interval, p), Side::Below, Some(0.5));
        let p = Some(0.01);
        assert_eq!(says([-0.4, -0.2], p), Verdict::NoDifference);
        assert_eq!(says([0.2, 0.4], p), Verdict::NoDifference);
        assert_eq!(says([-0.3, 0.3], p), Verdict::NoDifference);
        assert_eq!(says([-0.6, -0.2], p), Verdict::Supported);
        assert_eq!(says([0.2, 0.6], p), Verdict::Contradicted);
        assert_eq!(says([-0.6, 0.2], p), Verdict::Inconclusive);
        assert_eq!(says([-2.0, -2.0], None), Verdict::Inconclusive, "no spread");
        assert_eq!(says([-0.1, -0.1], None), Verdict::NoDifference);
        let two = with_interval(2, [-0.6, -0.2], p);
        assert_eq!(decide(&two, Side::Below, Some(0.5)), Verdict::NotEnoughRuns);
    }

    /// Breaks when seeds with the same slope have a p of 0.
    #[test]
    fn seeds_without_spread_have_no_p() {
        let found = test().of_values(&[-0.25, -0.25, -0.25], 0.0, 15);
        assert_eq!((found.estimate, found.p), (Some(-2.5), None));
        let row = estimate("raw", &found, Role::Primary, Side::Below, Some(0.5));
        assert!(describe(&row, "95 % CI").ends_with("3 seeds, pilot, no spread over seeds)"));
        let one = test().of_values(&[-0.25], 0.0, 4);
        assert_eq!((one.interval, one.p), (None, None));
        let row = estimate("raw", &one, Role::Primary, Side::Below, None);
        assert!(describe(&row, "95 % CI").ends_with("(1 seed, pilot, too few for an interval)"));
    }

    /// A bootstrapped interval is shown from 10 seeds on. Breaks when it is shown where it is too short.
    #[test]
    fn bootstraps_take_ten_seeds() {
        let values: Vec<f64> = (0..10).map(|seed| 0.1 * f64::from(seed * seed)).collect();
        assert_eq!(
            test().of_values(&values[..9], 0.0, 9).bootstrap_interval,
            None
        );
        assert!(
            test()
                .of_values(&values, 0.0, 10)
                .bootstrap_interval
                .is_some()
        );
    }

    /// Breaks when numbers are rounded to nothing, or given to a precision that they do not have.
    #[test]
    fn two_digits_are_told() {
        let found: Vec<usize> = [31.0, 3.1, 0.31, 0.031, 0.0, 1e-12, f64::NAN]
            .into_iter()
            .map(digits)
            .collect();
        assert_eq!(found, [0, 1, 2, 3, 0, 6, 0]);
    }
}
