//! The data sets: what is installed, what they hold, samples, and fetching with progress.

use leptos::prelude::*;
use leptos_meta::Title;
use protocol::api::{ApiError, DatasetInfo, DatasetStatus, Sample};

use crate::data::api::{self, Method, segment};
use crate::format;
use crate::grouping::grouped;
use crate::signals::last_found;
use crate::ui::{CommandError, ErrorBox, Load, ProgressBar, use_command};

/// Samples shown of each class, and of at most how many classes.
const SAMPLES: usize = 6;
const CLASSES_SHOWN: usize = 20;

async fn read() -> Result<Vec<DatasetInfo>, ApiError> {
    api::get("/datasets").await
}

/// The page at `/datasets`.
#[component]
pub fn Datasets() -> impl IntoView {
    let datasets = Resource::new(|| (), |()| read());
    view! {
        <Title text="Data sets" />
        <div class="heading"><h1>"Data sets"</h1></div>
        <Load resource=datasets render=|datasets| view! { <List datasets /> } />
    }
    .into_any()
}

#[component]
fn List(datasets: Vec<DatasetInfo>) -> impl IntoView {
    let now = RwSignal::new(datasets);
    // Downloads send no events: while one is under way, the page asks.
    leptos_use::use_interval_fn(
        move || {
            let fetching = now.with_untracked(|datasets| {
                let fetching =
                    |status: &DatasetStatus| matches!(status, DatasetStatus::Fetching { .. });
                datasets.iter().any(|dataset| fetching(&dataset.status))
            });
            if fetching {
                leptos::task::spawn_local(async move {
                    // Asked again in a second, so one lost answer does not matter.
                    if let Ok(datasets) = read().await {
                        now.try_set(datasets);
                    }
                });
            }
        },
        1_000,
    );
    let ids = move || {
        now.with(|datasets| {
            datasets
                .iter()
                .map(|set| set.id.to_string())
                .collect::<Vec<_>>()
        })
    };
    let card = move |id: String| {
        let dataset = last_found(move || {
            now.with(|datasets| {
                let mut datasets = datasets.iter();
                datasets.find(|set| set.id.to_string() == id).cloned()
            })
        })?;
        let fetched = move |info: DatasetInfo| {
            now.try_update(|datasets| {
                if let Some(entry) = datasets.iter_mut().find(|set| set.id == info.id) {
                    *entry = info;
                }
            });
        };
        Some(view! { <Card dataset on_change=fetched /> })
    };
    view! {
        <For each=ids key=|id| id.clone() children=card />
        <p class="hint">
            "Your own images: put a folder laid out as "<code>"<split>/<class>/*.png"</code>" (or jpg), with the splits "
            <code>"train"</code>" and "<code>"test"</code>", into the data directory; it is listed here under its name."
        </p>
    }
}

#[component]
fn Card(
    dataset: Memo<DatasetInfo>,
    on_change: impl Fn(DatasetInfo) + Clone + Send + Sync + 'static,
) -> impl IntoView {
    let first = dataset.get_untracked();
    let path_segment = segment(&first.id.to_string());
    let title_id = format!("dataset-{}", first.id.to_string().replace(':', "-"));
    let labelled_by = title_id.clone();
    let command = use_command();
    let fetch_path = format!("/datasets/{path_segment}/fetch");
    let fetch = move |_| {
        let on_change = on_change.clone();
        command.send::<DatasetInfo>(Method::Post, fetch_path.clone(), None, on_change);
    };
    let can_fetch = move || {
        dataset.with(|set| {
            set.fetchable
                && !matches!(
                    set.status,
                    DatasetStatus::Installed | DatasetStatus::Fetching { .. }
                )
        })
    };
    let installed = Memo::new(move |_| dataset.with(|set| set.status == DatasetStatus::Installed));
    let status = move || dataset.with(|set| status(&set.status));
    let facts = move || dataset.with(facts);
    view! {
        <section class="card" data-dataset=first.id.to_string() aria-labelledby=labelled_by>
            <div class="heading">
                <h2 id=title_id>{first.label}" "<code class="hint">{first.id.to_string()}</code></h2>
                <button type="button" hidden=move || !can_fetch() disabled=command.busy on:click=fetch>"Fetch"</button>
            </div>
            <p>{first.description}</p>
            {status}
            <CommandError command />
            {facts}
            {move || installed.get().then(|| view! { <Samples dataset=path_segment.clone() /> })}
        </section>
    }
}

