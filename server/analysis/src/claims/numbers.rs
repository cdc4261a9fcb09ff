//! What the claims need of an experiment: a column of numbers for each thing measured, like with like.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Corruption;
use protocol::attack::Attack;
use protocol::dimensionality::{DimensionStatistic, DimensionalityMeasurement, Perturbation};
use protocol::evaluation::CorruptionConditions;
use protocol::gradient::InputUnitGradientMeasurement;
use protocol::layer_measure::LayerRange;
use protocol::measure::Scale;

use crate::run_numbers::{Accuracy, RunNumbers};
use crate::scatter::most_common;

/// One value a trained run, in the order of [`Numbers::runs`]; absent where a run has none.
pub type Values = Vec<Option<f64>>;

/// A trained run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunRow {
    /// Its regulariser strength.
    pub alpha: f64,
    /// Its seed.
    pub seed: u64,
    /// Network selectivity on the clean test set, 0 to 1.
    pub selectivity: f64,
    /// Clean test accuracy, 0 to 1.
    pub test_accuracy: f64,
}

/// Dimension fractions (0 to 1) of clean unit responses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CleanDimensions {
    /// Mean over the early layers, in the order of [`DimensionStatistic::ALL`].
    pub early: [f64; 4],
    /// Mean over all layers of the fraction for 95 % of the variance.
    pub all: f64,
}

impl CleanDimensions {
    /// Those of a measurement; absent where it is of no layer.
    fn of(measured: &DimensionalityMeasurement) -> Option<CleanDimensions> {
        let mean = |statistic, range: LayerRange| {
            let layers = 0..range.count(measured.columns.len());
            mean(layers.filter_map(|layer| measured.fraction(layer, statistic)))
        };
        let early = DimensionStatistic::ALL.map(|statistic| mean(statistic, LayerRange::Early));
        let [Some(a), Some(b), Some(c), Some(d)] = early else {
            return None;
        };
        Some(CleanDimensions {
            early: [a, b, c, d],
            all: mean(DimensionStatistic::Fraction95, LayerRange::All)?,
        })
    }
}

/// Variability of input-unit gradients: means over the layers that have one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradientVariability {
    /// CV_u, by [`LayerRange`]: all layers, early layers.
    pub across_samples: [Option<f64>; 2],
    /// CV_l, likewise.
    pub across_units: [Option<f64>; 2],
}

impl GradientVariability {
    fn of(measured: &InputUnitGradientMeasurement) -> GradientVariability {
        let means = |values: &[Option<f64>]| {
            [LayerRange::All, LayerRange::Early].map(|range| {
                let layers = &values[..range.count(values.len())];
                mean(layers.iter().copied().flatten())
            })
        };
        GradientVariability {
            across_samples: means(&measured.cv_across_samples),
            across_units: means(&measured.cv_across_units),
        }
    }
}

/// The early layers' mean fraction of the difference that each perturbation makes.
fn early_differences(run: &RunNumbers) -> Vec<(CorruptionConditions, Perturbation, f64)> {
    let differences = run.differences.iter();
    differences
        .filter_map(|(conditions, perturbation, fractions)| {
            let early = &fractions[..LayerRange::Early.count(fractions.len())];
            Some((*conditions, *perturbation, mean(early.iter().copied())?))
        })
        .collect()
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0_u32), |(sum, n), value| (sum + value, n + 1));
    (n > 0).then(|| sum / f64::from(n))
}

/// One thing measured, of every trained run.
#[derive(Debug, Clone)]
pub struct Column<K, V> {
    /// What.
    pub item: K,
    /// One value a run, absent where it was not measured.
    pub values: Vec<Option<V>>,
}

/// The numbers of an experiment, each kind of measurement under the conditions of most runs.
#[derive(Debug, Clone)]
pub struct Numbers {
    /// The trained runs.
    pub runs: Vec<RunRow>,
    /// Accuracy on corrupted images, in order of corruption and severity.
    pub corruptions: Vec<Column<(Corruption, u8), Accuracy>>,
    /// Accuracy under attack, in order of method, norm, steps and epsilon.
    pub attacks: Vec<Column<Attack, Accuracy>>,
    /// Dimensionality of clean unit responses.
    pub clean_dimensions: Vec<Option<CleanDimensions>>,
    /// Early layers' dimension fraction of the difference, by perturbation.
    pub differences: Vec<Column<Perturbation, f64>>,
    /// Input-unit gradients.
    pub gradients: Vec<Option<GradientVariability>>,
}

