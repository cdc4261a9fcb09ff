//! From tests to a verdict, and to the seeds that would decide.

use protocol::finding::{Claim, Evidence, Finding, MoreSeeds, Verdict};
use protocol::measure::Scale;

use super::evidence::{LEVEL, count, digits, scale_label};
use statistics::{CONFIDENCE, replicates_for_half_width, student_reach};

/// The fewest seeds that a claim is tested with.
pub const FEWEST_SEEDS: u32 = 3;

/// More seeds than these are not advised: something else must change first.
const MOST_ADVISED: u32 = 1_000;

/// What a test says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// On the claimed side, beyond what chance gives.
    Claimed,
    /// On the other side, beyond what chance gives.
    Other,
    /// Neither.
    Open,
}

/// What a test says, corrected for those made together with it.
pub fn position(evidence: &Evidence) -> Position {
    match evidence.p_holm.or(evidence.p) {
        Some(p) if p < LEVEL => match evidence.agrees {
            Some(true) => Position::Claimed,
            _ => Position::Other,
        },
        _ => Position::Open,
    }
}

/// The verdict on tests that must all agree: those of `evidence` that decide.
pub fn unanimous(evidence: &[Evidence]) -> Verdict {
    let deciding = || evidence.iter().filter(|one| one.decides);
    let all = |wanted| deciding().all(|one| position(one) == wanted);
    if deciding().count() == 0 || deciding().any(|one| one.n < FEWEST_SEEDS) {
        Verdict::NotEnoughRuns
    } else if all(Position::Claimed) {
        Verdict::Supported
    } else if all(Position::Other) {
        Verdict::Contradicted
    } else {
        Verdict::Inconclusive
    }
}

/// A finding that cannot be made, and why.
pub fn not_enough(
    claim: Claim,
    rule: &str,
    evidence: Vec<Evidence>,
    summary: impl Into<String>,
) -> Finding {
    Finding {
        claim,
        verdict: Verdict::NotEnoughRuns,
        summary: summary.into(),
        rule: rule.into(),
        more_seeds: more_seeds(&evidence),
        evidence,
    }
}

/// The finding that tests make which must all agree. `sentences` tell their numbers; what the verdict rests on is added.
pub fn finding(
    claim: Claim,
    rule: &str,
    evidence: Vec<Evidence>,
    mut sentences: Vec<String>,
) -> Finding {
    let verdict = unanimous(&evidence);
    match verdict {
        Verdict::NotEnoughRuns => sentences.insert(0, too_few_seeds(&evidence)),
        Verdict::Inconclusive => sentences.push(why_open(&evidence)),
        Verdict::Supported | Verdict::Contradicted => {}
    }
    Finding {
        claim,
        verdict,
        summary: sentences.join(" "),
        rule: rule.into(),
        more_seeds: match verdict {
            Verdict::Supported | Verdict::Contradicted => None,
            _ => more_seeds(&evidence),
        },
        evidence,
    }
}

/// How many seeds there are, and how many it takes.
fn too_few_seeds(evidence: &[Evidence]) -> String {
    let fewest = evidence.iter().filter(|one| one.decides).map(|one| one.n);
    let fewest = fewest.min().unwrap_or(0);
    let have = if fewest == 1 { "has" } else { "have" };
    format!(
        "{} {have} the runs that this takes; it takes {FEWEST_SEEDS}.",
        count(fewest, "seed")
    )
}

/// Why tests that must all agree decide nothing.
fn why_open(evidence: &[Evidence]) -> String {
    let deciding: Vec<&Evidence> = evidence.iter().filter(|one| one.decides).collect();
    let sides = |scale| -> Vec<bool> {
        let of_scale = deciding.iter().filter(|one| one.scale == Some(scale));
        of_scale.filter_map(|one| one.agrees).collect()
    };
    let (raw, share) = (sides(Scale::Raw), sides(Scale::ShareOfClean));
    let all = |sides: &[bool], wanted| {
        !sides.is_empty() && sides.iter().all(|&claimed| claimed == wanted)
    };
    let beyond_chance = if deciding.iter().any(|one| position(one) == Position::Open) {
        "not all of them beyond chance"
    } else {
        "both beyond chance"
    };
    if all(&raw, true) && all(&share, false) {
        format!(
            "The scales disagree: raw accuracy is on the claimed side, the share of clean accuracy on the other ({beyond_chance})."
        )
    } else if all(&raw, false) && all(&share, true) {
        format!(
            "The scales disagree: the share of clean accuracy is on the claimed side, raw accuracy on the other ({beyond_chance})."
        )
    } else if deciding.iter().any(|one| one.agrees == Some(true))
        && deciding.iter().any(|one| one.agrees == Some(false))
    {
        "The tests that decide do not agree on a side.".into()
    } else {
        let open = deciding
            .iter()
            .filter(|one| position(one) == Position::Open);
        format!(
            "{} of the {} tests that decide could be chance.",
            open.count(),
            deciding.len()
        )
    }
}

/// How many more seeds would let every deciding test decide, should estimates and spread stay as they are. `None` where all
/// do, where they would decide for different sides, without an estimate, and above 1,000.
pub fn more_seeds(evidence: &[Evidence]) -> Option<MoreSeeds> {
    let deciding: Vec<&Evidence> = evidence.iter().filter(|one| one.decides).collect();
    let side = deciding.first()?.agrees?;
    if deciding.iter().any(|one| one.agrees != Some(side)) {
        return None;
    }
    let mut most: Option<MoreSeeds> = None;
    for one in &deciding {
        if position(one) != Position::Open && one.n >= FEWEST_SEEDS {
            continue;
        }
        let together = match one.p_holm {
            Some(_) => deciding.iter().filter(|of| of.scale == one.scale).count(),
            None => 1,
        };
        let found = to_decide(one, one.estimate?.abs(), together)?;
        if most.as_ref().is_none_or(|most| most.seeds < found.seeds) {
            most = Some(found);
        }
    }
    most
}

/// How many more seeds would bring the interval of `evidence` to reach no further than `half_width` (in its unit), as one of
/// `together` tests. `None` below 2 seeds, above 1,000 more, for a width of 0, and where there are enough.
pub fn to_decide(evidence: &Evidence, half_width: f64, together: usize) -> Option<MoreSeeds> {
    let [low, high] = evidence.interval?;
    let n = evidence.n;
    let reach = student_reach(CONFIDENCE, f64::from(n) - 1.0)?;
    let deviation = (high - low) / 2.0 / reach * f64::from(n).sqrt();
    let confidence = 1.0 - LEVEL / together.max(1) as f64;
    let wanted = replicates_for_half_width(deviation, half_width, confidence)?.max(FEWEST_SEEDS);
    let seeds = wanted.checked_sub(n).filter(|&seeds| seeds > 0)?;
    if seeds > MOST_ADVISED {
        return None;
    }
    let reach = student_reach(CONFIDENCE, f64::from(wanted) - 1.0)?;
    let unit = &evidence.unit;
    let digits = digits(deviation.max(half_width)) + 1;
    Some(MoreSeeds {
        seeds,
        half_width: reach * deviation / f64::from(wanted).sqrt(),
        basis: format!(
            "{}{}: {} seeds spread by {deviation:.digits$} {unit} (standard deviation), and the interval may reach no further than {half_width:.digits$} to decide{}; both are guesses from few seeds, and about every second time it takes more.",
            evidence.what,
            scale_label(evidence.scale).trim_end_matches(','),
            n,
            if together > 1 {
                format!(" as one of {together} tests")
            } else {
                String::new()
            },
        ),
    })
}
