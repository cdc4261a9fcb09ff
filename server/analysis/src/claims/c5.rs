//! C5: adversarial samples raise early-layer dimensionality more than corrupted ones.

use protocol::attack::{Attack, Method, Norm};
use protocol::corruption::SEVERITIES;
use protocol::dimensionality::Perturbation;
use protocol::finding::{Claim, Finding};

use super::evidence::{Side, Test, basis, digits};
use super::numbers::{Numbers, Values, complete_mean};
use super::verdict::{finding, not_enough};

const RULE: &str = "For each run the dimension fraction of the difference that a perturbation makes to unit responses (components for 95 % of the variance / units, mean over the first third of layers): under the strongest L-infinity PGD from the clean image (with 40 steps where measured) less the mean over all corruptions and severities. Its mean over a seed's alphas is one value; supported where the mean over at least 3 seeds is above 0 (Student's t, p < 0.05), contradicted where it is below 0.";

/// The steps of the source's PGD.
const SOURCE_STEPS: u32 = 40;

/// Weighs the claim.
pub fn weigh(numbers: &Numbers) -> Finding {
    let corruptions = corrupted(numbers, |_| true);
    let Some(attack) = strongest(numbers) else {
        return missing("of the difference that PGD makes");
    };
    if corruptions.iter().all(Option::is_none) {
        return missing("of the difference that corruptions make");
    }
    let attacked = complete_mean(&numbers.differences, |of| is(of, attack), Some);
    let less = |corrupted: &[Option<f64>]| -> Values {
        let pairs = attacked.iter().zip(corrupted);
        pairs.map(|(a, b)| Some((*a)? - (*b)?)).collect()
    };
    let test = |what: String, values: Values, decides| {
        let test = Test {
            what,
            scale: None,
            unit: "dimension fraction",
            claimed: Side::Above,
            decides,
        };
        let (means, runs) = numbers.means_by_seed(&values);
        test.of_values(&means, 0.0, runs)
    };
    let name = attack.label();
    let all = less(&corruptions);
    let control = numbers
        .runs
        .iter()
        .zip(&all)
        .map(|(run, value)| value.filter(|_| run.alpha == 0.0));
    let mut evidence = vec![
        test(
            format!("{name} less the mean of corruptions"),
            all.clone(),
            true,
        ),
        test(
            format!("{name} less the mean of corruptions, alpha 0 alone"),
            control.collect(),
            false,
        ),
    ];
    for severity in SEVERITIES {
        let values = less(&corrupted(numbers, |of| of == severity));
        if values.iter().any(Option::is_some) {
            let what = format!("{name} less the mean of corruptions at severity {severity}");
            evidence.push(test(what, values, false));
        }
    }
    let sentences = vec![sentence(&evidence[0], &name)];
    finding(Claim::C5, RULE, evidence, sentences)
}

fn sentence(evidence: &protocol::finding::Evidence, attack: &str) -> String {
    let Some(estimate) = evidence.estimate else {
        return "No run has both the difference that PGD makes and those that corruptions make."
            .into();
    };
    let (more, by) = if estimate < 0.0 {
        ("less", -estimate)
    } else {
        ("more", estimate)
    };
    let interval = evidence.interval.map(|[low, high]| {
        if estimate < 0.0 {
            [-high, -low]
        } else {
            [low, high]
        }
    });
    let ends = interval.iter().flatten();
    let digits = digits(ends.fold(by, |most, end| most.max(end.abs())));
    format!(
        "In the early layers the difference that {attack} makes takes {by:.digits$} of the dimensions {more} than the differences that corruptions make ({}).",
        basis(evidence, interval, digits)
    )
}

fn missing(what: &str) -> Finding {
    let summary = format!(
        "The dimensionality {what} is not measured: evaluate the runs' dimensionality with corruptions and PGD."
    );
    not_enough(Claim::C5, RULE, Vec::new(), summary)
}

fn is(perturbation: &Perturbation, attack: Attack) -> bool {
    matches!(perturbation, Perturbation::Attack(of) if *of == attack)
}

