//! The frame of a figure on a page: its question, note, drawing, downloads, and the data as a table.

use leptos::html::Div;
use leptos::prelude::*;
#[cfg(feature = "hydrate")]
use leptos_router::hooks::use_navigate;

use super::Chart;
#[cfg(feature = "hydrate")]
use super::browser;
use super::table::DataTable;
use super::zoom::{Ranges, Zoomed, shared_zoom};
#[cfg(feature = "hydrate")]
use crate::data::selection::selected_runs;
use crate::ui::theme::current_theme;

/// The frame of a figure. It is drawn in the browser; the server renders its words and its table.
#[component]
pub fn Figure(
    /// The element's id, and the stem of its downloads' names.
    id: &'static str,
    /// What the figure answers, as a question.
    question: &'static str,
    /// What to say while there is nothing to draw.
    waiting: &'static str,
    /// The chart; made again whenever a signal that it reads changes.
    chart: impl Fn() -> Chart + Send + Sync + 'static,
    /// The figure's controls.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let drawing = NodeRef::<Div>::new();
    let failed = RwSignal::new(false);
    let chart = Memo::new(move |_| chart());
    let empty = Memo::new(move |_| chart.with(|chart| chart.table.rows.is_empty()));
    let method = Memo::new(move |_| chart.with(Chart::method));
    let brush = RwSignal::new(false);
    let zoom = shared_zoom();
    let ranges = Memo::new(move |_| chart.with(|chart| zoom.of(chart)));
    draw_live(drawing, empty, failed, chart, brush, ranges);
    let zoomed = move || ranges.get() != [None, None];
    let zoom_out = move |_| {
        chart.with_untracked(|chart| zoom.change(chart, [Some(Zoomed::Out); 2]));
    };
    let has_runs = Memo::new(move |_| chart.with(Chart::has_runs));
    let download = move |format: &'static str| download(drawing, chart, format, id);
    let title_id = format!("{id}-title");
    let labelled_by = title_id.clone();
    view! {
        <figure id=id class="figure" aria-labelledby=labelled_by>
            <figcaption>
                <div>
                    <h2 id=title_id>{question}</h2>
                    <p class="subtitle" hidden=empty>{move || chart.with(|chart| chart.note.clone())}</p>
                </div>
                <div class="downloads" role="group" aria-label="Select runs, zoom out, download" hidden=empty>
                    <button type="button" class="quiet" aria-pressed=move || brush.get().to_string() hidden=move || !has_runs.get() title="Drag over points to select their runs: they light up in every figure and table" on:click=move |_| brush.update(|brush| *brush = !*brush)>"Select"</button>
                    <button type="button" class="quiet" hidden=move || !zoomed() title="Show all values again, in every figure of this axis" on:click=zoom_out>"Whole range"</button>
                    <button type="button" class="quiet" on:click=move |_| download("svg")>"SVG"</button>
                    <button type="button" class="quiet" on:click=move |_| download("png")>"PNG"</button>
                    <button type="button" class="quiet" on:click=move |_| download("csv")>"CSV"</button>
                </div>
            </figcaption>
            {children.map(|children| children())}
            <p class="waiting" hidden=move || !empty.get()>{waiting}</p>
            <p class="problem" role="alert" hidden=move || !failed.get()>
                "The figure could not be drawn; its numbers are in the table. Reload the page to try again."
            </p>
            <div class="plot" node_ref=drawing role="img" aria-label=question hidden=move || empty.get()></div>
            <details class="how" hidden=move || empty.get() || method.with(String::is_empty)>
                <summary>"How this was computed"</summary>
                <p class="hint">{method}</p>
            </details>
            <div hidden=empty><DataTable chart caption=question /></div>
        </figure>
    }
    .into_any()
}

/// How far below the visible part of the page a figure is already drawn.
#[cfg(feature = "hydrate")]
const AHEAD: &str = "600px";

/// Draws once the reader comes near, and again whenever the theme or the data change.
#[cfg(feature = "hydrate")]
fn draw_live(
    drawing: NodeRef<Div>,
    empty: Memo<bool>,
    failed: RwSignal<bool>,
    chart: Memo<Chart>,
    brush: RwSignal<bool>,
    ranges: Memo<Ranges>,
) {
    use leptos_use::{UseIntersectionObserverOptions, use_intersection_observer_with_options};

    let theme = current_theme();
    let selected = selected_runs();
    let zoom = shared_zoom();
    let navigate = use_navigate();
    let handlers = StoredValue::new_local(browser::Handlers::new(
        move |run| match brush.try_get_untracked() {
            Some(true) => selected.toggle(run),
            Some(false) => navigate(&format!("/runs/{run}"), Default::default()),
            None => {}
        },
        move |runs| selected.set(runs),
        move |zoomed| {
            // The page may have been left.
            chart.try_with_untracked(|chart| zoom.change(chart, zoomed));
        },
    ));
    let listening = StoredValue::new(false);
    let near = RwSignal::new(false);
    use_intersection_observer_with_options(
        drawing,
        move |entries, _| {
            if entries.iter().any(|entry| entry.is_intersecting()) && !near.get_untracked() {
                near.set(true);
            }
        },
        UseIntersectionObserverOptions::default().root_margin(AHEAD),
    );
    Effect::new(move |_| {
        let (Some(div), false, true) = (drawing.get(), empty.get(), near.get()) else {
            return;
        };
        let figure = chart.with(|chart| {
            let draw = |selected: &_| {
                let ranges = ranges.get();
                super::plotly::figure_with(chart, theme.get(), selected, brush.get(), ranges)
            };
            selected.with(draw)
        });
        leptos::task::spawn_local(async move {
            let drawn = browser::draw(&div, &figure).await;
            // The page may be left before plotly.js has come.
            failed.try_set(!drawn);
            if drawn && listening.try_get_value() == Some(false) {
                handlers.try_with_value(|handlers| handlers.listen(&div));
                listening.try_set_value(true);
            }
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
    _brush: RwSignal<bool>,
    _ranges: Memo<Ranges>,
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
