//! What claims, figures and comparisons need of one run: the few numbers of each of its measurements, by condition and item.
//!
//! They come from [`Measurement`]s, or from the store's short form of them, in which thousands of runs are read
//! in a fraction of a second. Both give the same numbers.

use std::collections::BTreeMap;

use protocol::attack::{Attack, AttackConditions, AttackMeasurement};
use protocol::dimensionality::{
    ActivationMatrix, DimensionStatistic, DimensionalityMeasurement, Perturbation,
};
use protocol::evaluation::{CorruptionConditions, CorruptionMeasurement};
use protocol::gradient::InputUnitGradientMeasurement;
use protocol::layer_measure::{LayerMeasure, Perturbations};
use protocol::measure::Scale;
use protocol::{Corruption, Measurement, Network, Run};
use rayon::prelude::*;
use serde::de::Error;

/// A trained run as the store keeps it, its numbers as they are written.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedRun {
    /// Its number.
    pub id: i64,
    /// Its regulariser strength.
    pub alpha: f64,
    /// Its seed.
    pub seed: u64,
    /// Network selectivity on the clean test set, a JSON number.
    pub selectivity: String,
    /// Clean test accuracy, a JSON number.
    pub test_accuracy: String,
    /// A line for each measurement that findings need: its key, a space, and its short form (migration 4).
    pub measurements: String,
}

/// An accuracy under perturbation, and the same images' accuracy, clean; shares of images, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accuracy {
    /// Under perturbation.
    pub perturbed: f64,
    /// Clean.
    pub clean: f64,
}

impl Accuracy {
    /// It in `scale`; absent as a share where the clean accuracy is 0.
    pub fn on(self, scale: Scale) -> Option<f64> {
        match scale {
            Scale::Raw => Some(self.perturbed),
            Scale::ShareOfClean => (self.clean > 0.0).then(|| self.perturbed / self.clean),
        }
    }
}

/// What was measured on some runs.
#[derive(Debug, Clone, Default)]
pub struct MeasuredRuns<'a> {
    /// The trained ones.
    pub numbers: Vec<&'a RunNumbers>,
    /// Of dimensionality what their numbers lack, as far as it is asked for: see [`others_needed`].
    pub others: Vec<(i64, DimensionalityMeasurement)>,
}

impl<'a> MeasuredRuns<'a> {
    /// All that `numbers` hold, and nothing besides.
    pub fn new(numbers: &'a [RunNumbers]) -> MeasuredRuns<'a> {
        MeasuredRuns {
            numbers: numbers.iter().collect(),
            others: Vec::new(),
        }
    }
}

/// What keys begin with of the measurements that `measure` is made of and [`RunNumbers`] lack; none for most.
pub fn others_needed(measure: LayerMeasure) -> Option<&'static str> {
    let LayerMeasure::Dimensionality {
        matrix,
        statistic,
        perturbations,
    } = measure
    else {
        return None;
    };
    let held = statistic == DimensionStatistic::Fraction95 || perturbations == Perturbations::Clean;
    match matrix {
        ActivationMatrix::Responses if held => None,
        ActivationMatrix::Responses => Some("dimensionality/responses"),
        ActivationMatrix::Activations => Some("dimensionality/activations"),
    }
}

/// One trained run.
#[derive(Debug, Clone)]
pub struct RunNumbers {
    /// Its number.
    pub id: i64,
    /// Its regulariser strength.
    pub alpha: f64,
    /// Its seed.
    pub seed: u64,
    /// Network selectivity on the clean test set, 0 to 1.
    pub selectivity: f64,
    /// Clean test accuracy, 0 to 1.
    pub test_accuracy: f64,
    /// Accuracy on every corruption and severity.
    pub corruptions: Vec<(CorruptionConditions, (Corruption, u8), Accuracy)>,
    /// Accuracy under every attack.
    pub attacks: Vec<(AttackConditions, Attack, Accuracy)>,
    /// Dimensionality of clean unit responses, under one set of conditions each.
    pub clean_dimensions: Vec<DimensionalityMeasurement>,
    /// Of the difference that each perturbation makes to unit responses: every layer's fraction for 95 % of the variance, 0 to 1.
    pub differences: Vec<(CorruptionConditions, Perturbation, Vec<f64>)>,
    /// Input-unit gradients, on one number of images each.
    pub gradients: Vec<InputUnitGradientMeasurement>,
}

