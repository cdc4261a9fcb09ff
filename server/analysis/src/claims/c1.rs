//! C1: selectivity lowers average-case robustness.

use protocol::finding::{Claim, Evidence, Finding};

use super::evidence::{POINTS_PER_TENTH, SCALES, Side, Test, change};
use super::numbers::Numbers;
use super::verdict::{finding, not_enough};

const RULE: &str = "One least-squares slope of corruption accuracy (mean over all corruptions and severities) on selectivity for each seed with at least 3 alphas, at least 3 seeds; supported where the mean slope is below 0 (p < 0.05) both in raw accuracy and as a share of clean accuracy, contradicted where it is above 0 in both.";

/// What to do where nothing was measured.
pub(super) const ASK: &str =
    "Corruption accuracy is not measured: evaluate the runs on natural corruptions.";

/// Weighs the claim.
pub fn weigh(numbers: &Numbers) -> Finding {
    if numbers.corruptions.is_empty() {
        return not_enough(Claim::C1, RULE, Vec::new(), ASK);
    }
    let evidence = slopes(numbers);
    let sentences = evidence
        .iter()
        .map(|one| change(one, POINTS_PER_TENTH))
        .collect();
    finding(Claim::C1, RULE, evidence, sentences)
}

/// The slope of mean corruption accuracy on selectivity, in both scales.
pub(super) fn slopes(numbers: &Numbers) -> Vec<Evidence> {
    let selectivity = numbers.selectivity();
    SCALES
        .into_iter()
        .map(|scale| {
            let test = Test {
                what: "Corruption accuracy".into(),
                scale: Some(scale),
                unit: "accuracy per unit of selectivity",
                claimed: Side::Below,
                decides: true,
            };
            let accuracy = numbers.corruption_accuracy(scale);
            test.of_slopes(&numbers.points(&selectivity, &accuracy))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::{Lab, falls, rises, share_of};
    use crate::run_numbers::MeasuredRuns;
    use crate::scatter::scatter;
    use protocol::finding::Verdict;
    use protocol::measure::Measure;

    /// Broken by: the wrong sign, a scale that is left out, or numbers that are told in another unit. Accuracy is
    /// 0.7 - 0.3 x selectivity and clean accuracy always 0.8, so 0.1 of selectivity costs 3 points, or 3.75 % of clean.
    #[test]
    fn a_fall_supports_it_and_a_rise_contradicts_it() {
        let fall = weigh(&Lab::new(3).corruptions(falls(0.3)).numbers());
        assert_eq!(fall.verdict, Verdict::Supported, "{}", fall.summary);
        assert!((fall.evidence[0].estimate.unwrap() + 0.3).abs() < 0.01);
        assert!((fall.evidence[1].estimate.unwrap() + 0.375).abs() < 0.0125);
        assert!(
            fall.summary.contains("changes by −3.0 points"),
            "{}",
            fall.summary
        );
        assert!(
            fall.summary.contains("n = 3 seeds, 15 runs"),
            "{}",
            fall.summary
        );
        assert_eq!(fall.more_seeds, None);
        let rise = weigh(&Lab::new(3).corruptions(rises(0.3)).numbers());
        assert_eq!(rise.verdict, Verdict::Contradicted, "{}", rise.summary);
    }

    /// Broken by: a verdict from noise, or advice that would not decide: slopes 0, -0.3 and -0.6 (sd 0.3) take an
    /// interval of half-width 0.3, which 7 seeds give: t(6) 2.447 x 0.3 / sqrt(7) = 0.277.
    #[test]
    fn noise_is_inconclusive_and_says_how_many_seeds_would_do() {
        let lab = Lab::new(3)
            .corruptions(|seed, _, selectivity| (0.7 - 0.3 * seed as f64 * selectivity, 0.8));
        let found = weigh(&lab.numbers());
        assert_eq!(found.verdict, Verdict::Inconclusive, "{}", found.summary);
        let more = found.more_seeds.unwrap();
        assert_eq!(more.seeds, 4, "{}", more.basis);
        // In raw accuracy, or as a share of a clean accuracy of 0.8.
        let half_width = [0.2775, 0.2775 / 0.8];
        assert!(
            half_width
                .iter()
                .any(|wanted| (more.half_width - wanted).abs() < 0.001)
        );
    }

    /// Broken by: a verdict where one scale says otherwise, or a summary that hides it. Clean accuracy falls faster than
    /// corruption accuracy, so its share rises.
    #[test]
    fn scales_that_disagree_are_said() {
        let lab = Lab::new(3).corruptions(|seed, alpha, selectivity| {
            let clean = 0.9 - 0.6 * selectivity;
            (
                clean * share_of(seed, alpha, 0.7 + 0.1 * selectivity),
                clean,
            )
        });
        let found = weigh(&lab.numbers());
        assert_eq!(found.verdict, Verdict::Inconclusive);
        assert!(
            found.summary.contains("The scales disagree"),
            "{}",
            found.summary
        );
        assert_eq!(found.more_seeds, None, "seeds do not make scales agree");
    }

    /// Broken by: a verdict from two seeds or two alphas, or silence about what is missing.
    #[test]
    fn too_few_runs_are_said() {
        let two = weigh(&Lab::new(2).corruptions(falls(0.3)).numbers());
        assert_eq!(two.verdict, Verdict::NotEnoughRuns);
        assert!(two.summary.starts_with("2 seeds have"), "{}", two.summary);
        assert!(two.more_seeds.unwrap().seeds >= 1);
        let flat = weigh(
            &Lab::with_alphas(3, &[0.0, 1.0])
                .corruptions(falls(0.3))
                .numbers(),
        );
        assert_eq!(flat.verdict, Verdict::NotEnoughRuns);
        assert!(flat.summary.starts_with("0 seeds have"), "{}", flat.summary);
        let missing = weigh(&Lab::new(3).numbers());
        assert_eq!(missing.verdict, Verdict::NotEnoughRuns);
        assert!(missing.summary.contains("natural corruptions"));
    }

    /// Broken by: numbers other than those of the figures that stand beside the claim: runs that lack a measurement
    /// or have it under other conditions.
    #[test]
    fn its_points_are_those_of_the_figures() {
        let mut lab = Lab::new(3).corruptions(falls(0.3));
        lab.forget_a_corruption();
        let all = Measure::Corruption {
            corruption: None,
            severity: None,
        };
        for scale in SCALES {
            let figure = scatter(
                &lab.runs,
                &MeasuredRuns::new(&lab.run_numbers()),
                Measure::Selectivity,
                all,
                scale,
                None,
                None,
            );
            let numbers = lab.numbers();
            let points =
                numbers.points(&numbers.selectivity(), &numbers.corruption_accuracy(scale));
            assert_eq!(figure.incomplete_runs, 1);
            let expected: Vec<_> = figure
                .points
                .iter()
                .map(|point| (point.seed, point.x))
                .collect();
            let found: Vec<_> = points.iter().map(|point| (point.0, point.1)).collect();
            assert_eq!(found, expected);
            for (found, expected) in points.iter().zip(&figure.points) {
                assert!((found.2 - expected.y).abs() < 1e-12);
            }
        }
    }
}
