//! Worst-case perturbations: which attacks a trained network is tested with, each with its budget.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use crate::attack_method::Method;
use crate::attack_method::Shared;
use crate::field_error::{Checks, FieldError};
pub use crate::norm::Norm;
use crate::numeral::MAXIMUM_SEED;

/// One attack at one budget: a point on a curve. Radii and steps are on the [0, 1] scale of images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Attack {
    /// How it searches.
    pub method: Method,
    /// What bounds the perturbation.
    pub norm: Norm,
    /// By how much, over 0: L-infinity at most 1.
    pub epsilon: f64,
    /// Step size, over 0; of PGD alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_size: Option<f64>,
    /// Steps (of Square: queries), 1 or more; 1 for FGSM, the method's own number where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
    /// Starts from random places in the ball, the strongest counts; 0 starts once, from the clean image. Of PGD alone.
    #[serde(default)]
    pub random_starts: u32,
}

impl Attack {
    /// FGSM at `epsilon` 255ths.
    pub fn fgsm(epsilon: f64) -> Attack {
        Attack {
            method: Method::Fgsm,
            norm: Norm::Linf,
            epsilon: epsilon / 255.0,
            step_size: None,
            steps: None,
            random_starts: 0,
        }
    }

    /// L-infinity PGD from the clean image; `epsilon` and `step_size` in 255ths.
    pub fn pgd(epsilon: f64, step_size: f64, steps: u32) -> Attack {
        Attack {
            method: Method::Pgd,
            step_size: Some(step_size / 255.0),
            steps: Some(steps),
            ..Attack::fgsm(epsilon)
        }
    }

    /// AutoAttack's standard version at `epsilon` 255ths.
    pub fn auto_attack(epsilon: f64) -> Attack {
        Attack {
            method: Method::AutoAttack,
            ..Attack::fgsm(epsilon)
        }
    }

    /// What a person calls it, with its budget.
    pub fn label(self) -> String {
        self.details().join(", ")
    }

    /// The parts of its label: method and radius, step size, steps, random starts, as far as it has them.
    pub fn details(self) -> Vec<String> {
        let radius = self.norm.radius(self.epsilon);
        let mut details = vec![format!(
            "{} {} ε {radius}",
            self.method.label(),
            self.norm.label()
        )];
        if let Some(step_size) = self.step_size {
            details.push(format!("step {}", self.norm.radius(step_size)));
        }
        if let Some(steps) = self.steps {
            details.push(self.method.steps_in_words(steps));
        }
        match self.random_starts {
            0 => {}
            1 => details.push("random start".to_owned()),
            more => details.push(format!("{more} random starts")),
        }
        details
    }

    /// Everything wrong with it by itself.
    pub(crate) fn problems(self) -> Vec<String> {
        let mut problems = Vec::new();
        let largest = if self.norm == Norm::Linf { 1.0 } else { 1e6 };
        if !(self.epsilon > 0.0 && self.epsilon <= largest) {
            problems.push(format!(
                "epsilon {} is not above 0 and at most {largest}",
                self.epsilon
            ));
        }
        let Attack {
            method,
            norm,
            step_size,
            steps,
            random_starts,
            ..
        } = self;
        problems.extend(method.problems(norm, step_size, steps, random_starts));
        problems
    }

    /// The steps (of Square: queries) that it makes: those asked for, or the method's own number.
    pub fn steps_made(self) -> u32 {
        self.method.steps(self.steps)
    }

    /// Whether it goes one way from the clean image, without chance: FGSM, and PGD without random starts.
    pub fn is_single_path(self) -> bool {
        self.method.shared() != Shared::Nothing && self.random_starts == 0
    }

    /// Whether one computation gives both: FGSM at any radius, PGD from the clean image after any number of steps.
    pub fn shares_path_with(self, other: Attack) -> bool {
        let path = |attack: Attack| match attack.method.shared() {
            Shared::Radii => Attack {
                epsilon: 1.0,
                ..attack
            },
            Shared::Steps | Shared::Nothing => Attack {
                steps: None,
                ..attack
            },
        };
        self.is_single_path() && path(self) == path(other)
    }

    /// Forward passes it costs an image, a backward pass counted as two, for time estimates: an upper bound,
    /// since images that are broken early are left alone.
    pub fn forward_passes(self) -> u64 {
        self.method.forward_passes(self.steps, self.random_starts)
    }
}

/// Written `method.norm.epsilon`, then the step size, the steps and the random starts that it has, radii as
/// [`Norm::radius`] says them, for example `pgd:linf:8/255:step=0.5/255:steps=40`.
impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let norm = self.norm;
        write!(
            f,
            "{}:{}:{}",
            self.method.id(),
            norm.id(),
            norm.radius(self.epsilon)
        )?;
        if let Some(step_size) = self.step_size {
            write!(f, ":step={}", norm.radius(step_size))?;
        }
        if let Some(steps) = self.steps {
            write!(f, ":steps={steps}")?;
        }
        if self.random_starts > 0 {
            write!(f, ":random_starts={}", self.random_starts)?;
        }
        Ok(())
    }
}

