//! Groups of runs set against each other: their means, how their configurations differ, and tests of their
//! differences.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Run;
use protocol::api::Mean;
use protocol::attack::Attack;
use protocol::comparison::{
    ComparedMeasure, Comparison, ConfigurationField, DifferingField, ExperimentLabel, FieldValue,
    Filter, GroupTest, GroupedRun, Grouping, RunGroup, SharedField,
};
use protocol::quantity::{Conditions, Quantity, Scale};

use crate::table::{ChosenConditions, Table};
use crate::{INTERVAL_METHOD, mean};
use statistics::{CONFIDENCE, hedges, holm, paired, welch};

/// The most groups of which every pair is tested: beyond them hardly a difference would survive Holm's
/// correction, and nobody reads the table.
pub const MAXIMUM_TESTED_GROUPS: usize = 40;

/// How differences are tested, for people who read them.
const TEST_METHOD: &str = "Two-sided Student t tests with 95 % intervals: paired by seed if both groups have the same seeds, otherwise Welch's; p Holm-corrected over all pairs shown; Hedges' g with its large-sample interval";

/// What to compare in the chosen runs.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Which of the runs count.
    pub filter: Filter,
    /// Which runs form a group.
    pub grouping: Grouping,
    /// The measures to compare, beginning with the one that is tested; selectivity when empty. Selectivity, clean
    /// test accuracy, mean corruption accuracy and accuracy under an attack are added where they are missing.
    pub measures: Vec<Quantity>,
    /// How accuracies under perturbation are shown.
    pub scale: Scale,
}

/// Compares `runs`, the chosen ones, of `experiments`. A run counts in a measure only where it was measured under
/// the same conditions as most of them.
pub fn compare(
    experiments: Vec<ExperimentLabel>,
    runs: &[Run],
    table: &Table,
    request: &Request,
) -> Comparison {
    let unknown = ExperimentLabel::default();
    let experiment_of = |run: &Run| {
        let experiment = experiments
            .iter()
            .find(|known| known.id == run.experiment_id);
        experiment.unwrap_or(&unknown)
    };
    let passing: Vec<&Run> = runs
        .iter()
        .filter(|run| request.filter.admits(run, experiment_of(run)))
        .collect();
    let trained: Vec<Run> = passing
        .iter()
        .filter(|run| run.result.is_some())
        .map(|&run| run.clone())
        .collect();
    let measured = Measured::new(&trained, table, request.scale);
    let measures = measured.complete(&request.measures).into_iter();
    let values: Vec<MeasuredValues> = measures.map(|one| measured.values(one)).collect();

    let all_values: Vec<[FieldValue; ConfigurationField::ALL.len()]> = trained
        .iter()
        .map(|run| ConfigurationField::ALL.map(|field| field.value(run, experiment_of(run))))
        .collect();
    let value_of = |run: usize, field: ConfigurationField| &all_values[run][field as usize];
    let grouped_by = request.grouping.fields();
    let members = members(trained.len(), &grouped_by, value_of);
    let fields = differing_fields(&members, &grouped_by, value_of);
    let naming = naming(&members, &fields, value_of);

    let by_seed = !grouped_by.contains(&ConfigurationField::Seed);
    let group = |runs: &Vec<usize>| {
        let value = |field| value_of(runs[0], field);
        let own: Vec<&Run> = runs.iter().map(|&run| &trained[run]).collect();
        let (means, uneven, first) = means(&own, &values, by_seed);
        let group = RunGroup {
            label: label(&naming, value),
            values: fields.iter().map(|&field| value(field).clone()).collect(),
            means,
            uneven,
            runs: own.iter().map(|run| grouped_run(run, &values)).collect(),
        };
        (group, first)
    };
    let (groups, first_measure): (Vec<RunGroup>, Vec<Option<Replicates>>) =
        members.iter().map(group).unzip();
    let first_measure: Vec<Replicates> = first_measure.into_iter().flatten().collect();
    let (shared, differing) = fields_apart(&members, value_of);
    let too_many_groups = too_many(groups.len());
    let (tests, untested_pairs) = match too_many_groups {
        Some(_) => (Vec::new(), 0),
        None => tests(&first_measure, by_seed),
    };
    Comparison {
        chosen_runs: runs.len() as u32,
        filtered_out: (runs.len() - passing.len()) as u32,
        untrained: (passing.len() - trained.len()) as u32,
        fields,
        naming,
        measures: values.into_iter().map(|(measure, _)| measure).collect(),
        scale: request.scale,
        known_attacks: measured.known_attacks,
        groups,
        differing,
        shared,
        tests,
        untested_pairs,
        too_many_groups,
        replicates: replicates_label(by_seed).into(),
        interval_method: INTERVAL_METHOD.into(),
        test_method: TEST_METHOD.into(),
        experiments,
    }
}

