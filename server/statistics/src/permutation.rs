//! How many slopes have a given sign, and how many would have it by chance: a permutation test within blocks.
//!
//! Slopes of many quantities on the same x are not independent, and a test that treats them as independent is wrong. Here
//! the x of a block (a seed's selectivities) are permuted among its points, the same permutation for all quantities, so that
//! whatever relates the quantities to each other stays as it is.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::average;

/// The most points of a block whose permutations are all enumerated: 7! = 5,040.
pub const ENUMERATED_POINTS: usize = 7;

/// Permutations that are drawn where a block has more points.
pub const PERMUTATIONS: u32 = 10_000;

/// The points of one block: within it, and only there, x is exchangeable if it has nothing to do with y.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Block {
    /// x of each point.
    pub x: Vec<f64>,
    /// The quantities of each point, the same ones for every point.
    pub y: Vec<Vec<f64>>,
}

/// How many slopes are below 0, and how often permutations have as many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignTest {
    /// Slopes: blocks with spread of x times quantities.
    pub slopes: u32,
    /// Slopes below 0.
    pub below: u32,
    /// The share of permutations with at least as many below 0.
    pub p_as_many: f64,
    /// The share of permutations with at most as many below 0.
    pub p_as_few: f64,
    /// Whether all permutations were enumerated; else [`PERMUTATIONS`] were drawn, always the same ones, and the observed
    /// order counts as one more (Phipson & Smyth 2010), so that no p is 0.
    pub exact: bool,
}

impl SignTest {
    /// The two-sided p: twice the smaller one, at most 1.
    pub fn p(self) -> f64 {
        (2.0 * self.p_as_many.min(self.p_as_few)).min(1.0)
    }
}

/// One block, ready to be permuted.
struct Centred {
    x: Vec<f64>,
    /// Quantities of each point, one point after the other, in deviations from the block's mean.
    y: Vec<f64>,
    quantities: usize,
    /// How far below 0 a sum of products must be to be more than rounding; one per quantity.
    tolerance: Vec<f64>,
}

impl Centred {
    /// `None` without spread of x.
    fn of(block: &Block) -> Option<Centred> {
        let quantities = block.y.first()?.len();
        let mean = average(&block.x);
        let x: Vec<f64> = block.x.iter().map(|x| x - mean).collect();
        if block.x.iter().all(|&x| x == block.x[0]) {
            return None;
        }
        let mut y = Vec::with_capacity(x.len() * quantities);
        let means: Vec<f64> = (0..quantities)
            .map(|one| block.y.iter().map(|y| y[one]).sum::<f64>() / block.y.len() as f64)
            .collect();
        for point in &block.y {
            y.extend(point.iter().zip(&means).map(|(y, mean)| y - mean));
        }
        let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
        let largest = |one: usize| block.y.iter().map(|y| y[one].abs()).fold(0.0, f64::max);
        Some(Centred {
            tolerance: (0..quantities)
                .map(|one| 1e-12 * norm * largest(one))
                .collect(),
            x,
            y,
            quantities,
        })
    }

    /// Quantities whose slope is below 0 when point `i` has the x of point `order[i]`. `sums` is scratch space.
    fn below(&self, order: &[usize], sums: &mut Vec<f64>) -> usize {
        sums.clear();
        sums.resize(self.quantities, 0.0);
        for (point, y) in self.y.chunks_exact(self.quantities.max(1)).enumerate() {
            let x = self.x[order[point]];
            for (sum, y) in sums.iter_mut().zip(y) {
                *sum += x * y;
            }
        }
        let below = sums.iter().zip(&self.tolerance);
        below.filter(|&(&sum, &tolerance)| sum < -tolerance).count()
    }

    /// How often each number of slopes is below 0 over all orders; shares that sum to 1.
    fn distribution(&self) -> Vec<f64> {
        let mut counts = vec![0.0; self.quantities + 1];
        let mut sums = Vec::new();
        let mut orders = 0.0;
        for_each_order(self.x.len(), |order| {
            counts[self.below(order, &mut sums)] += 1.0;
            orders += 1.0;
        });
        counts.iter().map(|count| count / orders).collect()
    }
}

/// Counts the slopes of y on x that are below 0, a slope for each block and quantity, and compares with permutations of x within
/// blocks. Exact where no block has more than [`ENUMERATED_POINTS`] points. `None` where no block has spread of x, where points
/// have different numbers of quantities, and for what is not finite.
pub fn sign_test(blocks: &[Block]) -> Option<SignTest> {
    let quantities = blocks.first()?.y.first()?.len();
    let fine = blocks.iter().all(|block| {
        block.x.len() == block.y.len()
            && block.x.iter().all(|x| x.is_finite())
            && block
                .y
                .iter()
                .all(|y| y.len() == quantities && y.iter().all(|y| y.is_finite()))
    });
    if !fine || quantities == 0 {
        return None;
    }
    let blocks: Vec<Centred> = blocks.iter().filter_map(Centred::of).collect();
    if blocks.is_empty() {
        return None;
    }
    let mut sums = Vec::new();
    let below: usize = blocks
        .iter()
        .map(|block| block.below(&(0..block.x.len()).collect::<Vec<_>>(), &mut sums))
        .sum();
    let exact = blocks
        .iter()
        .all(|block| block.x.len() <= ENUMERATED_POINTS);
    let (p_as_many, p_as_few) = if exact {
        enumerated(&blocks, below)
    } else {
        drawn(&blocks, below)
    };
    Some(SignTest {
        slopes: (blocks.len() * quantities) as u32,
        below: below as u32,
        p_as_many,
        p_as_few,
        exact,
    })
}

