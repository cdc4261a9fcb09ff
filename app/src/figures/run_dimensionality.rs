//! How many dimensions does each layer use? One line for clean images, one per severity, one per attack.

use protocol::corruption_evaluation::CorruptionSource;
use protocol::dimensionality::{ActivationMatrix, DimensionStatistic, DimensionalityMeasurement};

use crate::chart::{Axis, Cell, Chart, Dash, Ink, Kind as Drawn, Point, Series, Shape, Table};
use crate::data::geometry::{Curve, Kind, dimensions};
use crate::format;

/// How a line looks: its colour, dash, marker and width. None of them alone identifies it.
fn line_look(kind: Kind) -> (Ink, Dash, Shape, f64) {
    const SEVERITIES: [(Ink, Shape); 5] = [
        (Ink::Own(["#579caa", "#3b8c9b"]), Shape::Circle),
        (Ink::Own(["#3d8392", "#5aa5b3"]), Shape::Square),
        (Ink::Own(["#266a79", "#7cbdc9"]), Shape::Diamond),
        (Ink::Own(["#125160", "#a1d4de"]), Shape::Cross),
        (Ink::Own(["#033845", "#c9ebf2"]), Shape::X),
    ];
    match kind {
        Kind::Clean => (Ink::Text, Dash::Solid, Shape::Circle, 3.0),
        Kind::Severity(severity) => {
            let (ink, shape) = SEVERITIES[usize::from(severity.clamp(1, 5)) - 1];
            (ink, Dash::Solid, shape, 1.4)
        }
        Kind::Attack(index) => {
            let dash = Dash::ALL[1 + index % 4];
            (Ink::Second, dash, Shape::Star, 2.2)
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

/// The lines as a table: one row per line and layer, with every statistic's count.
fn table(curves: &[Curve], layers: &[String], statistic: DimensionStatistic) -> Table {
    use DimensionStatistic::{Fraction90, Fraction95, Fraction99, Participation};
    type Row<'a> = (&'a Curve, usize, &'a String);
    let rows = curves.iter().flat_map(|curve| {
        let layers = layers.iter().enumerate();
        layers.map(move |(index, layer)| (curve, index, layer))
    });
    let counted = |statistic| {
        move |(curve, layer, _): &Row| -> Cell {
            match curve.mean(*layer, |one, layer| count(one, layer, statistic)) {
                // A count of one measurement is whole.
                Some(value)
                    if curve.over.len() == 1
                        && value.fract() == 0.0
                        && statistic != Participation =>
                {
                    Cell::Whole(value as u64)
                }
                other => other.into(),
            }
        }
    };
    Table::of(rows)
        .column("layer", |(.., layer)| layer.as_str())
        .column("activations", |(curve, ..)| match curve.kind {
            Kind::Clean => curve.label.clone(),
            _ => format!("difference: {}", curve.label),
        })
        .column("sets averaged over (n)", |(curve, ..)| curve.over.len())
        .column("columns", |(curve, layer, _)| curve.columns(*layer))
        .column("components for 90 %", counted(Fraction90))
        .column("components for 95 %", counted(Fraction95))
        .column("components for 99 %", counted(Fraction99))
        .column("participation ratio", counted(Participation))
        .column(
            format!("dimension fraction, {}", statistic.label()),
            |(curve, layer, _)| curve.fraction(*layer, statistic),
        )
        .column("images (n)", |(curve, ..)| {
            curve.over.first().map_or(0, |one| one.conditions.images)
        })
        .into()
}

/// What is shown, and on how many images.
fn note(curves: &[Curve]) -> String {
    let first = curves.iter().find_map(|curve| curve.over.first());
    first.map_or_else(String::new, |first| {
        format!(
            "Dimension fraction of each layer for clean images, and of the difference that a perturbation makes; n = {}, one run.",
            format::plural(first.conditions.images.into(), "image", "images")
        )
    })
}

/// What is counted, of which matrix, under which conditions, and why there are no intervals.
fn how(curves: &[Curve], statistic: DimensionStatistic) -> String {
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
        "{counted} of each layer’s {what} [images × {words}, centred], as a share of its {words}: for clean images, and for the difference clean minus perturbed; {}",
        match first.conditions.source {
            CorruptionSource::Generated => format!("corruptions {}", first.conditions.origin()),
            CorruptionSource::Published => "corruptions of the published set".to_owned(),
        }
    );
    let averaged = curves.iter().map(|curve| curve.over.len()).max();
    if let Some(sets @ 2..) = averaged {
        text += &format!("; each severity is the mean of {sets} corruptions");
    }
    // Centred, n images span at most n - 1 dimensions.
    if first.columns.iter().any(|&columns| columns >= images) {
        text += &format!(
            ". {} can show at most {} dimensions, so layers with more {words} are cut off",
            format::plural(images.into(), "image", "images"),
            format::count(u64::from(images.saturating_sub(1)))
        );
    }
    text + ". Intervals over seeds are on the experiment’s page, under “Layers”."
}

/// The hover text of a point.
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

/// The chart.
pub fn chart(curves: &[Curve], layers: &[String], statistic: DimensionStatistic) -> Chart {
    let lines = curves.iter().map(|curve| {
        let (ink, dash, shape, width) = line_look(curve.kind);
        let points = layers.iter().enumerate().map(|(index, name)| {
            Point::new(name, curve.fraction(index, statistic))
                .says(hover(curve, index, name, statistic))
        });
        Series {
            open: curve.kind == Kind::Clean,
            shape,
            dash,
            width,
            ..Series::new(Drawn::Curve, &curve.name, ink, points.collect())
        }
    });
    Chart::new(
        Axis::layers(layers.to_vec()),
        Axis::numbers("Dimension fraction (0 to 1)").from_zero(),
    )
    .with(lines)
    .note(note(curves))
    .how(how(curves, statistic))
    .table(table(curves, layers, statistic))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::plotly;
    use crate::chart::table::tests::is_complete;
    use crate::data::geometry::curves;
    use crate::data::geometry::tests::{corrupted, measured};
    use crate::ui::theme::Theme;
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
        let json = plotly::figure(&chart(&curves, &layers(), statistic), Theme::Dark);
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
        assert!(is_complete(&table));
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
            chart(&[], &layers(), DimensionStatistic::Fraction95)
                .table
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
        let text = chart(
            &curves(&few, None),
            &layers(),
            DimensionStatistic::Fraction95,
        )
        .caption();
        for part in [
            "n = 200 images",
            "seed 0",
            "mean of 2 corruptions",
            "one run",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("at most"), "{text}");
        for one in &mut few {
            one.conditions.images = 20;
        }
        let text = how(&curves(&few, None), DimensionStatistic::Participation);
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
                    let (ink, dash, shape, _) = line_look(kind);
                    format!("{} {dash:?} {shape:?}", ink.colour(theme))
                })
                .collect();
            looks.sort();
            looks.dedup();
            assert_eq!(looks.len(), 8);
        }
    }
}
