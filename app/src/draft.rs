//! Forms as text: what was typed, kept as typed, whether it is right or not.

use std::collections::BTreeMap;

use protocol::attack::{Attack, AttackSpec};
use protocol::corruption::{Corruption, JpegStep, SEVERITIES};
use protocol::dimensionality::DimensionalitySpec;
use protocol::evaluation::{CorruptionSource, CorruptionSpec};
use protocol::gradient::InputUnitGradientSpec;
use protocol::validate::FieldError;
use protocol::{Augmentation, Dataset, EvaluationSpec, ExperimentSpec, Network, TrainingSpec};

use crate::parse;

/// What every field holds, by the field's path in the spec, for example `training.epochs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    typed: BTreeMap<&'static str, String>,
    /// Attacks that are none of the form's choices: what [`KEPT`] stands for. Empty where there are none.
    kept: Vec<Attack>,
    /// Dimensionality of perturbations that are none of the form's choices: what [`KEPT`] stands for there.
    kept_dimensionality: Option<DimensionalitySpec>,
}

/// What [`CORRUPTION_SOURCE`] holds where nothing is corrupted, [`ATTACKS`] where nothing is attacked, and
/// [`DIMENSIONALITY`] and [`GRADIENTS`] where neither is measured.
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
/// Path of whether generated corruptions go through a JPEG file: a step's name.
pub const CORRUPTION_JPEG: &str = "evaluation.corruptions.jpeg";
/// Path of the name of the folder with photographs of frost; empty: the drawn texture.
pub const CORRUPTION_FROST: &str = "evaluation.corruptions.frost_photographs";

/// Path of the field that says which attacks are made: [`OFF`], [`SOURCE`], [`AUTO`] or [`KEPT`].
pub const ATTACKS: &str = "evaluation.attacks.attacks";
/// What [`ATTACKS`] holds for the source's attacks: FGSM over epsilon, PGD over steps.
pub const SOURCE: &str = "source";
/// What [`ATTACKS`] holds for the source's attacks and AutoAttack at two radii.
pub const AUTO: &str = "auto-attack";
/// What [`ATTACKS`] holds for the attacks that the form began with, where they are none of its choices.
pub const KEPT: &str = "kept";
/// Path of the number of attacked images.
pub const ATTACK_IMAGES: &str = "evaluation.attacks.images";
/// Path of the seed of attacks.
pub const ATTACK_SEED: &str = "evaluation.attacks.attack_seed";
/// Path of whether to look for gradient masking: `true` or `false`.
pub const CHECK_MASKING: &str = "evaluation.attacks.check_masking";

/// Path of the field that says whose dimensionality is measured: [`OFF`], [`SOURCE`] or [`KEPT`].
pub const DIMENSIONALITY: &str = "evaluation.dimensionality";
/// Path of the field that says where the corrupted images come from whose dimensionality is measured.
pub const DIMENSIONALITY_SOURCE: &str = "evaluation.dimensionality.source";
/// Path of the number of images whose dimensionality is measured.
pub const DIMENSIONALITY_IMAGES: &str = "evaluation.dimensionality.images";
/// Path of the number of images on which the same is measured of full activations.
pub const ACTIVATION_IMAGES: &str = "evaluation.dimensionality.activation_images";
/// Path of the seed of the corruptions whose dimensionality is measured.
pub const DIMENSIONALITY_SEED: &str = "evaluation.dimensionality.corruption_seed";
/// As [`CORRUPTION_JPEG`], for the corruptions whose dimensionality is measured.
pub const DIMENSIONALITY_JPEG: &str = "evaluation.dimensionality.jpeg";
/// As [`CORRUPTION_FROST`], for the corruptions whose dimensionality is measured.
pub const DIMENSIONALITY_FROST: &str = "evaluation.dimensionality.frost_photographs";

/// Path of the field that says whether input-unit gradients are measured: [`OFF`] or [`ON`].
pub const GRADIENTS: &str = "evaluation.input_unit_gradients";
/// What [`GRADIENTS`] holds where they are measured.
pub const ON: &str = "on";
/// Path of the number of images on which input-unit gradients are measured.
pub const GRADIENT_IMAGES: &str = "evaluation.input_unit_gradients.images";

/// Images for input-unit gradients where no preset says otherwise.
const DEFAULT_GRADIENT_IMAGES: u32 = 200;

