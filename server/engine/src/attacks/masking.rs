//! Is the number real? Checks for gradient masking.
//!
//! A network may look robust because its gradients lead nowhere, not because there are no adversarial
//! images. Athalye, Carlini & Wagner 2018, "Obfuscated gradients give a false sense of security" (arXiv
//! 1802.00420), section 3.1, list what must hold of a network whose gradients are useful:
//!
//! - one-step attacks do not do better than iterative ones;
//! - black-box attacks do not do better than white-box ones;
//! - unbounded attacks reach 100 % success;
//! - a larger allowed change leads to more success.
//!
//! Added here: more steps do not help the defender, random starts change little, and gradients are there at
//! all (Carlini et al. 2019, "On evaluating adversarial robustness", arXiv 1902.06705, sections 4 and 5).
//!
//! A failed check is a sign, no proof; passing all is no proof either. Each comes with the numbers it rests
//! on.

use super::ball::rows;
use super::{
    AttackError, AttackOutcome, Ball, FgsmSweep, Loss, Norm, Pgd, PgdTrajectory, Progress, Series,
    Square, Start, Target, Work, run, run_series,
};

/// The share of images by which an attack that should be stronger may be weaker: chance, not a sign.
pub const SLACK: f64 = 0.02;

/// The share of images by which random starts may change the accuracy.
pub const START_SLACK: f64 = 0.05;

/// The share of images that may survive an unbounded attack.
pub const SURVIVORS: f64 = 0.01;

/// The share of images whose gradient may be zero.
pub const FLAT: f64 = 0.01;

/// What the checks may spend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// The ball of which robustness is claimed.
    pub ball: Ball,
    /// Steps of PGD, each of 2.5 epsilon / steps (Madry et al. 2018, section 5); 2 or more.
    pub steps: usize,
    /// Queries of the black-box attack, [`Square`]. It is left out in L2, where there is none.
    pub queries: usize,
    /// Random starts that are compared with the clean one.
    pub restarts: usize,
}

/// Whether a check found something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks for masked gradients.
    Sound,
    /// Gradients may be masked: the attack's accuracy is likely too high.
    Suspicious,
}

/// A number that a verdict rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// What it is.
    pub what: String,
    /// A share of all images, 0 to 1.
    pub share: f64,
}

/// One check.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// A short name, for files.
    pub name: &'static str,
    /// What should hold.
    pub claim: &'static str,
    /// Whether it does.
    pub verdict: Verdict,
    /// The numbers.
    pub evidence: Vec<Evidence>,
}

/// All checks.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskingReport {
    /// One by one.
    pub checks: Vec<Check>,
}

impl MaskingReport {
    /// Suspicious when any check is.
    pub fn verdict(&self) -> Verdict {
        if self.suspicious().next().is_some() {
            Verdict::Suspicious
        } else {
            Verdict::Sound
        }
    }

    /// The checks that found something.
    pub fn suspicious(&self) -> impl Iterator<Item = &Check> {
        self.checks
            .iter()
            .filter(|check| check.verdict == Verdict::Suspicious)
    }

    /// The verdict in words.
    pub fn summary(&self) -> String {
        let signs: Vec<_> = self.suspicious().map(|check| check.name).collect();
        if signs.is_empty() {
            "no sign of masking".to_owned()
        } else {
            format!("signs of masking: {}", signs.join(", "))
        }
    }
}

fn evidence(what: impl Into<String>, share: f64) -> Evidence {
    Evidence {
        what: what.into(),
        share,
    }
}

fn check(name: &'static str, claim: &'static str, holds: bool, evidence: Vec<Evidence>) -> Check {
    Check {
        name,
        claim,
        verdict: if holds {
            Verdict::Sound
        } else {
            Verdict::Suspicious
        },
        evidence,
    }
}

/// Whether accuracies never rise by more than the slack above the lowest before them.
fn never_rises(accuracies: &[f64]) -> bool {
    let mut lowest = f64::INFINITY;
    accuracies.iter().all(|&accuracy| {
        let holds = accuracy <= lowest + SLACK;
        lowest = lowest.min(accuracy);
        holds
    })
}

