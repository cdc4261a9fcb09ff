//! A form's state: what was typed, kept as typed, whether it is right or not. [`texts`] makes texts of a spec and reads them
//! again; here are the choices that stand for several fields of it, and what is switched off.

use protocol::attack::{Attack, AttackSpec};
use protocol::corruption::JpegStep;
use protocol::corruption_evaluation::{CorruptionSource, CorruptionSpec};
use protocol::dimensionality::DimensionalitySpec;
use protocol::field_error::FieldError;
use protocol::gradient::InputUnitGradientSpec;
use protocol::{Dataset, EvaluationSpec, ExecutorSpec, ExperimentSpec, MoreRuns};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::form::parse;
use crate::form::texts::{self, Texts};

/// What every field holds, by the field's path in the spec, for example `training.epochs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    typed: Texts,
    /// What the form began with, with every test that can be switched on.
    start: Value,
    /// Whether it began with attacks that are not among the form's choices; [`KEPT`] stands for them.
    pub keeps_attacks: bool,
    /// Whether it began with a dimensionality that is not among the form's choices; [`KEPT`] stands for it.
    pub keeps_dimensionality: bool,
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

/// Path of the evaluation, whose fields are all below it.
const EVALUATION: &str = "evaluation";
/// Path of the test on corruptions.
const CORRUPTION_TEST: &str = "evaluation.corruptions";
/// Path of the test with attacks.
const ATTACK_TEST: &str = "evaluation.attacks";
/// Path of the corruptions that [`DIMENSIONALITY`] chooses.
const DIMENSIONALITY_CORRUPTIONS: &str = "evaluation.dimensionality.corruptions";
/// Path of the severities that [`DIMENSIONALITY`] chooses.
const DIMENSIONALITY_SEVERITIES: &str = "evaluation.dimensionality.severities";
/// Path of the attacks that [`DIMENSIONALITY`] chooses.
const DIMENSIONALITY_ATTACKS: &str = "evaluation.dimensionality.attacks";

/// Fields of a spec that no input edits. They stay as the form began; edits of an earlier visit do not bring old ones back.
const WITHOUT_INPUT: [&str; 3] = [
    "retries",
    DIMENSIONALITY_CORRUPTIONS,
    DIMENSIONALITY_SEVERITIES,
];

/// The attacks of Leavitt & Morcos (2020), and AutoAttack at the radii 8/255, where no network holds, and 1/255, where one may.
fn with_auto_attack() -> Vec<Attack> {
    let mut attacks = AttackSpec::source(None).attacks;
    attacks.extend([8.0, 1.0].map(Attack::auto_attack));
    attacks
}

/// `spec` with every test. One that it leaves out has what the form shows when it is switched on: the most common choices, and
/// geometry on the images of the corruptions.
fn with_every_test(spec: &EvaluationSpec) -> EvaluationSpec {
    let corruptions = spec
        .corruptions
        .clone()
        .unwrap_or_else(|| CorruptionSpec::everything(None));
    let images = corruptions.images;
    let same_images = DimensionalitySpec {
        source: corruptions.source,
        corruption_seed: corruptions.corruption_seed,
        jpeg: corruptions.jpeg,
        frost_photographs: corruptions.frost_photographs.clone(),
        ..DimensionalitySpec::source(images)
    };
    let gradients = InputUnitGradientSpec {
        images: images.map_or(DEFAULT_GRADIENT_IMAGES, |images| (images / 4).max(2)),
    };
    EvaluationSpec {
        corruptions: Some(corruptions),
        attacks: spec.attacks.clone().or(Some(AttackSpec::source(None))),
        dimensionality: spec.dimensionality.clone().or(Some(same_images)),
        input_unit_gradients: spec.input_unit_gradients.or(Some(gradients)),
    }
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

/// Which choice of dimensionality the form shows for `spec`.
fn dimensionality_choice(spec: Option<&DimensionalitySpec>) -> &'static str {
    let Some(spec) = spec else { return OFF };
    let source = DimensionalitySpec::source(None);
    let same = spec.corruptions == source.corruptions
        && spec.severities == source.severities
        && spec.attacks == source.attacks;
    if same { SOURCE } else { KEPT }
}

/// A part of a spec as JSON.
fn json(part: impl Serialize) -> Value {
    // Structs of numbers and texts can always be written.
    serde_json::to_value(part).unwrap_or_default()
}