/// The mean over the corruptions at the severities that `covers` picks.
fn corrupted(numbers: &Numbers, covers: impl Fn(u8) -> bool) -> Values {
    complete_mean(
        &numbers.differences,
        |of| matches!(of, Perturbation::Corruption { severity, .. } if covers(*severity)),
        Some,
    )
}

/// The strongest PGD among those that the most runs have: the source's number of steps first, then the largest epsilon and
/// the most steps.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::{Lab, noise};
    use protocol::finding::Verdict;

    fn lab(seeds: u64, pgd: f64, spread: f64) -> Lab {
        Lab::new(seeds).dimensions(move |perturbation, _, seed, alpha, _| match perturbation {
            Perturbation::Clean => 0.5,
            Perturbation::Corruption { severity, .. } => 0.2 + 0.02 * f64::from(severity),
            Perturbation::Attack(_) => pgd + spread * seed as f64 + 0.001 * noise(seed, alpha),
        })
    }

    /// Corruptions have 0.26 on average, and 0.30 at severity 5. Broken by: the wrong sign, runs that are taken for
    /// replicates, or a mean over other severities. A made-up fraction is of 640 columns, so it is right to 0.0008.
    #[test]
    fn attacks_above_corruptions_support_it() {
        let above = weigh(&lab(3, 0.4, 0.0).numbers());
        assert_eq!(above.verdict, Verdict::Supported, "{}", above.summary);
        assert!((above.evidence[0].estimate.unwrap() - 0.14).abs() < 0.003);
        assert_eq!((above.evidence[0].n, above.evidence[0].runs), (3, 15));
        assert_eq!((above.evidence[1].n, above.evidence[1].runs), (3, 3));
        assert_eq!(above.evidence.len(), 2 + 5);
        assert!((above.evidence[6].estimate.unwrap() - 0.10).abs() < 0.003);
        assert!(
            above.summary.contains("of the dimensions more"),
            "{}",
            above.summary
        );
        let below = weigh(&lab(3, 0.1, 0.0).numbers());
        assert_eq!(below.verdict, Verdict::Contradicted, "{}", below.summary);
        assert!(
            below.summary.contains("of the dimensions less"),
            "{}",
            below.summary
        );
        let noisy = weigh(&lab(3, 0.2, 0.08).numbers());
        assert_eq!(noisy.verdict, Verdict::Inconclusive, "{}", noisy.summary);
        assert!(noisy.more_seeds.is_some());
    }

    /// Broken by: another PGD than that with the source's steps.
    #[test]
    fn the_sources_steps_are_preferred() {
        let mut lab = lab(3, 0.4, 0.0);
        let mut weaker = lab.measurements.clone();
        weaker.retain_mut(|(_, measured)| match measured {
            protocol::Measurement::Dimensionality(of) => match &mut of.perturbation {
                Perturbation::Attack(attack) => {
                    attack.steps = Some(80);
                    of.components_95 = vec![1; of.columns.len()];
                    true
                }
                _ => false,
            },
            _ => false,
        });
        lab.measurements.extend(weaker);
        assert_eq!(strongest(&lab.numbers()).unwrap().steps, Some(40));
        assert_eq!(weigh(&lab.numbers()).verdict, Verdict::Supported);
    }

    /// Broken by: no answer where seeds are too few or a perturbation is missing.
    #[test]
    fn what_is_missing_is_said() {
        let two = weigh(&lab(2, 0.4, 0.0).numbers());
        assert_eq!(two.verdict, Verdict::NotEnoughRuns);
        let missing = weigh(&Lab::new(3).numbers());
        assert_eq!(missing.verdict, Verdict::NotEnoughRuns);
        assert!(
            missing.summary.contains("that PGD makes"),
            "{}",
            missing.summary
        );
        let mut half = lab(3, 0.4, 0.0);
        half.measurements.retain(|(_, one)| {
            let of = one.dimensionality().map(|of| of.perturbation);
            !matches!(of, Some(Perturbation::Corruption { .. }))
        });
        let half = weigh(&half.numbers());
        assert!(
            half.summary.contains("that corruptions make"),
            "{}",
            half.summary
        );
    }
}
