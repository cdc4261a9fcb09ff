//! Every experiment: search, state, progress.

use std::collections::BTreeSet;

use futures::try_join;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::{A, Form};
use leptos_router::hooks::{use_location, use_query_map};
use protocol::api::{ApiError, Experiment, ExperimentPage, Health, UNDO_MINUTES};
use protocol::{Event, RunState};
use serde::{Deserialize, Serialize};

use crate::data::addresses::comparison;
use crate::data::api::{self, Method, segment};
use crate::data::live;
use crate::format;
use crate::pages::about::About;
use crate::signals::{last_found, toggle};
use crate::ui::state_badge::label;
use crate::ui::{
    AlphaChips, Column, CommandError, Confirm, Grid, ImportArchive, LackingRoom, Load, Menu,
    ProgressBar, StateBadge, Tags, VerdictStrip, use_command, use_undo,
};

/// Experiments a page of the list shows.
const PAGE_SIZE: u32 = 50;

/// What the list is narrowed to; it lives in the address, so that a view can be shared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Query {
    search: String,
    state: String,
    page: u32,
}

impl Query {
    /// The query of the API, and of this page's own address.
    fn text(&self, page: u32) -> String {
        let mut text = format!("page={page}");
        for (name, value) in [("search", &self.search), ("state", &self.state)] {
            if !value.is_empty() {
                text += &format!("&{name}={}", segment(value));
            }
        }
        text
    }

    fn is_narrow(&self) -> bool {
        !self.search.is_empty() || !self.state.is_empty()
    }
}

/// One answer for the whole page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Listing {
    query: Query,
    page: ExperimentPage,
    health: Health,
}

impl Listing {
    fn contains(&self, id: i64) -> bool {
        let mut experiments = self.page.experiments.iter();
        experiments.any(|experiment| experiment.id == id)
    }

    /// Takes over what changed of an experiment. Its verdicts stay: they come with the list only.
    fn replace(&mut self, experiment: Experiment) {
        let mut experiments = self.page.experiments.iter_mut();
        if let Some(listed) = experiments.find(|listed| listed.id == experiment.id) {
            let verdicts = listed.verdicts.take();
            *listed = Experiment {
                verdicts,
                ..experiment
            };
        }
    }
}

async fn read(query: Query) -> Result<Listing, ApiError> {
    let health = api::get("/health");
    let page = api::get(&format!(
        "/experiments?{}&page_size={PAGE_SIZE}",
        query.text(query.page)
    ));
    let (page, health) = try_join!(page, health)?;
    Ok(Listing {
        page,
        health,
        query,
    })
}

/// The page at `/` and `/experiments`.
#[component]
pub fn Experiments() -> impl IntoView {
    let map = use_query_map();
    let path = use_location().pathname;
    let query = Memo::new(move |_| {
        map.with(|map| Query {
            search: map.get("search").unwrap_or_default().trim().to_owned(),
            state: map
                .get("state")
                .filter(|id| RunState::from_id(id).is_some())
                .unwrap_or_default(),
            page: map
                .get("page")
                .and_then(|page| page.parse().ok())
                .unwrap_or(1)
                .max(1),
        })
    });
    let listing = Resource::new(move || query.get(), read);
    view! {
        <Title text="Experiments" />
        <div class="heading">
            <h1>"Experiments"</h1>
            <A href="/experiments/new" attr:class="button primary">"New experiment"</A>
        </div>
        {move || (path.get() == "/").then(|| view! { <About /> })}
        {move || filter(query.get())}
        <Load resource=listing render=|listing| view! { <List listing /> } />
        <ImportArchive />
    }
    .into_any()
}

fn filter(query: Query) -> impl IntoView {
    let states = RunState::ALL
        .into_iter()
        .map(|state| {
            view! { <option value=state.id() selected=query.state == state.id()>{label(state)}</option> }
        })
        .collect_view();
    view! {
        <Form method="get" action="/experiments" attr:class="filter" attr:role="search">
            <label for="search">"Search"</label>
            <input id="search" name="search" type="search" value=query.search.clone() prop:value=query.search placeholder="Name, notes, tag, network, data set" />
            <label for="state">"State"</label>
            <select id="state" name="state" prop:value=query.state.clone()>
                <option value="" selected=query.state.is_empty()>"Any"</option>
                {states}
            </select>
            <button type="submit">"Show"</button>
        </Form>
    }
}

/// Reads the list again, or single experiments of it, as live events tell. Returns whether the stream is open.
fn follow(now: RwSignal<Listing>, query: Query) -> Signal<bool> {
    let reread = live::at_most_every(1_000.0, move || {
        let query = query.clone();
        async move {
            // Without an answer the list stays as it is; the stream says it is down.
            if let Ok(listing) = read(query).await {
                now.try_set(listing);
            }
        }
    });
    let on_gap = reread.clone();
    let reread_rows = use_rows(now);
    live::follow(
        live::Follow::All,
        move |event| match &event.event {
            // Another state may belong to another filter, and changes what is offered above the list.
            change if live::changes_state(change) => reread(),
            Event::Log { .. } => {}
            _ => reread_rows(event.experiment_id),
        },
        on_gap,
    )
    .open
}

