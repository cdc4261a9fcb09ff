//! What the claims need of one run: the few numbers of each of its measurements, by condition and item.
//!
//! They come from [`Measurement`]s, or from the store's short form of them, in which thousands of runs are read
//! in a fraction of a second. Both give the same numbers.

use protocol::attack::{Attack, AttackConditions, AttackMeasurement};
use protocol::dimensionality::{
    ActivationMatrix, DimensionStatistic, DimensionalityMeasurement, Perturbation,
};
use protocol::evaluation::{CorruptionConditions, CorruptionMeasurement};
use protocol::gradient::InputUnitGradientMeasurement;
use protocol::layer_measure::LayerRange;
use protocol::measure::Scale;
use protocol::{Corruption, Measurement, Run};
use serde::de::Error;

use crate::store::TrainedRun;

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

/// Dimension fractions (0 to 1) of clean unit responses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CleanDimensions {
    /// Mean over the early layers, in the order of [`DimensionStatistic::ALL`].
    pub early: [f64; 4],
    /// Mean over all layers of the fraction for 95 % of the variance.
    pub all: f64,
}

/// Variability of input-unit gradients: means over the layers that have one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradientVariability {
    /// CV_u, by [`LayerRange`]: all layers, early layers.
    pub across_samples: [Option<f64>; 2],
    /// CV_l, likewise.
    pub across_units: [Option<f64>; 2],
}

/// One trained run.
#[derive(Debug, Clone)]
pub struct RunNumbers {
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
    /// Dimensionality of clean unit responses.
    pub clean_dimensions: Vec<(CorruptionConditions, CleanDimensions)>,
    /// Of the difference that each perturbation makes to unit responses: the early layers' mean fraction for 95 % of the variance.
    pub differences: Vec<(CorruptionConditions, Perturbation, f64)>,
    /// Input-unit gradients, by the number of images measured on.
    pub gradients: Vec<(u32, GradientVariability)>,
}

impl RunNumbers {
    fn new(alpha: f64, seed: u64, selectivity: f64, test_accuracy: f64) -> RunNumbers {
        RunNumbers {
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
            run.alpha,
            run.seed,
            serde_json::from_str(&run.selectivity)?,
            serde_json::from_str(&run.test_accuracy)?,
        );
        for (place, line) in run.measurements.lines().enumerate() {
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

    /// Adds a measurement; those that no claim is about are passed over.
    pub fn add(&mut self, measurement: &Measurement) {
        match measurement {
            Measurement::Corruption(measured) => self.add_corruption(measured),
            Measurement::Attack(measured) => self.add_attack(measured),
            Measurement::Dimensionality(measured) => self.add_dimensionality(measured),
            Measurement::InputUnitGradients(measured) => self.add_gradients(measured),
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
        if measured.matrix != ActivationMatrix::Responses {
            return;
        }
        let mean = |statistic, range: LayerRange| {
            let layers = 0..range.count(measured.columns.len());
            mean(layers.filter_map(|layer| measured.fraction(layer, statistic)))
        };
        let early = DimensionStatistic::ALL.map(|statistic| mean(statistic, LayerRange::Early));
        let ([Some(a), Some(b), Some(c), Some(d)], Some(all)) =
            (early, mean(DimensionStatistic::Fraction95, LayerRange::All))
        else {
            return; // Of no layer at all.
        };
        match measured.perturbation {
            Perturbation::Clean => {
                let early = [a, b, c, d];
                self.clean_dimensions
                    .push((measured.conditions, CleanDimensions { early, all }));
            }
            perturbation => self
                .differences
                .push((measured.conditions, perturbation, a)),
        }
    }

    fn add_gradients(&mut self, measured: &InputUnitGradientMeasurement) {
        let means = |values: &[Option<f64>]| {
            [LayerRange::All, LayerRange::Early].map(|range| {
                let layers = &values[..range.count(values.len())];
                mean(layers.iter().copied().flatten())
            })
        };
        let variability = GradientVariability {
            across_samples: means(&measured.cv_across_samples),
            across_units: means(&measured.cv_across_units),
        };
        self.gradients.push((measured.images, variability));
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
                let early = &units[..LayerRange::Early.count(units.len())];
                let mut components = components.split(',');
                let mut sum = 0.0;
                for &units in early {
                    let components: u32 = components.next()?.parse().ok()?;
                    sum += f64::from(components) / f64::from(units);
                }
                let mean = sum / early.len() as f64;
                self.differences.push((conditions, perturbation, mean));
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

/// The keys of one run's measurements, in the store's order: most runs of an experiment have the same, and reading them
/// once instead of for every run halves the work.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<(String, Option<Key>)>);

impl Keys {
    /// Those of a run.
    pub fn of(run: &TrainedRun) -> Keys {
        let keys = run.measurements.lines().filter_map(|line| {
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

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0_u32), |(sum, n), value| (sum + value, n + 1));
    (n > 0).then(|| sum / f64::from(n))
}
