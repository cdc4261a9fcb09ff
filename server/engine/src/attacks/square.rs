//! The square attack: random search that sees logits alone, never a gradient.
//!
//! Andriushchenko, Croce, Flammarion & Hein 2020, "Square attack: a query-efficient black-box adversarial
//! attack via random search" (arXiv 1912.00049), L-infinity (algorithms 1 and 2). It begins with vertical
//! stripes one pixel wide: each column of each channel is moved by +eps or -eps. Each further query gives a
//! square window, at a random place, a new random sign for each channel, +eps or -eps from the clean image,
//! and keeps that if the margin `z_y - max_{i != y} z_i` shrinks. The window's area is a share `p` of the
//! image that is halved again and again as queries are spent (section 3.2, and [`share_at`]).
//!
//! As a black-box attack it is a check on white-box ones: it cannot be fooled by gradients that are masked.

use burn::tensor::Tensor;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::ball::{from_rows, rows};
use super::invariants::FEW_STEPS;
use super::samples::Gallery;
use super::{Attack, AttackError, Ball, Norm, Samples, Target, at_least_one, in_words, purpose};

/// The first window's share of the image in AutoAttack's standard version.
pub const FIRST_SHARE: f64 = 0.8;

/// Random search for squares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Square {
    ball: Ball,
    queries: usize,
    first_share: f64,
}

impl Square {
    /// `queries` queries after the stripes, with [`FIRST_SHARE`]. AutoAttack's standard version has 5000.
    ///
    /// # Errors
    /// When there are no queries, or the ball is not one of L-infinity.
    pub fn new(ball: Ball, queries: usize) -> Result<Self, AttackError> {
        at_least_one("square", "the number of queries", queries)?;
        if ball.norm() != Norm::Linf {
            return Err(AttackError::Norm {
                attack: "square",
                norm: ball.norm(),
            });
        }
        Ok(Square {
            ball,
            queries,
            first_share: FIRST_SHARE,
        })
    }

    /// With another first share of the image.
    ///
    /// # Errors
    /// When it is not above 0 and at most 1.
    pub fn with_first_share(self, first_share: f64) -> Result<Self, AttackError> {
        if !(first_share > 0.0 && first_share <= 1.0) {
            return Err(AttackError::Parameter {
                attack: "square",
                what: "the first window's share of the image",
                value: first_share,
                expected: "above 0 and at most 1",
            });
        }
        Ok(Square {
            first_share,
            ..self
        })
    }
}

impl Attack for Square {
    fn name(&self) -> &'static str {
        "square"
    }

    fn description(&self) -> String {
        format!("{}, {} queries", in_words(self.ball), self.queries)
    }

    fn ball(&self) -> Ball {
        self.ball
    }

    fn perturb(&self, target: &Target, samples: &Samples) -> Result<Tensor<4>, AttackError> {
        super::loss::check_labels("labels", samples.labels(), samples.len(), target.classes())?;
        let [_, channels, height, width] = samples.images().dims();
        let frame = Frame {
            channels,
            height,
            width,
            epsilon: self.ball.epsilon() as f32,
        };
        let clean = rows(samples.images().clone());
        let mut gallery = Gallery::new(samples.len());
        let mut searches: Vec<Search> = clean
            .iter()
            .enumerate()
            .map(|(place, clean)| Search {
                place,
                clean,
                best: clean.clone(),
                margin: f32::INFINITY,
                tried: clean.clone(),
                random: samples.random(place, [purpose::SQUARE, 0]),
            })
            .collect();
        for query in 0..=self.queries {
            if searches.is_empty() {
                break;
            }
            let side = (query > 0).then(|| {
                let share = share_at(self.first_share, query - 1, self.queries);
                frame.side(share)
            });
            searches
                .par_iter_mut()
                .for_each(|search| search.try_next(frame, side));
            let tried = searches.iter().map(|search| &search.tried);
            let tried = from_rows(tried, samples.images());
            let logits = target.logits(tried.clone())?;
            for (row, search) in searches.iter_mut().enumerate() {
                let label = samples.labels()[search.place];
                if logits.prediction(row) != Some(label) {
                    gallery.keep(search.place, &tried, row);
                    search.margin = f32::NEG_INFINITY;
                } else {
                    search.judge(logits.margin(row, label));
                }
            }
            searches.retain(|search| search.margin > f32::NEG_INFINITY);
        }
        let left = searches.iter().map(|search| &search.best);
        let left = from_rows(left, samples.images());
        for (row, search) in searches.iter().enumerate() {
            gallery.offer(search.place, &left, row);
        }
        Ok(gallery.or(samples.images()))
    }

    fn with_epsilon_zero(&self) -> Box<dyn Attack> {
        Box::new(Square {
            ball: self.ball.with_epsilon_zero(),
            queries: self.queries.min(FEW_STEPS),
            ..*self
        })
    }
}

/// The size of the images and of the change.
#[derive(Debug, Clone, Copy)]
struct Frame {
    channels: usize,
    height: usize,
    width: usize,
    epsilon: f32,
}

