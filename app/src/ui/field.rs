//! The fields of forms: label, input, hint, and what is wrong with it.

use leptos::prelude::*;
use protocol::api::ApiError;
use protocol::field_error::FieldError;

use crate::data::choice::Choice;
use crate::form::draft::Draft;
use crate::form::texts::is_within;

/// The state of a form: its text and its errors.
#[derive(Debug, Clone, Copy)]
pub struct Inputs {
    /// What was typed.
    pub draft: RwSignal<Draft>,
    /// What the form itself finds wrong.
    own: Signal<Vec<FieldError>>,
    /// Warnings: it can be sent, but should be checked.
    warnings: Signal<Vec<FieldError>>,
    /// The server's errors; each until its field is edited.
    refused: RwSignal<Vec<FieldError>>,
}

impl Inputs {
    /// A form of `draft`, whose own errors are `own`.
    pub fn new(draft: RwSignal<Draft>, own: Signal<Vec<FieldError>>) -> Inputs {
        Inputs {
            draft,
            own,
            warnings: Signal::stored(Vec::new()),
            refused: RwSignal::new(Vec::new()),
        }
    }

    /// The same form, which also shows `warnings` at their fields.
    pub fn with_warnings(self, warnings: Signal<Vec<FieldError>>) -> Inputs {
        Inputs { warnings, ..self }
    }

    /// What the field at `path` holds.
    pub fn get(self, path: &str) -> String {
        self.draft.with(|draft| draft.get(path).to_owned())
    }

    /// Keeps what was typed, and drops the server's errors at it or below it.
    pub fn edit(self, path: &str, value: String) {
        self.draft.update(|draft| draft.set(path, value));
        let settled = |error: &FieldError| is_within(&error.field, path);
        if self
            .refused
            .with_untracked(|refused| refused.iter().any(settled))
        {
            self.refused
                .update(|refused| refused.retain(|error| !settled(error)));
        }
    }

    /// Everything wrong with the field at `path`.
    pub fn errors_at(self, path: &str) -> Vec<String> {
        let mut reasons: Vec<String> = Vec::new();
        for error in self.own.get().into_iter().chain(self.refused.get()) {
            if error.field == path && !reasons.contains(&error.reason) {
                reasons.push(error.reason);
            }
        }
        reasons
    }

    /// Shows the server's errors at their fields.
    pub fn refuse(self, error: &ApiError) {
        self.refused.try_set(error.fields.clone());
    }
}

/// How a field is edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A line of text; the second value is the keyboard that a phone should show.
    Line(&'static str),
    /// Several lines of text.
    Lines,
    /// One of a list.
    Select(Vec<Choice>),
}

/// The id of the field's input: `field-` and the last part of its path, or more where two fields share that.
pub fn input_id(path: &str) -> String {
    match path {
        crate::form::draft::ATTACK_IMAGES => "field-attack_images".to_owned(),
        crate::form::draft::GRADIENT_IMAGES => "field-gradient_images".to_owned(),
        crate::form::draft::ACTIVATION_IMAGES => "field-activation_images".to_owned(),
        crate::form::draft::DIMENSIONALITY_IMAGES => "field-dimensionality_images".to_owned(),
        crate::form::draft::DIMENSIONALITY_SOURCE => "field-dimensionality_source".to_owned(),
        crate::form::draft::DIMENSIONALITY_SEED => "field-dimensionality_seed".to_owned(),
        crate::form::draft::DIMENSIONALITY_JPEG => "field-dimensionality_jpeg".to_owned(),
        crate::form::draft::DIMENSIONALITY_FROST => "field-dimensionality_frost".to_owned(),
        // Corruptions, severities and attacks are chosen together.
        _ if is_within(path, crate::form::draft::DIMENSIONALITY) => {
            "field-dimensionality".to_owned()
        }
        _ => format!("field-{}", path.rsplit('.').next().unwrap_or(path)),
    }
}

