//! How do groups of runs differ? Means with intervals, and the runs behind them.

use plotly::common::{DashType, ErrorData, ErrorType, Line, Marker, MarkerSymbol, Mode};
use plotly::{Plot, Scatter};
use protocol::comparison::{Comparison, ConfigurationField, RunGroup};

use super::look::{self, alpha_marker, axis, error_arms, ink};
use super::table::{Cell, Table};
use crate::format;
use crate::theme::Theme;

/// Groups that are drawn; more would be a smear.
const DRAWN: usize = 120;

/// The groups that are drawn: the first of those that have a mean.
fn drawn(comparison: &Comparison) -> Vec<&RunGroup> {
    let groups = comparison.groups.iter();
    groups
        .filter(|group| group.means.first().is_some_and(Option::is_some))
        .take(DRAWN)
        .collect()
}

/// Units and n, in a sentence.
pub fn subtitle(comparison: &Comparison) -> String {
    let Some(measure) = comparison.measures.first() else {
        return String::new();
    };
    let images = measure.images.map_or_else(String::new, |images| {
        format!(" on {}", format::plural(images.into(), "image", "images"))
    });
    let groups = drawn(comparison);
    let n = groups
        .iter()
        .filter_map(|group| group.means.first().copied().flatten())
        .map(|mean| mean.n);
    let (least, most) = (n.clone().min().unwrap_or(0), n.max().unwrap_or(0));
    let n = match least == most {
        true => format!("n = {most} a group"),
        false => format!("n = {least} to {most} a group"),
    };
    let rest = match comparison.groups.len().saturating_sub(groups.len()) {
        0 => String::new(),
        left => format!(
            " {} without the number, or beyond the first {DRAWN}, not drawn.",
            format::plural(left as u64, "group", "groups")
        ),
    };
    format!(
        "{}{images}; large marks are means over replicates, small ones runs; {n}. Bars: 95 % intervals, from 2 replicates on.{rest}",
        measure.label
    )
}

/// Means and runs as a table.
pub fn table(comparison: &Comparison) -> Table {
    let mut table = Table::new(&[
        "group",
        "run",
        "alpha",
        "seed",
        "value",
        "n",
        "95 % from",
        "95 % to",
    ]);
    for group in &comparison.groups {
        let Some(mean) = group.means.first().copied().flatten() else {
            continue;
        };
        let ends = [0, 1].map(|end| Cell::optional(mean.interval.map(|interval| interval[end])));
        let [low, high] = ends;
        table.rows.push(vec![
            Cell::Text(group.label.clone()),
            Cell::Text("mean".into()),
            Cell::Empty,
            Cell::Empty,
            Cell::Number(mean.mean),
            Cell::Whole(mean.n.into()),
            low,
            high,
        ]);
        for run in &group.runs {
            let Some(&Some(value)) = run.values.first() else {
                continue;
            };
            table.rows.push(vec![
                Cell::Text(group.label.clone()),
                Cell::Whole(run.run_id.unsigned_abs()),
                Cell::Alpha(run.alpha),
                Cell::Whole(run.seed),
                Cell::Number(value),
                Cell::Empty,
                Cell::Empty,
                Cell::Empty,
            ]);
        }
    }
    table
}

/// What plotly draws: against alpha, a line for each combination of the other fields, where groups differ in
/// alpha; else the groups side by side.
pub fn plot(comparison: &Comparison, theme: Theme) -> Plot {
    let y = axis(
        theme,
        comparison
            .measures
            .first()
            .map_or("", |measure| &measure.label),
    );
    let alpha = ConfigurationField::Alpha;
    match comparison.fields.iter().position(|&field| field == alpha) {
        Some(place) => {
            let mut plot = look::plot(theme, axis(theme, "Regulariser strength α"), y);
            for (index, (name, groups)) in series(comparison, place).into_iter().enumerate() {
                draw_series(&mut plot, index, &name, &groups, theme);
            }
            plot
        }
        None => {
            let mut plot = look::plot(theme, axis(theme, ""), y);
            for group in drawn(comparison) {
                let marker = || Marker::new().color(ink(theme).first);
                let x = group.label.replace(", ", "<br>");
                draw_group(&mut plot, x, group, &marker, ink(theme).first);
            }
            plot
        }
    }
}

