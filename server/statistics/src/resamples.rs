//! The resamples of a bootstrap: which replicates each of them holds.
//!
//! They depend on the number of replicates alone, as the generator is seeded with a constant, so
//! those of a usual number are made once and kept: a page asks for thousands of intervals.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::OnceLock;

/// Resamples that are drawn where they are too many to enumerate; what Efron & Tibshirani (1993,
/// chapter 14) use for BCa. With another seed an end of the interval of 20 normal values would be
/// elsewhere by 8 % of the standard error (standard deviation over 300 seeds; 5 % with 5,000
/// resamples), and the far end of 10 very skewed ones by 19 %.
pub const RESAMPLES: usize = 2_000;

/// The most replicates whose resamples are enumerated instead of drawn: 5^5 = 3,125 resamples,
/// 126 different ones.
pub const ENUMERATED_UP_TO: usize = 5;

/// The most replicates whose drawn resamples are kept: 16 MiB in total, if all numbers up to it are used.
const KEPT_UP_TO: usize = 128;

/// One resample.
pub(super) struct Resample<'a> {
    /// Replicates it holds, by index, as many as there are; one may be there several times.
    pub replicates: &'a [usize],
    /// How many of the equally likely resamples it represents.
    pub weight: f64,
}

/// Calls `visit` with the resamples of `n` replicates: with each different one of them, weighted
/// by its probability, up to [`ENUMERATED_UP_TO`] replicates, and with [`RESAMPLES`] drawn ones
/// of weight 1 above. Always the same ones for the same `n`.
pub(super) fn for_each(n: usize, visit: impl FnMut(Resample)) {
    static KEPT: [OnceLock<Kept>; KEPT_UP_TO + 1] = [const { OnceLock::new() }; KEPT_UP_TO + 1];
    match KEPT.get(n) {
        Some(kept) => kept.get_or_init(|| Kept::make(n)).for_each(visit),
        None => draw(n, visit),
    }
}

/// Whether [`for_each`] enumerates the resamples of `n` replicates.
pub(super) fn are_enumerated(n: usize) -> bool {
    n <= ENUMERATED_UP_TO
}

/// The resamples of one number of replicates, written down.
struct Kept {
    n: usize,
    replicates: Vec<u8>,
    weights: Vec<f64>,
}

impl Kept {
    fn make(n: usize) -> Self {
        let mut kept = Self {
            n,
            replicates: Vec::new(),
            weights: Vec::new(),
        };
        let write = |resample: Resample| {
            let replicates = resample.replicates.iter();
            // Below KEPT_UP_TO, which a byte holds.
            kept.replicates.extend(replicates.map(|&one| one as u8));
            kept.weights.push(resample.weight);
        };
        if are_enumerated(n) {
            enumerate(n, write);
        } else {
            draw(n, write);
        }
        kept
    }

    fn for_each(&self, mut visit: impl FnMut(Resample)) {
        let mut indices = vec![0; self.n];
        // chunks_exact of 0 panics, and no replicates have no resamples.
        for (replicates, &weight) in self
            .replicates
            .chunks_exact(self.n.max(1))
            .zip(&self.weights)
        {
            for (index, &replicate) in indices.iter_mut().zip(replicates) {
                *index = usize::from(replicate);
            }
            visit(Resample {
                replicates: &indices,
                weight,
            });
        }
    }
}

fn draw(n: usize, mut visit: impl FnMut(Resample)) {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut replicates = vec![0; n];
    for _ in 0..RESAMPLES {
        replicates.fill_with(|| random.random_range(0..n));
        visit(Resample {
            replicates: &replicates,
            weight: 1.0,
        });
    }
}

/// Each multiset of n of n replicates, written in ascending order, with the number of sequences
/// that have it: n! over the factorials of its multiplicities.
fn enumerate(n: usize, mut visit: impl FnMut(Resample)) {
    let mut replicates = vec![0; n];
    loop {
        let equal_ones = replicates.chunk_by(|a, b| a == b);
        let weight = factorial(n)
            / equal_ones
                .map(|ones| factorial(ones.len()))
                .product::<f64>();
        visit(Resample {
            replicates: &replicates,
            weight,
        });
        // The next ascending sequence: the last one that can grow does, and all after it follow.
        let Some(place) = replicates.iter().rposition(|&replicate| replicate + 1 < n) else {
            return;
        };
        let next = replicates[place] + 1;
        replicates[place..].fill(next);
    }
}

fn factorial(n: usize) -> f64 {
    (1..=n).map(|factor| factor as f64).product()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(n: usize) -> Vec<(Vec<usize>, f64)> {
        let mut all = Vec::new();
        for_each(n, |resample| {
            all.push((resample.replicates.to_vec(), resample.weight))
        });
        all
    }

    /// Of 2 replicates the 4 resamples are 00, 01, 10, 11. Broken by: weights that count
    /// multisets alike, or a multiset that is left out.
    #[test]
    fn two_replicates_have_four_resamples() {
        assert_eq!(
            all(2),
            [(vec![0, 0], 1.0), (vec![0, 1], 2.0), (vec![1, 1], 1.0)]
        );
    }

    /// n^n resamples and (2n - 1 over n) different ones. Broken by: an enumeration that ends early
    /// or repeats itself.
    #[test]
    fn enumerations_are_complete() {
        for (n, different, resamples) in
            [(2, 3, 4.0), (3, 10, 27.0), (4, 35, 256.0), (5, 126, 3125.0)]
        {
            let mut all = all(n);
            assert_eq!(all.iter().map(|(_, weight)| weight).sum::<f64>(), resamples);
            all.sort_by(|a, b| a.0.cmp(&b.0));
            all.dedup_by(|a, b| a.0 == b.0);
            assert_eq!(all.len(), different);
        }
    }

    /// Broken by: drawing without replacement, a replicate that is drawn more often than another
    /// (each is expected 2,000 times, give or take 44), or draws that change from one call
    /// to the next; below and above [`KEPT_UP_TO`].
    #[test]
    fn drawn_resamples_are_uniform_and_always_the_same() {
        for n in [20, KEPT_UP_TO + 1] {
            let drawn = all(n);
            assert_eq!(drawn, all(n));
            assert_eq!(drawn.len(), RESAMPLES);
            let mut counts = vec![0; n];
            for &replicate in drawn.iter().flat_map(|(replicates, _)| replicates) {
                counts[replicate] += 1;
            }
            assert!(
                counts
                    .iter()
                    .all(|&count: &u32| count.abs_diff(2_000) < 200),
                "{counts:?}"
            );
            let distinct =
                |row: &[usize]| row.iter().collect::<std::collections::BTreeSet<_>>().len();
            assert!(drawn.iter().any(|(row, _)| distinct(row) < n));
        }
    }

    /// Broken by: a panic where there is nothing to resample.
    #[test]
    fn no_replicates_have_no_resamples() {
        assert_eq!(all(0), []);
    }
}
