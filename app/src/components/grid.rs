//! What tables share: headings that sort, rows that open, rows that are ticked, and a button for more rows.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use leptos::prelude::*;

use crate::format;

/// Rows with a value in order, the largest first where `descending`; those without one last, either way.
pub fn absent_last(a: Option<f64>, b: Option<f64>, descending: bool) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) if descending => b.total_cmp(&a),
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

/// A heading that sorts by its column.
#[component]
pub fn SortHeading(
    /// The column's name in the address.
    #[prop(into)]
    id: String,
    /// What a person calls it.
    #[prop(into)]
    label: String,
    /// What is in it, in a sentence.
    #[prop(optional, into)]
    meaning: Option<String>,
    /// Whether it holds numbers.
    number: bool,
    /// Whether its label may be on several lines.
    #[prop(optional)]
    wraps: bool,
    /// Whether the table is sorted by it now, and then whether the largest come first.
    #[prop(into)]
    descending: Signal<Option<bool>>,
    /// Sorts by it.
    sort: impl Fn() + Send + Sync + 'static,
) -> impl IntoView {
    let direction = move || {
        let descending = descending.get()?;
        Some(if descending {
            "descending"
        } else {
            "ascending"
        })
    };
    let arrow = move || match descending.get() {
        None => "",
        Some(true) => " ↓",
        Some(false) => " ↑",
    };
    view! {
        <th scope="col" class:number=number class:measure=wraps aria-sort=direction>
            <button type="button" class="sort" data-sort=id title=meaning on:click=move |_| sort()>
                {label}<span aria-hidden="true">{arrow}</span>
            </button>
        </th>
    }
    .into_any()
}

/// A box that ticks one row, or all rows of a group.
#[component]
pub fn Tick(
    /// What it ticks.
    #[prop(into)]
    ids: Signal<Vec<i64>>,
    /// Everything that is ticked.
    ticked: RwSignal<BTreeSet<i64>>,
    /// What it does, for screen readers.
    label: String,
) -> impl IntoView {
    let checked =
        move || ticked.with(|ticked| ids.with(|ids| ids.iter().all(|id| ticked.contains(id))));
    let tick = move |_| {
        let was = checked();
        let ids = ids.get_untracked();
        ticked.update(|ticked| match was {
            true => ticked.retain(|id| !ids.contains(id)),
            false => ticked.extend(ids),
        });
    };
    view! { <td class="tick"><input type="checkbox" aria-label=label prop:checked=checked on:change=tick /></td> }.into_any()
}

/// A button that opens the row of `key`.
#[component]
pub fn Opener<K: Ord + Copy + Send + Sync + 'static>(
    /// The row.
    key: K,
    /// The rows that are open.
    open: RwSignal<BTreeSet<K>>,
    /// What is in it.
    #[prop(into)]
    text: Signal<String>,
    /// What it opens, for screen readers, where the text does not say.
    #[prop(optional, into)]
    label: Option<String>,
) -> impl IntoView {
    let is_open = Memo::new(move |_| open.with(|open| open.contains(&key)));
    let toggle = move |_| {
        open.update(|open| {
            if !open.remove(&key) {
                open.insert(key);
            }
        });
    };
    let sign = move || if is_open.get() { "▾ " } else { "▸ " };
    view! {
        <button type="button" class="quiet open" aria-label=label aria-expanded=move || is_open.get().to_string() on:click=toggle>
            <span aria-hidden="true">{sign}</span>{text}
        </button>
    }
    .into_any()
}

/// A button for the rows that are not shown.
#[component]
pub fn More(
    /// How many are shown.
    shown: RwSignal<usize>,
    /// How many there are.
    all: usize,
    /// How many more come with it.
    step: usize,
) -> impl IntoView {
    let label = move || {
        let left = all.saturating_sub(shown.get());
        format!(
            "Show {} of {} more",
            left.min(step),
            format::count(left as u64)
        )
    };
    let done = move || shown.get() >= all;
    view! { <p hidden=done><button type="button" class="more" on:click=move |_| shown.update(|shown| *shown += step)>{label}</button></p> }.into_any()
}
