//! One test over seeds, and how it is put into words.

use protocol::finding::Evidence;
use protocol::measure::Scale;

use protocol::numeral as format;

use statistics::{CONFIDENCE, Inference, holm, mean_interval, one_sample, slope_by_seed};

/// The p-value below which a test decides.
pub const LEVEL: f64 = 1.0 - CONFIDENCE;

/// Both ways in which an accuracy under perturbation is tested.
pub const SCALES: [Scale; 2] = [Scale::Raw, Scale::ShareOfClean];

/// On which side of no effect the claim puts an estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Above.
    Above,
    /// Below.
    Below,
}

/// What is tested, before its numbers are known.
#[derive(Debug, Clone)]
pub struct Test {
    /// What, for a reader.
    pub what: String,
    /// The scale of an accuracy under perturbation.
    pub scale: Option<Scale>,
    /// Unit of the estimate.
    pub unit: &'static str,
    /// Where the claim puts the estimate.
    pub claimed: Side,
    /// Whether a verdict rests on it.
    pub decides: bool,
}

impl Test {
    /// The slope of y on x: one a seed through its points (seed, x, y), and their mean against 0.
    pub fn of_slopes(self, points: &[(u64, f64, f64)]) -> Evidence {
        match slope_by_seed(points) {
            None => self.without_numbers(),
            Some(found) => {
                let slopes: Vec<f64> = found.seeds.iter().map(|seed| seed.line.slope).collect();
                let runs = found.seeds.iter().map(|seed| seed.n).sum();
                self.evidence(&slopes, 0.0, found.inference, found.interval, runs)
            }
        }
    }

    /// The mean of values, one a seed, against `no_effect`; `runs` is how many runs they are over.
    pub fn of_values(self, values: &[f64], no_effect: f64, runs: u32) -> Evidence {
        let inference = one_sample(values, no_effect, CONFIDENCE);
        let interval = mean_interval(values);
        self.evidence(values, no_effect, inference, interval, runs)
    }

    /// The test where there was nothing to make it of.
    pub fn without_numbers(self) -> Evidence {
        self.evidence(&[], 0.0, None, None, 0)
    }

