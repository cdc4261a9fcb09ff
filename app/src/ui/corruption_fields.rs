//! What a network is tested on besides clean images: the fields of every form that asks for it.

use leptos::prelude::*;
use protocol::Corruption;
use protocol::corruption::{CorruptionFamily, JpegStep, SEVERITIES};

use super::field::{Field, Input, Inputs, Radio, input_id};
use crate::data::choice::Choice;
use crate::data::corruptions::of_family;
use crate::form::draft::{
    CORRUPTION_FROST, CORRUPTION_IMAGES, CORRUPTION_JPEG, CORRUPTION_SEED, CORRUPTION_SEVERITIES,
    CORRUPTION_SOURCE, CORRUPTIONS, OFF,
};
use crate::format;

/// The published corrupted set of a data set, if there is one.
fn published_set(dataset: &str) -> Option<&'static str> {
    match dataset {
        "cifar10" => Some("CIFAR10-C"),
        "tiny-imagenet" => Some("Tiny ImageNet-C"),
        _ => None,
    }
}

/// The identifiers of corruptions, as the form's list holds them.
fn ids(corruptions: impl Iterator<Item = Corruption>) -> String {
    let ids: Vec<&str> = corruptions.map(Corruption::id).collect();
    ids.join(", ")
}

/// Off, generated or published; which corruptions, how severe, on how many images.
#[component]
pub fn CorruptionFields(
    /// The form of the fields.
    inputs: Inputs,
    /// The data set's name in specs.
    dataset: Signal<String>,
) -> impl IntoView {
    let source = Memo::new(move |_| inputs.get(CORRUPTION_SOURCE));
    let off = move || source.with(|source| source == OFF);
    let published = Memo::new(move |_| dataset.with(|dataset| published_set(dataset)));
    let words = |text: &str| Signal::stored(text.to_owned());
    let published_label = Signal::derive(move || {
        published.get().map_or(
            "Published set (this data set has none)".to_owned(),
            |name| format!("Published set: {name}"),
        )
    });
    let no_published = Signal::derive(move || published.get().is_none());
    let seeded = move || source.with(|source| source == "generated");
    // A hint says that the published Tiny ImageNet-C allows no measure but accuracy.
    let accuracy_alone = move || {
        let tiny = dataset.with(|dataset| dataset == "tiny-imagenet");
        tiny && source.with(|source| source == "published")
    };
    view! {
        <Group inputs path=CORRUPTION_SOURCE label="Natural corruptions" role="radiogroup">
            <Radio inputs path=CORRUPTION_SOURCE value=OFF label=words("Off") />
            <Radio inputs path=CORRUPTION_SOURCE value="generated" label=words("Generated from the test images") />
            <Radio inputs path=CORRUPTION_SOURCE value="published" label=published_label disabled=no_published />
        </Group>
        <p class="hint" hidden=move || !accuracy_alone()>{TINY_IMAGENET_C}</p>
        <div class="corruption-fields" hidden=off>
            <Picks inputs />
            <Group inputs path=CORRUPTION_SEVERITIES label="Severities" role="group">
                {SEVERITIES.map(|severity| tick(inputs, CORRUPTION_SEVERITIES, severity.to_string(), severity.to_string(), all_severities)).collect_view()}
            </Group>
            <Field
                inputs path=CORRUPTION_IMAGES label="Test images" input=Input::Line("numeric")
                hint=words("Taken from every class in proportion to its size. Empty: all.")
            />
            <details hidden=move || !seeded()>
                <summary>"More"</summary>
                <DrawingFields
                    inputs seed=CORRUPTION_SEED jpeg=CORRUPTION_JPEG frost=CORRUPTION_FROST
                    seed_hint="The same for every run, so that all are tested on the same images."
                />
            </details>
        </div>
    }
    .into_any()
}

/// What the published Tiny ImageNet-C is good for.
const TINY_IMAGENET_C: &str = "Accuracy only: its images were made from other crops of the photographs than Tiny ImageNet’s, so none has a matching clean image. Its share of clean accuracy compares two sets of images of the same classes.";

/// Fields that a fold may hide; their errors are shown at [`CORRUPTIONS`].
const FOLDED: &[&str] = &[CORRUPTION_FROST];

/// How generated images are drawn: seed, JPEG step, photographs of frost, at these paths.
#[component]
pub(super) fn DrawingFields(
    inputs: Inputs,
    seed: &'static str,
    jpeg: &'static str,
    frost: &'static str,
    seed_hint: &'static str,
) -> impl IntoView {
    let steps = JpegStep::ALL.map(|step| Choice::new(step.id(), step.label()));
    let words = |text: &str| Signal::stored(text.to_owned());
    view! {
        <Field inputs path=seed label="Corruption seed" input=Input::Line("numeric") hint=words(seed_hint) />
        <Field inputs path=jpeg label="JPEG step" input=Input::Select(steps.into()) hint=words(JPEG_HINT) />
        <Field inputs path=frost label="Frost photographs" input=Input::Line("text") hint=words(FROST_HINT) />
    }
}

/// What the JPEG step is.
const JPEG_HINT: &str = "Tiny ImageNet-C is published as JPEG files of quality 85. Images corrupted with its parameters (shorter side over 48 pixels) are compressed in the same way; images corrupted with CIFAR10-C’s parameters are not.";

