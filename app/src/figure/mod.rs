//! Figures: what each asks, its units and n, the drawing, downloads, and the data as a table.
//!
//! A figure is a file here with two functions of the same data: `plot`, what plotly draws, and
//! `table`, the numbers behind it. [`Figure`] is the frame they all share.

pub mod accuracy_selectivity;
pub mod alpha_selectivity;
pub mod claim;
pub mod comparison;
#[cfg(feature = "hydrate")]
mod draw;
pub mod evidence;
pub mod layer_profile;
pub mod lines;
pub mod look;
pub mod measures;
pub mod run_attacks;
pub mod run_corruptions;
pub mod run_curves;
pub mod run_dimensionality;
pub mod run_gradients;
pub mod run_layers;
pub mod run_selectivity_training;
pub mod run_severity;
pub mod run_units;
pub mod slope_map;
pub mod table;
pub mod training_curves;
pub mod unit_gradients;
pub mod unit_perturbed;
pub mod unit_training;
pub mod unit_tuning;

use leptos::html::Div;
use leptos::prelude::*;
use plotly::Plot;

use crate::theme::{Theme, current_theme};
use table::{DataTable, Table};

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
    /// Units and n, in a sentence.
    subtitle: Signal<String>,
    /// What to say while there is nothing to draw.
    waiting: &'static str,
    /// The numbers. Nothing is drawn while it has no rows.
    table: Signal<Table>,
    /// What plotly draws. Runs in the browser only, again whenever a signal it reads changes.
    plot: impl Fn(Theme) -> Plot + Send + Sync + 'static,
    /// What the figure can be changed by.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let drawing = NodeRef::<Div>::new();
    let failed = RwSignal::new(false);
    let empty = Memo::new(move |_| table.with(|table| table.rows.is_empty()));
    draw_live(drawing, empty, failed, plot);
    let download = move |format: &'static str| download(drawing, table, format, id);
    let title_id = format!("{id}-title");
    let labelled_by = title_id.clone();
    view! {
        <figure id=id class="figure" aria-labelledby=labelled_by>
            <figcaption>
                <div>
                    <h2 id=title_id>{question}</h2>
                    <p class="subtitle">{subtitle}</p>
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
            <DataTable table caption=question />
        </figure>
    }
    .into_any()
}

/// Draws now, and again whenever the theme or the data change.
#[cfg(feature = "hydrate")]
fn draw_live(
    drawing: NodeRef<Div>,
    empty: Memo<bool>,
    failed: RwSignal<bool>,
    plot: impl Fn(Theme) -> Plot + Send + Sync + 'static,
) {
    let theme = current_theme();
    Effect::new(move |_| {
        let (Some(div), false) = (drawing.get(), empty.get()) else {
            return;
        };
        let plot = plot(theme.get());
        leptos::task::spawn_local(async move {
            let drawn = draw::draw(&div, &plot).await;
            // The page may be left before plotly.js has come.
            failed.try_set(!drawn);
        });
    });
    on_cleanup(move || {
        if let Some(Some(div)) = drawing.try_get_untracked() {
            draw::forget(&div);
        }
    });
}

#[cfg(not(feature = "hydrate"))]
fn draw_live(
    _drawing: NodeRef<Div>,
    _empty: Memo<bool>,
    _failed: RwSignal<bool>,
    _plot: impl Fn(Theme) -> Plot + Send + Sync + 'static,
) {
    let _ = current_theme;
}

#[cfg(feature = "hydrate")]
fn download(drawing: NodeRef<Div>, table: Signal<Table>, format: &'static str, name: &'static str) {
    if format == "csv" {
        let text = table.with_untracked(Table::csv);
        if draw::download_text(&text, &format!("{name}.csv")).is_err() {
            leptos::logging::warn!("{name}.csv could not be downloaded");
        }
    } else if let Some(div) = drawing.get_untracked() {
        leptos::task::spawn_local(async move {
            if !draw::download(&div, format, name).await {
                leptos::logging::warn!("{name}.{format} could not be downloaded");
            }
        });
    }
}

#[cfg(not(feature = "hydrate"))]
fn download(
    _drawing: NodeRef<Div>,
    _table: Signal<Table>,
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
