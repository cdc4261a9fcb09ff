//! C4: early-layer dimensionality falls as selectivity rises.

use protocol::claim_figure::{ClaimFigure, ClaimFigureName, Lines, Picture};
use protocol::dimensionality::DimensionStatistic;
use protocol::finding::{Claim, Evidence, Finding};
use protocol::measure::Scatter;
use protocol::quantity::{LayerQuantity, LayerRange, Perturbations, Quantity};

use super::draw::{Sheet, Shown, figure};
use super::estimands::Estimand;
use super::evidence::{Side, Test, Unit};
use super::numbers::{Numbers, Values, fractions};
use super::verdict::{Words, finding, not_enough};
use crate::layer_values::layer_mean;

const RULE: &str = "Primary: the least-squares slope on mean selectivity of the dimension fraction of clean unit responses (components for 95 % of the variance / units, mean over the first third of layers), one for each seed with at least 3 alphas. At least 3 seeds are needed; the 95 % interval is Student's t over seeds. Supported if the interval lies below 0, contradicted if it lies above 0, no difference if it lies within ±0.005 per 0.1 of selectivity (our choice). Other shares of variance, the participation ratio and the mean over all layers are shown but decide nothing.";

const UNIT: Unit = Unit {
    factor: 0.1,
    words: "of the dimension fraction per 0.1 of selectivity",
    margin: 0.005,
};

const WORDS: Words = Words {
    supported: "Networks with higher selectivity use fewer dimensions in early layers",
    contradicted: "Networks with higher selectivity use more dimensions in early layers",
    no_difference: "Selectivity makes no difference larger than the margin to the dimensionality of early layers",
    whether: "selectivity lowers the dimensionality of early layers",
};

/// Every run's mean over a range of layers.
fn values(numbers: &Numbers, statistic: DimensionStatistic, range: LayerRange) -> Values {
    let clean = numbers.clean_dimensions.iter();
    clean
        .map(|dimensions| layer_mean(&fractions((*dimensions)?, statistic), range))
        .collect()
}

/// Weighs the claim.
pub fn weigh(numbers: &Numbers) -> Finding {
    if numbers.clean_dimensions.iter().all(Option::is_none) {
        return not_enough(
            Claim::C4,
            RULE,
            "Dimensionality was not measured: evaluate the runs' dimensionality.",
        );
    }
    let slope = |what: String, values: Values, decides| -> Evidence {
        let test = Test::new(what, UNIT, Side::Below, decides);
        test.of_slopes(&numbers.points_on_selectivity(&values))
    };
    let [primary, others @ ..] = DimensionStatistic::ALL;
    let early = values(numbers, primary, LayerRange::Early);
    let early = slope("The early layers' dimension fraction".into(), early, true);
    let way = Estimand::single(vec![("Early layers", early)], Side::Below, UNIT);
    let mut found = finding(Claim::C4, RULE, WORDS, way);
    for other in others {
        let what = format!("The early layers' dimension fraction, {}", other.label());
        let values = values(numbers, other, LayerRange::Early);
        found.evidence.push(slope(what, values, false));
    }
    let all = values(numbers, primary, LayerRange::All);
    let what = "The dimension fraction, mean of all layers";
    found.evidence.push(slope(what.into(), all, false));
    found
}

/// Its figures: by layer, and the early layers against selectivity.
pub fn figures(sheet: &Sheet) -> Vec<ClaimFigure> {
    let numbers = sheet.numbers;
    let primary = DimensionStatistic::Fraction95;
    let measure = LayerQuantity::dimensionality(Perturbations::Clean);
    let layers: Vec<_> = numbers
        .clean_dimensions
        .iter()
        .map(|dimensions| Some(fractions((*dimensions)?, primary)))
        .collect();
    let images = numbers.dimension_images();
    let by_layer = Lines {
        of: numbers
            .dimension_conditions
            .map_or_else(String::new, |conditions| conditions.label()),
        images,
        ..sheet.by_layer(measure.axis(), &layers)
    };
    let early = Shown {
        axis: Quantity::Layers {
            range: LayerRange::Early,
            quantity: measure,
        }
        .axis(),
        values: values(numbers, primary, LayerRange::Early),
        images,
    };
    let against: Scatter = sheet.scatter(sheet.selectivity(), early);
    vec![
        figure(
            ClaimFigureName::DimensionLayers,
            None,
            Picture::Lines(by_layer),
        ),
        figure(
            ClaimFigureName::DimensionSelectivity,
            None,
            Picture::Scatter(against),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::{Lab, noise};
    use protocol::finding::Verdict;

    /// Breaks when late layers are taken for early ones (here they rise), another share of variance decides, or the sign is
    /// wrong.
    #[test]
    fn early_layers_decide() {
        let with = |slope: f64| {
            let lab = Lab::new(3).dimensions(move |_, layer, seed, alpha, selectivity| {
                let slope = if layer < 7 { slope } else { 0.5 };
                0.5 + slope * selectivity + 0.002 * noise(seed, alpha)
            });
            weigh(&Numbers::new(&lab.run_numbers()))
        };
        let fall = with(-0.3);
        assert_eq!(fall.verdict, Verdict::Supported, "{}", fall.sentence);
        assert!(
            (fall.estimates[0].estimate.unwrap() + 0.03).abs() < 0.003,
            "{}",
            fall.sentence
        );
        assert_eq!((fall.estimates.len(), fall.evidence.len()), (1, 5));
        assert_eq!(fall.evidence.iter().filter(|one| one.decides).count(), 1);
        assert_eq!(fall.evidence[4].agrees, Some(false), "all layers");
        assert_eq!(with(0.3).verdict, Verdict::Contradicted);
        let flat = with(0.0);
        let nothing = [Verdict::Inconclusive, Verdict::NoDifference];
        assert!(nothing.contains(&flat.verdict), "{}", flat.sentence);
    }

    /// Breaks when there is no answer where runs are too few or the measurement is missing.
    #[test]
    fn what_is_missing_is_said() {
        let two = Lab::new(2).dimensions(|_, _, _, _, selectivity| 0.5 - 0.3 * selectivity);
        assert_eq!(
            weigh(&Numbers::new(&two.run_numbers())).verdict,
            Verdict::NotEnoughRuns
        );
        let missing = weigh(&Numbers::new(&Lab::new(3).run_numbers()));
        assert_eq!(missing.verdict, Verdict::NotEnoughRuns);
        assert!(
            missing
                .sentence
                .contains("evaluate the runs' dimensionality")
        );
    }
}
