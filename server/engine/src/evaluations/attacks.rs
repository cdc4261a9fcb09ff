//! Worst-case robustness: what attacks leave of a network's accuracy (method, "Worst-case perturbations"),
//! and whether that number is real.
//!
//! Budgets that share their work are measured together: FGSM at every radius on one gradient, PGD after
//! every number of steps on one trajectory. Those accuracies are of the iterates themselves, as the source's;
//! of the other attacks an image is broken when any step broke it.

use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use protocol::Measurement;
use protocol::attack::{
    APGD_STEPS, Attack, AttackConditions, AttackMeasurement, AttackSpec, MaskingCheck,
    MaskingReport, Method, Norm, SQUARE_QUERIES,
};

use super::{Listener, Predictions, PredictionsFile, Trained, kept, spread};
use crate::attacks::{
    self, Apgd, AttackError, AttackOutcome, Ball, Ensemble, Fab, FgsmSweep, Objective, Passes, Pgd,
    PgdTrajectory, Progress, Square, Start, Target, Work, masking,
};
use crate::batch::clean_images;
use crate::evaluate::{batch_size, host};
use crate::{EngineError, files};

/// Folder, within the run's, of what attacks found.
const FOLDER: &str = "attacks";

/// The entry of the predictions file that holds the clean images' predictions.
const CLEAN: &str = "clean";

/// Adversarial images that are kept for people to look at: the first so many of those attacked.
pub const KEPT_IMAGES: usize = 48;

/// Targets of the targeted attacks, as in AutoAttack's standard version.
const TARGETS: usize = 9;

/// Accuracies after each member of an ensemble.
type Members = Vec<(Method, f64)>;

/// Attacks that are measured together.
struct Group(Vec<Attack>);

/// Tests a trained network as `spec` says; see [`super::perform`].
pub(super) fn perform(
    spec: &AttackSpec,
    trained: &Trained,
    listener: &mut dyn Listener,
) -> Result<(), EngineError> {
    let conditions = spec.conditions(trained.test.len() as u32);
    let folder = AttackPredictions::folder(trained.run_directory, conditions);
    measure_attacks(spec, trained, Some(&folder), listener)
}

/// Measures every attack of `spec`; keeps predictions and some images in `folder`, and takes from there what
/// an earlier try has measured.
///
/// # Errors
/// When a file cannot be read or written, a budget makes no sense, or the listener stops it.
pub fn measure_attacks(
    spec: &AttackSpec,
    trained: &Trained,
    folder: Option<&Path>,
    listener: &mut dyn Listener,
) -> Result<(), EngineError> {
    let test = trained.test;
    let conditions = spec.conditions(test.len() as u32);
    let indices = spread(test.labels(), conditions.images as usize);
    let work = Work {
        set: test,
        indices: &indices,
        batch_size: batch_size(test.height(), test.width()),
        seed: spec.attack_seed,
    };
    let mut known = match folder {
        Some(folder) => kept(&predictions_file(folder), listener, PredictionsFile::load)?,
        None => PredictionsFile::default(),
    };
    let mut measure = Measure {
        trained,
        conditions,
        work,
        folder,
        kept: &mut known,
        listener,
    };
    measure.clean()?;
    let mut left = Vec::new();
    for &attack in &spec.attacks {
        let known = match measure.kept.get(&attack.to_string()) {
            Some((_, Some(measurement))) => Some(measurement.clone()),
            _ => None,
        };
        match known {
            Some(known) if measure.has_images(attack)? => measure.listener.measured(known),
            _ => left.push(attack),
        }
    }
    for group in groups(left) {
        measure.group(&group)?;
    }
    if spec.check_masking {
        measure.masking()?;
    }
    Ok(())
}

