//! The New experiment form as text: what was typed, kept as typed, whether it is right or not.

use std::collections::BTreeMap;

use protocol::validate::FieldError;
use protocol::{Augmentation, ExperimentSpec};

use crate::parse;

/// What every field holds, by the field's path in the spec, for example `training.epochs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft(BTreeMap<&'static str, String>);

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
        Draft(BTreeMap::from([
            ("name", spec.name.clone()),
            ("notes", spec.notes.clone()),
            ("network", spec.network.id().to_owned()),
            ("dataset", spec.dataset.to_string()),
            ("alphas", list(&spec.alphas)),
            ("seeds", parse::write_seeds(&spec.seeds)),
            ("device", spec.device.clone()),
            ("training.epochs", training.epochs.to_string()),
            ("training.batch_size", training.batch_size.to_string()),
            ("training.learning_rate", training.learning_rate.to_string()),
            ("training.momentum", training.momentum.to_string()),
            ("training.weight_decay", training.weight_decay.to_string()),
            (
                "training.learning_rate_milestones",
                list(&training.learning_rate_milestones),
            ),
            (
                "training.learning_rate_factor",
                training.learning_rate_factor.to_string(),
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
        ]))
    }
}

impl Draft {
    /// What the field at `path` holds.
    pub fn get(&self, path: &str) -> &str {
        self.0.get(path).map_or("", String::as_str)
    }

    /// Keeps what was typed.
    pub fn set(&mut self, path: &'static str, value: String) {
        self.0.insert(path, value);
    }

    /// The spec that is asked for, or everything wrong with it, field by field.
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
            text.parse().map_err(said)
        });
        reader.read("dataset", &mut spec.dataset, |text| {
            text.parse().map_err(said)
        });
        reader.read("alphas", &mut spec.alphas, parse::numbers);
        reader.read("seeds", &mut spec.seeds, parse::seeds);

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

        let mut errors = reader.errors;
        let unreadable: Vec<String> = errors.iter().map(|error| error.field.clone()).collect();
        errors.extend(
            spec.validate()
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
}

fn said(error: impl std::fmt::Display) -> String {
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
}
