//! Tests of a run on perturbed images: only numbers under the same conditions compare.

use std::cmp::Reverse;
use std::fmt::{Debug, Display};
use std::str::FromStr;

use protocol::Measurement;
use protocol::attack::{AttackConditions, AttackMeasurement};
use protocol::evaluation::{CorruptionConditions, CorruptionMeasurement};

use crate::components::Choice;

/// What a test was made under: on how many images, with which seed.
pub trait Conditions: Copy + PartialEq + Debug + Display + FromStr + Send + Sync + 'static {
    /// How many images.
    fn images(self) -> u32;
    /// In words.
    fn words(self) -> String;
}

impl Conditions for CorruptionConditions {
    fn images(self) -> u32 {
        self.images
    }

    fn words(self) -> String {
        self.label()
    }
}

impl Conditions for AttackConditions {
    fn images(self) -> u32 {
        self.images
    }

    fn words(self) -> String {
        self.label()
    }
}

/// A test of a run on perturbed images.
pub trait Tested: Clone + PartialEq + Send + Sync + 'static {
    /// What it was made under.
    type Conditions: Conditions;

    /// The test in a measurement, if it is one.
    fn find(measurement: &Measurement) -> Option<&Self>;

    /// What it was made under.
    fn conditions(&self) -> Self::Conditions;
}

impl Tested for CorruptionMeasurement {
    type Conditions = CorruptionConditions;

    fn find(measurement: &Measurement) -> Option<&Self> {
        measurement.corruption()
    }

    fn conditions(&self) -> CorruptionConditions {
        self.conditions
    }
}

impl Tested for AttackMeasurement {
    type Conditions = AttackConditions;

    fn find(measurement: &Measurement) -> Option<&Self> {
        measurement.attack()
    }

    fn conditions(&self) -> AttackConditions {
        self.conditions
    }
}

/// Every one of `keys` once, with how often it is there.
pub fn counted<K: PartialEq>(keys: impl Iterator<Item = K>) -> Vec<(K, usize)> {
    let mut counts: Vec<(K, usize)> = Vec::new();
    for key in keys {
        match counts.iter_mut().find(|(known, _)| *known == key) {
            Some((_, count)) => *count += 1,
            None => counts.push((key, 1)),
        }
    }
    counts
}

/// Every set of conditions among `measurements`, the one with most tests first; of equals the one on more images.
pub fn conditions<T: Tested>(measurements: &[Measurement]) -> Vec<T::Conditions> {
    let tests = measurements.iter().filter_map(T::find);
    let mut counts = counted(tests.map(T::conditions));
    counts.sort_by_key(|&(conditions, count)| Reverse((count, conditions.images())));
    counts
        .into_iter()
        .map(|(conditions, _)| conditions)
        .collect()
}

/// The tests made under `conditions`, in the order in which they were made.
pub fn under<T: Tested>(measurements: &[Measurement], conditions: T::Conditions) -> Vec<T> {
    let tests = measurements.iter().filter_map(T::find);
    tests
        .filter(|test| test.conditions() == conditions)
        .cloned()
        .collect()
}

/// Conditions as choices, in words.
pub fn conditions_choices<C: Conditions>(known: &[C]) -> Vec<Choice> {
    known
        .iter()
        .map(|conditions| Choice::new(conditions.to_string(), conditions.words()))
        .collect()
}