/// FGSM attacks of one norm together, and PGD attacks that differ in their steps alone; the rest by
/// themselves, in the order asked for.
fn groups(attacks: Vec<Attack>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for attack in attacks {
        let together = groups.iter_mut().find(|group| {
            let first = group.0[0];
            let same = first.method == attack.method && first.norm == attack.norm;
            match attack.method {
                Method::Fgsm => same,
                Method::Pgd => {
                    same && first.epsilon == attack.epsilon
                        && first.step_size == attack.step_size
                        && first.random_starts == 0
                        && attack.random_starts == 0
                }
                _ => false,
            }
        });
        match together {
            Some(group) => group.0.push(attack),
            None => groups.push(Group(vec![attack])),
        }
    }
    groups
}

struct Measure<'a> {
    trained: &'a Trained<'a>,
    conditions: AttackConditions,
    work: Work<'a>,
    folder: Option<&'a Path>,
    kept: &'a mut PredictionsFile,
    listener: &'a mut dyn Listener,
}

/// What an attack did to each image, collected batch by batch.
struct Found {
    predictions: Predictions,
    /// `[KEPT_IMAGES or fewer, 3, height, width]`, clean where an image was not attacked.
    images: Vec<f32>,
}

impl Measure<'_> {
    fn clean(&mut self) -> Result<(), EngineError> {
        if self.kept.get(CLEAN).is_some() {
            return Ok(());
        }
        let mut predictions = Predictions::default();
        for chunk in self.work.indices.chunks(self.work.batch_size) {
            let images = clean_images(self.work.set, chunk, self.trained.device);
            let labels: Vec<u32> = chunk
                .iter()
                .map(|&index| self.work.set.labels()[index])
                .collect();
            predictions.add(self.trained.model.forward(images), &labels);
            if !self.listener.advanced(chunk.len(), true) {
                return Err(EngineError::Cancelled);
            }
        }
        self.kept.insert(CLEAN, predictions, None);
        self.save()
    }

    /// Whether an attack's images are there and whole, or none are kept.
    fn has_images(&mut self, attack: Attack) -> Result<bool, EngineError> {
        let Some(folder) = self.folder else {
            return Ok(true);
        };
        let path = AttackPredictions::images_file(folder, attack);
        let images = kept(&path, self.listener, files::read_checked)?;
        Ok(images.is_some())
    }

    fn save(&self) -> Result<(), EngineError> {
        match self.folder {
            Some(folder) => self.kept.save(&predictions_file(folder)),
            None => Ok(()),
        }
    }

    fn clean_predictions(&self) -> Predictions {
        self.kept
            .get(CLEAN)
            .map(|(predictions, _)| predictions.clone())
            .unwrap_or_default()
    }

    /// What is known of the images before an attack: the clean ones.
    fn nothing_found(&self) -> Found {
        let shown = &self.work.indices[..self.work.indices.len().min(KEPT_IMAGES)];
        Found {
            predictions: self.clean_predictions(),
            images: host(clean_images(self.work.set, shown, self.trained.device)),
        }
    }

    /// Makes the attacks of a group and keeps what they found.
    fn group(&mut self, group: &Group) -> Result<(), EngineError> {
        let mut found: Vec<Found> = group.0.iter().map(|_| self.nothing_found()).collect();
        let (accuracies, members) = self.attack(group, &mut found)?;
        for (index, ((&attack, found), accuracy)) in
            group.0.iter().zip(found).zip(accuracies).enumerate()
        {
            let labels: Vec<u32> = self
                .work
                .indices
                .iter()
                .map(|&index| self.work.set.labels()[index])
                .collect();
            let measurement = Measurement::Attack(AttackMeasurement {
                conditions: self.conditions,
                attack,
                accuracy,
                clean_accuracy: self.clean_predictions().accuracy(&labels),
                members: if index == 0 {
                    members.clone()
                } else {
                    Vec::new()
                },
            });
            if let Some(folder) = self.folder {
                let shape = [
                    found.images.len() / self.work.set.image_len(),
                    3,
                    self.work.set.height(),
                    self.work.set.width(),
                ];
                AttackPredictions::save_images(folder, attack, shape, &found.images)?;
            }
            self.kept.insert(
                &attack.to_string(),
                found.predictions,
                Some(measurement.clone()),
            );
            self.save()?;
            self.listener.measured(measurement);
        }
        Ok(())
    }

    /// Accuracies of a group's attacks, and of an ensemble's members.
    fn attack(
        &mut self,
        group: &Group,
        found: &mut [Found],
    ) -> Result<(Vec<f64>, Members), EngineError> {
        let (trained, work) = (self.trained, self.work);
        let (listener, cancelled) = (&mut *self.listener, std::cell::Cell::new(false));
        let mut said = Passes::default();
        let target = Target::new(trained.model, trained.device).watched(|passes| {
            // A backward pass costs about two forward ones.
            let images = (passes.forward - said.forward) + 2 * (passes.backward - said.backward);
            said = passes;
            let goes_on = listener.advanced(images as usize, true);
            cancelled.set(!goes_on);
            goes_on
        });
        let mut see = |point: usize, now: &Progress| {
            found[point].take(trained, &work, now);
            true
        };
        let first = group.0[0];
        let ball = Ball::new(norm(first.norm), first.epsilon)?;
        let steps = |default: u32| first.steps.unwrap_or(default) as usize;
        let mut one = |attack: &dyn attacks::Attack| -> Result<Vec<AttackOutcome>, AttackError> {
            Ok(vec![attacks::run(attack, &target, &work, &mut |now| {
                see(0, now)
            })?])
        };
        let mut members = Vec::new();
        let outcomes = match first.method {
            Method::Fgsm => {
                let epsilons: Vec<f64> = group.0.iter().map(|attack| attack.epsilon).collect();
                let sweep = FgsmSweep::new(norm(first.norm), &epsilons)?;
                attacks::run_series(&sweep, &target, &work, &mut see)
            }
            Method::Pgd if first.random_starts == 0 => {
                let stops: Vec<usize> = group
                    .0
                    .iter()
                    .map(|attack| attack.steps.unwrap_or(1) as usize)
                    .collect();
                let pgd = Pgd::new(ball, first.step_size.unwrap_or_default(), 1, Start::Clean)?;
                let trajectory = PgdTrajectory::new(pgd, &stops)?;
                // The trajectory's points ascend; the group's attacks come as asked for.
                let place: Vec<usize> = trajectory
                    .stops()
                    .iter()
                    .map(|stop| stops.iter().position(|asked| asked == stop).unwrap_or(0))
                    .collect();
                let outcomes =
                    attacks::run_series(&trajectory, &target, &work, &mut |point, now| {
                        see(place[point], now)
                    });
                outcomes.map(|outcomes| {
                    let mut ordered: Vec<_> = place.into_iter().zip(outcomes).collect();
                    ordered.sort_by_key(|(place, _)| *place);
                    ordered.into_iter().map(|(_, outcome)| outcome).collect()
                })
            }
            Method::Pgd => {
                let restarts = first.random_starts as usize;
                let start = Start::Random { restarts };
                let step_size = first.step_size.unwrap_or_default();
                one(&Pgd::new(ball, step_size, steps(1), start)?)
            }
            Method::ApgdCe => one(&Apgd::new(
                ball,
                steps(APGD_STEPS),
                Objective::CrossEntropy,
                1,
            )?),
            Method::ApgdT => {
                let objective = Objective::TargetedDlr { targets: TARGETS };
                one(&Apgd::new(ball, steps(APGD_STEPS), objective, 1)?)
            }
            Method::FabT => one(&Fab::new(ball, steps(APGD_STEPS), TARGETS, 1)?),
            Method::Square => one(&Square::new(ball, steps(SQUARE_QUERIES))?),
            Method::AutoAttack => {
                let ensemble = Ensemble::standard(ball, attacks::STANDARD)?;
                ensemble
                    .run(&target, &work, &mut |now| see(0, now))
                    .map(|outcome| {
                        let methods = [Method::ApgdCe, Method::ApgdT, Method::FabT, Method::Square];
                        members = methods
                            .into_iter()
                            .zip(outcome.members.iter().map(AttackOutcome::accuracy))
                            .collect();
                        vec![outcome.overall]
                    })
            }
        };
        if cancelled.get() {
            return Err(EngineError::Cancelled);
        }
        Ok((
            outcomes?.iter().map(AttackOutcome::accuracy).collect(),
            members,
        ))
    }

    /// Looks for masked gradients, unless that was done.
    fn masking(&mut self) -> Result<(), EngineError> {
        let path = self.folder.map(|folder| folder.join("masking.json"));
        if let Some(path) = &path
            && let Some(report) = kept(path, self.listener, read_masking)?
        {
            self.listener.measured(Measurement::Masking(report));
            return Ok(());
        }
        let (listener, cancelled) = (&mut *self.listener, std::cell::Cell::new(false));
        let mut said = Passes::default();
        let target = Target::new(self.trained.model, self.trained.device).watched(|passes| {
            let images = (passes.forward - said.forward) + 2 * (passes.backward - said.backward);
            said = passes;
            let goes_on = listener.advanced(images as usize, true);
            cancelled.set(!goes_on);
            goes_on
        });
        // More images would only make the checks dearer: they look for gross failures.
        let labels = self
            .work
            .indices
            .iter()
            .map(|&index| self.work.set.labels()[index]);
        let places = spread(&labels.collect::<Vec<_>>(), MASKING_IMAGES);
        let indices: Vec<usize> = places
            .iter()
            .map(|&place| self.work.indices[place])
            .collect();
        let work = Work {
            indices: &indices,
            ..self.work
        };
        let found = masking::check_masking(&target, &work, &masking_plan()?, &mut |_| true);
        drop(target);
        if cancelled.get() {
            return Err(EngineError::Cancelled);
        }
        let report = MaskingReport {
            conditions: self.conditions,
            checks: found?.checks.into_iter().map(masking_check).collect(),
        };
        if let Some(path) = &path {
            let failed = |error: std::io::Error| EngineError::file("cannot write", path)(error);
            let json = serde_json::to_vec(&report).map_err(|error| failed(error.into()))?;
            files::write_checked(path, &json)?;
        }
        self.listener.measured(Measurement::Masking(report));
        Ok(())
    }
}

