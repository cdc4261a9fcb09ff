//! Runs compared: filtered, grouped by fields of their configuration, and the groups set against each other.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Run;
use crate::api::Mean;
use crate::attack::Attack;
use crate::named::named;
use crate::quantity::{Axis, Scale};

named! {
    /// A field of a run's configuration, by the name that filters and addresses use, in the order of tables.
    pub enum ConfigurationField {
        /// The experiment that the run belongs to, by number.
        Experiment = "experiment" => "Experiment",
        /// The network.
        Network = "network" => "Network",
        /// The data set.
        Dataset = "dataset" => "Data set",
        /// Regulariser strength.
        Alpha = "alpha" => "Alpha",
        /// Replicate.
        Seed = "seed" => "Seed",
        /// The device that trained.
        Device = "device" => "Device",
        /// Passes over the training set.
        Epochs = "epochs" => "Epochs",
        /// Images a step.
        BatchSize = "batch_size" => "Batch size",
        /// SGD's learning rate at the start.
        LearningRate = "learning_rate" => "Learning rate",
        /// SGD's momentum.
        Momentum = "momentum" => "Momentum",
        /// L2 penalty on every parameter.
        WeightDecay = "weight_decay" => "Weight decay",
        /// Epochs after which the learning rate falls, with spaces between them.
        LearningRateMilestones = "learning_rate_milestones" => "Learning rate milestones",
        /// What a milestone multiplies the learning rate by.
        LearningRateFactor = "learning_rate_factor" => "Learning rate factor",
        /// How training images are varied.
        Augmentation = "augmentation" => "Augmentation",
        /// Images of each class held out to choose the best epoch.
        ValidationImagesPerClass = "validation_images_per_class" => "Validation images per class",
        /// Images of each class trained on; `all` where no number was asked for.
        TrainImagesPerClass = "train_images_per_class" => "Training images per class",
        /// The tags of the run and of its experiment.
        Tag = "tag" => "Tags",
    }
}

impl ConfigurationField {
    /// The run's value. `experiment` is what the run's experiment is called and tagged.
    pub fn value(self, run: &Run, experiment: &ExperimentLabel) -> FieldValue {
        let (spec, training) = (&run.spec, &run.spec.training);
        match self {
            ConfigurationField::Experiment => FieldValue {
                text: run.experiment_id.to_string(),
                label: format!("{} ({})", experiment.name, run.experiment_id),
                number: Some(run.experiment_id as f64),
            },
            ConfigurationField::Network => {
                FieldValue::word(spec.network.to_string(), spec.network.label())
            }
            ConfigurationField::Dataset => {
                FieldValue::word(spec.dataset.to_string(), spec.dataset.label())
            }
            ConfigurationField::Alpha => {
                let number = FieldValue::number(spec.alpha);
                let label = match number.text.strip_prefix('-') {
                    Some(positive) => format!("−{positive}"),
                    None if spec.alpha > 0.0 => format!("+{}", number.text),
                    None => number.text.clone(),
                };
                FieldValue { label, ..number }
            }
            ConfigurationField::Seed => FieldValue::number(spec.seed as f64),
            ConfigurationField::Device => FieldValue::word(&spec.device, &spec.device),
            ConfigurationField::Epochs => FieldValue::number(training.epochs.into()),
            ConfigurationField::BatchSize => FieldValue::number(training.batch_size.into()),
            ConfigurationField::LearningRate => FieldValue::number(training.learning_rate),
            ConfigurationField::Momentum => FieldValue::number(training.momentum),
            ConfigurationField::WeightDecay => FieldValue::number(training.weight_decay),
            ConfigurationField::LearningRateMilestones => {
                let milestones = &training.learning_rate_milestones;
                let milestones: Vec<String> = milestones.iter().map(u32::to_string).collect();
                match milestones.is_empty() {
                    true => FieldValue::word("none", "none"),
                    false => FieldValue::word(milestones.join(" "), milestones.join(", ")),
                }
            }
            ConfigurationField::LearningRateFactor => {
                FieldValue::number(training.learning_rate_factor)
            }
            ConfigurationField::Augmentation => {
                FieldValue::word(training.augmentation.id(), training.augmentation.label())
            }
            ConfigurationField::ValidationImagesPerClass => {
                FieldValue::number(training.validation_images_per_class.into())
            }
            ConfigurationField::TrainImagesPerClass => match training.train_images_per_class {
                Some(images) => FieldValue::number(images.into()),
                None => FieldValue::word("all", "all"),
            },
            ConfigurationField::Tag => {
                let tags = tags(run, experiment);
                match tags.is_empty() {
                    true => FieldValue::word("", "no tag"),
                    false => FieldValue::word(tags.join(","), tags.join(", ")),
                }
            }
        }
    }
}

