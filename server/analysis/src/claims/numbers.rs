//! What the claims need of an experiment: a column of numbers for each thing measured, like with like.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Corruption;
use protocol::attack::{Attack, AttackConditions};
use protocol::dimensionality::{DimensionStatistic, Perturbation};
use protocol::evaluation::CorruptionConditions;
use protocol::gradient::InputUnitGradientMeasurement;
use protocol::quantity::LayerRange;
use protocol::quantity::Scale;

use crate::like;
use crate::run_numbers::{Accuracy, Dimensions, RunNumbers};
use statistics::{empirical_logit, residuals};

/// One value a trained run, in the order of [`Numbers::runs`]; absent where a run has none.
pub type Values = Vec<Option<f64>>;

/// A trained run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunRow {
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
}

/// An accuracy under perturbation of every run, in the ways in which a claim about it is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Accuracies {
    /// What it is called, for example `Corruption accuracy`.
    pub name: String,
    /// Under perturbation, 0 to 1; a mean where several perturbations make it up.
    pub perturbed: Values,
    /// The same as a share of clean accuracy.
    pub share: Values,
    /// Of the same images, clean, 0 to 1.
    pub clean: Values,
    /// Images that each accuracy is of.
    pub images: u32,
}

impl Accuracies {
    /// The mean over the columns that `covers` picks, of those that most runs have.
    pub fn mean_of<K>(
        name: impl Into<String>,
        columns: &[Column<K, Accuracy>],
        covers: impl Fn(&K) -> bool,
        images: u32,
    ) -> Accuracies {
        let mean = |value: fn(Accuracy) -> Option<f64>| complete_mean(columns, &covers, value);
        Accuracies {
            name: name.into(),
            perturbed: mean(|of| Some(of.perturbed)),
            share: mean(|of| of.on(Scale::ShareOfClean)),
            clean: mean(|of| Some(of.clean)),
            images,
        }
    }

    /// It in a scale.
    pub fn on(&self, scale: Scale) -> &Values {
        match scale {
            Scale::Raw => &self.perturbed,
            Scale::ShareOfClean => &self.share,
        }
    }

    /// What logit clean accuracy leaves of logit perturbed accuracy (empirical logits), over the runs that have both:
    /// effective robustness, after Taori et al. (2020), in logits.
    pub fn residual(&self) -> Values {
        let logit = |share: Option<f64>| empirical_logit(share?, self.images);
        let both: Vec<Option<(f64, f64)>> = self
            .perturbed
            .iter()
            .zip(&self.clean)
            .map(|(perturbed, clean)| Some((logit(*clean)?, logit(*perturbed)?)))
            .collect();
        let points: Vec<(f64, f64)> = both.iter().copied().flatten().collect();
        let Some(left) = residuals(&points) else {
            return vec![None; both.len()];
        };
        let mut left = left.into_iter();
        both.iter()
            .map(|one| one.and_then(|_| left.next()))
            .collect()
    }
}

/// The mean of a measurement's layers within `range`, of those that have a value.
pub fn layer_mean(layers: &[Option<f64>], range: LayerRange) -> Option<f64> {
    mean(
        layers[..range.count(layers.len())]
            .iter()
            .copied()
            .flatten(),
    )
}

/// A clean measurement's dimension fractions, one a layer.
pub fn fractions(of: &Dimensions, statistic: DimensionStatistic) -> Vec<Option<f64>> {
    of.fractions(statistic).map(Some).collect()
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

/// The numbers of an experiment: runs x quantities, each kind of measurement under the conditions of most runs. Verdicts and
/// figures are both made of it.
#[derive(Debug, Clone)]
pub struct Numbers<'a> {
    /// The trained runs.
    pub runs: Vec<RunRow>,
    /// Conditions of accuracy on corrupted images.
    pub corruption_conditions: Option<CorruptionConditions>,
    /// Accuracy on corrupted images, in order of corruption and severity.
    pub corruptions: Vec<Column<(Corruption, u8), Accuracy>>,
    /// Conditions of accuracy under attack.
    pub attack_conditions: Option<AttackConditions>,
    /// Accuracy under attack, in order of method, norm, steps and epsilon.
    pub attacks: Vec<Column<Attack, Accuracy>>,
    /// Conditions of dimensionality, clean and of differences.
    pub dimension_conditions: Option<CorruptionConditions>,
    /// Dimensionality of clean unit responses.
    pub clean_dimensions: Vec<Option<&'a Dimensions>>,
    /// Every layer's dimension fraction (95 % of the variance) of the difference, by perturbation.
    pub differences: Vec<Column<Perturbation, &'a Dimensions>>,
    /// Images that input-unit gradients are over.
    pub gradient_images: Option<u32>,
    /// Input-unit gradients.
    pub gradients: Vec<Option<&'a InputUnitGradientMeasurement>>,
}

