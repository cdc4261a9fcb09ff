//! Runs one by one: sorted, filtered, a page at a time.

use leptos::prelude::*;
use protocol::RunState;
use protocol::comparison::FilterError;

use super::Table;
use super::row::Row;
use super::view::{self, View};
use crate::data::choice::Choice;
use crate::format;
use crate::ui::state_badge::label;
use crate::ui::{Chooser, Column, Grid, Sorting};

/// Rows of a page: sorting renews them all, which takes about a millisecond each.
const PAGE_ROWS: usize = 50;

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
    let pages = Memo::new(move |_| total.get().div_ceil(PAGE_ROWS).max(1));
    // A page beyond the last, after filtering, becomes the last.
    let page = Memo::new(move |_| view.with(|view| view.page).min(pages.get() - 1));
    let ids = Memo::new(move |_| {
        order.with(|order| {
            let ids = order.as_deref().unwrap_or_default();
            ids.iter()
                .copied()
                .skip(page.get() * PAGE_ROWS)
                .take(PAGE_ROWS)
                .collect::<Vec<_>>()
        })
    });
    let wrong = move || order.with(|order| order.as_ref().err().map(ToString::to_string));
    // A row a place, not a row a run: another order changes the texts of a page's rows and makes none anew.
    let row = move |place: usize| {
        let id = move || ids.with(|ids| ids.get(place).copied());
        let run = table.run(id)?;
        Some(view! { <Row table run hidden=Signal::stored(false) /> })
    };
    let columns = table.columns();
    // Numbers under a heading that sorts take the width of measures.
    let wide = |column: Column| match column.number {
        true => column.class("measure"),
        false => column,
    };
    let columns = Signal::derive(move || columns.get().0.into_iter().map(wide).collect::<Vec<_>>());
    let sorting = Sorting {
        order: Signal::derive(move || view.with(|view| (view.sort.id(), view.descending))),
        choose: Callback::new(move |name: String| {
            if let Some(column) = view::Column::from_id(&name) {
                table.go.run(view.get_untracked().sorted_by(column));
            }
        }),
    };
    let none = move || total.get() == 0 && wrong().is_none();
    view! {
        <Filter table wrong=Signal::derive(move || wrong().is_some()) />
        <p class="problem" role="alert" hidden=move || wrong().is_none()>{wrong}</p>
        <Grid id="runs" label="Table of runs" columns sorting>
            <For each=move || 0..ids.with(Vec::len) key=|place| *place children=row />
        </Grid>
        <p class="waiting" hidden=move || !none()>"No run matches."</p>
        <Foot table total pages page />
    }
    .into_any()
}

/// Which runs are listed.
#[component]
fn Filter(table: Table, wrong: Signal<bool>) -> impl IntoView {
    let view = table.view;
    let mut states = vec![Choice::new("", "Any")];
    states.extend(RunState::ALL.map(|state| Choice::new(state.id(), label(state))));
    let state = Signal::derive(move || {
        let state = view.with(|view| view.state);
        state.map_or_else(String::new, |state| state.id().to_owned())
    });
    view! {
        <div class="filter">
            <label for="runs-filter">"Filter"</label>
            <input id="runs-filter" type="search" autocomplete="off" placeholder="alpha:0, seed:1, tag:good" prop:value=move || view.with(|view| view.filter.clone())
                aria-invalid=move || wrong.get().to_string()
                on:change=move |event| table.go.run(View { filter: event_target_value(&event).trim().to_owned(), page: 0, ..view.get_untracked() }) />
            <Chooser
                id="runs-state" label="State" options=Signal::stored(states) value=state
                choose=move |id| table.go.run(View { state: RunState::from_id(&id), page: 0, ..view.get_untracked() })
            />
        </div>
    }
    .into_any()
}

/// How many runs there are, and the way to other pages of them.
#[component]
fn Foot(table: Table, total: Memo<usize>, pages: Memo<usize>, page: Memo<usize>) -> impl IntoView {
    let view = table.view;
    let turn = move |to: usize| {
        table.go.run(View {
            page: to,
            ..view.get_untracked()
        });
    };
    // Not inside `view!`, which takes the `>` of `>=` for the end of the tag.
    let at_end = move || page.get() + 1 >= pages.get();
    view! {
        <div class="foot">
            <span>{move || format::plural(total.get() as u64, "run", "runs")}</span>
            <nav aria-label="Pages of the runs" hidden=move || pages.get() == 1>
                <button type="button" class="quiet" id="runs-before" disabled=move || page.get() == 0 on:click=move |_| turn(page.get_untracked().saturating_sub(1))>"Previous"</button>
                <span>{move || format!("page {} of {}", page.get() + 1, pages.get())}</span>
                <button type="button" class="quiet" id="runs-after" disabled=at_end on:click=move |_| turn(page.get_untracked() + 1)>"Next"</button>
            </nav>
        </div>
    }
    .into_any()
}