/// Why not every pair of so many groups is tested, where that is so.
fn too_many(groups: usize) -> Option<String> {
    (groups > MAXIMUM_TESTED_GROUPS).then(|| {
        format!(
            "{groups} groups are too many to test every pair (at most {MAXIMUM_TESTED_GROUPS}): filter, or group by fewer fields"
        )
    })
}

/// What n counts.
fn replicates_label(by_seed: bool) -> &'static str {
    match by_seed {
        true => {
            "n counts seeds: if a group has several runs with the same seed, their mean counts as one value"
        }
        false => "n counts runs: each group has a single seed, so its runs are the replicates",
    }
}

/// A measure and its values, by run.
type MeasuredValues = (ComparedMeasure, BTreeMap<i64, f64>);

/// A group's mean of each measure, whether some of its replicates are means over more runs than others, and its replicates of
/// the first measure.
fn means(
    runs: &[&Run],
    values: &[MeasuredValues],
    by_seed: bool,
) -> (Vec<Option<Mean>>, bool, Option<Replicates>) {
    let all = values.iter().map(|(_, values)| {
        let measured = runs
            .iter()
            .filter_map(|run| Some((*run, *values.get(&run.id)?)));
        Replicates::new(measured, by_seed)
    });
    let all: Vec<Replicates> = all.collect();
    let means = all.iter().map(Replicates::mean).collect();
    let uneven = all.iter().any(|replicates| replicates.uneven);
    (means, uneven, all.into_iter().next())
}

fn grouped_run(run: &Run, values: &[MeasuredValues]) -> GroupedRun {
    GroupedRun {
        run_id: run.id,
        experiment_id: run.experiment_id,
        alpha: run.spec.alpha,
        seed: run.spec.seed,
        values: values
            .iter()
            .map(|(_, values)| values.get(&run.id).copied())
            .collect(),
    }
}

/// The runs and what was measured on them.
struct Measured<'a> {
    trained: usize,
    scale: Scale,
    table: Table<'a>,
    known_attacks: Vec<Attack>,
}

