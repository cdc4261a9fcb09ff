//! C8: selectivity can be cut about 2.5-fold with no loss of clean accuracy.

use std::cmp::Ordering;

use protocol::claim_figure::{ClaimFigure, ClaimFigureName, Picture};
use protocol::finding::{Claim, Estimate, Evidence, Finding, MoreSeeds, Role, Verdict};
use protocol::numeral;
use protocol::quantity::Quantity;
use statistics::{CONFIDENCE, one_sample};

use super::contrasts::{Contrast, contrasts};
use super::draw::{Sheet, Shown, figure};
use super::evidence::{FEWEST_SEEDS, Side, Test, Unit, decide, describe};
use super::numbers::Numbers;
use super::verdict::{not_enough, to_decide};

const RULE: &str = "Primary: for each alpha below 0, over the seeds that have both this alpha and the control (alpha 0), at least 3 of them: clean accuracy at this alpha minus the control's, within seed, and selectivity of the control / selectivity at this alpha (the fold). One margin of 1 point (our choice) applies on both sides: an alpha is free if the interval of the difference lies above −1 point, and has a cost if it lies below −1 point; within ±1 point there is no difference larger than the margin. Supported if some alpha is free and cuts selectivity at least 2.5-fold on average, with the interval of the fold above 2; since any of the alphas may be the one, these intervals are simultaneous over all alphas below 0 (Bonferroni). Contradicted if every alpha with a mean fold of at least 2 has a cost (95 % intervals; all must, so they are not corrected). The window on clean accuracy does not apply: it would leave out exactly what the claim is about.";

/// The largest difference of clean accuracy that counts as none, in points (choice).
const MARGIN: f64 = 1.0;

/// About the cut of Leavitt & Morcos (2020).
const CUT: f64 = 2.5;

/// What the interval of a cut's fold must lie above to support the claim, and the mean fold from which a cut can count against
/// it.
const FEWEST_FOLD: f64 = 2.0;

const FOLD: Unit = Unit {
    factor: 1.0,
    words: "fold",
    margin: 0.0,
};

/// One alpha below 0 against the control.
struct Cut {
    contrast: Contrast,
    /// Mean over seeds of selectivity of the control / selectivity at alpha; its interval is simultaneous.
    fold: Evidence,
}

impl Cut {
    fn mean_fold(&self) -> f64 {
        self.fold.estimate.unwrap_or(0.0)
    }

    fn is_tested(&self) -> bool {
        self.contrast.estimate.n >= FEWEST_SEEDS
    }

    /// Whether clean accuracy is no lower than the control's by more than the margin.
    fn is_free(&self) -> bool {
        matches!(
            self.contrast.estimate.verdict,
            Verdict::Supported | Verdict::NoDifference
        )
    }

    /// Whether clean accuracy is lower than the control's by more than the margin.
    fn costs(&self) -> bool {
        accuracy_verdict(&self.contrast.alone) == Verdict::Contradicted
    }

    /// Whether the cut is about that of Leavitt & Morcos (2020).
    fn is_deep(&self) -> bool {
        let low = self.fold.interval.map(|[low, _]| low);
        self.mean_fold() >= CUT && low.is_some_and(|low| low > FEWEST_FOLD)
    }

    /// `alpha −1 (3.0-fold) +0.1 points (simultaneous 95 % CI ..)`.
    fn describe(&self) -> String {
        format!(
            "alpha {} ({:.1}-fold) {}",
            numeral::alpha(self.contrast.alpha),
            self.mean_fold(),
            describe(&self.contrast.estimate, "simultaneous 95 % CI")
        )
    }
}

/// The verdict on a difference of clean accuracy: its interval against the margin on the side of a loss.
fn accuracy_verdict(evidence: &Evidence) -> Verdict {
    match decide(evidence, Side::Above, Some(MARGIN)) {
        Verdict::NotEnoughRuns => Verdict::NotEnoughRuns,
        Verdict::NoDifference => Verdict::NoDifference,
        _ => match evidence.interval.filter(|_| evidence.p.is_some()) {
            Some([low, _]) if low > -MARGIN => Verdict::Supported,
            Some([_, high]) if high < -MARGIN => Verdict::Contradicted,
            _ => Verdict::Inconclusive,
        },
    }
}

