//! Attacks on a set of images: batch by batch, and what must hold of every attack asserted (`invariants.rs`).

use burn::tensor::{Device, Tensor};

use super::ball::rows;
use super::invariants::{self, Answer};
use super::{
    Attack, AttackError, Ball, Logits, Norm, Passes, Samples, Target, at_least_one, distance,
};
use crate::data::ImageSet;
use crate::inference::batch::clean_images;

/// The images to attack, and how they are divided into batches.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// The images.
    pub set: &'a ImageSet,
    /// Which of them.
    pub indices: &'a [usize],
    /// Images at once, 1 or more. Results do not depend on it.
    pub batch_size: usize,
    /// The seed of everything random.
    pub seed: u64,
}

impl Work<'_> {
    pub(super) fn check(&self, target: &Target) -> Result<(), AttackError> {
        at_least_one("run", "the batch size", self.batch_size)?;
        let images = self.set.len();
        if let Some(&index) = self.indices.iter().find(|&&index| index >= images) {
            return Err(AttackError::Index { index, images });
        }
        let labels = self.labels();
        super::loss::check_labels("labels", &labels, labels.len(), target.classes())
    }

    /// The labels of the images to attack.
    pub(crate) fn labels(&self) -> Vec<u32> {
        self.set.labels_at(self.indices)
    }

    /// Where the images at `places` among those to attack are in the set.
    pub(crate) fn indices_at(&self, places: &[usize]) -> Vec<usize> {
        places.iter().map(|&place| self.indices[place]).collect()
    }

    pub(super) fn samples(
        &self,
        indices: &[usize],
        device: &Device,
    ) -> Result<Samples, AttackError> {
        let images = clean_images(self.set, indices, device);
        let labels = self.set.labels_at(indices);
        Samples::new(images, labels, indices.to_vec(), self.seed)
    }
}

/// An attack's progress, reported after every batch.
pub struct Progress<'a> {
    /// The attack.
    pub attack: &'static str,
    /// Images that are done, including those that were wrong from the start.
    pub done: usize,
    /// All images.
    pub total: usize,
    /// Images that are done and still right.
    pub robust: usize,
    /// The last batch's places in [`Work::indices`].
    pub places: &'a [usize],
    /// Its adversarial images, `[places, 3, height, width]`.
    pub adversarial: &'a Tensor<4>,
}

/// What an attack did to a set of images. Vectors have one entry an image, in the order of
/// [`Work::indices`].
#[derive(Debug, Clone, PartialEq)]
pub struct AttackOutcome {
    /// The attack's name.
    pub attack: &'static str,
    /// Its budget and choices in words.
    pub description: String,
    /// The ball that it had to stay in.
    pub ball: Ball,
    /// The images in their set.
    pub indices: Vec<usize>,
    /// Their labels.
    pub labels: Vec<u32>,
    /// The classes of the clean images; none where a logit was not a number.
    pub clean_predictions: Vec<Option<u32>>,
    /// The classes of the adversarial images; none where a logit was not a number.
    pub predictions: Vec<Option<u32>>,
    /// Whether the network is right about the adversarial image. An image that was wrong from the start
    /// is not robust where it was not attacked.
    pub robust: Vec<bool>,
    /// The largest change of a value, on the [0, 1] scale; 0 where an image was not attacked.
    pub linf: Vec<f64>,
    /// The Euclidean length of the change, on the [0, 1] scale; 0 where an image was not attacked.
    pub l2: Vec<f64>,
    /// The passes that it used. Points of a series share their passes and all have the same number.
    pub passes: Passes,
}

impl AttackOutcome {
    fn new(point: Point, work: &Work, clean_predictions: &[Option<u32>]) -> Self {
        let labels = work.labels();
        AttackOutcome {
            attack: point.attack,
            description: point.description,
            ball: point.ball,
            indices: work.indices.to_vec(),
            clean_predictions: clean_predictions.to_vec(),
            predictions: clean_predictions.to_vec(),
            robust: right(clean_predictions, &labels),
            linf: vec![0.0; labels.len()],
            l2: vec![0.0; labels.len()],
            labels,
            passes: Passes::default(),
        }
    }

