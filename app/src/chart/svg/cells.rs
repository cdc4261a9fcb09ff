//! Numbers in a grid of two categories.

use super::escape::escape;
use super::frame::{WIDTH, svg};
use super::marks::place;
use crate::chart::{CellScale, Cells, Chart, Place};

/// The drawing: numbers below 0 are blue and those above red, the paler the closer to 0; what is written in the cells says
/// the same.
pub fn draw(title: &str, chart: &Chart, cells: &Cells) -> String {
    const LEFT: f64 = 130.0;
    const TOP: f64 = 24.0;
    const ROW: f64 = 21.0;
    if cells.rows.is_empty() {
        return String::new();
    }
    let width = (WIDTH - LEFT - 4.0) / cells.columns.len().max(1) as f64;
    let largest = match cells.scale {
        CellScale::Share(_) => 1.0,
        CellScale::Signed(largest) => largest,
    };
    let words = |x: f64, y: f64, anchor: &str, words: &str| {
        format!(
            r#"<text x="{}" y="{}" text-anchor="{anchor}">{}</text>"#,
            place(x),
            place(y),
            escape(words)
        )
    };
    let mut text = words(LEFT - 8.0, 15.0, "end", &chart.x.title);
    for (column, name) in cells.columns.iter().enumerate() {
        let name = match name {
            Place::Name(name) => name.clone(),
            Place::Whole(number) => number.to_string(),
            Place::Number(number) => number.to_string(),
            Place::Missing => String::new(),
        };
        text += &words(LEFT + (column as f64 + 0.5) * width, 15.0, "middle", &name);
    }
    for (index, row) in cells.rows.iter().enumerate() {
        let top = TOP + index as f64 * ROW;
        text += &words(LEFT - 8.0, top + 14.5, "end", &row.label);
        for (column, cell) in row.cells.iter().enumerate() {
            let Some(cell) = cell else { continue };
            let left = LEFT + column as f64 * width;
            let class = match cells.scale {
                CellScale::Share(_) => "share",
                CellScale::Signed(_) if cell.value < 0.0 => "falls",
                CellScale::Signed(_) => "rises",
            };
            text += &format!(
                r#"<rect class="{class}" x="{}" y="{}" width="{}" height="{}" fill-opacity="{:.2}"/>"#,
                place(left + 1.0),
                place(top + 1.0),
                place(width - 2.0),
                place(ROW - 2.0),
                (cell.value.abs() / largest).clamp(0.0, 1.0),
            );
            text += &words(left + width / 2.0, top + 14.5, "middle", &cell.text);
        }
    }
    let height = TOP + cells.rows.len() as f64 * ROW + 4.0;
    svg(title, [WIDTH, height], &text)
}

#[cfg(test)]
mod tests {
    use crate::chart::svg::draw;
    use crate::figures::slope_map::{chart, tests::map};

    /// Broken by: a cell that was not measured drawn as 0, or falls in the colour of rises.
    #[test]
    fn cells_tell_falls_from_rises() {
        let text = draw("title", &chart(&map()));
        assert_eq!(text.matches("class=\"falls\"").count(), 2);
        assert_eq!(text.matches("class=\"rises\"").count(), 1);
        assert!(text.contains(">−5.0*<") && text.contains("fill-opacity=\"1.00\""));
    }
}
