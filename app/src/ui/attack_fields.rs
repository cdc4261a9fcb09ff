//! Which attacks a network is tested with: the fields of every form that asks for it.

use leptos::prelude::*;
use protocol::attack::AttackSpec;

use super::corruption_fields::Group;
use super::field::{Field, Input, Inputs, Radio};
use super::training_facts::attacks_words;
use crate::form::draft::{
    ATTACK_IMAGES, ATTACK_SEED, ATTACKS, AUTO, CHECK_MASKING, Draft, KEPT, OFF, SOURCE,
};
use crate::format;

/// The label of a choice of [`ATTACKS`]; none for an unknown one. What the form began with is labelled `kept`.
fn label(choice: &str, kept: &'static str) -> Option<&'static str> {
    match choice {
        OFF => Some("Off"),
        SOURCE => Some("As Leavitt & Morcos (2020): FGSM over epsilon, PGD over steps"),
        AUTO => Some("The same, plus AutoAttack at ε 8/255 and 1/255"),
        KEPT => Some(kept),
        _ => None,
    }
}

/// The choices of a form: its own, and what it began with if that is none of them.
fn choices(draft: &Draft) -> Vec<&'static str> {
    let kept = draft.keeps_attacks.then_some(KEPT);
    [OFF, SOURCE, AUTO].into_iter().chain(kept).collect()
}

/// Off, as in Leavitt & Morcos (2020), with AutoAttack, or as copied; on how many images.
#[component]
pub fn AttackFields(
    /// The form of the fields.
    inputs: Inputs,
    /// The label of the attacks that the form began with, if they are none of its choices.
    #[prop(default = "As in the copied experiment")]
    kept: &'static str,
) -> impl IntoView {
    let chosen = Memo::new(move |_| inputs.get(ATTACKS));
    let off = move || chosen.with(|chosen| chosen == OFF);
    // What is kept does not change while the form is open.
    let options = inputs
        .draft
        .with_untracked(choices)
        .into_iter()
        .filter_map(|value| {
            let label = label(value, kept)?;
            Some(view! { <Radio inputs path=ATTACKS value label /> })
        })
        .collect_view();
    let words = |text: &str| Signal::stored(text.to_owned());
    let masking = move || {
        inputs
            .draft
            .with(|draft| draft.get(CHECK_MASKING) == "true")
    };
    view! {
        <Group inputs path=ATTACKS label="Adversarial attacks" role="radiogroup">{options}</Group>
        <div class="corruption-fields" hidden=off>
            <p class="hint">{move || work(inputs)}</p>
            <Field
                inputs path=ATTACK_IMAGES label="Test images to attack" input=Input::Line("numeric")
                hint=words("Taken from every class in proportion to its size. Empty: all.")
            />
            <details>
                <summary>"More"</summary>
                <Field
                    inputs path=ATTACK_SEED label="Attack seed" input=Input::Line("numeric")
                    hint=words("For random starts and random search.")
                />
                <Group inputs path=CHECK_MASKING label="Gradient masking" role="group">
                    <label>
                        <input
                            type="checkbox" name=CHECK_MASKING
                            checked=masking prop:checked=masking
                            on:change=move |event| inputs.edit(CHECK_MASKING, event_target_checked(&event).to_string())
                        />
                        "Check for gradient masking (Athalye et al. 2018)"
                    </label>
                </Group>
            </details>
        </div>
    }
    .into_any()
}

/// What each run is attacked with, and what that costs.
fn work(inputs: Inputs) -> Option<String> {
    let spec = inputs.draft.with(Draft::evaluation).ok()?.attacks?;
    Some(cost(&spec))
}

fn cost(spec: &AttackSpec) -> String {
    // For one image, without its clean pass; the checks for masking have their own images.
    let attacks_alone = AttackSpec {
        images: None,
        check_masking: false,
        ..spec.clone()
    };
    let passes = attacks_alone.forward_images(1) - 1;
    format!(
        "Each run is attacked with {}: up to about {} through the network per image.",
        attacks_words(&spec.attacks),
        format::plural(passes, "pass", "passes")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::EvaluationSpec;
    use protocol::attack::Attack;

    /// Broken by: a choice without a name, or copied attacks that cannot be chosen back.
    #[test]
    fn copied_attacks_are_a_choice_of_their_own() {
        let mut spec = EvaluationSpec {
            attacks: Some(AttackSpec::source(Some(100))),
            ..EvaluationSpec::default()
        };
        assert_eq!(choices(&Draft::from(&spec)), [OFF, SOURCE, AUTO]);
        if let Some(attacks) = &mut spec.attacks {
            attacks.attacks = vec![Attack::fgsm(3.0)];
        }
        let with_kept = choices(&Draft::from(&spec));
        assert_eq!(with_kept, [OFF, SOURCE, AUTO, KEPT]);
        assert!(
            with_kept
                .into_iter()
                .all(|choice| label(choice, "").is_some())
        );
    }

    /// Broken by: AutoAttack chosen without a word on its cost.
    #[test]
    fn what_attacks_cost_is_told() {
        let mut spec = AttackSpec::source(Some(100));
        assert_eq!(
            cost(&spec),
            "Each run is attacked with 6 × FGSM, 6 × PGD: up to about 125 passes through the network per image."
        );
        spec.attacks.push(Attack::auto_attack(8.0));
        assert!(
            cost(&spec).contains("AutoAttack at ε 8/255"),
            "{}",
            cost(&spec)
        );
    }
}