impl<'a> Measured<'a> {
    fn new(trained: &[Run], table: &Table<'a>, scale: Scale) -> Measured<'a> {
        // Only runs that pass the filter count towards the conditions of most runs.
        let passing: BTreeSet<i64> = trained.iter().map(|run| run.id).collect();
        let runs = table.runs.iter().copied();
        let table = Table::new(runs.filter(|run| passing.contains(&run.id)));
        let conditions = table.attack_conditions();
        Measured {
            trained: trained.len(),
            scale,
            known_attacks: table.attacks(conditions.first().copied()),
            table,
        }
    }

    /// `requested`, and the measures that are always shown.
    fn complete(&self, requested: &[Quantity]) -> Vec<Quantity> {
        let weak = Attack::fgsm(1.0);
        let attack = match self.known_attacks.contains(&weak) {
            true => Some(weak),
            false => self.known_attacks.first().copied(),
        };
        let always = [
            Some(Quantity::Selectivity),
            Some(Quantity::TestAccuracy),
            Some(Quantity::CORRUPTIONS),
            attack.map(Quantity::Attack),
        ];
        let mut measures = Vec::new();
        for measure in requested
            .iter()
            .copied()
            .chain(always.into_iter().flatten())
        {
            if !measures.contains(&measure) {
                measures.push(measure);
            }
        }
        measures
    }

    /// A measure and its values, by run.
    fn values(&self, measure: Quantity) -> (ComparedMeasure, BTreeMap<i64, f64>) {
        let column = self
            .table
            .values(measure, self.scale, ChosenConditions::default());
        let values = column.by_run(&self.table);
        let runs = &self.table.runs;
        let test_sets: BTreeSet<u32> = runs.iter().map(|run| run.test_images).collect();
        let of_test_set = measure.conditions() == Conditions::TestSet;
        let axis = measure.axis_on(self.scale);
        let compared = ComparedMeasure {
            measure: measure.to_string(),
            label: axis.label(),
            axis,
            images: column
                .images
                .filter(|_| !of_test_set || test_sets.len() == 1),
            averaged_over: column.averaged_over,
            missing_runs: (self.trained - values.len()) as u32,
        };
        (compared, values)
    }
}

/// The runs of each group, by place, in order of the groups' values; no group is empty.
fn members<'a>(
    runs: usize,
    grouped_by: &[ConfigurationField],
    value_of: impl Fn(usize, ConfigurationField) -> &'a FieldValue,
) -> Vec<Vec<usize>> {
    let mut by_values: BTreeMap<Vec<&str>, Vec<usize>> = BTreeMap::new();
    for run in 0..runs {
        let key = grouped_by
            .iter()
            .map(|&field| value_of(run, field).text.as_str())
            .collect();
        by_values.entry(key).or_default().push(run);
    }
    let mut members: Vec<Vec<usize>> = by_values.into_values().collect();
    members.sort_by(|a, b| {
        grouped_by
            .iter()
            .map(|&field| value_of(a[0], field).order(value_of(b[0], field)))
            .find(|order| order.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    members
}

/// The fields in which the groups differ.
fn differing_fields<'a>(
    members: &[Vec<usize>],
    grouped_by: &[ConfigurationField],
    value_of: impl Fn(usize, ConfigurationField) -> &'a FieldValue,
) -> Vec<ConfigurationField> {
    let differs = |&field: &ConfigurationField| {
        let firsts = members.iter().map(|runs| &value_of(runs[0], field).text);
        firsts.collect::<BTreeSet<_>>().len() > 1
    };
    grouped_by.iter().copied().filter(differs).collect()
}

/// A group's values of one measure, one per replicate, in order of seed (or run).
struct Replicates {
    keys: Vec<u64>,
    values: Vec<f64>,
    /// Whether some are means over more runs than others.
    uneven: bool,
}

impl Replicates {
    /// Runs of one seed share their split, initial weights and order: they are not independent replicates,
    /// so their mean counts once.
    fn new<'a>(values: impl Iterator<Item = (&'a Run, f64)>, by_seed: bool) -> Replicates {
        let mut by_key: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for (run, value) in values {
            let key = if by_seed {
                run.spec.seed
            } else {
                run.id as u64
            };
            by_key.entry(key).or_default().push(value);
        }
        let counts: BTreeSet<usize> = by_key.values().map(Vec::len).collect();
        Replicates {
            uneven: counts.len() > 1,
            keys: by_key.keys().copied().collect(),
            values: by_key
                .values()
                .map(|values| values.iter().sum::<f64>() / values.len() as f64)
                .collect(),
        }
    }

    fn mean(&self) -> Option<Mean> {
        mean(&self.values)
    }
}

/// The fields needed to give every group its own name; of fields that say the same, the first.
fn naming<'a>(
    members: &[Vec<usize>],
    fields: &[ConfigurationField],
    value_of: impl Fn(usize, ConfigurationField) -> &'a FieldValue,
) -> Vec<ConfigurationField> {
    let mut naming = fields.to_vec();
    for &field in fields.iter().rev() {
        let mut without = naming.clone();
        without.retain(|&other| other != field);
        let names: BTreeSet<Vec<&str>> = members
            .iter()
            .map(|runs| {
                let values = without.iter();
                values
                    .map(|&field| value_of(runs[0], field).text.as_str())
                    .collect()
            })
            .collect();
        if names.len() == members.len() {
            naming = without;
        }
    }
    naming
}

