//! How do groups of runs differ? Means with intervals, and the runs behind them.

use protocol::api::Mean;
use protocol::comparison::{Comparison, ConfigurationField, RunGroup};

use super::words;
use crate::chart::{Axis, Cell, Chart, Dash, Ink, Kind, Place, Point, Series, Table};
use crate::format;
use crate::grouping::grouped;

/// The most groups that are drawn; more would be unreadable.
pub(super) const DRAWN: usize = 120;

/// The chart: where groups differ in alpha, a line over alpha for each combination of the other fields; else the groups
/// side by side.
pub fn chart(comparison: &Comparison) -> Chart {
    let measure = comparison.measures.first();
    let y = Axis::numbers(measure.map_or("", |measure| &measure.label));
    let alpha = ConfigurationField::Alpha;
    let chart = match comparison.fields.iter().position(|&field| field == alpha) {
        Some(place) => {
            let lines = series(comparison, place).into_iter().enumerate();
            Chart::new(Axis::numbers("Regulariser strength α"), y)
                .with(lines.flat_map(|(index, (name, groups))| line(index, &name, &groups)))
        }
        None => {
            let groups = drawn(comparison);
            let name = |group: &RunGroup| group.label.replace(", ", "<br>");
            let names = groups.iter().map(|(group, _)| name(group)).collect();
            let groups = groups.iter().flat_map(|(run_group, mean)| {
                group(
                    &name(run_group),
                    &run_group.label,
                    mean,
                    &runs(run_group),
                    Ink::First,
                )
            });
            Chart::new(Axis::places("", names), y).with(groups)
        }
    };
    chart.note(note(comparison)).table(table(comparison))
}

/// The groups that are drawn, with their means: the first that have one.
fn drawn(comparison: &Comparison) -> Vec<(&RunGroup, Mean)> {
    let groups = comparison.groups.iter();
    groups
        .filter_map(|group| Some((group, group.means.first().copied().flatten()?)))
        .take(DRAWN)
        .collect()
}

/// Units and n, in a sentence.
fn note(comparison: &Comparison) -> String {
    let Some(measure) = comparison.measures.first() else {
        return String::new();
    };
    let images = measure.images.map_or_else(String::new, |images| {
        format!(" on {}", format::plural(images.into(), "image", "images"))
    });
    let groups = drawn(comparison);
    let n = match words::least_and_most(groups.iter().map(|(_, mean)| mean.n)) {
        (least, most) if least == most => format!("n = {most} per group"),
        (least, most) => format!("n = {least} to {most} per group"),
    };
    let rest = match comparison.groups.len().saturating_sub(groups.len()) {
        0 => String::new(),
        left => format!(
            " Not drawn: {} without this measure or beyond the first {DRAWN}.",
            format::plural(left as u64, "group", "groups")
        ),
    };
    format!(
        "{}{images}; large marks are means over replicates, small marks are runs; {n}. Bars: 95 % intervals, for 2 or more replicates.{rest}",
        measure.label
    )
}

/// A row of the table.
struct Row<'a> {
    group: &'a RunGroup,
    run: Cell,
    alpha: Cell,
    seed: Option<u64>,
    value: f64,
    n: Option<u32>,
    interval: Option<[f64; 2]>,
}

/// Means and runs as a table.
fn table(comparison: &Comparison) -> Table {
    let mut rows = Vec::new();
    for group in &comparison.groups {
        let Some(mean) = group.means.first().copied().flatten() else {
            continue;
        };
        rows.push(Row {
            group,
            run: "mean".into(),
            alpha: Cell::Empty,
            seed: None,
            value: mean.mean,
            n: Some(mean.n),
            interval: mean.interval,
        });
        rows.extend(group.runs.iter().filter_map(|run| {
            Some(Row {
                group,
                run: run.run_id.unsigned_abs().into(),
                alpha: Cell::Alpha(run.alpha),
                seed: Some(run.seed),
                value: (*run.values.first()?)?,
                n: None,
                interval: None,
            })
        }));
    }
    Table::of(rows)
        .column("group", |row| row.group.label.clone())
        .column("run", |row| row.run.clone())
        .column("alpha", |row| row.alpha.clone())
        .column("seed", |row| row.seed)
        .column("value", |row| row.value)
        .column("n", |row| row.n)
        .interval("95 %", |row| row.interval)
        .into()
}

/// A series' name, and its groups with their alphas and means.
type Named<'a> = (String, Vec<(f64, &'a RunGroup, Mean)>);

/// Groups by their differences other than alpha.
fn series(comparison: &Comparison, place: usize) -> Vec<Named<'_>> {
    let groups = drawn(comparison).into_iter();
    grouped(groups.filter_map(|(group, mean)| {
        let name: Vec<String> = comparison
            .fields
            .iter()
            .zip(&group.values)
            .enumerate()
            .filter(|(index, (field, _))| *index != place && comparison.naming.contains(field))
            .map(|(_, (field, value))| value.named(*field))
            .collect();
        let alpha = group.values[place].number?;
        Some((name.join(", "), (alpha, group, mean)))
    }))
}

/// A quiet line through the means, which differs from the others by its dashes; colour stands for alpha.
fn line(index: usize, name: &str, groups: &[(f64, &RunGroup, Mean)]) -> Vec<Series> {
    let means = groups
        .iter()
        .map(|(alpha, _, mean)| Point::new(*alpha, mean.mean));
    let line = Series {
        listed: !name.is_empty(),
        width: 1.5,
        dash: Dash::ALL[index % Dash::ALL.len()],
        ..Series::new(Kind::Line, name, Ink::Quiet, means.collect())
    };
    let groups = groups.iter().flat_map(|(alpha, run_group, mean)| {
        let drawn = group(
            *alpha,
            &run_group.label,
            mean,
            &runs(run_group),
            Ink::Alpha(*alpha),
        );
        // Lines alternate between filled and open marks, so that the marks of crossing lines are not mixed up.
        drawn.map(|series| Series {
            open: index % 2 == 1,
            ..series
        })
    });
    std::iter::once(line).chain(groups).collect()
}