impl Numbers {
    /// Those of trained runs. A run whose selectivity or accuracy is no number is left out.
    pub fn new(runs: &[RunNumbers]) -> Numbers {
        let runs: Vec<&RunNumbers> = runs
            .iter()
            .filter(|run| run.selectivity.is_finite() && run.test_accuracy.is_finite())
            .collect();
        let dimensions = common(&runs, |run| {
            let clean = run.clean_dimensions.iter().map(|of| of.conditions);
            let differences = run.differences.iter().map(|of| of.0);
            clean.chain(differences).collect()
        });
        let images = common(&runs, |run| {
            run.gradients.iter().map(|of| of.images).collect()
        });
        // In an order of their own: runs list them in any.
        let mut corruptions = columns(&runs, |run| run.corruptions.clone());
        corruptions.sort_by_key(|column| column.item);
        let mut attacks = columns(&runs, |run| run.attacks.clone());
        attacks.sort_by(|a, b| {
            let (a, b) = (&a.item, &b.item);
            (a.method, a.norm, a.steps, a.random_starts)
                .cmp(&(b.method, b.norm, b.steps, b.random_starts))
                .then(a.epsilon.total_cmp(&b.epsilon))
        });
        Numbers {
            corruptions,
            attacks,
            clean_dimensions: runs
                .iter()
                .map(|run| {
                    let mut of = run.clean_dimensions.iter();
                    CleanDimensions::of(of.find(|of| Some(of.conditions) == dimensions)?)
                })
                .collect(),
            differences: columns_under(&runs, dimensions, early_differences),
            gradients: runs
                .iter()
                .map(|run| {
                    let mut of = run.gradients.iter();
                    let of = of.find(|of| Some(of.images) == images)?;
                    Some(GradientVariability::of(of))
                })
                .collect(),
            runs: runs
                .iter()
                .map(|run| RunRow {
                    alpha: run.alpha,
                    seed: run.seed,
                    selectivity: run.selectivity,
                    test_accuracy: run.test_accuracy,
                })
                .collect(),
        }
    }

    /// Selectivity of every run.
    pub fn selectivity(&self) -> Values {
        self.runs.iter().map(|run| Some(run.selectivity)).collect()
    }

    /// Accuracy of every run on corrupted images: the mean over all corruptions and severities.
    pub fn corruption_accuracy(&self, scale: Scale) -> Values {
        complete_mean(&self.corruptions, |_| true, |value| value.on(scale))
    }

    /// The points (seed, x, y) of the runs that have both.
    pub fn points(&self, x: &[Option<f64>], y: &[Option<f64>]) -> Vec<(u64, f64, f64)> {
        self.runs
            .iter()
            .zip(x.iter().zip(y))
            .filter_map(|(run, (x, y))| Some((run.seed, (*x)?, (*y)?)))
            .filter(|(_, x, y)| x.is_finite() && y.is_finite())
            .collect()
    }

    /// The mean of each seed over its alphas, seeds in order, and how many runs that is over. Only seeds count that
    /// have a value at every alpha that most seeds have, so that no seed's mean is over other alphas than its neighbours'.
    pub fn means_by_seed(&self, values: &[Option<f64>]) -> (Vec<f64>, u32) {
        let mut by_seed: BTreeMap<u64, BTreeMap<u64, f64>> = BTreeMap::new();
        for (run, value) in self.runs.iter().zip(values) {
            if let Some(value) = value.filter(|value| value.is_finite()) {
                let alphas = by_seed.entry(run.seed).or_default();
                alphas.insert((run.alpha + 0.0).to_bits(), value); // -0 is 0.
            }
        }
        let sets = by_seed
            .values()
            .map(|alphas| alphas.keys().copied().collect());
        let needed: Vec<u64> = most_frequent(sets);
        let means: Vec<f64> = by_seed
            .values()
            .filter_map(|alphas| {
                let values: Option<Vec<f64>> = needed
                    .iter()
                    .map(|alpha| alphas.get(alpha).copied())
                    .collect();
                let values = values.filter(|values| !values.is_empty())?;
                Some(values.iter().sum::<f64>() / values.len() as f64)
            })
            .collect();
        let runs = (means.len() * needed.len()) as u32;
        (means, runs)
    }

