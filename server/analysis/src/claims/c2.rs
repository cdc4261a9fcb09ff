//! C2: accuracy falls with selectivity on nearly every corruption and severity.

use protocol::Corruption;
use protocol::claim_figure::{
    ClaimFigure, ClaimFigureName, Picture, SlopeCell, SlopeMap, SlopeRow,
};
use protocol::finding::{Claim, Estimate, Evidence, Finding, Role, Verdict};
use protocol::quantity::{Quantity, Scale};
use rayon::prelude::*;
use statistics::{
    Block, FEWEST_POINTS, FEWEST_WITH_COVARIATE, SignTest, empirical_logit, holm, residuals,
    sign_test,
};

use super::c1::ASK;
use super::draw::{Sheet, figure};
use super::estimands::{Estimand, NAMES, PER_TENTH, capital};
use super::evidence::{FEWEST_SEEDS, LEVEL, SCALES, Side, Test, seeds};
use super::numbers::{Numbers, Values, needed, residual};
use super::verdict::{Words, finding, not_enough, too_few_seeds};

const RULE: &str = "Primary: how many of the slopes of raw accuracy on selectivity are below 0 (one slope for each corruption and severity, each the mean over at least 3 seeds with at least 3 alphas each). The test counts how many slopes of single seeds are below 0 and compares the count with permutations of the selectivities within seed; the permutation is the same for all corruptions, so that whatever they have in common is preserved. p is two-sided (all permutations for up to 7 alphas per seed, otherwise the same 10,000 random ones every time). Supported if at least 90 % of the slopes are below 0 and more than expected by chance (p < 0.05), contradicted if at most half are below 0 and fewer than expected by chance. A count has no margin. Sensitivity by the same rule: share of clean accuracy; residual of logit accuracy on logit clean accuracy; slope with clean accuracy as a covariate. Stars in the map are Holm-corrected, because any of many cells may be claimed there.";

/// The share of corruptions and severities that counts as nearly every one.
const NEARLY_ALL: f64 = 0.9;

const WORDS: Words = Words {
    supported: "Accuracy falls with selectivity on nearly every corruption and severity",
    contradicted: "Accuracy does not fall with selectivity on most corruptions and severities",
    no_difference: "",
    whether: "accuracy falls with selectivity on nearly every corruption and severity",
};

/// What was measured on one corruption and severity: accuracy in one way, and clean accuracy.
struct Cell {
    item: (Corruption, u8),
    values: Values,
    clean: Values,
}

/// The corruptions and severities that most runs have, of the runs that have all of them.
fn cells(numbers: &Numbers, way: usize) -> Vec<Cell> {
    let columns = &numbers.corruptions;
    let needed = needed(columns, |_| true);
    let complete = |run: usize| {
        needed
            .iter()
            .all(|&place| columns[place].values[run].is_some())
    };
    let complete: Vec<bool> = (0..numbers.runs.len()).map(complete).collect();
    let images = numbers.corruption_images().unwrap_or(0);
    let cell = |&place: &usize| {
        let of_run = |value: &dyn Fn(crate::run_numbers::Accuracy) -> Option<f64>| -> Values {
            let runs = columns[place].values.iter().zip(&complete);
            runs.map(|(accuracy, complete)| accuracy.filter(|_| *complete).and_then(value))
                .collect()
        };
        let values = match way {
            1 => of_run(&|accuracy| accuracy.on(Scale::ShareOfClean)),
            2 => {
                let logits = of_run(&|accuracy| empirical_logit(accuracy.perturbed, images));
                let clean = of_run(&|accuracy| empirical_logit(accuracy.clean, images));
                residual(&clean, &logits)
            }
            _ => of_run(&|accuracy| Some(accuracy.perturbed)),
        };
        Cell {
            item: columns[place].item,
            values,
            clean: of_run(&|accuracy| Some(accuracy.clean)),
        }
    };
    needed.iter().map(cell).collect()
}