/// The runs of a group that have a value: their number, seed and value.
fn runs(group: &RunGroup) -> Vec<(i64, u64, f64)> {
    let runs = group.runs.iter();
    runs.filter_map(|run| Some((run.run_id, run.seed, (*run.values.first()?)?)))
        .collect()
}

/// A group's mean with its interval, and its runs: their number, seed and value.
pub fn group(
    x: impl Into<Place>,
    name: &str,
    mean: &Mean,
    runs: &[(i64, u64, f64)],
    ink: Ink,
) -> [Series; 2] {
    let x = x.into();
    let interval = words::interval(", ", mean.interval, format::significant);
    let large = Point::mean(x.clone(), mean).says(format!(
        "{name}, n = {}<br>{}{interval}",
        mean.n,
        format::significant(mean.mean)
    ));
    let small = runs.iter().map(|&(run, seed, value)| {
        Point::new(x.clone(), value).of_run(run).says(format!(
            "run {run}, seed {seed}<br>{name}<br>{}",
            format::significant(value)
        ))
    });
    let series = |points| Series::new(Kind::Points, name, ink, points).unlisted();
    [
        Series {
            size: 11.0,
            ..series(vec![large])
        },
        Series {
            size: 5.0,
            opacity: 0.6,
            ..series(small.collect())
        },
    ]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::chart::plotly;
    use crate::ui::theme::Theme;
    use protocol::attack::Attack;
    use protocol::comparison::{ComparedMeasure, FieldValue, GroupedRun};
    use protocol::quantity::{Quantity, Scale};

    /// Two alphas of one experiment, two seeds each.
    pub(crate) fn two_alphas() -> Comparison {
        let group = |alpha: f64, first: i64| RunGroup {
            label: format!("alpha {alpha}"),
            values: vec![FieldValue {
                text: alpha.to_string(),
                label: alpha.to_string(),
                number: Some(alpha),
            }],
            means: vec![Some(Mean {
                mean: 0.4,
                n: 2,
                interval: Some([0.3, 0.5]),
            })],
            uneven: false,
            runs: [0, 1]
                .map(|seed| GroupedRun {
                    run_id: first + seed,
                    experiment_id: 1,
                    alpha,
                    seed: seed as u64,
                    values: vec![Some(0.3 + 0.2 * seed as f64)],
                })
                .to_vec(),
        };
        Comparison {
            experiments: vec![],
            chosen_runs: 4,
            filtered_out: 0,
            untrained: 0,
            fields: vec![ConfigurationField::Alpha],
            naming: vec![ConfigurationField::Alpha],
            measures: vec![ComparedMeasure {
                measure: "selectivity".into(),
                label: "Network selectivity".into(),
                axis: Quantity::Selectivity.axis(),
                images: Some(1000),
                averaged_over: 0,
                missing_runs: 0,
            }],
            scale: Scale::Raw,
            known_attacks: vec![Attack::fgsm(1.0)],
            groups: vec![group(-1.0, 1), group(1.0, 3)],
            differing: vec![],
            shared: vec![],
            tests: vec![],
            untested_pairs: 1,
            too_many_groups: None,
            replicates: String::new(),
            interval_method: String::new(),
            test_method: String::new(),
        }
    }

    /// Broken by: a mean without its runs in the table, or a row for what was not measured.
    #[test]
    fn the_table_has_means_and_runs() {
        let mut comparison = two_alphas();
        assert_eq!(table(&comparison).rows.len(), 2 * (1 + 2));
        comparison.groups[1].means[0] = None;
        comparison.groups[0].runs[0].values[0] = None;
        assert_eq!(table(&comparison).rows.len(), 2);
        assert!(note(&comparison).contains("1 group without this measure"));
        assert!(note(&comparison).contains("n = 2 per group"));
    }

    /// Broken by: two networks joined by one line, or a group drawn at another alpha than its own.
    #[test]
    fn a_line_is_of_runs_that_differ_in_alpha_alone() {
        let mut comparison = two_alphas();
        comparison.fields.insert(0, ConfigurationField::Network);
        comparison.naming.insert(0, ConfigurationField::Network);
        let networks = ["resnet8", "resnet20"];
        for (group, network) in comparison.groups.iter_mut().zip(networks) {
            let value = FieldValue {
                text: network.into(),
                label: network.into(),
                number: None,
            };
            group.values.insert(0, value);
        }
        let named = series(&comparison, 1);
        let names: Vec<_> = named
            .iter()
            .map(|(name, groups)| (name.as_str(), groups[0].0))
            .collect();
        assert_eq!(names, [("resnet8", -1.0), ("resnet20", 1.0)]);
        let traces = |comparison: &Comparison| {
            let json = plotly::figure(&chart(comparison), Theme::Light);
            json["data"].as_array().unwrap().len()
        };
        assert_eq!(traces(&comparison), 2 * (1 + 2), "a line, a mean, its runs");
        assert_eq!(traces(&two_alphas()), 1 + 2 * 2);
        comparison.fields = vec![ConfigurationField::Network];
        assert_eq!(traces(&comparison), 2 * 2, "side by side, no line");
    }
}
