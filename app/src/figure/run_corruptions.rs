//! Which corruptions break a network? Accuracy by corruption and severity, as a heat map.

use plotly::common::{ColorScale, Font, HoverInfo};
use plotly::layout::AxisType;
use plotly::{Plot, Trace};
use protocol::corruption::{Corruption, CorruptionFamily};
use protocol::evaluation::CorruptionMeasurement;
use protocol::measure::Scale;
use serde::Serialize;

use super::look::{self, axis, share_scale};
use super::table::{Cell, Table};
use crate::corruptions::{axis_label, corruptions, find, mean, mean_at, severities, value};
use crate::format;
use crate::theme::Theme;

/// What the last row is called.
const MEAN: &str = "Mean";

/// The map as a table: a row a corruption, by family, and a column a severity; last the means.
pub fn table(measured: &[CorruptionMeasurement], scale: Scale) -> Table {
    let (rows, columns) = (corruptions(measured), severities(measured));
    let unit = match scale {
        Scale::Raw => "accuracy (share)",
        Scale::ShareOfClean => "share of clean accuracy",
    };
    let headings: Vec<String> = columns
        .iter()
        .map(|severity| format!("severity {severity}, {unit}"))
        .collect();
    let mut names = vec!["corruption", "family"];
    names.extend(headings.iter().map(String::as_str));
    names.push("mean of severities");
    let mut table = Table::new(&names);
    let row = |name: &str, family: &str, cells: Vec<Option<f64>>| {
        let all = mean(cells.iter().copied());
        let mut row = vec![Cell::Text(name.to_owned()), Cell::Text(family.to_owned())];
        row.extend(cells.into_iter().chain([all]).map(Cell::optional));
        row
    };
    for &corruption in &rows {
        let cells = columns
            .iter()
            .map(|&severity| find(measured, corruption, severity).and_then(|one| value(one, scale)))
            .collect();
        let family = corruption.family().label();
        table.rows.push(row(corruption.label(), family, cells));
    }
    if !rows.is_empty() {
        let cells = columns
            .iter()
            .map(|&severity| mean_at(measured, &rows, severity, scale))
            .collect();
        table.rows.push(row(MEAN, "all", cells));
    }
    table
}

/// A heat map with words in its cells; the plotly crate's has none.
#[derive(Debug, Clone, Serialize)]
struct CellMap {
    r#type: &'static str,
    x: Vec<String>,
    y: Vec<String>,
    z: Vec<Vec<Option<f64>>>,
    text: Vec<Vec<String>>,
    hovertext: Vec<Vec<String>>,
    texttemplate: &'static str,
    textfont: Font,
    hoverinfo: HoverInfo,
    hoverongaps: bool,
    zmin: f64,
    zmax: f64,
    colorscale: ColorScale,
    showscale: bool,
    xgap: u8,
    ygap: u8,
}

