//! Runs over seeds: one row per alpha, which opens to its runs.

use std::collections::BTreeSet;

use leptos::prelude::*;
use protocol::api::Mean;
use protocol::work::share_of_all_done;
use protocol::{Run, RunState};

use super::row::Row;
use super::{OWN_COLUMNS, ROWS, Table};
use crate::format;
use crate::ui::grid::fold;
use crate::ui::{AlphaChip, Grid, ProgressBar};

/// The table by alpha.
#[component]
pub fn ByAlpha(table: Table) -> impl IntoView {
    // As bits: floats cannot be keys.
    let alphas = Memo::new(move |_| table.runs.with(|runs| alphas(runs)));
    let open = RwSignal::new(BTreeSet::<u64>::new());
    let rows = move |bits: u64| view! { <Group table open bits /> };
    let columns = table.columns();
    view! {
        <p class="hint">"Means over seeds with 95 % intervals (Student's t), for 2 or more finished seeds; validation accuracy: lowest to highest over the runs' latest epochs. Open a row to see its runs."</p>
        <Grid id="runs" label="Table of runs" columns=Signal::derive(move || columns.get().0)>
            <For each=move || alphas.get() key=|bits| *bits children=rows />
        </Grid>
    }
    .into_any()
}

/// Every alpha of `runs` once, in order, as bits.
fn alphas(runs: &[Run]) -> Vec<u64> {
    let mut alphas: Vec<f64> = runs.iter().map(|run| run.spec.alpha).collect();
    alphas.sort_by(f64::total_cmp);
    alphas.dedup();
    alphas.into_iter().map(f64::to_bits).collect()
}

/// The progress of the runs of one alpha.
#[derive(Debug, Clone, PartialEq)]
struct Standing {
    ids: Vec<i64>,
    /// How many are in each state, in words.
    states: String,
    share: f64,
    /// Lowest and highest validation accuracy of the runs' newest epochs.
    validation: Option<[f64; 2]>,
}

impl Standing {
    fn of(runs: &[Run], alpha: f64) -> Standing {
        let of_alpha: Vec<Run> = runs
            .iter()
            .filter(|run| run.spec.alpha == alpha)
            .cloned()
            .collect();
        let states = RunState::ALL.into_iter().filter_map(|state| {
            let count = of_alpha.iter().filter(|run| run.state == state).count();
            (count > 0).then(|| format!("{count} {}", state.id()))
        });
        let validation: Vec<f64> = of_alpha
            .iter()
            .filter_map(|run| Some(run.latest_epoch.as_ref()?.validation_accuracy))
            .collect();
        Standing {
            ids: of_alpha.iter().map(|run| run.id).collect(),
            states: states.collect::<Vec<_>>().join(", "),
            share: share_of_all_done(&of_alpha),
            validation: validation
                .iter()
                .copied()
                .min_by(f64::total_cmp)
                .zip(validation.iter().copied().max_by(f64::total_cmp))
                .map(<[f64; 2]>::from),
        }
    }
}

/// A mean as `61.2 % [60.9, 61.6]`.
fn percent(mean: Option<Mean>) -> String {
    let Some(mean) = mean else {
        return "–".to_owned();
    };
    let ends = mean.interval.map(|ends| ends.map(|end| end * 100.0));
    let interval = format::interval(ends, 1);
    format!("{}{interval}", format::percent(mean.mean))
}

/// An alpha, and its runs below it.
#[component]
fn Group(table: Table, open: RwSignal<BTreeSet<u64>>, bits: u64) -> impl IntoView {
    let alpha = f64::from_bits(bits);
    let standing = Memo::new(move |_| table.runs.with(|runs| Standing::of(runs, alpha)));
    let is_open = Memo::new(move |_| open.with(|open| open.contains(&bits)));
    // A small experiment has its runs ready below each alpha; a large one would slow the page down.
    let small = Memo::new(move |_| table.runs.with(|runs| runs.len() <= ROWS));
    let ids = Memo::new(move |_| match small.get() || is_open.get() {
        true => {
            standing.with(|standing| standing.ids.iter().copied().take(ROWS).collect::<Vec<_>>())
        }
        false => Vec::new(),
    });
    let left = move || {
        let all = standing.with(|standing| standing.ids.len());
        all.saturating_sub(ROWS)
    };
    let rest = move || {
        (is_open.get() && left() > 0).then(|| {
            let text = format!(
                "and {} more: see “Single runs”",
                format::count(left() as u64)
            );
            let columns = table.columns();
            let width =
                move || columns.with(|columns| table.view.with(|view| columns.width(&view.hidden)));
            view! { <tr><td class="hint" colspan=width>{text}</td></tr> }
        })
    };
    let row = move |id: i64| {
        let run = table.run(move || Some(id))?;
        let hidden = Signal::derive(move || !is_open.get());
        Some(view! { <Row table run hidden /> })
    };
    view! {
        <AlphaRow table open bits standing />
        <For each=move || ids.get() key=|id| *id children=row />
        {rest}
    }
}

