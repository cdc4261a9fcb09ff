//! One experiment: its runs live, and what class selectivity did, on a tab for each side of it.

use futures::try_join;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::{use_navigate, use_params_map};
use protocol::api::{ApiError, Experiment, ExperimentSummary, LiveEvent, UNDO_MINUTES};
use protocol::comparison::Comparison;
use protocol::finding::Findings;
use protocol::layer_measure::LayerProfiles;
use protocol::measure::Scatter;
use protocol::training_curve::{CurveQuantity, TrainingCurves};
use protocol::work::share_of_all_done;
use protocol::{Run, RunState};
use serde::{Deserialize, Serialize};

use crate::data::api::{self, Method};
use crate::data::query::number_of;
use crate::data::run_state::{apply, silence};
use crate::data::{clock, live};
use crate::format;
use crate::pages::not_found::NotFound;
use crate::signals::renew;
use crate::ui::{
    CommandError, Confirm, EndNotice, ExperimentTab, ExperimentTabs, Load, Menu, ProgressBar,
    StateBadge, use_command, use_undo,
};
use geometry::ProfileSelection;
use stale::Stale;
use view::{Selection, VIEWS, View};

mod at_work;
mod conditions;
mod geometry;
mod geometry_controls;
mod import;
mod layers;
mod measures;
mod more_runs;
mod overview;
mod robustness;
mod runs;
mod set_up;
mod stale;
mod submissions;
mod training;
mod view;

/// Everything that a tab shows, or what of it was read again. The rest is not read, and absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Data {
    tab: ExperimentTab,
    experiment: Experiment,
    runs: Option<Vec<Run>>,
    /// Validation cross-entropy over the epochs.
    loss: Option<TrainingCurves>,
    /// Validation accuracy over the epochs.
    accuracy: Option<TrainingCurves>,
    /// The curves that the address selects.
    curves: Option<TrainingCurves>,
    summary: Option<ExperimentSummary>,
    /// The runs grouped by alpha, with what the table of runs shows of them.
    by_alpha: Option<Comparison>,
    findings: Option<Findings>,
    /// Measures against each other, as the address selects them: one per [`View`].
    scatters: [Option<Scatter>; VIEWS],
    /// A measure of each layer, as the address selects it.
    profiles: Option<LayerProfiles>,
}

/// What the page's address selects.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Selected {
    views: [Selection; VIEWS],
    profile: ProfileSelection,
    curves: CurveQuantity,
}

/// The same as signals, that follow the address.
#[derive(Debug, Clone, Copy)]
struct Selections {
    views: [Memo<Selection>; VIEWS],
    profile: Memo<ProfileSelection>,
    curves: Memo<CurveQuantity>,
}

impl Selections {
    fn from_address() -> Selections {
        Selections {
            views: view::use_selections(),
            profile: geometry::use_profile_selection(),
            curves: training::use_quantity(),
        }
    }

    /// What is selected now; none on a page that was left.
    fn now(self) -> Option<Selected> {
        let profile = self.profile.try_get_untracked()?;
        Some(Selected {
            views: self.views.map(|view| view.get_untracked()),
            profile,
            curves: self.curves.get_untracked(),
        })
    }
}

/// The views that a tab shows.
fn shows(tab: ExperimentTab, view: View) -> bool {
    match view {
        View::TradeOff => tab == ExperimentTab::Overview,
        View::Corruptions | View::Attacks => tab == ExperimentTab::Robustness,
        View::Geometry | View::Gradients | View::GeometryRobustness => tab == ExperimentTab::Layers,
    }
}

/// The result of `read`, if a tab needs it.
async fn part<T>(
    needed: bool,
    read: impl Future<Output = Result<T, ApiError>>,
) -> Result<Option<T>, ApiError> {
    match needed {
        true => read.await.map(Some),
        false => Ok(None),
    }
}

