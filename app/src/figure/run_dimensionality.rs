//! How many dimensions does each layer use? A line for clean images, one a severity, one an attack.

use plotly::common::{DashType, HoverInfo, Line, Marker, MarkerSymbol, Mode};
use plotly::layout::RangeMode;
use plotly::{Plot, Scatter};
use protocol::dimensionality::{ActivationMatrix, DimensionStatistic, DimensionalityMeasurement};
use protocol::evaluation::CorruptionSource;

use super::look::{self, axis, ink};
use super::table::{Cell, Table};
use crate::format;
use crate::geometry::{Curve, Kind, dimensions};
use crate::theme::Theme;

/// How a line looks: its colour, dash, marker and width. None of them tells it alone.
fn line_look(kind: Kind, theme: Theme) -> (&'static str, DashType, MarkerSymbol, f64) {
    const LIGHT: [&str; 5] = ["#579caa", "#3d8392", "#266a79", "#125160", "#033845"];
    const DARK: [&str; 5] = ["#3b8c9b", "#5aa5b3", "#7cbdc9", "#a1d4de", "#c9ebf2"];
    let ink = ink(theme);
    match kind {
        Kind::Clean => (ink.text, DashType::Solid, MarkerSymbol::CircleOpen, 3.0),
        Kind::Severity(severity) => {
            let ramp = match theme {
                Theme::Light => LIGHT,
                Theme::Dark => DARK,
            };
            let place = usize::from(severity.clamp(1, 5)) - 1;
            let symbols = [
                MarkerSymbol::Circle,
                MarkerSymbol::Square,
                MarkerSymbol::Diamond,
                MarkerSymbol::Cross,
                MarkerSymbol::X,
            ];
            let symbol = symbols
                .into_iter()
                .nth(place)
                .unwrap_or(MarkerSymbol::Circle);
            (ramp[place], DashType::Solid, symbol, 1.4)
        }
        Kind::Attack(index) => {
            let dash = match index % 4 {
                0 => DashType::Dash,
                1 => DashType::Dot,
                2 => DashType::DashDot,
                _ => DashType::LongDash,
            };
            (ink.second, dash, MarkerSymbol::Star, 2.2)
        }
    }
}

/// What a statistic counts in a layer.
fn count(
    measured: &DimensionalityMeasurement,
    layer: usize,
    statistic: DimensionStatistic,
) -> Option<f64> {
    let whole = |counts: &[u32]| counts.get(layer).copied().map(f64::from);
    match statistic {
        DimensionStatistic::Fraction90 => whole(&measured.components_90),
        DimensionStatistic::Fraction95 => whole(&measured.components_95),
        DimensionStatistic::Fraction99 => whole(&measured.components_99),
        DimensionStatistic::Participation => measured.participation_ratio.get(layer).copied(),
    }
}

/// What a layer's columns are called.
fn column_word(matrix: ActivationMatrix) -> &'static str {
    match matrix {
        ActivationMatrix::Responses => "units",
        ActivationMatrix::Activations => "values",
    }
}

/// The lines as a table: a row a line and layer, with every statistic's count.
pub fn table(curves: &[Curve], layers: &[String], statistic: DimensionStatistic) -> Table {
    let fraction = format!("dimension fraction, {}", statistic.label());
    let mut table = Table::new(&[
        "layer",
        "activations",
        "sets averaged over (n)",
        "columns",
        "components for 90 %",
        "components for 95 %",
        "components for 99 %",
        "participation ratio",
        &fraction,
        "images (n)",
    ]);
    for curve in curves {
        let label = match curve.kind {
            Kind::Clean => curve.label.clone(),
            _ => format!("difference: {}", curve.label),
        };
        let images = curve.over.first().map_or(0, |one| one.conditions.images);
        for (index, layer) in layers.iter().enumerate() {
            let counted = |statistic| {
                let value = curve.mean(index, |measured, layer| count(measured, layer, statistic));
                match value {
                    // A count of one measurement is whole.
                    Some(value) if curve.over.len() == 1 && value.fract() == 0.0 => {
                        Cell::Whole(value as u64)
                    }
                    other => Cell::optional(other),
                }
            };
            let participation = curve.mean(index, |measured, layer| {
                count(measured, layer, DimensionStatistic::Participation)
            });
            table.rows.push(vec![
                Cell::Text(layer.clone()),
                Cell::Text(label.clone()),
                Cell::Whole(curve.over.len() as u64),
                curve
                    .columns(index)
                    .map_or(Cell::Empty, |columns| Cell::Whole(columns.into())),
                counted(DimensionStatistic::Fraction90),
                counted(DimensionStatistic::Fraction95),
                counted(DimensionStatistic::Fraction99),
                Cell::optional(participation),
                Cell::optional(curve.fraction(index, statistic)),
                Cell::Whole(images.into()),
            ]);
        }
    }
    table
}

