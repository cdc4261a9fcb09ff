//! The controls: the image, the kind of change, and its strength.

use leptos::html;
use leptos::prelude::*;
use protocol::Corruption;
use protocol::perturbation_bench::BenchAnswer;
use serde::Deserialize;

use super::Bench;
use super::view::{ChangeKind, MOST_STEPS, STEP_SIZES, View, WIDEST};
use crate::data::api::{self, Upload};
use crate::data::choice::{Choice, choices};
use crate::format;
use crate::ui::{Chooser, CommandError, use_command};

/// The clean image, and which it is.
#[component]
pub fn Image(bench: Bench) -> impl IntoView {
    let image = Memo::new(move |_| {
        bench.answer.with(|answer| {
            answer
                .as_ref()
                .ok()
                .map(|answer: &BenchAnswer| answer.image.clone())
        })
    });
    let last = move || {
        image.with(|image| {
            image
                .as_ref()
                .map_or(0, |image| image.test_images.saturating_sub(1))
        })
    };
    let index = move || bench.view.with(|view| view.image.parse::<u32>().ok());
    let go = move |to: u32| bench.change(|view| view.image = to.min(last()).to_string());
    let move_by = move |step: i64| {
        let from = i64::from(index().unwrap_or(0));
        go(u32::try_from((from + step).max(0)).unwrap_or(0));
    };
    // Coprime to most sizes: goes through the set without showing neighbours of one class.
    let another = move |_| {
        let images = u64::from(last()) + 1;
        let next = (u64::from(index().unwrap_or(0)) + 7919) % images;
        go(next as u32);
    };
    let words = move || {
        image.with(|image| match image {
            None => String::new(),
            Some(image) => match (image.index, &image.class) {
                (Some(index), Some(class)) => format!("{class}, test image {index}"),
                _ => "Your own image; its class is unknown".to_owned(),
            },
        })
    };
    let picture = move || {
        image.with(|image| {
            let image = image.as_ref()?;
            let alt = format!("The clean image, {} × {} pixels", image.height, image.width);
            Some(view! { <img src=image.url.clone() alt=alt width="128" height="128" /> })
        })
    };
    view! {
        <section class="bench-image" aria-labelledby="bench-image-title">
            <h2 id="bench-image-title">"Image"</h2>
            <div class="picture">{picture}</div>
            <p class="verdict" role="status">{words}</p>
            <div class="choices">
                <label for="bench-index" class="sr-only">"Index of the test image"</label>
                <input
                    id="bench-index" type="number" min="0" max=last step="1" inputmode="numeric"
                    prop:value=move || index().map(|index| index.to_string()).unwrap_or_default()
                    on:change=move |event| if let Ok(to) = event_target_value(&event).parse() { go(to) }
                />
                <button type="button" aria-label="Previous test image" on:click=move |_| move_by(-1)>"‹"</button>
                <button type="button" aria-label="Next test image" on:click=move |_| move_by(1)>"›"</button>
                <button type="button" id="bench-another" on:click=another>"Another image"</button>
            </div>
            <Own bench />
        </section>
    }
    .into_any()
}

/// The name of an image that the server keeps.
#[derive(Debug, Clone, Deserialize)]
struct Uploaded {
    image: String,
}

/// An uploaded image.
#[component]
fn Own(bench: Bench) -> impl IntoView {
    let command = use_command();
    let file = NodeRef::<html::Input>::new();
    let chosen = move |_| {
        let Some(upload) = Upload::chosen(file) else {
            return;
        };
        let sent = api::send_file::<Uploaded>("/perturbation/images", upload);
        command.wait(sent, move |brought| {
            bench.change(|view| view.image = brought.image);
        });
    };
    view! {
        <div class="own">
            <label for="bench-own">"Your own (choose or drop a PNG or JPEG file)"</label>
            <input node_ref=file id="bench-own" type="file" accept="image/png,image/jpeg" on:change=chosen />
            <CommandError command />
        </div>
    }
    .into_any()
}