    /// The share of images that the network is still right about; 0 of no images.
    pub fn accuracy(&self) -> f64 {
        share(&self.robust)
    }

    /// The share of clean images that the network is right about; 0 of no images.
    pub fn clean_accuracy(&self) -> f64 {
        share(&right(&self.clean_predictions, &self.labels))
    }

    /// Checks a batch's adversarial images and takes them in. Gives how many are still right, and their logits.
    fn add(
        &mut self,
        target: &Target,
        samples: &Samples,
        places: &[usize],
        adversarial: &Tensor<4>,
    ) -> Result<(usize, Logits), AttackError> {
        let expected = samples.images().dims();
        if adversarial.dims() != expected {
            return Err(AttackError::Count {
                what: "adversarial images, or values of them,",
                found: adversarial.dims()[0],
                expected: expected[0],
            });
        }
        let (clean, images) = (rows(samples.images().clone()), rows(adversarial.clone()));
        check_ball(self.attack, self.ball, samples, &clean, &images)?;
        let logits = target.logits(adversarial.clone())?;
        invariants::are_numbers(self.attack, &logits, samples.indices())?;
        let mut robust = 0;
        for (row, &place) in places.iter().enumerate() {
            let (clean, image) = (&clean[row], &images[row]);
            self.linf[place] = distance(Norm::Linf, clean, image);
            self.l2[place] = distance(Norm::L2, clean, image);
            self.predictions[place] = logits.prediction(row);
            self.robust[place] = logits.prediction(row) == Some(samples.labels()[row]);
            robust += usize::from(self.robust[place]);
        }
        Ok((robust, logits))
    }
}

pub(super) fn right(predictions: &[Option<u32>], labels: &[u32]) -> Vec<bool> {
    predictions
        .iter()
        .zip(labels)
        .map(|(prediction, label)| *prediction == Some(*label))
        .collect()
}

fn share(flags: &[bool]) -> f64 {
    let count = flags.iter().filter(|&&flag| flag).count();
    count as f64 / flags.len().max(1) as f64
}

/// The classes of the clean images, which the network must have.
pub(super) fn clean_predictions(
    target: &Target,
    work: &Work,
) -> Result<Vec<Option<u32>>, AttackError> {
    work.check(target)?;
    let mut predictions = Vec::new();
    for indices in work.indices.chunks(work.batch_size) {
        let images = clean_images(work.set, indices, target.device());
        let logits = target.logits(images)?;
        invariants::are_numbers("clean", &logits, indices)?;
        predictions.extend(logits.predictions());
    }
    Ok(predictions)
}

pub(super) fn since(before: Passes, target: &Target) -> Passes {
    let now = target.passes();
    Passes {
        forward: now.forward - before.forward,
        backward: now.backward - before.backward,
    }
}

/// Attacks the images that the network is right about; the others count as broken already.
///
/// `progress` is called after every batch; `false` ends it. (To be called more often, watch the target.)
///
/// # Errors
/// When an index or label does not fit, the attack cannot be made, something does not hold that must hold of every
/// attack (`invariants.rs`), or `progress` or whoever watches the target ends it.
pub fn run(
    attack: &dyn Attack,
    target: &Target,
    work: &Work,
    progress: &mut dyn FnMut(&Progress) -> bool,
) -> Result<AttackOutcome, AttackError> {
    let before = target.passes();
    let predictions = clean_predictions(target, work)?;
    let still_right = right(&predictions, &work.labels());
    let mut outcome = run_on(attack, target, work, &predictions, &still_right, progress)?;
    outcome.passes = since(before, target);
    Ok(outcome)
}

