//! Means over seeds at places along an axis, a line an alpha, or a few lines over all alphas.

use plotly::common::{DashType, ErrorData, ErrorType, HoverInfo, Line, Marker, MarkerSymbol, Mode};
use plotly::layout::{AxisType, CategoryOrder};
use plotly::{Plot, Scatter};
use protocol::claim_figure::{Lines, Series};

use super::look::{self, alpha_marker, axis, error_arms, ink};
use super::measures::{column, scaled, written};
use super::table::{Cell, Table};
use crate::alpha_scale::colour;
use crate::format;
use crate::theme::Theme;

/// What a line is called.
pub fn name(series: &Series) -> String {
    match series.alpha {
        Some(alpha) => format!("α {}", format::alpha(alpha)),
        None => series.label.clone(),
    }
}

/// The smallest and the largest number of seeds that a mean is over; none while there is nothing.
fn seeds(lines: &Lines) -> Option<(u32, u32)> {
    let all = || {
        let means = lines.series.iter().flat_map(|series| &series.means);
        means.flatten().map(|mean| mean.n)
    };
    Some((all().min()?, all().max()?))
}

/// The lines as a table.
pub fn table(lines: &Lines) -> Table {
    let mean = format!("{}, mean", column(&lines.y));
    let mut table = Table::new(&["line", &lines.x, &mean, "seeds (n)", "95 % from", "95 % to"]);
    for series in &lines.series {
        for (place, mean) in lines.places.iter().zip(&series.means) {
            let Some(mean) = mean else { continue };
            let end = |end: usize| Cell::optional(mean.interval.map(|interval| interval[end]));
            table.rows.push(vec![
                series
                    .alpha
                    .map_or_else(|| Cell::Text(series.label.clone()), Cell::Alpha),
                Cell::Text(place.clone()),
                Cell::Number(mean.mean),
                Cell::Whole(mean.n.into()),
                end(0),
                end(1),
            ]);
        }
    }
    table
}

/// What is averaged, over how many, and what is left out.
pub fn subtitle(lines: &Lines) -> String {
    let n = match seeds(lines) {
        None => return String::new(),
        Some((least, most)) if least == most => format::plural(most.into(), "seed", "seeds"),
        Some((least, most)) => format!("{least} to {most} seeds"),
    };
    let mut text = format!("Means over seeds, n = {n}");
    if !lines.of.is_empty() {
        text += &format!("; {}", lines.of);
    } else if let Some(images) = lines.images {
        let images = format::plural(images.into(), "image", "images");
        text += &format!("; each run on {images}");
    }
    let method = lines.interval_method.split(':').next().unwrap_or_default();
    text += &format!(". Bars: {method}, where there are 2 seeds or more.");
    text + &super::measures::incomplete(lines.incomplete_runs)
}

/// What plotly draws.
pub fn plot(lines: &Lines, theme: Theme) -> Plot {
    let (title, factor) = scaled(&lines.y, true);
    let mut plot = look::plot(
        theme,
        axis(theme, &lines.x)
            .type_(AxisType::Category)
            .category_order(CategoryOrder::Array)
            .category_array(lines.places.clone()),
        axis(theme, &title),
    );
    let ink = ink(theme);
    for (index, series) in lines.series.iter().enumerate() {
        // A line passes over places without a value.
        let filled: Vec<_> = lines
            .places
            .iter()
            .zip(&series.means)
            .filter_map(|(place, mean)| Some((place.clone(), (*mean)?)))
            .collect();
        let (hue, marker, dash) = match series.alpha {
            Some(alpha) => (
                colour(alpha, theme),
                alpha_marker(alpha, theme),
                DashType::Solid,
            ),
            None if index == 0 => (
                ink.first.to_owned(),
                Marker::new().symbol(MarkerSymbol::Circle).color(ink.first),
                DashType::Solid,
            ),
            None => (
                ink.second.to_owned(),
                Marker::new().symbol(MarkerSymbol::Square).color(ink.second),
                DashType::Dash,
            ),
        };
        let arms = || filled.iter().map(|(_, mean)| error_arms(mean));
        let hover = filled.iter().map(|(place, mean)| {
            let interval = mean.interval.map_or_else(String::new, |[low, high]| {
                format!(
                    "<br>95 %: {} to {}",
                    written(&lines.y, low),
                    written(&lines.y, high)
                )
            });
            format!(
                "{}, {place}<br>{}{interval}<br>n = {}",
                name(series),
                written(&lines.y, mean.mean),
                mean.n
            )
        });
        let trace = Scatter::new(
            filled.iter().map(|(place, _)| place.clone()).collect(),
            filled.iter().map(|(_, mean)| mean.mean * factor).collect(),
        )
        .mode(Mode::LinesMarkers)
        .name(name(series))
        .hover_text_array(hover.collect())
        .hover_info(HoverInfo::Text)
        .marker(marker.size(7))
        .line(Line::new().color(hue.clone()).width(1.5).dash(dash))
        .error_y(
            ErrorData::new(ErrorType::Data)
                .symmetric(false)
                .array(arms().map(|(_, up)| up * factor).collect())
                .array_minus(arms().map(|(down, _)| down * factor).collect())
                .color(hue)
                .thickness(1.2)
                .width(3),
        );
        plot.add_trace(trace);
    }
    plot
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
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
                Series {
                    label: String::new(),
                    alpha: Some(-1.0),
                    means: vec![
                        mean(0.8, 3, Some([0.7, 0.9])),
                        mean(0.2, 3, Some([0.1, 0.25])),
                    ],
                },
                Series {
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
        let json: serde_json::Value =
            serde_json::from_str(&plot(&lines(), Theme::Light).to_json()).unwrap();
        assert_eq!(json["data"][1]["x"], serde_json::json!(["40"]));
        assert_eq!(json["data"][0]["y"][0], 80.0);
        let arm = json["data"][0]["error_y"]["array"][0].as_f64().unwrap();
        assert!((arm - 10.0).abs() < 1e-9);
    }

    /// Broken by: a caption that hides n, the images or what is left out.
    #[test]
    fn the_caption_tells_n_and_what_is_left_out() {
        let text = subtitle(&lines());
        for part in ["1 to 3 seeds", "500 images", "2 trained runs lack", "BCa,"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
