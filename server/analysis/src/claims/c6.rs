//! C6: input-unit gradients vary more in selective networks.

use protocol::claim_figure::{ClaimFigure, ClaimFigureName, Lines, Picture};
use protocol::finding::{Claim, Evidence, Finding};
use protocol::gradient::InputUnitGradientMeasurement;
use protocol::quantity::{LayerQuantity, LayerRange, Quantity};

use super::draw::{Sheet, Shown, figure};
use super::estimands::Estimand;
use super::evidence::{Side, Test, Unit};
use super::numbers::{Numbers, Values};
use super::verdict::{Words, finding, not_enough};
use crate::layer_values::layer_mean;

const RULE: &str = "Primary: the least-squares slopes on mean selectivity of CV_u (variability across samples) and of CV_l (variability across units), each the mean over all layers, one of each for every seed with at least 3 alphas. At least 3 seeds are needed; the 95 % intervals are Student's t over seeds. Supported if both intervals lie above 0, contradicted if both lie below 0, no difference if both lie within ±0.01 per 0.1 of selectivity (our choice); both must agree, so neither is corrected. Early layers are shown but decide nothing.";

const UNIT: Unit = Unit {
    factor: 0.1,
    words: "per 0.1 of selectivity",
    margin: 0.01,
};

const WORDS: Words = Words {
    supported: "Input-unit gradients vary more in networks with higher selectivity",
    contradicted: "Input-unit gradients vary less in networks with higher selectivity",
    no_difference: "Selectivity makes no difference larger than the margin to how much input-unit gradients vary",
    whether: "input-unit gradients vary more in networks with higher selectivity",
};

/// One of the two kinds of variability: its name, its measure, its layers, and its figures (against selectivity, by layer).
type Kind = (
    &'static str,
    LayerQuantity,
    fn(&InputUnitGradientMeasurement) -> &Vec<Option<f64>>,
    [ClaimFigureName; 2],
);

const KINDS: [Kind; 2] = [
    (
        "CV_u",
        LayerQuantity::CvAcrossSamples,
        |gradients| &gradients.cv_across_samples,
        [
            ClaimFigureName::SampleVariabilitySelectivity,
            ClaimFigureName::SampleVariabilityLayers,
        ],
    ),
    (
        "CV_l",
        LayerQuantity::CvAcrossUnits,
        |gradients| &gradients.cv_across_units,
        [
            ClaimFigureName::UnitVariabilitySelectivity,
            ClaimFigureName::UnitVariabilityLayers,
        ],
    ),
];

/// Every run's mean over a range of layers.
fn values(numbers: &Numbers, kind: &Kind, range: LayerRange) -> Values {
    let runs = numbers.gradients.iter();
    runs.map(|gradients| layer_mean((kind.2)((*gradients)?), range))
        .collect()
}

/// Weighs the claim.
pub fn weigh(numbers: &Numbers) -> Finding {
    if numbers.gradients.iter().all(Option::is_none) {
        return not_enough(
            Claim::C6,
            RULE,
            "Input-unit gradients were not measured: evaluate the runs' input-unit gradients.",
        );
    }
    let slope = |what: String, values: Values, decides| -> Evidence {
        let test = Test::new(what, UNIT, Side::Above, decides);
        test.of_slopes(&numbers.points_on_selectivity(&values))
    };
    let tests = KINDS.iter().map(|kind| {
        let all = values(numbers, kind, LayerRange::All);
        (kind.0, slope(kind.0.into(), all, true))
    });
    let way = Estimand::single(tests.collect(), Side::Above, UNIT);
    let mut found = finding(Claim::C6, RULE, WORDS, way);
    for kind in &KINDS {
        let early = values(numbers, kind, LayerRange::Early);
        found.evidence.push(slope(
            format!("{} of the early layers", kind.0),
            early,
            false,
        ));
    }
    found
}

/// Its figures: each kind against selectivity and by layer.
pub fn figures(sheet: &Sheet) -> Vec<ClaimFigure> {
    let numbers = sheet.numbers;
    let drawn = KINDS.iter().flat_map(|kind| {
        let (_, measure, layers, [against, by_layer]) = kind;
        let all = Shown {
            axis: Quantity::Layers {
                range: LayerRange::All,
                quantity: *measure,
            }
            .axis(),
            values: values(numbers, kind, LayerRange::All),
            images: numbers.gradient_images,
        };
        let layers: Vec<_> = numbers
            .gradients
            .iter()
            .map(|gradients| Some(layers((*gradients)?).clone()))
            .collect();
        let lines = Lines {
            images: numbers.gradient_images,
            ..sheet.by_layer(measure.axis(), &layers)
        };
        [
            figure(
                *against,
                None,
                Picture::Scatter(sheet.scatter(sheet.selectivity(), all)),
            ),
            figure(*by_layer, None, Picture::Lines(lines)),
        ]
    });
    drawn.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::{Lab, noise};
    use protocol::finding::Verdict;

    fn weighed(seeds: u64, samples: f64, units: f64) -> Finding {
        let lab = Lab::new(seeds).gradients(move |seed, alpha, selectivity| {
            let noise = 0.001 * noise(seed, alpha);
            [
                0.5 + samples * selectivity + noise,
                0.9 + units * selectivity - noise,
            ]
        });
        weigh(&Numbers::new(&lab.run_numbers()))
    }

    /// Breaks when one of the two decides alone, the sign is wrong, or tests that must agree are corrected.
    #[test]
    fn both_must_rise() {
        let both = weighed(3, 0.4, 0.2);
        assert_eq!(both.verdict, Verdict::Supported, "{}", both.sentence);
        assert!((both.estimates[1].estimate.unwrap() - 0.02).abs() < 0.001);
        assert_eq!((both.evidence.len(), both.evidence[0].p_holm), (4, None));
        assert!(both.sentence.contains(": CV_u +0.04"), "{}", both.sentence);
        let neither = weighed(3, -0.4, -0.2);
        assert_eq!(
            neither.verdict,
            Verdict::Contradicted,
            "{}",
            neither.sentence
        );
        let one = weighed(3, 0.4, -0.2);
        assert_eq!(one.verdict, Verdict::Inconclusive, "{}", one.sentence);
        assert_eq!(one.more_seeds, None);
    }

    /// Breaks when there is no answer where runs are too few or the measurement is missing.
    #[test]
    fn what_is_missing_is_said() {
        assert_eq!(weighed(2, 0.4, 0.2).verdict, Verdict::NotEnoughRuns);
        let missing = weigh(&Numbers::new(&Lab::new(3).run_numbers()));
        assert_eq!(missing.verdict, Verdict::NotEnoughRuns);
        assert!(missing.sentence.contains("input-unit gradients"));
    }
}
