//! One run as a row, in either table.

use leptos::prelude::*;
use leptos_router::components::A;
use protocol::Run;
use protocol::work::share_done;

use super::Table;
use crate::data::run_state::activity;
use crate::figures::words::optional;
use crate::format;
use crate::ui::{AlphaChip, ProgressBar, StateBadge, Tags};

/// A run. Its columns are those of [`Columns`](super::columns::Columns).
#[component]
pub fn Row(
    /// The table it is in.
    table: Table,
    /// The run.
    run: Memo<Run>,
    /// Whether it is folded away.
    #[prop(into)]
    hidden: Signal<bool>,
) -> impl IntoView {
    let id = Memo::new(move |_| run.with(|run| run.id));
    let state = Signal::derive(move || run.with(|run| run.state));
    let share = Signal::derive(move || run.with(share_done));
    let reason = move || run.with(|run| run.reason.clone());
    let tags = Memo::new(move |_| run.with(|run| run.tags.clone()));
    let tags = move || view! { <Tags tags=tags.get() /> };
    let alpha = Memo::new(move |_| run.with(|run| run.spec.alpha));
    let alpha = move || view! { <AlphaChip alpha=alpha.get() /> };
    let seed = move || run.with(|run| run.spec.seed);
    let validation = move || {
        run.with(|run| {
            let epoch = run.latest_epoch.as_ref();
            optional(
                epoch.map(|epoch| epoch.validation_accuracy),
                format::percent,
            )
        })
    };
    let test = move || {
        run.with(|run| {
            let result = run.result.as_ref();
            optional(result.map(|result| result.test_accuracy), format::percent)
        })
    };
    // Without a result: the last value on the validation images, marked as such.
    let selectivity = move || {
        run.with(|run| match (&run.result, &run.latest_epoch) {
            (Some(result), _) => format!("{:.3}", result.selectivity),
            (None, Some(epoch)) => format!("{:.3} (validation)", epoch.selectivity),
            (None, None) => "–".to_owned(),
        })
    };
    let extra = move || {
        let places = 0..table.extra_measures().len();
        table.extra.with(|extra| {
            let values = extra.get(&id.get());
            places
                .map(|place| {
                    let value = values.and_then(|values| values.get(place).copied().flatten());
                    view! { <td class="number">{optional(value, format::percent)}</td> }
                })
                .collect_view()
        })
    };
    let selected = table.selected;
    let ticked = move || selected.contains(id.get());
    let tick = move |_| selected.toggle(id.get_untracked());
    let label = move || format!("Select run {}", id.get());
    let address = move || format!("/runs/{}", id.get());
    view! {
        <tr data-run=id hidden=hidden class:selected=ticked>
            <td class="tick"><input type="checkbox" aria-label=label prop:checked=ticked on:change=tick /></td>
            <th scope="row"><A href=address>{id}</A><div class="tags">{tags}</div></th>
            <td>{alpha}</td>
            <td class="number">{seed}</td>
            <td><StateBadge state /><div class="hint">{reason}</div></td>
            <td class="wide"><ProgressBar share label="Progress of the run" /><div class="hint">{move || run.with(activity)}</div></td>
            <td class="number">{validation}</td>
            <td class="number">{test}</td>
            <td class="number">{selectivity}</td>
            {extra}
        </tr>
    }
}
