//! Real images, clean beside corrupted, with what the network says of each.

use leptos::prelude::*;
use protocol::api::{ApiError, CorruptedSample, CorruptedSamplePage, Prediction, SampleFilter};
use protocol::corruption::Corruption;
use protocol::corruption_evaluation::CorruptionConditions;

use super::Shown;
use crate::api;
use crate::choice::Choice;
use crate::components::{Chooser, ErrorBox};
use crate::corruptions::{corruptions, find, severities};
use crate::format;

/// Samples a page shows.
pub(in crate::pages::run) const PAGE_SIZE: u32 = 12;

/// A request; none while nothing was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Request {
    run: i64,
    conditions: CorruptionConditions,
    corruption: Corruption,
    severity: u8,
    filter: SampleFilter,
    page: u32,
}

impl Request {
    fn path(self) -> String {
        format!(
            "/runs/{}/corrupted-samples?conditions={}&corruption={}&severity={}&filter={}&page={}&page_size={PAGE_SIZE}",
            self.run,
            self.conditions,
            self.corruption,
            self.severity,
            self.filter.id(),
            self.page
        )
    }
}

async fn read(request: Option<Request>) -> Option<Result<CorruptedSamplePage, ApiError>> {
    Some(api::get_part(&request?.path()).await)
}

/// Pages that `total` samples fill; one where there are none.
pub(in crate::pages::run) fn pages(total: u32) -> u32 {
    total.div_ceil(PAGE_SIZE).max(1)
}

/// Confidence as a whole percentage: more digits would say more than it knows.
fn confidence(confidence: f32) -> String {
    format!("{:.0} %", confidence * 100.0)
}

/// The browser of samples.
#[component]
pub fn Samples(run: i64, shown: Shown) -> impl IntoView {
    let corruption = RwSignal::new(None::<Corruption>);
    let severity = RwSignal::new(None::<u8>);
    let filter = RwSignal::new(SampleFilter::default());
    let page = RwSignal::new(1_u32);
    let listed = Memo::new(move |_| shown.measured.with(|measured| corruptions(measured)));
    let steps = Memo::new(move |_| shown.measured.with(|measured| severities(measured)));
    // The choice, or something tested, if the choice was not tested under these conditions.
    let now = Memo::new(move |_| {
        let listed = listed.get();
        let wanted = corruption.get().filter(|chosen| listed.contains(chosen));
        let corruption = wanted.or_else(|| listed.first().copied())?;
        let tested: Vec<u8> = shown.measured.with(|measured| {
            let of_it = |severity: &u8| find(measured, corruption, *severity).is_some();
            steps.get().into_iter().filter(of_it).collect()
        });
        let wanted = severity.get().unwrap_or(3);
        let severity = tested
            .iter()
            .copied()
            .min_by_key(|severity| severity.abs_diff(wanted))?;
        Some(Request {
            run,
            conditions: shown.conditions.get()?,
            corruption,
            severity,
            filter: filter.get(),
            page: page.get(),
        })
    });
    let samples = Resource::new(move || now.get(), read);
    let first_page = move || page.set(1);
    Effect::new(move |last: Option<Option<CorruptionConditions>>| {
        let conditions = shown.conditions.get();
        if last.is_some_and(|last| last != conditions) {
            first_page();
        }
        conditions
    });
    let filters: Vec<Choice> = SampleFilter::ALL
        .map(|one| Choice::new(one.id(), one.label()))
        .into();
    view! {
        <section id="corrupted-samples" aria-labelledby="corrupted-samples-title">
            <h3 id="corrupted-samples-title">"What does the network get wrong?"</h3>
            <div class="controls">
                <Chooser
                    id="sample-corruption" label="Corruption"
                    options=Signal::derive(move || listed.with(|listed| listed.iter().map(|one| Choice::new(one.id(), one.label())).collect()))
                    value=Signal::derive(move || now.get().map_or_else(String::new, |now| now.corruption.id().to_owned()))
                    choose=move |value| { corruption.set(value.parse().ok()); first_page(); }
                />
                <Chooser
                    id="sample-severity" label="Severity"
                    options=Signal::derive(move || steps.with(|steps| steps.iter().map(|one| Choice::new(one.to_string(), one.to_string())).collect()))
                    value=Signal::derive(move || now.get().map_or_else(String::new, |now| now.severity.to_string()))
                    choose=move |value| { severity.set(value.parse().ok()); first_page(); }
                />
                <Chooser
                    id="sample-filter" label="Show" options=Signal::stored(filters)
                    value=Signal::derive(move || filter.get().id().to_owned())
                    choose=move |value| {
                        let wanted = SampleFilter::ALL.into_iter().find(|one| one.id() == value);
                        filter.set(wanted.unwrap_or_default());
                        first_page();
                    }
                />
            </div>
            <p class="hint">{move || now.get().map(|now| now.corruption.description())}</p>
            <Transition fallback=|| view! { <p class="waiting" aria-busy="true">"Loading …"</p> }>
                <div class="foot">
                    <span role="status" id="sample-total">{move || sample_page(samples).map(|page| total_words(&page))}</span>
                    <Pages page last=Signal::derive(move || sample_page(samples).map_or(1, |page| pages(page.total))) />
                </div>
                {move || list(samples)}
            </Transition>
        </section>
    }
    .into_any()
}

