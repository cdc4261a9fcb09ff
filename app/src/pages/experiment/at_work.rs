//! What runs where: the runs at work.

use leptos::prelude::*;
use leptos_router::components::A;
use protocol::event::Progress;
use protocol::work::share_done;
use protocol::{Run, RunState};

use super::PageSignals;
use crate::data::run_state::activity;
use crate::format;
use crate::signals::last_found;
use crate::ui::{AlphaChip, Column, Grid, ProgressBar};

/// One row per run at work, and the number that wait.
#[component]
pub fn AtWork(now: PageSignals) -> impl IntoView {
    let ids = Memo::new(move |_| {
        now.runs.with(|runs| {
            let running = runs.iter().filter(|run| run.state == RunState::Running);
            running.map(|run| run.id).collect::<Vec<_>>()
        })
    });
    let waiting = move || {
        let queued = |runs: &Vec<Run>| {
            let queued = runs.iter().filter(|run| run.state == RunState::Queued);
            queued.count() as u64
        };
        match now.runs.with(queued) {
            0 => String::new(),
            queued => format!(
                "{} for a free slot.",
                format::plural(queued, "run is waiting", "runs are waiting")
            ),
        }
    };
    view! {
        <section aria-labelledby="at-work-title">
            <h2 id="at-work-title">"In progress"</h2>
            <Grid id="at-work" label="Runs in progress" hidden=move || ids.with(Vec::is_empty) columns=vec![
                Column::words("Run"), Column::words("Alpha"), Column::number("Seed"), Column::words("Device"), Column::words("Activity"),
                Column::words("Progress"), Column::number("Time left"),
            ]>
                <For each=move || ids.get() key=|id| *id children=move |id| view! { <Row now id /> } />
            </Grid>
            <p class="hint">{waiting}</p>
        </section>
    }
    .into_any()
}

/// A run.
#[component]
fn Row(now: PageSignals, id: i64) -> impl IntoView {
    let run = last_found(move || {
        let find = |runs: &Vec<Run>| runs.iter().find(|run| run.id == id).cloned();
        now.runs.with(find)
    })?;
    let spec = run.with_untracked(|run| run.spec.clone());
    let text = move |write: fn(&Run) -> String| move || run.with(write);
    let place = text(|run| match &run.started {
        Some(started) => format!("{} ({})", run.spec.device, started.device),
        None => run.spec.device.clone(),
    });
    let left = text(|run| {
        let left = |progress: &Progress| progress.remaining_seconds;
        let left = run.progress.as_ref().and_then(left);
        left.map_or_else(
            || "–".to_owned(),
            |seconds| format!("about {}", format::duration(seconds)),
        )
    });
    let share = Signal::derive(move || run.with(share_done));
    Some(view! {
        <tr data-at-work=id>
            <th scope="row"><A href=format!("/runs/{id}")>{id}</A></th>
            <td><AlphaChip alpha=spec.alpha /></td>
            <td class="number">{spec.seed}</td>
            <td>{place}</td>
            <td>{text(activity)}</td>
            <td><ProgressBar share label="Progress of the run" /></td>
            <td class="number">{left}</td>
        </tr>
    })
}