/// The mean slope over seeds of every cell, in one way.
fn slopes(numbers: &Numbers, cells: &[Cell], way: usize) -> Vec<Evidence> {
    let selectivity = numbers.selectivity();
    cells
        .par_iter()
        .map(|cell| {
            let (corruption, severity) = cell.item;
            let measure = Quantity::Corruption {
                corruption: Some(corruption),
                severity: Some(severity),
            };
            let test = Test {
                what: measure.label(),
                scale: SCALES.get(way).copied(),
                unit: PER_TENTH[way],
                claimed: Side::Below,
                decides: false,
            };
            if way < 3 {
                return test.of_slopes(&numbers.points(&selectivity, &cell.values));
            }
            let (clean, values) = (&cell.clean, &cell.values);
            test.of_partial_slopes(&numbers.points_with_covariate(&selectivity, clean, values))
        })
        .collect()
}

/// The signs of all seeds' slopes against permutations.
fn signs(numbers: &Numbers, cells: &[Cell], way: usize) -> Option<SignTest> {
    let fewest = if way == 3 {
        FEWEST_WITH_COVARIATE
    } else {
        FEWEST_POINTS
    };
    let blocks: Vec<Block> = numbers
        .seeds()
        .into_iter()
        .filter_map(|seed| {
            let has_all = |run: &usize| {
                let has = |values: &Values| values.get(*run).is_some_and(Option::is_some);
                cells
                    .iter()
                    .all(|cell| has(&cell.values) && has(&cell.clean))
            };
            let of_seed = (0..numbers.runs.len()).filter(|&run| numbers.runs[run].seed == seed);
            let runs: Vec<usize> = of_seed.filter(has_all).collect();
            if runs.len() < fewest {
                return None;
            }
            let x = runs
                .iter()
                .map(|&run| numbers.runs[run].selectivity)
                .collect();
            let of_cell = |cell: &Cell| -> Option<Vec<f64>> {
                let values = runs
                    .iter()
                    .map(|&run| cell.values[run])
                    .collect::<Option<Vec<f64>>>()?;
                if way < 3 {
                    return Some(values);
                }
                // A partial slope has the sign of the slope on selectivity of the residuals on clean accuracy, the covariate.
                let clean = runs.iter().map(|&run| cell.clean[run]);
                let points: Option<Vec<_>> =
                    clean.zip(values).map(|(x, y)| Some((x?, y))).collect();
                residuals(&points?)
            };
            let by_cell: Vec<Vec<f64>> = cells.iter().map(of_cell).collect::<Option<_>>()?;
            let y = (0..runs.len()).map(|at| by_cell.iter().map(|values| values[at]).collect());
            Some(Block { x, y: y.collect() })
        })
        .collect();
    sign_test(&blocks)
}