/// Whether `spec` measures the perturbations of [`DimensionalitySpec::source`].
fn is_source(spec: &DimensionalitySpec) -> bool {
    let source = DimensionalitySpec::source(None);
    spec.corruptions == source.corruptions
        && spec.severities == source.severities
        && spec.attacks == source.attacks
}

/// The source's attacks, and AutoAttack at the radii 8/255, where nothing stands, and 1/255, where something may.
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
        let mut draft = Draft::from(&spec.evaluation);
        Pass::Write(&mut draft.typed).experiment(&mut spec.clone());
        draft
    }
}

impl From<&EvaluationSpec> for Draft {
    /// Where nothing is corrupted, the other fields hold what is most often wanted once something is.
    fn from(spec: &EvaluationSpec) -> Draft {
        let mut typed = BTreeMap::new();
        let mut pass = Pass::Write(&mut typed);
        let mut corruptions = spec
            .corruptions
            .clone()
            .unwrap_or_else(|| CorruptionSpec::everything(None));
        pass.corruptions(&mut corruptions);
        let source = AttackSpec::source(None);
        let mut attacked = spec.attacks.clone().unwrap_or_else(|| source.clone());
        pass.attacks(&mut attacked);
        // Where it is off, it begins on the same images as the corruptions.
        let mut dimensionality =
            spec.dimensionality
                .clone()
                .unwrap_or_else(|| DimensionalitySpec {
                    source: spec
                        .corruptions
                        .as_ref()
                        .map_or(CorruptionSource::Generated, |spec| spec.source),
                    corruption_seed: corruptions.corruption_seed,
                    jpeg: corruptions.jpeg,
                    frost_photographs: corruptions.frost_photographs.clone(),
                    ..DimensionalitySpec::source(corruptions.images)
                });
        pass.dimensionality(&mut dimensionality);
        let mut gradients = spec
            .input_unit_gradients
            .unwrap_or_else(|| InputUnitGradientSpec {
                images: corruptions
                    .images
                    .map_or(DEFAULT_GRADIENT_IMAGES, |images| (images / 4).max(2)),
            });
        pass.field(GRADIENT_IMAGES, &mut gradients.images);

        let attacks = match &spec.attacks {
            None => OFF,
            Some(spec) if spec.attacks == source.attacks => SOURCE,
            Some(spec) if spec.attacks == with_auto_attack() => AUTO,
            Some(_) => KEPT,
        };
        let perturbations = match &spec.dimensionality {
            None => OFF,
            Some(spec) if is_source(spec) => SOURCE,
            Some(_) => KEPT,
        };
        let choices = [
            (ATTACKS, attacks),
            (DIMENSIONALITY, perturbations),
            (GRADIENTS, spec.input_unit_gradients.map_or(OFF, |_| ON)),
        ];
        typed.extend(choices.map(|(path, choice)| (path, choice.to_owned())));
        if spec.corruptions.is_none() {
            typed.insert(CORRUPTION_SOURCE, OFF.to_owned());
        }
        Draft {
            typed,
            kept: match attacks {
                KEPT => attacked.attacks,
                _ => Vec::new(),
            },
            kept_dimensionality: (perturbations == KEPT).then_some(dimensionality),
        }
    }
}

impl Draft {
    /// What the field at `path` holds.
    pub fn get(&self, path: &str) -> &str {
        self.typed.get(path).map_or("", String::as_str)
    }

    /// Keeps what was typed.
    pub fn set(&mut self, path: &'static str, value: String) {
        self.typed.insert(path, value);
    }

