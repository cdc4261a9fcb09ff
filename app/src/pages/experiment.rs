//! One experiment: its runs live, and what class selectivity did.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::{use_navigate, use_params_map};
use protocol::api::{ApiError, Experiment, ExperimentSummary, LiveEvent, RunMetrics};
use protocol::measure::Scatter;
use protocol::{Event, Run};
use serde::{Deserialize, Serialize};

use crate::api::{self, Method};
use crate::components::{CommandError, Confirm, Load, ProgressBar, StateBadge, use_command};
use crate::run_state::{apply, share_of_all_done};
use crate::{format, live};
use measures::Selection;

mod figures;
mod measures;
mod runs;
mod setup;

/// Everything that the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Data {
    experiment: Experiment,
    runs: Vec<Run>,
    metrics: Vec<RunMetrics>,
    summary: ExperimentSummary,
    /// Measures against each other, as the address selects them: one a [`measures::View`].
    scatters: [Scatter; 3],
}

async fn read(id: String, selections: [Selection; 3]) -> Result<Data, ApiError> {
    if id.parse::<i64>().is_err() {
        return Err(api::failure(format!(
            "`{id}` is not the number of an experiment"
        )));
    }
    let experiment = api::get(&format!("/experiments/{id}"));
    let runs = api::get(&format!("/experiments/{id}/runs"));
    let metrics = api::get(&format!("/experiments/{id}/metrics"));
    let summary = api::get(&format!("/experiments/{id}/summary"));
    let [trade_off, corruptions, attacks] = selections.map(|selection| selection.read(id.clone()));
    Ok(Data {
        experiment: experiment.await?,
        runs: runs.await?,
        metrics: metrics.await?,
        summary: summary.await?,
        scatters: [trade_off.await?, corruptions.await?, attacks.await?],
    })
}

/// What the page shows, as signals that live events change in place.
#[derive(Debug, Clone, Copy)]
struct Now {
    experiment: RwSignal<Experiment>,
    runs: RwSignal<Vec<Run>>,
    metrics: RwSignal<Vec<RunMetrics>>,
    summary: RwSignal<ExperimentSummary>,
    /// One a [`measures::View`].
    scatters: [RwSignal<Scatter>; 3],
}

impl Now {
    fn new(data: Data) -> Now {
        Now {
            experiment: RwSignal::new(data.experiment),
            runs: RwSignal::new(data.runs),
            metrics: RwSignal::new(data.metrics),
            summary: RwSignal::new(data.summary),
            scatters: data.scatters.map(RwSignal::new),
        }
    }

    /// Takes over what was read anew; figures whose data did not change are not drawn again.
    /// Measures only where they are `still_selected`.
    fn replace(self, data: Data, still_selected: [bool; 3]) {
        fn renew<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
            // The page may have been left while it was read.
            if signal.try_with_untracked(|old| *old != value) == Some(true) {
                signal.set(value);
            }
        }
        renew(self.experiment, data.experiment);
        renew(self.runs, data.runs);
        renew(self.metrics, data.metrics);
        renew(self.summary, data.summary);
        let answers = self.scatters.into_iter().zip(data.scatters);
        for ((signal, answer), still_selected) in answers.zip(still_selected) {
            if still_selected {
                renew(signal, answer);
            }
        }
    }

    fn apply(self, live: &LiveEvent) {
        self.runs.update(|runs| {
            if let Some(run) = runs.iter_mut().find(|run| run.id == live.run_id) {
                apply(run, &live.event);
            }
        });
        if let Event::Epoch(epoch) = &live.event {
            self.metrics.update(|metrics| {
                if let Some(run) = metrics.iter_mut().find(|run| run.run_id == live.run_id) {
                    // A resumed run says its earlier epochs again.
                    run.epochs.retain(|known| known.epoch != epoch.epoch);
                    run.epochs.push(epoch.clone());
                    run.epochs.sort_by_key(|known| known.epoch);
                }
            });
        }
    }
}

/// The page at `/experiments/:id`.
#[component]
pub fn ExperimentPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let selections = measures::use_selections();
    // Another selection is asked for by the figure alone, not by the whole page.
    let data = Resource::new(
        move || id.get(),
        move |id| read(id, selections.map(|one| one.get_untracked())),
    );
    view! { <Load resource=data render=|data| view! { <Report data /> } /> }.into_any()
}

