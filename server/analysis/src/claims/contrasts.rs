//! Each alpha against the control, within seed: the effects of lowering and of raising selectivity, kept apart.

use std::collections::BTreeMap;

use protocol::finding::{Estimate, Evidence, Role, Verdict};
use protocol::numeral;
use statistics::{CONFIDENCE, differences, one_sample};

use super::evidence::{FEWEST_SEEDS, Side, Test, Unit, describe, estimate};
use super::numbers::{Numbers, Values};

/// Points of accuracy.
const POINTS: Unit = Unit {
    factor: 100.0,
    words: "points",
    margin: 0.0,
};

/// The difference of one alpha from the control.
#[derive(Debug, Clone, PartialEq)]
pub struct Contrast {
    /// The alpha.
    pub alpha: f64,
    /// The mean over seeds, with an interval that holds for all alphas at once.
    pub estimate: Estimate,
    /// The same test with an interval for this alpha alone.
    pub alone: Evidence,
}

/// For every alpha but 0, over the seeds that have it and the control: the mean of `values` at alpha minus at the control, in
/// points. Intervals and p are simultaneous over all alphas with at least [`FEWEST_SEEDS`] seeds, after Bonferroni: each has
/// confidence 1 - 0.05 / alphas, which holds however the alphas depend on each other and, unlike Dunnett's test, does not
/// assume equal spread. `raising` is the side on which the claim expects the difference for alpha above 0; for alpha
/// below 0 it is the other side.
pub fn contrasts(numbers: &Numbers, values: &Values, what: &str, raising: Side) -> Vec<Contrast> {
    let mut pairs: BTreeMap<u64, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    let value = |run: usize| values.get(run).copied().flatten();
    let controls = numbers.controls(values);
    let alphas: Vec<f64> = numbers
        .alphas()
        .into_iter()
        .filter(|&alpha| alpha != 0.0)
        .collect();
    for (run, row) in numbers
        .runs
        .iter()
        .enumerate()
        .filter(|(_, row)| row.alpha != 0.0)
    {
        if let (Some(control), Some(value)) = (controls.get(&row.seed), value(run)) {
            let of_alpha = pairs.entry(row.alpha.to_bits()).or_default();
            of_alpha.0.push(value);
            of_alpha.1.push(*control);
        }
    }
    // Differences that differ by rounding alone have no spread.
    let by_alpha: BTreeMap<u64, Vec<f64>> = pairs
        .into_iter()
        .filter_map(|(alpha, (values, controls))| Some((alpha, differences(&values, &controls)?)))
        .collect();
    let differences_at = |alpha: f64| {
        by_alpha
            .get(&alpha.to_bits())
            .map_or(&[][..], Vec::as_slice)
    };
    let together = alphas
        .iter()
        .filter(|&&alpha| differences_at(alpha).len() as u32 >= FEWEST_SEEDS)
        .count()
        .max(1) as f64;
    alphas
        .iter()
        .filter(|&&alpha| !differences_at(alpha).is_empty())
        .map(|&alpha| {
            let claimed = if alpha > 0.0 {
                raising
            } else {
                raising.other()
            };
            let of_alpha = differences_at(alpha);
            let test = Test::new(what, POINTS, claimed, false);
            let alone = test.of_values(of_alpha, 0.0, 2 * of_alpha.len() as u32);
            let scaled: Vec<f64> = of_alpha.iter().map(|one| one * POINTS.factor).collect();
            let simultaneous = one_sample(&scaled, 0.0, 1.0 - (1.0 - CONFIDENCE) / together);
            let evidence = Evidence {
                interval: simultaneous.map(|inference| inference.interval),
                p: alone.p.map(|p| (p * together).min(1.0)),
                ..alone.clone()
            };
            let label = format!("{what}, alpha {} minus control", numeral::alpha(alpha));
            Contrast {
                alpha,
                estimate: estimate(label, &evidence, Role::Contrast, claimed, None),
                alone,
            }
        })
        .collect()
}

