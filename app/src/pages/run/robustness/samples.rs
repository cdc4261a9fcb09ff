//! Real images, clean beside corrupted.

use std::sync::Arc;

use leptos::prelude::*;
use protocol::api::{CorruptedSample, CorruptedSamplePage};
use protocol::corruption::Corruption;
use protocol::evaluation::CorruptionConditions;

use super::Shown;
use crate::components::{Choice, Chooser};
use crate::corruptions::{corruptions, find, severities};
use crate::pages::run::samples::{Browser, half};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    run: i64,
    conditions: CorruptionConditions,
    corruption: Corruption,
    severity: u8,
}

impl Asked {
    fn address(self) -> String {
        format!(
            "/runs/{}/corrupted-samples?conditions={}&corruption={}&severity={}",
            self.run, self.conditions, self.corruption, self.severity,
        )
    }
}

/// The browser of samples.
pub fn samples(run: i64, shown: Shown) -> AnyView {
    let corruption = RwSignal::new(None::<Corruption>);
    let severity = RwSignal::new(None::<u8>);
    let listed = Memo::new(move |_| shown.measured.with(|measured| corruptions(measured)));
    let steps = Memo::new(move |_| shown.measured.with(|measured| severities(measured)));
    // What was chosen, or, where that was not tested under these conditions, something that was.
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
        Some(Asked {
            run,
            conditions: shown.under.shown.get()?,
            corruption,
            severity,
        })
    });
    let text = move |of: fn(Asked) -> String| {
        Signal::derive(move || now.get().map_or_else(String::new, of))
    };
    let controls = view! {
        <Chooser
            id="sample-corruption" label="Corruption"
            options=Signal::derive(move || listed.with(|listed| listed.iter().map(|one| Choice::new(one.id(), one.label())).collect()))
            value=text(|now| now.corruption.id().to_owned())
            choose=move |value| corruption.set(value.parse().ok())
        />
        <Chooser
            id="sample-severity" label="Severity"
            options=Signal::derive(move || steps.with(|steps| steps.iter().map(|one| Choice::new(one.to_string(), one.to_string())).collect()))
            value=text(|now| now.severity.to_string())
            choose=move |value| severity.set(value.parse().ok())
        />
    };
    Browser::<CorruptedSamplePage> {
        id: "corrupted-samples",
        question: "What does it get wrong?",
        names: ["sample-filter", "sample-total"],
        controls: controls.into_any(),
        hint: (move || now.get().map(|now| now.corruption.description())).into_any(),
        other: "another filter, severity or corruption",
        address: Memo::new(move |_| now.get().map(Asked::address)),
        card: Arc::new(card),
    }
    .view()
}

fn card(sample: CorruptedSample) -> AnyView {
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
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::run::samples::path;
    use protocol::api::SampleFilter;

    /// Broken by: a path that asks for another corruption, filter or page than is shown.
    #[test]
    fn the_path_names_what_is_shown() {
        let asked = Asked {
            run: 3,
            conditions: "generated.0.200".parse().unwrap(),
            corruption: Corruption::JpegCompression,
            severity: 2,
        };
        assert_eq!(
            path(&asked.address(), SampleFilter::default(), 4),
            "/runs/3/corrupted-samples?conditions=generated.0.200&corruption=jpeg_compression&severity=2&filter=broken&page=4&page_size=12"
        );
    }
}