/// The tags of a run and of its experiment, in order, each once.
fn tags<'a>(run: &'a Run, experiment: &'a ExperimentLabel) -> Vec<&'a str> {
    let all = run.tags.iter().chain(&experiment.tags);
    let mut tags: Vec<&str> = all.map(String::as_str).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// A text names no field of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a field of a configuration; choose one of {list}", list = ConfigurationField::ALL.map(ConfigurationField::id).join(", "))]
pub struct UnknownField(pub String);

impl FromStr for ConfigurationField {
    type Err = UnknownField;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        ConfigurationField::from_id(text).ok_or_else(|| UnknownField(text.to_owned()))
    }
}

/// What a run has in a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldValue {
    /// As filters write it.
    pub text: String,
    /// As a person reads it.
    pub label: String,
    /// The number, where the field is one.
    pub number: Option<f64>,
}

impl FieldValue {
    fn word(text: impl Into<String>, label: impl Into<String>) -> FieldValue {
        FieldValue {
            text: text.into(),
            label: label.into(),
            number: None,
        }
    }

    fn number(value: f64) -> FieldValue {
        let value = value + 0.0; // -0 is 0.
        FieldValue {
            text: value.to_string(),
            label: value.to_string(),
            number: Some(value),
        }
    }

    /// What a person calls it where the field does not stand beside it.
    pub fn named(&self, field: ConfigurationField) -> String {
        match (field, self.number) {
            (ConfigurationField::Experiment, _) | (_, None) => self.label.clone(),
            (field, Some(_)) => format!("{} {}", field.label().to_lowercase(), self.label),
        }
    }

    /// Numbers by size, before words by the alphabet.
    pub fn order(&self, other: &FieldValue) -> std::cmp::Ordering {
        match (self.number, other.number) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => self.text.cmp(&other.text),
        }
    }
}

/// What an experiment is called and tagged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExperimentLabel {
    /// Number of the experiment.
    pub id: i64,
    /// What a person calls it.
    pub name: String,
    /// Its tags.
    pub tags: Vec<String>,
}

/// Which runs pass: those that have, in each field that is named, one of the values that are named for it.
///
/// Written `field:value` with commas between, for example `network:resnet20,tag:good,tag:new`. Numbers are
/// compared as numbers, words whatever their case; a run has each of its tags and those of its experiment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    conditions: Vec<(ConfigurationField, String)>,
}

impl Filter {
    /// Whether `run` passes. `experiment` is what its experiment is called and tagged.
    pub fn admits(&self, run: &Run, experiment: &ExperimentLabel) -> bool {
        self.conditions.iter().all(|(field, _)| {
            let wanted = self.conditions.iter().filter(|(other, _)| other == field);
            wanted
                .map(|(_, text)| text)
                .any(|text| has(*field, text, run, experiment))
        })
    }

    /// Whether every run passes.
    pub fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }
}