/// One way of counting, and the slopes that are counted.
fn way(numbers: &Numbers, place: usize) -> (Estimand, Vec<Evidence>) {
    let cells = cells(numbers, place);
    let slopes = slopes(numbers, &cells, place);
    let signs = signs(numbers, &cells, place);
    let below = slopes.iter().filter(|one| one.agrees == Some(true)).count();
    let share = below as f64 / slopes.len().max(1) as f64;
    let n = slopes.iter().map(|one| one.n).min().unwrap_or(0);
    let p = signs.map(SignTest::p);
    let by_chance = p.is_none_or(|p| p >= LEVEL);
    let more = signs.is_some_and(|test| test.p_as_many < test.p_as_few);
    let verdict = match n {
        _ if n < FEWEST_SEEDS => Verdict::NotEnoughRuns,
        _ if !by_chance && more && share >= NEARLY_ALL => Verdict::Supported,
        _ if !by_chance && !more && share <= 0.5 => Verdict::Contradicted,
        _ => Verdict::Inconclusive,
    };
    let (label, name) = NAMES[place];
    let role = if place == 0 {
        Role::Primary
    } else {
        Role::Sensitivity
    };
    let unit = format!("of {} slopes below 0", slopes.len());
    let row = Estimate {
        label: capital(label),
        unit: unit.clone(),
        estimate: (n > 0).then_some(below as f64),
        interval: None,
        margin: None,
        p,
        n,
        runs: slopes.iter().map(|one| one.runs).max().unwrap_or(0),
        role,
        verdict,
    };
    let description = signs.map_or_else(
        || format!("{below} {unit} ({})", seeds(n)),
        |test| {
            let p = if test.p() < 0.001 {
                "p < 0.001".to_owned()
            } else {
                format!("p = {:.3}", test.p())
            };
            format!(
                "{below} {unit} ({} of {} slopes of single seeds, permutation {p}, {})",
                test.below,
                test.slopes,
                seeds(n)
            )
        },
    );
    let line = Evidence {
        what: format!("Slopes below 0, {label}"),
        scale: SCALES.get(place).copied(),
        unit,
        estimate: row.estimate,
        interval: None,
        bootstrap_interval: None,
        p,
        p_holm: None,
        effect: None,
        n,
        runs: row.runs,
        agrees: Some(share >= NEARLY_ALL),
        decides: place == 0,
    };
    let way = Estimand {
        name,
        role,
        rows: vec![(row, line)],
        description,
    };
    (way, slopes)
}

/// Weighs the claim.
pub fn weigh(numbers: &Numbers) -> Finding {
    if numbers.corruptions.is_empty() {
        return not_enough(Claim::C2, RULE, ASK);
    }
    let (ways, slopes): (Vec<Estimand>, Vec<Vec<Evidence>>) =
        (0..4).map(|place| way(numbers, place)).unzip();
    let fewest = ways[0].rows[0].0.n;
    let mut found = finding(Claim::C2, RULE, WORDS, ways);
    if found.verdict == Verdict::NotEnoughRuns {
        found.sentence = too_few_seeds(fewest);
    }
    // There is no known number of seeds that would decide a share of signs.
    found.more_seeds = None;
    for mut of_scale in slopes.into_iter().take(SCALES.len()) {
        correct(&mut of_scale);
        found.evidence.extend(of_scale);
    }
    found
}

/// Corrects tests after Holm, as any one of them may be claimed.
fn correct(together: &mut [Evidence]) {
    let p: Vec<f64> = together
        .iter()
        .map(|one| one.p.unwrap_or(f64::NAN))
        .collect();
    for (one, corrected) in together.iter_mut().zip(holm(&p)) {
        one.p_holm = one.p.map(|_| corrected);
    }
}

/// Its figures: the slopes by corruption and severity, at both scales.
pub fn figures(sheet: &Sheet) -> Vec<ClaimFigure> {
    let maps = SCALES.into_iter().enumerate().map(|(way, scale)| {
        let picture = Picture::Slopes(slope_map(sheet, way, scale));
        figure(ClaimFigureName::CorruptionSlopes, Some(scale), picture)
    });
    maps.collect()
}

