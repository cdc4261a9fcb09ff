//! Runs and experiments compared: chosen, filtered, grouped, drawn, differenced and tested.

use futures::join;
use leptos::either::Either;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_query_map};
use protocol::api::{ApiError, ExperimentPage};
use protocol::comparison::Comparison;
use serde::{Deserialize, Serialize};

use crate::chart::Figure;
use crate::data::{addresses, api};
use crate::figures::compared_runs::ComparedRun;
use crate::figures::comparison;
use crate::format;
use crate::ui::{Contents, ErrorBox};
pub use view::View;

mod choose;
mod differences;
mod groups;
mod runs;
mod scatter;
mod significance;
mod view;

/// How many of the newest experiments are offered; others can be given by number.
const OFFERED: u32 = 200;

/// What figures show of the same answer: it stays in the address when something else is compared.
const KEPT: [&str; 5] = [
    scatter::X,
    scatter::Y,
    runs::BASELINE,
    runs::OTHER,
    runs::CURVE,
];

/// The part of the page's query that figures read, see [`KEPT`].
fn use_kept() -> Memo<String> {
    let map = use_query_map();
    Memo::new(move |_| {
        map.with(|map| {
            let kept = addresses::query(KEPT.map(|key| (key, map.get(key))));
            kept.trim_start_matches('?').to_owned()
        })
    })
}

/// An address with more parameters in its query.
fn joined(address: &str, parameters: &str) -> String {
    match (parameters.is_empty(), address.contains('?')) {
        (true, _) => address.to_owned(),
        (false, true) => format!("{address}&{parameters}"),
        (false, false) => format!("{address}?{parameters}"),
    }
}

/// Rows that tables show at first; more come with a button.
const ROWS: usize = 100;

/// Everything that the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Data {
    view: View,
    offered: ExperimentPage,
    /// An error where the address names something missing; the form stays, to correct it.
    comparison: Result<Comparison, ApiError>,
    /// Its runs one by one, where these are few.
    runs: Vec<ComparedRun>,
    /// Why some of these cannot be read.
    unreadable: Vec<ApiError>,
}

async fn read(view: View) -> Result<Data, ApiError> {
    let offered = api::get(&format!("/experiments?page_size={OFFERED}"));
    let comparison = api::get_part(&format!("/compare{}", view.query()));
    let (offered, comparison) = join!(offered, comparison);
    let (runs, unreadable) = match &comparison {
        Ok(comparison) => runs::read(comparison).await,
        Err(_) => (Vec::new(), Vec::new()),
    };
    Ok(Data {
        offered: offered?,
        comparison,
        runs,
        unreadable,
        view,
    })
}

/// The page at `/compare`.
#[component]
pub fn ComparePage() -> impl IntoView {
    let map = use_query_map();
    let view = Memo::new(move |_| map.with(|map| View::from_query(|key| map.get(key))));
    let data = Resource::new(move || view.get(), read);
    let navigate = use_navigate();
    let kept = use_kept();
    let go = Callback::new(move |view: View| {
        let options = NavigateOptions {
            scroll: false,
            ..Default::default()
        };
        let address = kept.with_untracked(|kept| joined(&view.address(), kept));
        navigate(&address, options);
    });
    // The old view stays until the new one is there: a choice must not make the page jump.
    view! {
        <Title text="Compare" />
        <div class="heading"><h1>"Compare"</h1></div>
        <Transition fallback=|| view! { <p class="waiting" aria-busy="true">"Loading …"</p> }>
            {move || Suspend::new(async move {
                match data.await {
                    Ok(data) => Either::Left(view! { <Whole data go /> }.into_any()),
                    Err(error) => Either::Right(view! { <ErrorBox error /> }),
                }
            })}
        </Transition>
    }
    .into_any()
}