/// What sets a group apart, in words.
fn label<'a>(
    naming: &[ConfigurationField],
    value_of: impl Fn(ConfigurationField) -> &'a FieldValue,
) -> String {
    let parts: Vec<String> = naming
        .iter()
        .map(|&field| value_of(field).named(field))
        .collect();
    match parts.is_empty() {
        true => "all runs".into(),
        false => parts.join(", "),
    }
}

/// The fields that all runs share, and the others: those in which groups differ first.
fn fields_apart<'a>(
    members: &[Vec<usize>],
    value_of: impl Fn(usize, ConfigurationField) -> &'a FieldValue,
) -> (Vec<SharedField>, Vec<DifferingField>) {
    let (mut shared, mut differing) = (Vec::new(), Vec::new());
    for field in ConfigurationField::ALL {
        let values: Vec<Vec<FieldValue>> = members
            .iter()
            .map(|runs| {
                let mut of_group: BTreeMap<&str, &FieldValue> = BTreeMap::new();
                for &run in runs {
                    let value = value_of(run, field);
                    of_group.insert(&value.text, value);
                }
                let mut of_group: Vec<FieldValue> = of_group.into_values().cloned().collect();
                of_group.sort_by(FieldValue::order);
                of_group
            })
            .collect();
        let Some(first) = values.first() else {
            continue;
        };
        let between_groups = values.iter().any(|values| values != first);
        match &first[..] {
            [value] if !between_groups => shared.push(SharedField {
                field,
                value: value.clone(),
            }),
            _ => differing.push(DifferingField {
                field,
                between_groups,
                values,
            }),
        }
    }
    differing.sort_by_key(|field| !field.between_groups);
    (shared, differing)
}

