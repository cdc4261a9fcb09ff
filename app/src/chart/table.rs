//! A figure's numbers as a table: for readers, screen readers and spreadsheets.

use leptos::prelude::*;

use super::Chart;
use crate::format;
use crate::ui::{Column, Grid};

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A measured number; shown with four decimals, exported in full.
    Number(f64),
    /// A count or an index.
    Whole(u64),
    /// Alpha; shown with its sign.
    Alpha(f64),
    /// Nothing was measured.
    Empty,
}

impl Cell {
    /// As a person reads it.
    fn text(&self) -> String {
        match self {
            Cell::Text(text) => text.clone(),
            Cell::Number(number) => format::decimal(*number, 4),
            Cell::Whole(number) => number.to_string(),
            Cell::Alpha(alpha) => format::alpha(*alpha),
            Cell::Empty => "–".to_owned(),
        }
    }

    /// As a program reads it: the shortest decimal that reads back to the same number.
    fn exported(&self) -> String {
        match self {
            Cell::Text(text) if text.contains([',', '"', '\n', '\r']) => {
                format!("\"{}\"", text.replace('"', "\"\""))
            }
            Cell::Text(text) => text.clone(),
            Cell::Number(number) | Cell::Alpha(number) => number.to_string(),
            Cell::Whole(number) => number.to_string(),
            Cell::Empty => String::new(),
        }
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Cell {
        Cell::Number(number)
    }
}

impl From<f32> for Cell {
    fn from(number: f32) -> Cell {
        Cell::Number(number.into())
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Cell {
        Cell::Whole(number)
    }
}

impl From<u32> for Cell {
    fn from(number: u32) -> Cell {
        Cell::Whole(number.into())
    }
}

impl From<usize> for Cell {
    fn from(number: usize) -> Cell {
        Cell::Whole(number as u64)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text)
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Cell {
        Cell::from(if value { "yes" } else { "no" })
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::Empty, Into::into)
    }
}

/// A figure's numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// Column headings, with units where there are any.
    pub columns: Vec<String>,
    /// Rows, one cell a column.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with a row for each of `items`, whose columns follow.
    pub fn of<T>(items: impl IntoIterator<Item = T>) -> Columns<T> {
        let items: Vec<T> = items.into_iter().collect();
        Columns {
            table: Table {
                columns: Vec::new(),
                rows: vec![Vec::new(); items.len()],
            },
            items,
        }
    }

    /// The table as CSV (RFC 4180).
    pub fn csv(&self) -> String {
        let heading = self.columns.iter().cloned().map(Cell::Text).collect();
        let mut text = String::new();
        for row in std::iter::once(&heading).chain(&self.rows) {
            let cells: Vec<String> = row.iter().map(Cell::exported).collect();
            text += &cells.join(",");
            text += "\r\n";
        }
        text
    }
}

/// A table to which columns are being added.
#[derive(Debug, Clone)]
pub struct Columns<T> {
    items: Vec<T>,
    table: Table,
}

impl<T> Columns<T> {
    /// With a column: its heading, with a unit where there is one, and an item's cell in it.
    pub fn column<C: Into<Cell>>(
        mut self,
        heading: impl Into<String>,
        cell: impl Fn(&T) -> C,
    ) -> Columns<T> {
        self.table.columns.push(heading.into());
        for (row, item) in self.table.rows.iter_mut().zip(&self.items) {
            row.push(cell(item).into());
        }
        self
    }

    /// With two columns: the ends of an item's interval, called `name`.
    pub fn interval(self, name: &str, interval: impl Fn(&T) -> Option<[f64; 2]>) -> Columns<T> {
        self.column(format!("{name} from"), |item| {
            interval(item).map(|[low, _]| low)
        })
        .column(format!("{name} to"), |item| {
            interval(item).map(|[_, high]| high)
        })
    }
}

impl<T> From<Columns<T>> for Table {
    fn from(columns: Columns<T>) -> Table {
        columns.table
    }
}

/// The most rows that a page shows; more would slow it down, and are in the CSV.
const SHOWN_ROWS: usize = 200;

/// The table in a fold below its figure.
#[component]
pub fn DataTable(
    /// The chart of the numbers.
    chart: Memo<Chart>,
    /// What they are, for screen readers.
    caption: &'static str,
) -> impl IntoView {
    let columns = Signal::derive(move || {
        chart.with(|chart| {
            let columns = chart.table.columns.iter().cloned();
            columns.map(Column::words).collect::<Vec<_>>()
        })
    });
    let rows = move || {
        chart.with(|chart| {
            let table = &chart.table;
            table
                .rows
                .iter()
                .take(SHOWN_ROWS)
                .map(|row| {
                    let cells = row
                        .iter()
                        .map(|cell| {
                            let number = !matches!(cell, Cell::Text(_));
                            view! { <td class:number=number>{cell.text()}</td> }
                        })
                        .collect_view();
                    view! { <tr>{cells}</tr> }
                })
                .collect_view()
        })
    };
    let rest = move || {
        let all = chart.with(|chart| chart.table.rows.len());
        (all > SHOWN_ROWS).then(|| {
            let all = format::count(all as u64);
            view! { <p class="hint">{format!("The first {SHOWN_ROWS} of {all} rows are shown; the CSV has all of them.")}</p> }
        })
    };
    view! {
        <details>
            <summary>"Data as a table"</summary>
            <Grid class="data" label=caption caption columns>{rows}</Grid>
            {rest}
        </details>
    }
    .into_any()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Whether every row has a cell for each column.
    pub(crate) fn is_complete(table: &Table) -> bool {
        let mut rows = table.rows.iter();
        rows.all(|row| row.len() == table.columns.len())
    }

    /// Broken by: a class name with a comma that shifts the columns, rounding in the export, or an
    /// empty cell that becomes a 0.
    #[test]
    fn csv_quotes_what_must_be_quoted_and_keeps_numbers_exact() {
        let table: Table = Table::of([("a \"b\", c", 0.1 + 0.2)])
            .column("class", |item| item.0)
            .column("share", |item| item.1)
            .column("n", |_| None::<u64>)
            .into();
        assert_eq!(
            table.csv(),
            "class,share,n\r\n\"a \"\"b\"\", c\",0.30000000000000004,\r\n"
        );
    }
}