impl From<&ExperimentSpec> for Draft {
    fn from(spec: &ExperimentSpec) -> Draft {
        // The cluster's fields have their defaults where it is not used.
        let slurm = spec.executor.slurm().cloned().unwrap_or_default();
        let start = ExperimentSpec {
            executor: ExecutorSpec::Slurm(slurm),
            evaluation: with_every_test(&spec.evaluation),
            ..spec.clone()
        };
        let mut draft = Draft::new::<ExperimentSpec>("", json(start));
        draft.choose(&spec.evaluation);
        draft.set(EXECUTOR, spec.executor.kind().id().to_owned());
        draft.set("seeds", parse::write_seeds(&spec.seeds));
        draft
    }
}

impl From<&EvaluationSpec> for Draft {
    fn from(spec: &EvaluationSpec) -> Draft {
        let start = serde_json::json!({ EVALUATION: with_every_test(spec) });
        let mut draft = Draft::new::<EvaluationSpec>(EVALUATION, start);
        draft.choose(spec);
        draft
    }
}

impl From<&MoreRuns> for Draft {
    fn from(more: &MoreRuns) -> Draft {
        Draft::new::<MoreRuns>("", json(more))
    }
}

impl Draft {
    /// A form of the fields of the `T` at `path` of `start`.
    fn new<T: DeserializeOwned>(path: &str, start: Value) -> Draft {
        let mut typed = texts::write::<T>(path, &start);
        typed.retain(|path, _| !WITHOUT_INPUT.contains(&path.as_str()));
        Draft {
            typed,
            start,
            keeps_attacks: false,
            keeps_dimensionality: false,
        }
    }

    /// Chooses what `spec` has, and switches off what it leaves out.
    fn choose(&mut self, spec: &EvaluationSpec) {
        let attacks = attack_choice(spec.attacks.as_ref());
        let dimensionality = dimensionality_choice(spec.dimensionality.as_ref());
        let gradients = spec.input_unit_gradients.map_or(OFF, |_| ON);
        self.keeps_attacks = attacks == KEPT;
        self.keeps_dimensionality = dimensionality == KEPT;
        self.set(ATTACKS, attacks.to_owned());
        self.set(DIMENSIONALITY, dimensionality.to_owned());
        self.set(GRADIENTS, gradients.to_owned());
        if spec.corruptions.is_none() {
            self.set(CORRUPTION_SOURCE, OFF.to_owned());
        }
    }

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
        let mut typed: Texts = serde_json::from_str(text).unwrap_or_default();
        for (path, value) in &mut self.typed {
            if let Some(kept) = typed.remove(path) {
                *value = kept;
            }
        }
    }

    /// Keeps what was typed.
    pub fn set(&mut self, path: &str, value: String) {
        self.typed.insert(path.to_owned(), value);
    }

    /// The spec, or everything wrong with it, field by field.
    pub fn spec(&self) -> Result<ExperimentSpec, Vec<FieldError>> {
        let spec = self.read("", ExperimentSpec::validate)?;
        Ok(ExperimentSpec {
            name: spec.name.trim().to_owned(),
            device: spec.device.trim().to_owned(),
            ..spec
        })
    }

    /// The evaluation, or everything wrong with it, field by field.
    pub fn evaluation(&self) -> Result<EvaluationSpec, Vec<FieldError>> {
        self.read(EVALUATION, EvaluationSpec::validate)
    }

    /// The evaluation on `dataset`, or everything wrong with it there, field by field.
    pub fn evaluation_on(&self, dataset: &Dataset) -> Result<EvaluationSpec, Vec<FieldError>> {
        self.read(EVALUATION, |spec: &EvaluationSpec| {
            spec.validate_on(dataset)
        })
    }

    /// The `T` at `path`, or its unreadable fields and the errors that `validate` finds in the others. A field that cannot be
    /// read counts as the form began.
    pub fn read<T: DeserializeOwned>(
        &self,
        path: &str,
        validate: impl Fn(&T) -> Vec<FieldError>,
    ) -> Result<T, Vec<FieldError>> {
        let Settled {
            start,
            typed,
            mut errors,
        } = Settled::new(self);
        // An alpha that is still being typed is nothing wrong with the evaluation.
        errors.retain(|error| path.is_empty() || texts::is_within(&error.field, path));
        let (spec, unreadable) = texts::read(path, &start, &typed);
        errors.extend(unreadable);
        let Some(spec) = spec else {
            return Err(errors);
        };
        let unreadable: Vec<String> = errors.iter().map(|error| error.field.clone()).collect();
        let found = validate(&spec).into_iter();
        errors.extend(found.filter(|error| !unreadable.contains(&error.field)));
        if errors.is_empty() {
            Ok(spec)
        } else {
            Err(errors)
        }
    }

    /// The list at `path`, entry by entry.
    pub fn entries(&self, path: &str) -> impl Iterator<Item = &str> {
        parse::entries(self.get(path))
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
        kept.join(", ")
    }
}