fn slope_map(sheet: &Sheet, way: usize, scale: Scale) -> SlopeMap {
    let numbers = sheet.numbers;
    let cells = cells(numbers, way);
    let mut slopes = slopes(numbers, &cells, way);
    correct(&mut slopes);
    let mut severities: Vec<u8> = cells.iter().map(|cell| cell.item.1).collect();
    severities.sort_unstable();
    severities.dedup();
    let mut corruptions: Vec<Corruption> = cells.iter().map(|cell| cell.item.0).collect();
    corruptions.dedup();
    // The map is in accuracy per unit of selectivity.
    let factor = PER_TENTH[way].factor;
    let cell = |corruption: Corruption, severity: u8| -> Option<SlopeCell> {
        let place = cells
            .iter()
            .position(|cell| cell.item == (corruption, severity))?;
        let slope = &slopes[place];
        Some(SlopeCell {
            slope: slope.estimate? / factor,
            interval: slope.interval.map(|ends| ends.map(|end| end / factor)),
            p_holm: slope.p_holm,
            n: slope.n,
        })
    };
    SlopeMap {
        scale,
        rows: corruptions
            .into_iter()
            .map(|corruption| SlopeRow {
                corruption,
                cells: severities
                    .iter()
                    .map(|&severity| cell(corruption, severity))
                    .collect(),
            })
            .filter(|row| row.cells.iter().any(Option::is_some))
            .collect(),
        severities,
        images: numbers.corruption_images(),
        method: format!(
            "The least-squares slope over the alphas of each seed with at least {FEWEST_POINTS} alphas, averaged over seeds; Student's t; p Holm-corrected over all cells"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::{Lab, falls, noise};

    fn weighed(lab: Lab) -> Finding {
        weigh(&Numbers::new(&lab.run_numbers()))
    }

    /// All 95 fall in all of 6 seeds. They are one and the same accuracy, so each seed's 95 fall together in half of the orders:
    /// p is about 2 / 2^6. Breaks when signs are not counted one by one, or corruptions are permuted separately, which would
    /// make p far smaller, and 3 seeds enough.
    #[test]
    fn all_that_fall_support_it() {
        let found = weighed(Lab::new(6).corruptions(falls(0.3)));
        assert_eq!(found.verdict, Verdict::Supported, "{}", found.sentence);
        assert_eq!(found.evidence.len(), 4 + 2 * 95);
        assert_eq!(found.estimates[0].estimate, Some(95.0));
        assert!(
            (found.estimates[0].p.unwrap() - 0.03).abs() < 0.01,
            "{}",
            found.sentence
        );
        assert!(
            found.sentence.starts_with("Accuracy falls with selectivity on nearly every corruption and severity: 95 of 95 slopes below 0 (570 of 570 slopes of single seeds, permutation p = 0.0"),
            "{}",
            found.sentence
        );
        assert!(found.sentence.ends_with("6 seeds)."), "{}", found.sentence);
        assert!(found.evidence[4..].iter().all(|one| one.p_holm >= one.p));
        let rising = weighed(Lab::new(6).corruptions(crate::made_up::rises(0.3)));
        assert_eq!(rising.verdict, Verdict::Contradicted, "{}", rising.sentence);
        let pilot = weighed(Lab::new(3).corruptions(falls(0.3)));
        assert_eq!(pilot.verdict, Verdict::Inconclusive, "{}", pilot.sentence);
        assert!(
            pilot.sentence.ends_with("3 seeds, pilot)."),
            "{}",
            pilot.sentence
        );
    }

    /// 15 of the 95 rise, in all of 8 seeds: 84 % is not nearly every one, however sure. Breaks when p alone decides.
    #[test]
    fn nearly_every_one_is_ninety_percent() {
        let lab = Lab::new(8).each_corruption(|corruption, _, seed, alpha, selectivity| {
            let rises = corruption >= Corruption::ALL[16];
            let slope = if rises { 0.3 } else { -0.3 };
            0.5 + slope * selectivity + 1e-6 * noise(seed, alpha)
        });
        let found = weighed(lab);
        assert_eq!(found.verdict, Verdict::Inconclusive, "{}", found.sentence);
        assert!(
            found.sentence.contains("80 of 95 slopes below 0"),
            "{}",
            found.sentence
        );
    }

    /// Breaks when there is no answer where runs are too few, or another answer.
    #[test]
    fn too_few_runs_are_said() {
        let two = weighed(Lab::new(2).corruptions(falls(0.3)));
        assert_eq!(two.verdict, Verdict::NotEnoughRuns);
        assert!(two.sentence.contains("2 seeds have"), "{}", two.sentence);
        let missing = weighed(Lab::new(3));
        assert_eq!(missing.verdict, Verdict::NotEnoughRuns);
        assert!(missing.sentence.contains("natural corruptions"));
    }
}
