//! Runs one by one: sorted, filtered, a page at a time.

use leptos::prelude::*;
use protocol::RunState;
use protocol::comparison::FilterError;

use super::row::Row;
use super::view::{Column, View};
use super::{ROWS, Table};
use crate::components::state_badge::label;
use crate::components::{Choice, Chooser, SortHeading};
use crate::format;

/// The table of single runs.
#[component]
pub fn Single(table: Table) -> impl IntoView {
    let view = table.view;
    let order: Memo<Result<Vec<i64>, FilterError>> = Memo::new(move |_| {
        view.with(|view| {
            table.runs.with(|runs| {
                table.experiment.with(|experiment| {
                    table.extra.with(|extra| {
                        view.order(runs, experiment, |id| {
                            extra.get(&id).cloned().unwrap_or_default()
                        })
                    })
                })
            })
        })
    });
    let total = Memo::new(move |_| order.with(|order| order.as_ref().map_or(0, Vec::len)));
    let pages = Memo::new(move |_| total.get().div_ceil(ROWS).max(1));
    // A page that a filter has emptied is the last one there is.
    let page = Memo::new(move |_| view.with(|view| view.page).min(pages.get() - 1));
    let ids = Memo::new(move |_| {
        order.with(|order| {
            let ids = order.as_deref().unwrap_or_default();
            ids.iter()
                .copied()
                .skip(page.get() * ROWS)
                .take(ROWS)
                .collect::<Vec<_>>()
        })
    });
    let wrong = move || order.with(|order| order.as_ref().err().map(ToString::to_string));
    let row = move |id: i64| {
        let run = table.run(id);
        view! { <Row table run hidden=Signal::stored(false) /> }
    };
    let turn = move |to: usize| {
        table.go.run(View {
            page: to,
            ..view.get_untracked()
        });
    };
    let mut states = vec![Choice::new("", "Any")];
    states.extend(RunState::ALL.map(|state| Choice::new(state.id(), label(state))));
    let state = Signal::derive(move || {
        let state = view.with(|view| view.state);
        state.map_or_else(String::new, |state| state.id().to_owned())
    });
    let extra = move || {
        let labels = table.extra_labels().into_iter().enumerate();
        labels
            .map(|(place, label)| heading(table, Column::Extra(place), label, true))
            .collect_view()
    };
    let own = move |column: Column, label: &str, number: bool| {
        heading(table, column, label.to_owned(), number)
    };
    let none = move || total.get() == 0 && wrong().is_none();
    // Not inside `view!`, which takes the `>` of `>=` for the end of the tag.
    let at_end = move || page.get() + 1 >= pages.get();
    view! {
        <div class="filter">
            <label for="runs-filter">"Filter"</label>
            <input id="runs-filter" type="search" autocomplete="off" placeholder="alpha:0, seed:1, tag:good" prop:value=move || view.with(|view| view.filter.clone())
                aria-invalid=move || wrong().is_some().to_string()
                on:change=move |event| table.go.run(View { filter: event_target_value(&event).trim().to_owned(), page: 0, ..view.get_untracked() }) />
            <Chooser
                id="runs-state" label="State" options=Signal::stored(states) value=state
                choose=move |id| table.go.run(View { state: RunState::from_id(&id), page: 0, ..view.get_untracked() })
            />
        </div>
        <p class="problem" role="alert" hidden=move || wrong().is_none()>{wrong}</p>
        <div class="scroll" tabindex="0" role="region" aria-label="Runs">
            <table id="runs">
                <thead>
                    <tr>
                        <th scope="col"><span class="sr-only">"Compare"</span></th>
                        {own(Column::Run, "Run", false)}
                        {own(Column::Alpha, "Alpha", false)}
                        {own(Column::Seed, "Seed", true)}
                        {own(Column::State, "State", false)}
                        <th scope="col">"Progress"</th>
                        {own(Column::Validation, "Validation accuracy", true)}
                        {own(Column::Test, "Test accuracy", true)}
                        {own(Column::Selectivity, "Selectivity", true)}
                        {extra}
                    </tr>
                </thead>
                <tbody><For each=move || ids.get() key=|id| *id children=row /></tbody>
            </table>
        </div>
        <p class="waiting" hidden=move || !none()>"No run matches."</p>
        <div class="foot">
            <span>{move || format::plural(total.get() as u64, "run", "runs")}</span>
            <nav aria-label="Pages of the runs" hidden=move || pages.get() == 1>
                <button type="button" class="quiet" id="runs-before" disabled=move || page.get() == 0 on:click=move |_| turn(page.get_untracked().saturating_sub(1))>"Before"</button>
                <span>{move || format!("page {} of {}", page.get() + 1, pages.get())}</span>
                <button type="button" class="quiet" id="runs-after" disabled=at_end on:click=move |_| turn(page.get_untracked() + 1)>"After"</button>
            </nav>
        </div>
    }
    .into_any()
}

/// A heading that sorts by its column.
fn heading(table: Table, column: Column, label: String, number: bool) -> impl IntoView {
    let view = table.view;
    let descending = move || view.with(|view| (view.sort == column).then_some(view.descending));
    view! {
        <SortHeading
            id=column.id() label number wraps=number descending=Signal::derive(descending)
            sort=move || table.go.run(view.get_untracked().sorted_by(column))
        />
    }
}