/// Every alpha below 0 that some seed has as well as the control, ascending.
fn cuts(numbers: &Numbers) -> Vec<Cut> {
    let below = numbers.only(|run| run.alpha <= 0.0);
    let accuracy = contrasts(
        &below,
        &below.test_accuracy(),
        "Clean accuracy",
        Side::Below,
    );
    let controls = below.controls(&below.selectivity());
    let tested = accuracy.iter().filter(|one| one.estimate.n >= FEWEST_SEEDS);
    let together = tested.count().max(1) as f64;
    accuracy
        .into_iter()
        .map(|mut contrast| {
            let of_alpha = below.runs.iter().filter(|run| run.alpha == contrast.alpha);
            let folds: Vec<f64> = of_alpha
                .filter(|run| run.selectivity > 0.0)
                .filter_map(|run| Some(controls.get(&run.seed)? / run.selectivity))
                .collect();
            let alpha = numeral::alpha(contrast.alpha);
            let what = format!("Selectivity of the control / at alpha {alpha}");
            let test = Test::new(what, FOLD, Side::Above, true);
            let mut fold = test.of_values(&folds, 1.0, 2 * folds.len() as u32);
            let simultaneous = one_sample(&folds, 1.0, 1.0 - (1.0 - CONFIDENCE) / together);
            fold.interval = simultaneous.map(|inference| inference.interval);
            fold.agrees = fold.estimate.map(|fold| fold >= CUT);
            let simultaneous = Evidence {
                interval: contrast.estimate.interval,
                ..contrast.alone.clone()
            };
            contrast.alone.decides = contrast.estimate.n >= FEWEST_SEEDS;
            contrast.alone.what = format!("Clean accuracy at alpha {alpha} minus the control's");
            contrast.alone.agrees = contrast.alone.estimate.map(|points| points > -MARGIN);
            contrast.estimate = Estimate {
                label: format!(
                    "Alpha {alpha} ({:.1}-fold)",
                    fold.estimate.unwrap_or(f64::NAN)
                ),
                margin: Some(MARGIN),
                role: Role::Primary,
                verdict: accuracy_verdict(&simultaneous),
                ..contrast.estimate
            };
            Cut { contrast, fold }
        })
        .collect()
}

/// Weighs the claim.
pub fn weigh(numbers: &Numbers) -> Finding {
    let has = |condition: fn(f64) -> bool| numbers.runs.iter().any(|run| condition(run.alpha));
    let missing = match (has(|alpha| alpha == 0.0), has(|alpha| alpha < 0.0)) {
        (false, _) => Some("no trained run with alpha 0, the control"),
        (_, false) => Some("no trained run with an alpha below 0"),
        _ => None,
    };
    if let Some(missing) = missing {
        let sentence = format!(
            "There is {missing}: launch an experiment with the control and alphas below 0."
        );
        return not_enough(Claim::C8, RULE, sentence);
    }
    let cuts = cuts(numbers);
    let tested: Vec<&Cut> = cuts.iter().filter(|cut| cut.is_tested()).collect();
    let telling = telling(&tested);
    let (verdict, sentence) = judge(&cuts, &tested, telling);
    let free = tested
        .iter()
        .filter(|cut| cut.is_free() && cut.mean_fold() > 1.0);
    let largest = free.copied().max_by(by_fold);
    let note = match largest {
        Some(cut) => format!("The largest cut with no loss: {}.", cut.describe()),
        None => "No cut is shown to be free of loss.".into(),
    };
    let more_seeds = match verdict {
        Verdict::Inconclusive => telling.and_then(|cut| more_seeds(cut, tested.len())),
        _ if tested.is_empty() => cuts
            .iter()
            .max_by_key(|cut| cut.contrast.estimate.n)
            .and_then(|cut| more_seeds(cut, cuts.len())),
        _ => None,
    };
    let notes = if tested.is_empty() {
        Vec::new()
    } else {
        vec![note]
    };
    let estimates = cuts
        .iter()
        .map(|cut| cut.contrast.estimate.clone())
        .collect();
    let mut evidence: Vec<Evidence> = cuts
        .into_iter()
        .flat_map(|cut| [cut.fold, cut.contrast.alone])
        .collect();
    for one in &mut evidence {
        // Alphas with too few seeds are shown and decide nothing.
        one.decides = one.n >= FEWEST_SEEDS;
    }
    evidence.sort_by_key(|one| !one.decides);
    Finding {
        verdict,
        estimates,
        evidence,
        notes,
        more_seeds,
        ..not_enough(Claim::C8, RULE, sentence)
    }
}

fn by_fold(a: &&Cut, b: &&Cut) -> Ordering {
    a.mean_fold().total_cmp(&b.mean_fold())
}

