//! Real images, clean beside corrupted, with what the network says of each.

use leptos::prelude::*;
use protocol::api::{CorruptedSample, CorruptedSamplePage, SampleFilter};
use protocol::corruption::Corruption;
use protocol::corruption_evaluation::CorruptionConditions;

use super::Shown;
use crate::data::choice::choices;
use crate::data::corruptions::{corruptions, find, severities};
use crate::format;
use crate::pages::run::samples::{self, Part, SamplePage, half};
use crate::ui::Chooser;

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
            "/runs/{}/corrupted-samples?conditions={}&corruption={}&severity={}&{}",
            self.run,
            self.conditions,
            self.corruption,
            self.severity,
            Part::query(self.filter, self.page)
        )
    }
}

/// The browser of samples.
#[component]
pub fn Samples(run: i64, shown: Shown) -> impl IntoView {
    let corruption = RwSignal::new(None::<Corruption>);
    let severity = RwSignal::new(None::<u8>);
    let part = Part::new(shown.tested.conditions);
    let first_page = move || part.page.set(1);
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
            conditions: shown.tested.conditions.get()?,
            corruption,
            severity,
            filter: part.filter.get(),
            page: part.page.get(),
        })
    });
    let samples = samples::request(move || now.get().map(Request::path));
    let totals = samples::Totals {
        id: "sample-total",
        total: |page: &CorruptedSamplePage| page.total,
        words: total_words,
        none: "No image matches. Choose another filter, severity or corruption.",
    };
    let cards = |page: CorruptedSamplePage| {
        let cards = page.samples.into_iter().map(card);
        cards.collect_view().into_any()
    };
    view! {
        <section id="corrupted-samples" aria-labelledby="corrupted-samples-title">
            <h3 id="corrupted-samples-title">"What does the network get wrong?"</h3>
            <div class="controls">
                <Chooser
                    id="sample-corruption" label="Corruption"
                    options=Signal::derive(move || listed.with(|listed| choices(listed, Corruption::id, Corruption::label)))
                    value=Signal::derive(move || now.get().map_or_else(String::new, |now| now.corruption.id().to_owned()))
                    choose=move |value| { corruption.set(value.parse().ok()); first_page(); }
                />
                <Chooser
                    id="sample-severity" label="Severity"
                    options=Signal::derive(move || steps.with(|steps| choices(steps, |one| one.to_string(), |one| one.to_string())))
                    value=Signal::derive(move || now.get().map_or_else(String::new, |now| now.severity.to_string()))
                    choose=move |value| { severity.set(value.parse().ok()); first_page(); }
                />
                {part.chooser("sample-filter")}
            </div>
            <p class="hint">{move || now.get().map(|now| now.corruption.description())}</p>
            <SamplePage samples page=part.page totals cards />
        </section>
    }
    .into_any()
}

/// The number of matching images, and of all.
fn total_words(page: &CorruptedSamplePage) -> String {
    format!(
        "{} of {}",
        format::count(page.total.into()),
        format::plural(page.images.into(), "image", "images")
    )
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

#[cfg(test)]
mod tests {
    use super::*;

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
