//! The frame of a drawing: axes with ticks and titles, and where a value is.

use super::escape::escape;
use super::marks::{legend, place};
use super::ticks::ticks;
use crate::chart::{Axis, Place, Point, Series};

/// The size of a drawing, in its own units; the style sheet scales it.
pub const WIDTH: f64 = 480.0;
/// See [`WIDTH`].
pub const HEIGHT: f64 = 320.0;
/// The width of a drawing of rows, and the part for their names.
const ROWS_WIDTH: f64 = 720.0;
const NAMES: f64 = 330.0;
/// The height of a row.
const ROW: f64 = 24.0;
/// Letters of a row's name that fit.
const LETTERS: usize = 46;

/// An axis with the range that it shows, in the axis' unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AxisRange<'a> {
    axis: &'a Axis,
    range: [f64; 2],
}

impl<'a> AxisRange<'a> {
    /// An axis of places, or of numbers within `range`; none for numbers without a range.
    pub fn new(axis: &'a Axis, range: Option<[f64; 2]>) -> Option<AxisRange<'a>> {
        let numbers = axis.range.or(range);
        let range = match &axis.places {
            Some(places) => [-0.5, places.len() as f64 - 0.5],
            None => numbers?.map(|end| end * axis.factor),
        };
        Some(AxisRange { axis, range })
    }

    /// Where a value is, 0 to 1 from the axis' beginning; none where it has no place.
    fn share(&self, value: &Place) -> Option<f64> {
        let value = match (value, &self.axis.places) {
            (Place::Number(number), _) => number * self.axis.factor,
            (Place::Whole(number), _) => f64::from(*number),
            (Place::Name(name), Some(places)) => {
                places.iter().position(|place| place == name)? as f64
            }
            _ => return None,
        };
        let [low, high] = self.range;
        Some((value - low) / (high - low))
    }

    /// Ticks: their place, 0 to 1, and their label.
    fn marks(&self) -> Vec<(f64, String)> {
        let marks = match &self.axis.places {
            None => ticks(self.range),
            Some(places) => {
                let places = places.iter().enumerate();
                places.map(|(at, name)| (at as f64, name.clone())).collect()
            }
        };
        let [low, high] = self.range;
        let share = |(at, name): (f64, String)| ((at - low) / (high - low), name);
        marks.into_iter().map(share).collect()
    }

    fn title(&self) -> Vec<&str> {
        self.axis.title.split("<br>").collect()
    }
}

/// Axes around an area to draw in.
#[derive(Debug, Clone)]
pub struct Frame<'a> {
    x: AxisRange<'a>,
    y: AxisRange<'a>,
    size: [f64; 2],
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// Whether names of places across stand at a slant.
    slanted: bool,
    /// The legend, drawn.
    legend: String,
}

/// Names of places longer than this stand at a slant.
const LONG: usize = 6;

