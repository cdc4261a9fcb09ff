//! C5: adversarial samples raise early-layer dimensionality more than corrupted ones.

use protocol::attack::{Attack, Method, Norm};
use protocol::claim_figure::{ClaimFigure, ClaimFigureName, Lines, Picture, Series};
use protocol::corruption::SEVERITIES;
use protocol::dimensionality::{ActivationMatrix, DimensionStatistic, Perturbation};
use protocol::finding::{Claim, Finding};
use protocol::quantity::{self, Axis, LayerRange};

use super::draw::{LAYER, Sheet, figure};
use super::estimands::Estimand;
use super::evidence::{Side, Test, Unit};
use super::numbers::{Numbers, Values};
use super::verdict::{Words, finding, not_enough};
use crate::{INTERVAL_METHOD, mean};

const RULE: &str = "Primary: for each run, the dimension fraction of the difference that a perturbation makes to unit responses (components for 95 % of the variance / units, mean over the first third of layers), under the strongest L-infinity PGD from the clean image (with 40 steps if measured) minus the mean over all corruptions and severities. Each seed gives one value, the mean over its alphas. At least 3 seeds are needed; the 95 % interval is Student's t over seeds. Supported if the interval lies above 0, contradicted if it lies below 0, no difference if it lies within ±0.01 (our choice).";

/// The steps of PGD in Leavitt & Morcos (2020).
const SOURCE_STEPS: u32 = 40;

const UNIT: Unit = Unit {
    factor: 1.0,
    words: "of the dimension fraction",
    margin: 0.01,
};

const WORDS: Words = Words {
    supported: "Attacks change more dimensions of early layers than corruptions do",
    contradicted: "Attacks change fewer dimensions of early layers than corruptions do",
    no_difference: "Attacks and corruptions change equally many dimensions of early layers, to within the margin",
    whether: "attacks change more dimensions of early layers than corruptions do",
};

/// Each run's dimension fractions by layer: those under the chosen attack, and the mean of those under corruptions; for the
/// runs that have both. Verdict and figure both rest on them.
struct Compared {
    attack: Attack,
    layers: Vec<Option<ByLayer>>,
}

impl Compared {
    fn of(numbers: &Numbers, attack: Attack, severity: Option<u8>) -> Compared {
        let attacked = numbers.attacked_layers(attack);
        let corrupted =
            numbers.corrupted_layers(|measured| severity.is_none_or(|wanted| wanted == measured));
        let both = attacked.into_iter().zip(corrupted);
        Compared {
            attack,
            layers: both
                .map(|(attacked, corrupted)| Some((attacked?, corrupted?)))
                .collect(),
        }
    }

    /// Each run's mean over the early layers under attack minus that under corruptions.
    fn early(&self) -> Values {
        let early = |layers: &[f64]| {
            let early = &layers[..LayerRange::Early.count(layers.len())];
            early.iter().sum::<f64>() / early.len().max(1) as f64
        };
        let runs = self.layers.iter();
        runs.map(|by_layer| {
            by_layer
                .as_ref()
                .map(|(attacked, corrupted)| early(attacked) - early(corrupted))
        })
        .collect()
    }
}

/// Weighs the claim.
pub fn weigh(numbers: &Numbers) -> Finding {
    let Some(attack) = strongest(numbers) else {
        return missing("of the difference that PGD makes");
    };
    if numbers
        .corrupted_layers(|_| true)
        .iter()
        .all(Option::is_none)
    {
        return missing("of the difference that corruptions make");
    }
    let compared = Compared::of(numbers, attack, None);
    let name = compared.attack.label();
    let test = |what: String, values: &Values, decides| {
        let (means, runs) = numbers.means_by_seed(values);
        Test::new(what, UNIT, Side::Above, decides).of_values(&means, 0.0, runs)
    };
    let all = compared.early();
    let primary = test(format!("{name} minus the mean of corruptions"), &all, true);
    let way = Estimand::single(vec![("PGD minus corruptions", primary)], Side::Above, UNIT);
    let mut found = finding(Claim::C5, RULE, WORDS, way);
    found.notes.push(format!("The attack is {name}."));
    let runs = numbers.runs.iter().zip(&all);
    let control = runs
        .map(|(run, value)| value.filter(|_| run.alpha == 0.0))
        .collect();
    let what = format!("{name} minus the mean of corruptions, alpha 0 only");
    found.evidence.push(test(what, &control, false));
    for severity in SEVERITIES {
        let values = Compared::of(numbers, attack, Some(severity)).early();
        if values.iter().any(Option::is_some) {
            let what = format!("{name} minus the mean of corruptions at severity {severity}");
            found.evidence.push(test(what, &values, false));
        }
    }
    found
}

