//! A figure's numbers as a table: for readers, screen readers and spreadsheets.

use leptos::prelude::*;

use crate::format;

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
    /// `value`, or an empty cell.
    pub fn optional(value: Option<f64>) -> Cell {
        value.map_or(Cell::Empty, Cell::Number)
    }

    /// As a person reads it.
    fn shown(&self) -> String {
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

/// A figure's numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// Column headings, with units where there are any.
    pub columns: Vec<String>,
    /// Rows, one cell a column.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with headings and no rows yet.
    pub fn new(columns: &[&str]) -> Table {
        Table {
            columns: columns.iter().map(|&name| name.to_owned()).collect(),
            rows: Vec::new(),
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

/// Rows a page shows at most; more would weigh the page down, and are in the CSV.
const SHOWN_ROWS: usize = 200;

/// The table in a fold below its figure.
#[component]
pub fn DataTable(
    /// The numbers.
    table: Signal<Table>,
    /// What they are, for screen readers.
    caption: &'static str,
) -> impl IntoView {
    let heading = move || {
        table.with(|table| {
            table
                .columns
                .iter()
                .map(|name| view! { <th scope="col">{name.clone()}</th> })
                .collect_view()
        })
    };
    let rows = move || {
        table.with(|table| {
            table
                .rows
                .iter()
                .take(SHOWN_ROWS)
                .map(|row| {
                    let cells = row
                        .iter()
                        .map(|cell| {
                            let number = !matches!(cell, Cell::Text(_));
                            view! { <td class:number=number>{cell.shown()}</td> }
                        })
                        .collect_view();
                    view! { <tr>{cells}</tr> }
                })
                .collect_view()
        })
    };
    let rest = move || {
        let all = table.with(|table| table.rows.len());
        (all > SHOWN_ROWS).then(|| {
            let all = format::count(all as u64);
            view! { <p class="hint">{format!("The first {SHOWN_ROWS} of {all} rows; the CSV has all.")}</p> }
        })
    };
    view! {
        <details>
            <summary>"Data as a table"</summary>
            <div class="scroll" tabindex="0" role="region" aria-label=caption>
                <table class="data">
                    <caption class="sr-only">{caption}</caption>
                    <thead><tr>{heading}</tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            {rest}
        </details>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: a class name with a comma that shifts the columns, rounding in the export, or an
    /// empty cell that becomes a 0.
    #[test]
    fn csv_quotes_what_must_be_quoted_and_keeps_numbers_exact() {
        let mut table = Table::new(&["class", "share", "n"]);
        table.rows.push(vec![
            Cell::Text("a \"b\", c".into()),
            Cell::Number(0.1 + 0.2),
            Cell::Empty,
        ]);
        assert_eq!(
            table.csv(),
            "class,share,n\r\n\"a \"\"b\"\", c\",0.30000000000000004,\r\n"
        );
    }
}