impl<'a> Frame<'a> {
    /// A frame with the legend of `series` above.
    pub fn new(x: AxisRange<'a>, y: AxisRange<'a>, series: &[Series]) -> Frame<'a> {
        let rows = y.axis.places.as_ref().filter(|_| y.axis.rows);
        let left = match rows {
            Some(_) => NAMES,
            None => 44.0 + 15.0 * y.title().len() as f64,
        };
        let width = if rows.is_some() { ROWS_WIDTH } else { WIDTH };
        let right = width - if rows.is_some() { 12.0 } else { 10.0 };
        let (legend, legend_rows) = legend(series, left, 2.0, right - left);
        let above = if rows.is_some() { 6.0 } else { 10.0 };
        let top = above + 18.0 * legend_rows as f64;
        let names = x.axis.places.iter().flatten();
        let longest = names.map(|name| name.chars().count()).max().unwrap_or(0);
        let slanted = longest > LONG;
        let names = match slanted {
            true => (longest as f64 * 4.4).min(110.0),
            false => 16.0,
        };
        let below = 10.0 + names + 16.0 * x.title().len() as f64;
        let height = rows.map_or(HEIGHT, |rows| top + rows.len() as f64 * ROW + below);
        Frame {
            x,
            y,
            size: [width, height],
            left,
            right,
            top,
            bottom: height - below,
            slanted,
            legend,
        }
    }

    fn x(&self, share: f64) -> f64 {
        self.left + (self.right - self.left) * share
    }

    /// Rows go down, everything else up.
    fn y(&self, share: f64) -> f64 {
        match self.y.axis.rows {
            true => self.top + (self.bottom - self.top) * share,
            false => self.bottom - (self.bottom - self.top) * share,
        }
    }

    /// Where a point is, across and down; none where it has no place.
    pub fn at(&self, point: &Point) -> Option<(f64, f64)> {
        let (x, y) = (self.x.share(&point.x)?, self.y.share(&point.y)?);
        Some((self.x(x), self.y(y)))
    }

    /// A point's horizontal and vertical interval, with caps; no bar without an interval.
    pub fn bars(&self, point: &Point) -> String {
        let Some((at_x, at_y)) = self.at(point) else {
            return String::new();
        };
        let ends = |along: &AxisRange, interval: Option<[f64; 2]>| {
            interval.map(|ends| ends.map(|end| along.share(&Place::Number(end)).unwrap_or(0.0)))
        };
        let mut path = String::new();
        if let Some(ends) = ends(&self.x, point.x_interval) {
            let [low, high] = ends.map(|end| self.x(end));
            path += &format!(
                "M{low} {y}H{high}M{low} {top}v6M{high} {top}v6",
                low = place(low),
                high = place(high),
                y = place(at_y),
                top = place(at_y - 3.0)
            );
        }
        if let Some(ends) = ends(&self.y, point.y_interval) {
            let [low, high] = ends.map(|end| self.y(end));
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

    /// A line from top to bottom at a value of the horizontal axis.
    pub fn vertical(&self, at: f64) -> String {
        let at = self.x.share(&Place::Number(at)).unwrap_or(0.0);
        format!(
            r#"<path class="zero" d="M{} {}V{}"/>"#,
            place(self.x(at)),
            place(self.top),
            place(self.bottom)
        )
    }

    /// The drawing: frame, axes, legend, and `inside`, in front of them.
    pub fn finish(&self, title: &str, inside: &str) -> String {
        let text = self.ticks_across() + &self.ticks_down() + &self.titles() + &self.legend;
        svg(title, self.size, &(text + inside))
    }

    fn ticks_across(&self) -> String {
        let (top, bottom) = (self.top, self.bottom);
        // With many long names, only every second one fits.
        let marks = self.x.marks();
        let every = if self.slanted {
            1 + marks.len() / 21
        } else {
            1
        };
        let tick = |(at, name): &(f64, String)| {
            let x = place(self.x(*at));
            let turned = if self.slanted {
                format!(
                    r#" text-anchor="end" transform="rotate(-35 {x} {})""#,
                    place(bottom + 14.0)
                )
            } else {
                r#" text-anchor="middle""#.to_owned()
            };
            format!(
                r#"<path class="grid" d="M{x} {}V{}"/><text class="tick" x="{x}" y="{}"{turned}>{}</text>"#,
                place(top),
                place(bottom),
                place(bottom + 15.0),
                escape(name),
            )
        };
        marks.iter().step_by(every).map(tick).collect()
    }

    fn ticks_down(&self) -> String {
        let tick = |(at, name): (f64, String)| {
            let y = self.y(at);
            let (class, line) = match self.y.axis.rows {
                true => ("", String::new()),
                false => (
                    r#" class="tick""#,
                    format!(
                        r#"<path class="grid" d="M{} {y}H{}"/>"#,
                        place(self.left),
                        place(self.right),
                        y = place(y),
                    ),
                ),
            };
            format!(
                r#"{line}<text{class} x="{}" y="{}" text-anchor="end">{}</text>"#,
                place(self.left - 6.0),
                place(y + 4.0),
                escape(&shortened(&name, LETTERS)),
            )
        };
        self.y.marks().into_iter().map(tick).collect()
    }

    fn titles(&self) -> String {
        let (left, right, top, bottom) = (self.left, self.right, self.top, self.bottom);
        let axis = match self.y.axis.rows {
            true => String::new(),
            false => format!(
                r#"<path class="axis" d="M{l} {t}V{b}H{r}"/>"#,
                l = place(left),
                t = place(top),
                b = place(bottom),
                r = place(right)
            ),
        };
        let lines = self.x.title();
        let below = lines.len();
        let across = lines.into_iter().enumerate().map(|(line, words)| {
            let y = self.size[1] - 8.0 - 16.0 * (below - 1 - line) as f64;
            format!(
                r#"<text x="{}" y="{}" text-anchor="middle">{}</text>"#,
                place((left + right) / 2.0),
                place(y),
                escape(words)
            )
        });
        let lines = self.y.title().into_iter().enumerate();
        let down = lines.filter(|_| !self.y.axis.rows).map(|(line, words)| {
            let (x, y) = (13.0 + 15.0 * line as f64, (top + bottom) / 2.0);
            format!(
                r#"<text transform="translate({} {}) rotate(-90)" text-anchor="middle">{}</text>"#,
                place(x),
                place(y),
                escape(words)
            )
        });
        axis + &across.chain(down).collect::<String>()
    }
}

/// `text`, cut to `most` letters with an ellipsis.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let first: String = text.chars().take(most - 1).collect();
    format!("{}…", first.trim_end())
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

    fn on_frame<T>(use_frame: impl Fn(&Frame) -> T) -> T {
        let (x, y) = (Axis::numbers("x"), Axis::numbers("y <&> z"));
        let x = AxisRange::new(&x, Some([0.0, 1.0])).unwrap();
        let y = AxisRange::new(&y, Some([0.0, 10.0])).unwrap();
        use_frame(&Frame::new(x, y, &[]))
    }

    /// Broken by: an axis upside down, values outside the area, or a title that is markup.
    #[test]
    fn values_are_inside_and_up_is_more() {
        on_frame(|frame| {
            let at = |x: f64, y: f64| frame.at(&Point::new(x, y)).unwrap();
            let (low, high) = (at(0.0, 0.0), at(1.0, 10.0));
            assert!(high.1 < low.1 && low.0 < high.0);
            assert!(high.0 <= WIDTH && low.1 <= HEIGHT && high.1 >= 0.0);
            let text = frame.finish("a \"title\"", "");
            assert!(text.contains("y &lt;&amp;&gt; z"));
            assert!(text.contains("aria-label=\"a &quot;title&quot;\""));
            assert!(text.starts_with("<svg") && text.ends_with("</svg>"));
        });
    }

    /// Broken by: a bar where there is no interval.
    #[test]
    fn what_has_no_interval_has_no_bar() {
        let point = Point::new(0.5, 5.0);
        assert_eq!(on_frame(|frame| frame.bars(&point)), "");
        let point = point.within(Some([4.0, 6.0]));
        assert!(on_frame(|frame| frame.bars(&point)).contains("class=\"bar\""));
    }

    /// Broken by: rows from the bottom up, or a name that runs out of the drawing.
    #[test]
    fn rows_go_down_and_their_names_are_cut() {
        let (x, y) = (Axis::numbers("x"), Axis::rows(vec!["a".into(), "b".into()]));
        let x = AxisRange::new(&x, Some([0.0, 1.0])).unwrap();
        let frame = Frame::new(x, AxisRange::new(&y, None).unwrap(), &[]);
        let down = |row: u32| frame.at(&Point::new(0.5, row)).unwrap().1;
        assert!(down(0) < down(1) && down(1) < frame.size[1]);
        assert_eq!(shortened("abc def", 5), "abc…");
    }
}