/// The most informative alpha: the smallest cut that is at least as large as the claim's, else the largest of those that cut
/// selectivity 2-fold or more.
fn telling<'a>(tested: &[&'a Cut]) -> Option<&'a Cut> {
    let deep = tested.iter().copied();
    let deep = deep.filter(|cut| cut.mean_fold() >= FEWEST_FOLD);
    let at_cut = deep.clone().filter(|cut| cut.mean_fold() >= CUT);
    at_cut.min_by(by_fold).or(deep.max_by(by_fold))
}

/// The verdict, and the sentence that says it.
fn judge(cuts: &[Cut], tested: &[&Cut], telling: Option<&Cut>) -> (Verdict, String) {
    if tested.is_empty() {
        let most = cuts.iter().map(|cut| cut.contrast.estimate.n).max();
        let most = most.unwrap_or(0);
        let have = if most == 1 { "seed has" } else { "seeds have" };
        let sentence = format!(
            "Not enough runs: at most {most} {have} both the control and the same alpha below 0, and the test takes at least {FEWEST_SEEDS}; fewer than 5 are a pilot."
        );
        return (Verdict::NotEnoughRuns, sentence);
    }
    let all = tested.iter().copied();
    let supporting = all
        .clone()
        .filter(|cut| cut.is_deep() && cut.is_free())
        .max_by(by_fold);
    let mut deep = all.clone().filter(|cut| cut.mean_fold() >= FEWEST_FOLD);
    match (supporting, telling) {
        (Some(cut), _) => (
            Verdict::Supported,
            format!(
                "Selectivity can be cut {:.1}-fold with no loss of clean accuracy: {}.",
                cut.mean_fold(),
                cut.describe()
            ),
        ),
        (None, Some(cut)) if deep.all(|cut| cut.costs()) => (
            Verdict::Contradicted,
            format!(
                "Every alpha that cuts selectivity 2-fold or more costs more than 1 point of clean accuracy: {}.",
                cut.describe()
            ),
        ),
        (None, Some(cut)) => (
            Verdict::Inconclusive,
            format!(
                "Whether selectivity can be cut 2.5-fold with no loss of clean accuracy is open: {}.",
                cut.describe()
            ),
        ),
        (None, None) => {
            let furthest = all.max_by(by_fold).map_or_else(String::new, Cut::describe);
            (
                Verdict::Inconclusive,
                format!(
                    "No alpha cuts selectivity 2-fold; try alphas further below 0. The largest cut so far: {furthest}."
                ),
            )
        }
    }
}

/// How many more seeds would tell whether a cut loses more than the margin, as one of `tested` tests: with them, the interval
/// of its difference no longer reaches the margin.
fn more_seeds(cut: &Cut, tested: usize) -> Option<MoreSeeds> {
    let difference = &cut.contrast.alone;
    to_decide(difference, (difference.estimate? + MARGIN).abs(), tested)
}