impl<'a> Numbers<'a> {
    /// Those of trained runs. A run whose selectivity or accuracy is no number is left out.
    pub fn new(runs: &'a [RunNumbers]) -> Numbers<'a> {
        let runs: Vec<&RunNumbers> = runs
            .iter()
            .filter(|run| run.selectivity.is_finite() && run.test_accuracy.is_finite())
            .collect();
        let corruption_conditions = common(&runs, |run| {
            run.corruptions.iter().map(|one| one.0).collect()
        });
        let attack_conditions = common(&runs, |run| run.attacks.iter().map(|one| one.0).collect());
        let dimension_conditions = common(&runs, |run| {
            run.response_dimensions().map(|of| of.conditions).collect()
        });
        let gradient_images = common(&runs, |run| {
            run.gradients.iter().map(|of| of.images).collect()
        });
        // In an order of their own: runs list them in any.
        let mut corruptions = columns(&runs, corruption_conditions, |run| run.corruptions.clone());
        corruptions.sort_by_key(|column| column.item);
        let mut attacks = columns(&runs, attack_conditions, |run| run.attacks.clone());
        attacks.sort_by(|a, b| {
            let (a, b) = (&a.item, &b.item);
            (a.method, a.norm, a.steps, a.random_starts)
                .cmp(&(b.method, b.norm, b.steps, b.random_starts))
                .then(a.epsilon.total_cmp(&b.epsilon))
        });
        Numbers {
            corruption_conditions,
            corruptions,
            attack_conditions,
            attacks,
            clean_dimensions: runs
                .iter()
                .map(|run| {
                    run.response_dimensions().find(|of| {
                        of.perturbation == Perturbation::Clean
                            && Some(of.conditions) == dimension_conditions
                    })
                })
                .collect(),
            differences: columns(&runs, dimension_conditions, |run| {
                run.response_dimensions()
                    .filter(|of| of.perturbation != Perturbation::Clean)
                    .map(|of| (of.conditions, of.perturbation, of))
                    .collect()
            }),
            dimension_conditions,
            gradients: runs
                .iter()
                .map(|run| {
                    let mut of = run.gradients.iter();
                    of.find(|of| Some(of.images) == gradient_images)
                })
                .collect(),
            gradient_images,
            runs: runs
                .iter()
                .map(|run| RunRow {
                    id: run.id,
                    alpha: run.alpha,
                    seed: run.seed,
                    selectivity: run.selectivity,
                    test_accuracy: run.test_accuracy,
                })
                .collect(),
        }
    }

    /// The numbers of the runs that `keep` lets through, under the same conditions.
    pub fn only(&self, keep: impl Fn(&RunRow) -> bool) -> Numbers<'a> {
        let kept: Vec<usize> = (0..self.runs.len())
            .filter(|&run| keep(&self.runs[run]))
            .collect();
        Numbers {
            runs: chosen(&self.runs, &kept),
            corruptions: chosen_columns(&self.corruptions, &kept),
            attacks: chosen_columns(&self.attacks, &kept),
            clean_dimensions: chosen(&self.clean_dimensions, &kept),
            differences: chosen_columns(&self.differences, &kept),
            gradients: chosen(&self.gradients, &kept),
            ..*self
        }
    }

    /// Accuracy on corrupted images: the mean over all corruptions and severities that most runs have.
    pub fn corruption_accuracies(&self) -> Accuracies {
        let images = self.corruption_conditions.map_or(0, |of| of.images);
        Accuracies::mean_of("Corruption accuracy", &self.corruptions, |_| true, images)
    }

    /// Clean test accuracy of every run.
    pub fn test_accuracy(&self) -> Values {
        let accuracy = |run: &RunRow| Some(run.test_accuracy);
        self.runs.iter().map(accuracy).collect()
    }

    /// Of each run the mean over all corruptions and severities of the difference's dimension fraction, one a layer.
    pub fn corrupted_layers(&self, covers: impl Fn(u8) -> bool) -> Vec<Option<Vec<f64>>> {
        mean_layers(
            &self.differences,
            |of| matches!(of, Perturbation::Corruption { severity, .. } if covers(*severity)),
        )
    }

