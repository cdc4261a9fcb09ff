//! The frame of a drawing: axes with ticks and titles, and where a value is.

use super::escape::escape;
use super::marks::{Entry, legend, place};
use super::ticks::ticks;

/// The size of a drawing, in its own units; the style sheet scales it.
pub const WIDTH: f64 = 480.0;
/// See [`WIDTH`].
pub const HEIGHT: f64 = 320.0;

/// What an axis measures.
#[derive(Debug, Clone, PartialEq)]
pub enum Along {
    /// Numbers within a range.
    Numbers([f64; 2]),
    /// Evenly spaced places with names.
    Places(Vec<String>),
}

impl Along {
    /// Where `value` is, 0 to 1 from the axis' beginning; of places, the place's index.
    fn share(&self, value: f64) -> f64 {
        match self {
            Along::Numbers([low, high]) => (value - low) / (high - low),
            Along::Places(places) => (value + 0.5) / places.len().max(1) as f64,
        }
    }

    /// Values with what stands there.
    fn marks(&self) -> Vec<(f64, String)> {
        match self {
            Along::Numbers(range) => ticks(*range),
            Along::Places(places) => {
                let places = places.iter().enumerate();
                places.map(|(at, name)| (at as f64, name.clone())).collect()
            }
        }
    }
}

/// An axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Title with its unit; `<br>` breaks its line, as in plotly.
    pub title: String,
    /// What it measures.
    pub along: Along,
}

/// Axes around an area to draw in.
#[derive(Debug, Clone)]
pub struct Frame {
    x: Axis,
    y: Axis,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// The legend, drawn.
    legend: String,
}

/// Names of places longer than this stand at a slant.
const LONG: usize = 6;

impl Frame {
    /// A frame with its legend above.
    pub fn new(x: Axis, y: Axis, entries: &[Entry]) -> Frame {
        let lines = |title: &str| title.split("<br>").count() as f64;
        let left = 44.0 + 15.0 * lines(&y.title);
        let right = WIDTH - 10.0;
        let (legend, rows) = legend(entries, left, 2.0, right - left);
        let slanted = match &x.along {
            Along::Places(names) => names.iter().map(|name| name.chars().count()).max(),
            Along::Numbers(_) => None,
        };
        let names = match slanted {
            Some(longest) if longest > LONG => (longest as f64 * 4.4).min(110.0),
            _ => 16.0,
        };
        Frame {
            left,
            right,
            top: 10.0 + 18.0 * rows as f64,
            bottom: HEIGHT - 10.0 - names - 16.0 * lines(&x.title),
            x,
            y,
            legend,
        }
    }

    /// Where a value is, across.
    pub fn x(&self, value: f64) -> f64 {
        self.left + (self.right - self.left) * self.x.along.share(value)
    }

    /// Where a value is, down.
    pub fn y(&self, value: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * self.y.along.share(value)
    }