/// Attacks the images that are marked; the others stay as the clean ones and count as broken.
pub(super) fn run_on(
    attack: &dyn Attack,
    target: &Target,
    work: &Work,
    clean_predictions: &[Option<u32>],
    marked: &[bool],
    progress: &mut dyn FnMut(&Progress) -> bool,
) -> Result<AttackOutcome, AttackError> {
    let before = target.passes();
    let mut outcome = AttackOutcome::new(Point::of(attack), work, clean_predictions);
    outcome.robust = marked.to_vec();
    let total = work.indices.len();
    let marked: Vec<usize> = (0..total).filter(|&place| marked[place]).collect();
    let (mut done, mut robust, mut first) = (total - marked.len(), 0, true);
    for places in marked.chunks(work.batch_size) {
        let samples = work.samples(&work.indices_at(places), target.device())?;
        let adversarial = attack.perturb(target, &samples)?;
        let (right, logits) = outcome.add(target, &samples, places, &adversarial)?;
        if first {
            first = false;
            let answer = Answer {
                attack: attack.name(),
                images: adversarial.clone(),
                logits,
            };
            let clean: Vec<_> = places
                .iter()
                .map(|&place| clean_predictions[place])
                .collect();
            check_attack(attack, target, &samples, &clean, &answer)?;
        }
        robust += right;
        done += places.len();
        let goes_on = progress(&Progress {
            attack: attack.name(),
            done,
            total,
            robust,
            places,
            adversarial: &adversarial,
        });
        if !goes_on {
            return Err(AttackError::Cancelled);
        }
    }
    outcome.passes = since(before, target);
    Ok(outcome)
}

/// One point of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The attack's name.
    pub attack: &'static str,
    /// Its budget and choices in words.
    pub description: String,
    /// What it may change.
    pub ball: Ball,
}

impl Point {
    /// An attack by itself.
    pub(super) fn of(attack: &dyn Attack) -> Self {
        Point {
            attack: attack.name(),
            description: attack.description(),
            ball: attack.ball(),
        }
    }
}

/// An attack at several radii or budgets that share their work.
pub trait Series {
    /// What is measured, in order.
    fn points(&self) -> Vec<Point>;

    /// Calls `visit(which point, adversarial images)` once for each point.
    ///
    /// # Errors
    /// As [`Attack::perturb`], or the error of `visit`.
    fn perturb(
        &self,
        target: &Target,
        samples: &Samples,
        visit: &mut dyn FnMut(usize, Tensor<4>) -> Result<(), AttackError>,
    ) -> Result<(), AttackError>;

    /// A series of the same kind with radius 0 and no more than a few steps, which may change no image's class.
    fn with_epsilon_zero(&self) -> Box<dyn Series>;
}

/// Attacks *all* images, those that the network is wrong about too, and measures every point of the series:
/// accuracies are those of the iterates themselves, not of the worst so far. `progress` is called for every
/// point of every batch; `done` and `robust` are that point's.
///
/// # Errors
/// As [`run`].
pub fn run_series(
    series: &dyn Series,
    target: &Target,
    work: &Work,
    progress: &mut dyn FnMut(usize, &Progress) -> bool,
) -> Result<Vec<AttackOutcome>, AttackError> {
    let before = target.passes();
    let predictions = clean_predictions(target, work)?;
    let mut outcomes: Vec<AttackOutcome> = series
        .points()
        .into_iter()
        .map(|point| AttackOutcome::new(point, work, &predictions))
        .collect();
    let mut robust = vec![0; outcomes.len()];
    let places: Vec<usize> = (0..work.indices.len()).collect();
    let mut done = 0;
    for places in places.chunks(work.batch_size) {
        let first = done == 0;
        let mut answers = Vec::new();
        let samples = work.samples(&work.indices_at(places), target.device())?;
        done += places.len();
        series.perturb(target, &samples, &mut |point, adversarial| {
            let outcome = &mut outcomes[point];
            let (right, logits) = outcome.add(target, &samples, places, &adversarial)?;
            robust[point] += right;
            if first {
                let answer = Answer {
                    attack: outcome.attack,
                    images: adversarial.clone(),
                    logits,
                };
                answers.push((point, answer));
            }
            let now = Progress {
                attack: outcome.attack,
                done,
                total: work.indices.len(),
                robust: robust[point],
                places,
                adversarial: &adversarial,
            };
            if progress(point, &now) {
                Ok(())
            } else {
                Err(AttackError::Cancelled)
            }
        })?;
        if first {
            check_series(series, target, &samples, &predictions, &answers)?;
        }
    }
    let passes = since(before, target);
    for outcome in &mut outcomes {
        outcome.passes = passes;
    }
    Ok(outcomes)
}