    fn evidence(
        self,
        values: &[f64],
        no_effect: f64,
        inference: Option<Inference>,
        bootstrap_interval: Option<[f64; 2]>,
        runs: u32,
    ) -> Evidence {
        let n = values.len() as u32;
        let estimate = (n > 0).then(|| values.iter().sum::<f64>() / f64::from(n));
        let estimate = inference.map_or(estimate, |inference| Some(inference.estimate));
        Evidence {
            what: self.what,
            scale: self.scale,
            unit: self.unit.into(),
            estimate,
            interval: inference.map(|inference| inference.interval),
            bootstrap_interval,
            p: inference.map(|inference| inference.p),
            p_holm: None,
            effect: inference.and_then(|inference| {
                let deviation = inference.standard_error * f64::from(n).sqrt();
                Some((inference.estimate - no_effect) / deviation).filter(|of| of.is_finite())
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

/// Corrects tests that were made together.
pub fn correct(together: &mut [&mut Evidence]) {
    let p: Vec<f64> = together
        .iter()
        .map(|one| one.p.unwrap_or(f64::NAN))
        .collect();
    for (one, corrected) in together.iter_mut().zip(holm(&p)) {
        one.p_holm = one.p.map(|_| corrected);
    }
}

/// Corrects the deciding tests of each scale for each other.
pub fn correct_within_scales(evidence: &mut [Evidence]) {
    for scale in [None, Some(Scale::Raw), Some(Scale::ShareOfClean)] {
        let mut together: Vec<&mut Evidence> = evidence
            .iter_mut()
            .filter(|one| one.decides && one.scale == scale)
            .collect();
        if together.len() > 1 {
            correct(&mut together);
        }
    }
}

/// What `scale` is called after the name of an accuracy.
pub fn scale_label(scale: Option<Scale>) -> &'static str {
    match scale {
        Some(Scale::ShareOfClean) => ", as a share of clean accuracy,",
        _ => "",
    }
}

/// How a slope is told.
#[derive(Debug, Clone, Copy)]
pub struct Telling {
    /// What one unit of the estimate is multiplied by.
    pub factor: f64,
    /// What follows the number, with a space before it; may be empty.
    pub unit: &'static str,
    /// Of which change it is, for example `for each 0.1 of selectivity`.
    pub of: &'static str,
}

/// Accuracy in points for each 0.1 of selectivity.
pub const POINTS_PER_TENTH: Telling = Telling {
    factor: 10.0,
    unit: " points",
    of: " for each 0.1 of selectivity",
};

/// A plain number for each 0.1 of selectivity.
pub const PER_TENTH: Telling = Telling {
    factor: 0.1,
    unit: "",
    of: " for each 0.1 of selectivity",
};

/// A sentence: by how much something changes.
pub fn change(evidence: &Evidence, telling: Telling) -> String {
    let what = format!("{}{}", evidence.what, scale_label(evidence.scale));
    let Some(estimate) = evidence.estimate else {
        return format!("{what} cannot be told.");
    };
    let Telling { factor, unit, of } = telling;
    let ends = evidence.interval.map(|ends| ends.map(|end| end * factor));
    let estimate = estimate * factor;
    let digits = digits(
        ends.iter()
            .flatten()
            .chain([&estimate])
            .fold(0.0, |most: f64, value| most.max(value.abs())),
    );
    format!(
        "{what} changes by {}{unit}{of} ({}).",
        format::signed(estimate, digits),
        basis(evidence, ends, digits)
    )
}

/// Interval, seeds and runs: what stands in brackets after a number.
pub fn basis(evidence: &Evidence, interval: Option<[f64; 2]>, digits: usize) -> String {
    let seeds = count(evidence.n, "seed");
    let runs = count(evidence.runs, "run");
    match interval {
        Some([low, high]) => {
            let [low, high] = [low, high].map(|end| format::decimal(end, digits));
            format!("95 % interval {low} to {high}, n = {seeds}, {runs}")
        }
        None => format!("n = {seeds}, {runs}, too few for an interval"),
    }
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

    fn test() -> Test {
        Test {
            what: "Corruption accuracy".into(),
            scale: Some(Scale::Raw),
            unit: "accuracy per unit of selectivity",
            claimed: Side::Below,
            decides: true,
        }
    }

    /// Slopes -0.2, -0.3 and -0.4 of three seeds: mean -0.3, sd 0.1, so t = -0.3 / (0.1 / sqrt(3)) = -5.196 with 2
    /// degrees of freedom, reach 4.30265 * 0.057735 = 0.24841 and p = 0.0351. Broken by: a pooled fit, an interval of
    /// another kind, or a sentence with other numbers than the evidence.
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
        assert!((found.estimate.unwrap() + 0.3).abs() < 1e-12);
        assert!((low + 0.54841).abs() < 1e-4 && (high + 0.05159).abs() < 1e-4);
        assert!((found.p.unwrap() - 0.0351).abs() < 1e-4);
        assert!((found.effect.unwrap() + 3.0).abs() < 1e-9);
        assert_eq!((found.n, found.runs, found.agrees), (3, 15, Some(true)));
        assert_eq!(
            change(&found, POINTS_PER_TENTH),
            "Corruption accuracy changes by −3.0 points for each 0.1 of selectivity (95 % interval −5.5 to −0.5, n = 3 seeds, 15 runs)."
        );
    }

    /// Broken by: a number where there is none, or a correction that forgets the other tests: of p 0.01 and 0.04 Holm
    /// makes 0.02 and 0.04.
    #[test]
    fn tests_made_together_are_corrected_and_missing_ones_are_not_counted() {
        let mut family = vec![test().without_numbers(); 3];
        (family[0].p, family[2].p) = (Some(0.04), Some(0.01));
        correct_within_scales(&mut family);
        assert_eq!(family[0].p_holm, Some(0.04));
        assert_eq!(family[1].p_holm, None);
        assert_eq!(family[2].p_holm, Some(0.02));
        assert_eq!(
            change(&family[1], PER_TENTH),
            "Corruption accuracy cannot be told."
        );
        let one = test().of_values(&[-0.25], 0.0, 4);
        assert_eq!(
            (one.estimate, one.interval, one.p),
            (Some(-0.25), None, None)
        );
        assert!(
            change(&one, PER_TENTH).ends_with("(n = 1 seed, 4 runs, too few for an interval).")
        );
    }

    /// Broken by: numbers that are rounded to nothing, or told to a precision that they do not have.
    #[test]
    fn two_digits_are_told() {
        let found: Vec<usize> = [31.0, 3.1, 0.31, 0.031, 0.0, 1e-12, f64::NAN]
            .into_iter()
            .map(digits)
            .collect();
        assert_eq!(found, [0, 1, 2, 3, 0, 6, 0]);
    }
}