/// What is shown, of which matrix, on how many images, and why there are no intervals.
pub fn subtitle(curves: &[Curve], statistic: DimensionStatistic) -> String {
    let Some(first) = curves.iter().find_map(|curve| curve.over.first()) else {
        return String::new();
    };
    let images = first.conditions.images;
    let counted = match statistic {
        DimensionStatistic::Participation => {
            "Participation ratio of the covariance’s eigenvalues, (Σλ)² / Σλ²,".to_owned()
        }
        _ => format!("Principal {}", statistic.label()),
    };
    let (what, words) = match first.matrix {
        ActivationMatrix::Responses => ("unit responses", "units"),
        ActivationMatrix::Activations => ("full activations, every value of every map", "values"),
    };
    let mut text = format!(
        "{counted} of each layer’s {what} [images × {words}, centred], as a share of its {words}: clean, and of the difference clean less perturbed. n = {}, {}",
        format::plural(images.into(), "image", "images"),
        match first.conditions.source {
            CorruptionSource::Generated => format!("corruptions {}", first.conditions.origin()),
            CorruptionSource::Published => "corruptions of the published set".to_owned(),
        }
    );
    let averaged = curves.iter().map(|curve| curve.over.len()).max();
    if let Some(sets @ 2..) = averaged {
        text += &format!(", each severity the mean of {sets} corruptions");
    }
    // So many images span a space of one dimension fewer.
    if first.columns.iter().any(|&columns| columns >= images) {
        text += &format!(
            ". {} can show at most {} dimensions: layers with more {words} are cut off",
            format::plural(images.into(), "image", "images"),
            format::count(u64::from(images.saturating_sub(1)))
        );
    }
    text + ". One run: intervals over seeds are on the experiment’s page"
}

/// What is said of a point.
fn hover(curve: &Curve, layer: usize, name: &str, statistic: DimensionStatistic) -> String {
    let counted = curve
        .mean(layer, |measured, layer| count(measured, layer, statistic))
        .map_or("–".to_owned(), dimensions);
    let words = curve
        .over
        .first()
        .map_or("columns", |one| column_word(one.matrix));
    let columns = curve
        .columns(layer)
        .map_or("–".to_owned(), |columns| format::count(columns.into()));
    let share = curve
        .fraction(layer, statistic)
        .map_or(String::new(), |share| format!("<br>fraction {share:.3}"));
    let what = match curve.kind {
        Kind::Clean => String::new(),
        _ => "Difference: ".to_owned(),
    };
    format!(
        "{what}{}<br>{name}<br>{counted} of {columns} {words}, {}{share}",
        curve.label,
        statistic.label()
    )
}

