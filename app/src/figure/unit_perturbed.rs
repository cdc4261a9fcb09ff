//! Does perturbation change what a unit prefers? Its selectivity clean, under each corruption, and attacked.

use plotly::common::{DashType, HoverInfo, Line, Marker, MarkerSymbol, Mode};
use plotly::layout::{AxisType, CategoryOrder};
use plotly::{Plot, Scatter};
use protocol::dimensionality::Perturbation;
use protocol::unit::{UnitDetail, UnitTuning};

use super::look::{self, axis, ink};
use super::table::{Cell, Table};
use crate::format;
use crate::theme::Theme;

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

/// The selectivity indices as a table.
pub fn table(detail: Option<&UnitDetail>) -> Table {
    let mut table = Table::new(&[
        "images are",
        "severity",
        "selectivity index (0 to 1)",
        "less clean",
        "images (n)",
    ]);
    let tuning = detail.map_or(&[][..], |detail| &detail.tuning);
    let clean = clean(tuning);
    for one in tuning {
        let (row, severity) = place(one.perturbation);
        let selectivity = f64::from(one.selectivity);
        table.rows.push(vec![
            Cell::Text(row),
            severity.map_or(Cell::Empty, |severity| Cell::Whole(severity.into())),
            Cell::Number(selectivity),
            Cell::optional(clean.map(|clean| selectivity - clean)),
            Cell::Whole(one.images.iter().map(|&images| u64::from(images)).sum()),
        ]);
    }
    table
}

/// The selectivity index of clean responses to the same images.
fn clean(tuning: &[UnitTuning]) -> Option<f64> {
    tuning
        .iter()
        .find(|one| one.perturbation == Perturbation::Clean)
        .map(|one| f64::from(one.selectivity))
}

/// What is shown, on how many images.
pub fn subtitle(detail: Option<&UnitDetail>) -> String {
    let Some(detail) = detail else {
        return String::new();
    };
    let images: u64 = detail.tuning.first().map_or(0, |one| {
        one.images.iter().map(|&images| u64::from(images)).sum()
    });
    let conditions = detail.conditions.map_or_else(String::new, |conditions| {
        format!("; {}", conditions.label())
    });
    format!(
        "Selectivity index of this unit's mean responses to the same images, 0 to 1; n = {}{conditions}. Dotted: clean. One unit of one network, so no interval; on fewer images than the test set the index is larger.",
        format::plural(images, "image", "images")
    )
}

/// What plotly draws.
pub fn plot(detail: Option<&UnitDetail>, theme: Theme) -> Plot {
    let ink = ink(theme);
    let tuning = detail.map_or(&[][..], |detail| &detail.tuning);
    let rows = rows(tuning);
    // Plotly begins at the bottom.
    let upwards: Vec<String> = rows.iter().rev().cloned().collect();
    let mut plot = look::plot(
        theme,
        axis(theme, "Selectivity index (0 to 1)"),
        axis(theme, "")
            .type_(AxisType::Category)
            .category_order(CategoryOrder::Array)
            .category_array(upwards)
            .dtick(1.0),
    );
    if let (Some(clean), Some(first), Some(last)) = (clean(tuning), rows.first(), rows.last()) {
        let line = Scatter::new(vec![clean, clean], vec![first.clone(), last.clone()])
            .mode(Mode::Lines)
            .show_legend(false)
            .hover_info(HoverInfo::Skip)
            .line(Line::new().color(ink.line).width(1.2).dash(DashType::Dot));
        plot.add_trace(line);
    }
    let mut marks = |of: &dyn Fn(Option<u8>) -> bool, name: String, marker: Marker| {
        let shown: Vec<(String, Option<u8>, f64)> = tuning
            .iter()
            .map(|one| {
                let (row, severity) = place(one.perturbation);
                (row, severity, f64::from(one.selectivity))
            })
            .filter(|(_, severity, _)| of(*severity))
            .collect();
        if shown.is_empty() {
            return;
        }
        let hover = shown
            .iter()
            .map(|(row, severity, value)| {
                let severity =
                    severity.map_or_else(String::new, |severity| format!(", severity {severity}"));
                format!("{row}{severity}<br>selectivity {value:.3}")
            })
            .collect();
        let dots = Scatter::new(
            shown.iter().map(|one| one.2).collect(),
            shown.iter().map(|one| one.0.clone()).collect(),
        )
        .mode(Mode::Markers)
        .name(name)
        .hover_text_array(hover)
        .hover_info(HoverInfo::Text)
        .marker(marker);
        plot.add_trace(dots);
    };
    // Stronger is larger and less transparent: no second colour scale beside that of alpha.
    for severity in protocol::corruption::SEVERITIES {
        let marker = Marker::new()
            .color(ink.first)
            .size(4 + 2 * usize::from(severity))
            .opacity(0.25 + 0.15 * f64::from(severity));
        marks(
            &|at| at == Some(severity),
            format!("severity {severity}"),
            marker,
        );
    }
    let square = Marker::new()
        .symbol(MarkerSymbol::Diamond)
        .color(ink.second)
        .size(10);
    marks(&|at| at.is_none(), "clean and attacks".to_owned(), square);
    plot
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::unit_tuning::tests::detail;

    /// Broken by: a row for every severity, an attack that is torn from its row, or differences from another
    /// selectivity than that of the same images.
    #[test]
    fn severities_share_a_row_and_differences_are_from_clean() {
        let detail = detail();
        assert_eq!(rows(&detail.tuning).len(), 3);
        let table = table(Some(&detail));
        assert_eq!(table.rows.len(), 4);
        assert_eq!(table.rows[0][3], Cell::Number(0.0));
        assert_eq!(table.rows[2][1], Cell::Whole(2));
        assert_eq!(table.rows[3][4], Cell::Whole(30));
        let json: serde_json::Value =
            serde_json::from_str(&plot(Some(&detail), Theme::Dark).to_json()).unwrap();
        // The line of clean, severities 1 and 2, then clean and the attack.
        let traces = json["data"].as_array().unwrap();
        assert_eq!(traces.len(), 4);
        assert_eq!(traces[3]["y"].as_array().unwrap().len(), 2);
        assert_eq!(super::table(None).rows.len(), 0);
    }
}
