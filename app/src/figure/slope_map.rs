//! Does every corruption agree? The slope of accuracy on selectivity, by corruption and severity, as a heat map.

use plotly::common::{ColorScale, ColorScaleElement, Font, HoverInfo};
use plotly::layout::AxisType;
use plotly::{Plot, Trace};
use protocol::claim_figure::{SlopeCell, SlopeMap};
use protocol::measure::Scale;
use serde::Serialize;

use super::look::{self, axis};
use super::table::{Cell, Table};
use crate::format;
use crate::theme::Theme;

/// Below this a corrected p counts.
pub const SIGNIFICANT: f64 = 0.05;

/// The unit of the slopes.
pub fn unit(scale: Scale) -> &'static str {
    match scale {
        Scale::Raw => "points of accuracy per 0.1 of selectivity",
        Scale::ShareOfClean => "points of share of clean per 0.1 of selectivity",
    }
}

/// A slope as people read it: percentage points per 0.1 of selectivity.
pub fn points(slope: f64) -> f64 {
    slope * 10.0
}

/// What a cell says: the slope with its sign, and a star where it is significant.
pub fn words(cell: &SlopeCell) -> String {
    let star = if cell.p_holm.is_some_and(|p| p < SIGNIFICANT) {
        "*"
    } else {
        ""
    };
    format!("{}{star}", format::signed(points(cell.slope), 1))
}

/// The largest slope there is, either way; 1 where all are 0.
pub fn largest(map: &SlopeMap) -> f64 {
    let cells = map.rows.iter().flat_map(|row| row.cells.iter().flatten());
    let largest = cells.fold(0.0, |largest: f64, cell| {
        largest.max(points(cell.slope).abs())
    });
    if largest > 0.0 { largest } else { 1.0 }
}

/// The map as a table: a row a cell.
pub fn table(map: &SlopeMap) -> Table {
    let slope = match map.scale {
        Scale::Raw => "slope (accuracy per unit of selectivity)",
        Scale::ShareOfClean => "slope (share of clean per unit of selectivity)",
    };
    let mut table = Table::new(&[
        "corruption",
        "severity",
        slope,
        "95 % from",
        "95 % to",
        "p (Holm)",
        "seeds (n)",
    ]);
    for row in &map.rows {
        for (severity, cell) in map.severities.iter().zip(&row.cells) {
            let Some(cell) = cell else { continue };
            let end = |end: usize| Cell::optional(cell.interval.map(|interval| interval[end]));
            table.rows.push(vec![
                Cell::Text(row.corruption.label().to_owned()),
                Cell::Whole((*severity).into()),
                Cell::Number(cell.slope),
                end(0),
                end(1),
                Cell::optional(cell.p_holm),
                Cell::Whole(cell.n.into()),
            ]);
        }
    }
    table
}

/// Units, n, and how it is made.
pub fn subtitle(map: &SlopeMap) -> String {
    let cells = || map.rows.iter().flat_map(|row| row.cells.iter().flatten());
    let Some(n) = cells().map(|cell| cell.n).max() else {
        return String::new();
    };
    let below = cells().filter(|cell| cell.slope < 0.0).count();
    let images = map.images.map_or_else(String::new, |images| {
        let images = format::plural(images.into(), "image", "images");
        format!(", each accuracy on {images}")
    });
    format!(
        "In {}; {below} of {} fall; * p below 0.05 after Holm. n = {}{images}. {}.",
        unit(map.scale),
        cells().count(),
        format::plural(n.into(), "seed", "seeds"),
        map.method
    )
}

/// A heat map with words in its cells; the plotly crate's has none.
#[derive(Debug, Clone, Serialize)]
struct CellMap {
    r#type: &'static str,
    x: Vec<String>,
    y: Vec<&'static str>,
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

/// What plotly draws: blue where accuracy falls with selectivity, as the source claims, red where it rises.
pub fn plot(map: &SlopeMap, theme: Theme) -> Plot {
    let mut plot = look::plot(
        theme,
        axis(theme, "Severity")
            .type_(AxisType::Category)
            .show_grid(false)
            .fixed_range(true),
        axis(theme, "")
            .type_(AxisType::Category)
            .show_grid(false)
            .dtick(1.0)
            .fixed_range(true),
    );
    let hover = |corruption: &str, severity: u8, cell: &SlopeCell| {
        let interval = cell.interval.map_or_else(String::new, |[low, high]| {
            format!(
                "<br>95 %: {} to {}",
                format::signed(points(low), 1),
                format::signed(points(high), 1)
            )
        });
        let p = cell
            .p_holm
            .map_or_else(String::new, |p| format!("<br>p (Holm) {}", format::p(p)));
        format!(
            "{corruption}, severity {severity}<br>{} {}{interval}{p}<br>n = {}",
            words(cell),
            unit(map.scale),
            format::plural(cell.n.into(), "seed", "seeds")
        )
    };
    // From the top down.
    let rows = || map.rows.iter().rev();
    let each = |write: &dyn Fn(&str, u8, &SlopeCell) -> String| -> Vec<Vec<String>> {
        rows()
            .map(|row| {
                let cells = map.severities.iter().zip(&row.cells);
                cells
                    .map(|(severity, cell)| {
                        cell.as_ref().map_or_else(String::new, |cell| {
                            write(row.corruption.label(), *severity, cell)
                        })
                    })
                    .collect()
            })
            .collect()
    };
    let largest = largest(map);
    let [low, middle, high] = scale_ends(theme);
    plot.add_trace(Box::new(CellMap {
        r#type: "heatmap",
        x: map.severities.iter().map(u8::to_string).collect(),
        y: rows().map(|row| row.corruption.label()).collect(),
        z: rows()
            .map(|row| {
                let cells = row.cells.iter();
                cells
                    .map(|cell| cell.map(|cell| points(cell.slope)))
                    .collect()
            })
            .collect(),
        text: each(&|_, _, cell| words(cell)),
        hovertext: each(&hover),
        texttemplate: "%{text}",
        textfont: Font::new().size(11).color(look::ink(theme).text),
        hoverinfo: HoverInfo::Text,
        hoverongaps: false,
        zmin: -largest,
        zmax: largest,
        colorscale: ColorScale::Vector(vec![
            ColorScaleElement(0.0, low.to_owned()),
            ColorScaleElement(0.5, middle.to_owned()),
            ColorScaleElement(1.0, high.to_owned()),
        ]),
        showscale: false,
        xgap: 2,
        ygap: 2,
    }));
    plot
}

/// Far below 0, 0, and far above: pale enough to read the words in the cells.
pub fn scale_ends(theme: Theme) -> [&'static str; 3] {
    match theme {
        Theme::Light => ["#8ab8e6", "#f4f5f6", "#eb9f8f"],
        Theme::Dark => ["#1f4f80", "#23272b", "#7d3023"],
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
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
        let json: serde_json::Value =
            serde_json::from_str(&plot(&map(), Theme::Light).to_json()).unwrap();
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
            subtitle(&map()).contains("2 of 3 fall"),
            "{}",
            subtitle(&map())
        );
    }
}