/// What plotly draws.
pub fn plot(
    curves: &[Curve],
    layers: &[String],
    statistic: DimensionStatistic,
    theme: Theme,
) -> Plot {
    let mut plot = look::plot(
        theme,
        axis(theme, "Layer, from input to output").tick_angle(-35.0),
        axis(theme, "Dimension fraction (0 to 1)").range_mode(RangeMode::ToZero),
    );
    for curve in curves {
        let (hue, dash, symbol, width) = line_look(curve.kind, theme);
        let values: Vec<Option<f64>> = (0..layers.len())
            .map(|layer| curve.fraction(layer, statistic))
            .collect();
        let words = layers
            .iter()
            .enumerate()
            .map(|(index, name)| hover(curve, index, name, statistic))
            .collect();
        let line = Scatter::new(layers.to_vec(), values)
            .mode(Mode::LinesMarkers)
            .name(&curve.name)
            .hover_text_array(words)
            .hover_info(HoverInfo::Text)
            .marker(Marker::new().symbol(symbol).size(7).color(hue))
            .line(Line::new().color(hue).width(width).dash(dash));
        plot.add_trace(line);
    }
    plot
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::curves;
    use crate::geometry::tests::{corrupted, measured};
    use protocol::Corruption;
    use protocol::attack::Attack;
    use protocol::dimensionality::Perturbation;

    fn some() -> Vec<DimensionalityMeasurement> {
        vec![
            measured(Perturbation::Clean, 4),
            measured(corrupted(Corruption::Fog, 1), 5),
            measured(corrupted(Corruption::Snow, 1), 8),
            measured(Perturbation::Attack(Attack::pgd(8.0, 0.5, 40)), 12),
        ]
    }

    fn layers() -> [String; 2] {
        ["stem", "stage1.block1.relu1"].map(str::to_owned)
    }

    /// Broken by: counts drawn where shares are promised, a share of another layer's units, or a lost line.
    #[test]
    fn lines_are_shares_of_each_layers_units() {
        let curves = curves(&some(), None);
        let statistic = DimensionStatistic::Fraction95;
        let plot = plot(&curves, &layers(), statistic, Theme::Dark);
        let json: serde_json::Value = serde_json::from_str(&plot.to_json()).unwrap();
        let y: Vec<_> = json["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["y"].clone())
            .collect();
        assert_eq!(
            y,
            [[0.25, 0.125], [6.5 / 16.0, 6.5 / 32.0], [0.75, 0.375]]
                .map(|line| serde_json::json!(line))
        );
        let text = json["data"][0]["hovertext"][0].as_str().unwrap();
        assert!(text.contains("4 of 16 units"), "{text}");
        let text = json["data"][1]["hovertext"][1].as_str().unwrap();
        assert!(text.contains("6.5 of 32 units"), "{text}");
        assert!(text.starts_with("Difference: Mean of 2 corruptions"));
    }

    /// Broken by: a row that is lost, or a statistic in another's column.
    #[test]
    fn the_table_has_every_statistic_of_every_line_and_layer() {
        let curves = curves(&some(), None);
        let table = table(&curves, &layers(), DimensionStatistic::Fraction99);
        assert_eq!(table.rows.len(), 6);
        assert!(
            table
                .rows
                .iter()
                .all(|row| row.len() == table.columns.len())
        );
        let counts = &table.rows[0][4..9];
        assert_eq!(
            counts,
            [
                Cell::Whole(3),
                Cell::Whole(4),
                Cell::Whole(5),
                Cell::Number(1.5),
                Cell::Number(5.0 / 16.0)
            ]
        );
        assert_eq!(table.rows[2][5], Cell::Number(6.5));
        assert_eq!(
            super::table(&[], &layers(), DimensionStatistic::Fraction95)
                .rows
                .len(),
            0
        );
    }

    /// Broken by: a figure of one run without n, that does not say why it has no intervals, or that hides that the
    /// images are too few for a layer.
    #[test]
    fn the_caption_tells_n_and_what_limits_it() {
        let mut few = some();
        let text = subtitle(&curves(&few, None), DimensionStatistic::Fraction95);
        for part in [
            "n = 200 images",
            "seed 0",
            "mean of 2 corruptions",
            "One run",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("at most"), "{text}");
        for one in &mut few {
            one.conditions.images = 20;
        }
        let text = subtitle(&curves(&few, None), DimensionStatistic::Participation);
        assert!(text.contains("at most 19 dimensions"), "{text}");
        assert!(text.starts_with("Participation ratio"), "{text}");
    }

    /// Broken by: two lines that look alike in a theme.
    #[test]
    fn lines_are_told_apart() {
        for theme in [Theme::Light, Theme::Dark] {
            let severities = (1..=5).map(Kind::Severity);
            let mut looks: Vec<String> = severities
                .chain([Kind::Clean, Kind::Attack(0), Kind::Attack(1)])
                .map(|kind| {
                    let (hue, dash, symbol, _) = line_look(kind, theme);
                    format!("{hue} {dash:?} {symbol:?}")
                })
                .collect();
            looks.sort();
            looks.dedup();
            assert_eq!(looks.len(), 8);
        }
    }
}