#[component]
fn Whole(data: Data, go: Callback<View>) -> impl IntoView {
    let Data {
        view,
        offered,
        comparison,
        runs,
        unreadable,
    } = data;
    let known = comparison.as_ref().ok().cloned();
    let answer = match comparison {
        Err(error) => view! { <ErrorBox error /> }.into_any(),
        Ok(_) if view.is_empty() => view! {
            <div class="empty">
                <p>"Nothing is chosen yet."</p>
                <p>"Add experiments above, or tick experiments in their list or runs in an experiment's table and press “Compare”."</p>
            </div>
        }
        .into_any(),
        Ok(comparison) if comparison.groups.is_empty() => view! {
            <div class="empty">
                <p>"No trained run is left to compare."</p>
                <p>{counts(&comparison)}</p>
            </div>
        }
        .into_any(),
        Ok(comparison) => view! { <Answer comparison runs unreadable /> }.into_any(),
    };
    view! {
        <choose::Choose view offered comparison=known go />
        {answer}
    }
}

/// How many runs are compared, and why others are not.
fn counts(comparison: &Comparison) -> String {
    let compared: usize = comparison.groups.iter().map(|group| group.runs.len()).sum();
    let mut parts = vec![format!(
        "{} of {} compared in {}",
        format::count(compared as u64),
        format::plural(comparison.chosen_runs.into(), "chosen run", "chosen runs"),
        format::plural(comparison.groups.len() as u64, "group", "groups"),
    )];
    for (number, why) in [
        (comparison.filtered_out, "filtered out"),
        (comparison.untrained, "not trained yet"),
    ] {
        if number > 0 {
            parts.push(format!("{} {why}", format::count(number.into())));
        }
    }
    parts.join("; ")
}

#[component]
fn Answer(
    comparison: Comparison,
    runs: Vec<ComparedRun>,
    unreadable: Vec<ApiError>,
) -> impl IntoView {
    let counted = counts(&comparison);
    let hints = format!("{}. {}.", comparison.replicates, comparison.interval_method);
    let comparison = StoredValue::new(comparison);
    let errors = unreadable.into_iter();
    let errors = errors
        .map(|error| view! { <ErrorBox error /> })
        .collect_view();
    let single = (runs.len() > 1).then_some(("run-by-run-title", "Run by run"));
    let groups = [
        ("figure-compare", "How the groups differ"),
        ("figure-compare-scatter", "Two measures"),
        ("groups-title", "Groups"),
        ("differences-title", "What differs"),
        ("tests-title", "Are the differences real?"),
    ];
    let parts = single.into_iter().chain(groups).collect();
    let run_by_run = (runs.len() > 1).then(|| view! { <runs::RunByRun runs /> });
    view! {
        <p class="hint" role="status" id="compared">{counted}"."</p>
        {errors}
        <Contents parts />
        {run_by_run}
        <Figure
            id="figure-compare"
            question="How do the groups differ?"
            waiting="No run in any group has this measure. Corruptions, attacks and geometry are measured after training if an experiment requests them. You can also choose another measure."
            chart=move || comparison.with_value(comparison::chart)
        />
        <scatter::Scatter comparison />
        <groups::Groups comparison />
        <differences::Differences comparison />
        <significance::Tests comparison />
        <p class="hint">{hints}</p>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: a choice of a figure that is lost, or that makes an address of no page.
    #[test]
    fn choices_of_figures_are_added_to_an_address() {
        assert_eq!(
            joined("/compare", "x=selectivity"),
            "/compare?x=selectivity"
        );
        assert_eq!(
            joined("/compare?runs=1", "x=a&y=b"),
            "/compare?runs=1&x=a&y=b"
        );
        assert_eq!(joined("/compare?runs=1", ""), "/compare?runs=1");
    }

    /// Broken by: runs that are left out without a word on them.
    #[test]
    fn runs_that_are_left_out_are_told() {
        let comparison = Comparison {
            chosen_runs: 1_200,
            filtered_out: 7,
            untrained: 0,
            ..comparison::tests::two_alphas()
        };
        assert_eq!(
            counts(&comparison),
            "4 of 1,200 chosen runs compared in 2 groups; 7 filtered out"
        );
    }
}