/// The row of an alpha: how its runs stand, and the means over seeds.
#[component]
fn AlphaRow(
    table: Table,
    open: RwSignal<BTreeSet<u64>>,
    bits: u64,
    standing: Memo<Standing>,
) -> impl IntoView {
    let alpha = f64::from_bits(bits);
    let means = Memo::new(move |_| {
        table.by_alpha.with(|comparison| {
            let mut groups = comparison.iter().flat_map(|comparison| &comparison.groups);
            let group = groups.find(|group| {
                let run = group.runs.first();
                run.is_some_and(|run| run.alpha == alpha)
            });
            group.map_or_else(Vec::new, |group| group.means.clone())
        })
    });
    let mean = move |place: usize| means.with(|means| means.get(place).copied().flatten());
    // The first two are selectivity and test accuracy, as the table's request has them.
    let selectivity = move || match mean(0) {
        None => "–".to_owned(),
        Some(mean) => {
            let interval = format::interval(mean.interval, 3);
            format!("{:.3}{interval}", mean.mean)
        }
    };
    let n = move || mean(0).map_or(0, |mean| mean.n);
    let extra = move || {
        (OWN_COLUMNS..OWN_COLUMNS + table.extra_measures().len())
            .map(|place| {
                let mean = mean(place);
                let fewer = mean
                    .filter(|mean| mean.n != n())
                    .map(|mean| view! { <div class="hint">{format!("n = {}", mean.n)}</div> });
                view! { <td class="number">{percent(mean)}{fewer}</td> }
            })
            .collect_view()
    };
    let count = move || {
        let runs = standing.with(|standing| standing.ids.len());
        format::plural(runs as u64, "run", "runs")
    };
    let selected = table.selected;
    let ticked = move || {
        standing.with(|standing| {
            let all = |runs: &BTreeSet<i64>| standing.ids.iter().all(|id| runs.contains(id));
            selected.with(all)
        })
    };
    let some = move || {
        standing.with(|standing| {
            let some = |runs: &BTreeSet<i64>| standing.ids.iter().any(|id| runs.contains(id));
            selected.with(some)
        })
    };
    let tick = move |_| {
        let was = ticked();
        let ids = standing.with_untracked(|standing| standing.ids.clone());
        selected.change(&ids, !was);
    };
    let tick_label = format!("Select the runs of alpha {}", format::alpha(alpha));
    view! {
        <tr data-alpha=alpha.to_string() class="of-alpha" class:selected=some>
            <td class="tick"><input type="checkbox" aria-label=tick_label prop:checked=ticked on:change=tick /></td>
            <th scope="row">{fold(open, bits, None, count)}</th>
            <td><AlphaChip alpha /></td>
            <td class="number">{move || format!("n = {}", n())}</td>
            <td>{move || standing.with(|standing| standing.states.clone())}</td>
            <td class="wide"><ProgressBar share=Signal::derive(move || standing.with(|standing| standing.share)) label="Progress of these runs" /></td>
            <td class="number">{move || standing.with(|standing| format::percent_range(standing.validation))}</td>
            <td class="number">{move || percent(mean(1))}</td>
            <td class="number">{selectivity}</td>
            {extra}
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::run_state::tests::run;

    /// Broken by: an alpha listed twice or out of order, or runs of another alpha counted in.
    #[test]
    fn runs_are_counted_by_alpha() {
        let mut runs = vec![run(), run(), run()];
        for (index, alpha) in [1.0, -0.5, 1.0].into_iter().enumerate() {
            runs[index].id = index as i64;
            runs[index].spec.alpha = alpha;
        }
        runs[0].state = RunState::Finished;
        assert_eq!(alphas(&runs), [(-0.5_f64).to_bits(), 1.0_f64.to_bits()]);
        let standing = Standing::of(&runs, 1.0);
        assert_eq!(standing.ids, [0, 2]);
        assert_eq!(standing.states, "1 queued, 1 finished");
        assert!((standing.share - 0.5).abs() < 1e-12);
        assert_eq!(standing.validation, None);
    }

    /// Broken by: an interval in shares beside a mean in percent.
    #[test]
    fn means_are_percentages() {
        let mean = Mean {
            mean: 0.612,
            n: 2,
            interval: Some([0.603, 0.62]),
        };
        assert_eq!(percent(Some(mean)), "61.2 % [60.3, 62.0]");
        assert_eq!(percent(None), "–");
    }
}
