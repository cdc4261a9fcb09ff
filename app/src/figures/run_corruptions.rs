//! Which corruptions break a network? Accuracy by corruption and severity, as a heat map.

use protocol::corruption::CorruptionFamily;
use protocol::corruption_evaluation::CorruptionMeasurement;
use protocol::measure::Scale;

use super::words;
use crate::chart::{Cell, CellRow, CellScale, Chart, MapCell, Table};
use crate::data::corruptions::{axis_label, corruptions, find, mean, mean_at, severities, value};
use crate::format;

/// A row of the map: a corruption of a family, or the mean, and a cell for each severity.
struct Row {
    name: &'static str,
    family: Option<CorruptionFamily>,
    cells: Vec<Option<MapCell>>,
}

/// One row per corruption, by family; the means last.
fn rows(measured: &[CorruptionMeasurement], scale: Scale) -> Vec<Row> {
    let (listed, severities) = (corruptions(measured), severities(measured));
    let cell = |value: f64, hover: String| MapCell {
        value,
        text: format!("{:.1}", value * 100.0),
        hover,
    };
    let mut rows: Vec<Row> = listed
        .iter()
        .map(|&corruption| Row {
            name: corruption.label(),
            family: Some(corruption.family()),
            cells: severities
                .iter()
                .map(|&severity| {
                    let one = find(measured, corruption, severity)?;
                    Some(cell(value(one, scale)?, hover(one)))
                })
                .collect(),
        })
        .collect();
    if !listed.is_empty() {
        let number = format::plural(listed.len() as u64, "corruption", "corruptions");
        rows.push(Row {
            name: "Mean",
            family: None,
            cells: severities
                .iter()
                .map(|&severity| {
                    let value = mean_at(measured, &listed, severity, scale)?;
                    Some(cell(
                        value,
                        format!("Mean of {number}, severity {severity}"),
                    ))
                })
                .collect(),
        });
    }
    rows
}

/// Accuracy with n and Wilson's interval, and its share of clean accuracy.
pub fn hover(one: &CorruptionMeasurement) -> String {
    words::accuracy(
        &format!("{}, severity {}", one.corruption.label(), one.severity),
        one.accuracy,
        one.clean_accuracy,
        one.share_of_clean(),
        one.conditions.images,
    )
}

/// The map as a table: one row per corruption, by family, one column per severity; the means last.
fn table(rows: &[Row], severities: &[u8], scale: Scale) -> Table {
    let unit = match scale {
        Scale::Raw => "accuracy (share)",
        Scale::ShareOfClean => "share of clean accuracy",
    };
    let value = |cell: &Option<MapCell>| cell.as_ref().map(|cell| cell.value);
    let mut table = Table::of(rows)
        .column("corruption", |row| row.name)
        .column("family", |row| {
            row.family.map_or("all", CorruptionFamily::label)
        });
    for (index, severity) in severities.iter().enumerate() {
        let heading = format!("severity {severity}, {unit}");
        table = table.column(heading, |row| value(&row.cells[index]));
    }
    table
        .column("mean of severities", |row| -> Cell {
            mean(row.cells.iter().map(value)).into()
        })
        .into()
}

/// The map. Its scale is fixed from 0 to 1, so that runs can be compared; the numbers in the cells are its key.
pub fn chart(measured: &[CorruptionMeasurement], scale: Scale) -> Chart {
    let (rows, severities) = (rows(measured, scale), severities(measured));
    let table = table(&rows, &severities, scale);
    let mut cell_rows = Vec::new();
    let mut last = None;
    for row in rows {
        if let Some(family) = row
            .family
            .filter(|&family| last.replace(family) != Some(family))
        {
            // A row without cells: the heading of those below it.
            cell_rows.push(CellRow {
                label: family.label().to_owned(),
                bold: true,
                cells: vec![None; severities.len()],
            });
        }
        cell_rows.push(CellRow {
            label: row.name.to_owned(),
            bold: row.family.is_none(),
            cells: row.cells,
        });
    }
    Chart::by_severity(&severities, cell_rows, CellScale::Share(None))
        .note(format!(
            "In the cells: {}",
            axis_label(scale).to_lowercase()
        ))
        .table(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::plotly;
    use crate::data::corruptions::tests::measured;
    use crate::ui::theme::Theme;
    use protocol::Corruption;

    fn some() -> Vec<CorruptionMeasurement> {
        vec![
            measured(Corruption::DefocusBlur, 1, 0.6),
            measured(Corruption::DefocusBlur, 2, 0.4),
            measured(Corruption::Fog, 1, 0.2),
        ]
    }

    /// Broken by: a transposed map, rows in another order than their names, a mean over fewer corruptions than
    /// its neighbour, or a gap drawn as 0.
    #[test]
    fn rows_are_corruptions_under_their_families_and_gaps_stay_gaps() {
        let json = plotly::figure(&chart(&some(), Scale::Raw), Theme::Light);
        let map = &json["data"][0];
        assert_eq!(
            map["y"],
            serde_json::json!([
                "<b>Mean</b>",
                "Fog",
                "<b>Weather</b>",
                "Defocus blur",
                "<b>Blur</b>"
            ])
        );
        assert_eq!(
            map["z"],
            serde_json::json!([
                [0.4, null],
                [0.2, null],
                [null, null],
                [0.6, 0.4],
                [null, null]
            ])
        );
        assert_eq!(
            map["text"][3],
            serde_json::json!([
                r##"<span style="color:#000000">60.0</span>"##,
                r##"<span style="color:#ffffff">40.0</span>"##
            ])
        );
        assert_eq!(map["textfont"], serde_json::json!({"size": 12}));
        assert_eq!(map["x"], serde_json::json!(["1", "2"]));
    }

    /// Broken by: a table on another scale than its heading, or without a row of means.
    #[test]
    fn the_table_has_a_row_a_corruption_and_one_of_means() {
        let table = chart(&some(), Scale::ShareOfClean).table;
        assert_eq!(table.columns[2], "severity 1, share of clean accuracy");
        assert_eq!(table.rows.len(), 3);
        assert_eq!(table.rows[1][3], Cell::Empty);
        assert_eq!(table.rows[1][4], Cell::Empty);
        assert_eq!(table.rows[2][0], Cell::Text("Mean".into()));
        let Cell::Number(mean) = table.rows[2][2] else {
            panic!("no mean")
        };
        assert!((mean - 0.5).abs() < 1e-12);
        assert_eq!(chart(&[], Scale::Raw).table.rows.len(), 0);
    }

    /// Broken by: an accuracy without its n or interval.
    #[test]
    fn hovering_tells_n_and_interval() {
        let text = hover(&measured(Corruption::JpegCompression, 2, 0.4));
        assert_eq!(
            text,
            "JPEG compression, severity 2<br>accuracy 40.0 %<br>95 %: 33.5 % to 46.9 %<br>50.0 % of clean (80.0 %)<br>n = 200 images"
        );
    }
}
