//! One run: its curves, its layers and units, its result, its robustness, and how it came about.

use futures::try_join;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use protocol::api::{ApiError, Artifact, LiveEvent, LogLine, RunPage};
use protocol::work::share_done;
use protocol::{EpochMetrics, Event, Measurement, Run, RunState};
use serde::{Deserialize, Serialize};

use crate::data::addresses::comparison;
use crate::data::api::{self, Method};
use crate::data::query::{number_of, use_id};
use crate::data::run_state::{activity, apply, silence};
use crate::data::{clock, live};
use crate::format;
use crate::signals::renew;
use crate::ui::{
    AlphaChip, Annotated, Annotations, CommandError, Contents, Load, ProgressBar, StateBadge,
    use_command,
};

mod attacks;
mod figures;
mod geometry;
mod record;
mod result;
mod robustness;
mod samples;
mod tested;

/// Everything that the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Data {
    run: Run,
    epochs: Vec<EpochMetrics>,
    log: Vec<LogLine>,
    artifacts: Vec<Artifact>,
    measurements: Vec<Measurement>,
    /// The trained run with alpha 0 and the same seed, of the same experiment.
    control: Option<i64>,
}

/// The control of a run; none for a control.
async fn control_of(run: &Run) -> Result<Option<i64>, ApiError> {
    if run.spec.alpha == 0.0 {
        return Ok(None);
    }
    let (experiment, seed) = (run.experiment_id, run.spec.seed);
    let path = format!("/runs?experiment={experiment}&alpha=0&seed={seed}");
    let page: RunPage = api::get(&path).await?;
    let mut trained = page.runs.iter().filter(|run| run.result.is_some());
    Ok(trained.next().map(|run| run.id))
}

async fn read(id: String) -> Result<Data, ApiError> {
    let id = number_of(&id, "a run")?;
    let run = api::get::<Run>(&format!("/runs/{id}"));
    let run = async move {
        let run = run.await?;
        let control = control_of(&run).await?;
        Ok((run, control))
    };
    let epochs = api::get(&format!("/runs/{id}/metrics"));
    let log = api::get(&format!("/runs/{id}/log"));
    let artifacts = api::get(&format!("/runs/{id}/artifacts"));
    let measurements = api::get(&format!("/runs/{id}/measurements"));
    let ((run, control), epochs, log, artifacts, measurements) =
        try_join!(run, epochs, log, artifacts, measurements)?;
    Ok(Data {
        run,
        epochs,
        log,
        artifacts,
        measurements,
        control,
    })
}

/// What the page shows, as signals that live events change in place.
#[derive(Debug, Clone, Copy)]
struct PageSignals {
    run: RwSignal<Run>,
    epochs: RwSignal<Vec<EpochMetrics>>,
    log: RwSignal<Vec<LogLine>>,
    artifacts: RwSignal<Vec<Artifact>>,
    measurements: RwSignal<Vec<Measurement>>,
    control: RwSignal<Option<i64>>,
}

impl PageSignals {
    fn new(data: Data) -> PageSignals {
        PageSignals {
            run: RwSignal::new(data.run),
            epochs: RwSignal::new(data.epochs),
            log: RwSignal::new(data.log),
            artifacts: RwSignal::new(data.artifacts),
            measurements: RwSignal::new(data.measurements),
            control: RwSignal::new(data.control),
        }
    }

    fn replace(self, data: Data) {
        // The page may have been left while it was read.
        self.run.try_set(data.run);
        renew(self.epochs, data.epochs);
        self.log.try_set(data.log);
        self.artifacts.try_set(data.artifacts);
        self.control.try_set(data.control);
        renew(self.measurements, data.measurements);
    }

