//! Whether dimensionality and input-unit gradients are measured: the fields of every form that asks for it.

use leptos::prelude::*;
use protocol::Network;
use protocol::corruption_evaluation::CorruptionSource;
use protocol::dimensionality::{DimensionalitySpec, MAXIMUM_ACTIVATION_IMAGES};
use protocol::gradient::InputUnitGradientSpec;

use super::corruption_fields::{DrawingFields, Group};
use super::field::{Field, Input, Inputs, Radio};
use super::training_facts::perturbations_words;
use crate::data::choice::Choice;
use crate::form::draft::{
    ACTIVATION_IMAGES, DIMENSIONALITY, DIMENSIONALITY_FROST, DIMENSIONALITY_IMAGES,
    DIMENSIONALITY_JPEG, DIMENSIONALITY_SEED, DIMENSIONALITY_SOURCE, Draft, GRADIENT_IMAGES,
    GRADIENTS, KEPT, OFF, ON, SOURCE,
};
use crate::format;

/// Paths without a field, and fields that a fold may hide; their errors are shown at [`DIMENSIONALITY`].
const CHOSEN_TOGETHER: &[&str] = &[
    DIMENSIONALITY_SOURCE,
    DIMENSIONALITY_FROST,
    "evaluation.dimensionality.corruptions",
    "evaluation.dimensionality.severities",
    "evaluation.dimensionality.attacks",
];

/// The label of a choice of [`DIMENSIONALITY`]; none for an unknown one. What the form began with is labelled `kept`.
fn label(choice: &str, kept: &'static str) -> Option<&'static str> {
    match choice {
        OFF => Some("Off"),
        SOURCE => Some(
            "As Leavitt & Morcos (2020): clean, every corruption and severity, PGD with 40 steps",
        ),
        KEPT => Some(kept),
        _ => None,
    }
}

/// The choices of a form: its own, and what it began with if that is none of them.
fn choices(draft: &Draft) -> Vec<&'static str> {
    let kept = draft.keeps_dimensionality.then_some(KEPT);
    [OFF, SOURCE].into_iter().chain(kept).collect()
}

/// Dimensionality: off, as in Leavitt & Morcos (2020), or as copied; on how many images. Input-unit gradients: off or on.
#[component]
pub fn GeometryFields(
    /// The form of the fields.
    inputs: Inputs,
    /// The network that is measured; none while none is chosen.
    network: Signal<Option<Network>>,
    /// The label of the perturbations that the form began with, if they are none of its choices.
    #[prop(default = "As in the copied experiment")]
    kept: &'static str,
) -> impl IntoView {
    let off = move |path: &'static str| move || inputs.draft.with(|draft| draft.get(path) == OFF);
    // What is kept does not change while the form is open.
    let options = inputs
        .draft
        .with_untracked(choices)
        .into_iter()
        .filter_map(|value| {
            let label = label(value, kept)?;
            Some(view! { <Radio inputs path=DIMENSIONALITY value label /> })
        })
        .collect_view();
    let words = |text: &str| Signal::stored(text.to_owned());
    let published = move || {
        inputs
            .draft
            .with(|draft| draft.get(DIMENSIONALITY_SOURCE) == CorruptionSource::Published.id())
    };
    let sources = vec![
        Choice::new(
            CorruptionSource::Generated.id(),
            "Generated from the test images",
        ),
        Choice::new(
            CorruptionSource::Published.id(),
            "Published set (CIFAR10-C; Tiny ImageNet-C has no clean images to subtract)",
        ),
    ];
    let activations = format!(
        "Also measures every value of every feature map, not averaged over space. Empty: not measured. At most {}: memory grows with the square of the number of images.",
        format::count(MAXIMUM_ACTIVATION_IMAGES.into())
    );
    view! {
        <Group inputs path=DIMENSIONALITY label="Dimensionality" role="radiogroup" also=CHOSEN_TOGETHER>{options}</Group>
        <div class="corruption-fields" hidden=off(DIMENSIONALITY)>
            <p class="hint" id="dimensionality-cost">{move || dimensionality_work(inputs)}</p>
            <Field
                inputs path=DIMENSIONALITY_IMAGES label="Test images for dimensionality" input=Input::Line("numeric")
                hint=words("Taken from every class in proportion to its size. Use more images than the widest layer has units. Empty: all.")
            />
            <details>
                <summary>"More"</summary>
                <Field
                    inputs path=ACTIVATION_IMAGES label="Test images for full activations" input=Input::Line("numeric")
                    hint=Signal::stored(activations)
                />
                <Field
                    inputs path=DIMENSIONALITY_SOURCE label="Corrupted images" input=Input::Select(sources)
                    hint=words("If dimensionality was off, this starts as in the corruption test.")
                />
                <div hidden=published>
                    <DrawingFields
                        inputs seed=DIMENSIONALITY_SEED jpeg=DIMENSIONALITY_JPEG frost=DIMENSIONALITY_FROST
                        seed_hint="Use the seed of the corruption test to measure the same corrupted images."
                    />
                </div>
            </details>
        </div>
        <Group inputs path=GRADIENTS label="Input-unit gradients" role="radiogroup">
            <Radio inputs path=GRADIENTS value=OFF label="Off" />
            <Radio inputs path=GRADIENTS value=ON label="Every unit of every layer" />
        </Group>
        <div class="corruption-fields" hidden=off(GRADIENTS)>
            <p class="hint" id="gradient-cost">{move || gradient_work(inputs, network.get())}</p>
            <Field
                inputs path=GRADIENT_IMAGES label="Test images for gradients" input=Input::Line("numeric")
                hint=words("Taken from every class in proportion to its size.")
            />
        </div>
    }
    .into_any()
}

