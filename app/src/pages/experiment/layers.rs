//! What alpha does to each layer: its selectivity, its dimensionality, its gradients, and whether that explains robustness.

use std::collections::BTreeSet;

use leptos::prelude::*;

use super::conditions::Conditions;
use super::geometry::Geometry;
use super::view::View;
use super::{PageSignals, Selections};
use crate::chart::Figure;
use crate::figures::{accuracy_selectivity, alpha_selectivity, layer_profile, words};
use crate::ui::Contents;

/// Said while nothing is trained.
const WAITING: &str =
    "No run is trained yet. This is measured at the best epoch of each trained run.";

/// The tab.
#[component]
pub fn Layers(now: PageSignals, selections: Selections) -> impl IntoView {
    let points = Memo::new(move |_| now.runs.with(|runs| accuracy_selectivity::points(runs)));
    let seeds = move || {
        // From the runs: imported ones have their own seeds.
        let all = now.runs.with(|runs| {
            let seeds = runs.iter().map(|run| run.spec.seed);
            seeds.collect::<BTreeSet<_>>().len()
        });
        now.summary.with(|summary| {
            let alphas = summary.iter().flat_map(|summary| &summary.alphas);
            let n = words::counted(alphas.map(|entry| entry.selectivity.n), "seed", "seeds");
            format!("n = {n} (of {all}) for each alpha")
        })
    };
    let alpha = move || {
        let chart = now.summary.with(|summary| {
            let summary = summary.as_ref()?;
            Some(points.with(|points| alpha_selectivity::chart(points, summary)))
        });
        chart
            .unwrap_or_default()
            .note(format!(
                "Large marks are means over seeds, small marks are runs; {}.",
                seeds()
            ))
            .how(now.measured("Bars"))
    };
    let layers = move || {
        let chart = now
            .summary
            .with(|summary| summary.as_ref().map(layer_profile::of_selectivity));
        chart
            .unwrap_or_default()
            .note(format!(
                "Means over a layer’s units and over seeds; {}.",
                seeds()
            ))
            .how(now.measured("Bands"))
    };
    view! {
        <Conditions now />
        <Contents parts=vec![
            ("figure-alpha-selectivity", "Alpha and selectivity"),
            ("figure-layers", "Selectivity by layer"),
            ("figure-layer-profiles", "Geometry by layer"),
            (View::Geometry.id(), "Selectivity and dimensionality"),
            (View::Gradients.id(), "Selectivity and gradients"),
            (View::GeometryRobustness.id(), "Geometry and robustness"),
        ] />
        <div class="figures">
            <Figure id="figure-alpha-selectivity" question="What did alpha do to selectivity?" waiting=WAITING chart=alpha />
            <Figure id="figure-layers" question="Where in the network are units selective?" waiting=WAITING chart=layers />
        </div>
        <Geometry now selections />
    }
    .into_any()
}
