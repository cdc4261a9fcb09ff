//! The experiment's figures.

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::query_signal_with_options;

use super::Now;
use super::measures::{MeasuresFigure, Selection, VIEWS, View};
use crate::chart::Figure;
use crate::figures::training_curves::Quantity;
use crate::figures::{accuracy_selectivity, alpha_selectivity, layer_profile, training_curves};
use crate::format;

/// The figures, side by side where there is room.
#[component]
pub fn Figures(now: Now, selections: [Memo<Selection>; VIEWS]) -> impl IntoView {
    let Now {
        runs,
        metrics,
        summary,
        ..
    } = now;
    let measures = move |index: usize| {
        let (view, selection, scatter) = (View::ALL[index], selections[index], now.scatters[index]);
        view! { <MeasuresFigure now view selection scatter /> }
    };
    let points = Memo::new(move |_| runs.with(|runs| accuracy_selectivity::points(runs)));
    let (chosen, choose) = query_signal_with_options::<String>(
        "quantity",
        NavigateOptions {
            replace: true,
            scroll: false,
            ..Default::default()
        },
    );
    let quantity = Memo::new(move |_| {
        let chosen = chosen.get();
        chosen
            .and_then(|id| Quantity::from_id(&id))
            .unwrap_or(Quantity::Selectivity)
    });
    let interval = move || summary.with(|summary| summary.interval_method.clone());
    let test_set = move || {
        let images = runs.with(|runs| {
            runs.iter()
                .find_map(|run| run.result.as_ref().map(|result| result.test_images))
        });
        images.map_or_else(String::new, |images| {
            format!(" on {} test images", format::count(images.into()))
        })
    };
    let finished = move || {
        let all = runs.with(Vec::len);
        format!("n = {} of {all} runs finished", points.with(Vec::len))
    };
    let options = move || {
        Quantity::ALL
            .into_iter()
            .map(|entry| {
                view! { <option value=entry.id() selected=move || quantity.get() == entry>{entry.label()}</option> }
            })
            .collect_view()
    };
    let waiting = "No run is finished yet: this is measured at the best epoch of finished runs.";
    let layers_n = move || {
        // Of the runs: imported ones have seeds of their own.
        let seeds = runs.with(|runs| {
            let seeds = runs.iter().map(|run| run.spec.seed);
            seeds.collect::<std::collections::BTreeSet<_>>().len()
        });
        summary.with(|summary| {
            let n = summary.alphas.iter().map(|entry| entry.selectivity.n);
            let (least, most) = (n.clone().min().unwrap_or(0), n.max().unwrap_or(0));
            if least == most {
                format!("n = {most} of {seeds} seeds for each alpha")
            } else {
                format!("n = {least} to {most} of {seeds} seeds for each alpha")
            }
        })
    };
    view! {
        <div class="figures">
            {measures(0)}
            <Figure
                id="figure-accuracy-selectivity"
                question="Does selectivity cost accuracy?"
                waiting
                chart=move || {
                    let chart = points.with(|points| summary.with(|summary| accuracy_selectivity::chart(points, summary)));
                    chart.note(format!("A point a run, a diamond the mean of an alpha{}; {}. Bars: 95 % intervals, from 2 seeds on.", test_set(), finished()))
                }
            />
            <Figure
                id="figure-alpha-selectivity"
                question="What did alpha do to selectivity?"
                waiting
                chart=move || {
                    let chart = points.with(|points| summary.with(|summary| alpha_selectivity::chart(points, summary)));
                    chart.note(format!("Network selectivity, 0 to 1{}; large marks are means over seeds, small ones runs; {}. Bars: 95 % intervals, from 2 seeds on.", test_set(), layers_n()))
                }
            />
            {measures(1)}
            {measures(2)}
            <Figure
                id="figure-training"
                question="How did training go?"
                waiting="No epoch has ended yet."
                chart=move || metrics.with(|runs| training_curves::chart(runs, quantity.get()))
            >
                <p class="control">
                    <label for="quantity">"Quantity"</label>
                    <select id="quantity" prop:value=move || quantity.get().id() on:change=move |event| choose.set(Some(event_target_value(&event)))>{options}</select>
                </p>
            </Figure>
            <Figure
                id="figure-layers"
                question="Where in the network is selectivity?"
                waiting
                chart=move || {
                    let chart = summary.with(layer_profile::of_selectivity);
                    chart.note(format!("Mean selectivity of a layer's units, 0 to 1{}; {}. Bands: 95 % intervals.", test_set(), layers_n()))
                }
            />
        </div>
        <p class="hint">"Intervals: "{interval}"."</p>
    }
    .into_any()
}
