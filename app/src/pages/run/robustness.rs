//! A run's robustness to natural corruptions: which break it, how fast, and on which images.

use leptos::prelude::*;
use protocol::corruption_evaluation::{CorruptionConditions, CorruptionMeasurement};
use protocol::measure::Scale;
use protocol::{Dataset, Measurement, Run, RunState};

use super::tested::Tested;
use crate::chart::Figure;
use crate::data::corruptions::{other_images, scale_choices, scale_from, sets, under};
use crate::figures::{run_corruptions, run_severity};
use crate::ui::{Chooser, EvaluateAgain, Target};

mod aggregate;
mod samples;

/// What was measured under the conditions that are shown.
#[derive(Debug, Clone, Copy)]
struct Shown {
    tested: Tested<CorruptionConditions>,
    measured: Memo<Vec<CorruptionMeasurement>>,
    /// How accuracies are shown.
    scale: RwSignal<Scale>,
}

impl Shown {
    /// Conditions and scale in words, with the number of sets.
    fn words(self) -> String {
        let conditions = self
            .tested
            .conditions
            .get()
            .map(|conditions| conditions.label());
        let sets = self.measured.with(|measured| sets(measured));
        conditions.map_or_else(String::new, |conditions| format!("{sets}; {conditions}"))
    }
}

/// The section.
#[component]
pub fn Robustness(
    /// The run.
    run: RwSignal<Run>,
    /// What was measured on it.
    measurements: RwSignal<Vec<Measurement>>,
) -> impl IntoView {
    let tested = Tested::new(measurements);
    let shown = Shown {
        tested,
        measured: tested.measured(under),
        scale: RwSignal::new(Scale::Raw),
    };
    let content = view! {
        <Controls shown dataset=run.with_untracked(|run| run.spec.dataset.clone()) />
        <aggregate::Aggregate run shown />
        <Maps shown />
        <samples::Samples run=run.with_untracked(|run| run.id) shown />
    };
    tested.section(
        "robustness",
        "Robustness to natural corruptions",
        move || run.with(why_missing),
        content.into_any(),
    )
}

/// What to say, and to do, while nothing is measured.
pub(super) fn why_missing(run: &Run) -> &'static str {
    let requested = run.evaluations().any(|spec| spec.corruptions.is_some());
    match (run.state, run.result.is_some()) {
        (RunState::Queued | RunState::Running, _) if requested => {
            "No corruption has been tested yet. The tests follow training and appear here one by one."
        }
        (RunState::Queued | RunState::Running, _) => {
            "No corruptions were requested. Once the run is finished, evaluate it again below."
        }
        (_, true) => "No corruptions were tested. Evaluate the run again below.",
        (_, false) => "No corruptions were tested, because the run did not finish training.",
    }
}

/// Scale, and conditions where there are several.
#[component]
fn Controls(shown: Shown, dataset: Dataset) -> impl IntoView {
    view! {
        <div class="controls">
            <Chooser
                id="robustness-scale" label="Shown as" options=Signal::stored(scale_choices())
                value=Signal::derive(move || shown.scale.get().id().to_owned())
                choose=move |value| shown.scale.set(scale_from(&value))
            />
            {shown.tested.chooser("robustness-conditions")}
            <span class="hint">{move || shown.words()}</span>
            <p class="hint">{move || other_images(shown.tested.conditions.get(), &dataset)}</p>
        </div>
    }
    .into_any()
}

/// Heat map and curves.
#[component]
fn Maps(shown: Shown) -> impl IntoView {
    let Shown {
        measured, scale, ..
    } = shown;
    let waiting = "No corruptions were tested.";
    view! {
        <div class="figures">
            <Figure
                id="figure-run-corruptions"
                question="Which corruptions break this network?"
                waiting
                chart=move || {
                    let chart = measured.with(|measured| run_corruptions::chart(measured, scale.get()));
                    chart.and_note(".").how(format!("Tested on {}. Hover over a cell for n and its 95 % interval.", shown.words()))
                }
            />
            <Figure
                id="figure-run-severity"
                question="How does accuracy fall with severity?"
                waiting
                chart=move || {
                    let chart = measured.with(|measured| run_severity::chart(measured, scale.get()));
                    chart
                        .note("One line per corruption, coloured and dashed by family; bold: mean over corruptions; severity 0: the same images, clean.")
                        .how(format!("Tested on {}. Intervals (Wilson, over images) are in the table.", shown.words()))
                }
            />
        </div>
    }
    .into_any()
}

/// More tests of this run.
#[component]
pub fn Again(
    /// The run.
    run: RwSignal<Run>,
    /// Called once another evaluation is queued.
    after: impl Fn() + Clone + Send + Sync + 'static,
) -> impl IntoView {
    let Run { id, spec, .. } = run.get_untracked();
    let blocked = Signal::derive(move || {
        run.with(|run| {
            if run.state.is_active() {
                Some("The run is in progress. Wait until it has ended, or cancel it.")
            } else if run.result.is_none() {
                Some("The run did not finish training, so there are no weights to test.")
            } else {
                None
            }
        })
    });
    view! { <EvaluateAgain target=Target::Run(id) dataset=spec.dataset network=spec.network start=spec.evaluation blocked after /> }
}
