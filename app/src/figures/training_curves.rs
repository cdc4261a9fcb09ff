//! How did training go? One quantity over the epochs: one curve per run, or one mean per alpha.

use protocol::training_curve::{CurveQuantity, TrainingCurves};

use crate::chart::{Axis, Cell, Chart, Dash, Hover, Kind, Point, Series, Table};
use crate::figures::words;
use crate::format;

/// What a person calls a quantity, with its unit.
pub fn label(quantity: CurveQuantity) -> &'static str {
    match quantity {
        CurveQuantity::Selectivity => "Selectivity, validation images (0 to 1)",
        CurveQuantity::ValidationAccuracy => "Validation accuracy (%)",
        CurveQuantity::TrainAccuracy => "Training accuracy, augmented images (%)",
        CurveQuantity::ValidationCrossEntropy => "Validation cross-entropy (nats)",
        CurveQuantity::TrainCrossEntropy => "Training cross-entropy (nats)",
        CurveQuantity::TrainLoss => "Training loss: cross-entropy − α × selectivity (nats)",
    }
}

/// The axis of a quantity, and what its column of a table is called.
pub(super) fn axis(quantity: CurveQuantity) -> (Axis, String) {
    let label = label(quantity);
    match label.strip_suffix(" (%)") {
        Some(name) => (Axis::percent(label), format!("{name} (share)")),
        None => (Axis::numbers(label), label.to_owned()),
    }
}

/// A sentence, to follow others, on epochs that are left out; empty where none is.
fn thinned(curves: &TrainingCurves) -> String {
    match curves.every {
        0 | 1 => String::new(),
        every => format!(" One epoch in {every} is shown."),
    }
}

fn last_epoch<'a>(epochs: impl Iterator<Item = &'a Vec<u32>>) -> usize {
    let last = epochs.filter_map(|epochs| epochs.last()).max();
    last.map_or(0, |&last| last as usize)
}

/// One curve per run; only means where there are many. Suppressing alphas are dashed, promoting ones solid, the control dotted.
pub fn by_run(curves: &TrainingCurves) -> Chart {
    if curves.runs.is_empty() {
        return by_alpha(curves);
    }
    let mut listed = None;
    let series = curves.runs.iter().map(|run| {
        let points = run.epochs.iter().zip(&run.values);
        let points = points.map(|(&epoch, &value)| Point::new(epoch, value).of_run(run.run_id));
        Series {
            listed: listed.replace(run.alpha) != Some(run.alpha),
            hover: Hover::Values(format!("run {}, seed {}", run.run_id, run.seed)),
            dash: match run.alpha {
                alpha if alpha < 0.0 => Dash::Dash,
                alpha if alpha > 0.0 => Dash::Solid,
                _ => Dash::Dot,
            },
            ..Series::of_alpha(Kind::Line, run.alpha, points.collect())
        }
    });
    let series: Vec<Series> = series.collect();
    let (axis, column) = axis(curves.quantity);
    let rows = curves.runs.iter().flat_map(|run| {
        let values = run.epochs.iter().zip(&run.values);
        values.map(move |(&epoch, &value)| (run, epoch, value))
    });
    let table = Table::of(rows)
        .column("run", |(run, ..)| run.run_id.unsigned_abs())
        .column("alpha", |(run, ..)| Cell::Alpha(run.alpha))
        .column("seed", |(run, ..)| run.seed)
        .column("epoch", |(_, epoch, _)| *epoch)
        .column(column, |(.., value)| *value);
    let most = last_epoch(curves.runs.iter().map(|run| &run.epochs));
    Chart::new(Axis::epochs(most), axis)
        .note(format!(
            "One curve per run, coloured by alpha; n = {}.{}",
            format::plural(series.len() as u64, "run", "runs"),
            thinned(curves)
        ))
        .table(table)
        .with(series)
}

