//! Numbers in a grid of two categories: a heat map with its numbers in its cells.

use super::Place;

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub struct MapCell {
    /// Its number, which gives it its colour.
    pub value: f64,
    /// Its text; empty where a key beside the map explains the colours.
    pub text: String,
    /// Its hover text.
    pub hover: String,
}

/// A row of cells.
#[derive(Debug, Clone, PartialEq)]
pub struct CellRow {
    /// Its name.
    pub label: String,
    /// Whether it stands out: a heading of those below it, or their mean.
    pub bold: bool,
    /// A cell for each column; absent where nothing was measured.
    pub cells: Vec<Option<MapCell>>,
}

/// What the colours of cells mean.
#[derive(Debug, Clone, PartialEq)]
pub enum CellScale {
    /// Shares from 0 to 1, the same in every figure, so that runs can be compared; with a key of this name where the cells
    /// have no text.
    Share(Option<&'static str>),
    /// From minus this number to plus this number; pale at 0.
    Signed(f64),
}

/// The grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Cells {
    /// The columns, from left to right.
    pub columns: Vec<Place>,
    /// The rows, from the top down.
    pub rows: Vec<CellRow>,
    /// What colours mean.
    pub scale: CellScale,
}
