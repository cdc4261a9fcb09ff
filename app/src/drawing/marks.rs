//! Marks and legends. The sign of alpha has a shape as well as a colour.

use crate::alpha_scale::colour;
use crate::theme::Theme;

/// A place, as SVG writes it: a tenth of a unit is finer than anyone sees.
pub fn place(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// The shape of a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Alpha below 0.
    Down,
    /// Alpha above 0.
    Up,
    /// Alpha 0.
    Circle,
    /// A mean.
    Diamond,
    /// The second of two series.
    Square,
}

/// The shape of an alpha's marks.
pub fn shape(alpha: f64) -> Shape {
    if alpha < 0.0 {
        Shape::Down
    } else if alpha > 0.0 {
        Shape::Up
    } else {
        Shape::Circle
    }
}

/// A mark at (x, y) as a part of a path; `size` is half its width.
pub fn path(shape: Shape, x: f64, y: f64, size: f64) -> String {
    let p = place;
    let (s, d) = (size, 2.0 * size);
    match shape {
        Shape::Up => format!("M{} {}l{} {}h{}z", p(x), p(y - s), p(s), p(1.75 * s), p(-d)),
        Shape::Down => format!(
            "M{} {}l{} {}h{}z",
            p(x),
            p(y + s),
            p(s),
            p(-1.75 * s),
            p(-d)
        ),
        Shape::Diamond => format!(
            "M{} {}l{s} {s}l-{s} {s}l-{s} -{s}z",
            p(x),
            p(y - s),
            s = p(s)
        ),
        Shape::Square => format!("M{} {}h{d}v{d}h-{d}z", p(x - s), p(y - s), d = p(d)),
        Shape::Circle => format!(
            "M{} {}a{s} {s} 0 1 0 {d} 0a{s} {s} 0 1 0 -{d} 0",
            p(x - s),
            p(y),
            s = p(s),
            d = p(d)
        ),
    }
}

/// An alpha's colours as attributes of a group whose parts are drawn with them.
pub fn ink(alpha: f64) -> String {
    format!(
        r#" class="ink" style="--alpha-light:{};--alpha-dark:{}""#,
        colour(alpha, Theme::Light),
        colour(alpha, Theme::Dark)
    )
}

/// One entry of a legend.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What it says; escaped where it is drawn.
    pub label: String,
    /// Its mark.
    pub shape: Shape,
    /// Attributes of its group, as [`ink`] makes them.
    pub attributes: String,
}

/// The estimated width of text at the drawing's size.
fn width_of(text: &str) -> f64 {
    text.chars().count() as f64 * 7.0
}

/// A legend from (`left`, `top`) on, in rows no wider than `width`, and how many rows it has.
pub fn legend(entries: &[Entry], left: f64, top: f64, width: f64) -> (String, usize) {
    const ROW: f64 = 18.0;
    let (mut x, mut rows, mut text) = (0.0, 1, String::new());
    for entry in entries {
        let own = width_of(&entry.label) + 28.0;
        if x > 0.0 && x + own > width {
            x = 0.0;
            rows += 1;
        }
        let y = top + (rows as f64 - 0.5) * ROW;
        text += &format!(
            r#"<g{}><path d="{}"/></g><text x="{}" y="{}">{}</text>"#,
            entry.attributes,
            path(entry.shape, left + x + 6.0, y, 4.5),
            place(left + x + 15.0),
            place(y + 4.5),
            super::escape::escape(&entry.label)
        );
        x += own;
    }
    (text, if entries.is_empty() { 0 } else { rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: a sign of alpha that only a colour tells, or a legend wider than the drawing.
    #[test]
    fn signs_have_shapes_and_legends_wrap() {
        assert_eq!(
            [-0.1, 0.0, 0.1].map(shape),
            [Shape::Down, Shape::Circle, Shape::Up]
        );
        let entry = |label: &str| Entry {
            label: label.into(),
            shape: Shape::Up,
            attributes: String::new(),
        };
        let (text, rows) = legend(&[entry("α +1"), entry("α <b>")], 0.0, 0.0, 60.0);
        assert_eq!(rows, 2);
        assert!(text.contains("α &lt;b&gt;") && !text.contains("<b>"));
    }
}
