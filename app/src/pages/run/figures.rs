//! The run's five figures; for imported weights only the last.

use leptos::prelude::*;
use leptos_router::components::A;
use protocol::{EpochMetrics, Run, RunResult};

use crate::chart::Figure;
use crate::figures::run_curves::{self, Pair};
use crate::figures::{run_layers, run_units};
use crate::format;

/// The figures, side by side where there is room.
#[component]
pub fn Figures(run: RwSignal<Run>, epochs: RwSignal<Vec<EpochMetrics>>) -> impl IntoView {
    let started = Memo::new(move |_| run.with(|run| run.started.clone()));
    let result = Memo::new(move |_| run.with(|run| run.result.clone()));
    let layers = Memo::new(move |_| {
        started.with(|started| {
            let layers = started.iter().flat_map(|started| &started.layers);
            layers.map(|layer| layer.name.clone()).collect::<Vec<_>>()
        })
    });
    let classes = Memo::new(move |_| {
        started.with(|started| {
            started
                .as_ref()
                .map_or_else(Vec::new, |started| started.classes.clone())
        })
    });
    let images = move || {
        started.with(|started| {
            started.as_ref().map_or_else(String::new, |started| {
                format!(
                    "; n = {} training and {} validation images",
                    format::count(started.train_images.into()),
                    format::count(started.validation_images.into())
                )
            })
        })
    };
    let explorer = format!("/runs/{}/units", run.with_untracked(|run| run.id));
    let imported = run.with_untracked(|run| run.spec.origin.is_some());
    let waiting = "No epoch has finished yet.";
    let curves = move |id, question, pair: Pair, note: &'static str| {
        view! {
            <Figure
                id question waiting
                chart=move || {
                    let chart = epochs.with(|epochs| run_curves::chart(epochs, pair));
                    chart.note(format!("{}{}.", pair.label(), images())).how(note)
                }
            />
        }
    };
    let units_n = move || result.with(|result| result.as_ref().map_or_else(String::new, units_n));
    view! {
        <div class="figures" id="curves">
            {(!imported).then(|| view! {
            {curves("figure-run-loss", "Did it learn?", Pair::CrossEntropy, "Training is measured on augmented images while the weights change; validation is measured in inference mode after the epoch.")}
            {curves("figure-run-accuracy", "Does it generalise?", Pair::Accuracy, "The weights of the epoch with the best validation accuracy are used.")}
            {curves("figure-run-selectivity", "What did the regulariser do to selectivity?", Pair::Selectivity, "Training: the mean over the minibatches seen by the regulariser. Validation: over all validation images.")}
            <Figure
                id="figure-run-layers"
                question="Which layers became selective, and when?"
                waiting
                chart=move || epochs.with(|epochs| layers.with(|layers| run_layers::chart(epochs, layers)))
            />
            })}
            <Figure
                id="figure-run-units"
                question="How selective are single units?"
                waiting="The run is not trained. Units are measured on the test images, with the weights of the best epoch."
                chart=move || {
                    let chart = result.with(|result| classes.with(|classes| run_units::chart(result.as_ref(), classes)));
                    chart.note(format!("Selectivity of each unit, 0 to 1{}. Box: median and quartiles; whiskers: 1.5 interquartile ranges.", units_n()))
                }
            >
                <p class="hint"><A href=explorer>"Look at single units"</A></p>
            </Figure>
        </div>
    }
    .into_any()
}

/// How many units are shown, and on which images.
fn units_n(result: &RunResult) -> String {
    let units: usize = result.layers.iter().map(|layer| layer.units.len()).sum();
    let dead: u32 = result.layers.iter().map(|layer| layer.dead_units).sum();
    let weights = result.best_epoch.map_or_else(
        || "imported weights".to_owned(),
        |epoch| format!("epoch {epoch}"),
    );
    format!(
        "; n = {} in {} layers, {} dead (selectivity 0 by definition); {weights}, {} test images",
        format::plural(units as u64, "unit", "units"),
        result.layers.len(),
        format::count(dead.into()),
        format::count(result.test_images.into())
    )
}