impl Trace for CellMap {
    fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A row of the map: what it is called, what is in its cells, and what is said of them.
struct Row {
    label: String,
    cells: Vec<Option<f64>>,
    hover: Vec<String>,
}

fn rows(measured: &[CorruptionMeasurement], scale: Scale) -> Vec<Row> {
    let (listed, columns) = (corruptions(measured), severities(measured));
    let mut rows = Vec::new();
    let mut family: Option<CorruptionFamily> = None;
    for &corruption in &listed {
        if family.replace(corruption.family()) != Some(corruption.family()) {
            // A row without cells: the heading of those below it.
            rows.push(Row {
                label: format!("<b>{}</b>", corruption.family().label()),
                cells: vec![None; columns.len()],
                hover: vec![String::new(); columns.len()],
            });
        }
        let cell = |severity: &u8| find(measured, corruption, *severity);
        rows.push(Row {
            label: corruption.label().to_owned(),
            cells: columns
                .iter()
                .map(|severity| cell(severity).and_then(|one| value(one, scale)))
                .collect(),
            hover: columns
                .iter()
                .map(|severity| cell(severity).map_or_else(String::new, hover))
                .collect(),
        });
    }
    if !listed.is_empty() {
        let cells: Vec<Option<f64>> = columns
            .iter()
            .map(|&severity| mean_at(measured, &listed, severity, scale))
            .collect();
        let hover = columns
            .iter()
            .map(|&severity| mean_hover(&listed, severity));
        rows.push(Row {
            label: format!("<b>{MEAN}</b>"),
            hover: hover.collect(),
            cells,
        });
    }
    rows
}

/// Accuracy with n and Wilson's interval, and what it is of clean accuracy.
pub fn hover(one: &CorruptionMeasurement) -> String {
    let n = one.conditions.images;
    let interval =
        format::wilson(one.accuracy, n.into()).map_or_else(String::new, |[low, high]| {
            format!(
                "<br>95 %: {} to {}",
                format::percent(low),
                format::percent(high)
            )
        });
    let share = one.share_of_clean().map_or_else(String::new, |share| {
        format!(
            "<br>{} of clean ({})",
            format::percent(share),
            format::percent(one.clean_accuracy)
        )
    });
    format!(
        "{}, severity {}<br>accuracy {}{interval}{share}<br>n = {}",
        one.corruption.label(),
        one.severity,
        format::percent(one.accuracy),
        format::plural(n.into(), "image", "images")
    )
}

fn mean_hover(corruptions: &[Corruption], severity: u8) -> String {
    let number = format::plural(corruptions.len() as u64, "corruption", "corruptions");
    format!("Mean of {number}, severity {severity}")
}

/// What plotly draws. The scale is fixed from 0 to 1, so that runs can be compared; the numbers in the cells
/// are its key.
pub fn plot(measured: &[CorruptionMeasurement], scale: Scale, theme: Theme) -> Plot {
    // As words, or plotly takes the names of severities for numbers and puts ticks between them.
    let x_axis = axis(theme, "Severity").type_(AxisType::Category);
    let mut plot = look::plot(
        theme,
        x_axis.show_grid(false).fixed_range(true),
        axis(theme, "")
            .type_(AxisType::Category)
            .show_grid(false)
            .dtick(1.0)
            .fixed_range(true),
    );
    let mut rows = rows(measured, scale);
    // Plotly begins at the bottom.
    rows.reverse();
    let text = |row: &Row| {
        let cells = row.cells.iter();
        cells
            .map(|cell| cell.map_or_else(String::new, written))
            .collect()
    };
    plot.add_trace(Box::new(CellMap {
        r#type: "heatmap",
        x: severities(measured).iter().map(u8::to_string).collect(),
        y: rows.iter().map(|row| row.label.clone()).collect(),
        text: rows.iter().map(text).collect(),
        hovertext: rows.iter().map(|row| row.hover.clone()).collect(),
        z: rows.into_iter().map(|row| row.cells).collect(),
        texttemplate: "%{text}",
        // Left to itself plotly makes it fit by its length, marks of colour and all.
        textfont: Font::new().size(12),
        hoverinfo: HoverInfo::Text,
        hoverongaps: false,
        zmin: 0.0,
        zmax: 1.0,
        colorscale: share_scale(),
        showscale: false,
        xgap: 1,
        ygap: 1,
    }));
    plot
}

/// A cell's number, in the ink that stands out from its colour: plotly's own choice is grey on green.
fn written(share: f64) -> String {
    // About where black and white stand out alike from viridis.
    let ink = if share < 0.45 { "#ffffff" } else { "#000000" };
    format!("<span style=\"color:{ink}\">{:.1}</span>", share * 100.0)
}

/// What the cells hold, for the subtitle.
pub fn cells(scale: Scale) -> String {
    format!("In the cells: {}", axis_label(scale).to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corruptions::tests::measured;

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
        let plot = plot(&some(), Scale::Raw, Theme::Light);
        let json: serde_json::Value = serde_json::from_str(&plot.to_json()).unwrap();
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

    /// Broken by: a table that says another scale than its heading, or has no row of means.
    #[test]
    fn the_table_has_a_row_a_corruption_and_one_of_means() {
        let table = table(&some(), Scale::ShareOfClean);
        assert_eq!(table.columns[2], "severity 1, share of clean accuracy");
        assert_eq!(table.rows.len(), 3);
        assert_eq!(table.rows[1][3], Cell::Empty);
        assert_eq!(table.rows[1][4], Cell::Empty);
        assert_eq!(table.rows[2][0], Cell::Text("Mean".into()));
        let Cell::Number(mean) = table.rows[2][2] else {
            panic!("no mean")
        };
        assert!((mean - 0.5).abs() < 1e-12);
        assert_eq!(super::table(&[], Scale::Raw).rows.len(), 0);
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