/// Focuses the first field on the page that `errors` name, in the form with the class `form`.
#[cfg(feature = "hydrate")]
pub fn focus_first(form: &str, errors: &[FieldError]) {
    use wasm_bindgen::JsCast;

    let ids: Vec<String> = errors.iter().map(|error| input_id(&error.field)).collect();
    let Ok(all) = document().query_selector_all(&format!(".{form} [id^=\"field-\"]")) else {
        return;
    };
    let mut elements = (0..all.length())
        .filter_map(|place| all.get(place)?.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(element) = elements.find(|element| ids.contains(&element.id())) {
        // What cannot be focused is still marked.
        let _ = element.focus();
    }
}

/// Focuses the first field on the page that `errors` name, in the form with the class `form`.
#[cfg(not(feature = "hydrate"))]
pub fn focus_first(_form: &str, _errors: &[FieldError]) {}

/// One field.
#[component]
pub fn Field(
    /// Its form.
    inputs: Inputs,
    /// Its path in the spec, for example `training.epochs`.
    path: &'static str,
    /// What a person calls it.
    label: &'static str,
    /// How it is edited.
    input: Input,
    /// Unit, range, or how to write it.
    #[prop(optional, into)]
    hint: Signal<String>,
) -> impl IntoView {
    let id = input_id(path);
    let hint_id = format!("{id}-hint");
    let error_id = format!("{id}-error");
    let errors = Memo::new(move |_| inputs.errors_at(path));
    let wrong = move || !errors.with(Vec::is_empty);
    let warning_id = format!("{id}-warning");
    let described = format!("{hint_id} {error_id} {warning_id}");
    let warning = move || {
        let warnings = inputs.warnings.get().into_iter();
        let here = warnings.filter(|warning| warning.field == path);
        let reasons: Vec<_> = here.map(|warning| warning.reason).collect();
        // An empty text would still get the warning's sign in front.
        (!reasons.is_empty()).then(|| reasons.join("; "))
    };
    let value = move || inputs.get(path);
    let edit = move |value: String| inputs.edit(path, value);
    let invalid = move || wrong().to_string();
    let element = match input {
        Input::Line(mode) => view! {
            <input
                id=id.clone() name=path type="text" inputmode=mode autocomplete="off" spellcheck="false"
                value=value() prop:value=value
                aria-describedby=described aria-invalid=invalid
                on:input=move |event| edit(event_target_value(&event))
            />
        }
        .into_any(),
        Input::Lines => view! {
            <textarea
                id=id.clone() name=path rows="2"
                prop:value=value
                aria-describedby=described aria-invalid=invalid
                on:input=move |event| edit(event_target_value(&event))
            >{value()}</textarea>
        }
        .into_any(),
        Input::Select(choices) => {
            let options = choices
                .into_iter()
                .map(|choice| {
                    let own = choice.value.clone();
                    let selected = move || inputs.draft.with(|draft| draft.get(path) == own);
                    view! { <option value=choice.value selected=selected>{choice.label}</option> }
                })
                .collect_view();
            view! {
                <select
                    id=id.clone() name=path prop:value=value
                    aria-describedby=described aria-invalid=invalid
                    on:change=move |event| edit(event_target_value(&event))
                >{options}</select>
            }
            .into_any()
        }
    };
    view! {
        <div class="field" class:wrong=wrong>
            <label for=id.clone()>{label}</label>
            {element}
            <p class="hint" id=hint_id>{hint}</p>
            <p class="error" id=error_id aria-live="polite">{move || errors.get().join("; ")}</p>
            <p class="warning" id=warning_id aria-live="polite">{warning}</p>
        </div>
    }
    .into_any()
}

/// One of the choices at `path`.
#[component]
pub fn Radio(
    /// Its form.
    inputs: Inputs,
    /// The path of what is chosen.
    path: &'static str,
    /// What the field holds where it is chosen.
    value: &'static str,
    /// What a person calls it.
    #[prop(into)]
    label: Signal<String>,
    /// Whether it cannot be chosen now.
    #[prop(optional)]
    disabled: Signal<bool>,
) -> impl IntoView {
    let checked = move || inputs.draft.with(|draft| draft.get(path) == value);
    view! {
        <label>
            <input
                type="radio" name=path value=value
                checked=checked prop:checked=checked disabled=move || disabled.get() && !checked()
                on:change=move |_| inputs.edit(path, value.to_owned())
            />
            {label}
        </label>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::draft::{
        ACTIVATION_IMAGES, ATTACK_IMAGES, ATTACKS, CORRUPTION_FROST, CORRUPTION_IMAGES,
        CORRUPTION_JPEG, CORRUPTION_SEED, CORRUPTION_SEVERITIES, CORRUPTION_SOURCE, CORRUPTIONS,
        DIMENSIONALITY, DIMENSIONALITY_FROST, DIMENSIONALITY_IMAGES, DIMENSIONALITY_JPEG,
        DIMENSIONALITY_SEED, DIMENSIONALITY_SOURCE, GRADIENT_IMAGES, GRADIENTS,
    };

    /// Broken by: two fields of one form with the same id: the browser always focuses the first.
    #[test]
    fn every_field_has_its_own_id() {
        let mut ids = [
            ACTIVATION_IMAGES,
            ATTACK_IMAGES,
            ATTACKS,
            CORRUPTION_FROST,
            CORRUPTION_IMAGES,
            CORRUPTION_JPEG,
            CORRUPTION_SEED,
            CORRUPTION_SEVERITIES,
            CORRUPTION_SOURCE,
            CORRUPTIONS,
            DIMENSIONALITY,
            DIMENSIONALITY_FROST,
            DIMENSIONALITY_IMAGES,
            DIMENSIONALITY_JPEG,
            DIMENSIONALITY_SEED,
            DIMENSIONALITY_SOURCE,
            GRADIENT_IMAGES,
            GRADIENTS,
        ]
        .map(input_id)
        .to_vec();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 18, "{ids:?}");
        // A path without a field leads to the choice that decides it.
        assert_eq!(
            input_id("evaluation.dimensionality.attacks"),
            input_id(DIMENSIONALITY)
        );
    }

    /// Broken by: a refusal that stays after its choice was changed, or one that goes with a neighbour's.
    #[test]
    fn a_choice_settles_what_is_below_it() {
        assert!(is_within("a.b.c", "a.b"));
        assert!(is_within("a.b", "a.b"));
        assert!(!is_within("a.bc", "a.b"));
        assert!(!is_within("a", "a.b"));
    }
}