/// A text names no attack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an attack; write method:norm:epsilon and any other settings, for example pgd:linf:8/255:step=0.5/255:steps=40"
)]
pub struct UnknownAttack(pub String);

impl FromStr for Attack {
    type Err = UnknownAttack;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let radius = |norm: Norm, text: &str| -> Option<f64> {
            match (norm, text.split_once('/')) {
                (Norm::Linf, Some((number, "255"))) => Some(number.parse::<f64>().ok()? / 255.0),
                (Norm::L2, None) => text.parse().ok(),
                _ => None,
            }
        };
        let parse = || {
            let mut parts = text.split(':');
            let method = Method::from_id(parts.next()?)?;
            let norm = Norm::from_id(parts.next()?)?;
            let mut attack = Attack {
                method,
                norm,
                epsilon: radius(norm, parts.next()?)?,
                step_size: None,
                steps: None,
                random_starts: 0,
            };
            for part in parts {
                match part.split_once('=')? {
                    ("step", value) => attack.step_size = Some(radius(norm, value)?),
                    ("steps", value) => attack.steps = Some(value.parse().ok()?),
                    ("random_starts", value) => attack.random_starts = value.parse().ok()?,
                    _ => return None,
                }
            }
            attack.problems().is_empty().then_some(attack)
        };
        parse().ok_or_else(|| UnknownAttack(text.to_owned()))
    }
}

/// A test with attacks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AttackSpec {
    /// The attacks; one or more, no repeats.
    pub attacks: Vec<Attack>,
    /// Test images that are attacked, of every class its share; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<u32>,
    /// Seed of random starts and random search.
    #[serde(default)]
    pub attack_seed: u64,
    /// Whether to look for gradient masking (Athalye et al. 2018).
    #[serde(default)]
    pub check_masking: bool,
}

/// Forward passes of the checks for gradient masking, in images: 100 images, 20 steps several times over and 500
/// queries.
const MASKING_PASSES: u64 = 100 * 1200;

/// The source's L-infinity budgets of FGSM (method: choice), in 255ths.
pub const SOURCE_FGSM: [f64; 6] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0];

/// The source's steps of PGD at epsilon 8/255, step 0.5/255 (method: choice).
pub const SOURCE_PGD_STEPS: [u32; 6] = [1, 2, 5, 10, 20, 40];

impl AttackSpec {
    /// The source's attacks: FGSM over epsilon, PGD over steps.
    pub fn source(images: Option<u32>) -> AttackSpec {
        let fgsm = SOURCE_FGSM.into_iter().map(Attack::fgsm);
        let pgd = SOURCE_PGD_STEPS
            .into_iter()
            .map(|steps| Attack::pgd(8.0, 0.5, steps));
        AttackSpec {
            attacks: fgsm.chain(pgd).collect(),
            images,
            attack_seed: 0,
            check_masking: true,
        }
    }

    /// The conditions it is made under on a test set of `test_images`.
    pub fn conditions(&self, test_images: u32) -> AttackConditions {
        AttackConditions {
            attack_seed: self.attack_seed,
            images: self.images.unwrap_or(test_images).min(test_images),
        }
    }

    /// Forward passes through the network, in images, for time estimates.
    pub fn forward_images(&self, test_images: u32) -> u64 {
        let images = u64::from(self.conditions(test_images).images);
        // Of attacks that share their way, only the longest costs anything.
        let mut paths: Vec<Attack> = Vec::new();
        for &attack in &self.attacks {
            let known = paths
                .iter_mut()
                .find(|known| known.shares_path_with(attack));
            match known {
                Some(known) if known.forward_passes() < attack.forward_passes() => *known = attack,
                Some(_) => {}
                None => paths.push(attack),
            }
        }
        let passes: u64 = paths.into_iter().map(Attack::forward_passes).sum();
        let masking = if self.check_masking {
            MASKING_PASSES
        } else {
            0
        };
        images * (1 + passes) + masking
    }

    /// Everything wrong with it by itself, with fields named `evaluation.attacks.…`.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut checks = Checks::new("evaluation.attacks.");
        checks.require(
            !self.attacks.is_empty(),
            "attacks",
            "choose at least one attack",
        );
        checks.require(
            self.attacks.len() <= 200,
            "attacks",
            format!("{} attacks; at most 200 are allowed", self.attacks.len()),
        );
        for (index, attack) in self.attacks.iter().enumerate().take(200) {
            for problem in attack.problems() {
                checks.refuse("attacks", problem);
            }
            checks.require(
                !self.attacks[..index].contains(attack),
                "attacks",
                format!("{} is given twice", attack.label()),
            );
        }
        checks.require(
            self.images != Some(0),
            "images",
            "give at least 1, or leave it empty for the whole test set",
        );
        checks.require(
            self.attack_seed <= MAXIMUM_SEED,
            "attack_seed",
            format!("{} is above {MAXIMUM_SEED}", self.attack_seed),
        );
        checks.errors()
    }
}

