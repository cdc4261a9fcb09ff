//! The runs that are selected: one selection for every figure and table of the dashboard. Brushed points tick their rows,
//! ticked rows light up their points, and the selected runs can be compared.

use std::collections::BTreeSet;

use leptos::prelude::*;

use crate::data::addresses::comparison;
use crate::format;
use crate::signals::toggle;

/// The selected runs, by number: the same on all pages.
#[derive(Debug, Clone, Copy)]
pub struct SelectedRuns(RwSignal<BTreeSet<i64>>);

/// Puts [`SelectedRuns`] into context, for the life of the page.
pub fn provide_selection() {
    provide_context(SelectedRuns(RwSignal::new(BTreeSet::new())));
}

/// The selection; a new, empty one where no page provides it.
pub fn selected_runs() -> SelectedRuns {
    use_context().unwrap_or_else(|| SelectedRuns(RwSignal::new(BTreeSet::new())))
}

impl SelectedRuns {
    /// What is selected now.
    pub fn with<T>(self, read: impl FnOnce(&BTreeSet<i64>) -> T) -> T {
        self.0.with(read)
    }

    /// Whether a run is selected.
    pub fn contains(self, run: i64) -> bool {
        self.0.with(|runs| runs.contains(&run))
    }

    /// Selects or unselects a run.
    pub fn toggle(self, run: i64) {
        toggle(self.0, run);
    }

    /// Adds runs to the selection, or removes them.
    pub fn change(self, runs: &[i64], selected: bool) {
        self.0.update(|known| match selected {
            true => known.extend(runs),
            false => known.retain(|run| !runs.contains(run)),
        });
    }

    /// Selects only these.
    pub fn set(self, runs: BTreeSet<i64>) {
        self.0.set(runs);
    }
}

/// How many runs are selected, and what can be done with them; nothing while none is.
#[component]
pub fn SelectionBar() -> impl IntoView {
    let selected = selected_runs();
    let count = Memo::new(move |_| selected.with(BTreeSet::len));
    let compare =
        move || selected.with(|runs| comparison(&[], &runs.iter().copied().collect::<Vec<_>>()));
    view! {
        <div class="bar" id="selection" hidden=move || count.get() == 0>
            <span>{move || format!("{} selected", format::plural(count.get() as u64, "run", "runs"))}</span>
            <a class="button" href=compare>"Compare"</a>
            <button type="button" class="quiet" on:click=move |_| selected.set(BTreeSet::new())>"Clear"</button>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use leptos::reactive::owner::Owner;

    /// Breaks when selecting some runs forgets others, or unselecting them leaves one.
    #[test]
    fn runs_are_selected_besides_others() {
        let owner = Owner::new();
        owner.with(|| {
            let selected = selected_runs();
            selected.toggle(1);
            selected.change(&[2, 3], true);
            assert_eq!(selected.with(|runs| runs.len()), 3);
            selected.change(&[1, 2], false);
            assert!(selected.contains(3) && !selected.contains(1));
            selected.toggle(3);
            assert!(selected.with(BTreeSet::is_empty));
        });
    }
}
