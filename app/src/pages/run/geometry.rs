//! A run's geometry: how many dimensions its layers use, how evenly its units respond to changes of the image, and
//! how selectivity spread over them in training.

use leptos::prelude::*;
use leptos_router::components::A;
use protocol::api::ApiError;
use protocol::corruption::Corruption;
use protocol::corruption_evaluation::CorruptionConditions;
use protocol::dimensionality::{ActivationMatrix, DimensionStatistic, DimensionalityMeasurement};
use protocol::unit::{LayerQuantiles, SelectivityOverTraining, UnitGradients};
use protocol::{EvaluationSpec, Measurement, Run, RunState};

use crate::chart::Figure;
use crate::data::api;
use crate::data::choice::{Choice, choices};
use crate::data::corruptions::corruption_choices;
use crate::data::geometry::{
    Basis, Curve, bases, closest, corruptions, curves, matrix_from, on, statistic_from,
};
use crate::data::query::{ALL, chosen, setter_with_default};
use crate::figures::{run_dimensionality, run_gradients, run_selectivity_training};
use crate::format::capitalised;
use crate::ui::{Chooser, ConditionsChooser, ErrorBox};

/// The names of what can be chosen: in the page's address, and of the elements.
const STATISTIC: &str = "dimension-statistic";
const MATRIX: &str = "dimension-matrix";
const CORRUPTION: &str = "dimension-corruption";
const CONDITIONS: &str = "dimension-conditions";
const LAYER: &str = "training-layer";

/// The section.
#[component]
pub fn Geometry(
    /// The run.
    run: RwSignal<Run>,
    /// What was measured on it.
    measurements: RwSignal<Vec<Measurement>>,
) -> impl IntoView {
    let id = run.with_untracked(|run| run.id);
    let trained = Memo::new(move |_| run.with(|run| run.result.is_some()));
    view! {
        <section class="robustness" id="geometry" aria-labelledby="geometry-title">
            <h2 id="geometry-title">"Geometry"</h2>
            <p class="hint" hidden=move || !trained.get()>
                <A href=format!("/runs/{id}/units") attr:id="units-link">"Look at single units"</A>
                ": what each responds to, how its response changes with the image, and how its selectivity grew."
            </p>
            <Dimensionality run measurements />
            <Gradients run measurements />
            <OverTraining run />
        </section>
    }
    .into_any()
}

/// What to say, and to do, while `what` is not measured; `is_requested` tells whether an evaluation asks for it.
fn why_missing(run: &Run, what: &str, is_requested: fn(&EvaluationSpec) -> bool) -> String {
    let requested = run.evaluations().any(is_requested);
    match (run.state, run.result.is_some()) {
        (RunState::Queued | RunState::Running, _) if requested => {
            format!(
                "{what}: not measured yet. This follows training and appears here as soon as it is done."
            )
        }
        (RunState::Queued | RunState::Running, _) => format!(
            "{what}: not requested. Once the run is finished, evaluate it again below to measure this."
        ),
        (_, true) => {
            format!("{what}: not measured. Evaluate the run again below to measure this.")
        }
        (_, false) => format!("{what}: not measured, because the run did not finish training."),
    }
}

/// The layers' names, in forward order.
fn layer_names(run: &Run) -> Vec<String> {
    match &run.result {
        Some(result) if !result.layers.is_empty() => {
            let layers = result.layers.iter();
            layers.map(|layer| layer.name.clone()).collect()
        }
        _ => {
            let layers = run.spec.network.layers().into_iter();
            layers.map(|layer| layer.name).collect()
        }
    }
}

/// The dimensionality that is shown.
#[derive(Debug, Clone, Copy)]
struct Shown {
    /// Every matrix under every set of conditions.
    known: Memo<Vec<Basis>>,
    /// The one that is shown; none while nothing was measured.
    basis: Memo<Option<Basis>>,
    /// What was measured on it.
    measured: Memo<Vec<DimensionalityMeasurement>>,
    /// How dimensions are counted.
    statistic: Memo<DimensionStatistic>,
    /// Of which corruption; the mean over all where none is chosen.
    corruption: Memo<Option<Corruption>>,
}

