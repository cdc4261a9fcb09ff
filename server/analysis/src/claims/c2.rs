//! C2: nearly every corruption and severity agrees.

use protocol::finding::{Claim, Evidence, Finding, Verdict};
use protocol::measure::{Measure, Scale};
use rayon::prelude::*;

use super::c1::{self, ASK};
use super::evidence::{SCALES, Side, Test, correct};
use super::numbers::Numbers;
use super::verdict::{FEWEST_SEEDS, Position, more_seeds, not_enough, position, unanimous};

const RULE: &str = "The slope of C1 for each corruption and severity, corrected after Holm for all of them within a scale. Supported where in both scales at least 90 % of them are below 0, none is above 0 beyond chance, and C1's slope is below 0 beyond chance; contradicted where in both scales at most half are below 0 and at least one is above 0 beyond chance.";

/// The share of corruptions and severities that is nearly every one of them.
const NEARLY_ALL: f64 = 0.9;

/// What one scale says.
struct OfScale {
    /// Share of the slopes below 0.
    share: f64,
    /// Slopes below 0 beyond chance.
    below: usize,
    /// Slopes above 0 beyond chance.
    above: usize,
    /// The line that says so.
    line: Evidence,
    /// Each of them.
    each: Vec<Evidence>,
}

/// Weighs the claim.
pub fn weigh(numbers: &Numbers) -> Finding {
    if numbers.corruptions.is_empty() {
        return not_enough(Claim::C2, RULE, Vec::new(), ASK);
    }
    let scales = SCALES.map(|scale| of_scale(numbers, scale));
    let pooled = c1::slopes(numbers);
    let fewest = scales.iter().flat_map(|scale| &scale.each).map(|one| one.n);
    let fewest = fewest.min().unwrap_or(0);
    let of = numbers.corruptions.len();
    let verdict = if fewest < FEWEST_SEEDS {
        Verdict::NotEnoughRuns
    } else if scales
        .iter()
        .all(|scale| scale.share >= NEARLY_ALL && scale.above == 0)
        && unanimous(&pooled) == Verdict::Supported
    {
        Verdict::Supported
    } else if scales
        .iter()
        .all(|scale| scale.share <= 0.5 && scale.above > 0)
    {
        Verdict::Contradicted
    } else {
        Verdict::Inconclusive
    };
    let mut sentences = Vec::new();
    if verdict == Verdict::NotEnoughRuns {
        sentences.push(format!(
            "Some corruptions and severities have {fewest} seeds with the runs that this takes; it takes {FEWEST_SEEDS}."
        ));
    }
    for (scale, name) in scales
        .iter()
        .zip(["in raw accuracy", "as a share of clean accuracy"])
    {
        sentences.push(format!(
            "{:.0} % of {of} corruptions and severities fall with selectivity {name}; after Holm's correction {} do so beyond chance and {} rise (n = {} seeds, {} runs).",
            100.0 * scale.share, scale.below, scale.above, scale.line.n, scale.line.runs,
        ));
    }
    if verdict == Verdict::Inconclusive && unanimous(&pooled) != Verdict::Supported {
        sentences.push(
            "C1's slope, over all of them, is not below 0 beyond chance in both scales.".into(),
        );
    }
    let [raw, share] = scales;
    let mut evidence = vec![raw.line, share.line];
    evidence.extend(raw.each.into_iter().chain(share.each));
    Finding {
        claim: Claim::C2,
        verdict,
        summary: sentences.join(" "),
        rule: RULE.into(),
        evidence,
        // What is open beside C1's slope is a share of signs, which seeds bring no known number closer.
        more_seeds: match verdict {
            Verdict::Supported | Verdict::Contradicted => None,
            _ => more_seeds(&pooled),
        },
    }
}