impl RunNumbers {
    fn new(id: i64, alpha: f64, seed: u64, selectivity: f64, test_accuracy: f64) -> RunNumbers {
        RunNumbers {
            id,
            alpha,
            seed,
            selectivity,
            test_accuracy,
            corruptions: Vec::new(),
            attacks: Vec::new(),
            clean_dimensions: Vec::new(),
            differences: Vec::new(),
            gradients: Vec::new(),
        }
    }

    /// Those of a run; `None` while it is not trained.
    pub fn of_run(run: &Run) -> Option<RunNumbers> {
        let result = run.result.as_ref()?;
        Some(RunNumbers::new(
            run.id,
            run.spec.alpha,
            run.spec.seed,
            result.selectivity,
            result.test_accuracy,
        ))
    }

    /// Those of a run in the store's short form. `units` are the units of each of its network's layers; `keys` are those of
    /// any run of the experiment.
    ///
    /// # Errors
    /// When the store holds something that is no measurement.
    pub fn of_stored(
        run: &TrainedRun,
        units: &[u32],
        keys: &Keys,
    ) -> Result<RunNumbers, serde_json::Error> {
        let mut numbers = RunNumbers::new(
            run.id,
            run.alpha,
            run.seed,
            serde_json::from_str(&run.selectivity)?,
            serde_json::from_str(&run.test_accuracy)?,
        );
        for (place, line) in in_order(run).into_iter().enumerate() {
            let read = line.split_once(' ').and_then(|(key, rest)| {
                let key = keys.read(place, key)?;
                numbers.add_stored(key, rest, units)
            });
            if read.is_none() {
                return Err(serde_json::Error::custom(format!(
                    "a measurement of run {} is `{line}`",
                    run.id
                )));
            }
        }
        Ok(numbers)
    }

    /// Those of the trained ones of `runs`, in order of number.
    pub fn of_runs(runs: &[Run], measurements: &[(i64, Measurement)]) -> Vec<RunNumbers> {
        let mut of: BTreeMap<i64, RunNumbers> = runs
            .iter()
            .filter_map(|run| Some((run.id, RunNumbers::of_run(run)?)))
            .collect();
        for (run, measurement) in measurements {
            if let Some(numbers) = of.get_mut(run) {
                numbers.add(measurement);
            }
        }
        of.into_values().collect()
    }

    /// Those of an experiment's trained runs in the store's short form, in the same order.
    ///
    /// # Errors
    /// When the store holds something that is no measurement.
    pub fn of_experiment(
        network: Network,
        runs: &[TrainedRun],
    ) -> Result<Vec<RunNumbers>, serde_json::Error> {
        let layers = network.layers();
        let units: Vec<u32> = layers.iter().map(|layer| layer.units).collect();
        let keys = runs.first().map(Keys::of).unwrap_or_default();
        runs.par_iter()
            .map(|run| RunNumbers::of_stored(run, &units, &keys))
            .collect()
    }

    /// Adds a measurement; those that are in no short form are passed over.
    fn add(&mut self, measurement: &Measurement) {
        match measurement {
            Measurement::Corruption(measured) => self.add_corruption(measured),
            Measurement::Attack(measured) => self.add_attack(measured),
            Measurement::Dimensionality(measured) => self.add_dimensionality(measured),
            Measurement::InputUnitGradients(measured) => self.gradients.push(measured.clone()),
            Measurement::Masking(_) => {}
        }
    }

    fn add_corruption(&mut self, measured: &CorruptionMeasurement) {
        let accuracy = Accuracy {
            perturbed: measured.accuracy,
            clean: measured.clean_accuracy,
        };
        let item = (measured.corruption, measured.severity);
        self.corruptions.push((measured.conditions, item, accuracy));
    }

    fn add_attack(&mut self, measured: &AttackMeasurement) {
        let accuracy = Accuracy {
            perturbed: measured.accuracy,
            clean: measured.clean_accuracy,
        };
        self.attacks
            .push((measured.conditions, measured.attack, accuracy));
    }