/// How many dimensions each layer uses.
#[component]
fn Dimensionality(run: RwSignal<Run>, measurements: RwSignal<Vec<Measurement>>) -> impl IntoView {
    let [statistic, matrix, corruption, conditions] =
        [STATISTIC, MATRIX, CORRUPTION, CONDITIONS].map(chosen);
    let known = Memo::new(move |_| measurements.with(|all| bases(all)));
    let basis = Memo::new(move |_| {
        let matrix = matrix_from(matrix.get().as_deref());
        let conditions = conditions.get().and_then(|text| text.parse().ok());
        known.with(|known| closest(matrix, conditions, known))
    });
    let measured = Memo::new(move |_| {
        let basis = basis.get();
        basis.map_or_else(Vec::new, |basis| measurements.with(|all| on(all, basis)))
    });
    let shown = Shown {
        known,
        basis,
        measured,
        statistic: Memo::new(move |_| statistic_from(statistic.get().as_deref())),
        // One that was not measured is not shown as chosen.
        corruption: Memo::new(move |_| {
            let chosen = corruption.get().and_then(|id| id.parse().ok())?;
            measured
                .with(|measured| corruptions(measured).contains(&chosen))
                .then_some(chosen)
        }),
    };
    let lines: Memo<Vec<Curve>> =
        Memo::new(move |_| measured.with(|measured| curves(measured, shown.corruption.get())));
    let layers = Memo::new(move |_| run.with(layer_names));
    let any = Memo::new(move |_| known.with(|known| !known.is_empty()));
    let empty = move || {
        run.with(|run| why_missing(run, "Dimensionality", |spec| spec.dimensionality.is_some()))
    };
    view! {
        <p class="empty" id="no-dimensionality" hidden=move || any.get()>{empty}</p>
        <div class="robustness" hidden=move || !any.get()>
            <Figure
                id="figure-run-dimensionality"
                question="How many dimensions does each layer use?"
                waiting="This was not measured. Evaluate the run again below, with dimensionality."
                chart=move || {
                    let statistic = shown.statistic.get();
                    lines.with(|lines| layers.with(|layers| run_dimensionality::chart(lines, layers, statistic)))
                }
            >
                <Controls shown />
            </Figure>
        </div>
    }
    .into_any()
}

/// Statistic, corruption, and matrix and conditions where there are several.
#[component]
fn Controls(shown: Shown) -> impl IntoView {
    let statistics = choices(&DimensionStatistic::ALL, DimensionStatistic::id, |one| {
        capitalised(one.label())
    });
    let matrices = Memo::new(move |_| {
        let mut matrices: Vec<ActivationMatrix> = shown
            .known
            .with(|known| known.iter().map(|one| one.matrix).collect());
        matrices.dedup();
        matrices
    });
    let conditions = Memo::new(move |_| {
        let matrix = shown.basis.get().map(|basis| basis.matrix);
        let of_matrix = |known: &Vec<Basis>| -> Vec<CorruptionConditions> {
            let same = known.iter().filter(|one| Some(one.matrix) == matrix);
            same.map(|one| one.conditions).collect()
        };
        shown.known.with(of_matrix)
    });
    let one_matrix = move || matrices.with(|matrices| matrices.len() < 2);
    let label = |matrix: ActivationMatrix| capitalised(matrix.label());
    let matrix_choices =
        move || matrices.with(|matrices| choices(matrices, ActivationMatrix::id, label));
    view! {
        <div class="controls">
            <Chooser
                id=STATISTIC label="Dimensions counted as" options=Signal::stored(statistics)
                value=Signal::derive(move || shown.statistic.get().id().to_owned())
                choose=setter_with_default(STATISTIC, DimensionStatistic::Fraction95.id())
            />
            <Chooser
                id=CORRUPTION label="Corruption"
                options=Signal::derive(move || shown.measured.with(|measured| corruption_choices(corruptions(measured), ALL)))
                value=Signal::derive(move || shown.corruption.get().map_or(ALL, Corruption::id).to_owned())
                choose=setter_with_default(CORRUPTION, ALL)
            />
            <div hidden=one_matrix>
                <Chooser
                    id=MATRIX label="Activations" options=Signal::derive(matrix_choices)
                    value=Signal::derive(move || shown.basis.get().map_or_else(String::new, |basis| basis.matrix.id().to_owned()))
                    choose=setter_with_default(MATRIX, ActivationMatrix::Responses.id())
                />
            </div>
            <ConditionsChooser
                id=CONDITIONS known=conditions
                shown=Signal::derive(move || shown.basis.get().map(|basis| basis.conditions))
                choose=setter_with_default(CONDITIONS, "")
            />
        </div>
    }
    .into_any()
}

