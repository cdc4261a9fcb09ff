//! C1: selectivity lowers average-case robustness.

use protocol::claim_figure::{ClaimFigure, ClaimFigureName, Lines, Picture};
use protocol::finding::{Claim, Finding};
use protocol::measure::Scatter;
use protocol::numeral;
use protocol::quantity::{Axis, Quantity, Scale, Unit};

use super::contrasts::{contrasts, sentences};
use super::draw::{Sheet, at_each_scale};
use super::estimands::{PER_TENTH, Predictor, ways};
use super::evidence::Side;
use super::numbers::{Numbers, complete_mean, needed};
use super::verdict::{Words, finding, not_enough};

const RULE: &str = "Primary: the least-squares slope of raw corruption accuracy (mean over all corruptions and severities) on mean selectivity, one for each seed with at least 3 alphas. At least 3 seeds are needed; the 95 % interval is Student's t over seeds. Supported if the interval lies below 0, contradicted if it lies above 0; no difference if it lies within ±0.5 points per 0.1 of selectivity (our choice). Sensitivity, each by the same rule: share of clean accuracy; residual of logit corruption accuracy on logit clean accuracy over the runs (margin 0.02 logits per 0.1); slope with clean accuracy as a covariate within seed (at least 4 alphas). If two of the four are decided in opposite directions, the claim depends on the scale.";

/// What to do where nothing was measured.
pub(super) const ASK: &str =
    "Corruption accuracy was not measured: evaluate the runs on natural corruptions.";

const WORDS: Words = Words {
    supported: "Networks with higher selectivity lose more accuracy on corrupted images",
    contradicted: "Networks with higher selectivity keep more accuracy on corrupted images",
    no_difference: "Selectivity makes no difference larger than the margin to accuracy on corrupted images",
    whether: "selectivity lowers accuracy on corrupted images",
};

/// Weighs the claim.
pub fn weigh(numbers: &Numbers) -> Finding {
    if numbers.corruptions.is_empty() {
        return not_enough(Claim::C1, RULE, ASK);
    }
    let accuracies = numbers.corruption_accuracies();
    let alphas = contrasts(
        numbers,
        &accuracies.perturbed,
        &accuracies.name,
        Side::Below,
    );
    let ways = ways(
        numbers,
        Predictor::Selectivity,
        &[accuracies],
        Side::Below,
        PER_TENTH,
    );
    let mut found = finding(Claim::C1, RULE, WORDS, ways);
    found.notes = sentences(&alphas, "corruption accuracy");
    found
        .estimates
        .extend(alphas.into_iter().map(|one| one.estimate));
    found
}

/// Its figures: against selectivity, by alpha and by severity, each at both scales.
pub fn figures(sheet: &Sheet) -> Vec<ClaimFigure> {
    use ClaimFigureName::{CorruptionAlpha, CorruptionSelectivity, CorruptionSeverity};
    let against = |scale| Picture::Scatter(against_selectivity(sheet, scale));
    let by_alpha = |scale| Picture::Lines(by_alpha(sheet, scale));
    let by_severity = |scale| Picture::Lines(by_severity(sheet, scale));
    let figures = [
        at_each_scale(CorruptionSelectivity, against),
        at_each_scale(CorruptionAlpha, by_alpha),
        at_each_scale(CorruptionSeverity, by_severity),
    ];
    figures.into_iter().flatten().collect()
}

fn against_selectivity(sheet: &Sheet, scale: Scale) -> Scatter {
    let numbers = sheet.numbers;
    let y = sheet.corruption_axis(&numbers.corruption_accuracies(), scale);
    Scatter {
        conditions: numbers.corruption_conditions,
        averaged_over: needed(&numbers.corruptions, |_| true).len() as u32,
        ..sheet.scatter(sheet.selectivity(), y)
    }
}

/// Lines of accuracy on corruptions, with the corruptions and conditions that they average over.
fn lines(
    sheet: &Sheet,
    x: &str,
    places: Vec<String>,
    y: Axis,
    values: &[Option<Vec<f64>>],
) -> Lines {
    let numbers = sheet.numbers;
    let mut corruptions: Vec<_> = needed(&numbers.corruptions, |_| true)
        .into_iter()
        .map(|place| numbers.corruptions[place].item.0)
        .collect();
    corruptions.dedup();
    let conditions = numbers.corruption_conditions;
    Lines {
        of: conditions.map_or_else(String::new, |conditions| {
            format!(
                "mean of {} corruptions, {}",
                corruptions.len(),
                conditions.label()
            )
        }),
        images: numbers.corruption_images(),
        ..sheet.lines(x, places, y, values)
    }
}