/// Groups by what sets them apart besides alpha: the name of each series, and its groups with their alphas.
fn series(comparison: &Comparison, place: usize) -> Vec<(String, Vec<(f64, &RunGroup)>)> {
    let mut found: Vec<(String, Vec<(f64, &RunGroup)>)> = Vec::new();
    for group in drawn(comparison) {
        let name: Vec<String> = comparison
            .fields
            .iter()
            .zip(&group.values)
            .enumerate()
            .filter(|(index, (field, _))| *index != place && comparison.naming.contains(field))
            .map(|(_, (field, value))| value.named(*field))
            .collect();
        let name = name.join(", ");
        let Some(alpha) = group.values[place].number else {
            continue;
        };
        match found.iter_mut().find(|(known, _)| *known == name) {
            Some((_, groups)) => groups.push((alpha, group)),
            None => found.push((name, vec![(alpha, group)])),
        }
    }
    found
}

/// A quiet line through the means, told from the others by its dashes; what carries colour is alpha.
fn draw_series(
    plot: &mut Plot,
    index: usize,
    name: &str,
    groups: &[(f64, &RunGroup)],
    theme: Theme,
) {
    let dash = match index % 6 {
        0 => DashType::Solid,
        1 => DashType::Dash,
        2 => DashType::Dot,
        3 => DashType::DashDot,
        4 => DashType::LongDash,
        _ => DashType::LongDashDot,
    };
    let means = groups.iter().filter_map(|(alpha, group)| {
        let mean = group.means.first().copied().flatten()?;
        Some((*alpha, mean.mean))
    });
    let (x, y): (Vec<f64>, Vec<f64>) = means.unzip();
    let line = Scatter::new(x, y)
        .mode(Mode::Lines)
        .name(name)
        .show_legend(!name.is_empty())
        .line(Line::new().color(ink(theme).line).width(1.5).dash(dash));
    plot.add_trace(line);
    for &(alpha, group) in groups {
        // Open marks beside filled ones: two lines cross without their marks being mixed up.
        let marker = || {
            let marker = alpha_marker(alpha, theme);
            match (index % 2, alpha) {
                (0, _) => marker,
                (_, alpha) if alpha < 0.0 => marker.symbol(MarkerSymbol::TriangleDownOpen),
                (_, alpha) if alpha > 0.0 => marker.symbol(MarkerSymbol::TriangleUpOpen),
                _ => marker.symbol(MarkerSymbol::CircleOpen),
            }
        };
        let colour = crate::alpha_scale::colour(alpha, theme);
        draw_group(plot, alpha, group, &marker, &colour);
    }
}

/// A group's mean with its interval, and its runs.
fn draw_group<X: serde::Serialize + Clone + 'static>(
    plot: &mut Plot,
    x: X,
    group: &RunGroup,
    marker: &dyn Fn() -> Marker,
    colour: &str,
) {
    let Some(mean) = group.means.first().copied().flatten() else {
        return;
    };
    let (down, up) = error_arms(&mean);
    let of_mean = Scatter::new(vec![x.clone()], vec![mean.mean])
        .mode(Mode::Markers)
        .name(format!("{}, n = {}", group.label, mean.n))
        .show_legend(false)
        .marker(marker().size(11))
        .error_y(
            ErrorData::new(ErrorType::Data)
                .symmetric(false)
                .array(vec![up])
                .array_minus(vec![down])
                .color(colour.to_owned())
                .thickness(1.5)
                .width(5),
        );
    plot.add_trace(of_mean);
    let runs = group
        .runs
        .iter()
        .filter_map(|run| Some((run, (*run.values.first()?)?)));
    let (runs, values): (Vec<_>, Vec<f64>) = runs.unzip();
    let of_runs = Scatter::new(vec![x; values.len()], values)
        .mode(Mode::Markers)
        .name(group.label.clone())
        .show_legend(false)
        .text_array(
            runs.iter()
                .map(|run| format!("run {}, seed {}", run.run_id, run.seed))
                .collect(),
        )
        .marker(marker().size(5).opacity(0.6));
    plot.add_trace(of_runs);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use protocol::api::Mean;
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
        assert!(subtitle(&comparison).contains("1 group without the number"));
        assert!(subtitle(&comparison).contains("n = 2 a group"));
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
        let found = series(&comparison, 1);
        let names: Vec<_> = found
            .iter()
            .map(|(name, of)| (name.as_str(), of[0].0))
            .collect();
        assert_eq!(names, [("resnet8", -1.0), ("resnet20", 1.0)]);
        let traces = |comparison: &Comparison| {
            let plot = plot(comparison, Theme::Light);
            let json: serde_json::Value = serde_json::from_str(&plot.to_json()).unwrap();
            json["data"].as_array().unwrap().len()
        };
        assert_eq!(traces(&comparison), 2 * (1 + 2), "a line, a mean, its runs");
        assert_eq!(traces(&two_alphas()), 1 + 2 * 2);
        comparison.fields = vec![ConfigurationField::Network];
        assert_eq!(traces(&comparison), 2 * 2, "side by side, no line");
    }
}