/// How evenly units respond to changes of the image.
#[component]
fn Gradients(run: RwSignal<Run>, measurements: RwSignal<Vec<Measurement>>) -> impl IntoView {
    let id = run.with_untracked(|run| run.id);
    // What was measured; when it grows, the data are requested again.
    let measured = Memo::new(move |_| {
        measurements.with(|all| {
            let gradients = all.iter().filter_map(Measurement::input_unit_gradients);
            gradients.map(|one| one.images).collect::<Vec<u32>>()
        })
    });
    let answer = Resource::new(
        move || (id, !measured.with(Vec::is_empty), measured.get()),
        |(id, any, _)| read_gradients(id, any),
    );
    let any = Memo::new(move |_| !measured.with(Vec::is_empty));
    let empty = move || {
        run.with(|run| {
            why_missing(run, "Input-unit gradients", |spec| {
                spec.input_unit_gradients.is_some()
            })
        })
    };
    view! {
        <p class="empty" id="no-gradients" hidden=move || any.get()>{empty}</p>
        <Transition fallback=|| view! { <p class="waiting" aria-busy="true">"Loading …"</p> }>
            {move || Suspend::new(async move {
                match answer.await {
                    Ok(None) => ().into_any(),
                    Ok(Some(gradients)) => view! { <GradientFigures gradients /> }.into_any(),
                    Err(error) => view! { <ErrorBox error /> }.into_any(),
                }
            })}
        </Transition>
    }
    .into_any()
}

async fn read_gradients(id: i64, any: bool) -> Result<Option<UnitGradients>, ApiError> {
    if !any {
        return Ok(None);
    }
    api::get_if_any(&format!("/runs/{id}/unit-gradients")).await
}

#[component]
fn GradientFigures(gradients: UnitGradients) -> impl IntoView {
    let gradients = StoredValue::new(gradients);
    let waiting = "No unit was measured. Evaluate the run again below, with input-unit gradients.";
    view! {
        <div class="figures">
            <Figure
                id="figure-run-gradients"
                question="How evenly do units respond to changes in the image?"
                waiting
                chart=move || gradients.with_value(run_gradients::of_samples)
            />
            <Figure
                id="figure-run-cv-units"
                question="How much do a layer’s units differ in sensitivity?"
                waiting
                chart=move || gradients.with_value(run_gradients::of_units)
            />
        </div>
    }
    .into_any()
}

/// How selectivity spread over training.
#[component]
fn OverTraining(run: RwSignal<Run>) -> impl IntoView {
    let id = run.with_untracked(|run| run.id);
    let trained = Memo::new(move |_| run.with(|run| run.result.is_some()));
    let imported = run.with_untracked(|run| run.spec.origin.is_some());
    let best_epoch = Memo::new(move |_| {
        run.with(|run| run.result.as_ref().and_then(|result| result.best_epoch))
    });
    // It exists, if at all, once training is over.
    let answer = Resource::new(
        move || (id, trained.get()),
        |(id, trained)| read_over_training(id, trained),
    );
    view! {
        <Transition fallback=|| view! { <p class="waiting" aria-busy="true">"Loading …"</p> }>
            {move || {
                let waiting = not_kept(trained.get(), imported);
                Suspend::new(async move {
                    match answer.await {
                        Ok(selectivity) => view! { <OverTrainingFigure selectivity waiting best_epoch /> }.into_any(),
                        Err(error) => view! { <ErrorBox error /> }.into_any(),
                    }
                })
            }}
        </Transition>
    }
    .into_any()
}

