//! The one model of every figure, and what is made of it.
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

pub use axis::Axis;
pub use cells::{CellRow, CellScale, Cells, MapCell};
pub use figure::{Figure, PLOTLY_JS};
pub use ink::Ink;
pub use series::{Dash, Hover, Kind, Place, Point, Series, Shape};
pub use table::{Cell, Table};

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
    /// What is drawn, under which conditions, and n, in sentences.
    pub note: String,
    /// The numbers. Nothing is drawn while it has no rows.
    pub table: Table,
}

impl Chart {
    /// A chart with nothing in it yet.
    pub fn new(x: Axis, y: Axis) -> Chart {
        Chart {
            x,
            y,
            ..Chart::default()
        }
    }

    /// With these series in front of what is there.
    pub fn with(mut self, series: impl IntoIterator<Item = Series>) -> Chart {
        self.series.extend(series);
        self
    }

    /// With this note.
    pub fn note(self, note: impl Into<String>) -> Chart {
        Chart {
            note: note.into(),
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