/// The report in a file, if there is one.
fn read_masking(path: &Path) -> Result<Option<MaskingReport>, EngineError> {
    let Some(bytes) = files::read_checked(path)? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| files::damaged(path, error.to_string()))
}

/// Images that the checks for masking look at.
const MASKING_IMAGES: usize = 100;

/// What the checks spend: a radius of 2/255, 20 steps, 500 queries, 2 random starts.
fn masking_plan() -> Result<masking::Plan, AttackError> {
    Ok(masking::Plan {
        ball: Ball::new(attacks::Norm::Linf, 2.0 / 255.0)?,
        steps: 20,
        queries: 500,
        restarts: 2,
    })
}

fn masking_check(check: masking::Check) -> MaskingCheck {
    let evidence: Vec<String> = check
        .evidence
        .iter()
        .map(|evidence| format!("{}: {:.1} %", evidence.what, 100.0 * evidence.share))
        .collect();
    MaskingCheck {
        expectation: check.claim.to_owned(),
        evidence: evidence.join("; "),
        holds: check.verdict == masking::Verdict::Sound,
    }
}

impl Found {
    /// Takes in a batch of adversarial images.
    fn take(&mut self, trained: &Trained, work: &Work, now: &Progress) {
        let labels: Vec<u32> = now
            .places
            .iter()
            .map(|&place| work.set.labels()[work.indices[place]])
            .collect();
        let mut predictions = Predictions::default();
        let images: Tensor<4> = now.adversarial.clone();
        predictions.add(trained.model.forward(images.clone()), &labels);
        for (row, &place) in now.places.iter().enumerate() {
            self.predictions.predicted[place] = predictions.predicted[row];
            self.predictions.confidence[place] = predictions.confidence[row];
        }
        if now.places.iter().any(|&place| place < KEPT_IMAGES) {
            let length = work.set.image_len();
            let values = host(images);
            for (image, &place) in values.chunks_exact(length).zip(now.places) {
                if place < KEPT_IMAGES {
                    self.images[place * length..(place + 1) * length].copy_from_slice(image);
                }
            }
        }
    }
}