    /// The spec that is asked for, or everything wrong with it, field by field.
    ///
    /// `base` stands in for what cannot be read, so that the other fields are still checked.
    pub fn spec(&self, base: &ExperimentSpec) -> Result<ExperimentSpec, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut pass = self.reading(&mut errors);
        let mut spec = base.clone();
        pass.experiment(&mut spec);
        spec.notes = self.get("notes").to_owned();
        spec.evaluation = self.asked_evaluation(&mut pass);
        judge(errors, spec, ExperimentSpec::validate)
    }

    /// The evaluation that is asked for, or everything wrong with it, field by field.
    pub fn evaluation(&self) -> Result<EvaluationSpec, Vec<FieldError>> {
        self.evaluation_if(EvaluationSpec::validate)
    }

    /// The evaluation that is asked for on `dataset`, or everything wrong with it there, field by field.
    pub fn evaluation_on(&self, dataset: &Dataset) -> Result<EvaluationSpec, Vec<FieldError>> {
        self.evaluation_if(|spec| spec.validate_on(dataset))
    }

    fn evaluation_if(
        &self,
        validate: impl Fn(&EvaluationSpec) -> Vec<FieldError>,
    ) -> Result<EvaluationSpec, Vec<FieldError>> {
        let mut errors = Vec::new();
        let spec = self.asked_evaluation(&mut self.reading(&mut errors));
        judge(errors, spec, validate)
    }

    fn reading<'a>(&'a self, errors: &'a mut Vec<FieldError>) -> Pass<'a> {
        Pass::Read {
            draft: self,
            errors,
        }
    }

    fn is_off(&self, path: &str) -> bool {
        self.get(path).trim() == OFF
    }

    fn asked_evaluation(&self, pass: &mut Pass) -> EvaluationSpec {
        let corruptions = (!self.is_off(CORRUPTION_SOURCE)).then(|| {
            let mut spec = CorruptionSpec::everything(None);
            pass.corruptions(&mut spec);
            spec
        });
        let attacks = (!self.is_off(ATTACKS)).then(|| {
            let mut spec = AttackSpec::source(None);
            pass.read(ATTACKS, &mut spec.attacks, |text| match text {
                SOURCE => Ok(AttackSpec::source(None).attacks),
                AUTO => Ok(with_auto_attack()),
                KEPT => Ok(self.kept.clone()),
                _ => Err(format!("no choice of attacks is called `{text}`")),
            });
            pass.attacks(&mut spec);
            spec
        });
        let dimensionality = (!self.is_off(DIMENSIONALITY)).then(|| {
            let mut spec = DimensionalitySpec::source(None);
            let kept = &self.kept_dimensionality;
            pass.read(DIMENSIONALITY, &mut spec, |text| match (text, kept) {
                (SOURCE, _) => Ok(DimensionalitySpec::source(None)),
                (KEPT, Some(kept)) => Ok(kept.clone()),
                _ => Err(format!("no choice of dimensionality is called `{text}`")),
            });
            pass.dimensionality(&mut spec);
            spec
        });
        let input_unit_gradients = (!self.is_off(GRADIENTS)).then(|| {
            let mut images = DEFAULT_GRADIENT_IMAGES;
            pass.read(GRADIENTS, &mut (), |choice| match choice {
                ON => Ok(()),
                _ => Err(format!("`{choice}` is neither on nor off")),
            });
            pass.field(GRADIENT_IMAGES, &mut images);
            InputUnitGradientSpec { images }
        });
        EvaluationSpec {
            corruptions,
            attacks,
            dimensionality,
            input_unit_gradients,
        }
    }

    /// The attacks that [`KEPT`] stands for; empty where the form's own choices say all.
    pub fn kept_attacks(&self) -> &[Attack] {
        &self.kept
    }

    /// What [`KEPT`] stands for at [`DIMENSIONALITY`]; none where the form's own choices say all.
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

/// A pass over the fields of a spec, which are listed here once for both ways.
enum Pass<'a> {
    /// Writes what the spec holds.
    Write(&'a mut BTreeMap<&'static str, String>),
    /// Reads what was typed into the spec; what cannot be read leaves it as it was.
    Read {
        draft: &'a Draft,
        errors: &'a mut Vec<FieldError>,
    },
}

