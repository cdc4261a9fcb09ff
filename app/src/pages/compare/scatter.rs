//! Two measures of the compared runs against each other.

use leptos::prelude::*;
use protocol::comparison::Comparison;
use protocol::quantity::Quantity;

use crate::chart::Figure;
use crate::data::choice::Choice;
use crate::data::query::{chosen, naming_setter};
use crate::figures::comparison_scatter;
use crate::ui::Chooser;

/// The measure along the horizontal axis: the name of the choice in the address, and of the element.
pub const X: &str = "x";
/// The measure along the vertical axis.
pub const Y: &str = "y";

/// The measure that the address names under `key`; the one at `usual` where it names none.
fn place(comparison: StoredValue<Comparison>, key: &'static str, usual: usize) -> Memo<usize> {
    let chosen = chosen(key);
    Memo::new(move |_| {
        let chosen = chosen.get();
        comparison.with_value(|comparison| {
            let mut measures = comparison.measures.iter();
            let named = |name: String| measures.position(|measure| measure.measure == name);
            chosen.and_then(named).unwrap_or(usual)
        })
    })
}

/// The figure; nothing where only one measure was answered.
#[component]
pub fn Scatter(comparison: StoredValue<Comparison>) -> impl IntoView {
    let (selectivity, choices) = comparison.with_value(|comparison| {
        let name = Quantity::Selectivity.to_string();
        let mut measures = comparison.measures.iter();
        let choices = comparison.measures.iter();
        let choices = choices.map(|one| Choice::new(one.measure.clone(), one.label.clone()));
        (
            measures
                .position(|measure| measure.measure == name)
                .unwrap_or(0),
            choices.collect::<Vec<_>>(),
        )
    });
    let other = (0..choices.len()).find(|&place| place != selectivity)?;
    let (x, y) = (
        place(comparison, X, selectivity),
        place(comparison, Y, other),
    );
    let name = move |place: Memo<usize>| {
        Signal::derive(move || {
            comparison.with_value(|comparison| {
                let measure = comparison.measures.get(place.get());
                measure.map_or_else(String::new, |measure| measure.measure.clone())
            })
        })
    };
    let figure = view! {
        <Figure
            id="figure-compare-scatter"
            question="Do the two measures vary together?"
            waiting="No run has both measures."
            chart=move || comparison.with_value(|comparison| comparison_scatter::chart(comparison, x.get(), y.get()))
        >
            <div class="controls">
                <Chooser id=X label="Horizontal" options=Signal::stored(choices.clone()) value=name(x) choose=naming_setter(X) />
                <Chooser id=Y label="Vertical" options=Signal::stored(choices) value=name(y) choose=naming_setter(Y) />
            </div>
        </Figure>
    };
    Some(figure.into_any())
}
