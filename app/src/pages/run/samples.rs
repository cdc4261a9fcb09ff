//! Real images, clean beside perturbed, with what the network says of each: page by page.

use std::sync::Arc;

use leptos::prelude::*;
use protocol::api::{
    AdversarialSamplePage, ApiError, CorruptedSamplePage, Prediction, SampleFilter,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api;
use crate::components::{Choice, Chooser, ErrorBox};
use crate::format;

/// Samples a page shows.
const PAGE_SIZE: u32 = 12;

/// An answer of the API: one page of samples.
pub trait Page: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// A sample.
    type Sample;

    /// How many samples there are on all pages.
    fn total(&self) -> u32;
    /// How many there are, of how many images, in words.
    fn words(&self) -> String;
    /// Those of this page.
    fn samples(self) -> Vec<Self::Sample>;
}

impl Page for CorruptedSamplePage {
    type Sample = protocol::api::CorruptedSample;

    fn total(&self) -> u32 {
        self.total
    }

    fn words(&self) -> String {
        format!(
            "{} of {}",
            format::count(self.total.into()),
            format::plural(self.images.into(), "image", "images")
        )
    }

    fn samples(self) -> Vec<Self::Sample> {
        self.samples
    }
}

impl Page for AdversarialSamplePage {
    type Sample = protocol::api::AdversarialSample;

    fn total(&self) -> u32 {
        self.total
    }

    /// Of how many that were kept, too.
    fn words(&self) -> String {
        let all = format::plural(self.images.into(), "image", "images");
        let total = format::count(self.total.into());
        if self.kept == self.images {
            format!("{total} of {all}")
        } else {
            format!(
                "{total} of the first {} of {all} attacked, which were kept",
                format::count(self.kept.into())
            )
        }
    }

    fn samples(self) -> Vec<Self::Sample> {
        self.samples
    }
}

/// A browser of samples.
pub struct Browser<P: Page> {
    /// The element's id.
    pub id: &'static str,
    /// What it asks.
    pub question: &'static str,
    /// The ids of the choice of a filter and of the number of samples.
    pub names: [&'static str; 2],
    /// What else can be chosen.
    pub controls: AnyView,
    /// What one must know of what is shown.
    pub hint: AnyView,
    /// What to try where no image is like this.
    pub other: &'static str,
    /// Where the API has the samples, without filter and page; none while there is nothing to ask for.
    pub address: Memo<Option<String>>,
    /// A sample as an entry of a list.
    pub card: Arc<dyn Fn(P::Sample) -> AnyView + Send + Sync>,
}

/// A path with the filter and the page that are shown.
pub fn path(address: &str, filter: SampleFilter, page: u32) -> String {
    format!(
        "{address}&filter={}&page={page}&page_size={PAGE_SIZE}",
        filter.id()
    )
}

type Found<P> = Option<Result<P, ApiError>>;

async fn read<P: Page>(path: Option<String>) -> Found<P> {
    Some(api::get_part(&path?).await)
}

/// Pages that `total` samples fill; one where there are none.
fn pages(total: u32) -> u32 {
    total.div_ceil(PAGE_SIZE).max(1)
}

/// Confidence as a whole percentage: more digits would say more than it knows.
fn confidence(confidence: f32) -> String {
    format!("{:.0} %", confidence * 100.0)
}

impl<P: Page> Browser<P> {
    /// The section.
    pub fn view(self) -> AnyView {
        let Browser {
            id,
            question,
            names,
            controls,
            hint,
            other,
            address,
            card,
        } = self;
        let filter = RwSignal::new(SampleFilter::default());
        let list = Memo::new(move |_| Some((address.get()?, filter.get())));
        // Another list begins with its first page.
        let turned = RwSignal::new((None, 1_u32));
        let page = Memo::new(move |_| {
            let (of, page) = turned.get();
            if of == list.get() { page } else { 1 }
        });
        let turn = Callback::new(move |page| turned.set((list.get_untracked(), page)));
        let samples = Resource::new(
            move || {
                let (address, filter) = list.get()?;
                Some(path(&address, filter, page.get()))
            },
            read::<P>,
        );
        let found = move || samples.get().flatten().and_then(Result::ok);
        let filters: Vec<Choice> = SampleFilter::ALL
            .map(|one| Choice::new(one.id(), one.label()))
            .into();
        let cards = move || match samples.get().flatten() {
            None => ().into_any(),
            Some(Err(error)) => view! { <ErrorBox error /> }.into_any(),
            Some(Ok(found)) if found.total() == 0 => {
                let words = format!("No image is like this. Choose {other}.");
                view! { <p class="waiting">{words}</p> }.into_any()
            }
            Some(Ok(found)) => {
                let cards: Vec<AnyView> =
                    found.samples().into_iter().map(|one| card(one)).collect();
                view! { <ul class="sample-pairs">{cards}</ul> }.into_any()
            }
        };
        let title_id = format!("{id}-title");
        let labelled_by = title_id.clone();
        view! {
            <section id=id aria-labelledby=labelled_by>
                <h3 id=title_id>{question}</h3>
                <div class="controls">
                    {controls}
                    <Chooser
                        id=names[0] label="Show" options=Signal::stored(filters)
                        value=Signal::derive(move || filter.get().id().to_owned())
                        choose=move |value| {
                            let wanted = SampleFilter::ALL.into_iter().find(|one| one.id() == value);
                            filter.set(wanted.unwrap_or_default());
                        }
                    />
                </div>
                <p class="hint">{hint}</p>
                <Transition fallback=|| view! { <p class="waiting" aria-busy="true">"Loading …"</p> }>
                    <div class="foot">
                        <span role="status" id=names[1]>{move || found().map(|found| found.words())}</span>
                        <Pages page last=Signal::derive(move || found().map_or(1, |found| pages(found.total()))) turn />
                    </div>
                    {cards}
                </Transition>
            </section>
        }
        .into_any()
    }
}

/// The way to other pages. It stays while pages come and go, and so does the focus on its buttons.
#[component]
fn Pages(page: Memo<u32>, last: Signal<u32>, turn: Callback<u32>) -> impl IntoView {
    let by = move |by: i64| {
        move |_| {
            let wanted = i64::from(page.get_untracked()) + by;
            let wanted = wanted.clamp(1, i64::from(last.get_untracked()));
            turn.run(u32::try_from(wanted).unwrap_or(1));
        }
    };
    // Not inside `view!`, which takes the `>` of `>=` for the end of the tag.
    let at_end = move || page.get() >= last.get();
    view! {
        <nav aria-label="Pages of samples" hidden=move || last.get() == 1 && page.get() == 1>
            <button type="button" class="quiet" disabled=move || page.get() <= 1 on:click=by(-1)>"Previous"</button>
            <span>{move || format!("Page {} of {}", page.get(), last.get())}</span>
            <button type="button" class="quiet" disabled=at_end on:click=by(1)>"Next"</button>
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

    /// Broken by: samples that are kept called all that were attacked.
    #[test]
    fn what_was_not_kept_is_told() {
        let page = |kept| AdversarialSamplePage {
            samples: Vec::new(),
            total: 7,
            kept,
            images: 1000,
        };
        assert_eq!(page(1000).words(), "7 of 1,000 images");
        assert_eq!(
            page(64).words(),
            "7 of the first 64 of 1,000 images attacked, which were kept"
        );
    }
}
