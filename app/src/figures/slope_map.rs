//! Does every corruption agree? The slope of accuracy on selectivity, by corruption and severity, as a heat map.

use protocol::claim_figure::{SlopeCell, SlopeMap};
use protocol::measure::Scale;

use super::words;
use crate::chart::{CellRow, CellScale, Chart, MapCell, Table};
use crate::format;

/// A corrected p below this is significant.
pub const SIGNIFICANT: f64 = 0.05;

/// The unit of the slopes.
pub fn unit(scale: Scale) -> &'static str {
    match scale {
        Scale::Raw => "points of accuracy per 0.1 of selectivity",
        Scale::ShareOfClean => "points of share of clean per 0.1 of selectivity",
    }
}

/// A slope as people read it: percentage points per 0.1 of selectivity.
fn points(slope: f64) -> f64 {
    slope * 10.0
}

/// The text of a cell: the slope with its sign, and a star where it is significant.
fn says(cell: &SlopeCell) -> String {
    let star = if cell.p_holm.is_some_and(|p| p < SIGNIFICANT) {
        "*"
    } else {
        ""
    };
    format!("{}{star}", format::signed(points(cell.slope), 1))
}

/// Every cell that was measured.
fn cells(map: &SlopeMap) -> impl Iterator<Item = &SlopeCell> {
    map.rows.iter().flat_map(|row| row.cells.iter().flatten())
}

/// The largest slope there is, either way; 1 where all are 0.
fn largest(map: &SlopeMap) -> f64 {
    let largest = cells(map).fold(0.0, |largest: f64, cell| {
        largest.max(points(cell.slope).abs())
    });
    if largest > 0.0 { largest } else { 1.0 }
}

/// The map as a table: one row per cell.
fn table(map: &SlopeMap) -> Table {
    let slope = match map.scale {
        Scale::Raw => "slope (accuracy per unit of selectivity)",
        Scale::ShareOfClean => "slope (share of clean per unit of selectivity)",
    };
    let rows = map.rows.iter().flat_map(|row| {
        let cells = map.severities.iter().zip(&row.cells);
        cells.filter_map(|(&severity, cell)| Some((row.corruption, severity, (*cell)?)))
    });
    Table::of(rows)
        .column("corruption", |(corruption, ..)| corruption.label())
        .column("severity", |(_, severity, _)| u32::from(*severity))
        .column(slope, |(.., cell)| cell.slope)
        .interval("95 %", |(.., cell)| cell.interval)
        .column("p (Holm)", |(.., cell)| cell.p_holm)
        .column("seeds (n)", |(.., cell)| cell.n)
        .into()
}

/// Units, n, and the method.
fn note(map: &SlopeMap) -> String {
    let Some(n) = cells(map).map(|cell| cell.n).max() else {
        return String::new();
    };
    let below = cells(map).filter(|cell| cell.slope < 0.0).count();
    let images = map.images.map_or_else(String::new, |images| {
        let images = format::plural(images.into(), "image", "images");
        format!(", each accuracy on {images}")
    });
    format!(
        "In {}; {below} of {} slopes are below 0; * p < 0.05 after Holm correction. n = {}{images}.",
        unit(map.scale),
        cells(map).count(),
        format::plural(n.into(), "seed", "seeds")
    )
}

/// The hover text of a cell.
fn hover(map: &SlopeMap, corruption: &str, severity: u8, cell: &SlopeCell) -> String {
    let written = |end| format::signed(points(end), 1);
    let p = cell
        .p_holm
        .map_or_else(String::new, |p| format!("<br>p (Holm) {}", format::p(p)));
    format!(
        "{corruption}, severity {severity}<br>{} {}{}{p}<br>n = {}",
        says(cell),
        unit(map.scale),
        words::interval("<br>", cell.interval, written),
        format::plural(cell.n.into(), "seed", "seeds")
    )
}

/// The chart: blue where accuracy falls with selectivity, as Leavitt & Morcos (2020) claim, red where it rises.
pub fn chart(map: &SlopeMap) -> Chart {
    let rows = map.rows.iter().map(|row| {
        let label = row.corruption.label();
        let cells = map.severities.iter().zip(&row.cells);
        CellRow {
            label: label.to_owned(),
            bold: false,
            cells: cells
                .map(|(severity, cell)| {
                    cell.as_ref().map(|cell| MapCell {
                        value: points(cell.slope),
                        text: says(cell),
                        hover: hover(map, label, *severity, cell),
                    })
                })
                .collect(),
        }
    });
    let scale = CellScale::Signed(largest(map));
    Chart::by_severity(&map.severities, rows.collect(), scale)
        .note(note(map))
        .how(format!("{}.", map.method))
        .table(table(map))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::chart::plotly;
    use crate::ui::theme::Theme;
    use protocol::Corruption;
    use protocol::claim_figure::SlopeRow;

    /// Fog falls, significantly at severity 2; snow was not measured at severity 1.
    pub(crate) fn map() -> SlopeMap {
        let cell = |slope, p_holm| {
            Some(SlopeCell {
                slope,
                interval: Some([slope - 0.1, slope + 0.1]),
                p_holm: Some(p_holm),
                n: 3,
            })
        };
        SlopeMap {
            scale: Scale::Raw,
            severities: vec![1, 2],
            rows: vec![
                SlopeRow {
                    corruption: Corruption::Fog,
                    cells: vec![cell(-0.2, 0.2), cell(-0.5, 0.01)],
                },
                SlopeRow {
                    corruption: Corruption::Snow,
                    cells: vec![None, cell(0.25, 0.9)],
                },
            ],
            images: Some(1000),
            method: "Student t".into(),
        }
    }

    /// Broken by: a cell that was not measured shown as 0, a star on what is not significant, a scale that is not
    /// symmetric, or rows upside down.
    #[test]
    fn cells_say_slope_and_significance() {
        let json = plotly::figure(&chart(&map()), Theme::Light);
        let trace = &json["data"][0];
        assert_eq!(trace["y"], serde_json::json!(["Snow", "Fog"]));
        assert_eq!(
            trace["text"],
            serde_json::json!([["", "+2.5"], ["−2.0", "−5.0*"]])
        );
        assert!(trace["z"][0][0].is_null());
        assert_eq!(
            (&trace["zmin"], &trace["zmax"]),
            (&(-5.0).into(), &5.0.into())
        );
        assert_eq!(table(&map()).rows.len(), 3);
        assert!(
            note(&map()).contains("2 of 3 slopes are below 0"),
            "{}",
            note(&map())
        );
    }
}