/// Its figure: clean accuracy against selectivity.
pub fn figures(sheet: &Sheet) -> Vec<ClaimFigure> {
    let accuracy = Shown {
        axis: Quantity::TestAccuracy.axis(),
        values: sheet.numbers.test_accuracy(),
        images: sheet.test_images,
    };
    let picture = Picture::Scatter(sheet.scatter(sheet.selectivity(), accuracy));
    vec![figure(ClaimFigureName::CleanSelectivity, None, picture)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::{Lab, noise};

    /// `values` gives selectivity and clean accuracy by seed and alpha.
    fn weighed(seeds: u64, values: impl Fn(u64, f64) -> (f64, f64)) -> Finding {
        let mut lab = Lab::with_alphas(seeds, &[-2.0, -1.0, 0.0]);
        for run in &mut lab.runs {
            let (selectivity, accuracy) = values(run.spec.seed, run.spec.alpha);
            let result = run.result.as_mut().unwrap();
            (result.selectivity, result.test_accuracy) = (selectivity, accuracy);
        }
        weigh(&Numbers::new(&lab.run_numbers()))
    }

    /// Folds of 3 at alpha -1 and 6 at -2; clean accuracy `shallow` at -1, `deep` at -2, 0.8 at 0, each +- 0.001.
    fn cut(seeds: u64, shallow: f64, deep: f64) -> Finding {
        weighed(seeds, |seed, alpha| {
            let (selectivity, accuracy) = match alpha {
                -1.0 => (0.1, shallow),
                -2.0 => (0.05, deep),
                _ => (0.3, 0.8),
            };
            let noise = noise(seed, alpha);
            (selectivity * (1.0 + 0.01 * noise), accuracy + 0.001 * noise)
        })
    }

    /// Breaks when a fold is upside down, seeds are not paired, or a loss goes unseen.
    #[test]
    fn a_free_cut_supports_it_and_costly_ones_contradict_it() {
        let free = cut(3, 0.8, 0.7);
        assert_eq!(free.verdict, Verdict::Supported, "{}", free.sentence);
        assert!(
            free.sentence.starts_with(
                "Selectivity can be cut 3.0-fold with no loss of clean accuracy: alpha −1 (3.0-fold) "
            ),
            "{}",
            free.sentence
        );
        assert!(
            free.sentence.contains("3 seeds, pilot"),
            "{}",
            free.sentence
        );
        let both = cut(3, 0.8, 0.8);
        assert!(
            both.notes[0].contains("no loss: alpha −2 (6.0-fold)"),
            "{:?}",
            both.notes
        );
        let costly = cut(3, 0.75, 0.7);
        assert_eq!(costly.verdict, Verdict::Contradicted, "{}", costly.sentence);
        assert!(
            costly.notes[0].contains("No cut is shown to be free"),
            "{:?}",
            costly.notes
        );
        assert!(costly.evidence.iter().all(|one| one.n == 3));
    }

    /// Clean accuracy falls by 0.3 points, its interval below 0 and inside the margin of 1 point. Breaks when a cut is both free
    /// and against the claim.
    #[test]
    fn a_loss_inside_the_margin_is_no_loss() {
        let found = weighed(5, |seed, alpha| match alpha {
            0.0 => (0.3, 0.8),
            _ => (
                0.1 + 0.001 * noise(seed, alpha),
                0.797 + 0.0002 * noise(seed, alpha),
            ),
        });
        let row = &found.estimates[0];
        assert!(row.interval.unwrap()[1] < 0.0, "{row:?}");
        assert_eq!(row.verdict, Verdict::NoDifference);
        assert_eq!(found.verdict, Verdict::Supported, "{}", found.sentence);
        let costs = |loss: f64| {
            weighed(5, move |seed, alpha| match alpha {
                0.0 => (0.3, 0.8),
                _ => (
                    0.1 + 0.001 * noise(seed, alpha),
                    0.8 - loss + 0.0002 * noise(seed, alpha),
                ),
            })
        };
        // On the other side of the same margin.
        assert_eq!(costs(0.009).verdict, Verdict::Supported);
        assert_eq!(costs(0.011).verdict, Verdict::Contradicted);
    }

    /// Differences of -0.03, 0 and 0.03. Breaks when there is a verdict from a spread that reaches over both margins, or no
    /// advice.
    #[test]
    fn noise_is_inconclusive() {
        let found = weighed(3, |seed, alpha| match alpha {
            0.0 => (0.3, 0.8),
            _ => (
                0.1 + 0.001 * noise(seed, alpha),
                0.77 + 0.03 * (seed % 3) as f64,
            ),
        });
        assert_eq!(found.verdict, Verdict::Inconclusive, "{}", found.sentence);
        // Half-width 1 point and deviation 3, as one of 2 tests (97.5 %): t(48) 2.3139 x 3 / 7 = 0.99, and 48 seeds
        // would reach 1.003.
        assert_eq!(found.more_seeds.unwrap().seeds, 49 - 3);
    }

    /// Breaks when there is a contradiction where no alpha came near the cut.
    #[test]
    fn shallow_cuts_say_nothing() {
        let found = weighed(3, |seed, alpha| {
            (0.3 + 0.05 * alpha, 0.8 + 0.001 * noise(seed, alpha))
        });
        assert_eq!(found.verdict, Verdict::Inconclusive, "{}", found.sentence);
        assert!(
            found
                .sentence
                .starts_with("No alpha cuts selectivity 2-fold")
                && found.sentence.contains("alpha −2 (1.5-fold)"),
            "{}",
            found.sentence
        );
    }

    /// Breaks when there is no answer where seeds, the control or alphas below 0 are missing.
    #[test]
    fn what_is_missing_is_said() {
        let two = cut(2, 0.8, 0.8);
        assert_eq!(two.verdict, Verdict::NotEnoughRuns);
        assert!(two.sentence.contains("at most 2 seeds"), "{}", two.sentence);
        let positive = weigh(&Numbers::new(
            &Lab::with_alphas(3, &[0.0, 1.0]).run_numbers(),
        ));
        assert!(
            positive.sentence.contains("alpha below 0"),
            "{}",
            positive.sentence
        );
        let uncontrolled = weigh(&Numbers::new(
            &Lab::with_alphas(3, &[-1.0, 1.0]).run_numbers(),
        ));
        assert!(
            uncontrolled.sentence.contains("the control"),
            "{}",
            uncontrolled.sentence
        );
        assert_eq!(uncontrolled.verdict, Verdict::NotEnoughRuns);
    }
}
