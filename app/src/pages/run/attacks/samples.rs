//! Real images, clean and adversarial with what was changed, and what the network says of each.

use leptos::prelude::*;
use protocol::api::{AdversarialSample, AdversarialSamplePage, Fall, SampleFilter};
use protocol::attack::{Attack, AttackConditions, Norm};

use super::Shown;
use crate::data::api::segment;
use crate::data::attacks::{attack_choices, closest, default_attack};
use crate::format;
use crate::pages::run::samples::{self, Part, SamplePage, half};
use crate::ui::Chooser;

/// A request; none while nothing was attacked.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Request {
    run: i64,
    conditions: AttackConditions,
    attack: Attack,
    filter: SampleFilter,
    page: u32,
}

impl Request {
    fn path(self) -> String {
        format!(
            "/runs/{}/adversarial-samples?conditions={}&attack={}&{}",
            self.run,
            self.conditions,
            segment(&self.attack.to_string()),
            Part::query(self.filter, self.page)
        )
    }
}

/// The browser of samples.
#[component]
pub fn Samples(run: i64, shown: Shown) -> impl IntoView {
    let attack = RwSignal::new(None::<Attack>);
    let part = Part::new(shown.tested.conditions);
    let listed = Memo::new(move |_| shown.attacked.with(|attacked| attacked.attacks()));
    let swept = Memo::new(move |_| shown.attacked.with(|attacked| !attacked.fgsm.is_empty()));
    let now = Memo::new(move |_| {
        let closest = |listed: &Vec<Attack>| closest(attack.get(), default_attack(), listed);
        Some(Request {
            run,
            conditions: shown.tested.conditions.get()?,
            attack: listed.with(closest)?,
            filter: part.filter.get(),
            page: part.page.get(),
        })
    });
    let samples = samples::request(move || now.get().map(Request::path));
    let totals = samples::Totals {
        id: "adversarial-total",
        total: |page: &AdversarialSamplePage| page.total,
        words: total_words,
        none: "No image matches. Choose another filter or attack.",
    };
    let cards = move |page: AdversarialSamplePage| {
        let swept = swept.get();
        let cards = page.samples.into_iter().map(|sample| card(sample, swept));
        cards.collect_view().into_any()
    };
    view! {
        <section id="adversarial-samples" aria-labelledby="adversarial-samples-title">
            <h3 id="adversarial-samples-title">"What does it take to fool the network?"</h3>
            <div class="controls">
                <Chooser
                    id="adversarial-attack" label="Attack"
                    options=Signal::derive(move || listed.with(|listed| attack_choices(listed)))
                    value=Signal::derive(move || now.get().map_or_else(String::new, |now| now.attack.to_string()))
                    choose=move |value| { attack.set(value.parse().ok()); part.page.set(1); }
                />
                {part.chooser("adversarial-filter")}
            </div>
            <p class="hint">"The change is magnified until the attack's radius fills the range from black to white; grey means no change."</p>
            <SamplePage samples page=part.page totals cards />
        </section>
    }
    .into_any()
}

/// The number of matching images, and of those that were kept.
fn total_words(page: &AdversarialSamplePage) -> String {
    let AdversarialSamplePage {
        total,
        kept,
        images,
        ..
    } = page;
    let all = format::plural((*images).into(), "image", "images");
    let total = format::count((*total).into());
    if kept == images {
        format!("{total} of {all}")
    } else {
        format!(
            "{total} of the first {} of {all} attacked (only these were kept)",
            format::count((*kept).into())
        )
    }
}

/// Where an image falls; only `wrong when clean` if no FGSM was made to tell.
fn fall_words(fall: Fall, swept: bool) -> Option<String> {
    match fall {
        Fall::WrongWhenClean => Some("wrong when clean".to_owned()),
        _ if !swept => None,
        Fall::At { epsilon } => Some(format!("fooled at ε {}", Norm::Linf.radius(epsilon))),
        Fall::Never => Some("not fooled at any ε that was tried".to_owned()),
    }
}

fn card(sample: AdversarialSample, swept: bool) -> impl IntoView {
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
    let alt = format!("{class}, test image {index}, the change made by the attack, magnified");
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
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: a path that asks for another attack, filter or page than is shown, or an attack whose slashes
    /// are sent as they are.
    #[test]
    fn the_path_names_what_is_shown() {
        let request = Request {
            run: 3,
            conditions: "0.100".parse().unwrap(),
            attack: Attack::fgsm(0.5),
            filter: SampleFilter::default(),
            page: 4,
        };
        assert_eq!(
            request.path(),
            "/runs/3/adversarial-samples?conditions=0.100&attack=fgsm%3Alinf%3A0.5%2F255&filter=broken&page=4&page_size=12"
        );
    }

    /// Broken by: "stands at every epsilon" where none was tried, or a radius on the scale of images.
    #[test]
    fn where_an_image_falls_is_told_in_255ths() {
        let at = Fall::At {
            epsilon: 1.0 / 255.0,
        };
        assert_eq!(fall_words(at, true).unwrap(), "fooled at ε 1/255");
        assert_eq!(fall_words(Fall::Never, false), None);
        assert!(fall_words(Fall::Never, true).is_some());
    }

    /// Broken by: kept samples counted as all attacked images.
    #[test]
    fn what_was_not_kept_is_told() {
        let page = |kept| AdversarialSamplePage {
            samples: Vec::new(),
            total: 7,
            kept,
            images: 1000,
        };
        assert_eq!(total_words(&page(1000)), "7 of 1,000 images");
        assert_eq!(
            total_words(&page(64)),
            "7 of the first 64 of 1,000 images attacked (only these were kept)"
        );
    }
}