/// Reads what of a tab is `stale`.
async fn read(
    id: String,
    tab: ExperimentTab,
    selected: Option<Selected>,
    stale: Stale,
) -> Result<Data, ApiError> {
    use ExperimentTab::{Layers, Overview, Training};

    let Some(selected) = selected else {
        return Err(api::failure("the page was left"));
    };
    number_of(&id, "an experiment")?;
    let runs = api::get(&format!("/experiments/{id}/runs?layers=false"));
    let runs = part(stale.runs, runs);
    let experiment = api::get::<Experiment>(&format!("/experiments/{id}"));
    let loss = training::read(id.clone(), CurveQuantity::ValidationCrossEntropy);
    let accuracy = training::read(id.clone(), CurveQuantity::ValidationAccuracy);
    let findings = api::get(&format!("/experiments/{id}/findings"));
    // The overview shows curves of runs at work, and findings of others.
    let standing = async move {
        let experiment = experiment.await?;
        let active = experiment.is_active();
        let with_curves = stale.epochs && (tab == Training || tab == Overview && active);
        let findings = part(stale.measurements && tab == Overview && !active, findings);
        let (loss, accuracy) = (part(with_curves, loss), part(with_curves, accuracy));
        let (loss, accuracy, findings) = try_join!(loss, accuracy, findings)?;
        Ok((experiment, loss, accuracy, findings))
    };
    let curves = training::read(id.clone(), selected.curves);
    let curves = part(stale.epochs && tab == Training, curves);
    let summary = api::get(&format!("/experiments/{id}/summary"));
    let summary = part(stale.runs && (tab == Overview || tab == Layers), summary);
    let by_alpha = api::get(&format!("/compare?experiments={id}&group=alpha"));
    let by_alpha = part(stale.measurements && tab == Overview, by_alpha);
    let profiles = selected.profile.read(id.clone());
    let profiles = part(stale.measurements && tab == Layers, profiles);
    let scatters = selected.views.into_iter().zip(View::ALL);
    let scatters = scatters.map(|(selection, view)| {
        let needed = stale.measurements && shows(tab, view);
        part(needed, selection.read(id.clone()))
    });
    let scatters = futures::future::try_join_all(scatters);
    let (standing, runs, curves, summary, by_alpha, scatters, profiles) = try_join!(
        standing, runs, curves, summary, by_alpha, scatters, profiles
    )?;
    let (experiment, loss, accuracy, findings) = standing;
    Ok(Data {
        tab,
        experiment,
        runs,
        loss,
        accuracy,
        curves,
        summary,
        by_alpha,
        findings,
        scatters: scatters
            .try_into()
            .map_err(|_| api::failure("an answer for each view was expected"))?,
        profiles,
    })
}

/// What the page shows, as signals that live events change in place.
#[derive(Debug, Clone, Copy)]
struct PageSignals {
    experiment: RwSignal<Experiment>,
    runs: RwSignal<Vec<Run>>,
    loss: RwSignal<Option<TrainingCurves>>,
    accuracy: RwSignal<Option<TrainingCurves>>,
    curves: Option<RwSignal<TrainingCurves>>,
    summary: RwSignal<Option<ExperimentSummary>>,
    by_alpha: RwSignal<Option<Comparison>>,
    findings: RwSignal<Option<Findings>>,
    /// Those of the views that the tab shows.
    scatters: [Option<RwSignal<Scatter>>; VIEWS],
    profiles: Option<RwSignal<LayerProfiles>>,
}

impl PageSignals {
    fn new(data: Data) -> PageSignals {
        PageSignals {
            experiment: RwSignal::new(data.experiment),
            // All of a page is read at first.
            runs: RwSignal::new(data.runs.unwrap_or_default()),
            loss: RwSignal::new(data.loss),
            accuracy: RwSignal::new(data.accuracy),
            curves: data.curves.map(RwSignal::new),
            summary: RwSignal::new(data.summary),
            by_alpha: RwSignal::new(data.by_alpha),
            findings: RwSignal::new(data.findings),
            scatters: data.scatters.map(|scatter| scatter.map(RwSignal::new)),
            profiles: data.profiles.map(RwSignal::new),
        }
    }

    /// Whether a run waits or is at work.
    fn active(self) -> Memo<bool> {
        Memo::new(move |_| self.experiment.with(Experiment::is_active))
    }

    /// The number of test images of the results, and the method of the summary's intervals, which are drawn as `mark`.
    fn measured(self, mark: &str) -> String {
        let images = self.runs.with(|runs| {
            let mut results = runs.iter().filter_map(|run| run.result.as_ref());
            results.next().map_or(0, |result| result.test_images)
        });
        let method = self.summary.with(|summary| {
            let summary = summary.as_ref();
            summary.map_or_else(String::new, |summary| summary.interval_method.clone())
        });
        format!(
            "Measured on {}, with the weights of each run’s best epoch. {mark}: {method}.",
            format::plural(images.into(), "test image", "test images")
        )
    }