fn check_ball(
    attack: &str,
    ball: Ball,
    samples: &Samples,
    clean: &[Vec<f32>],
    images: &[Vec<f32>],
) -> Result<(), AttackError> {
    for ((clean, image), &index) in clean.iter().zip(images).zip(samples.indices()) {
        ball.check(attack, index, clean, image)?;
    }
    Ok(())
}

/// The adversarial images of one batch, `[batch, 3, height, width]`, for callers that need no accuracy. Asserts that
/// every image is in its ball, and for a `first` batch all else that must hold of an attack.
///
/// # Errors
/// When the attack cannot be made, something does not hold, or whoever watches the target ends it.
pub fn perturb(
    attack: &dyn Attack,
    target: &Target,
    samples: &Samples,
    first: bool,
) -> Result<Tensor<4>, AttackError> {
    let adversarial = attack.perturb(target, samples)?;
    let (clean, images) = (rows(samples.images().clone()), rows(adversarial.clone()));
    check_ball(attack.name(), attack.ball(), samples, &clean, &images)?;
    if first {
        let clean = target.logits(samples.images().clone())?;
        invariants::are_numbers("clean", &clean, samples.indices())?;
        let logits = target.logits(adversarial.clone())?;
        invariants::are_numbers(attack.name(), &logits, samples.indices())?;
        let answer = Answer {
            attack: attack.name(),
            images: adversarial.clone(),
            logits,
        };
        check_attack(attack, target, samples, &clean.predictions(), &answer)?;
    }
    Ok(adversarial)
}

/// Asserts on a first batch, whose clean images are of the classes `clean`, what must hold of an attack.
fn check_attack(
    attack: &dyn Attack,
    target: &Target,
    samples: &Samples,
    clean: &[Option<u32>],
    answer: &Answer,
) -> Result<(), AttackError> {
    let checked = invariants::checked_rows(samples.len());
    let few = samples.select(&checked);
    let clean: Vec<_> = checked.iter().map(|&row| clean[row]).collect();
    let still = attack.with_epsilon_zero().perturb(target, &few)?;
    invariants::radius_zero(attack.name(), attack.ball(), target, &few, &clean, &still)?;
    let again = attack.perturb(target, &few)?;
    invariants::other_batch(answer, target, samples, &checked, &again)
}

/// Asserts on a first batch, whose clean images are of the classes `clean`, what must hold of a series.
fn check_series(
    series: &dyn Series,
    target: &Target,
    samples: &Samples,
    clean: &[Option<u32>],
    answers: &[(usize, Answer)],
) -> Result<(), AttackError> {
    let checked = invariants::checked_rows(samples.len());
    let few = samples.select(&checked);
    let clean: Vec<_> = checked.iter().map(|&row| clean[row]).collect();
    let still = series.with_epsilon_zero();
    let points = still.points();
    still.perturb(target, &few, &mut |point, images| {
        let Point { attack, ball, .. } = points[point];
        invariants::radius_zero(attack, ball, target, &few, &clean, &images)
    })?;
    series.perturb(target, &few, &mut |point, again| {
        let whole = answers.iter().find(|(index, _)| *index == point);
        match whole {
            Some((_, answer)) => invariants::other_batch(answer, target, samples, &checked, &again),
            None => Ok(()),
        }
    })
}