/// How photographs of frost are named.
const FROST_HINT: &str = "Name of a folder in the data sets directory; its first five images are used. Empty: the synthetic texture.";

fn all_severities() -> Vec<String> {
    SEVERITIES.map(|severity| severity.to_string()).into()
}

fn all_corruptions() -> Vec<String> {
    Corruption::ALL.map(|one| one.id().to_owned()).into()
}

/// A box that puts `entry` into the list at `path`, or takes it out.
fn tick(
    inputs: Inputs,
    path: &'static str,
    entry: String,
    label: String,
    all: fn() -> Vec<String>,
) -> impl IntoView {
    let checked = {
        let entry = entry.clone();
        Memo::new(move |_| {
            inputs
                .draft
                .with(|draft| draft.entries(path).any(|one| one == entry))
        })
    };
    let value = entry.clone();
    let change = move |event: leptos::ev::Event| {
        let wanted = event_target_checked(&event);
        let list = inputs
            .draft
            .with_untracked(|draft| draft.with_entry(path, all().into_iter(), &entry, wanted));
        inputs.edit(path, list);
    };
    view! {
        <label>
            <input
                type="checkbox" name=path value=value
                checked=move || checked.get() prop:checked=move || checked.get()
                on:change=change
            />
            {label}
        </label>
    }
}

/// The corruptions: quick choices, and every one by family.
#[component]
fn Picks(inputs: Inputs) -> impl IntoView {
    let held = Memo::new(move |_| {
        inputs
            .draft
            .with(|draft| draft.entries(CORRUPTIONS).count())
    });
    let choose = move |corruptions: fn(&Corruption) -> bool| {
        move |_| {
            inputs.edit(
                CORRUPTIONS,
                ids(Corruption::ALL.into_iter().filter(corruptions)),
            )
        }
    };
    let families = CorruptionFamily::ALL
        .map(|family| {
            let boxes = of_family(family)
                .map(|one| {
                    tick(
                        inputs,
                        CORRUPTIONS,
                        one.id().to_owned(),
                        one.label().to_owned(),
                        all_corruptions,
                    )
                })
                .collect_view();
            let label = family.label();
            view! { <div class="family" role="group" aria-label=label><span class="hint">{label}</span>{boxes}</div> }
        })
        .collect_view();
    let work = move || {
        let spec = inputs.draft.with(|draft| draft.evaluation()).ok()?;
        let spec = spec.corruptions?;
        let sets = spec.corruptions.len() * spec.severities.len();
        let each = spec.images.map_or("all test images".to_owned(), |images| {
            format::plural(images.into(), "image", "images")
        });
        Some(format!(
            "Each run is tested on {} of {each}, and on the clean versions of the same images.",
            format::plural(
                sets as u64,
                "set (one corruption at one severity)",
                "sets (corruptions × severities)"
            )
        ))
    };
    view! {
        <Group inputs path=CORRUPTIONS label="Corruptions" role="group" also=FOLDED>
            <button type="button" class="quiet" on:click=choose(|_| true)>{format!("All {}", Corruption::ALL.len())}</button>
            <button type="button" class="quiet" on:click=choose(|one| !one.is_extra())>"The benchmark's 15"</button>
            <button type="button" class="quiet" on:click=choose(|_| false)>"None"</button>
            <details>
                <summary>{move || format!("{} of {} chosen", held.get(), Corruption::ALL.len())}</summary>
                <div class="families">{families}</div>
            </details>
        </Group>
        <p class="hint">{work}</p>
    }
}

/// Several boxes or buttons under one name, with their errors.
#[component]
pub(super) fn Group(
    inputs: Inputs,
    path: &'static str,
    label: &'static str,
    role: &'static str,
    /// Other paths that it decides, without fields of their own.
    #[prop(optional)]
    also: &'static [&'static str],
    children: Children,
) -> impl IntoView {
    let id = input_id(path);
    let label_id = format!("{id}-label");
    let error_id = format!("{id}-error");
    let errors = Memo::new(move |_| {
        let paths = std::iter::once(path).chain(also.iter().copied());
        paths
            .flat_map(|path| inputs.errors_at(path))
            .collect::<Vec<String>>()
    });
    let wrong = move || !errors.with(Vec::is_empty);
    view! {
        <div class="field" class:wrong=wrong>
            <p class="name" id=label_id.clone()>{label}</p>
            <div class="choices" id=id role=role tabindex="-1" aria-labelledby=label_id aria-describedby=error_id.clone()>
                {children()}
            </div>
            <p class="error" id=error_id aria-live="polite">{move || errors.get().join("; ")}</p>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: "published" offered where nothing is published, or not where it is.
    #[test]
    fn only_the_benchmarks_data_sets_have_a_published_set() {
        use protocol::Dataset;
        let published = |dataset: Dataset| published_set(&dataset.to_string());
        assert_eq!(published(Dataset::Cifar10), Some("CIFAR10-C"));
        assert_eq!(published(Dataset::TinyImagenet), Some("Tiny ImageNet-C"));
        assert_eq!(published(Dataset::Builtin), None);
        assert_eq!(published(Dataset::Folder("cifar10".into())), None);
    }
}
