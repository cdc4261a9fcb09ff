//! What was asked of an experiment, and its downloads.

use leptos::prelude::*;
use protocol::api::Experiment;

use crate::components::{AlphaChips, evaluation_facts, training_facts};
use crate::format;

/// Configuration and exports of an experiment.
#[component]
pub fn Setup(
    /// The experiment.
    experiment: RwSignal<Experiment>,
) -> impl IntoView {
    let Experiment {
        id,
        spec,
        created_at,
        ..
    } = experiment.get_untracked();
    let seeds = spec
        .seeds
        .iter()
        .map(u64::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let export = move |file: &str| format!("/api/v1/experiments/{id}/export.{file}");
    view! {
        <section aria-labelledby="setup-title">
            <h2 id="setup-title">"Set-up"</h2>
            <dl class="facts">
                <div><dt>"Network"</dt><dd>{spec.network.label()}</dd></div>
                <div><dt>"Data set"</dt><dd>{spec.dataset.label()}</dd></div>
                <div><dt>"Device"</dt><dd><code>{spec.device.clone()}</code></dd></div>
                <div><dt>"Alpha"</dt><dd><AlphaChips alphas=spec.alphas.clone() /></dd></div>
                <div><dt>"Seeds"</dt><dd>{seeds}</dd></div>
                <div><dt>"Created"</dt><dd>{format::timestamp(created_at)}</dd></div>
                {training_facts(&spec.training)}
                {evaluation_facts(&spec.evaluation)}
            </dl>
            <p class="exports">
                "Download: "
                <a href=export("csv?table=runs") download="" rel="external">"runs (CSV)"</a>", "
                <a href=export("csv?table=epochs") download="" rel="external">"epochs (CSV)"</a>", "
                <a href=export("csv?table=units") download="" rel="external">"units (CSV)"</a>", "
                <a href=export("csv?table=corruptions") download="" rel="external">"corruptions (CSV)"</a>", "
                <a href=export("csv?table=attacks") download="" rel="external">"attacks (CSV)"</a>", "
                <a href=export("csv?table=dimensionality") download="" rel="external">"dimensionality (CSV)"</a>", "
                <a href=export("csv?table=input_unit_gradients") download="" rel="external">"input-unit gradients (CSV)"</a>", "
                <a href=export("json") download="" rel="external">"everything (JSON)"</a>
            </p>
        </section>
    }
    .into_any()
}
