//! The conditions of tests under corruptions or attacks: only numbers measured under the same ones compare.

use std::cmp::Reverse;
use std::fmt::Display;
use std::str::FromStr;

use protocol::Measurement;
use protocol::attack::AttackConditions;
use protocol::corruption_evaluation::CorruptionConditions;

use crate::data::choice::{self, Choice};
use crate::grouping::counted;

/// Conditions of one kind of test.
pub trait Conditions: Copy + PartialEq + Display + FromStr + Send + Sync + 'static {
    /// Those of `measurement`; none where it is of another kind.
    fn of_measurement(measurement: &Measurement) -> Option<Self>;

    /// Test images.
    fn images(&self) -> u32;

    /// What a person calls them.
    fn label(&self) -> String;
}

impl Conditions for AttackConditions {
    fn of_measurement(measurement: &Measurement) -> Option<Self> {
        Some(measurement.attack()?.conditions)
    }

    fn images(&self) -> u32 {
        self.images
    }

    fn label(&self) -> String {
        self.label()
    }
}

impl Conditions for CorruptionConditions {
    fn of_measurement(measurement: &Measurement) -> Option<Self> {
        Some(measurement.corruption()?.conditions)
    }

    fn images(&self) -> u32 {
        self.images
    }

    fn label(&self) -> String {
        self.label()
    }
}

/// Every set of conditions among `measurements`: most measurements first, then most images.
pub fn known<'a, C: Conditions>(measurements: impl IntoIterator<Item = &'a Measurement>) -> Vec<C> {
    let mut counts = counted(measurements.into_iter().filter_map(C::of_measurement));
    counts.sort_by_key(|&(conditions, count)| Reverse((count, conditions.images())));
    let known = counts.into_iter();
    known.map(|(conditions, _)| conditions).collect()
}

/// Conditions as choices, in words.
pub fn choices<C: Conditions>(known: &[C]) -> Vec<Choice> {
    choice::choices(known, |one| one.to_string(), |one| one.label())
}
