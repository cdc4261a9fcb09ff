//! Does selectivity cost average-case robustness? A point a run, and the mean of every alpha with intervals.

use plotly::common::{ErrorData, ErrorType, HoverInfo, Line, Marker, MarkerSymbol, Mode};
use plotly::{Plot, Scatter};
use protocol::measure::{Scatter as Answer, ScatterMean};

use super::look::{self, alpha_marker, axis, error_arms};
use super::table::{Cell, Table};
use crate::alpha_scale::colour;
use crate::format;
use crate::theme::Theme;

/// The runs as a table, then the means of every alpha with their intervals.
pub fn table(answer: &Answer) -> Table {
    let (x, y) = (
        format!("{} (0 to 1)", answer.x),
        format!("{} (share)", answer.y),
    );
    let mut table = Table::new(&[
        "run",
        "alpha",
        "seed",
        &x,
        &y,
        "runs (n)",
        "95 % from, horizontal",
        "95 % to, horizontal",
        "95 % from, vertical",
        "95 % to, vertical",
    ]);
    for point in &answer.points {
        let mut row = vec![
            Cell::Whole(point.run_id.unsigned_abs()),
            Cell::Alpha(point.alpha),
            Cell::Whole(point.seed),
            Cell::Number(point.x),
            Cell::Number(point.y),
            Cell::Whole(1),
        ];
        row.resize(table.columns.len(), Cell::Empty);
        table.rows.push(row);
    }
    for entry in &answer.alphas {
        let mut row = vec![
            Cell::Text("mean".to_owned()),
            Cell::Alpha(entry.alpha),
            Cell::Empty,
            Cell::Number(entry.x.mean),
            Cell::Number(entry.y.mean),
            Cell::Whole(entry.y.n.into()),
        ];
        for mean in [&entry.x, &entry.y] {
            row.extend(
                [0, 1].map(|end| Cell::optional(mean.interval.map(|interval| interval[end]))),
            );
        }
        table.rows.push(row);
    }
    table
}

/// What is shown, under which conditions, over how many, and what is left out.
pub fn subtitle(answer: &Answer) -> String {
    let mut text = format!(
        "A point a run, a diamond the mean of an alpha; n = {}",
        format::plural(answer.points.len() as u64, "run", "runs")
    );
    if let Some(conditions) = &answer.conditions {
        text += &format!("; {}", conditions.label());
    }
    if answer.averaged_over > 1 {
        text += &format!(
            "; each the mean of {} sets of corruption and severity",
            answer.averaged_over
        );
    }
    text += ". Bars: 95 % intervals, where an alpha has 2 seeds or more.";
    match answer.incomplete_runs {
        0 => {}
        1 => text += " 1 trained run lacks a measurement that the others have, and is not shown.",
        more => {
            text += &format!(
                " {} trained runs lack a measurement that the others have, and are not shown.",
                format::count(more.into())
            );
        }
    }
    text
}

/// What plotly draws.
pub fn plot(answer: &Answer, theme: Theme) -> Plot {
    let mut plot = look::plot(
        theme,
        axis(theme, &format!("{}, clean test set (0 to 1)", answer.x)),
        // On two lines: the words are longer than the axis.
        axis(
            theme,
            &format!("{} (%)", answer.y.replacen(", ", "<br>", 1)),
        ),
    );
    for entry in &answer.alphas {
        let alpha = entry.alpha;
        let runs: Vec<_> = answer
            .points
            .iter()
            .filter(|point| point.alpha == alpha)
            .collect();
        let words = runs
            .iter()
            .map(|point| {
                format!(
                    "run {}, α {}, seed {}<br>selectivity {:.3}<br>{}",
                    point.run_id,
                    format::alpha(alpha),
                    point.seed,
                    point.x,
                    format::percent(point.y)
                )
            })
            .collect();
        let dots = Scatter::new(
            runs.iter().map(|point| point.x).collect(),
            runs.iter().map(|point| point.y * 100.0).collect(),
        )
        .mode(Mode::Markers)
        .name(format!("α {}", format::alpha(alpha)))
        .legend_group(alpha.to_string())
        .hover_text_array(words)
        .hover_info(HoverInfo::Text)
        .marker(alpha_marker(alpha, theme).opacity(0.75));
        plot.add_trace(dots);
        plot.add_trace(mean(entry, theme));
    }
    plot
}

