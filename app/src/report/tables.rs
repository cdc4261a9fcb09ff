//! Tables as HTML text.

use crate::chart::svg::escape::escape;

/// A column: its heading, and whether numbers are in it.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    name: &'static str,
    number: bool,
}

impl Column {
    /// A column of words.
    pub fn words(name: &'static str) -> Column {
        Column {
            name,
            number: false,
        }
    }

    /// A column of numbers.
    pub fn number(name: &'static str) -> Column {
        Column { name, number: true }
    }

    fn class(self) -> &'static str {
        if self.number { " class=\"number\"" } else { "" }
    }
}

/// A table of these cells, which are escaped here.
pub fn table(columns: &[Column], rows: &[Vec<String>]) -> String {
    let heading: String = columns
        .iter()
        .map(|column| {
            format!(
                "<th scope=\"col\"{}>{}</th>",
                column.class(),
                escape(column.name)
            )
        })
        .collect();
    let rows: String = rows
        .iter()
        .map(|row| {
            let cells: String = columns
                .iter()
                .zip(row)
                .map(|(column, cell)| format!("<td{}>{}</td>", column.class(), escape(cell)))
                .collect();
            format!("<tr>{cells}</tr>")
        })
        .collect();
    format!(
        "<div class=\"scroll\"><table><thead><tr>{heading}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
}
