//! Worst-case robustness: a network's accuracy under attack (method, "Worst-case perturbations"), and whether that
//! number is real.
//!
//! Budgets that share their work are measured together: FGSM at every radius on one gradient, PGD after every number
//! of steps on one trajectory. Those accuracies are of the iterates themselves, as in Leavitt & Morcos (2020); under
//! other attacks an image is broken when any step broke it.

use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use protocol::Measurement;
use protocol::attack::{
    Attack, AttackConditions, AttackMeasurement, AttackSpec, MaskingCheck, MaskingReport, Method,
    Norm,
};

use super::{Listener, Predictions, PredictionsFile, Trained, kept, predict_clean, spread, target};
use crate::EngineError;
use crate::attacks::{
    self, AttackError, AttackOutcome, Ball, Implementation, Progress, Work, masking,
};
use crate::base::arrays::Arrays;
use crate::base::host::host;
use crate::base::{FileError, files};
use crate::inference::batch::clean_images;

/// Folder of the attacks' results, within the run's folder.
const FOLDER: &str = "attacks";

/// The entry of the predictions file that holds the clean images' predictions.
const CLEAN: &str = "clean";

/// How many adversarial images are kept for people to look at: the first of those attacked.
pub const KEPT_IMAGES: usize = 48;

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
        batch_size: trained.batch_size,
        seed: spec.attack_seed,
    };
    let file = folder.map(predictions_file);
    let mut known = kept(file.as_deref(), listener, PredictionsFile::load)?;
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
        match measure.kept.measurement(&attack.to_string()).cloned() {
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

/// Groups attacks that share a computation; the rest stay single. Groups are in the requested order, attacks in a
/// group by steps.
fn groups(attacks: Vec<Attack>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for attack in attacks {
        let shared = |group: &&mut Group| group.0[0].shares_path_with(attack);
        match groups.iter_mut().find(shared) {
            Some(group) => group.0.push(attack),
            None => groups.push(Group(vec![attack])),
        }
    }
    for group in &mut groups {
        group.0.sort_by_key(|attack| attack.steps);
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
struct AttackResults {
    predictions: Predictions,
    /// `[KEPT_IMAGES or fewer, 3, height, width]`, clean where an image was not attacked.
    images: Vec<f32>,
}

impl Measure<'_> {
    fn clean(&mut self) -> Result<(), EngineError> {
        if self.kept.predictions(CLEAN).is_some() {
            return Ok(());
        }
        let advanced = &mut |images| self.listener.advanced(images, true);
        let predictions = predict_clean(self.trained, self.work.indices, advanced)?;
        self.kept.insert(CLEAN, predictions, None);
        self.save()
    }

    /// Whether an attack's images are there and undamaged, or no images are kept.
    fn has_images(&mut self, attack: Attack) -> Result<bool, EngineError> {
        let Some(folder) = self.folder else {
            return Ok(true);
        };
        let path = AttackPredictions::images_file(folder, attack);
        let images = kept(Some(&path), self.listener, files::read_checked)?;
        Ok(images.is_some())
    }

    fn save(&self) -> Result<(), EngineError> {
        match self.folder {
            Some(folder) => Ok(self.kept.save(&predictions_file(folder))?),
            None => Ok(()),
        }
    }

    fn clean_predictions(&self) -> Predictions {
        self.kept.predictions(CLEAN).cloned().unwrap_or_default()
    }

    /// The results before an attack: those of the clean images.
    fn clean_results(&self) -> AttackResults {
        let indices = &self.work.indices[..self.work.indices.len().min(KEPT_IMAGES)];
        AttackResults {
            predictions: self.clean_predictions(),
            images: host(clean_images(self.work.set, indices, self.trained.device)),
        }
    }

    /// Runs the attacks of a group and keeps their results.
    fn group(&mut self, group: &Group) -> Result<(), EngineError> {
        let mut results: Vec<AttackResults> =
            group.0.iter().map(|_| self.clean_results()).collect();
        let (accuracies, members) = self.attack(group, &mut results)?;
        let clean_accuracy = self.clean_predictions().accuracy(&self.work.labels());
        for (index, ((&attack, result), accuracy)) in
            group.0.iter().zip(results).zip(accuracies).enumerate()
        {
            let measurement = Measurement::Attack(AttackMeasurement {
                conditions: self.conditions,
                attack,
                accuracy,
                clean_accuracy,
                members: if index == 0 {
                    members.clone()
                } else {
                    Vec::new()
                },
            });
            if let Some(folder) = self.folder {
                let shape = [
                    result.images.len() / self.work.set.image_len(),
                    3,
                    self.work.set.height(),
                    self.work.set.width(),
                ];
                AttackPredictions::save_images(folder, attack, shape, &result.images)?;
            }
            self.kept.insert(
                &attack.to_string(),
                result.predictions,
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
        results: &mut [AttackResults],
    ) -> Result<(Vec<f64>, Members), EngineError> {
        let (trained, work) = (self.trained, self.work);
        let listener = &mut *self.listener;
        let target = target(trained, |images| listener.advanced(images, true));
        let mut see = |point: usize, now: &Progress| {
            results[point].take(trained, &work, now);
            true
        };
        let mut members = Vec::new();
        let outcomes = match attacks::series(&group.0)? {
            Some(series) => attacks::run_series(&*series, &target, &work, &mut see)?,
            None => match attacks::implementation(group.0[0])? {
                Implementation::Single(attack) => {
                    vec![attacks::run(&*attack, &target, &work, &mut |now| {
                        see(0, now)
                    })?]
                }
                Implementation::Ensemble(ensemble, methods) => {
                    let outcome = ensemble.run(&target, &work, &mut |now| see(0, now))?;
                    let accuracies = outcome.members.iter().map(AttackOutcome::accuracy);
                    members = methods.into_iter().zip(accuracies).collect();
                    vec![outcome.overall]
                }
            },
        };
        let accuracies = outcomes.iter().map(AttackOutcome::accuracy);
        Ok((accuracies.collect(), members))
    }

    /// Looks for masked gradients, unless an earlier try did.
    fn masking(&mut self) -> Result<(), EngineError> {
        let path = self.folder.map(|folder| folder.join("masking.json"));
        if let Some(report) = kept(path.as_deref(), self.listener, read_masking)? {
            self.listener.measured(Measurement::Masking(report));
            return Ok(());
        }
        let listener = &mut *self.listener;
        let target = target(self.trained, |images| listener.advanced(images, true));
        // The checks look for gross failures: more images would only cost time.
        let places = spread(&self.work.labels(), MASKING_IMAGES);
        let work = Work {
            indices: &self.work.indices_at(&places),
            ..self.work
        };
        let outcome = masking::check_masking(&target, &work, &masking_plan()?, &mut |_| true)?;
        drop(target);
        let report = MaskingReport {
            conditions: self.conditions,
            checks: outcome.checks.into_iter().map(masking_check).collect(),
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
fn read_masking(path: &Path) -> Result<Option<MaskingReport>, FileError> {
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
        ball: Ball::new(Norm::Linf, 2.0 / 255.0)?,
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

impl AttackResults {
    /// Adds a batch of adversarial images.
    fn take(&mut self, trained: &Trained, work: &Work, now: &Progress) {
        let labels = work.set.labels_at(&work.indices_at(now.places));
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

fn predictions_file(folder: &Path) -> PathBuf {
    folder.join("predictions.safetensors")
}

/// A finished run's predictions for each attacked image, and some of the images.
#[derive(Debug, Clone, PartialEq)]
pub struct AttackPredictions {
    /// The images' indices in the test set.
    pub indices: Vec<usize>,
    /// Predictions on the clean images.
    pub clean: Predictions,
    /// Predictions on the adversarial images of each requested attack; none where that was not measured.
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
    ) -> Result<Option<AttackPredictions>, FileError> {
        let file =
            PredictionsFile::load(&predictions_file(&Self::folder(run_directory, conditions)))?;
        let Some(clean) = file.predictions(CLEAN) else {
            return Ok(None);
        };
        Ok(Some(AttackPredictions {
            indices: spread(test_labels, conditions.images as usize),
            clean: clean.clone(),
            adversarial: attacks
                .iter()
                .map(|attack| file.predictions(&attack.to_string()).cloned())
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
    ) -> Result<(), FileError> {
        let mut arrays = Arrays::default();
        arrays.insert("adversarial", &shape, values);
        arrays.save(&Self::images_file(folder, attack))
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
    ) -> Result<Option<Vec<f32>>, FileError> {
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
