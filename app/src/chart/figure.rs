//! The frame of a figure on a page: what it asks, its note, the drawing, downloads, and the data as a table.

use leptos::html::Div;
use leptos::prelude::*;

use super::Chart;
#[cfg(feature = "hydrate")]
use super::browser;
use super::table::DataTable;
use crate::theme::current_theme;

/// Where plotly.js is served. The version is the plotly crate's: browsers keep the file for good, so
/// another file needs another address.
pub const PLOTLY_JS: &str = "/pkg/plotly.min.js?v=0.14.1";

/// The frame of a figure. It is drawn in the browser; the server renders its words and its table.
#[component]
pub fn Figure(
    /// The element's id, and the stem of its downloads' names.
    id: &'static str,
    /// What the figure answers, as a question.
    question: &'static str,
    /// What to say while there is nothing to draw.
    waiting: &'static str,
    /// What is shown. Made anew whenever a signal it reads changes.
    chart: impl Fn() -> Chart + Send + Sync + 'static,
    /// What the figure can be changed by.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let drawing = NodeRef::<Div>::new();
    let failed = RwSignal::new(false);
    let chart = Memo::new(move |_| chart());
    let empty = Memo::new(move |_| chart.with(|chart| chart.table.rows.is_empty()));
    draw_live(drawing, empty, failed, chart);
    let download = move |format: &'static str| download(drawing, chart, format, id);
    let title_id = format!("{id}-title");
    let labelled_by = title_id.clone();
    view! {
        <figure id=id class="figure" aria-labelledby=labelled_by>
            <figcaption>
                <div>
                    <h2 id=title_id>{question}</h2>
                    <p class="subtitle">{move || chart.with(Chart::caption)}</p>
                </div>
                <div class="downloads" role="group" aria-label="Download the figure">
                    <button type="button" class="quiet" disabled=empty on:click=move |_| download("svg")>"SVG"</button>
                    <button type="button" class="quiet" disabled=empty on:click=move |_| download("png")>"PNG"</button>
                    <button type="button" class="quiet" disabled=empty on:click=move |_| download("csv")>"CSV"</button>
                </div>
            </figcaption>
            {children.map(|children| children())}
            <p class="waiting" hidden=move || !empty.get()>{waiting}</p>
            <p class="problem" role="alert" hidden=move || !failed.get()>
                "The figure could not be drawn; its numbers are in the table. Reload the page to try again."
            </p>
            <div class="plot" node_ref=drawing role="img" aria-label=question hidden=move || empty.get()></div>
            <DataTable chart caption=question />
        </figure>
    }
    .into_any()
}

/// Draws now, and again whenever the theme or the data change.
#[cfg(feature = "hydrate")]
fn draw_live(drawing: NodeRef<Div>, empty: Memo<bool>, failed: RwSignal<bool>, chart: Memo<Chart>) {
    let theme = current_theme();
    Effect::new(move |_| {
        let (Some(div), false) = (drawing.get(), empty.get()) else {
            return;
        };
        let figure = chart.with(|chart| super::plotly::figure(chart, theme.get()));
        leptos::task::spawn_local(async move {
            let drawn = browser::draw(&div, &figure).await;
            // The page may be left before plotly.js has come.
            failed.try_set(!drawn);
        });
    });
    on_cleanup(move || {
        if let Some(Some(div)) = drawing.try_get_untracked() {
            browser::forget(&div);
        }
    });
}

#[cfg(not(feature = "hydrate"))]
fn draw_live(
    _drawing: NodeRef<Div>,
    _empty: Memo<bool>,
    _failed: RwSignal<bool>,
    _chart: Memo<Chart>,
) {
    let _ = current_theme;
}

#[cfg(feature = "hydrate")]
fn download(drawing: NodeRef<Div>, chart: Memo<Chart>, format: &'static str, name: &'static str) {
    if format == "csv" {
        let text = chart.with_untracked(|chart| chart.table.csv());
        if browser::download_text(&text, &format!("{name}.csv")).is_err() {
            leptos::logging::warn!("{name}.csv could not be downloaded");
        }
    } else if let Some(div) = drawing.get_untracked() {
        leptos::task::spawn_local(async move {
            if !browser::download(&div, format, name).await {
                leptos::logging::warn!("{name}.{format} could not be downloaded");
            }
        });
    }
}

#[cfg(not(feature = "hydrate"))]
fn download(
    _drawing: NodeRef<Div>,
    _chart: Memo<Chart>,
    _format: &'static str,
    _name: &'static str,
) {
}

#[cfg(test)]
mod tests {
    /// Broken by: a new plotly crate under the old address, of which browsers would keep the old file.
    #[test]
    fn the_address_of_plotly_has_the_crates_version() {
        let lock = include_str!("../../../Cargo.lock");
        let (_, after) = lock.split_once("name = \"plotly\"\nversion = \"").unwrap();
        let (version, _) = after.split_once('"').unwrap();
        assert!(super::PLOTLY_JS.ends_with(&format!("?v={version}")));
    }
}