/// Under which conditions a network was attacked. Only numbers under the same conditions compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttackConditions {
    /// Seed of random starts and random search.
    pub attack_seed: u64,
    /// Test images that were attacked.
    pub images: u32,
}

impl AttackConditions {
    /// What a person calls them.
    pub fn label(&self) -> String {
        format!("{} images, attack seed {}", self.images, self.attack_seed)
    }
}

/// Written `seed.images`.
impl fmt::Display for AttackConditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.attack_seed, self.images)
    }
}

impl FromStr for AttackConditions {
    type Err = crate::corruption_evaluation::UnknownConditions;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (seed, images) = text.split_once('.')?;
            Some(AttackConditions {
                attack_seed: seed.parse().ok()?,
                images: images.parse().ok()?,
            })
        };
        parse().ok_or_else(|| crate::corruption_evaluation::UnknownConditions(text.to_owned()))
    }
}

/// What is left of a network's accuracy under one attack at one budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttackMeasurement {
    /// Under which conditions.
    pub conditions: AttackConditions,
    /// The attack and its budget.
    pub attack: Attack,
    /// Share of the images that are classified correctly after it.
    pub accuracy: f64,
    /// Share of the same images, clean, classified correctly.
    pub clean_accuracy: f64,
    /// Images classified correctly after each member of an ensemble, by the member's name; empty otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<(Method, f64)>,
}

impl AttackMeasurement {
    /// Accuracy as a share of the accuracy on the same images, clean; absent where that is 0.
    pub fn share_of_clean(&self) -> Option<f64> {
        (self.clean_accuracy > 0.0).then(|| self.accuracy / self.clean_accuracy)
    }
}

/// One check for gradient masking (Athalye et al. 2018, section 3.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MaskingCheck {
    /// What should hold where gradients are not masked.
    pub expectation: String,
    /// The numbers it rests on.
    pub evidence: String,
    /// Whether it holds.
    pub holds: bool,
}

/// Whether a network's adversarial accuracy is real, or its gradients hide the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MaskingReport {
    /// Under which conditions.
    pub conditions: AttackConditions,
    /// The checks.
    pub checks: Vec<MaskingCheck>,
}

impl MaskingReport {
    /// Whether every check holds.
    pub fn passes(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when two budgets get one name, so that one number would hide the other.
    #[test]
    fn every_budget_has_its_name() {
        let spec = AttackSpec::source(None);
        let names: std::collections::BTreeSet<_> =
            spec.attacks.iter().map(Attack::to_string).collect();
        assert_eq!(names.len(), 12);
        assert!(names.contains("fgsm:linf:0.25/255"), "{names:?}");
        assert!(
            names.contains("pgd:linf:8/255:step=0.5/255:steps=40"),
            "{names:?}"
        );
        for attack in &spec.attacks {
            assert_eq!(attack.to_string().parse(), Ok(*attack));
        }
        for wrong in [
            "",
            "pgd",
            "pgd:linf:8",
            "fgsm:l2:1",
            "pgd:linf:8/255:steps=0",
            "fgsm:linf:8/255:eps=1",
        ] {
            assert!(wrong.parse::<Attack>().is_err(), "{wrong}");
        }
        assert_eq!(spec.validate(), []);
    }

    /// Breaks when attacks that share their work are counted one by one, or others only once.
    #[test]
    fn shared_work_is_counted_once() {
        let count = |attacks: Vec<Attack>| {
            let spec = AttackSpec {
                attacks,
                images: Some(10),
                attack_seed: 0,
                check_masking: false,
            };
            spec.forward_images(100)
        };
        let forty = count(vec![Attack::pgd(8.0, 0.5, 40)]);
        let sweep = vec![Attack::pgd(8.0, 0.5, 40), Attack::pgd(8.0, 0.5, 10)];
        assert_eq!(count(sweep), forty);
        let balls = vec![Attack::pgd(8.0, 0.5, 40), Attack::pgd(4.0, 0.5, 40)];
        assert!(count(balls) > forty);
        let one = count(vec![Attack::auto_attack(8.0)]);
        let two = count(vec![Attack::auto_attack(8.0), Attack::auto_attack(1.0)]);
        assert_eq!(two, 2 * one - 10);
    }

    /// Breaks when a budget that means nothing reaches the engine.
    #[test]
    fn budgets_that_mean_nothing_are_refused() {
        let refused = |spoil: fn(&mut Attack)| {
            let mut spec = AttackSpec::source(None);
            spoil(&mut spec.attacks[11]);
            let fields: Vec<_> = spec
                .validate()
                .into_iter()
                .map(|error| error.field)
                .collect();
            assert_eq!(fields, ["evaluation.attacks.attacks"]);
        };
        refused(|attack| attack.epsilon = 0.0);
        refused(|attack| attack.epsilon = f64::NAN);
        refused(|attack| attack.epsilon = 8.0);
        refused(|attack| attack.step_size = None);
        refused(|attack| attack.steps = Some(0));
        refused(|attack| attack.random_starts = 101);
        refused(|attack| *attack = Attack::fgsm(1.0));
    }
}