fn has(field: ConfigurationField, text: &str, run: &Run, experiment: &ExperimentLabel) -> bool {
    let same = |known: &str| known.to_lowercase() == text.to_lowercase();
    if field == ConfigurationField::Tag {
        return tags(run, experiment).into_iter().any(same);
    }
    let value = field.value(run, experiment);
    match (value.number, text.replace('−', "-").parse::<f64>()) {
        (Some(number), Ok(wanted)) => number == wanted,
        _ => same(&value.text) || same(&value.label),
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (field, text)) in self.conditions.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}:{text}", field.id())?;
        }
        Ok(())
    }
}

/// A text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A part has no colon, or nothing after it.
    #[error("`{0}` is not a condition; write field:value, for example network:resnet20,tag:good")]
    NoCondition(String),
    /// What stands before the colon.
    #[error(transparent)]
    Field(#[from] UnknownField),
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut conditions = Vec::new();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (field, value) = part
                .split_once(':')
                .map(|(field, value)| (field.trim(), value.trim()))
                .filter(|(_, value)| !value.is_empty())
                .ok_or_else(|| FilterError::NoCondition(part.to_owned()))?;
            conditions.push((field.parse()?, value.to_owned()));
        }
        Ok(Filter { conditions })
    }
}

/// Which runs are one group: those that agree in all of these fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grouping {
    /// These, in this order; none puts all runs into one group.
    By(Vec<ConfigurationField>),
    /// All but these, and but tags: they are written after the launch, and one on a single run must not set
    /// it apart from its replicates unless that is asked for.
    AllBut(Vec<ConfigurationField>),
}

impl Default for Grouping {
    /// Seeds are replicates.
    fn default() -> Self {
        Grouping::AllBut(vec![ConfigurationField::Seed])
    }
}

impl Grouping {
    /// The fields in which the runs of a group agree, each once.
    pub fn fields(&self) -> Vec<ConfigurationField> {
        match self {
            Grouping::By(fields) => {
                let mut found = Vec::new();
                for &field in fields {
                    if !found.contains(&field) {
                        found.push(field);
                    }
                }
                found
            }
            Grouping::AllBut(left_out) => ConfigurationField::ALL
                .into_iter()
                .filter(|field| !left_out.contains(field) && *field != ConfigurationField::Tag)
                .collect(),
        }
    }

    /// The grouping of an address: its `group` and its `group_all_but`, names with commas between; seeds are
    /// replicates where it has neither.
    ///
    /// # Errors
    /// When a name is no field's, or both are given.
    pub fn from_names(
        group: Option<&str>,
        group_all_but: Option<&str>,
    ) -> Result<Grouping, GroupingError> {
        let fields = |names: &str| -> Result<Vec<ConfigurationField>, UnknownField> {
            names
                .split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .map(str::parse)
                .collect()
        };
        match (group, group_all_but) {
            (Some(_), Some(_)) => Err(GroupingError::Both),
            (Some(names), None) => Ok(Grouping::By(fields(names)?)),
            (None, Some(names)) => Ok(Grouping::AllBut(fields(names)?)),
            (None, None) => Ok(Grouping::default()),
        }
    }
}

/// An address names no grouping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupingError {
    /// Both ways at once.
    #[error("give group or group_all_but, not both")]
    Both,
    /// A name is no field's.
    #[error(transparent)]
    Field(#[from] UnknownField),
}