/// A draft with what its choices stand for, and without what is switched off.
struct Settled {
    start: Value,
    typed: Texts,
    errors: Vec<FieldError>,
}

impl Settled {
    fn new(draft: &Draft) -> Settled {
        let mut settled = Settled {
            start: draft.start.clone(),
            typed: draft.typed.clone(),
            errors: Vec::new(),
        };
        settled.list("alphas", parse::numbers);
        settled.list("seeds", parse::seeds);
        settled.choice(CORRUPTION_SOURCE, |source| match source {
            OFF => Some(vec![(CORRUPTION_TEST, Value::Null)]),
            _ => Some(published_drawing(
                source,
                [CORRUPTION_SEED, CORRUPTION_JPEG, CORRUPTION_FROST],
            )),
        });
        settled.choice(ATTACKS, |attacks| match attacks {
            OFF => Some(vec![(ATTACK_TEST, Value::Null)]),
            SOURCE => Some(vec![(ATTACKS, json(AttackSpec::source(None).attacks))]),
            AUTO => Some(vec![(ATTACKS, json(with_auto_attack()))]),
            KEPT => draft.keeps_attacks.then(Vec::new),
            _ => None,
        });
        settled.choice(DIMENSIONALITY, |perturbations| match perturbations {
            OFF => Some(vec![(DIMENSIONALITY, Value::Null)]),
            SOURCE => {
                let source = DimensionalitySpec::source(None);
                Some(vec![
                    (DIMENSIONALITY_CORRUPTIONS, json(source.corruptions)),
                    (DIMENSIONALITY_SEVERITIES, json(source.severities)),
                    (DIMENSIONALITY_ATTACKS, json(source.attacks)),
                ])
            }
            KEPT => draft.keeps_dimensionality.then(Vec::new),
            _ => None,
        });
        settled.choice(DIMENSIONALITY_SOURCE, |source| {
            Some(published_drawing(
                source,
                [
                    DIMENSIONALITY_SEED,
                    DIMENSIONALITY_JPEG,
                    DIMENSIONALITY_FROST,
                ],
            ))
        });
        settled.choice(GRADIENTS, |gradients| match gradients {
            OFF => Some(vec![(GRADIENTS, Value::Null)]),
            ON => Some(Vec::new()),
            _ => None,
        });
        settled
    }

    /// A list that people write in more ways than others, as `parse` reads it.
    fn list<T: ToString>(&mut self, path: &str, parse: fn(&str) -> Result<Vec<T>, String>) {
        match self.typed.get(path).map(|typed| parse(typed)) {
            None => {}
            Some(Ok(list)) => {
                let list: Vec<String> = list.iter().map(T::to_string).collect();
                self.typed.insert(path.to_owned(), list.join(", "));
            }
            Some(Err(reason)) => {
                self.typed.remove(path);
                self.errors.push(FieldError::new(path, reason));
            }
        }
    }

