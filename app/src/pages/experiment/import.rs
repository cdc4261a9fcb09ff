//! Weights that were trained elsewhere, registered as a run of the experiment.

use leptos::html;
use leptos::prelude::*;
use protocol::{EvaluationSpec, FieldError, Run};

use super::PageSignals;
use crate::data::api::{self, Upload};
use crate::form::draft::Draft;
use crate::form::parse;
use crate::format;
use crate::ui::{CommandError, Field, Input, Inputs, use_command};

/// The fields beside the file as a query of the API, or what is wrong with them.
fn query(draft: &Draft) -> Result<Vec<(&'static str, String)>, Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut pairs = Vec::new();
    let mut take =
        |path: &'static str, needed: bool, wrong: &str, reads: &dyn Fn(&str) -> Option<String>| {
            let typed = draft.get(path).trim();
            if typed.is_empty() && !needed {
                return;
            }
            match reads(typed) {
                Some(value) => pairs.push((path, value)),
                None => errors.push(FieldError::new(path, wrong)),
            }
        };
    let one = |text: &str| match parse::numbers(text).ok()?[..] {
        [number] => Some(number.to_string()),
        _ => None,
    };
    let whole = |text: &str| text.parse::<u64>().ok().map(|number| number.to_string());
    let three = |text: &str| {
        let numbers = parse::numbers(text).ok()?;
        (numbers.len() == 3).then(|| {
            numbers
                .iter()
                .map(f64::to_string)
                .collect::<Vec<_>>()
                .join(",")
        })
    };
    take(
        "alpha",
        true,
        "give the alpha it was trained with; 0 for a control",
        &one,
    );
    take("seed", true, "give a whole number", &whole);
    take(
        "epochs",
        false,
        "give a whole number, or leave it empty",
        &whole,
    );
    take(
        "mean",
        false,
        "give three numbers, or leave it empty",
        &three,
    );
    take(
        "std",
        false,
        "give three numbers, or leave it empty",
        &three,
    );
    if errors.is_empty() {
        Ok(pairs)
    } else {
        Err(errors)
    }
}

/// A small form in a fold.
#[component]
pub fn ImportWeights(now: PageSignals, after: Callback<()>) -> impl IntoView {
    let (id, spec) = now
        .experiment
        .with_untracked(|experiment| (experiment.id, experiment.spec.clone()));
    let draft = RwSignal::new(Draft::from(&EvaluationSpec::default()));
    // Nothing is wrong with an empty form until it is sent.
    let tried = RwSignal::new(false);
    let own = Signal::derive(move || {
        if tried.get() {
            draft.with(query).err().unwrap_or_default()
        } else {
            Vec::new()
        }
    });
    let inputs = Inputs::new(draft, own);
    let command = use_command();
    Effect::new(move |_| {
        if let Some(error) = command.error.get() {
            inputs.refuse(&error);
        }
    });
    let file = NodeRef::<html::Input>::new();
    let missing = RwSignal::new(false);
    let imported = RwSignal::new(None::<i64>);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        tried.set(true);
        imported.set(None);
        let upload = Upload::chosen(file);
        missing.set(upload.is_none());
        let (Some(upload), Ok(pairs)) = (upload, draft.with_untracked(query)) else {
            return;
        };
        let pairs = [("file", upload.name.clone())].into_iter().chain(pairs);
        let query: Vec<String> = pairs
            .map(|(name, value)| format!("{name}={}", api::segment(&value)))
            .collect();
        let path = format!("/experiments/{id}/import?{}", query.join("&"));
        command.wait::<Run>(api::send_file(&path, upload), move |run| {
            imported.try_set(Some(run.id));
            after.run(());
        });
    };
    let status = move || {
        imported.get().map(|run| {
            view! { "Imported as "<a href=format!("/runs/{run}")>{format!("run {run}")}</a>". It is queued; its results appear with the others as they come in." }
        })
    };
    view! {
        <details class="evaluate-again" id="import-weights">
            <summary>"Import weights as a run …"</summary>
            <form novalidate=true on:submit=submit>
                <p class="hint">
                    {format!("A {} trained elsewhere on {}. It is measured like the other runs and counts as one of them, marked as imported; it has no training curves.", spec.network.label(), spec.dataset.label())}
                </p>
                <div class="field" class:wrong=move || missing.get()>
                    <label for="field-weights">"Weights"</label>
                    <input node_ref=file id="field-weights" name="weights" type="file" accept=".safetensors,.pt,.pth,.bin" aria-describedby="field-weights-hint field-weights-error" />
                    <p class="hint" id="field-weights-hint">"A safetensors file or a PyTorch state dict"</p>
                    <p class="error" id="field-weights-error" aria-live="polite">{move || missing.get().then_some("choose a file")}</p>
                </div>
                <ImportFields inputs epochs=spec.training.epochs />
                <CommandError command />
                <p role="status">{status}</p>
                <div class="actions">
                    <button type="submit" class="primary" id="import" disabled=command.busy>
                        {move || if command.busy.get() { "Importing …" } else { "Import" }}
                    </button>
                </div>
            </form>
        </details>
    }
    .into_any()
}

/// What is known of the weights; `epochs` is for how long the experiment's own runs are trained.
#[component]
fn ImportFields(inputs: Inputs, epochs: u32) -> impl IntoView {
    let epochs = format::plural(epochs.into(), "epoch", "epochs");
    let line = || Input::Line("decimal");
    view! {
        <div class="fields">
            <Field inputs path="alpha" label="Alpha" input=line() hint="The regulariser strength it was trained with" />
            <Field inputs path="seed" label="Seed" input=Input::Line("numeric") hint="The replicate it counts as" />
            <Field inputs path="epochs" label="Epochs" input=Input::Line("numeric") hint=format!("How long it was trained; {epochs} if empty") />
            <Field inputs path="mean" label="Channel means" input=line() hint="Of its normalisation, for example 0.49, 0.48, 0.45; the data set’s own if empty" />
            <Field inputs path="std" label="Channel standard deviations" input=line() hint="As above" />
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: a field that is sent as it was typed, an empty one that is sent, or a wrong one that is not blamed.
    #[test]
    fn what_is_typed_becomes_the_query() {
        let mut draft = Draft::from(&EvaluationSpec::default());
        let fields = |draft: &Draft| -> Vec<String> {
            let errors = query(draft).unwrap_err();
            errors.into_iter().map(|error| error.field).collect()
        };
        assert_eq!(fields(&draft), ["alpha", "seed"]);
        draft.set("alpha", " -0.4 ".into());
        draft.set("seed", "3".into());
        draft.set("std", "0.25, 0.24, 0.26".into());
        assert_eq!(
            query(&draft).unwrap(),
            [
                ("alpha", "-0.4".to_owned()),
                ("seed", "3".to_owned()),
                ("std", "0.25,0.24,0.26".to_owned()),
            ]
        );
        draft.set("alpha", "1, 2".into());
        draft.set("seed", "-1".into());
        draft.set("mean", "0.5".into());
        assert_eq!(fields(&draft), ["alpha", "seed", "mean"]);
    }
}