/// Groups of runs, and how they differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Comparison {
    /// The experiments of the chosen runs, in order of number.
    pub experiments: Vec<ExperimentLabel>,
    /// Runs that were chosen, trained or not, before the filter.
    pub chosen_runs: u32,
    /// Of these, those that the filter keeps out.
    pub filtered_out: u32,
    /// Of those that pass, the ones that are not trained: they are in no group.
    pub untrained: u32,
    /// Of the fields that the runs are grouped by, those in which groups differ, in order.
    pub fields: Vec<ConfigurationField>,
    /// The fewest of these that tell groups apart, for names: a batch size says nothing that its experiment does not.
    pub naming: Vec<ConfigurationField>,
    /// What was measured. The first is the one that is tested.
    pub measures: Vec<ComparedMeasure>,
    /// Accuracies under perturbation as they are, or as share of clean.
    pub scale: Scale,
    /// Every attack that some run was tested with under the conditions of most runs.
    pub known_attacks: Vec<Attack>,
    /// The groups, in order of their fields.
    pub groups: Vec<RunGroup>,
    /// Fields that are not the same in all runs.
    pub differing: Vec<DifferingField>,
    /// Fields that all runs share.
    pub shared: Vec<SharedField>,
    /// Differences between two groups in the first measure, every pair that can be tested.
    pub tests: Vec<GroupTest>,
    /// Pairs of groups that were not tested, because one has fewer than two replicates.
    pub untested_pairs: u32,
    /// Why no pair was tested, where there are too many groups.
    pub too_many_groups: Option<String>,
    /// What a replicate is here, in a sentence.
    pub replicates: String,
    /// How the intervals of means are made, in a sentence.
    pub interval_method: String,
    /// How differences are tested, in a sentence.
    pub test_method: String,
}

/// A number that groups are compared in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComparedMeasure {
    /// As a [`Quantity`](crate::quantity::Quantity) is written.
    pub measure: String,
    /// What a person calls it, with the scale, on one line: [`Axis::label`] of `axis`.
    pub label: String,
    /// Its axis.
    pub axis: Axis,
    /// Images that each value is over; absent while there is none, or where runs have test sets of other sizes.
    pub images: Option<u32>,
    /// Corruptions and severities that each value is a mean over; 0 where it is of none.
    pub averaged_over: u32,
    /// Trained runs that have no value: they lack the measurement, or have it under other conditions than most.
    pub missing_runs: u32,
}

/// Runs that agree in the fields that runs are grouped by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunGroup {
    /// What sets it apart from the others, in words.
    pub label: String,
    /// Its values of [`Comparison::fields`], in order.
    pub values: Vec<FieldValue>,
    /// Means over replicates, one a measure; absent where no run has a value.
    pub means: Vec<Option<Mean>>,
    /// Whether some replicates have more runs than others, so that their means are over different things.
    pub uneven: bool,
    /// Its runs, in order of number.
    pub runs: Vec<GroupedRun>,
}

/// A run in a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GroupedRun {
    /// The run.
    pub run_id: i64,
    /// Its experiment.
    pub experiment_id: i64,
    /// Its regulariser strength.
    pub alpha: f64,
    /// Its seed.
    pub seed: u64,
    /// What it measured, one a measure; absent where it has no value under the same conditions as most.
    pub values: Vec<Option<f64>>,
}

/// A field that is the same in all runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SharedField {
    /// The field.
    pub field: ConfigurationField,
    /// What all runs have.
    pub value: FieldValue,
}

/// A field that is not the same in all runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DifferingField {
    /// The field.
    pub field: ConfigurationField,
    /// Whether groups differ in it; otherwise every group has the same values.
    pub between_groups: bool,
    /// What the runs of each group have, each value once, in order; one entry a group.
    pub values: Vec<Vec<FieldValue>>,
}