    fn add_dimensionality(&mut self, measured: &DimensionalityMeasurement) {
        match (measured.matrix, measured.perturbation) {
            (ActivationMatrix::Responses, Perturbation::Clean) => {
                self.clean_dimensions.push(measured.clone());
            }
            (ActivationMatrix::Responses, perturbation) => {
                let layers = 0..measured.columns.len();
                let fraction = |layer| measured.fraction(layer, DimensionStatistic::Fraction95);
                let fractions = layers.filter_map(fraction).collect();
                self.differences
                    .push((measured.conditions, perturbation, fractions));
            }
            (ActivationMatrix::Activations, _) => {}
        }
    }

    /// Adds a measurement in the store's short form (migration 4 says what that is). `None` for what is none.
    fn add_stored(&mut self, key: Key, rest: &str, units: &[u32]) -> Option<()> {
        match key {
            Key::Corruption(conditions, item) => {
                self.corruptions.push((conditions, item, accuracy(rest)?));
            }
            Key::Attack(conditions, attack) => {
                self.attacks.push((conditions, attack, accuracy(rest)?));
            }
            Key::Difference(conditions, perturbation) => {
                let components = rest.strip_prefix('[')?.strip_suffix(']')?;
                let mut components = components.split(',');
                let mut fractions = Vec::with_capacity(units.len());
                for &units in units {
                    let components: u32 = components.next()?.parse().ok()?;
                    fractions.push(f64::from(components) / f64::from(units));
                }
                self.differences.push((conditions, perturbation, fractions));
            }
            Key::Whole => self.add(&serde_json::from_str(rest).ok()?),
        }
        Some(())
    }
}

/// What a measurement is of, by its key.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Key {
    Corruption(CorruptionConditions, (Corruption, u8)),
    Attack(AttackConditions, Attack),
    Difference(CorruptionConditions, Perturbation),
    /// One that the store keeps whole.
    Whole,
}

impl Key {
    fn parse(key: &str) -> Option<Key> {
        let (kind, key) = key.split_once('/')?;
        match kind {
            "corruption" => {
                let mut parts = key.split('/');
                let conditions = parts.next()?.parse().ok()?;
                let corruption = parts.next()?.parse().ok()?;
                let severity = parts.next()?.parse().ok()?;
                Some(Key::Corruption(conditions, (corruption, severity)))
            }
            "attack" => {
                // The attack itself has slashes in it.
                let (conditions, attack) = key.split_once('/')?;
                Some(Key::Attack(conditions.parse().ok()?, attack.parse().ok()?))
            }
            "dimensionality" => {
                let (conditions, perturbation) = key.strip_prefix("responses/")?.split_once('/')?;
                match perturbation.parse().ok()? {
                    Perturbation::Clean => Some(Key::Whole),
                    other => Some(Key::Difference(conditions.parse().ok()?, other)),
                }
            }
            "input_unit_gradients" => Some(Key::Whole),
            _ => None,
        }
    }
}

/// A run's measurements in order of key: sums over them are the same in whatever order they were measured.
fn in_order(run: &TrainedRun) -> Vec<&str> {
    let mut lines: Vec<&str> = run.measurements.lines().collect();
    lines.sort_unstable();
    lines
}

/// The keys of one run's measurements, in order: most runs of an experiment have the same, and reading them
/// once instead of for every run halves the work.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<(String, Option<Key>)>);

impl Keys {
    /// Those of a run.
    pub fn of(run: &TrainedRun) -> Keys {
        let keys = in_order(run).into_iter().filter_map(|line| {
            let (key, _) = line.split_once(' ')?;
            Some((key.to_owned(), Key::parse(key)))
        });
        Keys(keys.collect())
    }

    /// What a key at this place of a run says.
    fn read(&self, place: usize, key: &str) -> Option<Key> {
        match self.0.get(place) {
            Some((known, read)) if known == key => *read,
            _ => Key::parse(key),
        }
    }
}

/// `<perturbed> <clean>`.
fn accuracy(text: &str) -> Option<Accuracy> {
    let (perturbed, clean) = text.split_once(' ')?;
    Some(Accuracy {
        perturbed: perturbed.parse().ok()?,
        clean: clean.parse().ok()?,
    })
}