impl Pass<'_> {
    fn experiment(&mut self, spec: &mut ExperimentSpec) {
        self.field("name", &mut spec.name);
        self.field("notes", &mut spec.notes);
        self.field("network", &mut spec.network);
        self.field("dataset", &mut spec.dataset);
        self.field("alphas", &mut spec.alphas);
        self.field("seeds", &mut spec.seeds);
        self.field("device", &mut spec.device);
        let TrainingSpec {
            epochs,
            batch_size,
            learning_rate,
            momentum,
            weight_decay,
            learning_rate_milestones,
            learning_rate_factor,
            augmentation,
            validation_images_per_class,
            train_images_per_class,
        } = &mut spec.training;
        self.field("training.epochs", epochs);
        self.field("training.batch_size", batch_size);
        self.field("training.learning_rate", learning_rate);
        self.field("training.momentum", momentum);
        self.field("training.weight_decay", weight_decay);
        self.field(
            "training.learning_rate_milestones",
            learning_rate_milestones,
        );
        self.field("training.learning_rate_factor", learning_rate_factor);
        self.field("training.augmentation", augmentation);
        let validation = validation_images_per_class;
        self.field("training.validation_images_per_class", validation);
        self.field("training.train_images_per_class", train_images_per_class);
    }

    fn corruptions(&mut self, spec: &mut CorruptionSpec) {
        self.field(CORRUPTION_SOURCE, &mut spec.source);
        self.field(CORRUPTIONS, &mut spec.corruptions);
        self.field(CORRUPTION_SEVERITIES, &mut spec.severities);
        self.field(CORRUPTION_IMAGES, &mut spec.images);
        if self.counts(spec.source) {
            self.field(CORRUPTION_SEED, &mut spec.corruption_seed);
            self.field(CORRUPTION_JPEG, &mut spec.jpeg);
            self.field(CORRUPTION_FROST, &mut spec.frost_photographs);
        }
    }

    /// Whether how corruptions are drawn counts. Published images are drawn already: what was typed before they were
    /// chosen does not count.
    fn counts(&self, source: CorruptionSource) -> bool {
        source == CorruptionSource::Generated || matches!(self, Pass::Write(_))
    }

    /// All but which attacks: they are chosen together.
    fn attacks(&mut self, spec: &mut AttackSpec) {
        self.field(ATTACK_IMAGES, &mut spec.images);
        self.field(ATTACK_SEED, &mut spec.attack_seed);
        self.field(CHECK_MASKING, &mut spec.check_masking);
    }

    /// All but which perturbations: they are chosen together.
    fn dimensionality(&mut self, spec: &mut DimensionalitySpec) {
        self.field(DIMENSIONALITY_SOURCE, &mut spec.source);
        self.field(DIMENSIONALITY_IMAGES, &mut spec.images);
        self.field(ACTIVATION_IMAGES, &mut spec.activation_images);
        if self.counts(spec.source) {
            self.field(DIMENSIONALITY_SEED, &mut spec.corruption_seed);
            self.field(DIMENSIONALITY_JPEG, &mut spec.jpeg);
            self.field(DIMENSIONALITY_FROST, &mut spec.frost_photographs);
        } else {
            spec.corruption_seed = 0;
            spec.jpeg = JpegStep::AsPublished;
            spec.frost_photographs = None;
        }
    }

    fn field<T: Typed>(&mut self, path: &'static str, value: &mut T) {
        match self {
            Pass::Write(typed) => {
                typed.insert(path, value.write());
            }
            Pass::Read { .. } => self.read(path, value, T::read),
        }
    }

    /// Reads what is no field of a spec by itself.
    fn read<T>(&mut self, path: &str, into: &mut T, read: impl Fn(&str) -> Result<T, String>) {
        if let Pass::Read { draft, errors } = self {
            match read(draft.get(path).trim()) {
                Ok(value) => *into = value,
                Err(reason) => errors.push(FieldError::new(path, reason)),
            }
        }
    }
}