/// PGD with the plan's number of steps in a ball of another radius.
fn pgd(plan: &Plan, epsilon: f64, start: Start) -> Result<Pgd, AttackError> {
    let ball = Ball::new(plan.ball.norm(), epsilon)?;
    // A radius of zero has no step; any will do.
    let step = (2.5 * epsilon / plan.steps as f64).max(f64::MIN_POSITIVE);
    Pgd::new(ball, step, plan.steps, start)
}

/// A radius that holds every image: all of [0, 1].
fn everything(work: &Work, norm: Norm) -> f64 {
    match norm {
        Norm::Linf => 1.0,
        Norm::L2 => (work.set.image_len() as f64).sqrt(),
    }
}

/// A size of step that crosses images in about 30 steps.
fn stride(norm: Norm) -> f64 {
    match norm {
        Norm::Linf => 8.0 / 255.0,
        Norm::L2 => 1.0,
    }
}

/// Makes all checks on the images of `work`; 100 or more make them meaningful.
///
/// `progress` is called after every batch of every attack; `false` ends it.
///
/// # Errors
/// When the plan has fewer than 2 steps, no restarts or no queries, or as [`run`].
pub fn check_masking(
    target: &Target,
    work: &Work,
    plan: &Plan,
    progress: &mut dyn FnMut(&Progress) -> bool,
) -> Result<MaskingReport, AttackError> {
    if plan.steps < 2 {
        return Err(AttackError::Parameter {
            attack: "masking",
            what: "the number of steps",
            value: plan.steps as f64,
            expected: "at least 2",
        });
    }
    let measured = Measured::new(target, work, plan, progress)?;
    let mut checks = measured.checks(plan);
    if plan.ball.norm() == Norm::Linf {
        let square = Square::new(plan.ball, plan.queries)?;
        let black_box = run(&square, target, work, progress)?.accuracy();
        checks.push(check(
            "black-box",
            "white-box attacks are at least as strong as black-box ones",
            measured.white_box() <= black_box + SLACK,
            vec![
                evidence(
                    format!("accuracy under Square, {} queries", plan.queries),
                    black_box,
                ),
                measured.under_pgd(plan),
            ],
        ));
    }
    Ok(MaskingReport { checks })
}

/// Radii that are tried, as multiples of the plan's.
const SCALES: [f64; 4] = [0.5, 1.0, 2.0, 4.0];

/// Accuracies, 0 to 1, that the checks compare.
struct Measured {
    /// Share of images with a gradient of zero.
    flat: f64,
    clean: f64,
    fgsm: f64,
    /// Numbers of steps of PGD, ascending, and what is left after each.
    stops: Vec<usize>,
    over_steps: Vec<f64>,
    /// Under PGD, at each of [`SCALES`].
    over_radii: Vec<f64>,
    /// Under PGD without a bound.
    unbounded: f64,
    /// Under PGD from one random start, and from the plan's number of them.
    random_starts: [f64; 2],
}

impl Measured {
    fn new(
        target: &Target,
        work: &Work,
        plan: &Plan,
        progress: &mut dyn FnMut(&Progress) -> bool,
    ) -> Result<Measured, AttackError> {
        let (norm, epsilon) = (plan.ball.norm(), plan.ball.epsilon());
        let flat = flat(target, work)?;
        let mut series = |series: &dyn Series| -> Result<Vec<AttackOutcome>, AttackError> {
            run_series(series, target, work, &mut |_, now| progress(now))
        };
        let fgsm = &series(&FgsmSweep::new(norm, &[epsilon])?)?[0];
        let (clean, fgsm) = (fgsm.clean_accuracy(), fgsm.accuracy());

        let from_clean = pgd(plan, epsilon, Start::Clean)?;
        let mut stops = [plan.steps.div_ceil(4), plan.steps.div_ceil(2), plan.steps].to_vec();
        stops.dedup();
        let over_steps = series(&PgdTrajectory::new(from_clean, &stops)?)?;
        let over_steps: Vec<f64> = over_steps.iter().map(AttackOutcome::accuracy).collect();
        let white_box = over_steps[over_steps.len() - 1];
        let mut over_radii = Vec::new();
        for scale in SCALES {
            over_radii.push(if scale == 1.0 {
                white_box
            } else {
                let pgd = pgd(plan, scale * epsilon, Start::Clean)?;
                series(&PgdTrajectory::new(pgd, &[plan.steps])?)?[0].accuracy()
            });
        }

        let mut accuracy = |pgd: Pgd| -> Result<f64, AttackError> {
            Ok(run(&pgd, target, work, progress)?.accuracy())
        };
        let whole = Ball::new(norm, everything(work, norm))?;
        let unbounded = Pgd::new(whole, stride(norm), plan.steps.max(30), Start::Clean)?;
        let unbounded = accuracy(unbounded)?;
        let mut from_random = |restarts| accuracy(pgd(plan, epsilon, Start::Random { restarts })?);
        let random_starts = [from_random(1)?, from_random(plan.restarts)?];
        Ok(Measured {
            flat,
            clean,
            fgsm,
            stops,
            over_steps,
            over_radii,
            unbounded,
            random_starts,
        })
    }