/// Blocks are permuted independently, so the distribution of the sum is the convolution of the blocks' distributions.
fn enumerated(blocks: &[Centred], below: usize) -> (f64, f64) {
    let mut total = vec![1.0];
    let each: Vec<Vec<f64>> = blocks.par_iter().map(Centred::distribution).collect();
    for of_block in &each {
        let mut next = vec![0.0; total.len() + of_block.len() - 1];
        for (a, share) in total.iter().enumerate() {
            for (b, of_block) in of_block.iter().enumerate() {
                next[a + b] += share * of_block;
            }
        }
        total = next;
    }
    let as_many: f64 = total[below..].iter().sum();
    let as_few: f64 = total[..=below].iter().sum();
    (as_many.min(1.0), as_few.min(1.0))
}

fn drawn(blocks: &[Centred], below: usize) -> (f64, f64) {
    let counts = (0..PERMUTATIONS).into_par_iter().map(|draw| {
        let mut random = ChaCha8Rng::seed_from_u64(draw.into());
        let mut sums = Vec::new();
        let mut order: Vec<usize> = Vec::new();
        let drawn: usize = blocks
            .iter()
            .map(|block| {
                order.clear();
                order.extend(0..block.x.len());
                order.shuffle(&mut random);
                block.below(&order, &mut sums)
            })
            .sum();
        (u32::from(drawn >= below), u32::from(drawn <= below))
    });
    let (as_many, as_few) = counts.reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    let share = |count: u32| f64::from(count + 1) / f64::from(PERMUTATIONS + 1);
    (share(as_many), share(as_few))
}

/// Calls `visit` with every order of `n` (Heap's algorithm).
fn for_each_order(n: usize, mut visit: impl FnMut(&[usize])) {
    let mut order: Vec<usize> = (0..n).collect();
    let mut state = vec![0; n];
    visit(&order);
    let mut place = 0;
    while place < n {
        if state[place] < place {
            let other = if place % 2 == 0 { 0 } else { state[place] };
            order.swap(other, place);
            visit(&order);
            state[place] += 1;
            place = 0;
        } else {
            state[place] = 0;
            place += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(x: &[f64], y: &[&[f64]]) -> Block {
        Block {
            x: x.to_vec(),
            y: y.iter().map(|y| y.to_vec()).collect(),
        }
    }

    /// numpy, over itertools.product of itertools.permutations of each block's x: 5 of 6 slopes are below 0, 12 of the 216
    /// combinations have at least as many and 215 at most. Breaks when quantities are permuted separately, blocks are pooled, or
    /// a tail leaves out the observed count.
    #[test]
    fn small_blocks_are_enumerated() {
        let found = sign_test(&[
            block(&[0.1, 0.3, 0.2], &[&[0.9, 0.2], &[0.5, 0.3], &[0.7, 0.1]]),
            block(&[0.5, 0.4, 0.1], &[&[0.4, 0.1], &[0.5, 0.3], &[0.8, 0.2]]),
            block(&[0.2, 0.6, 0.4], &[&[0.9, 0.5], &[0.6, 0.4], &[0.5, 0.6]]),
        ])
        .unwrap();
        assert_eq!((found.below, found.slopes, found.exact), (5, 6, true));
        assert!((found.p_as_many - 12.0 / 216.0).abs() < 1e-12, "{found:?}");
        assert!((found.p_as_few - 215.0 / 216.0).abs() < 1e-12, "{found:?}");
        assert!((found.p() - 24.0 / 216.0).abs() < 1e-12);
    }

    /// 8 points that fall: of all 40,320 orders a share of 0.4884 has a slope below 0 (numpy, itertools.permutations), give or
    /// take 0.015 for 10,000 draws (3 standard errors). Breaks when the same order is drawn again and again, a p can be 0, or
    /// draws change from one call to the next.
    #[test]
    fn large_blocks_are_drawn_and_always_the_same() {
        let x: Vec<f64> = (0..8).map(f64::from).collect();
        let y: Vec<Vec<f64>> = x.iter().map(|x| vec![-x]).collect();
        let one = [Block { x, y }];
        let found = sign_test(&one).unwrap();
        assert!(!found.exact && found.below == 1);
        assert!(
            (found.p_as_many - 0.48839285714285713).abs() < 0.015,
            "{found:?}"
        );
        assert_eq!(found.p_as_few, 1.0);
        assert_eq!(sign_test(&one), Some(found));
        let blocks: Vec<Block> = (0..30).map(|_| one[0].clone()).collect();
        let found = sign_test(&blocks).unwrap();
        assert_eq!((found.below, found.p_as_many), (30, 1.0 / 10_001.0));
    }

    /// Breaks when an order is left out or comes twice.
    #[test]
    fn every_order_comes_once() {
        let mut orders = std::collections::BTreeSet::new();
        let mut calls = 0;
        for_each_order(5, |order| {
            calls += 1;
            orders.insert(order.to_vec());
        });
        assert_eq!((calls, orders.len()), (120, 120));
    }

    /// Breaks when level quantities count as falling, or there is a test of nothing.
    #[test]
    fn what_does_not_move_is_not_below() {
        let level = block(&[0.1, 0.2, 0.4], &[&[0.1], &[0.1], &[0.1]]);
        let found = sign_test(&[level]).unwrap();
        assert_eq!((found.below, found.p()), (0, 1.0));
        assert_eq!(sign_test(&[]), None);
        assert_eq!(sign_test(&[block(&[0.1, 0.1], &[&[0.1], &[0.2]])]), None);
        assert_eq!(
            sign_test(&[block(&[0.1, f64::NAN], &[&[0.1], &[0.2]])]),
            None
        );
        assert_eq!(
            sign_test(&[block(&[0.1, 0.2], &[&[0.1], &[0.2, 0.3]])]),
            None
        );
    }
}