    /// Puts what the choice at `path` stands for into the spec, instead of what was typed there or below; `None`: it is no
    /// choice of the form.
    fn choice(
        &mut self,
        path: &str,
        stands_for: impl Fn(&str) -> Option<Vec<(&'static str, Value)>>,
    ) {
        let Some(choice) = self.typed.get(path) else {
            return;
        };
        let Some(values) = stands_for(choice) else {
            let reason = format!("`{choice}` is none of the choices");
            self.errors.push(FieldError::new(path, reason));
            return;
        };
        for (path, value) in values {
            if let Some(place) = self.start.pointer_mut(&texts::pointer(path)) {
                *place = value;
            }
            self.typed.retain(|typed, _| !texts::is_within(typed, path));
        }
    }
}

/// What the fields for a seed, a JPEG step and photographs of frost hold besides `source`: published images were drawn already,
/// so that what was typed for generated ones does not count.
fn published_drawing(source: &str, fields: [&'static str; 3]) -> Vec<(&'static str, Value)> {
    let drawn_already = [json(0), json(JpegStep::AsPublished), Value::Null];
    match source == CorruptionSource::Published.id() {
        true => fields.into_iter().zip(drawn_already).collect(),
        false => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::corruption::SEVERITIES;
    use protocol::executor::SlurmSpec;
    use protocol::preset::presets;

    /// The fields that are wrong, in the order in which they are told.
    fn wrong_fields<T: std::fmt::Debug>(read: Result<T, Vec<FieldError>>) -> Vec<String> {
        let errors = read.unwrap_err().into_iter();
        errors.map(|error| error.field).collect()
    }

    /// Broken by: a field that the form forgets, rounds, or writes in a way it cannot read.
    #[test]
    fn every_preset_goes_through_the_form_unchanged() {
        let base = presets().remove(0).spec;
        for preset in presets() {
            let draft = Draft::from(&preset.spec);
            assert_eq!(draft.spec(), Ok(preset.spec.clone()));
            // Typed into a form that began with another spec.
            let mut typed = Draft::from(&base);
            typed.take(&draft.text());
            assert_eq!(typed.spec(), Ok(preset.spec));
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
        let mut fields = wrong_fields(draft.spec());
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
        let spec = draft.spec().unwrap();
        assert_eq!(spec.training.train_images_per_class, None);
    }

    /// Broken by: an evaluation that stays on after it was switched off, a seed that makes published images be
    /// refused, or a wrong field blamed under another name than the server would.
    #[test]
    fn corruptions_are_switched_off_and_on() {
        let base = presets().remove(0).spec;
        let mut draft = Draft::from(&base);
        assert!(draft.spec().unwrap().evaluation.corruptions.is_some());
        draft.set(CORRUPTION_SOURCE, OFF.into());
        draft.set(CORRUPTION_IMAGES, "x".into());
        let off = draft.spec().unwrap();
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
            assert_eq!(wrong_fields(draft.evaluation()), [path]);
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
            assert_eq!(wrong_fields(draft.evaluation()), [path]);
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
            assert_eq!(wrong_fields(draft.evaluation()), [path]);
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
        assert!(draft.spec().is_ok());
        draft.set(DIMENSIONALITY_SOURCE, "published".into());
        assert_eq!(wrong_fields(draft.spec()), [DIMENSIONALITY_SOURCE]);
        let refused = draft.evaluation_on(&Dataset::TinyImagenet);
        assert_eq!(wrong_fields(refused), [DIMENSIONALITY_SOURCE]);
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
        assert_eq!(draft.spec(), Ok(base.clone()));
        for (path, value) in [
            (EXECUTOR, "pbs"),
            ("executor.slurm.partition", "a b"),
            ("executor.slurm.time_minutes", "0"),
            ("executor.slurm.cpus", ""),
            ("executor.slurm.flags", "exclusive"),
        ] {
            let mut draft = draft.clone();
            draft.set(path, value.into());
            assert_eq!(wrong_fields(draft.spec()), [path]);
            draft.set(EXECUTOR, "local".into());
            assert_eq!(draft.spec().unwrap().executor, ExecutorSpec::Local);
        }
    }

    /// Broken by: cost hints that go while an alpha is half typed.
    #[test]
    fn what_is_wrong_elsewhere_is_not_wrong_with_the_evaluation() {
        let mut draft = Draft::from(&presets().remove(0).spec);
        draft.set("alphas", "-".into());
        draft.set("seeds", "0..".into());
        assert!(draft.evaluation().is_ok());
        assert_eq!(wrong_fields(draft.spec()), ["alphas", "seeds"]);
    }

    /// Broken by: lines that a copied experiment has otherwise than its original, or a name with spaces around it.
    #[test]
    fn lines_stay_as_they_are() {
        let mut spec = presets().remove(0).spec;
        spec.notes = "  why\n".into();
        spec.executor = ExecutorSpec::Slurm(SlurmSpec {
            setup: "  module load vulkan\n".into(),
            ..SlurmSpec::default()
        });
        let mut draft = Draft::from(&spec);
        draft.set("name", format!(" {} ", spec.name));
        draft.set("executor.slurm.partition", " gpu ".into());
        let read = draft.spec().unwrap();
        assert_eq!((&read.name, &read.notes), (&spec.name, &spec.notes));
        let slurm = read.executor.slurm().unwrap();
        assert_eq!(slurm.setup, "  module load vulkan\n");
        assert_eq!(slurm.partition.as_deref(), Some("gpu"));
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
