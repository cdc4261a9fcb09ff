//! From tests to a finding: verdict, sentence, and the seeds that would decide.

use protocol::finding::{Claim, Evidence, Finding, MoreSeeds, Verdict};
use statistics::{CONFIDENCE, replicates_for_half_width, student_reach};

use super::estimands::{Estimand, overall};
use super::evidence::{FEWEST_SEEDS, count, digits, seeds};

/// More seeds than these are not advised: something else must change first.
const MOST_ADVISED: u32 = 1_000;

/// How the sentences of a claim's verdicts begin; the numbers follow after a colon.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// Supported.
    pub supported: &'static str,
    /// Contradicted.
    pub contradicted: &'static str,
    /// No difference larger than the margin.
    pub no_difference: &'static str,
    /// What is open or depends on the scale, after `whether`.
    pub whether: &'static str,
}

impl Words {
    /// The verdict on `ways` in one sentence.
    pub fn sentence(&self, verdict: Verdict, ways: &[Estimand]) -> String {
        let primary = ways.first().map_or("", |way| &way.description);
        match verdict {
            Verdict::Supported => format!("{}: {primary}.", self.supported),
            Verdict::Contradicted => format!("{}: {primary}.", self.contradicted),
            Verdict::NoDifference => format!("{}: {primary}.", self.no_difference),
            Verdict::Inconclusive => format!("Whether {} is open: {primary}.", self.whether),
            Verdict::DependsOnScale => {
                let decided = |wanted| ways.iter().position(|way| way.verdict() == wanted);
                let mut both = [decided(Verdict::Supported), decided(Verdict::Contradicted)];
                both.sort();
                let parts: Vec<String> = both
                    .into_iter()
                    .flatten()
                    .map(|place| format!("{} {}", ways[place].name, ways[place].description))
                    .collect();
                format!(
                    "Whether {} depends on the scale: {}.",
                    self.whether,
                    parts.join(", but ")
                )
            }
            Verdict::NotEnoughRuns => too_few(ways),
        }
    }
}

/// How many seeds there are, and how many it takes.
fn too_few(ways: &[Estimand]) -> String {
    let rows = ways.first().map(|way| &way.rows[..]).unwrap_or_default();
    let fewest = rows.iter().map(|(row, _)| row.n).min().unwrap_or(0);
    too_few_seeds(fewest)
}

/// A sentence that says how many seeds have what a test takes.
pub fn too_few_seeds(n: u32) -> String {
    let have = if n == 1 { "has" } else { "have" };
    format!(
        "Not enough runs: {} {have} what the test needs, and it takes at least {FEWEST_SEEDS}; fewer than 5 are a pilot.",
        count(n, "seed")
    )
}

/// A finding that cannot be made, and why.
pub fn not_enough(claim: Claim, rule: &str, sentence: impl Into<String>) -> Finding {
    Finding {
        claim,
        verdict: Verdict::NotEnoughRuns,
        sentence: sentence.into(),
        estimates: Vec::new(),
        notes: Vec::new(),
        rule: rule.into(),
        all_runs: None,
        evidence: Vec::new(),
        more_seeds: None,
    }
}

/// The finding from the ways of measuring a claim, the primary one first.
pub fn finding(claim: Claim, rule: &str, words: Words, ways: Vec<Estimand>) -> Finding {
    let verdict = overall(&ways);
    let sentence = words.sentence(verdict, &ways);
    let primary: Vec<&Evidence> = ways
        .first()
        .map(|way| way.rows.iter().map(|(_, evidence)| evidence).collect())
        .unwrap_or_default();
    let more_seeds = match verdict {
        Verdict::Inconclusive | Verdict::NotEnoughRuns => more_seeds(&primary),
        _ => None,
    };
    let (estimates, evidence) = ways.into_iter().flat_map(|way| way.rows).unzip();
    Finding {
        verdict,
        estimates,
        evidence,
        more_seeds,
        ..not_enough(claim, rule, sentence)
    }
}

/// How many more seeds would let every primary interval leave 0 out if estimates and spread stay as they are. `None` where all
/// do already, where they would decide for different sides, without an estimate, and above 1,000.
pub fn more_seeds(primary: &[&Evidence]) -> Option<MoreSeeds> {
    let side = primary.first()?.agrees?;
    if primary.iter().any(|one| one.agrees != Some(side)) {
        return None;
    }
    let open = |one: &&&Evidence| {
        let leaves_0_out = one
            .interval
            .is_some_and(|[low, high]| low > 0.0 || high < 0.0);
        one.n < FEWEST_SEEDS || !leaves_0_out
    };
    let mut most: Option<MoreSeeds> = None;
    for one in primary.iter().filter(open) {
        let needed = to_decide(one, one.estimate?.abs(), 1)?;
        if most.as_ref().is_none_or(|most| most.seeds < needed.seeds) {
            most = Some(needed);
        }
    }
    most
}

/// How many more seeds would narrow the interval of `evidence` to a half-width of at most `half_width` (in its unit), as one
/// of `together` tests. `None` below 2 seeds, above 1,000 more, for a width of 0, and where there are enough.
pub fn to_decide(evidence: &Evidence, half_width: f64, together: usize) -> Option<MoreSeeds> {
    let [low, high] = evidence.interval?;
    let n = evidence.n;
    let reach = student_reach(CONFIDENCE, f64::from(n) - 1.0)?;
    let deviation = (high - low) / 2.0 / reach * f64::from(n).sqrt();
    let confidence = 1.0 - (1.0 - CONFIDENCE) / together.max(1) as f64;
    let wanted = replicates_for_half_width(deviation, half_width, confidence)?.max(FEWEST_SEEDS);
    let more = wanted.checked_sub(n).filter(|&more| more > 0)?;
    if more > MOST_ADVISED {
        return None;
    }
    let reach = student_reach(CONFIDENCE, f64::from(wanted) - 1.0)?;
    let unit = &evidence.unit;
    let digits = digits(deviation.max(half_width)) + 1;
    Some(MoreSeeds {
        seeds: more,
        half_width: reach * deviation / f64::from(wanted).sqrt(),
        basis: format!(
            "{}: the standard deviation over seeds is {deviation:.digits$} {unit} ({}), and to decide{}, the interval may reach no further than ±{half_width:.digits$}; both are guesses from few seeds, and about half the time more seeds are needed.",
            evidence.what,
            seeds(n),
            if together > 1 {
                format!(" as one of {together} tests")
            } else {
                String::new()
            },
        ),
    })
}