fn status(status: &DatasetStatus) -> AnyView {
    match status {
        DatasetStatus::Installed => view! { <p class="tag good">"✓ Installed"</p> }.into_any(),
        DatasetStatus::Missing => view! { <p class="tag">"Not installed"</p> }.into_any(),
        DatasetStatus::Broken { message } | DatasetStatus::FetchFailed { message } => {
            view! { <p class="problem" role="alert">{message.clone()}</p> }.into_any()
        }
        DatasetStatus::Fetching {
            step,
            bytes,
            total_bytes,
        } => {
            let so_far = match total_bytes {
                Some(total) => format!(
                    "{step}: {} of {}",
                    format::bytes(*bytes),
                    format::bytes(*total)
                ),
                None => format!("{step}: {}", format::bytes(*bytes)),
            };
            let share = total_bytes.map(|total| *bytes as f64 / total.max(1) as f64);
            view! {
                <p role="status">
                    {share.map(|share| view! { <ProgressBar share=Signal::stored(share) label="Share downloaded" /> })}
                    " "{so_far}
                </p>
            }
            .into_any()
        }
    }
}

fn facts(dataset: &DatasetInfo) -> impl IntoView + use<> {
    let path = dataset.path.clone();
    let facts = dataset.facts.clone().map(|facts| {
        let names = facts.classes.len();
        view! {
            <div><dt>"Classes"</dt><dd title=facts.classes.join(", ")>{format::count(names as u64)}</dd></div>
            <div><dt>"Training images"</dt><dd>{format::count(facts.train_images.into())}</dd></div>
            <div><dt>"Test images"</dt><dd>{format::count(facts.test_images.into())}</dd></div>
            <div><dt>"Smallest class"</dt><dd>{format::plural(facts.smallest_class.into(), "training image", "training images")}</dd></div>
            <div><dt>"Size"</dt><dd>{format!("{} × {} pixels, RGB", facts.width, facts.height)}</dd></div>
        }
    });
    view! {
        <dl class="facts">
            {facts}
            {path.map(|path| view! { <div><dt>"Location"</dt><dd><code class="path">{path}</code></dd></div> })}
        </dl>
    }
}

/// Test images of a data set, a row a class.
#[component]
fn Samples(dataset: String) -> impl IntoView {
    let samples = Resource::new(
        move || dataset.clone(),
        |dataset| async move {
            let path = format!("/datasets/{dataset}/samples?split=test&per_class={SAMPLES}");
            api::get::<Vec<Sample>>(&path).await
        },
    );
    let classes = |samples: Vec<Sample>| {
        let of_class = |sample: Sample| (sample.class.clone(), sample);
        let classes = grouped(samples.into_iter().map(of_class));
        let hidden = classes.len().saturating_sub(CLASSES_SHOWN);
        let rows = classes
            .into_iter()
            .take(CLASSES_SHOWN)
            .map(|(class, images)| {
                let images = images
                    .into_iter()
                    .map(|sample| {
                        let words = format!("{}, test image {}", sample.class, sample.index);
                        view! { <img src=sample.url alt=words.clone() title=words width="48" height="48" loading="lazy" /> }
                    })
                    .collect_view();
                view! { <div class="class"><dt>{class}</dt><dd>{images}</dd></div> }
            })
            .collect_view();
        view! {
            <dl class="samples">{rows}</dl>
            {(hidden > 0).then(|| view! { <p class="hint">{format!("and {}", format::plural(hidden as u64, "more class", "more classes"))}</p> })}
        }
    };
    view! {
        <details open>
            <summary>"Samples (test images)"</summary>
            <Suspense fallback=|| view! { <p class="waiting">"Loading …"</p> }>
                {move || Suspend::new(async move {
                    match samples.await {
                        Ok(samples) => classes(samples).into_any(),
                        Err(error) => view! { <ErrorBox error /> }.into_any(),
                    }
                })}
            </Suspense>
        </details>
    }
}