fn missing(what: &str) -> Finding {
    let sentence = format!(
        "The dimensionality {what} was not measured: evaluate the runs' dimensionality with corruptions and PGD."
    );
    not_enough(Claim::C5, RULE, sentence)
}

/// The strongest PGD among those that the most runs have: 40 steps first, as in Leavitt & Morcos (2020), then the largest
/// epsilon and the most steps.
fn strongest(numbers: &Numbers) -> Option<Attack> {
    let candidates = numbers.differences.iter().filter_map(|column| {
        let Perturbation::Attack(attack) = column.item else {
            return None;
        };
        let is_pgd =
            attack.method == Method::Pgd && attack.norm == Norm::Linf && attack.random_starts == 0;
        is_pgd.then(|| (column.values.iter().flatten().count(), attack))
    });
    candidates
        .max_by(|(runs, a), (other, b)| {
            let is_source = |attack: &Attack| attack.steps == Some(SOURCE_STEPS);
            runs.cmp(other)
                .then(is_source(a).cmp(&is_source(b)))
                .then(a.epsilon.total_cmp(&b.epsilon))
                .then(a.steps.cmp(&b.steps))
        })
        .map(|(_, attack)| attack)
}

/// Its figure: by layer, attack beside corruptions.
pub fn figures(sheet: &Sheet) -> Vec<ClaimFigure> {
    let picture = Picture::Lines(differences(sheet));
    vec![figure(ClaimFigureName::DifferenceLayers, None, picture)]
}

/// A run's dimension fractions by layer: of the difference that PGD makes, and of those that corruptions make.
type ByLayer = (Vec<f64>, Vec<f64>);