/// `spec`, or what could not be read of it and what `validate` says of the rest.
fn judge<T>(
    mut errors: Vec<FieldError>,
    spec: T,
    validate: impl Fn(&T) -> Vec<FieldError>,
) -> Result<T, Vec<FieldError>> {
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

/// A value of a spec as a field holds it.
trait Typed: Sized {
    /// As a field holds it.
    fn write(&self) -> String;
    /// Reads it back, without space around it; what is wrong with it otherwise.
    fn read(text: &str) -> Result<Self, String>;
}

/// A type that is written by the first function, and read by the second.
macro_rules! typed {
    ($($type:ty: $write:expr, $read:expr;)*) => {
        $(impl Typed for $type {
            fn write(&self) -> String {
                ($write)(self)
            }

            fn read(text: &str) -> Result<Self, String> {
                ($read)(text)
            }
        })*
    };
}

typed! {
    String: String::clone, |text: &str| Ok(text.to_owned());
    bool: bool::to_string, |text: &str| {
        text.parse().map_err(|_| format!("`{text}` is neither true nor false"))
    };
    u32: u32::to_string, whole;
    Option<u32>: |held: &Option<u32>| held.map_or(String::new(), |held| held.to_string()), |text: &str| match text {
        "" => Ok(None),
        _ => whole(text).map(Some),
    };
    u64: u64::to_string, |text: &str| {
        text.parse().map_err(|_| format!("`{text}` is not a whole number of 0 or more"))
    };
    f64: f64::to_string, number;
    Vec<f64>: |all: &Vec<f64>| list(all), parse::numbers;
    Vec<u32>: |all: &Vec<u32>| list(all), parse::whole_numbers;
    Vec<u64>: |seeds: &Vec<u64>| parse::write_seeds(seeds), parse::seeds;
    Vec<u8>: |all: &Vec<u8>| list(all), severities;
    Vec<Corruption>: |all: &Vec<Corruption>| list(all), corruptions;
    Network: |network: &Network| network.id().to_owned(), |text: &str| text.parse().map_err(reason);
    Dataset: Dataset::to_string, |text: &str| text.parse().map_err(reason);
    Augmentation: |augmentation: &Augmentation| augmentation.id().to_owned(), augmentation;
    Option<String>: |held: &Option<String>| held.clone().unwrap_or_default(), |text: &str| {
        Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
    };
    JpegStep: |step: &JpegStep| step.id().to_owned(), jpeg_step;
    CorruptionSource: |source: &CorruptionSource| source.id().to_owned(), corruption_source;
}

fn jpeg_step(text: &str) -> Result<JpegStep, String> {
    JpegStep::ALL
        .into_iter()
        .find(|step| step.id() == text)
        .ok_or_else(|| format!("no JPEG step is called `{text}`"))
}

fn corruption_source(text: &str) -> Result<CorruptionSource, String> {
    [CorruptionSource::Generated, CorruptionSource::Published]
        .into_iter()
        .find(|source| source.id() == text)
        .ok_or_else(|| format!("corrupted images do not come from `{text}`"))
}

fn corruptions(text: &str) -> Result<Vec<Corruption>, String> {
    let names = text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    names.map(|name| name.parse().map_err(reason)).collect()
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

fn reason(error: impl std::fmt::Display) -> String {
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

fn number(text: &str) -> Result<f64, String> {
    match text {
        "" => Err("give a number".to_owned()),
        _ => text
            .parse()
            .map_err(|_| format!("`{text}` is not a number; write for example 0.1 or 1e-4")),
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
        let asked = draft.evaluation().unwrap().corruptions.unwrap();
        assert_eq!((asked.corruptions.len(), asked.corruption_seed), (19, 0));
        assert_eq!(
            (asked.jpeg, asked.frost_photographs),
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
        let asked = |draft: &Draft| draft.evaluation().unwrap().attacks;
        let mut draft = Draft::from(&base.evaluation);
        assert_eq!(draft.get(ATTACKS), SOURCE);
        assert_eq!(asked(&draft), base.evaluation.attacks);
        draft.set(ATTACKS, AUTO.into());
        let both = draft.evaluation().unwrap();
        assert_eq!(both.attacks.as_ref().unwrap().attacks.len(), 14);
        assert_eq!(Draft::from(&both).get(ATTACKS), AUTO);
        draft.set(ATTACKS, OFF.into());
        draft.set(ATTACK_IMAGES, "x".into());
        assert_eq!(asked(&draft), None);

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
        assert_eq!(asked(&draft), copied.attacks);
        draft.set(ATTACKS, OFF.into());
        assert_eq!(asked(&draft), None);
        draft.set(ATTACKS, KEPT.into());
        assert_eq!(asked(&draft), copied.attacks);
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

    /// Broken by: dimensionality or gradients that stay on after they were switched off, a copied experiment whose
    /// own perturbations are replaced by the source's, a seed that makes published images be refused, or a wrong
    /// field blamed under another name than the server would.
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
        let asked = draft.evaluation().unwrap().dimensionality.unwrap();
        assert_eq!((asked.corruptions.len(), asked.images), (19, Some(31)));
        draft.set(DIMENSIONALITY, KEPT.into());
        assert_eq!(draft.evaluation(), Ok(copied.clone()));
        draft.set(DIMENSIONALITY_SOURCE, "published".into());
        let asked = draft.evaluation().unwrap().dimensionality.unwrap();
        assert_eq!(asked.corruption_seed, 0);
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
        let asked = draft.evaluation().unwrap().corruptions.unwrap();
        assert_eq!(asked.frost_photographs, None);
        let written = serde_json::to_string(&asked).unwrap();
        assert!(written.contains(r#""jpeg":"as_published""#), "{written}");
    }

    /// Broken by: a form that lets the difference to the published Tiny ImageNet-C be asked for.
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
        let asked = draft.evaluation().unwrap();
        let dimensionality = asked.dimensionality.unwrap();
        assert_eq!(dimensionality.corrupted(), asked.corruptions.unwrap());
        assert_eq!(asked.input_unit_gradients.unwrap().images, 30);
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
