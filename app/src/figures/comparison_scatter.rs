//! Two measures of all compared runs against each other, with the means of their groups.

use protocol::api::Mean;
use protocol::comparison::{Comparison, GroupedRun, RunGroup};
use protocol::quantity::Axis;

use super::comparison::DRAWN;
use super::quantity::{axis, column, written};
use super::words;
use crate::chart::{Cell, Chart, Ink, Kind, Point, Series, Shape, Table};
use crate::format;

/// The colour of a group's mean: that of its alpha where all its runs have one.
fn ink(group: &RunGroup) -> Ink {
    match group.runs.first().map(|run| run.alpha) {
        Some(alpha) if group.runs.iter().all(|run| run.alpha == alpha) => Ink::Alpha(alpha),
        _ => Ink::Text,
    }
}

/// The measures at the places `x` and `y` of [`Comparison::measures`]: a small mark per run in the colour of its alpha, a large one
/// per group at its means, with their intervals. Of many groups the first [`DRAWN`] are drawn; the table has all.
pub fn chart(comparison: &Comparison, x: usize, y: usize) -> Chart {
    let measure = |place: usize| comparison.measures.get(place);
    let (Some(across), Some(up)) = (measure(x), measure(y)) else {
        return Chart::default();
    };
    let mut rows = Vec::new();
    let mut series = Vec::new();
    for (place, group) in comparison.groups.iter().enumerate() {
        let value = |values: &[Option<f64>], place: usize| values.get(place).copied().flatten();
        let mut runs: Vec<_> = group
            .runs
            .iter()
            .filter_map(|run| Some((run, value(&run.values, x)?, value(&run.values, y)?)))
            .collect();
        runs.sort_by(|(a, ..), (b, ..)| a.alpha.total_cmp(&b.alpha));
        let row = |&(run, x, y): &(&GroupedRun, f64, f64)| {
            (group.label.clone(), run.run_id, run.alpha, run.seed, x, y)
        };
        rows.extend(runs.iter().map(row));
        if place >= DRAWN {
            continue;
        }
        let point = |&(run, x, y): &(&GroupedRun, f64, f64)| {
            let hover = format!(
                "{}<br>run {}, seed {}<br>{}: {}<br>{}: {}",
                group.label,
                run.run_id,
                run.seed,
                across.label,
                written(&across.axis, x),
                up.label,
                written(&up.axis, y)
            );
            Point::new(x, y).of_run(run.run_id).says(hover)
        };
        // One series for all runs of an alpha: thousands of runs are no thousands of series.
        for same in runs.chunk_by(|(a, ..), (b, ..)| a.alpha == b.alpha) {
            let ink = Ink::Alpha(same[0].0.alpha);
            let points = same.iter().map(point).collect();
            let marks = Series {
                size: 6.0,
                opacity: 0.75,
                ..Series::new(Kind::Points, "", ink, points)
            };
            series.push(marks.unlisted());
        }
        let means = |place: usize| group.means.get(place).copied().flatten();
        if let Some(means) = means(x).zip(means(y)) {
            series.push(mark_of_means(group, means, [&across.axis, &up.axis]));
        }
    }
    let rest = match comparison.groups.len().saturating_sub(DRAWN) {
        0 => String::new(),
        more => format!(
            " Not drawn: {} beyond the first {DRAWN}.",
            format::plural(more as u64, "group", "groups")
        ),
    };
    let n = format::plural(rows.len() as u64, "run", "runs");
    let table = Table::of(rows)
        .column("group", |row| row.0.clone())
        .column("run", |row| row.1.unsigned_abs())
        .column("alpha", |row| Cell::Alpha(row.2))
        .column("seed", |row| row.3)
        .column(column(&across.axis), |row| row.4)
        .column(column(&up.axis), |row| row.5);
    Chart::new(axis(&across.axis, false), axis(&up.axis, true))
        .note(format!(
            "Small marks are runs, coloured by alpha; diamonds are means of groups; n = {n}. Bars: 95 % intervals, for 2 or more replicates.{rest}"
        ))
        .how(comparison.interval_method.clone())
        .table(table)
        .with(series)
}

/// A group's means of the two measures, whose axes are `across` and `up`.
fn mark_of_means(group: &RunGroup, (x, y): (Mean, Mean), [across, up]: [&Axis; 2]) -> Series {
    let hover = format!(
        "{}<br>means over {}<br>{}{}<br>{}{}",
        group.label,
        format::plural(x.n.min(y.n).into(), "replicate", "replicates"),
        written(across, x.mean),
        words::interval("; ", x.interval, |end| written(across, end)),
        written(up, y.mean),
        words::interval("; ", y.interval, |end| written(up, end)),
    );
    let point = Point::means(&x, &y).says(hover);
    Series {
        shape: Shape::Diamond,
        size: 11.0,
        ..Series::new(Kind::Points, group.label.clone(), ink(group), vec![point])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::comparison::tests::two_alphas;

    /// Broken by: runs merged into one mark, a value on the other axis, a run without a value drawn at 0, or means without
    /// intervals.
    #[test]
    fn every_run_with_both_values_has_a_mark() {
        let mut comparison = two_alphas();
        let first = comparison.measures[0].clone();
        comparison
            .measures
            .push(protocol::comparison::ComparedMeasure {
                label: "Second".into(),
                ..first
            });
        for group in &mut comparison.groups {
            let mean = group.means[0];
            group.means.push(mean);
            for run in &mut group.runs {
                let value = run.values[0].map(|value| value / 2.0);
                run.values.push(value);
            }
        }
        comparison.groups[0].runs[0].values[1] = None;
        let drawn = chart(&comparison, 0, 1);
        let runs: Vec<i64> = drawn
            .series
            .iter()
            .flat_map(|series| series.points.iter().filter_map(|point| point.run))
            .collect();
        let all: usize = comparison.groups.iter().map(|group| group.runs.len()).sum();
        assert_eq!(runs.len(), all - 1);
        assert_eq!(drawn.table.rows.len(), all - 1);
        let means = drawn
            .series
            .iter()
            .filter(|series| series.shape == Shape::Diamond);
        assert_eq!(means.count(), comparison.groups.len());
        let marks = drawn.series.len() - comparison.groups.len();
        assert_eq!(marks, 2, "a series an alpha, not a run");
        let Cell::Number(x) = drawn.table.rows[0][4] else {
            panic!("no x")
        };
        let Cell::Number(y) = drawn.table.rows[0][5] else {
            panic!("no y")
        };
        assert!((x / 2.0 - y).abs() < 1e-12);
    }
}