impl Frame {
    /// The side of a window with that share of the image: at least 1, and within the image.
    fn side(&self, share: f64) -> usize {
        let side = (share * (self.height * self.width) as f64).sqrt().round() as usize;
        side.max(1).min(self.height).min(self.width)
    }

    fn changed(&self, clean: f32, up: bool) -> f32 {
        let change = if up { self.epsilon } else { -self.epsilon };
        (clean + change).clamp(0.0, 1.0)
    }
}

/// One image's search.
struct Search<'a> {
    /// Its place in the batch.
    place: usize,
    clean: &'a [f32],
    /// The image of the least margin so far, and the margin.
    best: Vec<f32>,
    margin: f32,
    /// The image of the next query.
    tried: Vec<f32>,
    random: ChaCha8Rng,
}

impl Search<'_> {
    /// Makes the image of the next query: the stripes, or a window of that side.
    fn try_next(&mut self, frame: Frame, side: Option<usize>) {
        let Frame {
            channels,
            height,
            width,
            ..
        } = frame;
        let (left, top, columns, lines) = match side {
            Some(side) => {
                self.tried.copy_from_slice(&self.best);
                let top = self.random.random_range(0..=height - side);
                let left = self.random.random_range(0..=width - side);
                (left, top, side, side)
            }
            None => (0, 0, width, height),
        };
        for channel in 0..channels {
            let mut up = self.random.random::<bool>();
            for column in left..left + columns {
                if side.is_none() {
                    up = self.random.random();
                }
                for line in top..top + lines {
                    let index = (channel * height + line) * width + column;
                    self.tried[index] = frame.changed(self.clean[index], up);
                }
            }
        }
    }

    /// Keeps what was tried if its margin is less than the least so far.
    fn judge(&mut self, margin: f32) {
        if margin < self.margin {
            self.margin = margin;
            std::mem::swap(&mut self.best, &mut self.tried);
        }
    }
}

/// The window's share of the image at `query` (from 0) of `queries`: `first` is halved after 10, 50, 200,
/// 500, 1000, 2000, 4000, 6000 and 8000 of 10,000 queries, and at the same shares of other budgets.
pub(super) fn share_at(first: f64, query: usize, queries: usize) -> f64 {
    let rescaled = query * 10_000 / queries.max(1);
    let halvings = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000]
        .iter()
        .filter(|&&after| rescaled > after)
        .count();
    first / f64::from(1_u32 << halvings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    /// Breaks when the schedule differs from the authors', or does not follow the budget.
    #[test]
    fn windows_shrink_as_published() {
        let known = [
            (10, 1.0),
            (11, 2.0),
            (51, 4.0),
            (200, 4.0),
            (501, 16.0),
            (2001, 64.0),
            (8001, 512.0),
            (9999, 512.0),
        ];
        for (query, part) in known {
            assert_eq!(share_at(0.8, query, 10_000), 0.8 / part, "{query}");
        }
        assert_eq!(share_at(0.8, 801, 1000), 0.8 / 512.0);
        assert_eq!(share_at(0.8, 0, 1), 0.8);
    }

    /// Breaks when stripes are not columns, a window is no square inside the image, or a value is anywhere
    /// but at the edge of the ball.
    #[test]
    fn stripes_and_windows_are_at_the_edge_of_the_ball() {
        let frame = Frame {
            channels: 3,
            height: 6,
            width: 9,
            epsilon: 0.1,
        };
        assert_eq!(frame.side(1.0), 6, "within the image");
        assert_eq!(frame.side(1e-9), 1);
        let clean = vec![0.5_f32; 162];
        let mut search = Search {
            place: 0,
            clean: &clean,
            best: clean.clone(),
            margin: f32::INFINITY,
            tried: clean.clone(),
            random: ChaCha8Rng::seed_from_u64(1),
        };
        search.try_next(frame, None);
        for (index, value) in search.tried.iter().enumerate() {
            assert!((value - 0.5).abs() > 0.0999);
            let (channel, column) = (index / 54, index % 9);
            assert_eq!(*value, search.tried[channel * 54 + column], "a column");
        }
        search.judge(1.0);
        for side in [1, 3, 6] {
            search.best.copy_from_slice(&clean);
            search.try_next(frame, Some(side));
            let changed = search.tried.iter().filter(|&&value| value != 0.5).count();
            assert_eq!(changed, 3 * side * side);
            search.judge(2.0);
            assert_eq!(search.best, clean, "a larger margin is not kept");
        }
    }

    /// Breaks when an empty budget, or a norm it is not made for, is accepted.
    #[test]
    fn what_is_not_possible_is_refused() {
        let linf = Ball::new(Norm::Linf, 0.1).unwrap();
        assert!(Square::new(linf, 0).is_err());
        let l2 = Ball::new(Norm::L2, 0.1).unwrap();
        assert!(matches!(Square::new(l2, 10), Err(AttackError::Norm { .. })));
        for share in [0.0, 1.1, f64::NAN] {
            assert!(
                Square::new(linf, 10)
                    .unwrap()
                    .with_first_share(share)
                    .is_err()
            );
        }
    }
}