    /// A horizontal and a vertical interval through (x, y), with caps; what has no interval has no bar.
    pub fn bars(&self, x: f64, y: f64, across: Option<[f64; 2]>, down: Option<[f64; 2]>) -> String {
        let (at_x, at_y) = (self.x(x), self.y(y));
        let mut path = String::new();
        if let Some([low, high]) = across {
            let [low, high] = [low, high].map(|end| self.x(end));
            path += &format!(
                "M{low} {y}H{high}M{low} {top}v6M{high} {top}v6",
                low = place(low),
                high = place(high),
                y = place(at_y),
                top = place(at_y - 3.0)
            );
        }
        if let Some([low, high]) = down {
            let [low, high] = [low, high].map(|end| self.y(end));
            path += &format!(
                "M{x} {low}V{high}M{left} {low}h6M{left} {high}h6",
                low = place(low),
                high = place(high),
                x = place(at_x),
                left = place(at_x - 3.0)
            );
        }
        if path.is_empty() {
            path
        } else {
            format!(r#"<path class="bar" d="{path}"/>"#)
        }
    }

    /// The drawing: frame, axes, legend, and `inside`, in front of them.
    pub fn finish(&self, title: &str, inside: &str) -> String {
        let (left, right, top, bottom) = (self.left, self.right, self.top, self.bottom);
        let mut text = String::new();
        let slanted = matches!(&self.x.along, Along::Places(names) if names.iter().any(|name| name.chars().count() > LONG));
        // Of many long names every second one is room enough for.
        let x_marks = self.x.along.marks();
        let every = if slanted { 1 + x_marks.len() / 21 } else { 1 };
        for (at, name) in x_marks.iter().step_by(every) {
            let x = self.x(*at);
            let turned = if slanted {
                format!(
                    r#" text-anchor="end" transform="rotate(-35 {} {})""#,
                    place(x),
                    place(bottom + 14.0)
                )
            } else {
                r#" text-anchor="middle""#.to_owned()
            };
            text += &format!(
                r#"<path class="grid" d="M{x} {}V{}"/><text class="tick" x="{x}" y="{}"{turned}>{}</text>"#,
                place(top),
                place(bottom),
                place(bottom + 15.0),
                escape(name),
                x = place(x),
            );
        }
        for (at, name) in self.y.along.marks() {
            let y = self.y(at);
            text += &format!(
                r#"<path class="grid" d="M{} {y}H{}"/><text class="tick" x="{}" y="{}" text-anchor="end">{}</text>"#,
                place(left),
                place(right),
                place(left - 5.0),
                place(y + 4.0),
                escape(&name),
                y = place(y),
            );
        }
        text += &format!(
            r#"<path class="axis" d="M{l} {t}V{b}H{r}"/>"#,
            l = place(left),
            t = place(top),
            b = place(bottom),
            r = place(right)
        );
        let x_lines: Vec<&str> = self.x.title.split("<br>").collect();
        for (line, words) in x_lines.iter().enumerate() {
            let y = HEIGHT - 8.0 - 16.0 * (x_lines.len() - 1 - line) as f64;
            text += &format!(
                r#"<text x="{}" y="{}" text-anchor="middle">{}</text>"#,
                place((left + right) / 2.0),
                place(y),
                escape(words)
            );
        }
        for (line, words) in self.y.title.split("<br>").enumerate() {
            let (x, y) = (13.0 + 15.0 * line as f64, (top + bottom) / 2.0);
            text += &format!(
                r#"<text transform="translate({} {}) rotate(-90)" text-anchor="middle">{}</text>"#,
                place(x),
                place(y),
                escape(words)
            );
        }
        text += &self.legend;
        text += inside;
        svg(title, [WIDTH, HEIGHT], &text)
    }
}

/// The element around a drawing of this width and height.
pub fn svg(title: &str, [width, height]: [f64; 2], inside: &str) -> String {
    let title = escape(title);
    format!(
        r#"<svg class="drawing" viewBox="0 0 {} {}" role="img" aria-label="{title}" xmlns="http://www.w3.org/2000/svg"><title>{title}</title>{inside}</svg>"#,
        place(width),
        place(height)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        let axis = |title: &str, range| Axis {
            title: title.into(),
            along: Along::Numbers(range),
        };
        Frame::new(axis("x", [0.0, 1.0]), axis("y <&> z", [0.0, 10.0]), &[])
    }

    /// Broken by: an axis upside down, values outside the area, or a title that is markup.
    #[test]
    fn values_are_inside_and_up_is_more() {
        let frame = frame();
        assert!(frame.y(10.0) < frame.y(0.0) && frame.x(0.0) < frame.x(1.0));
        assert!(frame.x(1.0) <= WIDTH && frame.y(0.0) <= HEIGHT && frame.y(10.0) >= 0.0);
        let text = frame.finish("a \"title\"", "");
        assert!(text.contains("y &lt;&amp;&gt; z"));
        assert!(text.contains("aria-label=\"a &quot;title&quot;\""));
        assert!(text.starts_with("<svg") && text.ends_with("</svg>"));
    }

    /// Broken by: a bar where there is no interval.
    #[test]
    fn what_has_no_interval_has_no_bar() {
        assert_eq!(frame().bars(0.5, 5.0, None, None), "");
        assert!(
            frame()
                .bars(0.5, 5.0, None, Some([4.0, 6.0]))
                .contains("class=\"bar\"")
        );
    }
}