fn by_alpha(sheet: &Sheet, scale: Scale) -> Lines {
    let accuracies = sheet.numbers.corruption_accuracies();
    let values: Vec<Option<Vec<f64>>> = accuracies
        .on(scale)
        .iter()
        .map(|value| Some(vec![(*value)?]))
        .collect();
    let mut drawn = lines(
        sheet,
        "Alpha",
        vec![String::new()],
        Quantity::CORRUPTIONS.axis_on(scale),
        &values,
    );
    let alphas: Vec<f64> = drawn
        .series
        .iter()
        .filter_map(|series| series.alpha)
        .collect();
    drawn.places = alphas.iter().map(|&alpha| numeral::alpha(alpha)).collect();
    // Each alpha has its own place.
    for (place, series) in drawn.series.iter_mut().enumerate() {
        let own = series.means.first().copied().flatten();
        series.means = vec![None; alphas.len()];
        series.means[place] = own;
    }
    drawn
}

fn by_severity(sheet: &Sheet, scale: Scale) -> Lines {
    let columns = &sheet.numbers.corruptions;
    let mut severities: Vec<u8> = needed(columns, |_| true)
        .into_iter()
        .map(|place| columns[place].item.1)
        .collect();
    severities.sort_unstable();
    severities.dedup();
    let each: Vec<_> = severities
        .iter()
        .map(|&severity| complete_mean(columns, |item| item.1 == severity, |value| value.on(scale)))
        .collect();
    let values: Vec<Option<Vec<f64>>> = (0..sheet.numbers.runs.len())
        .map(|run| {
            let of_run = each.iter().map(|values| values.get(run).copied().flatten());
            of_run
                .collect::<Option<Vec<f64>>>()
                .filter(|values| !values.is_empty())
        })
        .collect();
    let places = severities.iter().map(u8::to_string).collect();
    lines(
        sheet,
        "Severity",
        places,
        Axis::new("Corruption accuracy", Unit::Share).on(scale),
        &values,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::{Lab, falls, rises, share_of};
    use protocol::finding::{Role, Verdict};

    fn weighed(lab: Lab) -> Finding {
        weigh(&Numbers::new(&lab.run_numbers()))
    }

    /// Breaks when the sign is wrong, a way is left out, or numbers are in another unit. Accuracy is
    /// 0.7 - 0.3 x selectivity and clean accuracy always 0.8, so 0.1 of selectivity costs 3 points, or 3.75 % of clean.
    #[test]
    fn a_fall_supports_it_and_a_rise_contradicts_it() {
        let fall = weighed(Lab::new(3).corruptions(falls(0.3)));
        assert_eq!(fall.verdict, Verdict::Supported, "{}", fall.sentence);
        assert!((fall.estimates[0].estimate.unwrap() + 3.0).abs() < 0.1);
        assert!((fall.estimates[1].estimate.unwrap() + 3.75).abs() < 0.125);
        assert!(
            fall.sentence.starts_with("Networks with higher selectivity lose more accuracy on corrupted images: −3.0 points per 0.1 of selectivity (95 % CI −"),
            "{}",
            fall.sentence
        );
        assert!(
            fall.sentence.ends_with(", 3 seeds, pilot)."),
            "{}",
            fall.sentence
        );
        assert_eq!(fall.more_seeds, None);
        let roles: Vec<Role> = fall.estimates.iter().map(|one| one.role).collect();
        assert_eq!(
            roles[..4],
            [
                Role::Primary,
                Role::Sensitivity,
                Role::Sensitivity,
                Role::Sensitivity
            ]
        );
        assert_eq!(roles[4..], [Role::Contrast; 4]);
        let rise = weighed(Lab::new(3).corruptions(rises(0.3)));
        assert_eq!(rise.verdict, Verdict::Contradicted, "{}", rise.sentence);
        assert!(
            rise.sentence
                .contains("keep more accuracy on corrupted images: +3.0 points")
        );
    }

    /// Lowering selectivity helps and raising it hurts: alpha -1 has 0.1 less selectivity than the control, 3 points. Breaks when
    /// the two are merged into one sentence, or one loses its sign.
    #[test]
    fn lowering_and_raising_are_different_sentences() {
        let fall = weighed(Lab::new(5).corruptions(falls(0.3)));
        assert_eq!(fall.notes.len(), 2, "{:?}", fall.notes);
        assert!(fall.notes[0].starts_with("Lowering selectivity: corruption accuracy is above the control at 2 of 2 alphas and below it at 0 (beyond chance); at alpha −1: +3"), "{:?}", fall.notes);
        assert!(fall.notes[1].starts_with("Raising selectivity: corruption accuracy is above the control at 0 of 2 alphas and below it at 2 (beyond chance); at alpha +1: −3"), "{:?}", fall.notes);
        assert!(!fall.notes[0].contains("pilot"), "{:?}", fall.notes);
    }

    /// A fall of 0.2 points per 0.1. Breaks when an effect inside the margin is called one.
    #[test]
    fn a_fall_inside_the_margin_is_no_difference() {
        let found = weighed(Lab::new(3).corruptions(falls(0.02)));
        assert_eq!(found.verdict, Verdict::NoDifference, "{}", found.sentence);
        assert!(
            found
                .sentence
                .contains("no difference larger than the margin")
        );
    }

    /// Breaks when there is a verdict from noise, or advice that would not decide: slopes 0, -0.3 and -0.6 (sd 0.3) take an
    /// interval of half-width 0.3, which 7 seeds give: t(6) 2.447 x 0.3 / sqrt(7) = 0.277.
    #[test]
    fn noise_is_inconclusive_and_says_how_many_seeds_would_do() {
        let lab = Lab::new(3)
            .corruptions(|seed, _, selectivity| (0.7 - 0.3 * seed as f64 * selectivity, 0.8));
        let found = weighed(lab);
        assert_eq!(found.verdict, Verdict::Inconclusive, "{}", found.sentence);
        assert!(
            found.sentence.starts_with(
                "Whether selectivity lowers accuracy on corrupted images is open: −3 points"
            ),
            "{}",
            found.sentence
        );
        let more = found.more_seeds.unwrap();
        assert_eq!(more.seeds, 4, "{}", more.basis);
        assert!((more.half_width - 2.775).abs() < 0.01);
    }

    /// Breaks when opposite directions are called inconclusive, or the sentence hides one of them. Raw accuracy falls, but clean
    /// accuracy falls faster, so its share rises.
    #[test]
    fn opposite_directions_depend_on_the_scale() {
        let lab = Lab::new(3).corruptions(|seed, alpha, selectivity| {
            let clean = 0.9 - 0.6 * selectivity;
            (
                clean * share_of(seed, alpha, 0.7 + 0.1 * selectivity),
                clean,
            )
        });
        let found = weighed(lab);
        assert_eq!(found.verdict, Verdict::DependsOnScale);
        assert!(
            found.sentence.starts_with("Whether selectivity lowers accuracy on corrupted images depends on the scale: in raw accuracy −3.") && found.sentence.contains("), but as a share of clean accuracy +0.99 % of clean per 0.1"),
            "{}",
            found.sentence
        );
        assert_eq!(found.more_seeds, None, "seeds do not make scales agree");
    }

    /// Breaks when there is a verdict from two seeds or two alphas, or silence about what is missing.
    #[test]
    fn too_few_runs_are_said() {
        let two = weighed(Lab::new(2).corruptions(falls(0.3)));
        assert_eq!(two.verdict, Verdict::NotEnoughRuns);
        assert!(
            two.sentence.starts_with("Not enough runs: 2 seeds have"),
            "{}",
            two.sentence
        );
        assert!(two.more_seeds.unwrap().seeds >= 1);
        let flat = weighed(Lab::with_alphas(3, &[0.0, 1.0]).corruptions(falls(0.3)));
        assert_eq!(flat.verdict, Verdict::NotEnoughRuns);
        assert!(flat.sentence.contains("0 seeds have"), "{}", flat.sentence);
        let missing = weighed(Lab::new(3));
        assert_eq!(missing.verdict, Verdict::NotEnoughRuns);
        assert!(missing.sentence.contains("natural corruptions"));
    }
}