type Answer = Resource<Option<Result<CorruptedSamplePage, ApiError>>>;

fn sample_page(samples: Answer) -> Option<CorruptedSamplePage> {
    samples.get().flatten().and_then(Result::ok)
}

/// The number of matching images, and of all.
fn total_words(page: &CorruptedSamplePage) -> String {
    format!(
        "{} of {}",
        format::count(page.total.into()),
        format::plural(page.images.into(), "image", "images")
    )
}

/// Buttons to other pages. They stay while pages load, and keep the focus.
#[component]
pub(in crate::pages::run) fn Pages(page: RwSignal<u32>, last: Signal<u32>) -> impl IntoView {
    let turn = move |step: i64| {
        move |_| {
            let last = last.get_untracked();
            page.update(|page| {
                let wanted = (i64::from(*page) + step).clamp(1, i64::from(last));
                *page = u32::try_from(wanted).unwrap_or(1);
            });
        }
    };
    // Not inside `view!`, which takes the `>` of `>=` for the end of the tag.
    let at_end = move || page.get() >= last.get();
    view! {
        <nav aria-label="Pages of samples" hidden=move || last.get() == 1 && page.get() == 1>
            <button type="button" class="quiet" disabled=move || page.get() <= 1 on:click=turn(-1)>"Previous"</button>
            <span>{move || format!("Page {} of {}", page.get(), last.get())}</span>
            <button type="button" class="quiet" disabled=at_end on:click=turn(1)>"Next"</button>
        </nav>
    }
}

fn list(samples: Answer) -> AnyView {
    match samples.get().flatten() {
        None => ().into_any(),
        Some(Err(error)) => view! { <ErrorBox error /> }.into_any(),
        Some(Ok(page)) if page.total == 0 => view! {
            <p class="waiting">"No image matches. Choose another filter, severity or corruption."</p>
        }
        .into_any(),
        Some(Ok(page)) => {
            let cards = page.samples.into_iter().map(card).collect_view();
            view! { <ul class="sample-pairs">{cards}</ul> }.into_any()
        }
    }
}

fn card(sample: CorruptedSample) -> impl IntoView {
    let CorruptedSample {
        index,
        class,
        clean,
        corrupted,
    } = sample;
    let title = format!("Test image {index}: ");
    view! {
        <li data-sample=index>
            <p class="hint">{title}<strong>{class.clone()}</strong></p>
            <div class="pair">
                {half("Clean", &class, index, clean)}
                {half("Corrupted", &class, index, corrupted)}
            </div>
        </li>
    }
}

/// One image and what the network says of it; right or wrong by mark and word, not by colour alone.
pub(in crate::pages::run) fn half(
    kind: &'static str,
    class: &str,
    index: u32,
    prediction: Prediction,
) -> impl IntoView + use<> {
    let Prediction {
        class: predicted,
        confidence: share,
        right,
        url,
    } = prediction;
    let (mark, verdict) = if right {
        ("✓", "right")
    } else {
        ("✗", "wrong")
    };
    let alt = format!("{class}, test image {index}, {}", kind.to_lowercase());
    let words = match predicted {
        Some(predicted) => format!("{predicted}, {}", confidence(share)),
        None => "no class: the outputs are not numbers".to_owned(),
    };
    view! {
        <div class="half" data-right=right.to_string()>
            <img src=url alt=alt width="128" height="128" loading="lazy" />
            <span class="hint">{kind}</span>
            <span class="verdict" data-right=right.to_string()>
                <span aria-hidden="true">{mark}" "</span>
                <span class="sr-only">{verdict}": "</span>
                {words}
            </span>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: a last page that is cut off, or "page 1 of 0".
    #[test]
    fn every_sample_is_on_a_page() {
        assert_eq!([0, 1, 12, 13, 37].map(pages), [1, 1, 1, 2, 4]);
        assert_eq!(confidence(0.934), "93 %");
    }

    /// Broken by: a path that asks for another corruption, filter or page than is shown.
    #[test]
    fn the_path_names_what_is_shown() {
        let request = Request {
            run: 3,
            conditions: "generated.0.200".parse().unwrap(),
            corruption: Corruption::JpegCompression,
            severity: 2,
            filter: SampleFilter::default(),
            page: 4,
        };
        assert_eq!(
            request.path(),
            "/runs/3/corrupted-samples?conditions=generated.0.200&corruption=jpeg_compression&severity=2&filter=broken&page=4&page_size=12"
        );
    }
}
