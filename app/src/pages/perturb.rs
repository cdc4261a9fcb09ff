//! The perturbation bench: one image, changed interactively, and the responses of up to three networks.

use futures::try_join;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::{use_navigate, use_query_map};
use protocol::Run;
use protocol::api::{ApiError, Experiment};
use protocol::perturbation_bench::{BenchAnswer, MAXIMUM_NETWORKS};
use serde::{Deserialize, Serialize};

use crate::chart::Figure;
use crate::data::api;
use crate::data::query::{in_place, number_of, use_id};
use crate::figures::perturbed_layers;
use crate::ui::{ErrorBox, ExperimentTab, ExperimentTabs, Load};
use view::View;

mod controls;
mod network;
mod view;

/// A trained run of the experiment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Trained {
    id: i64,
    alpha: f64,
    seed: u64,
}

/// Everything that the page shows. Without an answer, the rest is still shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Data {
    experiment: Experiment,
    trained: Vec<Trained>,
    runs: Vec<i64>,
    answer: Result<BenchAnswer, ApiError>,
}

/// The runs to begin with, all of one seed: of the lowest alpha, of the one nearest to 0, and of the highest.
fn first_runs(trained: &[Trained]) -> Vec<i64> {
    let Some(seed) = trained.iter().map(|run| run.seed).min() else {
        return Vec::new();
    };
    let mut of_seed: Vec<&Trained> = trained.iter().filter(|run| run.seed == seed).collect();
    of_seed.sort_by(|a, b| a.alpha.total_cmp(&b.alpha));
    let nearest = of_seed
        .iter()
        .min_by(|a, b| a.alpha.abs().total_cmp(&b.alpha.abs()));
    let mut runs = Vec::new();
    for run in [of_seed.first(), nearest, of_seed.last()]
        .into_iter()
        .flatten()
    {
        if !runs.contains(&run.id) {
            runs.push(run.id);
        }
    }
    runs
}

async fn read(id: String, view: View) -> Result<Data, ApiError> {
    let id = number_of(&id, "an experiment")?;
    let experiment = api::get::<Experiment>(&format!("/experiments/{id}"));
    let runs = api::get::<Vec<Run>>(&format!("/experiments/{id}/runs?layers=false"));
    let (experiment, runs) = try_join!(experiment, runs)?;
    let trained: Vec<Trained> = runs
        .iter()
        .filter(|run| run.result.is_some())
        .map(|run| Trained {
            id: run.id,
            alpha: run.spec.alpha,
            seed: run.spec.seed,
        })
        .collect();
    let runs = match view.runs.is_empty() {
        true => first_runs(&trained),
        false => view.runs.clone(),
    };
    let view = View {
        runs: runs.clone(),
        ..view
    };
    let answer = match runs.is_empty() {
        true => Err(api::failure(
            "No run of this experiment is trained yet. Come back when the first one is.",
        )),
        false => api::get_part(&view.question()).await,
    };
    Ok(Data {
        experiment,
        trained,
        runs,
        answer,
    })
}

/// What the page shows now, and how it is changed.
#[derive(Debug, Clone, Copy)]
struct Bench {
    view: RwSignal<View>,
    answer: RwSignal<Result<BenchAnswer, ApiError>>,
    trained: StoredValue<Vec<Trained>>,
    /// Whether an answer is waited for.
    busy: RwSignal<bool>,
    /// Whether the steps of PGD are being played.
    playing: RwSignal<bool>,
}

impl Bench {
    /// Shows something else, and stops playing.
    fn change(self, change: impl FnOnce(&mut View)) {
        self.playing.set(false);
        self.view.update(change);
    }

    /// Asks again when the view changes: one question at a time, then the newest.
    fn follow(self) {
        let question = Memo::new(move |_| self.view.with(View::question));
        Effect::new(move |last: Option<String>| {
            let wanted = question.get();
            let is_new = last.is_some_and(|last| last != wanted);
            if is_new && !self.busy.get_untracked() {
                self.busy.set(true);
                leptos::task::spawn_local(async move {
                    // The page may have been left.
                    while let Some(path) = question.try_get_untracked() {
                        let answer = api::get_part(&path).await;
                        self.answer.try_set(answer);
                        if question.try_get_untracked() == Some(path) {
                            break;
                        }
                    }
                    self.busy.try_set(false);
                });
            }
            wanted
        });
    }
}

