//! Does perturbation change what a unit prefers? Its selectivity clean, under each corruption, and attacked.

use protocol::dimensionality::Perturbation;
use protocol::unit::{UnitDetail, UnitTuning};

use crate::chart::{Axis, Chart, Dash, Hover, Ink, Kind, Point, Series, Shape, Table};
use crate::format;

/// What a row of the figure is called, and the severity within it.
fn place(perturbation: Perturbation) -> (String, Option<u8>) {
    match perturbation {
        Perturbation::Corruption {
            corruption,
            severity,
        } => (corruption.label().to_owned(), Some(severity)),
        other => (other.label(), None),
    }
}

/// The rows in the order of what was measured, each once.
fn rows(tuning: &[UnitTuning]) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for (row, _) in tuning.iter().map(|one| place(one.perturbation)) {
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows
}

/// How many images a tuning is over.
fn images(one: &UnitTuning) -> u64 {
    one.images.iter().copied().map(u64::from).sum()
}

/// The selectivity index of clean responses to the same images.
fn clean(tuning: &[UnitTuning]) -> Option<f64> {
    tuning
        .iter()
        .find(|one| one.perturbation == Perturbation::Clean)
        .map(|one| f64::from(one.selectivity))
}

/// What is shown, on how many images.
fn note(detail: Option<&UnitDetail>) -> String {
    let Some(detail) = detail else {
        return String::new();
    };
    let images = detail.tuning.first().map_or(0, images);
    format!(
        "Selectivity index of this unit’s mean responses to the same images; n = {}. Dotted line: clean.",
        format::plural(images, "image", "images")
    )
}

/// Under which conditions, and why there is no interval.
fn how(detail: Option<&UnitDetail>) -> String {
    let conditions = detail.and_then(|detail| detail.conditions);
    let conditions = conditions.map_or_else(String::new, |conditions| {
        format!("Perturbed images: {}. ", conditions.label())
    });
    format!(
        "{conditions}This is one unit of one network, so there is no interval; on fewer images than the test set the index is larger."
    )
}

/// The chart; its table has the selectivity indices and their differences from clean.
pub fn chart(detail: Option<&UnitDetail>) -> Chart {
    let tuning = detail.map_or(&[][..], |detail| &detail.tuning);
    let (rows, clean) = (rows(tuning), clean(tuning));
    let selectivity = |one: &UnitTuning| f64::from(one.selectivity);
    let table = Table::of(tuning)
        .column("images are", |one| place(one.perturbation).0)
        .column("severity", |one| place(one.perturbation).1.map(u32::from))
        .column("selectivity index (0 to 1)", |one| selectivity(one))
        .column("less clean", |one| {
            clean.map(|clean| selectivity(one) - clean)
        })
        .column("images (n)", |one| images(one));
    let reference = clean.zip(rows.first().zip(rows.last()));
    let reference = reference.map(|(clean, (first, last))| Series {
        hover: Hover::Silent,
        listed: false,
        width: 1.2,
        dash: Dash::Dot,
        ..Series::new(
            Kind::Line,
            "clean",
            Ink::Quiet,
            [first, last].map(|row| Point::new(clean, row)).into(),
        )
    });
    let marks = |wanted: Option<u8>, name: String, ink| {
        let of_severity = tuning.iter().filter_map(|one| {
            let (row, severity) = place(one.perturbation);
            let words = severity.map_or_else(String::new, |at| format!(", severity {at}"));
            let value = selectivity(one);
            (severity == wanted).then(|| {
                Point::new(value, &row).says(format!("{row}{words}<br>selectivity {value:.3}"))
            })
        });
        let series = Series::new(Kind::Points, name, ink, of_severity.collect());
        (!series.points.is_empty()).then_some(series)
    };
    // Stronger is larger and less transparent: no second colour scale beside that of alpha.
    let severities = protocol::corruption::SEVERITIES
        .into_iter()
        .filter_map(|at| {
            let series = marks(Some(at), format!("severity {at}"), Ink::First)?;
            Some(Series {
                size: f64::from(4 + 2 * at),
                opacity: 0.25 + 0.15 * f64::from(at),
                ..series
            })
        });
    let rest = marks(None, "clean and attacks".to_owned(), Ink::Second);
    let rest = rest.map(|series| Series {
        shape: Shape::Diamond,
        size: 10.0,
        ..series
    });
    Chart::new(
        Axis::numbers("Selectivity index (0 to 1)"),
        Axis::rows(rows.clone()),
    )
    .with(reference)
    .with(severities)
    .with(rest)
    .note(note(detail))
    .how(how(detail))
    .table(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::{Cell, plotly};
    use crate::figures::unit_tuning::tests::detail;
    use crate::ui::theme::Theme;

    /// Broken by: a row for every severity, an attack that is torn from its row, or differences from another
    /// selectivity than that of the same images.
    #[test]
    fn severities_share_a_row_and_differences_are_from_clean() {
        let detail = detail();
        assert_eq!(rows(&detail.tuning).len(), 3);
        let table = chart(Some(&detail)).table;
        assert_eq!(table.rows.len(), 4);
        assert_eq!(table.rows[0][3], Cell::Number(0.0));
        assert_eq!(table.rows[2][1], Cell::Whole(2));
        assert_eq!(table.rows[3][4], Cell::Whole(30));
        let json = plotly::figure(&chart(Some(&detail)), Theme::Dark);
        // The line of clean, severities 1 and 2, then clean and the attack.
        let traces = json["data"].as_array().unwrap();
        assert_eq!(traces.len(), 4);
        assert_eq!(traces[3]["y"].as_array().unwrap().len(), 2);
        assert_eq!(chart(None).table.rows.len(), 0);
    }
}