/// A sentence on lowering and one on raising selectivity; where there is nothing to compare, one that says why.
pub fn sentences(contrasts: &[Contrast], what: &str) -> Vec<String> {
    if contrasts.is_empty() {
        return vec![format!(
            "{what}: no alpha can be compared with the control, because no seed has both."
        )];
    }
    let side = |name: &str, is_on_side: &dyn Fn(&&Contrast) -> bool| -> Option<String> {
        let of_side: Vec<&Contrast> = contrasts.iter().filter(is_on_side).collect();
        let furthest = of_side
            .iter()
            .filter(|one| one.estimate.verdict != Verdict::NotEnoughRuns)
            .max_by(|a, b| a.alpha.abs().total_cmp(&b.alpha.abs()))
            .or(of_side.last())?;
        let moved = |up: bool| {
            let beyond = |one: &&&Contrast| {
                let decided = one.estimate.verdict == Verdict::Supported
                    || one.estimate.verdict == Verdict::Contradicted;
                decided
                    && one
                        .estimate
                        .estimate
                        .is_some_and(|value| (value > 0.0) == up)
            };
            of_side.iter().filter(beyond).count()
        };
        Some(format!(
            "{name} selectivity: {what} is above the control at {} of {} and below it at {} (beyond chance); at alpha {}: {}.",
            moved(true),
            plural(of_side.len()),
            moved(false),
            numeral::alpha(furthest.alpha),
            describe(&furthest.estimate, "simultaneous 95 % CI")
        ))
    };
    let lowering = side("Lowering", &|one| one.alpha < 0.0);
    let raising = side("Raising", &|one| one.alpha > 0.0);
    lowering.into_iter().chain(raising).collect()
}

fn plural(alphas: usize) -> String {
    match alphas {
        1 => "1 alpha".to_owned(),
        _ => format!("{alphas} alphas"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::Lab;

    /// Four seeds, differences -0.043, -0.031, -0.028 and -0.050 from the control, the same at every one of m alphas. scipy
    /// with 3 degrees of freedom: mean +- stats.t.ppf(1 - 0.05 / m / 2, 3) * stats.sem(d) and
    /// m * stats.ttest_1samp(d, 0).pvalue, for m = 1 and 6. Breaks when intervals are not simultaneous, seeds are not paired,
    /// or alphas below 0 are claimed on the side of those above.
    #[test]
    fn intervals_are_simultaneous_and_within_seed() {
        const DIFFERENCES: [f64; 4] = [-0.043, -0.031, -0.028, -0.05];
        for (alphas, low, high, p) in [
            (
                &[0.0, 1.0][..],
                -5.438264505137583,
                -2.1617354948624167,
                0.00514062153587004,
            ),
            (
                &[-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0][..],
                -7.00788334046315,
                -0.5921166595368503,
                0.030843729215220238,
            ),
        ] {
            let lab = Lab::with_alphas(4, alphas);
            let runs = lab.run_numbers();
            let numbers = Numbers::new(&runs);
            let value = |row: &crate::claims::numbers::RunRow| {
                let own = 0.5 + 0.1 * row.seed as f64;
                let change = if row.alpha == 0.0 {
                    0.0
                } else {
                    DIFFERENCES[row.seed as usize]
                };
                Some(own + change)
            };
            let values: Values = numbers.runs.iter().map(value).collect();
            let found = contrasts(&numbers, &values, "Accuracy", Side::Below);
            assert_eq!(found.len(), alphas.len() - 1);
            for one in &found {
                let [a, b] = one.estimate.interval.unwrap();
                assert!((a - low).abs() < 1e-6 && (b - high).abs() < 1e-6, "{one:?}");
                assert!((one.estimate.p.unwrap() - p).abs() < 1e-8, "{one:?}");
                let expected = if one.alpha > 0.0 {
                    Verdict::Supported
                } else {
                    Verdict::Contradicted
                };
                assert_eq!(one.estimate.verdict, expected);
                assert_eq!((one.estimate.n, one.estimate.runs), (4, 8));
            }
            let notes = sentences(&found, "accuracy");
            assert_eq!(notes.len(), if alphas.len() > 2 { 2 } else { 1 });
            assert!(
                notes
                    .last()
                    .unwrap()
                    .starts_with("Raising selectivity: accuracy is above the control at "),
                "{notes:?}"
            );
            assert!(
                notes.last().unwrap().contains("4 seeds, pilot"),
                "{notes:?}"
            );
        }
    }

    /// Breaks when there is a contrast without a control, or no sentence about it.
    #[test]
    fn without_a_control_there_is_no_contrast() {
        let lab = Lab::with_alphas(3, &[-1.0, 1.0]);
        let runs = lab.run_numbers();
        let numbers = Numbers::new(&runs);
        let found = contrasts(&numbers, &numbers.test_accuracy(), "Accuracy", Side::Below);
        assert_eq!(found, []);
        assert!(sentences(&found, "Accuracy")[0].contains("no seed has both"));
    }
}
