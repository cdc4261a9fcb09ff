//! Points against the axes of a chart, and how they look.

use protocol::api::Mean;
use serde::Serialize;

use super::Ink;

/// A value along an axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Place {
    /// A measured number.
    Number(f64),
    /// A whole number, such as an epoch.
    Whole(u32),
    /// One of the axis' named places.
    Name(String),
    /// Not measured: a gap.
    Missing,
}

impl From<f64> for Place {
    fn from(value: f64) -> Place {
        Place::Number(value)
    }
}

impl From<f32> for Place {
    fn from(value: f32) -> Place {
        Place::Number(value.into())
    }
}

impl From<u32> for Place {
    fn from(value: u32) -> Place {
        Place::Whole(value)
    }
}

impl From<u8> for Place {
    fn from(value: u8) -> Place {
        Place::Whole(value.into())
    }
}

impl From<&String> for Place {
    fn from(name: &String) -> Place {
        Place::Name(name.clone())
    }
}

impl<T: Into<Place>> From<Option<T>> for Place {
    fn from(value: Option<T>) -> Place {
        value.map_or(Place::Missing, Into::into)
    }
}

/// A point: where it is, its intervals, and its hover text.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Along the horizontal axis.
    pub x: Place,
    /// Along the vertical axis.
    pub y: Place,
    /// The ends of the interval along the horizontal axis.
    pub x_interval: Option<[f64; 2]>,
    /// The ends of the interval along the vertical axis.
    pub y_interval: Option<[f64; 2]>,
    /// Its hover text; `<br>` breaks a line.
    pub hover: String,
    /// The run that it shows, if it shows one: a click opens it, and it can be selected.
    pub run: Option<i64>,
}

impl Point {
    /// A point without intervals.
    pub fn new(x: impl Into<Place>, y: impl Into<Place>) -> Point {
        Point {
            x: x.into(),
            y: y.into(),
            x_interval: None,
            y_interval: None,
            hover: String::new(),
            run: None,
        }
    }

    /// With its run.
    pub fn of_run(self, run: i64) -> Point {
        Point {
            run: Some(run),
            ..self
        }
    }

    /// A mean with its interval, above `x`.
    pub fn mean(x: impl Into<Place>, mean: &Mean) -> Point {
        Point::new(x, mean.mean).within(mean.interval)
    }

    /// Two means with their intervals.
    pub fn means(x: &Mean, y: &Mean) -> Point {
        Point {
            x_interval: x.interval,
            ..Point::mean(x.mean, y)
        }
    }

    /// With an interval along the vertical axis.
    pub fn within(self, y_interval: Option<[f64; 2]>) -> Point {
        Point { y_interval, ..self }
    }

    /// With its hover text.
    pub fn says(self, hover: String) -> Point {
        Point { hover, ..self }
    }
}

/// The shape of a mark. The sign of alpha has a shape as well as a colour.
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
    /// A plus.
    Cross,
    /// A cross at a slant.
    X,
    /// An attack among corruptions.
    Star,
}

impl Shape {
    /// Down below 0, up above, a circle at 0.
    pub fn of_alpha(alpha: f64) -> Shape {
        if alpha < 0.0 {
            Shape::Down
        } else if alpha > 0.0 {
            Shape::Up
        } else {
            Shape::Circle
        }
    }
}

/// How a line is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dash {
    /// Not at all.
    Solid,
    /// Dashes.
    Dash,
    /// Dots.
    Dot,
    /// Dashes and dots.
    DashDot,
    /// Long dashes.
    LongDash,
    /// Long dashes and dots.
    LongDashDot,
}

impl Dash {
    /// Every dash, to tell the lines of a list apart.
    pub const ALL: [Dash; 6] = [
        Dash::Solid,
        Dash::Dash,
        Dash::Dot,
        Dash::DashDot,
        Dash::LongDash,
        Dash::LongDashDot,
    ];
}

/// What is drawn of a series' points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A mark each, with its intervals.
    Points,
    /// A line through them; a mark where there is one point only.
    Line,
    /// A line with a mark at each point, with its intervals.
    Curve,
    /// The area between the ends of their intervals, this opaque (0 to 1).
    Band(f64),
    /// A bar each, with its interval; hatched or not.
    Bars {
        /// The second of two series also differs by its hatching.
        hatched: bool,
    },
    /// Median, quartiles and whiskers of all values at a place.
    Boxes {
        /// Whether the mean is drawn too.
        mean: bool,
    },
    /// Counts of their horizontal values in at most this many equal bins.
    Histogram(usize),
}

/// The text shown when a point is hovered over.
#[derive(Debug, Clone, PartialEq)]
pub enum Hover {
    /// What the point says.
    Point,
    /// Its values, after this text.
    Values(String),
    /// Nothing.
    Silent,
}

/// Points of one kind, look and name.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What is drawn.
    pub kind: Kind,
    /// The name in the legend.
    pub name: String,
    /// Whether it is listed there.
    pub listed: bool,
    /// Series of one group are shown and hidden together.
    pub group: Option<String>,
    /// The points.
    pub points: Vec<Point>,
    /// Their hover text.
    pub hover: Hover,
    /// Colour.
    pub ink: Ink,
    /// The shape of marks.
    pub shape: Shape,
    /// Whether marks are outlines.
    pub open: bool,
    /// The width of a mark, in pixels.
    pub size: f64,
    /// How opaque marks are, 0 to 1.
    pub opacity: f64,
    /// The width of the line, in pixels.
    pub width: f64,
    /// How the line is broken.
    pub dash: Dash,
}

impl Series {
    /// Points of a kind; the sign of an alpha gives them their shape.
    pub fn new(kind: Kind, name: impl Into<String>, ink: Ink, points: Vec<Point>) -> Series {
        let shape = match ink {
            Ink::Alpha(alpha) => Shape::of_alpha(alpha),
            _ => Shape::Circle,
        };
        let hover = if points.iter().any(|point| !point.hover.is_empty()) {
            Hover::Point
        } else {
            Hover::Values(String::new())
        };
        Series {
            kind,
            name: name.into(),
            listed: true,
            group: None,
            points,
            hover,
            ink,
            shape,
            open: false,
            size: 7.0,
            opacity: 1.0,
            width: 1.6,
            dash: Dash::Solid,
        }
    }

    /// As [`Series::new`], for one alpha, whose series are shown and hidden together.
    pub fn of_alpha(kind: Kind, alpha: f64, points: Vec<Point>) -> Series {
        Series {
            group: Some(alpha.to_string()),
            ..Series::new(
                kind,
                format!("α {}", crate::format::alpha(alpha)),
                Ink::Alpha(alpha),
                points,
            )
        }
    }

    /// Not in the legend.
    pub fn unlisted(self) -> Series {
        Series {
            listed: false,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: a marker whose shape does not follow the sign, so that only colour shows it.
    #[test]
    fn the_sign_of_alpha_has_a_shape() {
        let shapes = [-0.05, 0.0, 0.05].map(|alpha| {
            let series = Series::of_alpha(Kind::Points, alpha, vec![]);
            series.shape
        });
        assert_eq!(shapes, [Shape::Down, Shape::Circle, Shape::Up]);
    }
}