    /// The alphas of the trained runs, ascending.
    pub fn alphas(&self) -> Vec<f64> {
        let mut alphas: Vec<f64> = self.runs.iter().map(|run| run.alpha).collect();
        alphas.sort_by(f64::total_cmp);
        alphas.dedup();
        alphas
    }

    /// The seeds of the trained runs, ascending.
    pub fn seeds(&self) -> Vec<u64> {
        let seeds: BTreeSet<u64> = self.runs.iter().map(|run| run.seed).collect();
        seeds.into_iter().collect()
    }
}

/// The mean of each run over the columns that `covers` picks, of those columns that most runs have; absent where a run
/// lacks one of these, so that no mean is over something else than its neighbours.
pub fn complete_mean<K, V: Copy>(
    columns: &[Column<K, V>],
    covers: impl Fn(&K) -> bool,
    value: impl Fn(V) -> Option<f64>,
) -> Values {
    let covered: Vec<&Column<K, V>> = columns
        .iter()
        .filter(|column| covers(&column.item))
        .collect();
    let runs = covered.first().map_or(0, |column| column.values.len());
    let of_run = |run: usize| -> Vec<usize> {
        (0..covered.len())
            .filter(|&column| covered[column].values[run].is_some())
            .collect()
    };
    let needed = most_frequent((0..runs).map(of_run));
    let all = columns.first().map_or(0, |column| column.values.len());
    (0..all)
        .map(|run| {
            let mut sum = 0.0;
            for &column in &needed {
                sum += value(covered[column].values[run]?)?;
            }
            (!needed.is_empty()).then(|| sum / needed.len() as f64)
        })
        .collect()
}

/// The set that is there most often; of equally frequent ones the largest. Empty sets do not count.
fn most_frequent<T: Ord>(sets: impl Iterator<Item = Vec<T>>) -> Vec<T> {
    let mut counts: BTreeMap<Vec<T>, usize> = BTreeMap::new();
    for set in sets.filter(|set| !set.is_empty()) {
        *counts.entry(set).or_default() += 1;
    }
    counts
        .into_iter()
        .max_by_key(|(set, times)| (*times, set.len()))
        .map(|(set, _)| set)
        .unwrap_or_default()
}

/// The conditions under which most runs were measured.
fn common<C: Copy + Ord>(
    runs: &[&RunNumbers],
    conditions: impl Fn(&RunNumbers) -> Vec<C>,
) -> Option<C> {
    let mut of_runs = BTreeSet::new();
    for (index, run) in runs.iter().enumerate() {
        let mut conditions = conditions(run);
        conditions.dedup(); // A run has few different ones, in order.
        of_runs.extend(conditions.into_iter().map(|one| (index as i64, one)));
    }
    most_common(of_runs).first().copied()
}

fn columns<C: Copy + Ord, K: Copy + PartialEq, V: Copy>(
    runs: &[&RunNumbers],
    of: impl Fn(&RunNumbers) -> Vec<(C, K, V)>,
) -> Vec<Column<K, V>> {
    let conditions = common(runs, |run| of(run).iter().map(|one| one.0).collect());
    columns_under(runs, conditions, of)
}

fn columns_under<C: Copy + PartialEq, K: Copy + PartialEq, V: Copy>(
    runs: &[&RunNumbers],
    conditions: Option<C>,
    of: impl Fn(&RunNumbers) -> Vec<(C, K, V)>,
) -> Vec<Column<K, V>> {
    let mut columns: Vec<Column<K, V>> = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        // Runs list the same items in the same order: the next column is nearly always the next item's.
        let mut next = 0;
        for (_, item, value) in of(run).into_iter().filter(|one| Some(one.0) == conditions) {
            let known = columns.len();
            let place = (next..known)
                .chain(0..next)
                .find(|&place| columns[place].item == item)
                .unwrap_or(known);
            if place == known {
                columns.push(Column {
                    item,
                    values: vec![None; runs.len()],
                });
            }
            columns[place].values[index] = Some(value);
            next = place + 1;
        }
    }
    columns
}