/// What to say, and to do, where selectivity over training is not there.
fn not_kept(trained: bool, imported: bool) -> &'static str {
    if imported {
        "The weights were imported, so nothing was measured during their training."
    } else if trained {
        "The selectivity of single units after each epoch was not kept, because the run was trained before this was recorded. Copy its experiment to train it again."
    } else {
        "The run is not trained. This appears once training is finished."
    }
}

async fn read_over_training(
    id: i64,
    trained: bool,
) -> Result<Option<SelectivityOverTraining>, ApiError> {
    if !trained {
        return Ok(None);
    }
    api::get_if_any(&format!("/runs/{id}/selectivity-over-training")).await
}

#[component]
fn OverTrainingFigure(
    selectivity: Option<SelectivityOverTraining>,
    waiting: &'static str,
    best_epoch: Memo<Option<u32>>,
) -> impl IntoView {
    let images = selectivity
        .as_ref()
        .map_or(0, |selectivity| selectivity.validation_images);
    let layers = selectivity.map_or_else(Vec::new, |selectivity| selectivity.layers);
    let names: Vec<Choice> = layers
        .iter()
        .map(|layer| Choice::new(layer.layer.clone(), layer.layer.clone()))
        .collect();
    let none = names.is_empty();
    let layers = StoredValue::new(layers);
    let wanted = chosen(LAYER);
    let layer = Memo::new(move |_| {
        let wanted = wanted.get();
        layers.with_value(|layers| layer_called(layers, wanted.as_deref()).cloned())
    });
    let name = move || {
        layer.with(|layer| {
            layer
                .as_ref()
                .map_or_else(String::new, |layer| layer.layer.clone())
        })
    };
    view! {
        <Figure
            id="figure-run-selectivity-training"
            question="How did the units’ selectivity change during training?"
            waiting
            chart=move || layer.with(|layer| run_selectivity_training::chart(layer.as_ref(), images, best_epoch.get()))
        >
            <div class="controls" hidden=none>
                <Chooser
                    id=LAYER label="Layer" options=Signal::stored(names)
                    value=Signal::derive(name)
                    choose=setter_with_default(LAYER, "")
                />
            </div>
        </Figure>
    }
    .into_any()
}

/// The layer called `name`, or the first.
fn layer_called<'a>(
    layers: &'a [LayerQuantiles],
    name: Option<&str>,
) -> Option<&'a LayerQuantiles> {
    layers
        .iter()
        .find(|layer| Some(layer.layer.as_str()) == name)
        .or_else(|| layers.first())
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::preset::presets;

    fn run() -> Run {
        Run {
            state: RunState::Finished,
            ..Run::queued(1, 1, presets().remove(0).spec.runs().remove(0))
        }
    }

    /// Broken by: a reader who is told to evaluate a run without weights, or to wait for something not requested.
    #[test]
    fn what_is_missing_says_what_to_do() {
        let mut run = run();
        let text = |run: &Run| why_missing(run, "It", |spec| spec.dimensionality.is_some());
        assert!(text(&run).contains("did not finish training"));
        run.state = RunState::Running;
        assert!(text(&run).contains("follows training"));
        run.spec.evaluation.dimensionality = None;
        assert!(text(&run).contains("Once the run is finished, evaluate"));
        run.later_evaluations = presets()
            .into_iter()
            .map(|one| one.spec.evaluation)
            .collect();
        assert!(text(&run).contains("follows training"));
    }

    /// Broken by: an address with a name that is not known, which leaves the figure empty.
    #[test]
    fn what_an_address_names_wrongly_is_the_default() {
        assert_eq!(statistic_from(None), DimensionStatistic::Fraction95);
        assert_eq!(statistic_from(Some("12")), DimensionStatistic::Fraction95);
        for statistic in DimensionStatistic::ALL {
            assert_eq!(statistic_from(Some(statistic.id())), statistic);
        }
        assert_eq!(matrix_from(Some("maps")), None);
        assert_eq!(
            matrix_from(Some("activations")),
            Some(ActivationMatrix::Activations)
        );
        assert_eq!(layer_names(&run()).len(), 7);
        assert_eq!(capitalised("unit responses"), "Unit responses");
        assert_eq!(layer_called(&[], Some("stem")), None);
    }
}
