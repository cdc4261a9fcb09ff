//! Forms as text: what was typed, kept as typed, whether it is right or not.

use std::collections::BTreeMap;

use protocol::attack::{Attack, AttackSpec};
use protocol::corruption::{Corruption, JpegStep, SEVERITIES};
use protocol::corruption_evaluation::{CorruptionSource, CorruptionSpec};
use protocol::dimensionality::DimensionalitySpec;
use protocol::executor::{ExecutorKind, SlurmSpec};
use protocol::field_error::FieldError;
use protocol::gradient::InputUnitGradientSpec;
use protocol::numeral::plain;
use protocol::{Augmentation, Dataset, EvaluationSpec, ExecutorSpec, ExperimentSpec};

use crate::parse;

/// What every field holds, by the field's path in the spec, for example `training.epochs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    typed: BTreeMap<&'static str, String>,
    /// Attacks that are not among the form's choices; [`KEPT`] stands for them. Empty where there are none.
    kept: Vec<Attack>,
    /// Dimensionality of perturbations that are not among the form's choices; [`KEPT`] stands for it.
    kept_dimensionality: Option<DimensionalitySpec>,
}

/// Value of [`CORRUPTION_SOURCE`], [`ATTACKS`], [`DIMENSIONALITY`] or [`GRADIENTS`] where nothing is corrupted, attacked or
/// measured.
pub const OFF: &str = "off";
/// Path of the field that says where corrupted images come from: [`OFF`], or a source's name.
pub const CORRUPTION_SOURCE: &str = "evaluation.corruptions.source";
/// Path of the list of corruptions.
pub const CORRUPTIONS: &str = "evaluation.corruptions.corruptions";
/// Path of the list of severities.
pub const CORRUPTION_SEVERITIES: &str = "evaluation.corruptions.severities";
/// Path of the number of corrupted images.
pub const CORRUPTION_IMAGES: &str = "evaluation.corruptions.images";
/// Path of the seed of generated corruptions.
pub const CORRUPTION_SEED: &str = "evaluation.corruptions.corruption_seed";
/// Path of the JPEG step of generated corruptions: the step's name.
pub const CORRUPTION_JPEG: &str = "evaluation.corruptions.jpeg";
/// Path of the name of the folder with photographs of frost; empty: the drawn texture.
pub const CORRUPTION_FROST: &str = "evaluation.corruptions.frost_photographs";

/// Path of the field that says which attacks are made: [`OFF`], [`SOURCE`], [`AUTO`] or [`KEPT`].
pub const ATTACKS: &str = "evaluation.attacks.attacks";
/// Value of [`ATTACKS`] for the attacks of Leavitt & Morcos (2020): FGSM over epsilon, PGD over steps. Value of
/// [`DIMENSIONALITY`] for their perturbations.
pub const SOURCE: &str = "source";
/// Value of [`ATTACKS`] for the attacks of [`SOURCE`] and AutoAttack at two radii.
pub const AUTO: &str = "auto-attack";
/// Value of [`ATTACKS`] for attacks that the form began with and that are not among its choices.
pub const KEPT: &str = "kept";
/// Path of the number of attacked images.
pub const ATTACK_IMAGES: &str = "evaluation.attacks.images";
/// Path of the seed of attacks.
pub const ATTACK_SEED: &str = "evaluation.attacks.attack_seed";
/// Path of the check for gradient masking: `true` or `false`.
pub const CHECK_MASKING: &str = "evaluation.attacks.check_masking";

/// Path of the field that chooses what dimensionality is measured on: [`OFF`], [`SOURCE`] or [`KEPT`].
pub const DIMENSIONALITY: &str = "evaluation.dimensionality";
/// Path of the source of the corrupted images whose dimensionality is measured.
pub const DIMENSIONALITY_SOURCE: &str = "evaluation.dimensionality.source";
/// Path of the number of images whose dimensionality is measured.
pub const DIMENSIONALITY_IMAGES: &str = "evaluation.dimensionality.images";
/// Path of the number of images for the dimensionality of full activations.
pub const ACTIVATION_IMAGES: &str = "evaluation.dimensionality.activation_images";
/// Path of the seed of the corruptions whose dimensionality is measured.
pub const DIMENSIONALITY_SEED: &str = "evaluation.dimensionality.corruption_seed";
/// As [`CORRUPTION_JPEG`], for the corruptions whose dimensionality is measured.
pub const DIMENSIONALITY_JPEG: &str = "evaluation.dimensionality.jpeg";
/// As [`CORRUPTION_FROST`], for the corruptions whose dimensionality is measured.
pub const DIMENSIONALITY_FROST: &str = "evaluation.dimensionality.frost_photographs";

/// Path of the field that says whether input-unit gradients are measured: [`OFF`] or [`ON`].
pub const GRADIENTS: &str = "evaluation.input_unit_gradients";
/// Value of [`GRADIENTS`] where they are measured.
pub const ON: &str = "on";
/// Path of the number of images on which input-unit gradients are measured.
pub const GRADIENT_IMAGES: &str = "evaluation.input_unit_gradients.images";

/// Images for input-unit gradients where no preset says otherwise.
const DEFAULT_GRADIENT_IMAGES: u32 = 200;

