//! The experiment's runs, live: by alpha over seeds, or one by one.

use std::collections::BTreeMap;

use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_navigate, use_query_map};
use leptos_router::params::ParamsMap;
use protocol::Run;
use protocol::comparison::{Comparison, ExperimentLabel};

use super::PageSignals;
use crate::data::addresses::comparison;
use crate::data::query::in_place;
use crate::data::selection::{SelectedRuns, selected_runs};
use crate::signals::last_found;
use columns::{ColumnChoice, ColumnStyle, Columns};
use view::View;

mod by_alpha;
mod columns;
mod row;
mod single;
mod view;

/// The most runs that a row of the table by alpha opens to; experiments of no more have them ready below it.
const ROWS: usize = 100;

/// Measures with their own column; the others come after them in a [`Comparison`].
const OWN_COLUMNS: usize = 2;

/// What the parts of the table share.
#[derive(Clone, Copy)]
struct Table {
    runs: RwSignal<Vec<Run>>,
    by_alpha: RwSignal<Option<Comparison>>,
    /// What the experiment is called and tagged, for filters.
    experiment: Memo<ExperimentLabel>,
    /// What each run measured besides selectivity and clean accuracy, by run.
    extra: Memo<BTreeMap<i64, Vec<Option<f64>>>>,
    /// Ticked runs: those selected here or in a figure.
    selected: SelectedRuns,
    /// What the address says.
    view: Memo<View>,
    /// Shows another view.
    go: Callback<View>,
}

impl Table {
    /// The run with the number that `id` gives, as it is now, or was last; none without one.
    fn run(self, id: impl Fn() -> Option<i64> + Send + Sync + 'static) -> Option<Memo<Run>> {
        last_found(move || {
            let id = id();
            self.runs
                .with(|runs| runs.iter().find(|run| Some(run.id) == id).cloned())
        })
    }

    /// The measures that have no column of their own: each with its name and its label.
    fn extra_measures(self) -> Vec<(String, String)> {
        self.by_alpha.with(|comparison| {
            let measures = comparison
                .iter()
                .flat_map(|comparison| &comparison.measures);
            let measures = measures.skip(OWN_COLUMNS);
            measures
                .map(|measure| (measure.measure.clone(), measure.label.clone()))
                .collect()
        })
    }

    /// The columns of either table.
    fn columns(self) -> Memo<Columns> {
        Memo::new(move |_| Columns::new(self.extra_measures()))
    }
}

/// What each run measured besides selectivity and clean accuracy, by run.
fn extra_values(now: PageSignals) -> Memo<BTreeMap<i64, Vec<Option<f64>>>> {
    Memo::new(move |_| {
        now.by_alpha.with(|comparison| {
            let groups = comparison.iter().flat_map(|comparison| &comparison.groups);
            let runs = groups.flat_map(|group| &group.runs);
            runs.map(|run| {
                let values = run.values.iter().skip(OWN_COLUMNS);
                (run.run_id, values.copied().collect())
            })
            .collect()
        })
    })
}

/// The table of runs.
#[component]
pub fn Runs(now: PageSignals) -> impl IntoView {
    let query = use_query_map();
    let view = Memo::new(move |_| query.with(|query| View::from_query(|key| query.get(key))));
    let path = use_location().pathname;
    let navigate = use_navigate();
    let go = Callback::new(move |view: View| {
        let mut parameters: ParamsMap = query.get_untracked();
        for (name, value) in view.parameters() {
            parameters.remove(name);
            if let Some(value) = value {
                parameters.insert(name, value);
            }
        }
        let address = format!("{}{}", path.get_untracked(), parameters.to_query_string());
        navigate(&address, in_place());
    });
    let extra = extra_values(now);
    let experiment = Memo::new(move |_| {
        now.experiment.with(|experiment| ExperimentLabel {
            id: experiment.id,
            name: experiment.spec.name.clone(),
            tags: experiment.tags.clone(),
        })
    });
    let table = Table {
        runs: now.runs,
        by_alpha: now.by_alpha,
        experiment,
        extra,
        selected: selected_runs(),
        view,
        go,
    };
    let id = now.experiment.with_untracked(|experiment| experiment.id);
    let compare = comparison(&[id], &[]);
    let all = Memo::new(move |_| view.with(|view| view.all));
    let current = move |is_all: bool| move || (all.get() == is_all).then_some("true");
    let switch = move |is_all: bool| {
        move |_| {
            go.run(View {
                all: is_all,
                ..view.get_untracked()
            })
        }
    };
    let columns = table.columns();
    let body = move || match all.get() {
        true => view! { <single::Single table /> }.into_any(),
        false => view! { <by_alpha::ByAlpha table /> }.into_any(),
    };
    view! {
        <section aria-labelledby="runs-title">
            <div class="heading">
                <h2 id="runs-title">"Runs"</h2>
                <div class="controls">
                    <div class="chips" role="group" aria-label="How runs are listed">
                        <button type="button" class="chip" id="runs-by-alpha" aria-pressed=move || (!all.get()).to_string() aria-current=current(false) on:click=switch(false)>"By alpha"</button>
                        <button type="button" class="chip" id="runs-all" aria-pressed=move || all.get().to_string() aria-current=current(true) on:click=switch(true)>"Single runs"</button>
                    </div>
                    <ColumnChoice columns view go />
                    <a class="button" id="compare-runs" href=compare>"Compare all"</a>
                </div>
            </div>
            <ColumnStyle columns view />
            {body}
        </section>
    }
    .into_any()
}
