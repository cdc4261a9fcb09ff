//! Two quantities of an experiment's runs against each other: one point a run, means over seeds by alpha.

use protocol::measure::{Scatter, ScatterMean, ScatterPoint};
use protocol::quantity::{Quantity, Scale};
use rayon::prelude::*;

use crate::table::{Asked, Table};
use crate::{INTERVAL_METHOD, mean};

/// Sets `x` against `y`. Measurements count only under the conditions that are `asked` for, or, when absent, under those
/// that most runs share; a mean over corruptions only where a run has all of those that most runs have, so that no
/// point is a mean over something else than its neighbours.
pub fn scatter(table: &Table, x: Quantity, y: Quantity, scale: Scale, asked: Asked) -> Scatter {
    let known_conditions = table.corruption_conditions();
    let known_attack_conditions = table.attack_conditions();
    let asked = Asked {
        corruptions: asked
            .corruptions
            .or_else(|| known_conditions.first().copied()),
        attacks: asked
            .attacks
            .or_else(|| known_attack_conditions.first().copied()),
    };
    let [of_x, of_y] = [x, y].map(|quantity| table.values(quantity, scale, asked));
    let [x_axis, y_axis] = [x, y].map(|quantity| quantity.axis_on(scale));
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
    Scatter {
        x: x_axis.label(),
        y: y_axis.label(),
        x_axis,
        y_axis,
        x_images: of_x.images,
        y_images: of_y.images,
        conditions: asked.corruptions,
        known_conditions,
        attack_conditions: asked.attacks,
        known_attack_conditions,
        known_attacks: table.attacks(asked.attacks),
        alphas: means(&points),
        incomplete_runs: (table.runs.len() - points.len()) as u32,
        points,
        averaged_over: of_x.averaged_over.max(of_y.averaged_over),
        interval_method: INTERVAL_METHOD.into(),
    }
}

fn means(points: &[ScatterPoint]) -> Vec<ScatterMean> {
    let mut alphas: Vec<f64> = points.iter().map(|point| point.alpha).collect();
    alphas.sort_by(f64::total_cmp);
    alphas.dedup();
    alphas
        .into_par_iter()
        .filter_map(|alpha| {
            let of = |value: fn(&ScatterPoint) -> f64| -> Vec<f64> {
                points
                    .iter()
                    .filter(|point| point.alpha == alpha)
                    .map(value)
                    .collect()
            };
            Some(ScatterMean {
                alpha,
                x: mean(&of(|point| point.x))?,
                y: mean(&of(|point| point.y))?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::run;
    use crate::run_numbers::RunNumbers;
    use protocol::evaluation::{CorruptionMeasurement, CorruptionSpec};
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

    /// Breaks when a run that lacks a corruption is averaged over fewer, conditions are mixed, or a share is
    /// taken of something else than the same images' clean accuracy.
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
        let shown = scatter(
            &table,
            Quantity::Selectivity,
            ALL,
            Scale::Raw,
            Asked::default(),
        );
        assert_eq!(shown.known_conditions.len(), 2);
        assert_eq!(
            shown.conditions.map(|conditions| conditions.images),
            Some(100)
        );
        assert_eq!((shown.incomplete_runs, shown.averaged_over), (1, 2));
        let values: Vec<_> = shown
            .points
            .iter()
            .map(|point| (point.run_id, point.x))
            .collect();
        assert_eq!(values, [(1, 0.2), (2, 0.4)]);
        assert!((shown.points[0].y - 0.5).abs() < 1e-12);
        assert_eq!(shown.alphas.len(), 1);
        assert!((shown.alphas[0].y.mean - 0.4).abs() < 1e-12);
        assert_eq!(shown.alphas[0].y.n, 2);

        let severity_1 = Quantity::Corruption {
            corruption: Some(Corruption::Fog),
            severity: Some(1),
        };
        let shown = scatter(
            &table,
            Quantity::TestAccuracy,
            severity_1,
            Scale::ShareOfClean,
            Asked::default(),
        );
        assert_eq!((shown.points.len(), shown.incomplete_runs), (3, 0));
        assert!((shown.points[2].y - 1.0).abs() < 1e-12);
        assert!(shown.y.ends_with("share of clean"), "{}", shown.y);
        assert!(!shown.x.contains("share"), "{}", shown.x);
    }

    /// Breaks when a figure without measurements is an error instead of an empty figure.
    #[test]
    fn nothing_measured_is_an_empty_figure() {
        let shown = scatter(
            &Table::new(&RunNumbers::of_runs(&[run(1, 0.0, 0.2)], &[])),
            Quantity::Selectivity,
            ALL,
            Scale::Raw,
            Asked::default(),
        );
        assert_eq!(
            (shown.points.len(), shown.incomplete_runs, shown.conditions),
            (0, 1, None)
        );
    }
}
