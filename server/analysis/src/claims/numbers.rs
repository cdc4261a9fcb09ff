//! The numbers of an experiment that the claims need: one column per quantity, like with like (see [`like`]).

use std::collections::{BTreeMap, BTreeSet};

use protocol::Corruption;
use protocol::attack::{Attack, AttackConditions};
use protocol::corruption_evaluation::CorruptionConditions;
use protocol::dimensionality::{DimensionStatistic, Perturbation};
use protocol::gradient::InputUnitGradientMeasurement;
use protocol::quantity::Scale;

use crate::distinct_alphas;
use crate::like;
use crate::run_numbers::{Accuracy, Dimensions, RunNumbers};
use statistics::{empirical_logit, residuals};

/// One value per trained run, in the order of [`Numbers::runs`]; absent where a run has none.
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

/// Every run's accuracy under perturbation, in each of the ways that claims measure it.
#[derive(Debug, Clone, PartialEq)]
pub struct Accuracies {
    /// What it is called, for example `Corruption accuracy`.
    pub name: String,
    /// Under perturbation, 0 to 1; the mean where there are several perturbations.
    pub perturbed: Values,
    /// The same as a share of clean accuracy.
    pub share: Values,
    /// Clean accuracy on the same images, 0 to 1.
    pub clean: Values,
    /// Images behind each accuracy.
    pub images: u32,
}

impl Accuracies {
    /// The mean over those columns that `covers` selects and most runs have.
    pub fn mean_of<K>(
        name: impl Into<String>,
        columns: &[Column<K, Accuracy>],
        covers: impl Fn(&K) -> bool,
        images: u32,
    ) -> Accuracies {
        let mean = |value: fn(Accuracy) -> Option<f64>| complete_mean(columns, &covers, value);
        Accuracies {
            name: name.into(),
            perturbed: mean(|accuracy| Some(accuracy.perturbed)),
            share: mean(|accuracy| accuracy.on(Scale::ShareOfClean)),
            clean: mean(|accuracy| Some(accuracy.clean)),
            images,
        }
    }

    /// The values in a scale.
    pub fn on(&self, scale: Scale) -> &Values {
        match scale {
            Scale::Raw => &self.perturbed,
            Scale::ShareOfClean => &self.share,
        }
    }

    /// The residuals of logit perturbed accuracy on logit clean accuracy (empirical logits), over the runs that have both:
    /// effective robustness, after Taori et al. (2020), in logits.
    pub fn residual(&self) -> Values {
        let logit = |share: Option<f64>| empirical_logit(share?, self.images);
        let logits = |values: &Values| -> Values { values.iter().copied().map(logit).collect() };
        residual(&logits(&self.clean), &logits(&self.perturbed))
    }
}

/// The residuals of `y` on `x`, over all runs that have both.
pub fn residual(x: &Values, y: &Values) -> Values {
    let both = || x.iter().zip(y).map(|(x, y)| Some(((*x)?, (*y)?)));
    let points: Vec<(f64, f64)> = both().flatten().collect();
    let mut residuals = residuals(&points).unwrap_or_default().into_iter();
    both()
        .map(|point| point.and_then(|_| residuals.next()))
        .collect()
}

/// A clean measurement's dimension fractions, one per layer.
pub fn fractions(dimensions: &Dimensions, statistic: DimensionStatistic) -> Vec<Option<f64>> {
    dimensions.fractions(statistic).map(Some).collect()
}

/// One measured quantity of every trained run.
#[derive(Debug, Clone)]
pub struct Column<K, V> {
    /// What was measured.
    pub item: K,
    /// One value per run, absent where it was not measured.
    pub values: Vec<Option<V>>,
}

/// The numbers of an experiment: runs x quantities, each kind of measurement under the conditions of most runs. Verdicts and
/// figures both rest on them.
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
    /// Accuracy under attack, in order of method, norm, steps, random starts and epsilon.
    pub attacks: Vec<Column<Attack, Accuracy>>,
    /// Conditions of dimensionality, clean and of differences.
    pub dimension_conditions: Option<CorruptionConditions>,
    /// Dimensionality of clean unit responses.
    pub clean_dimensions: Vec<Option<&'a Dimensions>>,
    /// Every layer's dimension fraction (95 % of the variance) of the difference, by perturbation.
    pub differences: Vec<Column<Perturbation, &'a Dimensions>>,
    /// Images behind the input-unit gradients.
    pub gradient_images: Option<u32>,
    /// Input-unit gradients.
    pub gradients: Vec<Option<&'a InputUnitGradientMeasurement>>,
}

