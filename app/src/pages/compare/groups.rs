//! The groups as a table; each opens to its runs.

use std::collections::BTreeSet;
use std::iter::once;

use leptos::prelude::*;
use leptos_router::components::A;
use protocol::api::Mean;
use protocol::comparison::{Comparison, ConfigurationField, FieldValue, GroupedRun, RunGroup};

use super::ROWS;
use crate::format;
use crate::ui::grid::fold;
use crate::ui::{AlphaChip, Column, Grid};

/// The table of groups.
#[component]
pub fn Groups(comparison: StoredValue<Comparison>) -> impl IntoView {
    let open = RwSignal::new(BTreeSet::<usize>::new());
    let limit = RwSignal::new(ROWS);
    let all = comparison.with_value(|comparison| comparison.groups.len());
    let columns: Vec<_> = comparison.with_value(|comparison| {
        let fields = comparison.fields.iter();
        let fields = fields.map(|field| Column::words(field.label()));
        let measures = comparison.measures.iter().map(|measure| {
            let images = measure.images.map_or_else(
                || measure.label.clone(),
                |images| {
                    let images = format::plural(images.into(), "image", "images");
                    format!("{}, on {images}", measure.label)
                },
            );
            let column = Column::number(measure.label.clone()).class("measure");
            column.explained(images)
        });
        once(Column::words("Runs"))
            .chain(fields)
            .chain(once(Column::number("n")))
            .chain(measures)
            .collect()
    });
    let rows = move || {
        comparison.with_value(|comparison| {
            let groups = comparison.groups.iter().enumerate().take(limit.get());
            groups
                .map(|(index, group)| rows_of(comparison, index, group, open))
                .collect_view()
        })
    };
    let uneven = comparison.with_value(|comparison| comparison.groups.iter().any(|g| g.uneven));
    let missing = comparison.with_value(missing);
    view! {
        <section aria-labelledby="groups-title">
            <h2 id="groups-title">"Groups"</h2>
            <p class="hint">"Means over replicates with 95 % intervals. Open a row to see its runs."</p>
            <Grid id="groups" label="Table of groups" columns>{rows}</Grid>
            <More limit all />
            <p class="hint" hidden=!uneven>"* Some replicates of this group have more runs than others, so their means cover different configurations. Group by more fields, or filter."</p>
            <p class="hint" hidden=missing.is_empty()>{missing.clone()}</p>
        </section>
    }
    .into_any()
}

/// A button for the rows that are not shown.
#[component]
pub fn More(
    /// How many are shown.
    limit: RwSignal<usize>,
    /// How many there are.
    all: usize,
) -> impl IntoView {
    let label = move || {
        let remaining = all.saturating_sub(limit.get());
        format!(
            "Show {} of {} more",
            remaining.min(ROWS),
            format::count(remaining as u64)
        )
    };
    let done = move || limit.get() >= all;
    view! { <p hidden=done><button type="button" class="more" on:click=move |_| limit.update(|limit| *limit += ROWS)>{label}</button></p> }
}

/// Which measures runs lack, in words.
fn missing(comparison: &Comparison) -> String {
    let parts: Vec<String> = comparison
        .measures
        .iter()
        .filter(|measure| measure.missing_runs > 0)
        .map(|measure| {
            let runs = format::plural(measure.missing_runs.into(), "run lacks", "runs lack");
            format!("{runs} “{}”", measure.label)
        })
        .collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!(
            "{}: not measured, or measured under different conditions from most runs.",
            parts.join("; ")
        ),
    }
}

/// A value of a field, alpha with its colour.
pub fn value(field: ConfigurationField, value: &FieldValue) -> AnyView {
    match (field, value.number) {
        (ConfigurationField::Alpha, Some(alpha)) => view! { <AlphaChip alpha /> }.into_any(),
        (ConfigurationField::Experiment, Some(id)) => {
            let label = value.label.clone();
            view! { <A href=format!("/experiments/{id}")>{label}</A> }.into_any()
        }
        _ => value.label.clone().into_any(),
    }
}

/// A mean with its interval, and with its n where that differs from the row's.
pub fn mean(mean: Option<Mean>, n: u32) -> String {
    let Some(mean) = mean else {
        return "–".to_owned();
    };
    let interval = format::interval(mean.interval, 3);
    let own_n = match mean.n == n {
        true => String::new(),
        false => format!(" (n = {})", mean.n),
    };
    format!("{:.3}{interval}{own_n}", mean.mean)
}

fn rows_of(
    comparison: &Comparison,
    index: usize,
    group: &RunGroup,
    open: RwSignal<BTreeSet<usize>>,
) -> impl IntoView + use<> {
    let is_open = Memo::new(move |_| open.with(|open| open.contains(&index)));
    let values = comparison
        .fields
        .iter()
        .zip(&group.values)
        .map(|(&field, field_value)| view! { <td>{value(field, field_value)}</td> })
        .collect_view();
    let n = group
        .means
        .first()
        .copied()
        .flatten()
        .map_or(0, |mean| mean.n);
    let means = group
        .means
        .iter()
        .map(|group_mean| view! { <td class="number">{mean(*group_mean, n)}</td> })
        .collect_view();
    let fields = comparison.fields.len();
    let runs = group.runs.clone();
    let label = format!("Runs of {}", group.label);
    let count = format::plural(group.runs.len() as u64, "run", "runs");
    let opened = move || is_open.get().then(|| members(&runs, fields));
    view! {
        <tr data-group=index>
            <th scope="row">{fold(open, index, Some(label), count)}</th>
            {values}
            <td class="number">{n}{group.uneven.then_some("*")}</td>
            {means}
        </tr>
        {opened}
    }
}

fn members(runs: &[GroupedRun], fields: usize) -> AnyView {
    let left = runs.len().saturating_sub(ROWS);
    let rows = runs
        .iter()
        .take(ROWS)
        .map(|run| {
            let values = run
                .values
                .iter()
                .map(|value| {
                    let text = value.map_or("–".to_owned(), |value| format!("{value:.3}"));
                    view! { <td class="number">{text}</td> }
                })
                .collect_view();
            let what = format!("alpha {}, seed {}", format::alpha(run.alpha), run.seed);
            view! {
                <tr class="member" data-run=run.run_id>
                    <th scope="row"><A href=format!("/runs/{}", run.run_id)>{format!("Run {}", run.run_id)}</A></th>
                    <td colspan=fields + 1>{what}</td>
                    {values}
                </tr>
            }
        })
        .collect_view();
    let rest = (left > 0).then(|| {
        let text = format!(
            "and {} more; filter to see them",
            format::count(left as u64)
        );
        view! { <tr class="member"><td class="hint" colspan=fields + 2>{text}</td></tr> }
    });
    view! { {rows}{rest} }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: an n that is the row's where a measure has fewer values, or an interval of one value.
    #[test]
    fn means_say_their_own_n() {
        let group_mean = |n, interval| Mean {
            mean: 0.5,
            n,
            interval,
        };
        assert_eq!(
            mean(Some(group_mean(3, Some([0.25, 0.75]))), 3),
            "0.500 [0.250, 0.750]"
        );
        assert_eq!(mean(Some(group_mean(1, None)), 3), "0.500 (n = 1)");
        assert_eq!(mean(None, 3), "–");
    }
}
