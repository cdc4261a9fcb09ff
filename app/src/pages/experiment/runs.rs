//! The experiment's runs, live.

use leptos::prelude::*;
use leptos_router::components::A;
use protocol::Run;

use crate::components::{AlphaChip, ProgressBar, StateBadge};
use crate::format;
use crate::run_state::{activity, share_done};

/// The table of runs.
#[component]
pub fn Runs(runs: RwSignal<Vec<Run>>) -> impl IntoView {
    let ids = move || runs.with(|runs| runs.iter().map(|run| run.id).collect::<Vec<_>>());
    let row = move |id: i64| {
        let run = Memo::new(move |last: Option<&Option<Run>>| {
            let found = runs.with(|runs| runs.iter().find(|run| run.id == id).cloned());
            // A row that is about to go keeps what it showed.
            found.or_else(|| last.cloned().flatten())
        });
        view! { <Row run /> }
    };
    view! {
        <section aria-labelledby="runs-title">
            <h2 id="runs-title">"Runs"</h2>
            <div class="scroll" tabindex="0" role="region" aria-label="Runs">
                <table id="runs">
                    <thead>
                        <tr>
                            <th scope="col">"Run"</th>
                            <th scope="col">"Alpha"</th>
                            <th scope="col" class="number">"Seed"</th>
                            <th scope="col">"State"</th>
                            <th scope="col">"Progress"</th>
                            <th scope="col" class="number">"Validation accuracy"</th>
                            <th scope="col" class="number">"Test accuracy"</th>
                            <th scope="col" class="number">"Selectivity"</th>
                        </tr>
                    </thead>
                    <tbody><For each=ids key=|id| *id children=row /></tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn Row(run: Memo<Option<Run>>) -> impl IntoView {
    let first = run.get_untracked()?;
    let last = first.clone();
    let current = Signal::derive(move || run.get().unwrap_or_else(|| last.clone()));
    let state = Signal::derive(move || current.with(|run| run.state));
    let share = Signal::derive(move || current.with(share_done));
    let reason = move || current.with(|run| run.reason.clone());
    let validation = move || {
        current.with(|run| {
            run.latest_epoch.as_ref().map_or("–".to_owned(), |epoch| {
                format::percent(epoch.validation_accuracy)
            })
        })
    };
    let test = move || {
        current.with(|run| {
            run.result.as_ref().map_or("–".to_owned(), |result| {
                format::percent(result.test_accuracy)
            })
        })
    };
    // While there is no result: what was measured last, on the validation images, marked as such.
    let selectivity = move || {
        current.with(|run| match (&run.result, &run.latest_epoch) {
            (Some(result), _) => format!("{:.3}", result.selectivity),
            (None, Some(epoch)) => format!("{:.3} (validation)", epoch.selectivity),
            (None, None) => "–".to_owned(),
        })
    };
    Some(view! {
        <tr data-run=first.id>
            <th scope="row"><A href=format!("/runs/{}", first.id)>{first.id}</A></th>
            <td><AlphaChip alpha=first.spec.alpha /></td>
            <td class="number">{first.spec.seed}</td>
            <td><StateBadge state /><div class="hint">{reason}</div></td>
            <td class="wide"><ProgressBar share label="Share of the run done" /><div class="hint">{move || current.with(activity)}</div></td>
            <td class="number">{validation}</td>
            <td class="number">{test}</td>
            <td class="number">{selectivity}</td>
        </tr>
    })
}
