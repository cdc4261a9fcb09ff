//! Links to the exported tables of everything measured.

use leptos::prelude::*;
use protocol::export::{ExportFormat, ExportTable};

/// Downloads: each table in every format, and further entries.
#[component]
pub fn Exports(
    /// The tables.
    tables: Vec<ExportTable>,
    /// Where a table is.
    address: impl Fn(ExportFormat, ExportTable) -> String + 'static,
    /// Further entries of the list.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let entry = |table: ExportTable| {
        let link = |format: ExportFormat| {
            let label = format!("{} as {}", table.label(), format.label());
            view! { " " <a href=address(format, table) download="" rel="external" aria-label=label>{format.label()}</a> }
        };
        view! { <li><span>{table.label()}</span>{ExportFormat::ALL.map(link).collect_view()}</li> }
    };
    let entries = tables.into_iter().map(entry).collect_view();
    view! {
        <h3>"Download"</h3>
        <ul class="exports">{entries}{children.map(|children| children())}</ul>
    }
    .into_any()
}
