//! Two quantities of an experiment's runs against each other: one point per run, means over seeds by alpha.

use protocol::measure::{Scatter, ScatterMean, ScatterPoint};
use protocol::quantity::{Axis, Quantity, Scale};
use rayon::prelude::*;

use crate::table::{ChosenConditions, Table};
use crate::{INTERVAL_METHOD, distinct_alphas, mean};

/// Sets `x` against `y`. Measurements count only under the `chosen` conditions or, where these are absent, under those
/// that most runs share; a mean over corruptions counts only where a run has every corruption that most runs have, so
/// that all points are means over the same corruptions.
pub fn scatter(
    table: &Table,
    x: Quantity,
    y: Quantity,
    scale: Scale,
    chosen: ChosenConditions,
) -> Scatter {
    let known_conditions = table.corruption_conditions();
    let known_attack_conditions = table.attack_conditions();
    let chosen = ChosenConditions {
        corruptions: chosen
            .corruptions
            .or_else(|| known_conditions.first().copied()),
        attacks: chosen
            .attacks
            .or_else(|| known_attack_conditions.first().copied()),
    };
    let [of_x, of_y] = [x, y].map(|quantity| table.values(quantity, scale, chosen));
    let values = of_x.of_runs.iter().zip(&of_y.of_runs);
    let points: Vec<ScatterPoint> = table
        .runs
        .iter()
        .zip(values)
        .filter_map(|(run, (x, y))| {
            Some(ScatterPoint {
                run_id: run.id,
                alpha: run.alpha,
                seed: run.seed,
                x: (*x)?,
                y: (*y)?,
            })
        })
        .collect();
    let x = (x.axis_on(scale), of_x.images);
    let y = (y.axis_on(scale), of_y.images);
    Scatter {
        conditions: chosen.corruptions,
        known_conditions,
        attack_conditions: chosen.attacks,
        known_attack_conditions,
        known_attacks: table.attacks(chosen.attacks),
        averaged_over: of_x.averaged_over.max(of_y.averaged_over),
        ..of_points(table.runs.len(), points, x, y)
    }
}

/// The scatter of the `points` of so many runs, with means over the seeds of each alpha; `x` and `y` are the axes, each with
/// the images behind a value. Conditions, and what is known besides, are left empty.
pub(crate) fn of_points(
    runs: usize,
    points: Vec<ScatterPoint>,
    (x_axis, x_images): (Axis, Option<u32>),
    (y_axis, y_images): (Axis, Option<u32>),
) -> Scatter {
    Scatter {
        x: x_axis.label(),
        y: y_axis.label(),
        x_axis,
        y_axis,
        x_images,
        y_images,
        conditions: None,
        known_conditions: Vec::new(),
        attack_conditions: None,
        known_attack_conditions: Vec::new(),
        known_attacks: Vec::new(),
        alphas: means(&points),
        incomplete_runs: (runs - points.len()) as u32,
        points,
        averaged_over: 0,
        interval_method: INTERVAL_METHOD.into(),
    }
}

fn means(points: &[ScatterPoint]) -> Vec<ScatterMean> {
    distinct_alphas(points.iter().map(|point| point.alpha))
        .into_par_iter()
        .filter_map(|alpha| {
            let values = |value: fn(&ScatterPoint) -> f64| -> Vec<f64> {
                points
                    .iter()
                    .filter(|point| point.alpha == alpha)
                    .map(value)
                    .collect()
            };
            Some(ScatterMean {
                alpha,
                x: mean(&values(|point| point.x))?,
                y: mean(&values(|point| point.y))?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::run;
    use crate::run_numbers::RunNumbers;
    use protocol::corruption_evaluation::{CorruptionMeasurement, CorruptionSpec};
    use protocol::{Corruption, Measurement};

    fn measured(
        run: i64,
        images: u32,
        corruption: Corruption,
        severity: u8,
        accuracy: f64,
    ) -> (i64, Measurement) {
        let measured = CorruptionMeasurement {
            conditions: CorruptionSpec::everything(Some(images)).conditions(1000),
            corruption,
            severity,
            accuracy,
            cross_entropy: 1.0,
            clean_accuracy: 0.8,
        };
        (run, Measurement::Corruption(measured))
    }

    const ALL: Quantity = Quantity::Corruption {
        corruption: None,
        severity: None,
    };

    /// Breaks when a run that lacks a corruption is averaged over fewer, conditions are mixed, or a share is not
    /// relative to the same images' clean accuracy.
    #[test]
    fn only_like_is_compared_with_like() {
        let runs = [run(1, 0.0, 0.2), run(2, 0.0, 0.4), run(3, 1.0, 0.5)];
        let measurements = [
            measured(1, 100, Corruption::Fog, 1, 0.6),
            measured(1, 100, Corruption::Fog, 2, 0.4),
            measured(2, 100, Corruption::Fog, 1, 0.4),
            measured(2, 100, Corruption::Fog, 2, 0.2),
            measured(2, 200, Corruption::Fog, 2, 0.9),
            measured(3, 100, Corruption::Fog, 1, 0.8),
        ];
        let numbers = RunNumbers::of_runs(&runs, &measurements);
        let table = Table::new(&numbers);
        let figure = scatter(
            &table,
            Quantity::Selectivity,
            ALL,
            Scale::Raw,
            ChosenConditions::default(),
        );
        assert_eq!(figure.known_conditions.len(), 2);
        assert_eq!(
            figure.conditions.map(|conditions| conditions.images),
            Some(100)
        );
        assert_eq!((figure.incomplete_runs, figure.averaged_over), (1, 2));
        let values: Vec<_> = figure
            .points
            .iter()
            .map(|point| (point.run_id, point.x))
            .collect();
        assert_eq!(values, [(1, 0.2), (2, 0.4)]);
        assert!((figure.points[0].y - 0.5).abs() < 1e-12);
        assert_eq!(figure.alphas.len(), 1);
        assert!((figure.alphas[0].y.mean - 0.4).abs() < 1e-12);
        assert_eq!(figure.alphas[0].y.n, 2);

        let severity_1 = Quantity::Corruption {
            corruption: Some(Corruption::Fog),
            severity: Some(1),
        };
        let figure = scatter(
            &table,
            Quantity::TestAccuracy,
            severity_1,
            Scale::ShareOfClean,
            ChosenConditions::default(),
        );
        assert_eq!((figure.points.len(), figure.incomplete_runs), (3, 0));
        assert!((figure.points[2].y - 1.0).abs() < 1e-12);
        assert!(figure.y.ends_with("share of clean"), "{}", figure.y);
        assert!(!figure.x.contains("share"), "{}", figure.x);
    }

    /// Breaks when a figure without measurements is an error instead of an empty figure.
    #[test]
    fn nothing_measured_is_an_empty_figure() {
        let figure = scatter(
            &Table::new(&RunNumbers::of_runs(&[run(1, 0.0, 0.2)], &[])),
            Quantity::Selectivity,
            ALL,
            Scale::Raw,
            ChosenConditions::default(),
        );
        assert_eq!(
            (
                figure.points.len(),
                figure.incomplete_runs,
                figure.conditions
            ),
            (0, 1, None)
        );
    }
}
