//! Means over seeds at places along an axis, one line per alpha, or a few lines over all alphas.

use protocol::claim_figure::{Lines, Series as Means};

use super::{quantity, words};
use crate::chart::{Axis, Cell, Chart, Dash, Ink, Kind, Point, Series, Shape, Table};
use crate::format;

/// The chart.
pub fn chart(lines: &Lines) -> Chart {
    let series = lines.series.iter().enumerate();
    Chart::new(
        Axis::places(&lines.x, lines.places.clone()),
        quantity::axis(&lines.y_axis, true),
    )
    .with(series.map(|(index, means)| line(lines, index, means)))
    .note(note(lines))
    .how(how(lines))
    .table(table(lines))
}

/// The lines as a table.
fn table(lines: &Lines) -> Table {
    let rows = lines.series.iter().flat_map(|series| {
        let means = lines.places.iter().zip(&series.means);
        means.filter_map(move |(place, mean)| Some((series, place, (*mean)?)))
    });
    Table::of(rows)
        .column("line", |(series, ..)| match series.alpha {
            Some(alpha) => Cell::Alpha(alpha),
            None => Cell::from(series.label.clone()),
        })
        .column(&lines.x, |(_, place, _)| place.as_str())
        .column(
            format!("{}, mean", quantity::column(&lines.y_axis)),
            |(.., mean)| mean.mean,
        )
        .column("seeds (n)", |(.., mean)| mean.n)
        .interval("95 %", |(.., mean)| mean.interval)
        .into()
}

/// The seeds that means are over; none where there is nothing.
fn seeds(lines: &Lines) -> Option<String> {
    let means = lines.series.iter().flat_map(|series| &series.means);
    let mut seeds = means.flatten().map(|mean| mean.n).peekable();
    seeds.peek()?;
    Some(words::counted(seeds, "seed", "seeds"))
}

/// What is drawn, n, and what is left out.
fn note(lines: &Lines) -> String {
    let Some(seeds) = seeds(lines) else {
        return String::new();
    };
    format!("Means over seeds, n = {seeds}.")
        + &words::incomplete(lines.incomplete_runs, "a measurement that the others have")
}

/// What it was measured on, and how intervals are made.
fn how(lines: &Lines) -> String {
    if seeds(lines).is_none() {
        return String::new();
    }
    let measured = match lines.images {
        _ if !lines.of.is_empty() => format!("Measured: {}. ", lines.of),
        Some(images) => {
            let images = format::plural(images.into(), "image", "images");
            format!("Each run is measured on {images}. ")
        }
        None => String::new(),
    };
    format!("{measured}Bars: {}.", words::method(&lines.interval_method))
}

/// A line; it passes over places without a value.
fn line(lines: &Lines, index: usize, means: &Means) -> Series {
    let name = match means.alpha {
        Some(alpha) => format!("α {}", format::alpha(alpha)),
        None => means.label.clone(),
    };
    let places = lines.places.iter().zip(&means.means);
    let points = places
        .filter_map(|(place, mean)| {
            let mean = (*mean)?;
            let written = |value| quantity::written(&lines.y_axis, value);
            Some(Point::mean(place, &mean).says(format!(
                "{name}, {place}<br>{}{}<br>n = {}",
                written(mean.mean),
                words::interval("<br>", mean.interval, written),
                mean.n
            )))
        })
        .collect();
    match (means.alpha, index) {
        (Some(alpha), _) => Series::of_alpha(Kind::Curve, alpha, points),
        (None, 0) => Series::new(Kind::Curve, name, Ink::First, points),
        (None, _) => Series {
            shape: Shape::Square,
            dash: Dash::Dash,
            ..Series::new(Kind::Curve, name, Ink::Second, points)
        },
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::chart::plotly;
    use crate::ui::theme::Theme;
    use protocol::api::Mean;
    use protocol::quantity::{Axis, Unit};

    /// Two alphas at two places; the second lacks its first value, and its one seed has no interval.
    pub(crate) fn lines() -> Lines {
        let mean = |mean, n, interval| Some(Mean { mean, n, interval });
        Lines {
            x: "Steps (0: clean)".into(),
            places: vec!["0".into(), "40".into()],
            y: "Adversarial accuracy, PGD L∞".into(),
            y_axis: Axis::new("Adversarial accuracy", Unit::Share).with("PGD L∞"),
            series: vec![
                Means {
                    label: String::new(),
                    alpha: Some(-1.0),
                    means: vec![
                        mean(0.8, 3, Some([0.7, 0.9])),
                        mean(0.2, 3, Some([0.1, 0.25])),
                    ],
                },
                Means {
                    label: String::new(),
                    alpha: Some(1.0),
                    means: vec![None, mean(0.3, 1, None)],
                },
            ],
            of: String::new(),
            images: Some(500),
            incomplete_runs: 2,
            interval_method: "95 % BCa: 10,000 resamples".into(),
        }
    }

    /// Broken by: a missing value drawn or listed as 0, shares drawn as per cent in the table, or arms that are not
    /// scaled with the values.
    #[test]
    fn missing_values_are_passed_over() {
        let table = table(&lines());
        assert_eq!(table.rows.len(), 3);
        assert_eq!(table.rows[1][2], Cell::Number(0.2));
        let json = plotly::figure(&chart(&lines()), Theme::Light);
        assert_eq!(json["data"][1]["x"], serde_json::json!(["40"]));
        assert_eq!(json["data"][0]["y"][0], 80.0);
        let arm = json["data"][0]["error_y"]["array"][0].as_f64().unwrap();
        assert!((arm - 10.0).abs() < 1e-9);
    }

    /// Broken by: a caption that hides n, the images or what is left out.
    #[test]
    fn the_caption_tells_n_and_what_is_left_out() {
        let text = chart(&lines()).caption();
        for part in ["1 to 3 seeds", "500 images", "2 trained runs lack", "BCa."] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
