//! The slope of accuracy on selectivity, by corruption and severity.

use protocol::claim_figure::SlopeMap;

use super::escape::escape;
use super::frame::{WIDTH, svg};
use super::marks::place;
use crate::figure::slope_map::{largest, points, words};

/// The drawing: falls are blue and rises red, the paler the closer to 0; the numbers say the same.
pub fn draw(title: &str, map: &SlopeMap) -> String {
    const LEFT: f64 = 130.0;
    const TOP: f64 = 24.0;
    const ROW: f64 = 21.0;
    let width = (WIDTH - LEFT - 4.0) / map.severities.len().max(1) as f64;
    let largest = largest(map);
    let mut text = format!(
        r#"<text x="{}" y="15" text-anchor="end">Severity</text>"#,
        place(LEFT - 8.0)
    );
    for (column, severity) in map.severities.iter().enumerate() {
        text += &format!(
            r#"<text x="{}" y="15" text-anchor="middle">{severity}</text>"#,
            place(LEFT + (column as f64 + 0.5) * width)
        );
    }
    for (row, of) in map.rows.iter().enumerate() {
        let top = TOP + row as f64 * ROW;
        text += &format!(
            r#"<text x="{}" y="{}" text-anchor="end">{}</text>"#,
            place(LEFT - 8.0),
            place(top + 14.5),
            escape(of.corruption.label())
        );
        for (column, cell) in of.cells.iter().enumerate() {
            let Some(cell) = cell else { continue };
            let left = LEFT + column as f64 * width;
            let side = if cell.slope < 0.0 { "falls" } else { "rises" };
            text += &format!(
                r#"<rect class="{side}" x="{}" y="{}" width="{}" height="{}" fill-opacity="{:.2}"/><text x="{}" y="{}" text-anchor="middle">{}</text>"#,
                place(left + 1.0),
                place(top + 1.0),
                place(width - 2.0),
                place(ROW - 2.0),
                (points(cell.slope).abs() / largest).clamp(0.0, 1.0),
                place(left + width / 2.0),
                place(top + 14.5),
                words(cell)
            );
        }
    }
    svg(
        title,
        [WIDTH, TOP + map.rows.len() as f64 * ROW + 4.0],
        &text,
    )
}

#[cfg(test)]
mod tests {
    use crate::figure::slope_map::tests::map;

    /// Broken by: a cell that was not measured drawn as 0, or falls in the colour of rises.
    #[test]
    fn cells_tell_falls_from_rises() {
        let text = super::draw("title", &map());
        assert_eq!(text.matches("class=\"falls\"").count(), 2);
        assert_eq!(text.matches("class=\"rises\"").count(), 1);
        assert!(text.contains(">−5.0*<") && text.contains("fill-opacity=\"1.00\""));
    }
}