/// How the image is changed, and how strongly.
#[component]
pub fn Change(bench: Bench) -> impl IntoView {
    let ways = ChangeKind::ALL
        .into_iter()
        .map(|way| {
            let is = move || bench.view.with(|view| view.way) == way;
            view! {
                <label>
                    <input type="radio" name="way" value=way.id() prop:checked=is checked=is on:change=move |_| bench.change(|view| view.way = way) />
                    {way.label()}
                </label>
            }
        })
        .collect_view();
    let is = move |ways: &'static [ChangeKind]| {
        move || !ways.contains(&bench.view.with(|view| view.way))
    };
    let corruptions = choices(&Corruption::ALL, Corruption::id, Corruption::label);
    let steps = choices(
        &STEP_SIZES,
        |one| one.to_string(),
        |one| format!("{one}/255"),
    );
    view! {
        <section class="bench-change" aria-labelledby="bench-change-title">
            <h2 id="bench-change-title">"How it is changed"</h2>
            <fieldset class="ways"><legend class="sr-only">"Kind of change"</legend>{ways}</fieldset>
            <div hidden=is(&[ChangeKind::Corruption])>
                <Chooser
                    id="bench-corruption" label="Corruption" options=Signal::stored(corruptions)
                    value=Signal::derive(move || bench.view.with(|view| view.corruption.id().to_owned()))
                    choose=move |id| if let Ok(corruption) = id.parse() { bench.change(|view| view.corruption = corruption) }
                />
                <Slider
                    bench id="bench-severity" label="Severity" max=5.0 step=1.0
                    value=|view| view.severity.into() set=|view, value| view.severity = value as u8
                    words=|view| match view.severity { 0 => "clean".into(), severity => severity.to_string() }
                />
            </div>
            <div hidden=is(&[ChangeKind::Fgsm, ChangeKind::Pgd])>
                <Slider
                    bench id="bench-epsilon" label="Epsilon, L∞" max=WIDEST step=0.25
                    value=|view| view.epsilon set=|view, value| view.epsilon = value
                    words=|view| format!("{}/255", view.epsilon)
                />
            </div>
            <div hidden=is(&[ChangeKind::Pgd])>
                <Slider
                    bench id="bench-steps" label="Steps" max=MOST_STEPS.into() step=1.0
                    value=|view| view.steps.into() set=|view, value| view.steps = value as u32
                    words=|view| view.steps.to_string()
                />
                <Chooser
                    id="bench-step" label="Step size" options=Signal::stored(steps)
                    value=Signal::derive(move || bench.view.with(|view| view.step.to_string()))
                    choose=move |step| if let Ok(step) = step.parse() { bench.change(|view| view.step = step) }
                />
                <Play bench />
            </div>
            <p class="hint">{move || words(bench.view.with(|view| view.way))}</p>
        </section>
    }
    .into_any()
}

/// What a kind of change does, in a sentence or two.
fn words(way: ChangeKind) -> &'static str {
    match way {
        ChangeKind::Corruption => {
            "Generated like CIFAR10-C and Tiny ImageNet-C (Hendrycks & Dietterich 2019), with seed 0 as in evaluations. Every network gets the same image."
        }
        ChangeKind::Fgsm => {
            "One step along the sign of the loss gradient (Goodfellow et al. 2015), computed separately for each network. The class of your own image is unknown, so its attack leads away from the class that the network predicts."
        }
        ChangeKind::Pgd => {
            "Projected gradient descent from the clean image (Madry et al. 2018), computed separately for each network; the slider moves back and forth along its path."
        }
    }
}

#[component]
fn Slider(
    bench: Bench,
    id: &'static str,
    label: &'static str,
    max: f64,
    step: f64,
    value: fn(&View) -> f64,
    set: fn(&mut View, f64),
    words: fn(&View) -> String,
) -> impl IntoView {
    let moved = move |event| {
        if let Ok(to) = event_target_value(&event).parse() {
            bench.change(|view| set(view, to));
        }
    };
    let now = move || bench.view.with(value);
    view! {
        <div class="slider">
            <label for=id>{label}</label>
            <input id=id type="range" min="0" max=max step=step value=now() prop:value=now on:input=moved />
            <output for=id>{move || bench.view.with(words)}</output>
        </div>
    }
    .into_any()
}

/// Plays PGD, one step per answer.
#[component]
fn Play(bench: Bench) -> impl IntoView {
    let playing = bench.playing;
    let toggle = move |_| {
        if playing.get_untracked() {
            playing.set(false);
            return;
        }
        bench.change(|view| {
            if view.steps >= MOST_STEPS {
                view.steps = 0;
            }
        });
        playing.set(true);
    };
    Effect::new(move |_| {
        let ready = playing.get() && !bench.busy.get();
        if !ready {
            return;
        }
        // Long enough to see a step; slower answers set the pace themselves.
        set_timeout(
            move || {
                if playing.try_get_untracked() != Some(true) {
                    return;
                }
                let (way, steps) = bench.view.with_untracked(|view| (view.way, view.steps));
                if way != ChangeKind::Pgd || steps >= MOST_STEPS {
                    playing.set(false);
                } else {
                    bench.view.update(|view| view.steps += 1);
                }
            },
            std::time::Duration::from_millis(120),
        );
    });
    view! {
        <button type="button" class="primary" id="bench-play" on:click=toggle aria-pressed=move || playing.get().to_string()>
            {move || if playing.get() { "Stop" } else { "Play" }}
        </button>
    }
    .into_any()
}

/// The layer and the unit that are looked at.
#[component]
pub fn Watched(bench: Bench, layers: Vec<(String, u32)>) -> impl IntoView {
    let last = layers
        .last()
        .map(|(name, _)| name.clone())
        .unwrap_or_default();
    let choices: Vec<Choice> = layers
        .into_iter()
        .map(|(name, units)| {
            let label = format!("{name}, {}", format::plural(units.into(), "unit", "units"));
            Choice::new(name, label)
        })
        .collect();
    let layer = move || {
        bench
            .view
            .with(|view| view.layer.clone())
            .unwrap_or_else(|| last.clone())
    };
    let all = move |_| bench.change(|view| view.unit = None);
    view! {
        <section class="bench-change" aria-labelledby="bench-watched-title">
            <h2 id="bench-watched-title">"Inside the networks"</h2>
            <Chooser
                id="bench-layer" label="Layer" options=Signal::stored(choices) value=Signal::derive(layer)
                choose=move |layer| bench.change(|view| (view.layer, view.unit) = (Some(layer), None))
            />
            <button type="button" class="quiet" id="bench-farthest" disabled=move || bench.view.with(|view| view.unit.is_none()) on:click=all>
                "Each network's most-changed unit"
            </button>
        </section>
    }
    .into_any()
}