#[component]
fn List(listing: Listing) -> impl IntoView {
    let query = listing.query.clone();
    let narrow = query.is_narrow();
    let now = RwSignal::new(listing);
    let open = follow(now, query.clone());
    let total = move || now.with(|listing| listing.page.total);
    let ids = move || {
        now.with(|listing| {
            let experiments = &listing.page.experiments;
            experiments.iter().map(|entry| entry.id).collect::<Vec<_>>()
        })
    };
    let ticked = RwSignal::new(BTreeSet::<i64>::new());
    let compare =
        move || ticked.with(|ids| comparison(&ids.iter().copied().collect::<Vec<_>>(), &[]));
    let compare_label = move || {
        let experiments = ticked.with(BTreeSet::len) as u64;
        format!(
            "Compare {}",
            format::plural(experiments, "experiment", "experiments")
        )
    };
    let row = move |id: i64| {
        let experiment = last_found(move || {
            now.with(|listing| {
                let experiments = &listing.page.experiments;
                experiments.iter().find(|entry| entry.id == id).cloned()
            })
        })?;
        Some(
            view! { <Row experiment ticked on_delete=move || now.update(|listing| {
                // The server may have told it before it answered.
                if listing.contains(id) {
                    listing.page.experiments.retain(|entry| entry.id != id);
                    listing.page.total = listing.page.total.saturating_sub(1);
                }
                ticked.update(|ticked| {
                    ticked.remove(&id);
                });
            }) /> },
        )
    };
    view! {
        <LackingRoom reason=Signal::derive(move || now.with(|listing| listing.health.lacking_room.clone())) />
        <Interrupted count=Signal::derive(move || now.with(|listing| listing.health.interrupted)) />
        <p hidden=move || ticked.with(BTreeSet::is_empty)><a class="button" id="compare-experiments" href=compare>{compare_label}</a></p>
        <Grid id="experiments" label="Experiments" hidden=move || total() == 0 columns=vec![
            Column::controls("Compare"), Column::words("Experiment"), Column::words("State"), Column::words("Network, data set"),
            Column::words("Alpha"), Column::number("Runs"), Column::number("Test accuracy"),
            Column::words("Claims, C1 to C8").explained("One sign per claim, C1 to C8; each links to its evidence"),
            Column::words("Created").class("when"), Column::controls("More"),
        ]>
            <For each=ids key=|id| *id children=row />
        </Grid>
        <div class="empty" hidden=move || total() != 0>
            {if narrow {
                view! { <p>"No experiment matches."</p><p><A href="/experiments">"Show all"</A></p> }.into_any()
            } else {
                view! {
                    <p>"No experiments yet."</p>
                    <p><A href="/experiments/new?preset=quick-look">"Start with the quick look"</A>": about ten minutes on a CPU with two cores."</p>
                }.into_any()
            }}
        </div>
        <Foot query total=Signal::derive(total) open />
    }
}

/// How many experiments there are, and the way to other pages of them.
#[component]
fn Foot(query: Query, total: Signal<u32>, open: Signal<bool>) -> impl IntoView {
    let page = query.page;
    let pages = move || total.get().div_ceil(PAGE_SIZE).max(1);
    // Not inside `view!`, which takes the `>` of `>=` for the end of the tag.
    let at_end = move || page >= pages();
    let back = format!("/experiments?{}", query.text(page.saturating_sub(1)));
    let on = format!("/experiments?{}", query.text(page + 1));
    view! {
        <div class="foot">
            <span>{move || format::plural(total.get().into(), "experiment", "experiments")}</span>
            <nav aria-label="Pages of the list" hidden=move || pages() == 1 && page == 1>
                {(page > 1).then(|| view! { <A href=back>"Newer"</A> })}
                <span>{move || format!("page {page} of {}", pages())}</span>
                <span hidden=at_end><A href=on>"Older"</A></span>
            </nav>
            <live::LiveMark open />
        </div>
    }
    .into_any()
}

