//! Like with like: the one rule by which numbers of many runs are made comparable.
//!
//! Only numbers under the same conditions compare: those under which most runs were measured count ([`conditions`]), unless
//! others are asked for by name. And a mean over several items (corruptions and severities, perturbations, alphas) compares
//! only between runs that have the same items: the set that most runs have counts ([`items`]), and a run without all of
//! them has no value, so that all means are over the same items.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Dataset;
use protocol::dimensionality::{DimensionalityMeasurement, Perturbation};

/// Whether a dimensionality measurement is valid on `dataset`: it is not where it is of differences between clean images
/// and corrupted ones that are not made from them. Nothing measures such differences now, but older stores hold some on the
/// published Tiny ImageNet-C (see [`CorruptionSource::unmatched`](protocol::corruption_evaluation::CorruptionSource::unmatched)).
pub fn is_of_matched_images(measured: &DimensionalityMeasurement, dataset: &Dataset) -> bool {
    let corrupted = matches!(measured.perturbation, Perturbation::Corruption { .. });
    !corrupted || measured.conditions.source.unmatched(dataset).is_none()
}

/// Every set of conditions in these (run, conditions) pairs, those of most runs first; among equals, the greatest first.
pub fn conditions<C: Copy + Ord>(of_runs: impl IntoIterator<Item = (i64, C)>) -> Vec<C> {
    let of_runs: BTreeSet<(i64, C)> = of_runs.into_iter().collect();
    let mut counts: BTreeMap<C, usize> = BTreeMap::new();
    for (_, conditions) in of_runs {
        *counts.entry(conditions).or_default() += 1;
    }
    let mut known: Vec<_> = counts.into_iter().collect();
    known.sort_by_key(|&(conditions, runs)| std::cmp::Reverse((runs, conditions)));
    let conditions = known.into_iter().map(|(conditions, _)| conditions);
    conditions.collect()
}

/// The set of items that most runs have, from one sorted set per run; among equally frequent sets the largest, among
/// equals the greatest. Empty sets do not count.
pub fn items<T: Ord>(of_runs: impl IntoIterator<Item = Vec<T>>) -> Vec<T> {
    let mut counts: BTreeMap<Vec<T>, usize> = BTreeMap::new();
    for set in of_runs.into_iter().filter(|set| !set.is_empty()) {
        *counts.entry(set).or_default() += 1;
    }
    let most = counts
        .into_iter()
        .max_by_key(|(set, runs)| (*runs, set.len()));
    most.map(|(set, _)| set).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when conditions of more measurements are taken for those of more runs, or equals come in a random order.
    #[test]
    fn the_conditions_of_most_runs_come_first() {
        let of_runs = [(1, 'a'), (1, 'a'), (1, 'a'), (2, 'b'), (3, 'b'), (4, 'c')];
        assert_eq!(conditions(of_runs), ['b', 'c', 'a']);
        assert_eq!(conditions::<char>([]), [' '; 0]);
    }

    /// Breaks when a rare set counts, the smaller of equally frequent ones does, or runs without any item do.
    #[test]
    fn the_items_of_most_runs_count() {
        let sets = [
            vec![1, 2],
            vec![1, 2],
            vec![1, 2, 3],
            vec![],
            vec![],
            vec![],
        ];
        assert_eq!(items(sets), [1, 2]);
        assert_eq!(items([vec![1], vec![1, 2], vec![1, 3]]), [1, 3]);
        assert_eq!(items::<u8>([vec![]]), [0; 0]);
    }
}