#[component]
fn Report(data: Data) -> impl IntoView {
    let id = data.experiment.id;
    let now = Now::new(data);
    let selections = measures::use_selections();
    let reread = live::at_most_every(1_000.0, move || {
        leptos::task::spawn_local(async move {
            let current = || selections.map(|one| one.try_get_untracked());
            // The page may have been left.
            let [Some(trade_off), Some(corruptions), Some(attacks)] = current() else {
                return;
            };
            let selected = [trade_off, corruptions, attacks];
            // Without an answer the page keeps what it shows; the stream says it is down.
            if let Ok(data) = read(id.to_string(), selected).await {
                let now_selected = current();
                now.replace(
                    data,
                    [0, 1, 2].map(|view| now_selected[view] == Some(selected[view])),
                );
            }
        });
    });
    let on_gap = reread.clone();
    let after_command = reread.clone();
    let after_evaluation = reread.clone();
    let open = live::follow(
        format!("experiment={id}"),
        move |event| {
            now.apply(&event);
            // An epoch or a measurement moves the expected end; the end of a run moves the summary.
            if live::changes_state(&event.event)
                || matches!(event.event, Event::Epoch(_) | Event::Measured(_))
            {
                reread();
            }
        },
        on_gap,
    );
    let name = move || {
        now.experiment
            .with(|experiment| experiment.spec.name.clone())
    };
    view! {
        <Title text=name />
        <nav class="crumbs" aria-label="Breadcrumb"><A href="/experiments">"Experiments"</A>" / "<span>{id}</span></nav>
        <div class="heading">
            <h1>{name}</h1>
            <Actions now after=after_command />
        </div>
        <Status now open />
        <figures::Figures now selections />
        <measures::Again now after=after_evaluation />
        <runs::Runs runs=now.runs />
        <setup::Setup experiment=now.experiment />
    }
}

/// State, progress and expected end.
#[component]
fn Status(now: Now, open: Signal<bool>) -> impl IntoView {
    let state = Signal::derive(move || now.experiment.with(Experiment::state));
    let share = Signal::derive(move || now.runs.with(|runs| share_of_all_done(runs)));
    let remaining = move || {
        let remaining = now
            .experiment
            .with(|experiment| experiment.remaining_seconds);
        remaining.map(|seconds| format!("about {} left", format::duration(seconds)))
    };
    let counts = move || {
        now.experiment.with(|experiment| {
            experiment
                .runs
                .iter()
                .map(|entry| format!("{} {}", entry.count, entry.state.id()))
                .collect::<Vec<_>>()
                .join(", ")
        })
    };
    view! {
        <div class="status">
            <span role="status"><StateBadge state id="experiment-state" /></span>
            <ProgressBar share label="Share of the work done" id="progress" />
            <span>{remaining}</span>
            <span class="hint">"runs: "{counts}</span>
            <live::LiveMark open />
        </div>
    }
    .into_any()
}

/// What can be done with the experiment.
#[component]
fn Actions(now: Now, after: impl Fn() + Clone + Send + Sync + 'static) -> impl IntoView {
    let id = now.experiment.with_untracked(|experiment| experiment.id);
    let command = use_command();
    let any = move |holds: fn(protocol::RunState) -> bool| {
        Signal::derive(move || {
            now.experiment.with(|experiment| {
                experiment
                    .runs
                    .iter()
                    .any(|entry| entry.count > 0 && holds(entry.state))
            })
        })
    };
    let active = any(protocol::RunState::is_active);
    let resumable = any(protocol::RunState::is_resumable);
    let post = move |verb: &'static str| {
        let after = after.clone();
        move |_| {
            let after = after.clone();
            command.send::<Experiment>(
                Method::Post,
                format!("/experiments/{id}/{verb}"),
                None,
                move |experiment| {
                    now.experiment.try_set(experiment);
                    after();
                },
            );
        }
    };
    let navigate = use_navigate();
    let delete = move || {
        let navigate = navigate.clone();
        command.send::<()>(
            Method::Delete,
            format!("/experiments/{id}"),
            None,
            move |()| {
                navigate("/experiments", Default::default());
            },
        );
    };
    let question = format!(
        "Delete “{}” with all its runs, their measurements and checkpoints? This cannot be undone.",
        now.experiment
            .with_untracked(|experiment| experiment.spec.name.clone())
    );
    view! {
        <div class="actions">
            <button type="button" id="cancel" hidden=move || !active.get() disabled=command.busy on:click=post("cancel")>"Cancel"</button>
            <button type="button" id="resume" hidden=move || !resumable.get() disabled=command.busy on:click=post("resume")>"Resume"</button>
            <A href=format!("/experiments/new?from={id}") attr:class="button">"Duplicate"</A>
            <Confirm label="Delete" question on_confirm=delete disabled=Signal::derive(move || active.get() || command.busy.get()) />
        </div>
        <CommandError command />
    }
    .into_any()
}
