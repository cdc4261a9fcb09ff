//! One run over its epochs: training against validation.

use protocol::EpochMetrics;

use crate::chart::{Axis, Chart, Dash, Ink, Kind, Point, Series, Table};

/// A pair of curves: what is measured in training and on the validation images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// Cross-entropy, in nats.
    CrossEntropy,
    /// Accuracy, in per cent.
    Accuracy,
    /// Network selectivity, 0 to 1.
    Selectivity,
}

impl Pair {
    /// What a person calls it, with its unit.
    pub fn label(self) -> &'static str {
        match self {
            Pair::CrossEntropy => "Cross-entropy (nats)",
            Pair::Accuracy => "Accuracy (%)",
            Pair::Selectivity => "Network selectivity (0 to 1)",
        }
    }

    /// Training and validation in an epoch, in the unit of [`Pair::label`].
    pub fn values(self, epoch: &EpochMetrics) -> [f64; 2] {
        match self {
            Pair::CrossEntropy => [epoch.train_cross_entropy, epoch.validation_cross_entropy],
            Pair::Accuracy => {
                [epoch.train_accuracy, epoch.validation_accuracy].map(|share| share * 100.0)
            }
            Pair::Selectivity => [epoch.train_selectivity, epoch.selectivity],
        }
    }
}

/// The curves: training dashed, validation solid.
pub fn chart(epochs: &[EpochMetrics], pair: Pair) -> Chart {
    let curve = |name, ink, index: usize| {
        let points = epochs
            .iter()
            .map(|epoch| Point::new(epoch.epoch, pair.values(epoch)[index]));
        Series::new(Kind::Line, name, ink, points.collect())
    };
    let table = Table::of(epochs)
        .column("epoch", |epoch| epoch.epoch)
        .column(format!("training: {}", pair.label()), |epoch| {
            pair.values(epoch)[0]
        })
        .column(format!("validation: {}", pair.label()), |epoch| {
            pair.values(epoch)[1]
        });
    Chart::new(Axis::epochs(epochs.len()), Axis::numbers(pair.label()))
        .with([
            Series {
                dash: Dash::Dash,
                ..curve("training", Ink::Second, 0)
            },
            curve("validation", Ink::First, 1),
        ])
        .table(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::Cell;
    use crate::figures::training_curves::tests::epoch;

    /// Broken by: training and validation that are swapped, or shares called per cent.
    #[test]
    fn pairs_are_training_then_validation() {
        assert_eq!(Pair::Accuracy.values(&epoch(1)), [41.0, 42.0]);
        assert_eq!(Pair::CrossEntropy.values(&epoch(1)), [1.6, 1.7]);
        assert_eq!(Pair::Selectivity.values(&epoch(1)), [0.31, 0.3]);
        assert_eq!(
            chart(&[epoch(3)], Pair::CrossEntropy).table.rows[0][0],
            Cell::Whole(3)
        );
    }
}
