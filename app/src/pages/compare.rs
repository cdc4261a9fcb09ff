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

use crate::api;
use crate::chart::Figure;
use crate::components::ErrorBox;
use crate::figures::comparison;
use crate::format;
pub use view::{View, address_of};

mod choose;
mod differences;
mod groups;
mod significance;
mod view;

/// Experiments that are offered for choice, the newest ones; others can be given by number.
const OFFERED: u32 = 200;

/// Rows that tables show at first; more come with a button.
const ROWS: usize = 100;

/// Everything that the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Data {
    view: View,
    offered: ExperimentPage,
    /// Refused where the address asks for what there is not; then the form stays, to mend it.
    comparison: Result<Comparison, ApiError>,
}

async fn read(view: View) -> Result<Data, ApiError> {
    let offered = api::get(&format!("/experiments?page_size={OFFERED}"));
    let comparison = api::get_part(&format!("/compare{}", view.query()));
    let (offered, comparison) = join!(offered, comparison);
    Ok(Data {
        offered: offered?,
        comparison,
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
    let go = Callback::new(move |view: View| {
        let options = NavigateOptions {
            scroll: false,
            ..Default::default()
        };
        navigate(&view.address(), options);
    });
    // What is shown stays until its successor is there: a choice must not make the page jump.
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
    } = data;
    let known = comparison.as_ref().ok().cloned();
    let answer = match comparison {
        Err(error) => view! { <ErrorBox error /> }.into_any(),
        Ok(_) if view.is_empty() => view! {
            <div class="empty">
                <p>"Nothing is chosen yet."</p>
                <p>"Add experiments above, or tick experiments in their list, or runs in an experiment's table, and press “Compare”."</p>
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
        Ok(comparison) => view! { <Answer comparison /> }.into_any(),
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
fn Answer(comparison: Comparison) -> impl IntoView {
    let counted = counts(&comparison);
    let hints = format!("{}. {}.", comparison.replicates, comparison.interval_method);
    let comparison = StoredValue::new(comparison);
    view! {
        <p class="hint" role="status" id="compared">{counted}"."</p>
        <Figure
            id="figure-compare"
            question="How do the groups differ?"
            waiting="No run of any group has this number. Corruptions, attacks and geometry are measured after training where an experiment asks for them; or choose another measure."
            chart=move || comparison.with_value(comparison::chart)
        />
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

    /// Broken by: runs that are left out without a word.
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