/// The mean of each seed over its alphas, then the mean over seeds, as in the verdict.
fn differences(sheet: &Sheet) -> Lines {
    let numbers = sheet.numbers;
    let compared = strongest(numbers).map(|attack| Compared::of(numbers, attack, None));
    let complete_runs = |compared: &Compared| compared.layers.iter().flatten().count();
    let compared = compared.filter(|compared| complete_runs(compared) > 0);
    let layers = sheet.layers();
    let line = |compared: &Compared, label: String, pick: fn(&ByLayer) -> &Vec<f64>| {
        let at = |layer: usize| {
            let of_run = |both: &Option<ByLayer>| pick(both.as_ref()?).get(layer).copied();
            let values: Values = compared.layers.iter().map(of_run).collect();
            mean(&numbers.means_by_seed(&values).0)
        };
        Series {
            label,
            alpha: None,
            means: (0..layers.len()).map(at).collect(),
        }
    };
    let series = compared.as_ref().map(|compared| {
        vec![
            line(compared, compared.attack.label(), |both| &both.0),
            line(
                compared,
                "all corruptions and severities".to_owned(),
                |both| &both.1,
            ),
        ]
    });
    let conditions = numbers.dimension_conditions;
    let y_axis = Axis::new(
        "Dimension fraction of the difference",
        quantity::Unit::Index,
    )
    .with(DimensionStatistic::Fraction95.label())
    .with(ActivationMatrix::Responses.label());
    Lines {
        x: LAYER.to_owned(),
        y: y_axis.label(),
        y_axis,
        places: if series.is_some() {
            layers.clone()
        } else {
            Vec::new()
        },
        series: series.unwrap_or_default(),
        of: conditions.map_or_else(String::new, |conditions| {
            format!("each seed's mean over its alphas; {}", conditions.label())
        }),
        images: numbers.dimension_images(),
        incomplete_runs: (numbers.runs.len() - compared.as_ref().map_or(0, complete_runs)) as u32,
        interval_method: INTERVAL_METHOD.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::{Lab, noise};
    use protocol::finding::Verdict;

    fn lab(seeds: u64, pgd: f64, spread: f64) -> Lab {
        Lab::new(seeds).dimensions(move |perturbation, _, seed, alpha, _| match perturbation {
            Perturbation::Clean => 0.5,
            Perturbation::Corruption { severity, .. } => 0.2 + 0.02 * f64::from(severity),
            Perturbation::Attack(_) => pgd + spread * seed as f64 + 0.01 * noise(seed, alpha),
        })
    }

    fn weighed(lab: &Lab) -> Finding {
        weigh(&Numbers::new(&lab.run_numbers()))
    }

    /// Corruptions have 0.26 on average, and 0.30 at severity 5. Breaks when the sign is wrong, runs are taken for
    /// replicates, or a mean is over other severities. A made-up fraction is of 640 columns, so it is right to 0.0008.
    #[test]
    fn attacks_above_corruptions_support_it() {
        let above = weighed(&lab(3, 0.4, 0.0));
        assert_eq!(above.verdict, Verdict::Supported, "{}", above.sentence);
        assert!((above.evidence[0].estimate.unwrap() - 0.14).abs() < 0.01);
        assert_eq!((above.evidence[0].n, above.evidence[0].runs), (3, 15));
        assert_eq!((above.evidence[1].n, above.evidence[1].runs), (3, 3));
        assert_eq!(above.evidence.len(), 2 + 5);
        assert!((above.evidence[6].estimate.unwrap() - 0.10).abs() < 0.01);
        assert!(
            above.sentence.starts_with(
                "Attacks change more dimensions of early layers than corruptions do: +0.1"
            ),
            "{}",
            above.sentence
        );
        let below = weighed(&lab(3, 0.1, 0.0));
        assert_eq!(below.verdict, Verdict::Contradicted, "{}", below.sentence);
        let noisy = weighed(&lab(3, 0.2, 0.08));
        assert_eq!(noisy.verdict, Verdict::Inconclusive, "{}", noisy.sentence);
        assert!(noisy.more_seeds.is_some());
    }

    /// Breaks when another PGD is taken than that with 40 steps.
    #[test]
    fn forty_steps_are_preferred() {
        let mut lab = lab(3, 0.4, 0.0);
        let mut weaker = lab.measurements.clone();
        weaker.retain_mut(|(_, measured)| match measured {
            protocol::Measurement::Dimensionality(dimensions) => match &mut dimensions.perturbation
            {
                Perturbation::Attack(attack) => {
                    attack.steps = Some(80);
                    dimensions.components_95 = vec![1; dimensions.columns.len()];
                    true
                }
                _ => false,
            },
            _ => false,
        });
        lab.measurements.extend(weaker);
        let runs = lab.run_numbers();
        assert_eq!(strongest(&Numbers::new(&runs)).unwrap().steps, Some(40));
        assert_eq!(weighed(&lab).verdict, Verdict::Supported);
    }

    /// Breaks when there is no answer where seeds are too few or a perturbation is missing.
    #[test]
    fn what_is_missing_is_said() {
        let two = weighed(&lab(2, 0.4, 0.0));
        assert_eq!(two.verdict, Verdict::NotEnoughRuns);
        let missing = weighed(&Lab::new(3));
        assert_eq!(missing.verdict, Verdict::NotEnoughRuns);
        assert!(
            missing.sentence.contains("that PGD makes"),
            "{}",
            missing.sentence
        );
        let mut half = lab(3, 0.4, 0.0);
        half.measurements.retain(|(_, one)| {
            let perturbation = one.dimensionality().map(|measured| measured.perturbation);
            !matches!(perturbation, Some(Perturbation::Corruption { .. }))
        });
        let half = weighed(&half);
        assert!(
            half.sentence.contains("that corruptions make"),
            "{}",
            half.sentence
        );
    }
}