/// Reads single experiments of the list again, at most once a second.
fn use_rows(now: RwSignal<Listing>) -> impl Fn(i64) + Send + Sync + 'static {
    let changed = StoredValue::new(BTreeSet::<i64>::new());
    let read = live::at_most_every(1_000.0, move || async move {
        let ids = changed.try_update_value(std::mem::take);
        for id in ids.into_iter().flatten() {
            // Without an answer the row stays as it is; the stream says it is down.
            if let Ok(experiment) = api::get::<Experiment>(&format!("/experiments/{id}")).await {
                now.try_update(|listing| listing.replace(experiment));
            }
        }
        // A full disk is seen while nothing else changes.
        if let Ok(health) = api::get::<Health>("/health").await {
            now.try_update(|listing| listing.health = health);
        }
    });
    move |id| {
        let listed = now.try_with_untracked(|listing| listing.contains(id));
        if listed == Some(true) {
            changed.update_value(|changed| {
                changed.insert(id);
            });
            read();
        }
    }
}

#[component]
fn Row(
    experiment: Memo<Experiment>,
    ticked: RwSignal<BTreeSet<i64>>,
    on_delete: impl Fn() + Send + Sync + Clone + 'static,
) -> impl IntoView {
    let first = experiment.get_untracked();
    let id = first.id;
    let spec = first.spec;
    let progress = Signal::derive(move || experiment.with(|now| now.progress));
    let state = Signal::derive(move || experiment.with(Experiment::state));
    let remaining = move || {
        let remaining = experiment.with(|now| now.remaining_seconds);
        remaining.map(format::time_left)
    };
    let active = Signal::derive(move || experiment.with(Experiment::is_active));
    let command = use_command();
    let runs = (spec.alphas.len() * spec.seeds.len()) as u64;
    let question = format!(
        "Delete “{}” with its {}, their measurements and checkpoints? You can undo this for {UNDO_MINUTES} minutes.",
        spec.name,
        format::plural(runs, "run", "runs"),
    );
    let (undo, name) = (use_undo(), spec.name.clone());
    let delete = move || {
        undo.delete(command, id, name.clone(), on_delete.clone());
    };
    let tags = move || view! { <Tags tags=experiment.with(|now| now.tags.clone()) /> };
    let accuracy = move || format::percent_range(experiment.with(|now| now.test_accuracy));
    let verdicts = move || {
        let verdicts = experiment.with(|now| now.verdicts.clone())?;
        Some(view! { <VerdictStrip experiment=id verdicts /> })
    };
    let menu_label = format!("More for {}: delete", spec.name);
    let is_ticked = move || ticked.with(|ticked| ticked.contains(&id));
    let tick = move |_| toggle(ticked, id);
    let tick_label = format!("Choose {} to compare", spec.name);
    view! {
        <tr data-experiment=id>
            <td class="tick"><input type="checkbox" aria-label=tick_label prop:checked=is_ticked on:change=tick /></td>
            <th scope="row"><A href=format!("/experiments/{id}")>{spec.name.clone()}</A><div class="tags">{tags}</div><CommandError command /></th>
            <td><StateBadge state /><div hidden=move || state.get() == RunState::Finished><ProgressBar share=progress label="Progress of the experiment" /><div class="hint">{remaining}</div></div></td>
            <td>{spec.network.label()}", "{spec.dataset.label()}</td>
            <td><AlphaChips alphas=spec.alphas.clone() /></td>
            <td class="number">{format::count(runs)}</td>
            <td class="number">{accuracy}</td>
            <td>{verdicts}</td>
            <td class="when" title=format::timestamp(first.created_at)>{format::date(first.created_at)}</td>
            <td><Menu label=menu_label><Confirm label="Delete" question on_confirm=delete disabled=active /></Menu></td>
        </tr>
    }
}

/// Says that a stopped server left runs behind, with one button to go on with all of them.
#[component]
fn Interrupted(count: Signal<u32>) -> impl IntoView {
    #[derive(Deserialize)]
    struct Resumed {
        resumed: u32,
    }
    let command = use_command();
    let done = RwSignal::new(None::<u32>);
    let resume = move |_| {
        command.send::<Resumed>(Method::Post, "/resume".into(), None, move |answer| {
            done.set(Some(answer.resumed));
        });
    };
    view! {
        <div class="notice" hidden=move || count.get() == 0>
            <p>
                {move || format::plural(count.get().into(), "run was interrupted", "runs were interrupted")}
                ". Each can resume from its last checkpoint."
            </p>
            <button type="button" id="resume-all" disabled=command.busy on:click=resume>"Resume all"</button>
            <CommandError command />
        </div>
        <p role="status" class="hint" hidden=move || done.get().is_none()>
            {move || done.get().map(|n| format!("{} resumed.", format::plural(n.into(), "run", "runs")))}
        </p>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: a search with an ampersand that changes another parameter, or a filter that is lost on the next page.
    #[test]
    fn the_query_survives_the_address() {
        let query = Query {
            search: "a&state=x".into(),
            state: "running".into(),
            page: 1,
        };
        assert_eq!(query.text(2), "page=2&search=a%26state%3Dx&state=running");
        assert!(query.is_narrow() && !Query::default().is_narrow());
    }
}