    fn apply(self, live: &LiveEvent) {
        self.run.update(|run| apply(run, &live.event));
        match &live.event {
            Event::Epoch(epoch) => self.epochs.update(|epochs| {
                // A resumed run sends its earlier epochs again.
                epochs.retain(|known| known.epoch != epoch.epoch);
                epochs.push(epoch.clone());
                epochs.sort_by_key(|known| known.epoch);
            }),
            Event::Log { level, message } => {
                let line = LogLine {
                    at: live.at,
                    level: *level,
                    message: message.clone(),
                };
                // It may be there already: events that come during a read are applied again after it.
                if self.log.with_untracked(|log| !log.contains(&line)) {
                    self.log.update(|log| log.push(line));
                }
            }
            Event::Measured(measurement) => {
                // A resumed run sends its earlier measurements again.
                let key = measurement.key();
                let is_new = |known: &Vec<Measurement>| known.iter().all(|one| one.key() != key);
                if self.measurements.with_untracked(is_new) {
                    let measurement = measurement.clone();
                    self.measurements.update(|known| known.push(measurement));
                }
            }
            _ => {}
        }
    }
}

/// The page at `/runs/:id`.
#[component]
pub fn RunPage() -> impl IntoView {
    let id = use_id();
    let data = Resource::new(move || id.get(), read);
    view! { <Load resource=data render=|data| view! { <Report data /> } /> }.into_any()
}

/// Applies what the run's live events tell, and reads the page again where they do not tell all. Returns the way to read it again, and
/// the state of the stream.
fn follow(now: PageSignals, id: i64) -> (impl Fn() + Clone + Send + Sync + 'static, live::Live) {
    // What came while answers were on their way: they may not have it.
    let missed = StoredValue::new(Vec::<LiveEvent>::new());
    let reads = StoredValue::new(0_u32);
    let reread = live::at_most_every(1_000.0, move || async move {
        if reads.try_update_value(|reads| *reads += 1).is_none() {
            return; // The page was left.
        }
        let answer = read(id.to_string()).await;
        let others = reads.try_update_value(|reads| {
            *reads -= 1;
            *reads
        });
        let events = match others {
            Some(0) => missed.try_update_value(std::mem::take),
            Some(_) => missed.try_get_value(),
            None => return,
        };
        // Without an answer the page keeps what it shows; the stream says it is down.
        if let Ok(data) = answer {
            now.replace(data);
            events.iter().flatten().for_each(|event| now.apply(event));
        }
    });
    // An evaluation leaves files as it goes.
    let reread_files = live::at_most_every(5_000.0, move || async move {
        if let Ok(files) = api::get(&format!("/runs/{id}/artifacts")).await {
            now.artifacts.try_set(files);
        }
    });
    let (on_gap, reread_all) = (reread.clone(), reread.clone());
    let live = live::follow(
        live::Follow::Run(id),
        move |event| {
            now.apply(&event);
            if matches!(event.event, Event::Measured(_)) {
                reread_files();
            }
            // Epochs, measurements and log lines are applied as they come.
            if live::changes_state(&event.event) {
                reread();
            }
            if reads.try_get_value().is_some_and(|reads| reads > 0) {
                missed.try_update_value(|missed| missed.push(event));
            }
        },
        on_gap,
    );
    (reread_all, live)
}