    /// Accuracy under PGD from the clean image.
    fn white_box(&self) -> f64 {
        self.over_steps[self.over_steps.len() - 1]
    }

    fn under_pgd(&self, plan: &Plan) -> Evidence {
        evidence(
            format!("accuracy under PGD, {} steps", plan.steps),
            self.white_box(),
        )
    }

    /// The checks that need nothing but gradients.
    fn checks(&self, plan: &Plan) -> Vec<Check> {
        let white_box = self.white_box();
        let [one, several] = self.random_starts;
        let each = |parts: Vec<String>, shares: &[f64]| -> Vec<Evidence> {
            let both = parts.into_iter().zip(shares);
            both.map(|(what, &share)| evidence(what, share)).collect()
        };
        let radii = SCALES.map(|scale| format!("accuracy at {scale} epsilon"));
        let stops = self.stops.iter();
        let steps = stops.map(|steps| format!("accuracy after {steps} steps"));
        vec![
            check(
                "gradients",
                "gradients are there: hardly any image has one of zero",
                self.flat <= FLAT,
                vec![evidence("images whose gradient is zero", self.flat)],
            ),
            check(
                "iterative",
                "iterative attacks are at least as strong as single-step ones",
                white_box <= self.fgsm + SLACK,
                vec![
                    evidence("clean accuracy", self.clean),
                    evidence("accuracy under FGSM", self.fgsm),
                    self.under_pgd(plan),
                ],
            ),
            check(
                "unbounded",
                "a large enough budget leaves nothing",
                self.unbounded <= SURVIVORS,
                vec![evidence(
                    "accuracy under PGD without a bound",
                    self.unbounded,
                )],
            ),
            check(
                "radius",
                "a larger radius never helps the defender",
                never_rises(&self.over_radii),
                each(radii.to_vec(), &self.over_radii),
            ),
            check(
                "steps",
                "more steps never help the defender",
                never_rises(&self.over_steps),
                each(steps.collect(), &self.over_steps),
            ),
            check(
                "starts",
                "random starts change little",
                (white_box - one).abs() <= START_SLACK
                    && (white_box - several).abs() <= START_SLACK,
                vec![
                    evidence("accuracy from the clean image", white_box),
                    evidence("accuracy from a random start", one),
                    evidence(
                        format!("accuracy from {} random starts", plan.restarts),
                        several,
                    ),
                ],
            ),
        ]
    }
}

/// The share of images where the gradient of the cross-entropy is zero.
fn flat(target: &Target, work: &Work) -> Result<f64, AttackError> {
    work.check(target)?;
    let mut flat = 0;
    for indices in work.indices.chunks(work.batch_size) {
        let samples = work.samples(indices, target.device())?;
        let slope = target.loss_and_gradient(
            samples.images().clone(),
            samples.labels(),
            Loss::CrossEntropy,
        )?;
        flat += rows(slope.gradient)
            .iter()
            .filter(|row| row.iter().all(|&value| value == 0.0))
            .count();
    }
    Ok(flat as f64 / work.indices.len().max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a rise hides behind an earlier, larger accuracy, or chance counts as a rise.
    #[test]
    fn rises_are_seen() {
        assert!(never_rises(&[0.6, 0.5, 0.51, 0.4, 0.0]));
        assert!(!never_rises(&[0.6, 0.3, 0.4]));
        assert!(never_rises(&[]));
    }
}
