//! Marks and legends. The sign of alpha has a shape as well as a colour.

use super::escape::escape;
use crate::chart::{Ink, Series, Shape};
use crate::ui::theme::Theme;

/// A coordinate as SVG text: a tenth of a unit is finer than anyone sees.
pub fn place(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
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
        Shape::Cross => spikes(4, 0.0, x, y, size),
        Shape::X => spikes(4, 0.5, x, y, size),
        Shape::Star => spikes(5, 0.0, x, y, size),
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

/// A star of `number` spikes, the first upwards and turned by the share `turn` of the angle between two.
fn spikes(number: u32, turn: f64, x: f64, y: f64, size: f64) -> String {
    let corner = |index: u32| {
        let radius = size * if index.is_multiple_of(2) { 1.3 } else { 0.5 };
        let turns = (f64::from(index) / 2.0 + turn) / f64::from(number);
        let angle = std::f64::consts::TAU * turns;
        let (x, y) = (x + radius * angle.sin(), y - radius * angle.cos());
        format!("{} {}", place(x), place(y))
    };
    let corners: Vec<String> = (0..2 * number).map(corner).collect();
    format!("M{}z", corners.join("L"))
}

/// A colour as attributes of a group whose parts are drawn with it.
pub fn attributes(ink: Ink) -> String {
    match ink {
        Ink::First => r#" class="ink first""#.to_owned(),
        Ink::Second => r#" class="ink second""#.to_owned(),
        other => format!(
            r#" class="ink" style="--alpha-light:{};--alpha-dark:{}""#,
            other.colour(Theme::Light),
            other.colour(Theme::Dark)
        ),
    }
}

/// The estimated width of text at the drawing's size.
fn width_of(text: &str) -> f64 {
    text.chars().count() as f64 * 7.0
}

/// The legend of the series that are listed, from (`left`, `top`) on, in rows no wider than `width`, and how many rows it
/// has.
pub fn legend(series: &[Series], left: f64, top: f64, width: f64) -> (String, usize) {
    const ROW: f64 = 18.0;
    let (mut x, mut rows, mut text) = (0.0, 0, String::new());
    for series in series.iter().filter(|series| series.listed) {
        let own = width_of(&series.name) + 28.0;
        rows = rows.max(1);
        if x > 0.0 && x + own > width {
            x = 0.0;
            rows += 1;
        }
        let y = top + (rows as f64 - 0.5) * ROW;
        text += &format!(
            r#"<g{}><path d="{}"/></g><text x="{}" y="{}">{}</text>"#,
            attributes(series.ink),
            path(series.shape, left + x + 6.0, y, 4.5),
            place(left + x + 15.0),
            place(y + 4.5),
            escape(&series.name)
        );
        x += own;
    }
    (text, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::Kind;

    /// Broken by: a sign of alpha that only a colour shows, or a legend wider than the drawing.
    #[test]
    fn signs_have_shapes_and_legends_wrap() {
        assert_eq!(
            [-0.1, 0.0, 0.1].map(Shape::of_alpha),
            [Shape::Down, Shape::Circle, Shape::Up]
        );
        let entry = |name: &str| Series::new(Kind::Points, name, Ink::Alpha(1.0), vec![]);
        let unlisted = entry("c").unlisted();
        let entries = [entry("α +1"), unlisted, entry("α <b>")];
        let (text, rows) = legend(&entries, 0.0, 0.0, 60.0);
        assert_eq!(rows, 2);
        assert!(text.contains("α &lt;b&gt;") && !text.contains("<b>"));
    }
}