#[component]
fn Report(data: Data) -> impl IntoView {
    let Run {
        id,
        experiment_id,
        spec,
        ..
    } = data.run.clone();
    let now = PageSignals::new(data);
    let (reread, live::Live { open, deleted }) = follow(now, id);
    let after_evaluation = reread.clone();
    let title = format!(
        "Run {id}: alpha {}, seed {}",
        format::alpha(spec.alpha),
        spec.seed
    );
    let annotations = |run: &Run| Annotated {
        tags: run.tags.clone(),
        notes: run.notes.clone(),
    };
    let annotate = |run: &mut Run, now: Annotated| (run.tags, run.notes) = (now.tags, now.notes);
    view! {
        <Title text=title />
        <nav class="crumbs" aria-label="Breadcrumb">
            <A href="/experiments">"Experiments"</A>" / "
            <A href=format!("/experiments/{experiment_id}")>{format!("Experiment {experiment_id}")}</A>" / "
            <span>{format!("Run {id}")}</span>
        </nav>
        <div class="heading">
            <h1>{format!("Run {id}")}<span class="of"><AlphaChip alpha=spec.alpha />{format!("seed {}", spec.seed)}</span></h1>
            <Actions now after=reread />
        </div>
        <live::Deleted what="run" deleted />
        <Status now open />
        {spec.origin.as_ref().map(|origin| view! {
            <p class="imported">{format!("Imported weights: {}, {}. They were trained elsewhere, so there are no training curves and no best epoch; alpha, seed and epochs are as stated at import.", origin.file, format::timestamp(origin.imported_at))}</p>
        })}
        <Annotations path=format!("/runs/{id}") annotated=now.run read=annotations write=annotate />
        <Contents parts=vec![
            ("result", "Result"),
            ("curves", "Training and units"),
            ("robustness", "Corruptions"),
            ("attacks", "Attacks"),
            ("geometry", "Geometry"),
            ("setup-title", "Configuration"),
            ("artifacts-title", "Files"),
            ("log-title", "Log"),
        ] />
        <result::ResultFacts run=now.run />
        <figures::Figures run=now.run epochs=now.epochs />
        <robustness::Robustness run=now.run measurements=now.measurements />
        <attacks::Attacks run=now.run measurements=now.measurements />
        <geometry::Geometry run=now.run measurements=now.measurements />
        <robustness::Again run=now.run after=after_evaluation />
        <record::Record now />
    }
}

#[component]
fn Status(now: PageSignals, open: Signal<bool>) -> impl IntoView {
    let state = Signal::derive(move || now.run.with(|run| run.state));
    let share = Signal::derive(move || now.run.with(share_done));
    let remaining = move || {
        let remaining = now.run.with(|run| {
            run.progress
                .as_ref()
                .and_then(|progress| progress.remaining_seconds)
        });
        remaining.map(format::time_left)
    };
    let time = clock::ticking();
    let silent = move || now.run.with(|run| silence(run, time.get()));
    let reason = move || {
        now.run
            .with(|run| run.reason.clone())
            .map(|reason| view! { <p class="problem">{reason}</p> })
    };
    view! {
        <div class="status">
            <span role="status"><StateBadge state id="run-state" /></span>
            <span hidden=move || state.get() == RunState::Finished><ProgressBar share label="Progress of the run" id="progress" /></span>
            <span>{remaining}</span>
            <span class="hint">{move || now.run.with(activity)}</span>
            <span class="warning" id="silence">{silent}</span>
            <live::LiveMark open active=Signal::derive(move || state.get().is_active()) />
        </div>
        {reason}
    }
    .into_any()
}

#[component]
fn Actions(now: PageSignals, after: impl Fn() + Clone + Send + Sync + 'static) -> impl IntoView {
    let id = now.run.with_untracked(|run| run.id);
    let command = use_command();
    let is = move |holds: fn(RunState) -> bool| move || now.run.with(|run| holds(run.state));
    let (active, resumable) = (is(RunState::is_active), is(RunState::is_resumable));
    let post = move |verb: &'static str| {
        let after = after.clone();
        move |_| {
            let after = after.clone();
            command.send::<Run>(
                Method::Post,
                format!("/runs/{id}/{verb}"),
                None,
                move |run| {
                    now.run.try_set(run);
                    after();
                },
            );
        }
    };
    let experiment = now.run.with_untracked(|run| run.experiment_id);
    let untrained = move || now.run.with(|run| run.result.is_none());
    let compare = move || {
        let control = now.control.get().filter(|_| !untrained())?;
        let to = comparison(&[experiment], &[control, id]);
        Some(
            view! { <a href=to class="button" id="compare-control">"Compare with alpha 0, same seed"</a> },
        )
    };
    view! {
        <div class="actions">
            {compare}
            <span hidden=untrained><A href=format!("/experiments/{experiment}/perturb?runs={id}") attr:class="button" attr:id="open-perturb">"Perturbation bench"</A></span>
            <button type="button" id="cancel" hidden=move || !active() disabled=command.busy on:click=post("cancel")>"Cancel"</button>
            <button type="button" id="resume" hidden=move || !resumable() disabled=command.busy on:click=post("resume")>"Resume"</button>
        </div>
        <CommandError command />
    }
    .into_any()
}
