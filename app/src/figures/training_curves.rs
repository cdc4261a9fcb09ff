//! How did training go? One quantity over the epochs, a curve a run, coloured by alpha.

use protocol::EpochMetrics;
use protocol::api::RunMetrics;

use crate::chart::{Axis, Cell, Chart, Dash, Hover, Kind, Point, Series, Table};
use crate::format;

/// What can be shown over the epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Network selectivity on the validation images.
    Selectivity,
    /// Accuracy on the validation images.
    ValidationAccuracy,
    /// Accuracy on the training images.
    TrainAccuracy,
    /// Cross-entropy on the validation images.
    ValidationCrossEntropy,
    /// Cross-entropy on the training images.
    TrainCrossEntropy,
    /// The loss that is minimised.
    TrainLoss,
}

impl Quantity {
    /// Every quantity, in the order of the selector.
    pub const ALL: [Quantity; 6] = [
        Quantity::Selectivity,
        Quantity::ValidationAccuracy,
        Quantity::TrainAccuracy,
        Quantity::ValidationCrossEntropy,
        Quantity::TrainCrossEntropy,
        Quantity::TrainLoss,
    ];

    /// The name in the selector and the address.
    pub fn id(self) -> &'static str {
        match self {
            Quantity::Selectivity => "selectivity",
            Quantity::ValidationAccuracy => "validation-accuracy",
            Quantity::TrainAccuracy => "train-accuracy",
            Quantity::ValidationCrossEntropy => "validation-cross-entropy",
            Quantity::TrainCrossEntropy => "train-cross-entropy",
            Quantity::TrainLoss => "train-loss",
        }
    }

    /// The quantity called `id`, if there is one.
    pub fn from_id(id: &str) -> Option<Quantity> {
        Quantity::ALL
            .into_iter()
            .find(|quantity| quantity.id() == id)
    }

    /// What a person calls it, with its unit.
    pub fn label(self) -> &'static str {
        match self {
            Quantity::Selectivity => "Selectivity, validation images (0 to 1)",
            Quantity::ValidationAccuracy => "Validation accuracy (%)",
            Quantity::TrainAccuracy => "Training accuracy, augmented images (%)",
            Quantity::ValidationCrossEntropy => "Validation cross-entropy (nats)",
            Quantity::TrainCrossEntropy => "Training cross-entropy (nats)",
            Quantity::TrainLoss => "Training loss: cross-entropy − α × selectivity (nats)",
        }
    }

    /// Its value in an epoch, in the unit of [`Quantity::label`].
    pub fn of(self, epoch: &EpochMetrics) -> f64 {
        match self {
            Quantity::Selectivity => epoch.selectivity,
            Quantity::ValidationAccuracy => epoch.validation_accuracy * 100.0,
            Quantity::TrainAccuracy => epoch.train_accuracy * 100.0,
            Quantity::ValidationCrossEntropy => epoch.validation_cross_entropy,
            Quantity::TrainCrossEntropy => epoch.train_cross_entropy,
            Quantity::TrainLoss => epoch.train_loss,
        }
    }
}

/// The curves: suppressing alphas are dashed, promoting ones solid, the control dotted.
pub fn chart(runs: &[RunMetrics], quantity: Quantity) -> Chart {
    let most = runs.iter().map(|run| run.epochs.len()).max().unwrap_or(0);
    let mut ordered: Vec<&RunMetrics> = runs.iter().filter(|run| !run.epochs.is_empty()).collect();
    ordered.sort_by(|a, b| a.alpha.total_cmp(&b.alpha).then(a.seed.cmp(&b.seed)));
    let mut last = None;
    let curves = ordered.into_iter().map(|run| {
        let points = run
            .epochs
            .iter()
            .map(|epoch| Point::new(epoch.epoch, quantity.of(epoch)));
        Series {
            listed: last.replace(run.alpha) != Some(run.alpha),
            hover: Hover::Values(format!("run {}, seed {}", run.run_id, run.seed)),
            dash: match run.alpha {
                alpha if alpha < 0.0 => Dash::Dash,
                alpha if alpha > 0.0 => Dash::Solid,
                _ => Dash::Dot,
            },
            ..Series::of_alpha(Kind::Line, run.alpha, points.collect())
        }
    });
    let curves: Vec<Series> = curves.collect();
    let note = format!(
        "A curve a run, coloured by alpha; n = {}.",
        format::plural(curves.len() as u64, "run", "runs")
    );
    let rows = runs
        .iter()
        .flat_map(|run| run.epochs.iter().map(move |epoch| (run, epoch)));
    let table = Table::of(rows)
        .column("run", |(run, _)| run.run_id.unsigned_abs())
        .column("alpha", |(run, _)| Cell::Alpha(run.alpha))
        .column("seed", |(run, _)| run.seed)
        .column("epoch", |(_, epoch)| epoch.epoch)
        .column(quantity.label(), |(_, epoch)| quantity.of(epoch));
    Chart::new(Axis::epochs(most), Axis::numbers(quantity.label()))
        .with(curves)
        .note(note)
        .table(table)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::chart::plotly;
    use crate::theme::Theme;

    /// An epoch whose every number is another.
    pub(crate) fn epoch(epoch: u32) -> EpochMetrics {
        EpochMetrics {
            epoch,
            learning_rate: 0.1,
            train_loss: 1.5,
            train_cross_entropy: 1.6,
            train_selectivity: 0.31,
            train_accuracy: 0.41,
            validation_cross_entropy: 1.7,
            validation_accuracy: 0.42,
            layer_selectivity: vec![0.2, 0.4],
            selectivity: 0.3,
            images_per_second: 500.0,
            seconds: 2.0,
        }
    }

    /// Broken by: two quantities that share a name, or one that shows another's numbers.
    #[test]
    fn every_quantity_has_its_own_name_and_number() {
        let mut seen = Vec::new();
        for quantity in Quantity::ALL {
            assert_eq!(Quantity::from_id(quantity.id()), Some(quantity));
            let value = quantity.of(&epoch(1));
            assert!(!seen.contains(&value), "{quantity:?}");
            seen.push(value);
        }
        assert_eq!(Quantity::ValidationAccuracy.of(&epoch(1)), 42.0);
    }

    /// Broken by: runs without epochs in the legend, or an alpha listed once a seed.
    #[test]
    fn each_alpha_is_in_the_legend_once() {
        let run = |run_id, alpha, seed, epochs| RunMetrics {
            run_id,
            alpha,
            seed,
            epochs,
        };
        let runs = [
            run(1, 1.0, 0, vec![epoch(1), epoch(2)]),
            run(2, -1.0, 0, vec![epoch(1)]),
            run(3, 1.0, 1, vec![epoch(1)]),
            run(4, 0.0, 1, vec![]),
        ];
        let json = plotly::figure(&chart(&runs, Quantity::Selectivity), Theme::Light);
        let listed: Vec<(&str, bool)> = json["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|trace| {
                (
                    trace["name"].as_str().unwrap(),
                    trace["showlegend"].as_bool().unwrap(),
                )
            })
            .collect();
        assert_eq!(listed, [("α −1", true), ("α +1", true), ("α +1", false)]);
        assert_eq!(chart(&runs, Quantity::Selectivity).table.rows.len(), 4);
    }
}
