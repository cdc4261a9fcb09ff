//! Real images, clean beside perturbed, with what the network says of each: what the browsers of corrupted and of adversarial
//! samples share.

use leptos::prelude::*;
use protocol::api::{ApiError, Prediction, SampleFilter};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::data::api;
use crate::data::choice::choices;
use crate::data::conditions::Conditions;
use crate::ui::{Chooser, ErrorBox};

/// Samples a page shows.
pub const PAGE_SIZE: u32 = 12;

/// Pages that `total` samples fill; one where there are none.
fn pages(total: u32) -> u32 {
    total.div_ceil(PAGE_SIZE).max(1)
}

/// Confidence as a whole percentage: more digits would say more than it knows.
fn confidence(confidence: f32) -> String {
    format!("{:.0} %", confidence * 100.0)
}

/// Which of the samples are shown.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Those that it lets through.
    pub filter: RwSignal<SampleFilter>,
    /// Of these a page, from 1.
    pub page: RwSignal<u32>,
}

impl Part {
    /// The first page under the default filter; the first page again when `conditions` change.
    pub fn new<C: Conditions>(conditions: Memo<Option<C>>) -> Part {
        let part = Part {
            filter: RwSignal::new(SampleFilter::default()),
            page: RwSignal::new(1),
        };
        Effect::new(move |last: Option<Option<C>>| {
            let conditions = conditions.get();
            if last.is_some_and(|last| last != conditions) {
                part.page.set(1);
            }
            conditions
        });
        part
    }

    /// The same, in the query of a request.
    pub fn query(filter: SampleFilter, page: u32) -> String {
        format!("filter={}&page={page}&page_size={PAGE_SIZE}", filter.id())
    }

    /// A choice of filters.
    pub fn chooser(self, id: &'static str) -> impl IntoView {
        let filters = choices(&SampleFilter::ALL, SampleFilter::id, SampleFilter::label);
        let choose = move |value: String| {
            let wanted = SampleFilter::from_id(&value);
            self.filter.set(wanted.unwrap_or_default());
            self.page.set(1);
        };
        view! {
            <Chooser
                id label="Show" options=Signal::stored(filters)
                value=Signal::derive(move || self.filter.get().id().to_owned()) choose
            />
        }
    }
}

/// A page of samples, or why there is none; none while nothing was measured.
pub type Answer<P> = Option<Result<P, ApiError>>;

/// Requests the page of samples at `path`.
pub fn request<P>(path: impl Fn() -> Option<String> + Send + Sync + 'static) -> Resource<Answer<P>>
where
    P: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
{
    Resource::new(
        path,
        |path| async move { Some(api::get_part(&path?).await) },
    )
}

/// How many samples there are, and how that is said.
#[derive(Clone, Copy)]
pub struct Totals<P: 'static> {
    /// The id of the element that says it.
    pub id: &'static str,
    /// Samples on all pages.
    pub total: fn(&P) -> u32,
    /// The same in words.
    pub words: fn(&P) -> String,
    /// Said where there are none.
    pub none: &'static str,
}

/// The samples of a page, each a card, and the way to other pages.
#[component]
pub fn SamplePage<P>(
    /// The answer.
    samples: Resource<Answer<P>>,
    /// The page that is shown.
    page: RwSignal<u32>,
    /// How many there are on all pages.
    totals: Totals<P>,
    /// The cards of its samples.
    cards: impl Fn(P) -> AnyView + Send + Sync + 'static,
) -> impl IntoView
where
    P: Clone + Send + Sync + 'static,
{
    let Totals {
        id,
        total,
        words,
        none,
    } = totals;
    let answer = move || samples.get().flatten().and_then(Result::ok);
    let list = move || match samples.get().flatten() {
        None => ().into_any(),
        Some(Err(error)) => view! { <ErrorBox error /> }.into_any(),
        Some(Ok(page)) if total(&page) == 0 => view! { <p class="waiting">{none}</p> }.into_any(),
        Some(Ok(page)) => view! { <ul class="sample-pairs">{cards(page)}</ul> }.into_any(),
    };
    view! {
        <Transition fallback=|| view! { <p class="waiting" aria-busy="true">"Loading …"</p> }>
            <div class="foot">
                <span role="status" id=id>{move || answer().map(|page| words(&page))}</span>
                <Pages page last=Signal::derive(move || answer().map_or(1, |page| pages(total(&page)))) />
            </div>
            {list}
        </Transition>
    }
    .into_any()
}

/// Buttons to other pages. They stay while pages load, and keep the focus.
#[component]
fn Pages(page: RwSignal<u32>, last: Signal<u32>) -> impl IntoView {
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

/// One image and what the network says of it; right or wrong by mark and word, not by colour alone.
pub fn half(
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
}