/// The difference between two groups in the first measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GroupTest {
    /// Place of the first group in [`Comparison::groups`].
    pub first: u32,
    /// Place of the second.
    pub second: u32,
    /// Whether replicates were paired by seed; otherwise Welch's test.
    pub paired: bool,
    /// Replicates of the first and of the second.
    pub n: [u32; 2],
    /// Mean of the first less that of the second, in the unit of the measure.
    pub difference: f64,
    /// Its 95 % interval by Student's t, low end first.
    pub interval: [f64; 2],
    /// Two-sided p against no difference, not corrected.
    pub p: f64,
    /// The same, corrected after Holm for all pairs tested.
    pub p_holm: f64,
    /// Hedges' g; absent without spread within both groups.
    pub hedges_g: Option<f64>,
    /// Its approximate 95 % interval, low end first.
    pub hedges_g_interval: Option<[f64; 2]>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preset::presets;

    fn run() -> Run {
        let mut spec = presets().remove(0).spec.runs().remove(0);
        spec.alpha = -0.5;
        spec.training.learning_rate_milestones = vec![5, 7];
        Run {
            tags: vec!["Good".into()],
            ..Run::queued(1, 3, spec)
        }
    }

    fn experiment() -> ExperimentLabel {
        ExperimentLabel {
            id: 3,
            name: "first look".into(),
            tags: vec!["pilot".into(), "Good".into()],
        }
    }

    /// Breaks when a field is named otherwise than it is read, or a value cannot be filtered by what it is written as.
    #[test]
    fn every_value_is_found_by_its_own_text() {
        let (run, experiment) = (run(), experiment());
        for field in ConfigurationField::ALL {
            assert_eq!(field.id().parse(), Ok(field));
            let json = serde_json::to_value(field).unwrap();
            assert_eq!(json, field.id());
            let text = match field {
                ConfigurationField::Tag => "pilot".to_owned(),
                _ => field.value(&run, &experiment).text,
            };
            let filter: Filter = format!("{}:{text}", field.id()).parse().unwrap();
            assert!(filter.admits(&run, &experiment), "{filter}");
            assert_eq!(filter.to_string().parse(), Ok(filter));
        }
        assert!("colour".parse::<ConfigurationField>().is_err());
    }

    /// Breaks when values of one field exclude each other, conditions on two fields are alternatives, numbers are
    /// compared as texts, or an experiment's tags are not its runs'.
    #[test]
    fn filters_join_fields_by_and_and_values_by_or() {
        let (run, experiment) = (run(), experiment());
        for (text, expected) in [
            ("", true),
            ("alpha:-0.50", true),
            ("alpha:−0.5, alpha:1", true),
            ("alpha:1", false),
            ("alpha:-0.5,seed:99", false),
            ("tag:good", true),
            ("tag:PILOT", true),
            ("tag:goo", false),
            ("tag:bad,tag:pilot", true),
            ("experiment:first look (3)", true),
            ("learning_rate_milestones:5 7", true),
            ("network:resnet50", false),
        ] {
            let filter: Filter = text.parse().unwrap();
            assert_eq!(filter.admits(&run, &experiment), expected, "{text}");
        }
        for wrong in ["alpha", "alpha:", "colour:red", "seed:0,:1"] {
            assert!(wrong.parse::<Filter>().is_err(), "{wrong}");
        }
    }

    /// Breaks when replicates are split by what was never configured, a field is grouped by twice, or a wrong name
    /// is passed over.
    #[test]
    fn groupings_are_read() {
        use ConfigurationField::{Alpha, Network, Seed, Tag};
        let fields = |group, but| Grouping::from_names(group, but).map(|found| found.fields());
        let default = fields(None, None).unwrap();
        assert_eq!(default.len(), 15);
        assert!(!default.contains(&Seed) && !default.contains(&Tag));
        assert_eq!(
            fields(Some("alpha,network,alpha"), None),
            Ok(vec![Alpha, Network])
        );
        assert_eq!(fields(Some(""), None), Ok(vec![]));
        assert_eq!(fields(None, Some("seed,alpha")).unwrap().len(), 14);
        assert_eq!(
            fields(Some("colour"), None),
            Err(UnknownField("colour".into()).into())
        );
        assert_eq!(
            fields(Some("alpha"), Some("seed")),
            Err(GroupingError::Both)
        );
    }

    /// Breaks when ten comes before two, or minus zero is another alpha than zero.
    #[test]
    fn values_are_in_order() {
        let number = FieldValue::number;
        assert!(number(2.0).order(&number(10.0)).is_lt());
        assert!(number(10.0).order(&FieldValue::word("all", "all")).is_lt());
        assert_eq!(number(-0.0).text, "0");
    }
}