/// Path of the field that says where runs compute: an executor's name.
pub const EXECUTOR: &str = "executor";

/// Whether `spec` measures the perturbations of [`DimensionalitySpec::source`].
fn is_source(spec: &DimensionalitySpec) -> bool {
    let source = DimensionalitySpec::source(None);
    spec.corruptions == source.corruptions
        && spec.severities == source.severities
        && spec.attacks == source.attacks
}

/// An optional number as the text of a field.
fn optional(number: Option<u32>) -> String {
    number.map_or(String::new(), |number| number.to_string())
}

/// The attacks of Leavitt & Morcos (2020), and AutoAttack at the radii 8/255, where no network holds, and 1/255, where one may.
fn with_auto_attack() -> Vec<Attack> {
    let mut attacks = AttackSpec::source(None).attacks;
    attacks.extend([8.0, 1.0].map(Attack::auto_attack));
    attacks
}

/// Numbers as a list that [`parse::numbers`] reads back.
fn list<T: ToString>(values: &[T]) -> String {
    values
        .iter()
        .map(T::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

impl From<&ExperimentSpec> for Draft {
    fn from(spec: &ExperimentSpec) -> Draft {
        let training = &spec.training;
        let images = training.train_images_per_class;
        let mut draft = Draft::from(&spec.evaluation);
        draft.typed.extend(executor_fields(&spec.executor));
        draft.typed.extend([
            ("name", spec.name.clone()),
            ("notes", spec.notes.clone()),
            ("network", spec.network.id().to_owned()),
            ("dataset", spec.dataset.to_string()),
            (
                "alphas",
                list(
                    &spec
                        .alphas
                        .iter()
                        .map(|&alpha| plain(alpha))
                        .collect::<Vec<_>>(),
                ),
            ),
            ("seeds", parse::write_seeds(&spec.seeds)),
            ("device", spec.device.clone()),
            ("training.epochs", training.epochs.to_string()),
            ("training.batch_size", training.batch_size.to_string()),
            ("training.learning_rate", plain(training.learning_rate)),
            ("training.momentum", plain(training.momentum)),
            ("training.weight_decay", plain(training.weight_decay)),
            (
                "training.learning_rate_milestones",
                list(&training.learning_rate_milestones),
            ),
            (
                "training.learning_rate_factor",
                plain(training.learning_rate_factor),
            ),
            (
                "training.augmentation",
                training.augmentation.id().to_owned(),
            ),
            (
                "training.validation_images_per_class",
                training.validation_images_per_class.to_string(),
            ),
            (
                "training.train_images_per_class",
                images.map_or(String::new(), |n| n.to_string()),
            ),
        ]);
        draft
    }
}

/// The fields that say where runs compute; Slurm's have their defaults where it is not used.
fn executor_fields(spec: &ExecutorSpec) -> [(&'static str, String); 12] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let default = SlurmSpec::default();
    let slurm = spec.slurm().unwrap_or(&default);
    [
        (EXECUTOR, spec.kind().id().to_owned()),
        ("executor.slurm.partition", text(&slurm.partition)),
        ("executor.slurm.account", text(&slurm.account)),
        ("executor.slurm.qos", text(&slurm.qos)),
        ("executor.slurm.gres", text(&slurm.gres)),
        ("executor.slurm.time_minutes", optional(slurm.time_minutes)),
        ("executor.slurm.memory_mib", optional(slurm.memory_mib)),
        ("executor.slurm.cpus", slurm.cpus.to_string()),
        ("executor.slurm.at_once", optional(slurm.at_once)),
        ("executor.slurm.requeues", slurm.requeues.to_string()),
        ("executor.slurm.setup", slurm.setup.clone()),
        ("executor.slurm.flags", slurm.flags.clone()),
    ]
}

/// Which choice of attacks the form shows for `spec`.
fn attack_choice(spec: Option<&AttackSpec>) -> &'static str {
    match spec {
        None => OFF,
        Some(spec) if spec.attacks == AttackSpec::source(None).attacks => SOURCE,
        Some(spec) if spec.attacks == with_auto_attack() => AUTO,
        Some(_) => KEPT,
    }
}

impl From<&EvaluationSpec> for Draft {
    /// Where nothing is corrupted, the other fields hold the most common choices.
    fn from(spec: &EvaluationSpec) -> Draft {
        let source = spec.corruptions.as_ref().map(|spec| spec.source.id());
        let CorruptionSpec {
            corruptions,
            severities,
            images,
            corruption_seed,
            jpeg,
            frost_photographs,
            ..
        } = spec
            .corruptions
            .clone()
            .unwrap_or_else(|| CorruptionSpec::everything(None));
        let off = AttackSpec::source(None);
        let attacked = spec.attacks.as_ref().unwrap_or(&off);
        let choice = attack_choice(spec.attacks.as_ref());
        let kept = match choice {
            KEPT => attacked.attacks.clone(),
            _ => Vec::new(),
        };
        // Where it is off, it starts from the images of the corruptions.
        let same_images = DimensionalitySpec {
            source: spec
                .corruptions
                .as_ref()
                .map_or(CorruptionSource::Generated, |spec| spec.source),
            corruption_seed,
            jpeg,
            frost_photographs: frost_photographs.clone(),
            ..DimensionalitySpec::source(images)
        };
        let dimensionality = spec.dimensionality.as_ref().unwrap_or(&same_images);
        let dimensionality_choice = match &spec.dimensionality {
            None => OFF,
            Some(spec) if is_source(spec) => SOURCE,
            Some(_) => KEPT,
        };
        let kept_dimensionality = (dimensionality_choice == KEPT).then(|| dimensionality.clone());
        let gradients = spec.input_unit_gradients;
        let gradient_images = gradients.map_or_else(
            || images.map_or(DEFAULT_GRADIENT_IMAGES, |images| (images / 4).max(2)),
            |spec| spec.images,
        );
        let typed = BTreeMap::from([
            (DIMENSIONALITY, dimensionality_choice.to_owned()),
            (DIMENSIONALITY_SOURCE, dimensionality.source.id().to_owned()),
            (DIMENSIONALITY_IMAGES, optional(dimensionality.images)),
            (
                ACTIVATION_IMAGES,
                optional(dimensionality.activation_images),
            ),
            (
                DIMENSIONALITY_SEED,
                dimensionality.corruption_seed.to_string(),
            ),
            (DIMENSIONALITY_JPEG, dimensionality.jpeg.id().to_owned()),
            (
                DIMENSIONALITY_FROST,
                dimensionality.frost_photographs.clone().unwrap_or_default(),
            ),
            (GRADIENTS, gradients.map_or(OFF, |_| ON).to_owned()),
            (GRADIENT_IMAGES, gradient_images.to_string()),
            (ATTACKS, choice.to_owned()),
            (ATTACK_IMAGES, optional(attacked.images)),
            (ATTACK_SEED, attacked.attack_seed.to_string()),
            (CHECK_MASKING, attacked.check_masking.to_string()),
            (CORRUPTION_SOURCE, source.unwrap_or(OFF).to_owned()),
            (CORRUPTIONS, list(&corruptions)),
            (CORRUPTION_SEVERITIES, list(&severities)),
            (CORRUPTION_IMAGES, optional(images)),
            (CORRUPTION_SEED, corruption_seed.to_string()),
            (CORRUPTION_JPEG, jpeg.id().to_owned()),
            (CORRUPTION_FROST, frost_photographs.unwrap_or_default()),
        ]);
        Draft {
            typed,
            kept,
            kept_dimensionality,
        }
    }
}

impl Draft {
    /// What the field at `path` holds.
    pub fn get(&self, path: &str) -> &str {
        self.typed.get(path).map_or("", String::as_str)
    }

    /// What was typed, as a text that [`take`](Self::take) reads.
    pub fn text(&self) -> String {
        // A map of texts can always be written.
        serde_json::to_string(&self.typed).unwrap_or_default()
    }

    /// Restores what was typed into a form that began as this one; any other text changes nothing.
    pub fn take(&mut self, text: &str) {
        let mut typed: BTreeMap<String, String> = serde_json::from_str(text).unwrap_or_default();
        for (path, value) in &mut self.typed {
            if let Some(kept) = typed.remove(*path) {
                *value = kept;
            }
        }
    }

    /// Keeps what was typed.
    pub fn set(&mut self, path: &'static str, value: String) {
        self.typed.insert(path, value);
    }

    /// The spec, or everything wrong with it, field by field.
    ///
    /// `base` stands in for what cannot be read, so that the other fields are still checked.
    pub fn spec(&self, base: &ExperimentSpec) -> Result<ExperimentSpec, Vec<FieldError>> {
        let mut reader = Reader {
            draft: self,
            errors: Vec::new(),
        };
        let mut spec = base.clone();
        spec.name = self.get("name").trim().to_owned();
        spec.notes = self.get("notes").to_owned();
        spec.device = self.get("device").trim().to_owned();
        reader.read("network", &mut spec.network, |text| {
            text.parse().map_err(message)
        });
        reader.read("dataset", &mut spec.dataset, |text| {
            text.parse().map_err(message)
        });
        reader.read("alphas", &mut spec.alphas, parse::numbers);
        reader.read("seeds", &mut spec.seeds, parse::seeds);

        spec.executor = reader.executor();

        let training = &mut spec.training;
        reader.read("training.epochs", &mut training.epochs, whole);
        reader.read("training.batch_size", &mut training.batch_size, whole);
        reader.read(
            "training.learning_rate",
            &mut training.learning_rate,
            number,
        );
        reader.read("training.momentum", &mut training.momentum, number);
        reader.read("training.weight_decay", &mut training.weight_decay, number);
        reader.read(
            "training.learning_rate_milestones",
            &mut training.learning_rate_milestones,
            parse::whole_numbers,
        );
        reader.read(
            "training.learning_rate_factor",
            &mut training.learning_rate_factor,
            number,
        );
        reader.read(
            "training.augmentation",
            &mut training.augmentation,
            augmentation,
        );
        reader.read(
            "training.validation_images_per_class",
            &mut training.validation_images_per_class,
            whole,
        );
        reader.read(
            "training.train_images_per_class",
            &mut training.train_images_per_class,
            |text| {
                if text.is_empty() {
                    Ok(None)
                } else {
                    whole(text).map(Some)
                }
            },
        );

        reader.evaluation(&mut spec.evaluation);

        reader.judge(spec, ExperimentSpec::validate)
    }

    /// The evaluation, or everything wrong with it, field by field.
    pub fn evaluation(&self) -> Result<EvaluationSpec, Vec<FieldError>> {
        self.evaluation_if(EvaluationSpec::validate)
    }

    /// The evaluation on `dataset`, or everything wrong with it there, field by field.
    pub fn evaluation_on(&self, dataset: &Dataset) -> Result<EvaluationSpec, Vec<FieldError>> {
        self.evaluation_if(|spec| spec.validate_on(dataset))
    }

    fn evaluation_if(
        &self,
        validate: impl Fn(&EvaluationSpec) -> Vec<FieldError>,
    ) -> Result<EvaluationSpec, Vec<FieldError>> {
        let mut reader = Reader {
            draft: self,
            errors: Vec::new(),
        };
        let mut spec = EvaluationSpec::default();
        reader.evaluation(&mut spec);
        reader.judge(spec, validate)
    }

    /// The attacks that [`KEPT`] stands for; empty where the form has a choice for them.
    pub fn kept_attacks(&self) -> &[Attack] {
        &self.kept
    }

    /// What [`KEPT`] stands for at [`DIMENSIONALITY`]; none where the form has a choice for it.
    pub fn kept_dimensionality(&self) -> Option<&DimensionalitySpec> {
        self.kept_dimensionality.as_ref()
    }

    /// The list at `path`, entry by entry.
    pub fn entries(&self, path: &str) -> impl Iterator<Item = &str> {
        self.get(path)
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
    }

    /// The list at `path` with `entry` in it or not, in the order of `all`.
    pub fn with_entry(
        &self,
        path: &str,
        all: impl Iterator<Item = String>,
        entry: &str,
        wanted: bool,
    ) -> String {
        let held: Vec<&str> = self.entries(path).collect();
        let kept: Vec<String> = all
            .filter(|one| {
                if one == entry {
                    wanted
                } else {
                    held.contains(&one.as_str())
                }
            })
            .collect();
        list(&kept)
    }
}

struct Reader<'a> {
    draft: &'a Draft,
    errors: Vec<FieldError>,
}

impl Reader<'_> {
    fn read<T>(&mut self, path: &str, into: &mut T, parse: impl Fn(&str) -> Result<T, String>) {
        match parse(self.draft.get(path).trim()) {
            Ok(value) => *into = value,
            Err(reason) => self.errors.push(FieldError::new(path, reason)),
        }
    }

    fn evaluation(&mut self, into: &mut EvaluationSpec) {
        into.corruptions = self.corruptions();
        into.attacks = self.attacks();
        into.dimensionality = self.dimensionality();
        into.input_unit_gradients = self.input_unit_gradients();
    }

    fn executor(&mut self) -> ExecutorSpec {
        let mut kind = ExecutorKind::Local;
        self.read(EXECUTOR, &mut kind, |text| {
            ExecutorKind::from_id(text).ok_or_else(|| format!("no executor is called `{text}`"))
        });
        if kind == ExecutorKind::Local {
            return ExecutorSpec::Local;
        }
        let mut spec = SlurmSpec::default();
        self.read("executor.slurm.partition", &mut spec.partition, some_text);
        self.read("executor.slurm.account", &mut spec.account, some_text);
        self.read("executor.slurm.qos", &mut spec.qos, some_text);
        self.read("executor.slurm.gres", &mut spec.gres, some_text);
        self.read(
            "executor.slurm.time_minutes",
            &mut spec.time_minutes,
            some_whole,
        );
        self.read(
            "executor.slurm.memory_mib",
            &mut spec.memory_mib,
            some_whole,
        );
        self.read("executor.slurm.cpus", &mut spec.cpus, whole);
        self.read("executor.slurm.at_once", &mut spec.at_once, some_whole);
        self.read("executor.slurm.requeues", &mut spec.requeues, whole);
        spec.setup = self.draft.get("executor.slurm.setup").to_owned();
        spec.flags = self.draft.get("executor.slurm.flags").to_owned();
        ExecutorSpec::Slurm(spec)
    }

    fn corruptions(&mut self) -> Option<CorruptionSpec> {
        let source = self.draft.get(CORRUPTION_SOURCE).trim();
        if source == OFF {
            return None;
        }
        let mut spec = CorruptionSpec::everything(None);
        self.read(CORRUPTION_SOURCE, &mut spec.source, corruption_source);
        self.read(CORRUPTIONS, &mut spec.corruptions, corruptions);
        self.read(CORRUPTION_SEVERITIES, &mut spec.severities, severities);
        self.read(CORRUPTION_IMAGES, &mut spec.images, |text| match text {
            "" => Ok(None),
            _ => whole(text).map(Some),
        });
        // Published images have no seed; one that was typed before does not count.
        if spec.source == CorruptionSource::Generated {
            self.read(CORRUPTION_SEED, &mut spec.corruption_seed, |text| {
                text.parse()
                    .map_err(|_| format!("`{text}` is not a whole number of 0 or more"))
            });
            self.read(CORRUPTION_JPEG, &mut spec.jpeg, jpeg_step);
            self.read(CORRUPTION_FROST, &mut spec.frost_photographs, some_text);
        }
        Some(spec)
    }

    fn attacks(&mut self) -> Option<AttackSpec> {
        if self.draft.get(ATTACKS).trim() == OFF {
            return None;
        }
        let mut spec = AttackSpec::source(None);
        let kept = &self.draft.kept;
        self.read(ATTACKS, &mut spec.attacks, |text| match text {
            SOURCE => Ok(AttackSpec::source(None).attacks),
            AUTO => Ok(with_auto_attack()),
            KEPT => Ok(kept.clone()),
            _ => Err(format!("no choice of attacks is called `{text}`")),
        });
        self.read(ATTACK_IMAGES, &mut spec.images, |text| match text {
            "" => Ok(None),
            _ => whole(text).map(Some),
        });
        self.read(ATTACK_SEED, &mut spec.attack_seed, |text| {
            text.parse()
                .map_err(|_| format!("`{text}` is not a whole number of 0 or more"))
        });
        self.read(CHECK_MASKING, &mut spec.check_masking, |text| {
            text.parse()
                .map_err(|_| format!("`{text}` is neither true nor false"))
        });
        Some(spec)
    }

    fn dimensionality(&mut self) -> Option<DimensionalitySpec> {
        if self.draft.get(DIMENSIONALITY).trim() == OFF {
            return None;
        }
        let mut spec = DimensionalitySpec::source(None);
        let kept = &self.draft.kept_dimensionality;
        self.read(DIMENSIONALITY, &mut spec, |text| match (text, kept) {
            (SOURCE, _) => Ok(DimensionalitySpec::source(None)),
            (KEPT, Some(kept)) => Ok(kept.clone()),
            _ => Err(format!("no choice of dimensionality is called `{text}`")),
        });
        self.read(DIMENSIONALITY_SOURCE, &mut spec.source, corruption_source);
        self.read(DIMENSIONALITY_IMAGES, &mut spec.images, some_whole);
        self.read(ACTIVATION_IMAGES, &mut spec.activation_images, some_whole);
        // Published images have no seed; one that was typed before does not count.
        if spec.source == CorruptionSource::Generated {
            self.read(DIMENSIONALITY_SEED, &mut spec.corruption_seed, |text| {
                text.parse()
                    .map_err(|_| format!("`{text}` is not a whole number of 0 or more"))
            });
            self.read(DIMENSIONALITY_JPEG, &mut spec.jpeg, jpeg_step);
            self.read(DIMENSIONALITY_FROST, &mut spec.frost_photographs, some_text);
        } else {
            spec.corruption_seed = 0;
            spec.jpeg = JpegStep::AsPublished;
            spec.frost_photographs = None;
        }
        Some(spec)
    }

    fn input_unit_gradients(&mut self) -> Option<InputUnitGradientSpec> {
        match self.draft.get(GRADIENTS).trim() {
            OFF => None,
            choice => {
                if choice != ON {
                    let reason = format!("`{choice}` is neither on nor off");
                    self.errors.push(FieldError::new(GRADIENTS, reason));
                }
                let mut spec = InputUnitGradientSpec {
                    images: DEFAULT_GRADIENT_IMAGES,
                };
                self.read(GRADIENT_IMAGES, &mut spec.images, whole);
                Some(spec)
            }
        }
    }

    /// `spec`, or its unreadable fields and the errors that `validate` finds in the others.
    fn judge<T>(
        self,
        spec: T,
        validate: impl Fn(&T) -> Vec<FieldError>,
    ) -> Result<T, Vec<FieldError>> {
        let mut errors = self.errors;
        let unreadable: Vec<String> = errors.iter().map(|error| error.field.clone()).collect();
        errors.extend(
            validate(&spec)
                .into_iter()
                .filter(|error| !unreadable.contains(&error.field)),
        );
        if errors.is_empty() {
            Ok(spec)
        } else {
            Err(errors)
        }
    }
}