/// The mean of each alpha over the runs that have come so far, within the band of its interval.
pub fn by_alpha(curves: &TrainingCurves) -> Chart {
    let series = curves.alphas.iter().flat_map(|curve| {
        let means = || curve.epochs.iter().copied().zip(&curve.means);
        let band = curve.means.iter().any(|mean| mean.interval.is_some());
        let band = band.then(|| {
            let points = means().map(|(epoch, mean)| {
                let ends = mean.interval.unwrap_or([mean.mean; 2]);
                Point::new(epoch, mean.mean).within(Some(ends))
            });
            Series::of_alpha(Kind::Band(0.15), curve.alpha, points.collect()).unlisted()
        });
        let points = means().map(|(epoch, mean)| Point::new(epoch, mean.mean));
        let line = Series {
            width: 2.2,
            ..Series::of_alpha(Kind::Line, curve.alpha, points.collect())
        };
        band.into_iter().chain([line])
    });
    let series: Vec<Series> = series.collect();
    let (axis, column) = axis(curves.quantity);
    let means = curves.alphas.iter().flat_map(|curve| {
        let means = curve.epochs.iter().copied().zip(&curve.means);
        means.map(move |(epoch, mean)| (curve.alpha, epoch, *mean))
    });
    let n = words::counted(means.clone().map(|(.., mean)| mean.n), "run", "runs");
    let table = Table::of(means)
        .column("alpha", |(alpha, ..)| Cell::Alpha(*alpha))
        .column("epoch", |(_, epoch, _)| *epoch)
        .column("runs (n)", |(.., mean)| mean.n)
        .column(format!("{column}, mean"), |(.., mean)| mean.mean)
        .interval("95 %", |(.., mean)| mean.interval);
    let most = last_epoch(curves.alphas.iter().map(|curve| &curve.epochs));
    Chart::new(Axis::epochs(most), axis)
        .note(format!(
            "One line per alpha: the mean of the runs that have reached each epoch, n = {n}.{}",
            thinned(curves)
        ))
        .how(format!("Bands: {}.", curves.interval_method))
        .table(table)
        .with(series)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::chart::plotly;
    use crate::ui::theme::Theme;
    use protocol::EpochMetrics;
    use protocol::api::Mean;
    use protocol::training_curve::{AlphaCurve, RunCurve};

    /// An epoch whose numbers all differ.
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

    /// Two runs of alpha 1, of which one has come further, and one of alpha −1.
    fn curves() -> TrainingCurves {
        let run = |run_id, alpha, seed, values: &[f64]| RunCurve {
            run_id,
            alpha,
            seed,
            epochs: (1..).take(values.len()).collect(),
            values: values.to_vec(),
        };
        let mean = |mean, n, interval| Mean { mean, n, interval };
        TrainingCurves {
            quantity: CurveQuantity::ValidationAccuracy,
            alphas: vec![
                AlphaCurve {
                    alpha: -1.0,
                    epochs: vec![1],
                    means: vec![mean(0.2, 1, None)],
                },
                AlphaCurve {
                    alpha: 1.0,
                    epochs: vec![1, 2],
                    means: vec![mean(0.35, 2, Some([-0.3, 1.0])), mean(0.5, 1, None)],
                },
            ],
            runs: vec![
                run(2, -1.0, 0, &[0.2]),
                run(1, 1.0, 0, &[0.3, 0.5]),
                run(3, 1.0, 1, &[0.4]),
            ],
            run_count: 3,
            every: 1,
            interval_method: "95 % by Student's t".into(),
        }
    }

    /// Broken by: an alpha listed once a seed, a run that is lost, or shares drawn as per cent in the table.
    #[test]
    fn each_alpha_is_in_the_legend_once() {
        let chart = by_run(&curves());
        let json = plotly::figure(&chart, Theme::Light);
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
        assert_eq!(json["data"][1]["y"][1], 50.0);
        assert_eq!(chart.table.rows.len(), 4);
        assert_eq!(chart.table.rows[2][4], Cell::Number(0.5));
    }

    /// Broken by: a band where one run has come, none where two have, or a caption without n.
    #[test]
    fn means_have_the_band_of_their_interval() {
        let chart = by_alpha(&curves());
        assert_eq!(chart.series.len(), 3, "two lines, and a band for one");
        assert!(chart.note.contains("n = 1 to 2 runs"), "{}", chart.note);
        assert!(chart.caption().contains("Student's t"));
        assert_eq!(chart.table.rows.len(), 3);
    }

    /// Broken by: hundreds of runs drawn as nothing, or epochs that are left out in silence.
    #[test]
    fn many_runs_are_drawn_as_means() {
        let many_runs = TrainingCurves {
            runs: Vec::new(),
            every: 25,
            ..curves()
        };
        let chart = by_run(&many_runs);
        assert_eq!(chart.series.len(), 3);
        assert!(chart.note.contains("One epoch in 25"), "{}", chart.note);
    }
}