    /// Takes over what was read again. Measures are taken over only if they are still selected.
    fn replace(self, data: Data, requested: Selected, selected: Selected) {
        fn renew_some<T: PartialEq + Send + Sync + 'static>(
            signal: RwSignal<Option<T>>,
            value: Option<T>,
        ) {
            if value.is_some() {
                renew(signal, value);
            }
        }
        renew(self.experiment, data.experiment);
        if let Some(runs) = data.runs {
            renew(self.runs, runs);
        }
        renew_some(self.loss, data.loss);
        renew_some(self.accuracy, data.accuracy);
        if requested.curves == selected.curves
            && let Some((signal, answer)) = self.curves.zip(data.curves)
        {
            renew(signal, answer);
        }
        renew_some(self.summary, data.summary);
        renew_some(self.by_alpha, data.by_alpha);
        renew_some(self.findings, data.findings);
        let views = requested.views.into_iter().zip(selected.views);
        let answers = self.scatters.into_iter().zip(data.scatters);
        for ((signal, answer), (requested, selected)) in answers.zip(views) {
            if requested == selected
                && let Some((signal, answer)) = signal.zip(answer)
            {
                renew(signal, answer);
            }
        }
        if requested.profile == selected.profile
            && let Some((signal, answer)) = self.profiles.zip(data.profiles)
        {
            renew(signal, answer);
        }
    }

    fn apply(self, live: &LiveEvent) {
        self.runs.update(|runs| {
            if let Some(run) = runs.iter_mut().find(|run| run.id == live.run_id) {
                apply(run, &live.event);
            }
        });
    }
}

/// The pages at `/experiments/:id` and below.
#[component]
pub fn ExperimentPage() -> impl IntoView {
    let params = use_params_map();
    let place = Memo::new(move |_| {
        params.with(|params| {
            let segment = params.get("tab").unwrap_or_default();
            let id = params.get("id").unwrap_or_default();
            Some((id, ExperimentTab::from_segment(&segment)?))
        })
    });
    let selections = Selections::from_address();
    // Another selection is requested by its figure alone, not by the whole page.
    let data = Resource::new(
        move || place.get(),
        move |place| {
            let selected = selections.now();
            async move {
                let (id, tab) = place.ok_or_else(|| api::failure("there is no such page"))?;
                read(id, tab, selected, Stale::ALL).await
            }
        },
    );
    move || match place.with(Option::is_some) {
        true => view! { <Load resource=data render=|data| view! { <Report data /> } /> }.into_any(),
        false => view! { <NotFound /> }.into_any(),
    }
}

/// Applies what the experiment's live events tell, and reads again what of the tab they make stale. Returns the way to read all of it
/// again, and the state of the stream.
fn follow(
    now: PageSignals,
    tab: ExperimentTab,
    selections: Selections,
) -> (Callback<()>, live::Live) {
    let id = now.experiment.with_untracked(|experiment| experiment.id);
    let stale = StoredValue::new(Stale::default());
    let failed = RwSignal::new(0_u32);
    let retry = Callback::new(move |()| {
        failed.try_update(|failed| *failed += 1);
    });
    let read_stale = live::at_most_every(1_000.0, move || async move {
        // The page may have been left.
        let Some((requested, parts)) = selections.now().zip(stale.try_get_value()) else {
            return;
        };
        stale.set_value(Stale::default());
        match read(id.to_string(), tab, Some(requested), parts).await {
            Ok(data) => {
                if let Some(selected) = selections.now() {
                    now.replace(data, requested, selected);
                }
            }
            // Without an answer the page keeps what it shows, and asks again.
            Err(_) => {
                let kept = stale.try_update_value(|stale| *stale = stale.and(parts));
                if kept.is_some() {
                    let again = std::time::Duration::from_secs(5);
                    set_timeout(move || retry.run(()), again);
                }
            }
        }
    });
    let reread = move |parts: Stale| {
        // The page may have been left.
        if stale
            .try_update_value(|stale| *stale = stale.and(parts))
            .is_some()
        {
            read_stale();
        }
    };
    Effect::new({
        let reread = reread.clone();
        move |_| {
            if failed.get() > 0 {
                reread(Stale::default());
            }
        }
    });
    let reread_all = {
        let reread = reread.clone();
        move || reread(Stale::ALL)
    };
    let on_gap = reread_all.clone();
    let after = Callback::new(move |()| reread_all());
    let live = live::follow(
        live::Follow::Experiment(id),
        move |event| {
            now.apply(&event);
            let parts = Stale::after(&event.event);
            if parts.any() {
                reread(parts);
            }
        },
        on_gap,
    );
    (after, live)
}

/// What a tab shows; `after` reads it again after a command.
fn content(
    tab: ExperimentTab,
    now: PageSignals,
    selections: Selections,
    after: Callback<()>,
) -> AnyView {
    match tab {
        ExperimentTab::Overview => view! { <overview::Overview now selections /> }.into_any(),
        ExperimentTab::Robustness => view! { <robustness::Robustness now selections /> }.into_any(),
        ExperimentTab::Layers => view! { <layers::Layers now selections /> }.into_any(),
        ExperimentTab::Training => {
            view! { <training::Training now quantity=selections.curves /> }.into_any()
        }
        ExperimentTab::SetUp => view! { <set_up::SetUp now after /> }.into_any(),
        // Pages of their own, whose routes come first.
        ExperimentTab::Findings | ExperimentTab::PerturbationBench => ().into_any(),
    }
}

