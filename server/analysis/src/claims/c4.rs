//! C4: early-layer dimensionality is inverse to selectivity.

use protocol::dimensionality::DimensionStatistic;
use protocol::finding::{Claim, Finding};

use super::evidence::{PER_TENTH, Side, Test, change};
use super::numbers::{Numbers, Values};
use super::verdict::{finding, not_enough};

const RULE: &str = "One least-squares slope on selectivity for each seed with at least 3 alphas, at least 3 seeds, of the dimension fraction of clean unit responses (components for 95 % of the variance / units, mean over the first third of layers); supported where the mean slope is below 0 (p < 0.05), contradicted where it is above 0.";

/// Weighs the claim.
pub fn weigh(numbers: &Numbers) -> Finding {
    let clean = &numbers.clean_dimensions;
    if clean.iter().all(Option::is_none) {
        return not_enough(
            Claim::C4,
            RULE,
            Vec::new(),
            "Dimensionality is not measured: evaluate the runs' dimensionality.",
        );
    }
    let selectivity = numbers.selectivity();
    let test = |what: String, values: Values, decides| {
        let test = Test {
            what,
            scale: None,
            unit: "dimension fraction per unit of selectivity",
            claimed: Side::Below,
            decides,
        };
        test.of_slopes(&numbers.points(&selectivity, &values))
    };
    let mut evidence = Vec::new();
    for (place, statistic) in DimensionStatistic::ALL.into_iter().enumerate() {
        let values = clean.iter().map(|of| Some(of.as_ref()?.early[place]));
        let what = match statistic {
            DimensionStatistic::Fraction95 => "The early layers' dimension fraction".into(),
            other => format!("The early layers' dimension fraction, {}", other.label()),
        };
        let decides = statistic == DimensionStatistic::Fraction95;
        evidence.push(test(what, values.collect(), decides));
    }
    let all = clean.iter().map(|of| Some(of.as_ref()?.all));
    evidence.push(test(
        "The dimension fraction, mean of all layers".into(),
        all.collect(),
        false,
    ));
    let sentences = vec![change(&evidence[0], PER_TENTH)];
    finding(Claim::C4, RULE, evidence, sentences)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer_values::LayerValues;
    use crate::made_up::{Lab, noise};
    use crate::run_numbers::MeasuredRuns;
    use protocol::finding::Verdict;
    use protocol::layer_measure::{LayerMeasure, LayerRange, Perturbations};

    /// Broken by: late layers that are taken for early ones (here they rise), another share of variance, or the wrong sign.
    #[test]
    fn early_layers_decide() {
        let with = |slope: f64| {
            let lab = Lab::new(3).dimensions(move |_, layer, seed, alpha, selectivity| {
                let slope = if layer < 7 { slope } else { 0.5 };
                0.5 + slope * selectivity + 0.002 * noise(seed, alpha)
            });
            (weigh(&lab.numbers()), lab)
        };
        let (fall, lab) = with(-0.3);
        assert_eq!(fall.verdict, Verdict::Supported, "{}", fall.summary);
        assert!(
            (fall.evidence[0].estimate.unwrap() + 0.3).abs() < 0.03,
            "{}",
            fall.summary
        );
        assert_eq!(fall.evidence.len(), 5);
        assert_eq!(fall.evidence.iter().filter(|one| one.decides).count(), 1);
        assert_eq!(fall.evidence[4].agrees, Some(false), "all layers");
        // The same numbers as the figures'.
        let clean = LayerMeasure::dimensionality(Perturbations::Clean);
        let values = LayerValues::find(
            &lab.runs,
            &MeasuredRuns::new(&lab.run_numbers()),
            clean,
            None,
        );
        for (run, of) in lab.runs.iter().zip(&lab.numbers().clean_dimensions) {
            let of = of.unwrap();
            assert!((values.mean(run.id, LayerRange::Early).unwrap() - of.early[0]).abs() < 1e-12);
            assert!((values.mean(run.id, LayerRange::All).unwrap() - of.all).abs() < 1e-12);
        }
        assert_eq!(with(0.3).0.verdict, Verdict::Contradicted);
        let (flat, _) = with(0.0);
        assert_eq!(flat.verdict, Verdict::Inconclusive, "{}", flat.summary);
    }

    /// Broken by: no answer where runs are too few or the measurement is missing.
    #[test]
    fn what_is_missing_is_said() {
        let two = Lab::new(2).dimensions(|_, _, _, _, selectivity| 0.5 - 0.3 * selectivity);
        assert_eq!(weigh(&two.numbers()).verdict, Verdict::NotEnoughRuns);
        let missing = weigh(&Lab::new(3).numbers());
        assert_eq!(missing.verdict, Verdict::NotEnoughRuns);
        assert!(
            missing
                .summary
                .contains("evaluate the runs' dimensionality")
        );
    }
}
