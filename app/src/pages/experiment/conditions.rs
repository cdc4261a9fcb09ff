//! Under which conditions a tab's networks were tested, said once above its figures.

use leptos::prelude::*;
use protocol::attack::AttackConditions;
use protocol::corruption_evaluation::CorruptionConditions;

use super::PageSignals;
use crate::format;

/// The sentence; nothing while nothing is trained.
#[component]
pub fn Conditions(now: PageSignals) -> impl IntoView {
    let words = Memo::new(move |_| {
        let clean = now.runs.with(|runs| {
            let mut results = runs.iter().filter_map(|run| run.result.as_ref());
            let first = results.next()?.test_images;
            // Imported runs may have been measured on others.
            results
                .all(|result| result.test_images == first)
                .then_some(first)
        })?;
        let (mut corruptions, mut attacks) = (None, None);
        for scatter in now.scatters.iter().flatten() {
            scatter.with(|scatter| {
                // Those of most runs, whatever a figure was told to show.
                corruptions = corruptions.or(scatter.known_conditions.first().copied());
                attacks = attacks.or(scatter.known_attack_conditions.first().copied());
            });
        }
        Some(sentence(clean, corruptions, attacks))
    });
    view! { <p class="hint" id="test-conditions" hidden=move || words.with(Option::is_none)>{words}</p> }
        .into_any()
}

fn sentence(
    clean: u32,
    corruptions: Option<CorruptionConditions>,
    attacks: Option<AttackConditions>,
) -> String {
    let images = |images: u32| format::plural(images.into(), "image", "images");
    let clean = format::plural(clean.into(), "test image", "test images");
    let mut parts = vec![format!("accuracy and selectivity are measured on {clean}")];
    parts.extend(corruptions.map(|conditions| {
        let (images, origin) = (images(conditions.images), conditions.origin());
        format!("each corruption at each severity on {images} ({origin})")
    }));
    parts.extend(attacks.map(|conditions| {
        let (images, seed) = (images(conditions.images), conditions.attack_seed);
        format!("attacks on {images} (attack seed {seed})")
    }));
    let parts = match &parts[..] {
        [first @ .., last] if !first.is_empty() => format!("{}, and {last}", first.join(", ")),
        _ => parts.concat(),
    };
    format!("Unless a figure says otherwise, {parts}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when the images of one kind of test are said to be another's, or an absent kind is mentioned.
    #[test]
    fn each_kind_of_test_has_its_images() {
        let corruptions = CorruptionConditions {
            source: protocol::corruption_evaluation::CorruptionSource::Generated,
            corruption_seed: 3,
            images: 1_000,
            jpeg: false,
            frost: None,
        };
        let attacks = AttackConditions {
            attack_seed: 4,
            images: 500,
        };
        assert_eq!(
            sentence(10_000, Some(corruptions), Some(attacks)),
            "Unless a figure says otherwise, accuracy and selectivity are measured on 10,000 test images, each corruption at \
             each severity on 1,000 images (generated with seed 3), and attacks on 500 images (attack seed 4)."
        );
        assert_eq!(
            sentence(1, None, None),
            "Unless a figure says otherwise, accuracy and selectivity are measured on 1 test image."
        );
    }
}
