//! Real images, clean and adversarial with what was changed.

use std::sync::Arc;

use leptos::prelude::*;
use protocol::api::{AdversarialSample, AdversarialSamplePage, Fall};
use protocol::attack::{Attack, AttackConditions, Norm};

use super::Shown;
use crate::api;
use crate::attacks::{attack_choices, closest};
use crate::components::Chooser;
use crate::pages::run::samples::{Browser, half};

/// Where the API has the samples.
fn address(run: i64, conditions: AttackConditions, attack: Attack) -> String {
    format!(
        "/runs/{run}/adversarial-samples?conditions={conditions}&attack={}",
        api::segment(&attack.to_string())
    )
}

/// The browser of samples.
pub fn samples(run: i64, shown: Shown) -> AnyView {
    let chosen = RwSignal::new(None::<Attack>);
    let listed = Memo::new(move |_| shown.attacked.with(|attacked| attacked.attacks()));
    let swept = Memo::new(move |_| shown.attacked.with(|attacked| !attacked.fgsm.is_empty()));
    let attack = Memo::new(move |_| listed.with(|listed| closest(chosen.get(), listed)));
    let controls = view! {
        <Chooser
            id="adversarial-attack" label="Attack"
            options=Signal::derive(move || listed.with(|listed| attack_choices(listed)))
            value=Signal::derive(move || attack.get().map_or_else(String::new, |attack| attack.to_string()))
            choose=move |value| chosen.set(value.parse().ok())
        />
    };
    Browser::<AdversarialSamplePage> {
        id: "adversarial-samples",
        question: "What does it take to fool it?",
        names: ["adversarial-filter", "adversarial-total"],
        controls: controls.into_any(),
        hint: "The change is magnified until the attack's radius fills the range from black to white; grey is no change.".into_any(),
        other: "another filter or attack",
        address: Memo::new(move |_| Some(address(run, shown.under.shown.get()?, attack.get()?))),
        card: Arc::new(move |sample| card(sample, swept.get_untracked())),
    }
    .view()
}

/// Where an image falls, if FGSM was made to tell.
fn fall_words(fall: Fall, swept: bool) -> Option<String> {
    match fall {
        Fall::WrongWhenClean => Some("wrong when clean".to_owned()),
        _ if !swept => None,
        Fall::At { epsilon } => Some(format!("falls at ε {}", Norm::Linf.radius(epsilon))),
        Fall::Never => Some("stands at every ε that was tried".to_owned()),
    }
}

fn card(sample: AdversarialSample, swept: bool) -> AnyView {
    let AdversarialSample {
        index,
        class,
        clean,
        adversarial,
        perturbation_url,
        falls_at,
    } = sample;
    let title = format!("Test image {index}: ");
    let falls = fall_words(falls_at, swept).map(|words| format!("; FGSM: {words}"));
    let alt = format!("{class}, test image {index}, what the attack changed, magnified");
    view! {
        <li data-sample=index>
            <p class="hint">{title}<strong>{class.clone()}</strong><span data-falls="">{falls}</span></p>
            <div class="pair three">
                {half("Clean", &class, index, clean)}
                <div class="half">
                    <img src=perturbation_url alt=alt width="128" height="128" loading="lazy" />
                    <span class="hint">"Change, magnified"</span>
                </div>
                {half("Adversarial", &class, index, adversarial)}
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

    /// Broken by: a path that asks for another attack, filter or page than is shown, or an attack whose slashes
    /// are sent as they are.
    #[test]
    fn the_path_names_what_is_shown() {
        let address = address(3, "0.100".parse().unwrap(), Attack::fgsm(0.5));
        assert_eq!(
            path(&address, SampleFilter::default(), 4),
            "/runs/3/adversarial-samples?conditions=0.100&attack=fgsm%3Alinf%3A0.5%2F255&filter=broken&page=4&page_size=12"
        );
    }

    /// Broken by: "stands at every epsilon" where none was tried, or a radius on the scale of images.
    #[test]
    fn where_an_image_falls_is_told_in_255ths() {
        let at = Fall::At {
            epsilon: 1.0 / 255.0,
        };
        assert_eq!(fall_words(at, true).unwrap(), "falls at ε 1/255");
        assert_eq!(fall_words(Fall::Never, false), None);
        assert!(fall_words(Fall::Never, true).is_some());
    }
}