/// Every pair that can be tested, and the number of those that cannot.
fn tests(groups: &[Replicates], by_seed: bool) -> (Vec<GroupTest>, u32) {
    let mut tests = Vec::new();
    let mut untested = 0;
    for first in 0..groups.len() {
        for second in first + 1..groups.len() {
            let (a, b) = (&groups[first], &groups[second]);
            let is_paired = by_seed && a.keys == b.keys;
            let inference = match is_paired {
                true => paired(&a.values, &b.values, CONFIDENCE),
                false => welch(&a.values, &b.values, CONFIDENCE),
            };
            // Values without any spread test nothing.
            let tested = inference.and_then(|inference| Some((inference, inference.p?)));
            let Some((inference, p)) = tested else {
                untested += 1;
                continue;
            };
            let effect = hedges(&a.values, &b.values, CONFIDENCE);
            tests.push(GroupTest {
                first: first as u32,
                second: second as u32,
                paired: is_paired,
                n: [a.values.len() as u32, b.values.len() as u32],
                difference: inference.estimate,
                interval: inference.interval,
                p,
                p_holm: p,
                hedges_g: effect.map(|effect| effect.g),
                hedges_g_interval: effect.map(|effect| effect.interval),
            });
        }
    }
    let corrected = holm(&tests.iter().map(|test| test.p).collect::<Vec<_>>());
    for (test, corrected) in tests.iter_mut().zip(corrected) {
        test.p_holm = corrected;
    }
    (tests, untested)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::run as trained_run;
    use crate::run_numbers::RunNumbers;
    use protocol::Network;
    use protocol::comparison::ConfigurationField::{Alpha, Experiment, Seed, Tag};

    fn run(id: i64, experiment: i64, alpha: f64, seed: u64, selectivity: f64) -> Run {
        let mut run = trained_run(id, alpha, selectivity);
        (run.experiment_id, run.spec.seed) = (experiment, seed);
        run
    }

    fn labels() -> Vec<ExperimentLabel> {
        [1, 2]
            .map(|id| ExperimentLabel {
                id,
                name: format!("number {id}"),
                tags: vec![],
            })
            .to_vec()
    }

    /// Two alphas with three seeds each, and one more of another experiment with other seeds.
    fn runs() -> Vec<Run> {
        let mut runs = vec![
            run(1, 1, 0.0, 0, 0.20),
            run(2, 1, 0.0, 1, 0.24),
            run(3, 1, 0.0, 2, 0.22),
            run(4, 1, 1.0, 0, 0.50),
            run(5, 1, 1.0, 1, 0.55),
            run(6, 1, 1.0, 2, 0.51),
            run(7, 2, 0.0, 7, 0.30),
            run(8, 2, 0.0, 8, 0.34),
        ];
        for run in &mut runs[6..] {
            run.spec.network = Network::ResNet20;
        }
        runs
    }

    /// Compares runs of which nothing but their results is known.
    fn compare(experiments: Vec<ExperimentLabel>, runs: &[Run], request: &Request) -> Comparison {
        let numbers = RunNumbers::of_runs(runs, &[]);
        super::compare(experiments, runs, &Table::new(&numbers), request)
    }

    fn grouped_by(fields: &[ConfigurationField]) -> Request {
        Request {
            grouping: Grouping::By(fields.to_vec()),
            ..Request::default()
        }
    }

    /// Breaks when seeds split a group by default, a mean is over another group's runs, a single tag splits
    /// replicates, or what differs is said to be shared.
    #[test]
    fn seeds_are_replicates_by_default() {
        let mut runs = runs();
        runs[1].tags = vec!["odd".into()];
        let comparison = compare(labels(), &runs, &Request::default());
        assert_eq!(
            comparison.fields,
            [Experiment, ConfigurationField::Network, Alpha]
        );
        let of_group: Vec<_> = comparison
            .groups
            .iter()
            .map(|group| group.runs.iter().map(|run| run.run_id).collect::<Vec<_>>())
            .collect();
        assert_eq!(of_group, [vec![1, 2, 3], vec![4, 5, 6], vec![7, 8]]);
        assert_eq!(
            comparison.groups[1].label, "number 1 (1), alpha +1",
            "the network says nothing that the experiment does not"
        );
        let first = comparison.groups[0].means[0].unwrap();
        assert!((first.mean - 0.22).abs() < 1e-12);
        assert_eq!(first.n, 3);
        let differing: Vec<_> = comparison
            .differing
            .iter()
            .map(|field| (field.field, field.between_groups))
            .collect();
        assert!(differing.contains(&(Alpha, true)), "{differing:?}");
        assert!(differing.contains(&(Seed, true)), "other seeds");
        assert!(differing.contains(&(Tag, true)), "{differing:?}");
        assert_eq!(comparison.shared.len() + comparison.differing.len(), 17);
        let shared = |field| comparison.shared.iter().any(|shared| shared.field == field);
        assert!(shared(ConfigurationField::Epochs) && !shared(Alpha));
    }

    /// Student's t integrated numerically, apart from this code: paired t = 51.96 with 2 degrees of freedom has
    /// p = 0.000370165, Welch's t = 4.3301 with 1.6842 has 0.0664960, and t = 7.9472 with 2.1424 has 0.0126290.
    /// Holm: times 3, 1 and 2.
    /// Breaks when groups of the same seeds are not paired, others are, or p is not corrected for all pairs.
    #[test]
    fn pairs_are_tested() {
        let comparison = compare(labels(), &runs(), &grouped_by(&[Experiment, Alpha]));
        assert_eq!(comparison.tests.len(), 3);
        let [within, across, _] = &comparison.tests[..] else {
            panic!("three pairs")
        };
        assert_eq!((within.first, within.second, within.paired), (0, 1, true));
        let difference = 0.22 - 0.52;
        assert!((within.difference - difference).abs() < 1e-12);
        assert_eq!((across.paired, across.n), (false, [3, 2]));
        for (test, (p, p_holm)) in comparison.tests.iter().zip([
            (0.000_370_165, 0.001_110_494),
            (0.066_496_034, 0.066_496_034),
            (0.012_628_966, 0.025_257_932),
        ]) {
            assert!((test.p - p).abs() < 1e-8, "{}", test.p);
            assert!((test.p_holm - p_holm).abs() < 1e-8, "{}", test.p_holm);
        }
        assert!(within.hedges_g.unwrap() < -5.0);
        assert_eq!(comparison.untested_pairs, 0);
    }

    /// Breaks when runs of one seed count as independent replicates, or do not where seeds are grouped by.
    #[test]
    fn runs_of_one_seed_are_one_replicate() {
        let runs = &runs()[..6];
        let comparison = compare(labels(), runs, &grouped_by(&[]));
        assert_eq!(comparison.groups.len(), 1);
        assert_eq!(comparison.groups[0].label, "all runs");
        let mean = comparison.groups[0].means[0].unwrap();
        assert_eq!(mean.n, 3, "seeds, not runs");
        assert!((mean.mean - 0.37).abs() < 1e-12);
        assert!(!comparison.groups[0].uneven);
        let fewer = compare(labels(), &runs[..5], &grouped_by(&[]));
        assert!(fewer.groups[0].uneven, "seed 2 has one run of two");

        let of_seeds = compare(labels(), runs, &grouped_by(&[Seed]));
        assert_eq!(of_seeds.groups.len(), 3);
        assert_eq!(of_seeds.groups[0].means[0].unwrap().n, 2);
        assert!(of_seeds.replicates.contains("counts runs"));
        assert!(of_seeds.tests.iter().all(|test| !test.paired));
    }

    /// Breaks when a filtered or untrained run is counted in a group, or is not reported.
    #[test]
    fn runs_that_do_not_count_are_told() {
        let mut runs = runs();
        runs[0].result = None;
        let request = Request {
            filter: "alpha:0".parse().unwrap(),
            ..grouped_by(&[Alpha])
        };
        let comparison = compare(labels(), &runs, &request);
        assert_eq!(
            (
                comparison.chosen_runs,
                comparison.filtered_out,
                comparison.untrained
            ),
            (8, 3, 1)
        );
        assert_eq!(comparison.groups.len(), 1);
        assert_eq!(comparison.groups[0].runs.len(), 4);
        assert_eq!((comparison.tests.len(), comparison.untested_pairs), (0, 0));
    }

    /// Breaks when a run without the measurement is taken for one with a 0, or when measures that are always
    /// shown come twice.
    #[test]
    fn what_was_not_measured_is_absent() {
        let request = Request {
            measures: vec![Quantity::TestAccuracy],
            ..grouped_by(&[Alpha])
        };
        let comparison = compare(labels(), &runs(), &request);
        let measures: Vec<_> = comparison
            .measures
            .iter()
            .map(|measure| (measure.measure.as_str(), measure.missing_runs))
            .collect();
        assert_eq!(
            measures,
            [
                ("test_accuracy", 0),
                ("selectivity", 0),
                ("corruption:all:all", 8)
            ]
        );
        assert_eq!(comparison.groups[0].means[2], None);
        assert_eq!(comparison.groups[0].runs[0].values[2], None);
        assert_eq!(comparison.measures[0].images, Some(100));
    }

    /// Breaks when a single group is tested against nothing, too many groups are tested, or nothing says
    /// why they are not.
    #[test]
    fn too_many_groups_are_not_tested() {
        let runs: Vec<Run> = (0..=2 * MAXIMUM_TESTED_GROUPS as i64 + 1)
            .map(|id| {
                run(
                    id,
                    1,
                    (id / 2) as f64,
                    (id % 2) as u64,
                    0.01 * (id * id) as f64,
                )
            })
            .collect();
        let comparison = compare(labels(), &runs, &grouped_by(&[Alpha]));
        assert_eq!(comparison.groups.len(), MAXIMUM_TESTED_GROUPS + 1);
        assert!(comparison.tests.is_empty() && comparison.too_many_groups.is_some());
        let fewer = compare(labels(), &runs[2..], &grouped_by(&[Alpha]));
        let pairs = MAXIMUM_TESTED_GROUPS * (MAXIMUM_TESTED_GROUPS - 1) / 2;
        assert_eq!(fewer.tests.len(), pairs);
        assert!(fewer.too_many_groups.is_none());
        // Alphas are in order of size.
        assert_eq!(comparison.groups[10].values[0].text, "10");
    }

    /// Breaks when a comparison of nothing fails instead of being empty.
    #[test]
    fn nothing_chosen_is_an_empty_comparison() {
        let comparison = compare(vec![], &[], &Request::default());
        assert!(
            comparison.groups.is_empty()
                && comparison.shared.is_empty()
                && comparison.differing.is_empty()
        );
    }
}