/// The page at `/experiments/:id/perturb`.
#[component]
pub fn PerturbPage() -> impl IntoView {
    let id = use_id();
    let query = use_query_map();
    let view = move || query.with_untracked(|query| View::from_query(|key| query.get(key)));
    // Changes on the page are requested separately.
    let data = Resource::new(move || id.get(), move |id| read(id, view()));
    view! { <Load resource=data render=|data| view! { <Laid data /> } /> }.into_any()
}

/// Puts what the bench of an experiment shows into the address.
fn keep_address(bench: Bench, id: i64) {
    let navigate = use_navigate();
    // Not at every pixel of a slider: browsers allow a page some hundred addresses a minute.
    let keep = leptos_use::use_debounce_fn(
        move || {
            let Some(address) = bench.view.try_with_untracked(|view| view.address(id)) else {
                return;
            };
            navigate(&address, in_place());
        },
        400.0,
    );
    Effect::new(move |before: Option<()>| {
        bench.view.track();
        if before.is_some() {
            keep();
        }
    });
}

#[component]
fn Laid(data: Data) -> impl IntoView {
    let id = data.experiment.id;
    let query = use_query_map();
    let view = query.with_untracked(|query| View::from_query(|key| query.get(key)));
    let bench = Bench {
        view: RwSignal::new(View {
            runs: data.runs,
            ..view
        }),
        answer: RwSignal::new(data.answer),
        trained: StoredValue::new(data.trained),
        busy: RwSignal::new(false),
        playing: RwSignal::new(false),
    };
    bench.follow();
    keep_address(bench, id);
    let spec = data.experiment.spec;
    let layers: Vec<(String, u32)> = spec
        .network
        .layers()
        .into_iter()
        .map(|layer| (layer.name, layer.units))
        .collect();
    let places = Memo::new(move |_| bench.view.with(|view| view.runs.len()));
    let columns = move || {
        (0..places.get())
            .map(|place| view! { <network::Column bench place /> })
            .collect_view()
    };
    let add = move |_| {
        let next = bench.trained.with_value(|trained| {
            let runs = bench.view.with_untracked(|view| view.runs.clone());
            let free = |run: &&Trained| !runs.contains(&run.id);
            trained.iter().find(free).map(|run| run.id)
        });
        if let Some(next) = next {
            bench.change(|view| view.runs.push(next));
        }
    };
    let full = move || {
        let trained = bench.trained.with_value(Vec::len);
        places.get() >= MAXIMUM_NETWORKS.min(trained)
    };
    let refused = move || bench.answer.with(|answer| answer.as_ref().err().cloned());
    view! {
        <Title text=format!("Perturbation bench: {}", spec.name) />
        <nav class="crumbs" aria-label="Breadcrumb">
            <A href="/experiments">"Experiments"</A>" / "
            <A href=format!("/experiments/{id}")>{format!("Experiment {id}")}</A>" / "
            <span>"Perturbation bench"</span>
        </nav>
        <div class="heading">
            <h1>{spec.name.clone()}</h1>
            <div class="actions"><button type="button" id="bench-add" hidden=full on:click=add>"Add a network"</button></div>
        </div>
        <ExperimentTabs experiment=id current=ExperimentTab::PerturbationBench />
        <p class="lead">"Change one image and see what networks with different class selectivity make of it."</p>
        <div class="bench" aria-busy=move || bench.busy.get().to_string()>
            <div class="bench-controls">
                <controls::Image bench />
                <controls::Change bench />
                <controls::Watched bench layers />
            </div>
            <div class="bench-answer">
                {move || refused().map(|error| view! { <ErrorBox error /> })}
                <div class="bench-networks">{columns}</div>
            </div>
        </div>
        <Figure
            id="figure-perturbed-layers"
            question="How much does each layer's response change?"
            waiting="Nothing is shown yet."
            chart=move || bench.answer.with(|answer| answer.as_ref().map(perturbed_layers::chart).unwrap_or_default())
        />
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when the bench opens with networks of different seeds, twice the same one, or without the control.
    #[test]
    fn the_bench_opens_with_both_ends_and_the_control() {
        let run = |id, alpha, seed| Trained { id, alpha, seed };
        let all = [
            run(1, 0.4, 1),
            run(2, 0.0, 0),
            run(3, -1.0, 0),
            run(4, 0.4, 0),
            run(5, -0.4, 0),
        ];
        assert_eq!(first_runs(&all), [3, 2, 4]);
        assert_eq!(first_runs(&all[..2]), [2]);
        assert_eq!(first_runs(&all[2..4]), [3, 4]);
        assert!(first_runs(&[]).is_empty());
    }
}