fn of_scale(numbers: &Numbers, scale: Scale) -> OfScale {
    let selectivity = numbers.selectivity();
    let mut each: Vec<Evidence> = numbers
        .corruptions
        .par_iter()
        .map(|column| {
            let (corruption, severity) = column.item;
            let measure = Measure::Corruption {
                corruption: Some(corruption),
                severity: Some(severity),
            };
            let test = Test {
                what: measure.label(),
                scale: Some(scale),
                unit: "accuracy per unit of selectivity",
                claimed: Side::Below,
                decides: false,
            };
            let accuracy: Vec<Option<f64>> = column
                .values
                .iter()
                .map(|value| value.and_then(|value| value.on(scale)))
                .collect();
            test.of_slopes(&numbers.points(&selectivity, &accuracy))
        })
        .collect();
    correct(&mut each.iter_mut().collect::<Vec<_>>());
    let falling = each.iter().filter(|one| one.agrees == Some(true)).count();
    let share = falling as f64 / each.len().max(1) as f64;
    let at = |wanted| each.iter().filter(|one| position(one) == wanted).count();
    let (below, above) = (at(Position::Claimed), at(Position::Other));
    let line = Evidence {
        what: format!(
            "Share of {} corruptions and severities whose slope is below 0",
            each.len()
        ),
        scale: Some(scale),
        unit: "share".into(),
        estimate: Some(share),
        interval: None,
        bootstrap_interval: None,
        p: None,
        p_holm: None,
        effect: None,
        n: each.iter().map(|one| one.n).max().unwrap_or(0),
        runs: each.iter().map(|one| one.runs).max().unwrap_or(0),
        agrees: Some(share >= NEARLY_ALL),
        decides: true,
    };
    OfScale {
        share,
        below,
        above,
        line,
        each,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::{Lab, falls, noise};
    use protocol::Corruption;

    /// Broken by: signs that are not counted one by one, or a test that decides beside the share.
    #[test]
    fn all_that_fall_support_it() {
        let found = weigh(&Lab::new(3).corruptions(falls(0.3)).numbers());
        assert_eq!(found.verdict, Verdict::Supported, "{}", found.summary);
        assert_eq!(found.evidence.len(), 2 + 2 * 95);
        assert_eq!(found.evidence.iter().filter(|one| one.decides).count(), 2);
        assert_eq!(found.evidence[0].estimate, Some(1.0));
        assert!(found.summary.contains("100 % of 95"), "{}", found.summary);
        assert!(found.evidence[2..].iter().all(|one| one.p_holm >= one.p));
    }

    /// 5 of 95 (5 %) rise, without noise: nearly every one falls, but that is beyond chance. Broken by: a share that alone
    /// decides.
    #[test]
    fn one_corruption_that_rises_beyond_chance_stands_against_it() {
        let lab = Lab::new(3).each_corruption(|corruption, _, seed, alpha, selectivity| {
            let slope = if corruption == Corruption::Fog {
                0.3
            } else {
                -0.3
            };
            0.5 + slope * selectivity + 1e-6 * noise(seed, alpha)
        });
        let found = weigh(&lab.numbers());
        assert_eq!(found.verdict, Verdict::Inconclusive, "{}", found.summary);
        assert!(found.summary.contains("95 % of 95") && found.summary.contains("5 rise"));
        let lab = Lab::new(3).each_corruption(|corruption, _, seed, alpha, selectivity| {
            let slope = if corruption < Corruption::Fog {
                -0.3
            } else {
                0.3
            };
            0.5 + slope * selectivity + 1e-6 * noise(seed, alpha)
        });
        let found = weigh(&lab.numbers());
        assert_eq!(found.verdict, Verdict::Contradicted, "{}", found.summary);
    }

    /// Broken by: no answer where runs are too few, or another answer.
    #[test]
    fn too_few_runs_are_said() {
        let two = weigh(&Lab::new(2).corruptions(falls(0.3)).numbers());
        assert_eq!(two.verdict, Verdict::NotEnoughRuns);
        assert!(two.summary.contains("have 2 seeds"), "{}", two.summary);
        let missing = weigh(&Lab::new(3).numbers());
        assert_eq!(missing.verdict, Verdict::NotEnoughRuns);
        assert!(missing.summary.contains("natural corruptions"));
    }
}