/// What dimensionality is measured on, and its cost; none while a field is wrong.
fn dimensionality_work(inputs: Inputs) -> Option<String> {
    let spec = inputs.draft.with(Draft::evaluation).ok()?.dimensionality?;
    Some(dimensionality_cost(&spec))
}

fn dimensionality_cost(spec: &DimensionalitySpec) -> String {
    // For the unit responses of one image.
    let responses_alone = DimensionalitySpec {
        images: None,
        activation_images: None,
        ..spec.clone()
    };
    let passes = responses_alone.forward_images(1);
    let full = spec.activation_images.map_or_else(String::new, |images| {
        format!(
            " Full activations cost as much again on {}, plus the products of all pairs of these images.",
            format::plural(images.into(), "image", "images")
        )
    });
    format!(
        "Each run is measured on {}: up to about {} through the network per image.{full}",
        perturbations_words(spec),
        format::plural(passes, "pass", "passes")
    )
}

/// What gradients cost; nothing while a field is wrong, or no network is chosen.
fn gradient_work(inputs: Inputs, network: Option<Network>) -> Option<String> {
    let spec = inputs.draft.with(Draft::evaluation).ok()?;
    Some(gradient_cost(network?, spec.input_unit_gradients?))
}

fn gradient_cost(network: Network, spec: InputUnitGradientSpec) -> String {
    let units: u64 = network
        .layers()
        .iter()
        .map(|layer| u64::from(layer.units))
        .sum();
    let images = u64::from(spec.images);
    format!(
        "Exact: one backward pass per unit and image, from the unit's layer down. {}: {} × {} = {} backward passes per run, as much work as {} forward passes through the whole network.",
        network.label(),
        format::plural(units, "unit", "units"),
        format::plural(images, "image", "images"),
        format::count(units * images),
        format::count(spec.forward_images(network, spec.images))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::EvaluationSpec;
    use protocol::attack::Attack;

    /// Broken by: a choice without a name, or copied perturbations that cannot be chosen back.
    #[test]
    fn copied_perturbations_are_a_choice_of_their_own() {
        let mut spec = EvaluationSpec {
            dimensionality: Some(DimensionalitySpec::source(Some(100))),
            ..EvaluationSpec::default()
        };
        assert_eq!(choices(&Draft::from(&spec)), [OFF, SOURCE]);
        if let Some(spec) = &mut spec.dimensionality {
            spec.attacks = vec![Attack::fgsm(3.0)];
        }
        let with_kept = choices(&Draft::from(&spec));
        assert_eq!(with_kept, [OFF, SOURCE, KEPT]);
        assert!(
            with_kept
                .into_iter()
                .all(|choice| label(choice, "").is_some())
        );
    }

    /// Clean and 95 corrupted passes; PGD: 40 steps of a forward and a backward pass, which counts as two, one to
    /// judge the outcome and one to measure it. Broken by: a cost that leaves out the attack, or full activations.
    #[test]
    fn what_dimensionality_costs_is_told() {
        let mut spec = DimensionalitySpec::source(Some(100));
        assert_eq!(
            dimensionality_cost(&spec),
            "Each run is measured on clean images, 19 corruptions × 5 severities, PGD L∞ ε 8/255, step 0.5/255, 40 steps: up to about 218 passes through the network per image."
        );
        spec.activation_images = Some(50);
        assert!(dimensionality_cost(&spec).contains("on 50 images"));
    }

    /// ResNet20 has 16 × 7 + 32 × 6 + 64 × 6 = 688 units. Broken by: a cost that hides how many passes are made.
    #[test]
    fn what_gradients_cost_is_told() {
        let text = gradient_cost(Network::ResNet20, InputUnitGradientSpec { images: 64 });
        assert!(
            text.contains("ResNet20: 688 units × 64 images = 44,032 backward passes per run"),
            "{text}"
        );
    }
}
