//! Runs x quantities: what was measured on many runs, held once. Scatters, profiles by layer, comparisons and claims are
//! queries on it, like with like (see [`like`]).

use std::collections::BTreeMap;

use protocol::attack::{Attack, AttackConditions};
use protocol::corruption_evaluation::CorruptionConditions;
use protocol::quantity::{LayerQuantity, Quantity, Scale};

use crate::layer_values::LayerValues;
use crate::like;
use crate::run_numbers::RunNumbers;

/// The trained runs of an experiment, or of a selection.
#[derive(Debug, Clone, Default)]
pub struct Table<'a> {
    /// The runs, in order.
    pub runs: Vec<&'a RunNumbers>,
}

/// Conditions that were chosen; those of most runs where absent.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChosenConditions {
    /// Of tests on corruptions.
    pub corruptions: Option<CorruptionConditions>,
    /// Of attacks.
    pub attacks: Option<AttackConditions>,
}

/// One quantity of every run.
#[derive(Debug, Clone, Default)]
pub struct Values {
    /// In the order of the table's runs; absent where a run lacks what most runs have.
    pub of_runs: Vec<Option<f64>>,
    /// Images behind each value; absent where there is none.
    pub images: Option<u32>,
    /// Corruptions and severities that each value is a mean over; 0 where it is not such a mean.
    pub averaged_over: u32,
}

impl<'a> Table<'a> {
    /// The table of these runs.
    pub fn new(runs: impl IntoIterator<Item = &'a RunNumbers>) -> Table<'a> {
        Table {
            runs: runs.into_iter().collect(),
        }
    }

    /// Every set of conditions under which some run was tested on corruptions, those of most runs first.
    pub fn corruption_conditions(&self) -> Vec<CorruptionConditions> {
        let runs = self.runs.iter();
        like::conditions(runs.flat_map(|run| run.corruptions.iter().map(|one| (run.id, one.0))))
    }

    /// Every set of conditions under which some run was attacked, those of most runs first.
    pub fn attack_conditions(&self) -> Vec<AttackConditions> {
        let runs = self.runs.iter();
        like::conditions(runs.flat_map(|run| run.attacks.iter().map(|one| (run.id, one.0))))
    }

    /// Every attack that some run was tested with under these conditions, by method, norm, epsilon and steps.
    pub fn attacks(&self, conditions: Option<AttackConditions>) -> Vec<Attack> {
        let mut known: Vec<Attack> = Vec::new();
        for (tested_under, attack, _) in self.runs.iter().flat_map(|run| &run.attacks) {
            if Some(*tested_under) == conditions && !known.contains(attack) {
                known.push(*attack);
            }
        }
        known.sort_by(|a, b| {
            (a.method, a.norm)
                .cmp(&(b.method, b.norm))
                .then(a.epsilon.total_cmp(&b.epsilon))
                .then(a.steps.cmp(&b.steps))
        });
        known
    }

    /// A quantity of every run.
    pub fn values(&self, quantity: Quantity, scale: Scale, chosen: ChosenConditions) -> Values {
        match quantity {
            Quantity::Selectivity => self.on_test_set(|run| run.selectivity),
            Quantity::TestAccuracy => self.on_test_set(|run| run.test_accuracy),
            Quantity::Corruption { .. } => self.on_corruptions(quantity, scale, chosen.corruptions),
            Quantity::Attack(attack) => self.under_attack(attack, scale, chosen.attacks),
            Quantity::Layers { range, quantity } => {
                // Under the conditions of most runs: the chosen ones are those of corruption tests and attacks.
                let layers = self.layers(quantity, None);
                let mean = |run: &&RunNumbers| layers.mean(run.id, range);
                Values {
                    of_runs: self.runs.iter().map(mean).collect(),
                    images: layers.images,
                    averaged_over: 0,
                }
            }
        }
    }

    /// A quantity of every layer of every run. `conditions` are those of dimensionality.
    pub fn layers(
        &self,
        quantity: LayerQuantity,
        conditions: Option<CorruptionConditions>,
    ) -> LayerValues {
        LayerValues::find(&self.runs, quantity, conditions)
    }

    fn on_test_set(&self, value: impl Fn(&RunNumbers) -> f64) -> Values {
        Values {
            of_runs: self.runs.iter().map(|run| Some(value(run))).collect(),
            images: self.runs.first().map(|run| run.test_images),
            averaged_over: 0,
        }
    }

    fn on_corruptions(
        &self,
        quantity: Quantity,
        scale: Scale,
        chosen: Option<CorruptionConditions>,
    ) -> Values {
        let conditions = chosen.or_else(|| self.corruption_conditions().first().copied());
        let covered = |run: &'a RunNumbers| {
            let all = run.corruptions.iter();
            all.filter(move |(tested_under, (corruption, severity), _)| {
                Some(*tested_under) == conditions && quantity.covers(*corruption, *severity)
            })
        };
        let runs = || self.runs.iter().copied();
        let needed = like::items(runs().map(|run| {
            let mut items: Vec<_> = covered(run).map(|one| one.1).collect();
            items.sort_unstable();
            items
        }));
        let mean = |run: &'a RunNumbers| -> Option<f64> {
            let (mut sum, mut count) = (0.0, 0);
            for (_, item, accuracy) in covered(run) {
                if needed.binary_search(item).is_ok() {
                    sum += accuracy.on(scale)?;
                    count += 1;
                }
            }
            (count > 0 && count == needed.len()).then(|| sum / count as f64)
        };
        Values {
            of_runs: runs().map(mean).collect(),
            images: conditions.map(|conditions| conditions.images),
            averaged_over: needed.len() as u32,
        }
    }

    fn under_attack(
        &self,
        attack: Attack,
        scale: Scale,
        chosen: Option<AttackConditions>,
    ) -> Values {
        let conditions = chosen.or_else(|| self.attack_conditions().first().copied());
        let value = |run: &&RunNumbers| {
            let mut all = run.attacks.iter();
            let (_, _, accuracy) = all.find(|(tested_under, tested_attack, _)| {
                Some(*tested_under) == conditions && *tested_attack == attack
            })?;
            accuracy.on(scale)
        };
        Values {
            of_runs: self.runs.iter().map(value).collect(),
            images: conditions.map(|conditions| conditions.images),
            averaged_over: 0,
        }
    }
}

impl Values {
    /// The values that are present, by run. `table` is the one they were taken from.
    pub fn by_run(&self, table: &Table) -> BTreeMap<i64, f64> {
        let values = table.runs.iter().zip(&self.of_runs);
        values
            .filter_map(|(run, value)| Some((run.id, (*value)?)))
            .collect()
    }
}
