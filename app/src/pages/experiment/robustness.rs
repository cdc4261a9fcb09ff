//! What class selectivity does to robustness, average-case and worst-case.

use leptos::prelude::*;

use super::conditions::Conditions;
use super::measures::MeasuresFigure;
use super::view::View;
use super::{PageSignals, Selections};

/// The tab.
#[component]
pub fn Robustness(now: PageSignals, selections: Selections) -> impl IntoView {
    view! {
        <Conditions now />
        <div class="figures">
            <MeasuresFigure now view=View::Corruptions selections />
            <MeasuresFigure now view=View::Attacks selections />
        </div>
    }
    .into_any()
}