fn mean(entry: &ScatterMean, theme: Theme) -> Box<Scatter<f64, f64>> {
    let hue = colour(entry.alpha, theme);
    let (left, right) = error_arms(&entry.x);
    let (down, up) = error_arms(&entry.y);
    let bars = |minus: f64, plus: f64| {
        ErrorData::new(ErrorType::Data)
            .symmetric(false)
            .array(vec![plus])
            .array_minus(vec![minus])
            .color(hue.clone())
            .thickness(1.5)
            .width(4)
    };
    let interval = entry.y.interval.map_or_else(String::new, |[low, high]| {
        format!(
            "<br>95 %: {} to {}",
            format::percent(low),
            format::percent(high)
        )
    });
    let words = format!(
        "mean, α {}, n = {}<br>selectivity {:.3}<br>{}{interval}",
        format::alpha(entry.alpha),
        entry.y.n,
        entry.x.mean,
        format::percent(entry.y.mean)
    );
    Scatter::new(vec![entry.x.mean], vec![entry.y.mean * 100.0])
        .mode(Mode::Markers)
        .name(format!("mean, α {}", format::alpha(entry.alpha)))
        .legend_group(entry.alpha.to_string())
        .show_legend(false)
        .hover_text(words)
        .hover_info(HoverInfo::Text)
        .marker(
            Marker::new()
                .symbol(MarkerSymbol::DiamondOpen)
                .size(14)
                .color(hue.clone())
                .line(Line::new().width(2.0).color(hue.clone())),
        )
        .error_x(bars(left, right))
        .error_y(bars(down * 100.0, up * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::api::Mean;
    use protocol::evaluation::CorruptionSpec;
    use protocol::measure::ScatterPoint;

    fn answer() -> Answer {
        let mean = |mean, interval| Mean {
            mean,
            n: 2,
            interval,
        };
        let point = |run_id, seed, x, y| ScatterPoint {
            run_id,
            alpha: -1.0,
            seed,
            x,
            y,
        };
        let conditions = CorruptionSpec::everything(Some(200)).conditions(1000);
        Answer {
            attack_conditions: None,
            known_attack_conditions: vec![],
            known_attacks: vec![],
            x: "Network selectivity".into(),
            y: "Corruption accuracy".into(),
            conditions: Some(conditions),
            known_conditions: vec![conditions],
            points: vec![point(1, 0, 0.1, 0.4), point(2, 1, 0.3, 0.6)],
            alphas: vec![ScatterMean {
                alpha: -1.0,
                x: mean(0.2, Some([0.1, 0.3])),
                y: mean(0.5, Some([0.4, 0.6])),
            }],
            incomplete_runs: 1,
            averaged_over: 95,
            interval_method: String::new(),
        }
    }

    /// Broken by: a caption that hides what was left out, how much a mean is over, or the conditions.
    #[test]
    fn the_caption_tells_n_conditions_and_what_is_missing() {
        let text = subtitle(&answer());
        for part in [
            "n = 2 runs",
            "generated with seed 0, 200 images",
            "mean of 95 sets",
            "1 trained run lacks",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    /// Broken by: horizontal and vertical intervals that are swapped, or vertical ones left as shares beside
    /// per cent.
    #[test]
    fn intervals_are_in_the_units_of_their_axes() {
        let plot = plot(&answer(), Theme::Light);
        let json: serde_json::Value = serde_json::from_str(&plot.to_json()).unwrap();
        let arm = |which: &str| json["data"][1][which]["array"][0].as_f64().unwrap();
        assert!((arm("error_x") - 0.1).abs() < 1e-9 && (arm("error_y") - 10.0).abs() < 1e-9);
        let table = table(&answer());
        assert_eq!(table.rows.len(), 3);
        assert!(
            table
                .rows
                .iter()
                .all(|row| row.len() == table.columns.len())
        );
        assert_eq!(table.rows[2][9], Cell::Number(0.6));
    }
}