    /// Of each run the dimension fraction of the difference that `attack` makes, one a layer.
    pub fn attacked_layers(&self, attack: Attack) -> Vec<Option<Vec<f64>>> {
        mean_layers(&self.differences, |of| *of == Perturbation::Attack(attack))
    }

    /// Selectivity of every run.
    pub fn selectivity(&self) -> Values {
        self.runs.iter().map(|run| Some(run.selectivity)).collect()
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
        let needed: Vec<u64> = like::items(sets);
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

/// The columns that `covers` picks and that most runs have (of equally frequent sets the largest), by place.
pub fn needed<K, V: Copy>(columns: &[Column<K, V>], covers: impl Fn(&K) -> bool) -> Vec<usize> {
    let covered: Vec<usize> = (0..columns.len())
        .filter(|&place| covers(&columns[place].item))
        .collect();
    let runs = columns.first().map_or(0, |column| column.values.len());
    let of_run = |run: usize| -> Vec<usize> {
        let has = |&place: &usize| columns[place].values[run].is_some();
        covered.iter().copied().filter(has).collect()
    };
    like::items((0..runs).map(of_run))
}

/// The mean of each run over the columns that `covers` picks, of those columns that most runs have; absent where a run
/// lacks one of these, so that no mean is over something else than its neighbours.
pub fn complete_mean<K, V: Copy>(
    columns: &[Column<K, V>],
    covers: impl Fn(&K) -> bool,
    value: impl Fn(V) -> Option<f64>,
) -> Values {
    let needed = needed(columns, covers);
    let runs = columns.first().map_or(0, |column| column.values.len());
    (0..runs)
        .map(|run| {
            let mut sum = 0.0;
            for &column in &needed {
                sum += value(columns[column].values[run]?)?;
            }
            (!needed.is_empty()).then(|| sum / needed.len() as f64)
        })
        .collect()
}

/// As [`complete_mean`], of values of which a run has one a layer.
fn mean_layers<K>(
    columns: &[Column<K, &Dimensions>],
    covers: impl Fn(&K) -> bool,
) -> Vec<Option<Vec<f64>>> {
    let needed = needed(columns, covers);
    let runs = columns.first().map_or(0, |column| column.values.len());
    (0..runs)
        .map(|run| {
            let layers = |of: &'_ Dimensions| of.fractions(DimensionStatistic::Fraction95).len();
            let mut sums = vec![0.0; layers(columns[*needed.first()?].values[run]?)];
            for &column in &needed {
                let layers = columns[column].values[run]?.fractions(DimensionStatistic::Fraction95);
                if layers.len() != sums.len() {
                    return None;
                }
                for (sum, value) in sums.iter_mut().zip(layers) {
                    *sum += value;
                }
            }
            sums.iter_mut().for_each(|sum| *sum /= needed.len() as f64);
            Some(sums)
        })
        .collect()
}

fn chosen<T: Copy>(values: &[T], places: &[usize]) -> Vec<T> {
    places.iter().map(|&place| values[place]).collect()
}

/// The values of these runs; columns that none of them has are left out.
fn chosen_columns<K: Copy, V: Copy>(columns: &[Column<K, V>], runs: &[usize]) -> Vec<Column<K, V>> {
    let chosen = columns.iter().map(|column| Column {
        item: column.item,
        values: chosen(&column.values, runs),
    });
    chosen
        .filter(|column| column.values.iter().any(Option::is_some))
        .collect()
}

/// The conditions under which most runs were measured.
fn common<C: Copy + Ord>(
    runs: &[&RunNumbers],
    conditions: impl Fn(&RunNumbers) -> Vec<C>,
) -> Option<C> {
    let of_runs = runs.iter().flat_map(|run| {
        let mut conditions = conditions(run);
        conditions.dedup(); // A run has few different ones, in order.
        conditions.into_iter().map(|one| (run.id, one))
    });
    like::conditions(of_runs).first().copied()
}

/// A column for each item that was measured under `conditions`.
fn columns<'a, C: Copy + PartialEq, K: Copy + PartialEq, V: Copy>(
    runs: &[&'a RunNumbers],
    conditions: Option<C>,
    of: impl Fn(&'a RunNumbers) -> Vec<(C, K, V)>,
) -> Vec<Column<K, V>> {
    let mut columns: Vec<Column<K, V>> = Vec::new();
    for (index, &run) in runs.iter().enumerate() {
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
