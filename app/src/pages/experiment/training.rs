//! How training goes, or went: by alpha, and run by run.

use leptos::prelude::*;
use protocol::api::ApiError;
use protocol::training_curve::{CurveQuantity, TrainingCurves};

use super::PageSignals;
use crate::chart::Figure;
use crate::data::api;
use crate::data::choice::choices;
use crate::data::query::{chosen, follow, setter};
use crate::figures::training_curves;
use crate::ui::{Chooser, ErrorBox};

/// Said before there is anything to draw.
const WAITING: &str = "No epoch has finished yet.";

/// The name of the chosen quantity, in the address and of the element.
const QUANTITY: &str = "quantity";

/// Requests the curves of a quantity.
pub async fn read(experiment: String, quantity: CurveQuantity) -> Result<TrainingCurves, ApiError> {
    let quantity = quantity.id();
    api::get(&format!(
        "/experiments/{experiment}/training-curves?quantity={quantity}"
    ))
    .await
}

/// The quantity that the address names.
pub fn use_quantity() -> Memo<CurveQuantity> {
    let named = chosen(QUANTITY);
    Memo::new(move |_| {
        let named = named.get().and_then(|id| id.parse().ok());
        named.unwrap_or_default()
    })
}

/// The tab.
#[component]
pub fn Training(now: PageSignals, quantity: Memo<CurveQuantity>) -> impl IntoView {
    view! {
        <div class="figures">
            <ByAlphaFigures now />
            <Runs now quantity />
        </div>
    }
    .into_any()
}

/// Loss and accuracy by alpha, so far.
#[component]
pub fn ByAlphaFigures(now: PageSignals) -> impl IntoView {
    let chart = |curves: RwSignal<Option<TrainingCurves>>| {
        move || {
            let chart = curves.with(|curves| curves.as_ref().map(training_curves::by_alpha));
            chart.unwrap_or_default()
        }
    };
    view! {
        <Figure
            id="figure-loss" question="Is the loss still falling?" waiting=WAITING
            chart=chart(now.loss)
        />
        <Figure
            id="figure-accuracy" question="How accurate are the networks so far?" waiting=WAITING
            chart=chart(now.accuracy)
        />
    }
    .into_any()
}

/// One curve per run, of a quantity that the address names.
#[component]
fn Runs(now: PageSignals, quantity: Memo<CurveQuantity>) -> impl IntoView {
    let curves = now.curves?;
    let id = now.experiment.with_untracked(|experiment| experiment.id);
    let error = follow(quantity, curves, move |wanted| read(id.to_string(), wanted));
    let choices = choices(
        &CurveQuantity::ALL,
        CurveQuantity::id,
        training_curves::label,
    );
    let figure = view! {
        <Figure
            id="figure-training" question="How did each run’s training go?" waiting=WAITING
            chart=move || curves.with(training_curves::by_run)
        >
            <div class="controls">
                <Chooser
                    id=QUANTITY label="Quantity" options=Signal::stored(choices)
                    value=Signal::derive(move || quantity.get().id().to_owned())
                    choose=setter(QUANTITY)
                />
            </div>
            {move || error.get().map(|error| view! { <ErrorBox error /> })}
        </Figure>
    };
    Some(figure.into_any())
}