impl<'a> Numbers<'a> {
    /// The numbers of trained runs. A run whose selectivity or accuracy is not finite is left out.
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
            run.response_dimensions()
                .map(|dimensions| dimensions.conditions)
                .collect()
        });
        let gradient_images = common(&runs, |run| {
            run.gradients
                .iter()
                .map(|gradients| gradients.images)
                .collect()
        });
        // Sorted here, as runs list them in any order.
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
                    run.response_dimensions().find(|dimensions| {
                        dimensions.perturbation == Perturbation::Clean
                            && Some(dimensions.conditions) == dimension_conditions
                    })
                })
                .collect(),
            differences: columns(&runs, dimension_conditions, |run| {
                run.response_dimensions()
                    .filter(|dimensions| dimensions.perturbation != Perturbation::Clean)
                    .map(|dimensions| (dimensions.conditions, dimensions.perturbation, dimensions))
                    .collect()
            }),
            dimension_conditions,
            gradients: runs
                .iter()
                .map(|run| {
                    let mut measured = run.gradients.iter();
                    measured.find(|gradients| Some(gradients.images) == gradient_images)
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
        let images = self.corruption_images().unwrap_or(0);
        Accuracies::mean_of("Corruption accuracy", &self.corruptions, |_| true, images)
    }

    /// Images behind each accuracy on corrupted images.
    pub fn corruption_images(&self) -> Option<u32> {
        self.corruption_conditions
            .map(|conditions| conditions.images)
    }

    /// Images behind each accuracy under attack.
    pub fn attack_images(&self) -> Option<u32> {
        self.attack_conditions.map(|conditions| conditions.images)
    }

    /// Images behind each dimensionality.
    pub fn dimension_images(&self) -> Option<u32> {
        self.dimension_conditions
            .map(|conditions| conditions.images)
    }

    /// Clean test accuracy of every run.
    pub fn test_accuracy(&self) -> Values {
        let accuracy = |run: &RunRow| Some(run.test_accuracy);
        self.runs.iter().map(accuracy).collect()
    }

    /// Each run's dimension fraction of the difference, one per layer: the mean over those corruptions, at the severities
    /// that `covers` selects, that most runs have.
    pub fn corrupted_layers(&self, covers: impl Fn(u8) -> bool) -> Vec<Option<Vec<f64>>> {
        mean_layers(
            &self.differences,
            |item| matches!(item, Perturbation::Corruption { severity, .. } if covers(*severity)),
        )
    }

    /// Each run's dimension fraction of the difference that `attack` makes, one per layer.
    pub fn attacked_layers(&self, attack: Attack) -> Vec<Option<Vec<f64>>> {
        mean_layers(&self.differences, |item| {
            *item == Perturbation::Attack(attack)
        })
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

    /// The points (seed, selectivity, value) of the runs that have the value.
    pub fn points_on_selectivity(&self, values: &[Option<f64>]) -> Vec<(u64, f64, f64)> {
        self.points(&self.selectivity(), values)
    }

    /// The points (seed, x, covariate, y) of the runs that have all three.
    pub fn points_with_covariate(
        &self,
        x: &[Option<f64>],
        covariate: &[Option<f64>],
        y: &[Option<f64>],
    ) -> Vec<(u64, f64, f64, f64)> {
        let values = x.iter().zip(covariate).zip(y);
        self.runs
            .iter()
            .zip(values)
            .filter_map(|(run, ((x, covariate), y))| Some((run.seed, (*x)?, (*covariate)?, (*y)?)))
            .collect()
    }

    /// The value of each seed's control (alpha 0), where it has one.
    pub fn controls(&self, values: &[Option<f64>]) -> BTreeMap<u64, f64> {
        let runs = self.runs.iter().zip(values);
        runs.filter(|(run, _)| run.alpha == 0.0)
            .filter_map(|(run, value)| Some((run.seed, (*value)?)))
            .collect()
    }

    /// The mean of each seed over its alphas, in order of seeds, and how many runs the means are over. A seed counts only
    /// if it has a value at every alpha that most seeds have, so that all means are over the same alphas.
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
        distinct_alphas(self.runs.iter().map(|run| run.alpha))
    }

    /// The seeds of the trained runs, ascending.
    pub fn seeds(&self) -> Vec<u64> {
        let seeds: BTreeSet<u64> = self.runs.iter().map(|run| run.seed).collect();
        seeds.into_iter().collect()
    }
}

/// The places of the columns that `covers` selects and most runs have (of equally frequent sets, the largest).
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

/// The mean of each run over those columns that `covers` selects and most runs have; absent where a run lacks one of them, so
/// that all means are over the same columns.
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

/// As [`complete_mean`], for dimension fractions, of which a run has one per layer.
fn mean_layers<K>(
    columns: &[Column<K, &Dimensions>],
    covers: impl Fn(&K) -> bool,
) -> Vec<Option<Vec<f64>>> {
    let needed = needed(columns, covers);
    let runs = columns.first().map_or(0, |column| column.values.len());
    (0..runs)
        .map(|run| {
            let count = |dimensions: &Dimensions| {
                dimensions.fractions(DimensionStatistic::Fraction95).len()
            };
            let mut sums = vec![0.0; count(columns[*needed.first()?].values[run]?)];
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

/// The columns of these runs; a column that none of them has is left out.
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
        conditions.dedup(); // A run has few different conditions, and lists them in order.
        conditions.into_iter().map(|one| (run.id, one))
    });
    like::conditions(of_runs).first().copied()
}

/// A column for each item that was measured under `conditions`.
fn columns<'a, C: Copy + PartialEq, K: Copy + PartialEq, V: Copy>(
    runs: &[&'a RunNumbers],
    conditions: Option<C>,
    measurements: impl Fn(&'a RunNumbers) -> Vec<(C, K, V)>,
) -> Vec<Column<K, V>> {
    let mut columns: Vec<Column<K, V>> = Vec::new();
    for (index, &run) in runs.iter().enumerate() {
        // Runs list the same items in the same order: the next column is nearly always the next item's.
        let mut next = 0;
        for (_, item, value) in measurements(run)
            .into_iter()
            .filter(|one| Some(one.0) == conditions)
        {
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