fn jpeg_step(text: &str) -> Result<JpegStep, String> {
    JpegStep::ALL
        .into_iter()
        .find(|step| step.id() == text)
        .ok_or_else(|| format!("no JPEG step is called `{text}`"))
}

/// The text, or none where it is empty.
fn some_text(text: &str) -> Result<Option<String>, String> {
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

fn corruption_source(text: &str) -> Result<CorruptionSource, String> {
    [CorruptionSource::Generated, CorruptionSource::Published]
        .into_iter()
        .find(|source| source.id() == text)
        .ok_or_else(|| format!("`{text}` is not a source of corrupted images"))
}

fn corruptions(text: &str) -> Result<Vec<Corruption>, String> {
    let names = text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    names.map(|name| name.parse().map_err(message)).collect()
}

fn severities(text: &str) -> Result<Vec<u8>, String> {
    let numbers = parse::whole_numbers(text)?.into_iter();
    numbers
        .map(|number| {
            u8::try_from(number)
                .ok()
                .filter(|severity| SEVERITIES.contains(severity))
                .ok_or_else(|| format!("{number} is not between 1 and 5"))
        })
        .collect()
}

fn message(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn whole(text: &str) -> Result<u32, String> {
    match text {
        "" => Err("give a whole number".to_owned()),
        _ => text
            .parse()
            .map_err(|_| format!("`{text}` is not a whole number")),
    }
}

/// A whole number, or none where nothing was typed.
fn some_whole(text: &str) -> Result<Option<u32>, String> {
    match text {
        "" => Ok(None),
        _ => whole(text).map(Some),
    }
}

fn number(text: &str) -> Result<f64, String> {
    match text {
        "" => Err("give a number".to_owned()),
        _ => text
            .parse()
            .map_err(|_| format!("`{text}` is not a number; write, for example, 0.1 or 1e-4")),
    }
}

fn augmentation(text: &str) -> Result<Augmentation, String> {
    Augmentation::ALL
        .into_iter()
        .find(|augmentation| augmentation.id() == text)
        .ok_or_else(|| format!("no augmentation is called `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::preset::presets;

    /// Broken by: a field that the form forgets, rounds, or writes in a way it cannot read.
    #[test]
    fn every_preset_goes_through_the_form_unchanged() {
        let base = presets().remove(0).spec;
        for preset in presets() {
            assert_eq!(Draft::from(&preset.spec).spec(&base), Ok(preset.spec));
        }
    }

    /// Broken by: an edit that is lost over a reload, or a text of another version that spoils the form.
    #[test]
    fn what_was_typed_is_taken_over() {
        let start = Draft::from(&presets().remove(0).spec);
        let mut edited = start.clone();
        edited.set("name", "“My” name,\nin two lines".to_owned());
        edited.set("alphas", "not yet a".to_owned());
        let mut again = start.clone();
        again.take(&edited.text());
        assert_eq!(again, edited);
        again.take(r#"{"no_such_field": "x"}"#);
        again.take("no such text");
        assert_eq!(again, edited);
    }

    /// Broken by: an unreadable field that hides the others' errors, or is complained of twice.
    #[test]
    fn every_wrong_field_is_named_once() {
        let base = presets().remove(0).spec;
        let mut draft = Draft::from(&base);
        for (path, value) in [
            ("name", ""),
            ("alphas", "1, x"),
            ("seeds", ""),
            ("training.epochs", "-3"),
            ("training.momentum", "1"),
            ("training.augmentation", "mixup"),
        ] {
            draft.set(path, value.into());
        }
        let mut fields: Vec<_> = draft
            .spec(&base)
            .unwrap_err()
            .into_iter()
            .map(|error| error.field)
            .collect();
        fields.sort();
        assert_eq!(
            fields,
            [
                "alphas",
                "name",
                "seeds",
                "training.augmentation",
                "training.epochs",
                "training.momentum"
            ]
        );
    }

    /// Broken by: an empty field taken for 0 images, which is refused.
    #[test]
    fn no_limit_on_training_images_is_an_empty_field() {
        let base = presets().remove(0).spec;
        let mut draft = Draft::from(&base);
        draft.set("training.train_images_per_class", " ".into());
        let spec = draft.spec(&base).unwrap();
        assert_eq!(spec.training.train_images_per_class, None);
    }

    /// Broken by: an evaluation that stays on after it was switched off, a seed that makes published images be
    /// refused, or a wrong field blamed under another name than the server would.
    #[test]
    fn corruptions_are_switched_off_and_on() {
        let base = presets().remove(0).spec;
        let mut draft = Draft::from(&base);
        assert!(draft.spec(&base).unwrap().evaluation.corruptions.is_some());
        draft.set(CORRUPTION_SOURCE, OFF.into());
        draft.set(CORRUPTION_IMAGES, "x".into());
        let off = draft.spec(&base).unwrap();
        assert_eq!(off.evaluation.corruptions, None);
        // A copy of an experiment without corruptions: switched on, it asks for all of them.
        let mut draft = Draft::from(&off);
        draft.set(CORRUPTION_SOURCE, "published".into());
        draft.set(CORRUPTION_SEED, "7".into());
        draft.set(CORRUPTION_JPEG, "off".into());
        draft.set(CORRUPTION_FROST, "frost".into());
        let corruptions = draft.evaluation().unwrap().corruptions.unwrap();
        assert_eq!(
            (corruptions.corruptions.len(), corruptions.corruption_seed),
            (19, 0)
        );
        assert_eq!(
            (corruptions.jpeg, corruptions.frost_photographs),
            (JpegStep::AsPublished, None)
        );
        for (path, value) in [
            (CORRUPTION_SOURCE, "drawn"),
            (CORRUPTIONS, ""),
            (CORRUPTION_SEVERITIES, "6"),
            (CORRUPTION_IMAGES, "0"),
            (CORRUPTION_SEED, "-1"),
            (CORRUPTION_JPEG, "perhaps"),
            (CORRUPTION_FROST, "/frost"),
        ] {
            let mut draft = Draft::from(&base.evaluation);
            draft.set(path, value.into());
            let fields: Vec<_> = draft
                .evaluation()
                .unwrap_err()
                .into_iter()
                .map(|error| error.field)
                .collect();
            assert_eq!(fields, [path]);
        }
    }

    /// Broken by: attacks that stay on after they were switched off, a copied experiment whose own attacks are
    /// replaced by one of the form's choices, or a wrong field blamed under another name than the server would.
    #[test]
    fn attacks_are_chosen_and_others_are_carried_unchanged() {
        let base = presets().remove(0).spec;
        let attacks = |draft: &Draft| draft.evaluation().unwrap().attacks;
        let mut draft = Draft::from(&base.evaluation);
        assert_eq!(draft.get(ATTACKS), SOURCE);
        assert_eq!(attacks(&draft), base.evaluation.attacks);
        draft.set(ATTACKS, AUTO.into());
        let both = draft.evaluation().unwrap();
        assert_eq!(both.attacks.as_ref().unwrap().attacks.len(), 14);
        assert_eq!(Draft::from(&both).get(ATTACKS), AUTO);
        draft.set(ATTACKS, OFF.into());
        draft.set(ATTACK_IMAGES, "x".into());
        assert_eq!(attacks(&draft), None);

        // Radii that have no short decimal.
        let mut copied = base.evaluation.clone();
        copied.attacks = Some(AttackSpec {
            attacks: vec![Attack::pgd(1.0 / 3.0, 0.1, 7)],
            images: Some(11),
            attack_seed: 9,
            check_masking: true,
        });
        let mut draft = Draft::from(&copied);
        assert_eq!(draft.get(ATTACKS), KEPT);
        assert_eq!(attacks(&draft), copied.attacks);
        draft.set(ATTACKS, OFF.into());
        assert_eq!(attacks(&draft), None);
        draft.set(ATTACKS, KEPT.into());
        assert_eq!(attacks(&draft), copied.attacks);
        for (path, value) in [
            (ATTACKS, "all"),
            (ATTACK_IMAGES, "0"),
            (ATTACK_SEED, "-1"),
            (CHECK_MASKING, "perhaps"),
        ] {
            let mut draft = Draft::from(&copied);
            draft.set(path, value.into());
            let fields: Vec<_> = draft
                .evaluation()
                .unwrap_err()
                .into_iter()
                .map(|error| error.field)
                .collect();
            assert_eq!(fields, [path]);
        }
    }

    /// Broken by: dimensionality or gradients that stay on after they were switched off, a copied experiment whose perturbations
    /// are replaced by those of [`SOURCE`], a seed that makes published images be refused, or a wrong field blamed under another
    /// name than the server would.
    #[test]
    fn geometry_is_chosen_and_other_perturbations_are_carried_unchanged() {
        let base = presets().remove(0).spec;
        let mut draft = Draft::from(&base.evaluation);
        assert_eq!(
            (draft.get(DIMENSIONALITY), draft.get(GRADIENTS)),
            (SOURCE, ON)
        );
        draft.set(DIMENSIONALITY, OFF.into());
        draft.set(ACTIVATION_IMAGES, "x".into());
        draft.set(GRADIENTS, OFF.into());
        draft.set(GRADIENT_IMAGES, "".into());
        let off = draft.evaluation().unwrap();
        assert_eq!((off.dimensionality, off.input_unit_gradients), (None, None));

        // No corruption, an attack of its own, and every other field unlike its default.
        let mut copied = base.evaluation.clone();
        copied.dimensionality = Some(DimensionalitySpec {
            source: CorruptionSource::Generated,
            corruptions: Vec::new(),
            severities: Vec::new(),
            attacks: vec![Attack::fgsm(1.0 / 3.0)],
            images: Some(31),
            activation_images: Some(17),
            corruption_seed: 5,
            jpeg: JpegStep::Off,
            frost_photographs: None,
        });
        copied.input_unit_gradients = Some(InputUnitGradientSpec { images: 3 });
        let mut draft = Draft::from(&copied);
        assert_eq!(draft.get(DIMENSIONALITY), KEPT);
        assert_eq!(draft.evaluation(), Ok(copied.clone()));
        draft.set(DIMENSIONALITY, SOURCE.into());
        let dimensionality = draft.evaluation().unwrap().dimensionality.unwrap();
        assert_eq!(
            (dimensionality.corruptions.len(), dimensionality.images),
            (19, Some(31))
        );
        draft.set(DIMENSIONALITY, KEPT.into());
        assert_eq!(draft.evaluation(), Ok(copied.clone()));
        draft.set(DIMENSIONALITY_SOURCE, "published".into());
        let dimensionality = draft.evaluation().unwrap().dimensionality.unwrap();
        assert_eq!(dimensionality.corruption_seed, 0);
        for (path, value) in [
            (DIMENSIONALITY, "all"),
            (DIMENSIONALITY_SOURCE, "drawn"),
            (DIMENSIONALITY_IMAGES, "1"),
            (ACTIVATION_IMAGES, "10000"),
            (DIMENSIONALITY_SEED, "-1"),
            (DIMENSIONALITY_JPEG, "perhaps"),
            (DIMENSIONALITY_FROST, "frost"),
            (GRADIENTS, "perhaps"),
            (GRADIENT_IMAGES, ""),
        ] {
            let mut draft = Draft::from(&copied);
            draft.set(path, value.into());
            let fields: Vec<_> = draft
                .evaluation()
                .unwrap_err()
                .into_iter()
                .map(|error| error.field)
                .collect();
            assert_eq!(fields, [path]);
        }
    }

    /// Broken by: a JPEG step or photographs of frost that the form loses, or that specs written by it leave to a
    /// default.
    #[test]
    fn how_corruptions_are_drawn_goes_through_the_form_unchanged() {
        let mut corruptions = CorruptionSpec::everything(None);
        corruptions.jpeg = JpegStep::Off;
        corruptions.frost_photographs = Some("frost".into());
        let mut dimensionality = DimensionalitySpec::source(None);
        dimensionality.frost_photographs = Some("ice".into());
        let spec = EvaluationSpec {
            corruptions: Some(corruptions),
            dimensionality: Some(dimensionality),
            ..EvaluationSpec::default()
        };
        let mut draft = Draft::from(&spec);
        assert_eq!(draft.evaluation(), Ok(spec));
        draft.set(CORRUPTION_JPEG, "as_published".into());
        draft.set(CORRUPTION_FROST, " ".into());
        let corruptions = draft.evaluation().unwrap().corruptions.unwrap();
        assert_eq!(corruptions.frost_photographs, None);
        let written = serde_json::to_string(&corruptions).unwrap();
        assert!(written.contains(r#""jpeg":"as_published""#), "{written}");
    }

    /// Broken by: a form that accepts dimensionality on the published Tiny ImageNet-C, whose images have no clean counterparts.
    #[test]
    fn differences_to_the_published_tiny_imagenet_c_are_refused_in_the_form() {
        let mut spec = presets().remove(0).spec;
        let mut draft = Draft::from(&spec);
        draft.set("dataset", "tiny-imagenet".into());
        draft.set(CORRUPTION_SOURCE, "published".into());
        draft.set(DIMENSIONALITY, SOURCE.into());
        spec.dataset = Dataset::TinyImagenet;
        assert!(draft.spec(&spec).is_ok());
        draft.set(DIMENSIONALITY_SOURCE, "published".into());
        let fields = |errors: Vec<FieldError>| -> Vec<String> {
            errors.into_iter().map(|error| error.field).collect()
        };
        let errors = draft.spec(&spec).unwrap_err();
        assert_eq!(fields(errors), [DIMENSIONALITY_SOURCE]);
        let errors = draft.evaluation_on(&Dataset::TinyImagenet).unwrap_err();
        assert_eq!(fields(errors), [DIMENSIONALITY_SOURCE]);
        assert!(draft.evaluation_on(&Dataset::Cifar10).is_ok());
    }

    /// Broken by: geometry that, once switched on, looks at other corrupted images than the corruptions' test.
    #[test]
    fn dimensionality_begins_on_the_images_of_the_corruptions() {
        let mut corruptions = CorruptionSpec::everything(Some(120));
        corruptions.corruption_seed = 4;
        corruptions.jpeg = JpegStep::Off;
        corruptions.frost_photographs = Some("frost".into());
        let spec = EvaluationSpec {
            corruptions: Some(corruptions),
            ..EvaluationSpec::default()
        };
        let mut draft = Draft::from(&spec);
        draft.set(DIMENSIONALITY, SOURCE.into());
        draft.set(GRADIENTS, ON.into());
        let evaluation = draft.evaluation().unwrap();
        let dimensionality = evaluation.dimensionality.unwrap();
        assert_eq!(dimensionality.corrupted(), evaluation.corruptions.unwrap());
        assert_eq!(evaluation.input_unit_gradients.unwrap().images, 30);
    }

    /// Broken by: a copied experiment that requests something else from the cluster, a field of the cluster that is refused
    /// though this machine was chosen, or an error under another field's name than the server's.
    #[test]
    fn what_is_asked_of_a_cluster_goes_through_the_form_unchanged() {
        let mut base = presets().remove(0).spec;
        base.executor = ExecutorSpec::Slurm(SlurmSpec {
            partition: Some("gpu".into()),
            account: Some("lab".into()),
            qos: Some("long".into()),
            time_minutes: Some(90),
            memory_mib: Some(4000),
            cpus: 3,
            gres: Some("gpu:1".into()),
            at_once: Some(4),
            requeues: 7,
            setup: "module load vulkan\nexport A=1".into(),
            flags: "--exclusive\n-C avx512".into(),
        });
        let draft = Draft::from(&base);
        assert_eq!(draft.spec(&base), Ok(base.clone()));
        for (path, value) in [
            (EXECUTOR, "pbs"),
            ("executor.slurm.partition", "a b"),
            ("executor.slurm.time_minutes", "0"),
            ("executor.slurm.cpus", ""),
            ("executor.slurm.flags", "exclusive"),
        ] {
            let mut draft = draft.clone();
            draft.set(path, value.into());
            let errors = draft.spec(&base).unwrap_err().into_iter();
            let fields: Vec<String> = errors.map(|error| error.field).collect();
            assert_eq!(fields, [path]);
            draft.set(EXECUTOR, "local".into());
            assert_eq!(draft.spec(&base).unwrap().executor, ExecutorSpec::Local);
        }
    }

    /// Broken by: a box that is ticked and does not count, or a list in the order of the clicks.
    #[test]
    fn a_list_is_ticked_entry_by_entry() {
        let mut draft = Draft::from(&EvaluationSpec::default());
        let all = || SEVERITIES.iter().map(u8::to_string);
        for (entry, wanted) in [("2", false), ("4", false), ("2", true)] {
            let list = draft.with_entry(CORRUPTION_SEVERITIES, all(), entry, wanted);
            draft.set(CORRUPTION_SEVERITIES, list);
        }
        assert_eq!(draft.get(CORRUPTION_SEVERITIES), "1, 2, 3, 5");
    }
}
