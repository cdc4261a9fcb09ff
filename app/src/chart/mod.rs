//! The one model of every figure, and its renderers.
//!
//! A figure is a function from an answer of the API to a [`Chart`]: axes, series or cells, a note with n and conditions, and
//! the numbers as a table. Nothing in it knows a colour of a theme or how it is drawn. Its renderers are [`plotly`] for the
//! pages, [`svg`] for the report and the presentation, which must do without a script, and [`table`] for readers and CSV.

mod axis;
#[cfg(feature = "hydrate")]
mod browser;
mod cells;
mod figure;
mod ink;
pub mod plotly;
mod series;
pub mod svg;
pub mod table;
#[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
mod zoom;

pub use axis::Axis;
pub use cells::{CellRow, CellScale, Cells, MapCell};
pub use figure::Figure;
pub use ink::Ink;
pub use series::{Dash, Hover, Kind, Place, Point, Series, Shape};
pub use table::{Cell, Table};
pub use zoom::{ZoomReset, provide_zoom};

/// Where plotly.js is served. The version is the plotly crate's: browsers keep the file for good, so
/// another file needs another address.
pub const PLOTLY_JS: &str = "/pkg/plotly.min.js?v=0.14.1";

/// Everything that a figure shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chart {
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn against the axes, from back to front.
    pub series: Vec<Series>,
    /// Numbers in a grid of two categories, instead of series.
    pub cells: Option<Cells>,
    /// Values of the horizontal axis at which a line is drawn from bottom to top, such as no effect.
    pub verticals: Vec<f64>,
    /// What is drawn, and n, in a line.
    pub note: String,
    /// Under which conditions it was measured, and how means and intervals are made, in sentences.
    pub how: String,
    /// Whether an interval is drawn shorter than it is, because values beyond the bounds of its axis are impossible.
    pub cut: bool,
    /// The numbers. Nothing is drawn while it has no rows.
    pub table: Table,
}

/// Said where [`Chart::cut`] holds.
const CUT: &str = "Intervals are clipped to the range of possible values (t intervals over few seeds can exceed it); the table \
    has their ends.";

impl Chart {
    /// A chart with nothing in it yet.
    pub fn new(x: Axis, y: Axis) -> Chart {
        Chart {
            x,
            y,
            ..Chart::default()
        }
    }

    /// A grid with a column for each of `severities`.
    pub fn by_severity(severities: &[u8], rows: Vec<CellRow>, scale: CellScale) -> Chart {
        let columns = severities.iter().map(u8::to_string);
        Chart {
            cells: Some(Cells {
                columns: columns.map(Place::Name).collect(),
                rows,
                scale,
            }),
            ..Chart::new(Axis::numbers("Severity"), Axis::default())
        }
    }

    /// With these series in front of the others.
    pub fn with(mut self, series: impl IntoIterator<Item = Series>) -> Chart {
        for mut series in series {
            for point in &mut series.points {
                for (axis, interval) in [
                    (&self.x, &mut point.x_interval),
                    (&self.y, &mut point.y_interval),
                ] {
                    if let Some(ends) = interval {
                        let (visible, cut) = axis.cut(*ends);
                        *ends = visible;
                        self.cut |= cut;
                    }
                }
            }
            self.series.push(series);
        }
        self
    }

    /// How it was computed, and whether intervals are cut; empty where its note says all.
    pub fn method(&self) -> String {
        let cut = if self.cut { CUT } else { "" };
        sentences(&[&self.how, cut])
    }

    /// Its note and how it was computed, where nothing can be folded.
    pub fn caption(&self) -> String {
        sentences(&[&self.note, &self.method()])
    }

    /// Whether it shows single runs, which can be selected.
    pub fn has_runs(&self) -> bool {
        let mut points = self.series.iter().flat_map(|series| &series.points);
        points.any(|point| point.run.is_some())
    }

    /// With this note.
    pub fn note(self, note: impl Into<String>) -> Chart {
        Chart {
            note: note.into(),
            ..self
        }
    }

    /// With this on how it was computed.
    pub fn how(self, how: impl Into<String>) -> Chart {
        Chart {
            how: how.into(),
            ..self
        }
    }

    /// With more after its note.
    pub fn and_note(mut self, more: &str) -> Chart {
        self.note += more;
        self
    }

    /// With these numbers.
    pub fn table(self, table: impl Into<Table>) -> Chart {
        Chart {
            table: table.into(),
            ..self
        }
    }
}

/// Those of `parts` that are not empty, joined.
fn sentences(parts: &[&str]) -> String {
    let there = parts.iter().copied().filter(|part| !part.is_empty());
    there.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: an accuracy above 100 % or below 0 that is drawn, or cut without a word; or a word where nothing is cut.
    #[test]
    fn intervals_end_where_values_do() {
        let chart = |interval| {
            let point = Point::new(1.0, 0.9).within(Some(interval));
            let series = Series::new(Kind::Points, "", Ink::First, vec![point]);
            Chart::new(Axis::numbers("Alpha"), Axis::percent("Accuracy (%)"))
                .note("n.")
                .with([series])
        };
        let cut = chart([-0.2, 1.7]);
        assert_eq!(cut.series[0].points[0].y_interval, Some([0.0, 1.0]));
        assert!(
            cut.caption()
                .starts_with("n. Intervals are clipped to the range")
        );
        let whole = chart([0.8, 1.0]);
        assert_eq!(whole.series[0].points[0].y_interval, Some([0.8, 1.0]));
        assert_eq!(whole.caption(), "n.");
    }

    /// Broken by: a new plotly crate under the old address, of which browsers would keep the old file.
    #[test]
    fn the_address_of_plotly_has_the_crates_version() {
        let lock = include_str!("../../../Cargo.lock");
        let (_, after) = lock.split_once("name = \"plotly\"\nversion = \"").unwrap();
        let (version, _) = after.split_once('"').unwrap();
        assert!(PLOTLY_JS.ends_with(&format!("?v={version}")));
    }
}
