//! A run's robustness to natural corruptions: which break it, how fast, and on which images.

use leptos::prelude::*;
use protocol::evaluation::CorruptionMeasurement;
use protocol::measure::Scale;
use protocol::{Dataset, Measurement, Run};

use super::tested::{Under, Words, section};
use crate::chart::Figure;
use crate::components::{Chooser, EvaluateAgain, Target};
use crate::corruptions::{other_images, scale_choices, scale_from, sets, under};
use crate::figures::{run_corruptions, run_severity};

mod aggregate;
mod samples;

/// What was measured, on which conditions and scale it is shown.
#[derive(Clone, Copy)]
struct Shown {
    under: Under<CorruptionMeasurement>,
    /// What was measured under the conditions that are shown.
    measured: Memo<Vec<CorruptionMeasurement>>,
    /// The scale.
    scale: RwSignal<Scale>,
}

impl Shown {
    /// Conditions and scale in words, with the number of sets.
    fn words(self) -> String {
        let conditions = self.under.shown.get().map(|conditions| conditions.label());
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
    let tested = Under::<CorruptionMeasurement>::new(measurements);
    let measured = Memo::new(move |_| {
        let conditions = tested.shown.get();
        conditions.map_or_else(Vec::new, |conditions| {
            measurements.with(|all| under(all, conditions))
        })
    });
    let shown = Shown {
        under: tested,
        measured,
        scale: RwSignal::new(Scale::Raw),
    };
    let words = Words {
        id: "robustness",
        title: "Robustness to natural corruptions",
        yet: "corruption is tested yet",
        asked: "corruptions were asked for",
        done: "corruptions were tested",
        again: "",
        asks: |spec| spec.corruptions.is_some(),
    };
    let content = view! {
        <Controls shown dataset=run.with_untracked(|run| run.spec.dataset.clone()) />
        <aggregate::Aggregate run shown />
        <Maps shown />
        {samples::samples(run.with_untracked(|run| run.id), shown)}
    };
    section(words, run, tested, content.into_any())
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
            {shown.under.chooser("robustness-conditions", "Tested")}
            <span class="hint">{move || shown.words()}</span>
            <p class="hint">{move || other_images(shown.under.shown.get(), &dataset)}</p>
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
                    chart.and_note(&format!("; {}. Hover for n and 95 % intervals", shown.words()))
                }
            />
            <Figure
                id="figure-run-severity"
                question="How does accuracy fall with severity?"
                waiting
                chart=move || {
                    let chart = measured.with(|measured| run_severity::chart(measured, scale.get()));
                    chart.note(format!("A line a corruption, coloured and dashed by family; bold: their mean; severity 0: the same images, clean. {}. Intervals (Wilson, over images) are in the table", shown.words()))
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
                Some("The run is at work. Wait until it has ended, or cancel it.")
            } else if run.result.is_none() {
                Some("The run is not trained to its end: there are no weights to test.")
            } else {
                None
            }
        })
    });
    view! { <EvaluateAgain target=Target::Run(id) dataset=spec.dataset network=spec.network start=spec.evaluation blocked after /> }
}
