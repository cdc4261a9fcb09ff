//! An experiment's configuration, further tests, and its downloads.

use leptos::prelude::*;
use protocol::api::Experiment;
use protocol::export::ExportTable;

use super::{PageSignals, import, measures, more_runs, submissions};
use crate::format;
use crate::ui::{AlphaChips, Exports, evaluation_words, fact_entries, training_facts};

/// The tab.
#[component]
pub fn SetUp(
    /// What the page shows.
    now: PageSignals,
    /// Called when runs were queued or imported.
    after: Callback<()>,
) -> impl IntoView {
    let (id, slurm) = now
        .experiment
        .with_untracked(|experiment| (experiment.id, experiment.spec.executor.slurm().is_some()));
    view! {
        <Spec now />
        {slurm.then(|| view! { <submissions::Submissions id /> })}
        <section aria-labelledby="more-title">
            <h2 id="more-title">"More runs and measurements"</h2>
            <more_runs::AddRuns now after />
            <measures::Again now after />
            <import::ImportWeights now after />
        </section>
    }
    .into_any()
}

/// Configuration and exports of an experiment.
#[component]
fn Spec(
    /// What the page shows.
    now: PageSignals,
) -> impl IntoView {
    let Experiment {
        id,
        spec,
        created_at,
        ..
    } = now.experiment.get_untracked();
    let at_launch = spec.evaluation;
    let tests = Memo::new(move |_| now.runs.with(|runs| evaluation_words(&at_launch, runs)));
    let seeds = spec
        .seeds
        .iter()
        .map(u64::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    view! {
        <section aria-labelledby="setup-title">
            <h2 id="setup-title">"Set-up"</h2>
            <dl class="facts">
                <div><dt>"Network"</dt><dd>{spec.network.label()}</dd></div>
                <div><dt>"Data set"</dt><dd>{spec.dataset.label()}</dd></div>
                <div><dt>"Runs on"</dt><dd>{spec.executor.kind().label()}", "<code>{spec.device.clone()}</code></dd></div>
                <div><dt>"Alpha"</dt><dd><AlphaChips alphas=spec.alphas.clone() /></dd></div>
                <div><dt>"Seeds"</dt><dd>{seeds}</dd></div>
                <div><dt>"Created"</dt><dd>{format::timestamp(created_at)}</dd></div>
                {training_facts(&spec.training)}
                {move || fact_entries(tests.get())}
            </dl>
            <Exports tables=ExportTable::ALL.to_vec() address=move |format, table| format.of_experiment(id, table)>
                <li><span>"everything"</span>" "<a href=format!("/api/v1/experiments/{id}/export.json") download="" rel="external">"JSON"</a></li>
                <li>
                    <span>"archive for another store"</span>
                    " "<a href=format!("/api/v1/experiments/{id}/archive") download="" rel="external" aria-label="Archive with numbers only">"numbers"</a>
                    " "<a href=format!("/api/v1/experiments/{id}/archive?files=weights") download="" rel="external" aria-label="Archive with weights">"with weights"</a>
                    " "<a href=format!("/api/v1/experiments/{id}/archive?files=everything") download="" rel="external" aria-label="Archive with every file">"with every file"</a>
                </li>
            </Exports>
        </section>
    }
    .into_any()
}
