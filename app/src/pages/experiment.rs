//! One experiment: its runs live, and what class selectivity did.

use futures::try_join;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::{use_navigate, use_params_map};
use protocol::api::{ApiError, Experiment, ExperimentSummary, LiveEvent, RunMetrics};
use protocol::comparison::Comparison;
use protocol::layer_measure::LayerProfiles;
use protocol::measure::Scatter;
use protocol::{Event, Run};
use serde::{Deserialize, Serialize};

use crate::api::{self, Method};
use crate::components::{
    Annotated, Annotations, CommandError, Confirm, Load, ProgressBar, StateBadge, use_command,
};
use crate::run_state::{apply, share_of_all_done, silence};
use crate::{clock, format, live};
use geometry::ProfileSelection;
use measures::{Selection, VIEWS};

mod figures;
mod geometry;
mod import;
mod measures;
mod runs;
mod setup;
mod submissions;

/// Everything that the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Data {
    experiment: Experiment,
    runs: Vec<Run>,
    metrics: Vec<RunMetrics>,
    summary: ExperimentSummary,
    /// The runs grouped by alpha, with what the table of runs shows of them.
    by_alpha: Comparison,
    /// Measures against each other, as the address selects them: one a [`measures::View`].
    scatters: [Scatter; VIEWS],
    /// A number of each layer, as the address selects it.
    profiles: LayerProfiles,
}

/// What the page's address selects.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Selected {
    views: [Selection; VIEWS],
    profile: ProfileSelection,
}

/// The same as signals, that follow the address.
#[derive(Debug, Clone, Copy)]
struct Selections {
    views: [Memo<Selection>; VIEWS],
    profile: Memo<ProfileSelection>,
}

impl Selections {
    fn from_address() -> Selections {
        Selections {
            views: measures::use_selections(),
            profile: geometry::use_profile_selection(),
        }
    }

    /// What is selected now; none on a page that was left.
    fn now(self) -> Option<Selected> {
        let profile = self.profile.try_get_untracked()?;
        Some(Selected {
            views: self.views.map(|view| view.get_untracked()),
            profile,
        })
    }
}

async fn read(id: String, selected: Option<Selected>) -> Result<Data, ApiError> {
    let Some(selected) = selected else {
        return Err(api::failure("the page was left"));
    };
    if id.parse::<i64>().is_err() {
        return Err(api::failure(format!(
            "`{id}` is not the number of an experiment"
        )));
    }
    let experiment = api::get(&format!("/experiments/{id}"));
    let runs = api::get(&format!("/experiments/{id}/runs"));
    let metrics = api::get(&format!("/experiments/{id}/metrics"));
    let summary = api::get(&format!("/experiments/{id}/summary"));
    let by_alpha = api::get(&format!("/compare?experiments={id}&group=alpha"));
    let profiles = selected.profile.read(id.clone());
    let [
        trade_off,
        corruptions,
        attacks,
        geometry,
        gradients,
        robustness,
    ] = selected.views.map(|selection| selection.read(id.clone()));
    let scatters = async {
        let (a, b, c, d, e, f) = try_join!(
            trade_off,
            corruptions,
            attacks,
            geometry,
            gradients,
            robustness
        )?;
        Ok([a, b, c, d, e, f])
    };
    let (experiment, runs, metrics, summary, by_alpha, scatters, profiles) = try_join!(
        experiment, runs, metrics, summary, by_alpha, scatters, profiles
    )?;
    Ok(Data {
        experiment,
        runs,
        metrics,
        summary,
        by_alpha,
        scatters,
        profiles,
    })
}

/// What the page shows, as signals that live events change in place.
#[derive(Debug, Clone, Copy)]
struct Now {
    experiment: RwSignal<Experiment>,
    runs: RwSignal<Vec<Run>>,
    metrics: RwSignal<Vec<RunMetrics>>,
    summary: RwSignal<ExperimentSummary>,
    by_alpha: RwSignal<Comparison>,
    /// One a [`measures::View`].
    scatters: [RwSignal<Scatter>; VIEWS],
    profiles: RwSignal<LayerProfiles>,
}

impl Now {
    fn new(data: Data) -> Now {
        Now {
            experiment: RwSignal::new(data.experiment),
            runs: RwSignal::new(data.runs),
            metrics: RwSignal::new(data.metrics),
            summary: RwSignal::new(data.summary),
            by_alpha: RwSignal::new(data.by_alpha),
            scatters: data.scatters.map(RwSignal::new),
            profiles: RwSignal::new(data.profiles),
        }
    }