pub(crate) fn norm(norm: Norm) -> attacks::Norm {
    match norm {
        Norm::Linf => attacks::Norm::Linf,
        Norm::L2 => attacks::Norm::L2,
    }
}

fn predictions_file(folder: &Path) -> PathBuf {
    folder.join("predictions.safetensors")
}

/// What a finished run said about each attacked image, and some of the images.
#[derive(Debug, Clone, PartialEq)]
pub struct AttackPredictions {
    /// The images' indices in the test set.
    pub indices: Vec<usize>,
    /// On the clean images.
    pub clean: Predictions,
    /// On the adversarial ones of each attack asked for; none where that was not measured.
    pub adversarial: Vec<Option<Predictions>>,
}

impl AttackPredictions {
    /// The folder of a run's predictions under `conditions`.
    pub fn folder(run_directory: &Path, conditions: AttackConditions) -> PathBuf {
        run_directory.join(FOLDER).join(conditions.to_string())
    }

    /// Reads what was kept of `attacks`; `None` where nothing was. `test_labels` are the labels of the whole test set.
    ///
    /// # Errors
    /// When a file is damaged.
    pub fn load(
        run_directory: &Path,
        conditions: AttackConditions,
        attacks: &[Attack],
        test_labels: &[u32],
    ) -> Result<Option<AttackPredictions>, EngineError> {
        let file =
            PredictionsFile::load(&predictions_file(&Self::folder(run_directory, conditions)))?;
        let Some((clean, _)) = file.get(CLEAN) else {
            return Ok(None);
        };
        Ok(Some(AttackPredictions {
            indices: spread(test_labels, conditions.images as usize),
            clean: clean.clone(),
            adversarial: attacks
                .iter()
                .map(|attack| {
                    file.get(&attack.to_string())
                        .map(|(found, _)| found.clone())
                })
                .collect(),
        }))
    }

