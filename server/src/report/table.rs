//! Tables as HTML text.

use app::chart::svg::escape::escape;
use app::ui::Column;

/// The class of the heading and the cells of `column`.
fn class(column: &Column) -> &'static str {
    match column.number {
        true => " class=\"number\"",
        false => "",
    }
}

/// A table of these cells, which are escaped here.
pub fn table(columns: &[Column], rows: &[Vec<String>]) -> String {
    let heading: String = columns
        .iter()
        .map(|column| {
            format!(
                "<th scope=\"col\"{}>{}</th>",
                class(column),
                escape(&column.heading)
            )
        })
        .collect();
    let rows: String = rows
        .iter()
        .map(|row| {
            let cells: String = columns
                .iter()
                .zip(row)
                .map(|(column, cell)| format!("<td{}>{}</td>", class(column), escape(cell)))
                .collect();
            format!("<tr>{cells}</tr>")
        })
        .collect();
    format!(
        "<div class=\"scroll\"><table><thead><tr>{heading}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
}