    /// Takes over what was read anew; figures whose data did not change are not drawn again.
    /// Measures only where what was asked for is what is selected now.
    fn replace(self, data: Data, asked: Selected, selected: Selected) {
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
        renew(self.by_alpha, data.by_alpha);
        let views = asked.views.into_iter().zip(selected.views);
        let answers = self.scatters.into_iter().zip(data.scatters);
        for ((signal, answer), (asked, selected)) in answers.zip(views) {
            if asked == selected {
                renew(signal, answer);
            }
        }
        if asked.profile == selected.profile {
            renew(self.profiles, data.profiles);
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
    let selections = Selections::from_address();
    // Another selection is asked for by the figure alone, not by the whole page.
    let data = Resource::new(move || id.get(), move |id| read(id, selections.now()));
    view! { <Load resource=data render=|data| view! { <Report data /> } /> }.into_any()
}

#[component]
fn Report(data: Data) -> impl IntoView {
    let id = data.experiment.id;
    let now = Now::new(data);
    let selections = Selections::from_address();
    let reread = live::at_most_every(1_000.0, move || {
        leptos::task::spawn_local(async move {
            // The page may have been left.
            let Some(asked) = selections.now() else {
                return;
            };
            // Without an answer the page keeps what it shows; the stream says it is down.
            if let Ok(data) = read(id.to_string(), Some(asked)).await
                && let Some(selected) = selections.now()
            {
                now.replace(data, asked, selected);
            }
        });
    });
    let on_gap = reread.clone();
    let after_command = reread.clone();
    let after_evaluation = reread.clone();
    let after_import = reread.clone();
    let live::Live { open, deleted } = live::follow(
        live::Follow::Experiment(id),
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
    let annotated = Signal::derive(move || {
        now.experiment.with(|experiment| Annotated {
            tags: experiment.tags.clone(),
            notes: experiment.notes.clone(),
        })
    });
    let annotate = Callback::new(move |answer: Annotated| {
        // The page may have been left.
        now.experiment.try_update(|experiment| {
            (experiment.tags, experiment.notes) = (answer.tags, answer.notes);
        });
    });
    let slurm = now
        .experiment
        .with_untracked(|experiment| experiment.spec.executor.slurm().is_some());
    view! {
        <Title text=name />
        <nav class="crumbs" aria-label="Breadcrumb"><A href="/experiments">"Experiments"</A>" / "<span>{id}</span></nav>
        <div class="heading">
            <h1>{name}</h1>
            <Actions now after=after_command />
        </div>
        <live::Deleted what="experiment" deleted />
        <Status now open />
        <Annotations path=format!("/experiments/{id}") now=annotated saved=annotate />
        <figures::Figures now selections=selections.views />
        <geometry::Geometry now selections />
        <measures::Again now after=after_evaluation />
        <import::ImportWeights now after=after_import />
        <runs::Runs now />
        {slurm.then(|| view! { <submissions::Submissions id /> })}
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
    let time = clock::ticking();
    // One is enough to be looked at.
    let silent = move || {
        let time = time.get();
        let first = |runs: &Vec<Run>| {
            runs.iter()
                .find_map(|run| Some(format!("Run {}: {}", run.id, silence(run, time)?)))
        };
        now.runs.with(first)
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
            <span class="warning" id="silence">{silent}</span>
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
            <A href=format!("/experiments/{id}/findings") attr:class="button" attr:id="open-findings">"Findings"</A>
            <A href=format!("/experiments/{id}/perturb") attr:class="button" attr:id="open-perturb">"Perturbation bench"</A>
            <button type="button" id="cancel" hidden=move || !active.get() disabled=command.busy on:click=post("cancel")>"Cancel"</button>
            <button type="button" id="resume" hidden=move || !resumable.get() disabled=command.busy on:click=post("resume")>"Resume"</button>
            <A href=format!("/experiments/new?from={id}") attr:class="button">"Duplicate"</A>
            <Confirm label="Delete" question on_confirm=delete disabled=Signal::derive(move || active.get() || command.busy.get()) />
        </div>
        <CommandError command />
    }
    .into_any()
}