    fn images_file(folder: &Path, attack: Attack) -> PathBuf {
        folder.join(format!(
            "{}.safetensors",
            attack.to_string().replace('/', "of")
        ))
    }

    fn save_images(
        folder: &Path,
        attack: Attack,
        shape: [usize; 4],
        values: &[f32],
    ) -> Result<(), EngineError> {
        let path = Self::images_file(folder, attack);
        let failed = |error: safetensors::SafeTensorError| {
            EngineError::file("cannot write", &path)(std::io::Error::other(error))
        };
        std::fs::create_dir_all(folder).map_err(EngineError::file("cannot create", folder))?;
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let view = safetensors::tensor::TensorView::new(
            safetensors::tensor::Dtype::F32,
            shape.to_vec(),
            &bytes,
        )
        .map_err(failed)?;
        let bytes = safetensors::serialize([("adversarial", view)], None).map_err(failed)?;
        files::write_checked(&path, &bytes)
    }

    /// The adversarial image at `place` among those attacked, `[3, height, width]` in [0, 1], as it was found;
    /// `None` where it was not kept.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn image(
        run_directory: &Path,
        conditions: AttackConditions,
        attack: Attack,
        place: usize,
    ) -> Result<Option<Vec<f32>>, EngineError> {
        let path = Self::images_file(&Self::folder(run_directory, conditions), attack);
        let Some(bytes) = files::read_checked(&path)? else {
            return Ok(None);
        };
        let damaged =
            |error: safetensors::SafeTensorError| files::damaged(&path, error.to_string());
        let file = safetensors::SafeTensors::deserialize(&bytes).map_err(damaged)?;
        let view = file.tensor("adversarial").map_err(damaged)?;
        let length: usize = view.shape().iter().skip(1).product::<usize>() * 4;
        Ok(view
            .data()
            .chunks_exact(length.max(1))
            .nth(place)
            .map(|image| {
                image
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|&value| f32::from_le_bytes(value))
                    .collect()
            }))
    }
}
