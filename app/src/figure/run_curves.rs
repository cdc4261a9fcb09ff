//! One run over its epochs: training against validation.

use plotly::common::{DashType, Line, Mode};
use plotly::{Plot, Scatter};
use protocol::EpochMetrics;

use super::look::{self, axis, epoch_axis, ink};
use super::table::{Cell, Table};
use crate::theme::Theme;

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
    pub fn of(self, epoch: &EpochMetrics) -> [f64; 2] {
        match self {
            Pair::CrossEntropy => [epoch.train_cross_entropy, epoch.validation_cross_entropy],
            Pair::Accuracy => {
                [epoch.train_accuracy, epoch.validation_accuracy].map(|share| share * 100.0)
            }
            Pair::Selectivity => [epoch.train_selectivity, epoch.selectivity],
        }
    }
}

/// The curves as a table.
pub fn table(epochs: &[EpochMetrics], pair: Pair) -> Table {
    let training = format!("training: {}", pair.label());
    let validation = format!("validation: {}", pair.label());
    let mut table = Table::new(&["epoch", &training, &validation]);
    table.rows = epochs
        .iter()
        .map(|epoch| {
            let [training, validation] = pair.of(epoch);
            vec![
                Cell::Whole(epoch.epoch.into()),
                Cell::Number(training),
                Cell::Number(validation),
            ]
        })
        .collect();
    table
}

/// What plotly draws: training dashed, validation solid.
pub fn plot(epochs: &[EpochMetrics], pair: Pair, theme: Theme) -> Plot {
    let ink = ink(theme);
    let mut plot = look::plot(
        theme,
        epoch_axis(theme, epochs.len()),
        axis(theme, pair.label()),
    );
    let series = [
        ("training", ink.second, DashType::Dash),
        ("validation", ink.first, DashType::Solid),
    ];
    for (index, (name, hue, dash)) in series.into_iter().enumerate() {
        let curve = Scatter::new(
            epochs.iter().map(|epoch| epoch.epoch).collect(),
            epochs.iter().map(|epoch| pair.of(epoch)[index]).collect(),
        )
        .mode(if epochs.len() < 2 {
            Mode::Markers
        } else {
            Mode::Lines
        })
        .name(name)
        .line(Line::new().color(hue).width(1.8).dash(dash));
        plot.add_trace(curve);
    }
    plot
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::training_curves::tests::epoch;

    /// Broken by: training and validation that are swapped, or shares called per cent.
    #[test]
    fn pairs_are_training_then_validation() {
        assert_eq!(Pair::Accuracy.of(&epoch(1)), [41.0, 42.0]);
        assert_eq!(Pair::CrossEntropy.of(&epoch(1)), [1.6, 1.7]);
        assert_eq!(Pair::Selectivity.of(&epoch(1)), [0.31, 0.3]);
        assert_eq!(
            table(&[epoch(3)], Pair::CrossEntropy).rows[0][0],
            Cell::Whole(3)
        );
    }
}