#[component]
fn Report(data: Data) -> impl IntoView {
    let (id, tab) = (data.experiment.id, data.tab);
    let now = PageSignals::new(data);
    let selections = Selections::from_address();
    let (after, live::Live { open, deleted }) = follow(now, tab, selections);
    let name = move || {
        now.experiment
            .with(|experiment| experiment.spec.name.clone())
    };
    let ended = RwSignal::new(false);
    let title = move || {
        // Shown in the browser's row of tabs.
        let ended = if ended.get() { "✓ " } else { "" };
        match tab {
            ExperimentTab::Overview => format!("{ended}{}", name()),
            tab => format!("{ended}{} of {}", tab.label(), name()),
        }
    };
    view! {
        <Title text=title />
        <nav class="crumbs" aria-label="Breadcrumb"><A href="/experiments">"Experiments"</A>" / "<span>{id}</span></nav>
        <div class="heading">
            <h1>{name}</h1>
            <Actions now after />
        </div>
        <live::Deleted what="experiment" deleted />
        <Status now open ended />
        <ExperimentTabs experiment=id current=tab />
        {content(tab, now, selections, after)}
    }
}

/// State, progress and expected end.
#[component]
fn Status(now: PageSignals, open: Signal<bool>, ended: RwSignal<bool>) -> impl IntoView {
    let message = Signal::derive(move || {
        let name = now
            .experiment
            .with(|experiment| experiment.spec.name.clone());
        format!("“{name}” has ended.")
    });
    let state = Signal::derive(move || now.experiment.with(Experiment::state));
    let share = Signal::derive(move || now.runs.with(|runs| share_of_all_done(runs)));
    let remaining = move || {
        let remaining = now
            .experiment
            .with(|experiment| experiment.remaining_seconds);
        remaining.map(format::time_left)
    };
    let time = clock::ticking();
    // Naming one is enough.
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
                .map(|entry| format!("{} {}", format::count(entry.count.into()), entry.state.id()))
                .collect::<Vec<_>>()
                .join(", ")
        })
    };
    view! {
        <div class="status">
            <span role="status"><StateBadge state id="experiment-state" /></span>
            <span hidden=move || state.get() == RunState::Finished><ProgressBar share label="Progress of the experiment" id="progress" /></span>
            <span>{remaining}</span>
            <span class="hint">"runs: "{counts}</span>
            <span class="warning" id="silence">{silent}</span>
            <EndNotice active=now.active() message ended />
            <live::LiveMark open active=now.active() />
        </div>
    }
    .into_any()
}

/// What can be done with the experiment.
#[component]
fn Actions(now: PageSignals, after: Callback<()>) -> impl IntoView {
    let untrained = move || {
        let trained = |runs: &Vec<Run>| runs.iter().any(|run| run.result.is_some());
        !now.runs.with(trained)
    };
    let id = now.experiment.with_untracked(|experiment| experiment.id);
    let command = use_command();
    let active = now.active();
    let resumable = Memo::new(move |_| {
        now.experiment.with(|experiment| {
            let mut runs = experiment.runs.iter();
            runs.any(|entry| entry.count > 0 && entry.state.is_resumable())
        })
    });
    let post = move |verb: &'static str| {
        move |_| {
            command.send::<Experiment>(
                Method::Post,
                format!("/experiments/{id}/{verb}"),
                None,
                move |experiment| {
                    now.experiment.try_set(experiment);
                    after.run(());
                },
            );
        }
    };
    let (navigate, undo) = (use_navigate(), use_undo());
    let name = now
        .experiment
        .with_untracked(|experiment| experiment.spec.name.clone());
    let question = format!(
        "Delete “{name}” with all its runs, their measurements and checkpoints? You can undo this for {UNDO_MINUTES} minutes."
    );
    let delete = move || {
        let navigate = navigate.clone();
        undo.delete(command, id, name.clone(), move || {
            navigate("/experiments", Default::default());
        });
    };
    view! {
        <div class="actions">
            <button type="button" id="cancel" hidden=move || !active.get() disabled=command.busy on:click=post("cancel")>"Cancel"</button>
            <button type="button" id="resume" hidden=move || !resumable.get() disabled=command.busy on:click=post("resume")>"Resume"</button>
            <A href=format!("/experiments/new?from={id}") attr:class="button">"New experiment like this one"</A>
            <span hidden=untrained><A href=format!("/experiments/{id}/present") attr:class="button" attr:id="open-present">"Present"</A></span>
            <Menu label="More: delete the experiment".to_owned()>
                <Confirm label="Delete" question on_confirm=delete disabled=Signal::derive(move || active.get() || command.busy.get()) />
            </Menu>
        </div>
        <CommandError command />
    }
    .into_any()
}
