//! More alphas or seeds for the experiment.

use leptos::prelude::*;
use protocol::api::Experiment;
use protocol::{ExperimentSpec, FieldError, MoreRuns};

use super::PageSignals;
use crate::data::api::Method;
use crate::form::draft::Draft;
use crate::format;
use crate::ui::{CommandError, Field, Input, Inputs, use_command};

/// What the form asks for, and how many runs that adds to those of `spec`; or what is wrong with its fields.
fn read(draft: &Draft, spec: &ExperimentSpec) -> Result<(MoreRuns, usize), Vec<FieldError>> {
    let more = draft.read("", |more: &MoreRuns| spec.with_more(more).validate())?;
    let whole = spec.with_more(&more);
    let new = whole.alphas.len() * whole.seeds.len() - spec.alphas.len() * spec.seeds.len();
    Ok((more, new))
}

/// A small form in a fold.
#[component]
pub fn AddRuns(now: PageSignals, after: Callback<()>) -> impl IntoView {
    let id = now.experiment.with_untracked(|experiment| experiment.id);
    let spec = Memo::new(move |_| now.experiment.with(|experiment| experiment.spec.clone()));
    let empty = || Draft::from(&MoreRuns::default());
    let draft = RwSignal::new(empty());
    let more = Memo::new(move |_| draft.with(|draft| spec.with(|spec| read(draft, spec))));
    let own = Signal::derive(move || more.with(|more| more.clone().err().unwrap_or_default()));
    let inputs = Inputs::new(draft, own);
    let command = use_command();
    Effect::new(move |_| {
        if let Some(error) = command.error.get() {
            inputs.refuse(&error);
        }
    });
    let status = RwSignal::new(String::new());
    let runs = |count: usize| format::plural(count as u64, "run", "runs");
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        status.set(String::new());
        let Ok((more, count)) = more.get_untracked() else {
            return;
        };
        let Ok(body) = serde_json::to_string(&more) else {
            return; // Numbers are always JSON.
        };
        let path = format!("/experiments/{id}/runs");
        command.send::<Experiment>(Method::Post, path, Some(body), move |experiment| {
            now.experiment.try_set(experiment);
            draft.try_set(empty());
            status.try_set(format!("{} added to the queue.", runs(count)));
            after.run(());
        });
    };
    let count = move || more.with(|more| more.as_ref().map_or(0, |(_, count)| *count));
    let none = move || command.busy.get() || count() == 0;
    let label = move || match (command.busy.get(), count()) {
        (true, _) => "Adding …".to_owned(),
        (false, 0) => "Add runs".to_owned(),
        (false, count) => format!("Add {}", runs(count)),
    };
    let line = || Input::Line("text");
    view! {
        <details class="evaluate-again" id="add-runs">
            <summary>"Add seeds or alphas …"</summary>
            <form novalidate=true on:submit=submit>
                <p class="hint">"A new seed is trained with every alpha, and a new alpha with every seed. The new runs are tested like the others."</p>
                <div class="fields">
                    <Field inputs path="seeds" label="Seeds" input=line() hint="For example 5..9" />
                    <Field inputs path="alphas" label="Alphas" input=line() hint="For example −0.7, 0.1" />
                </div>
                <CommandError command />
                <p role="status">{status}</p>
                <div class="actions">
                    <button type="submit" class="primary" disabled=none>{label}</button>
                </div>
            </form>
        </details>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::preset::presets;

    /// Breaks when a run that is there is counted as new, a new one is not counted, or a wrong entry is not blamed on its field.
    #[test]
    fn new_runs_are_counted() {
        let spec = ExperimentSpec {
            alphas: vec![-1.0, 0.0, 1.0],
            seeds: vec![0, 1],
            ..presets().remove(0).spec
        };
        let typed = |alphas: &str, seeds: &str| {
            let mut draft = Draft::from(&MoreRuns::default());
            draft.set("alphas", alphas.into());
            draft.set("seeds", seeds.into());
            read(&draft, &spec)
        };
        let count = |alphas, seeds| typed(alphas, seeds).unwrap().1;
        assert_eq!(count("", ""), 0);
        assert_eq!(count("", "0..2"), 3);
        assert_eq!(count("0, 2", ""), 2);
        assert_eq!(count("−0.5", "1, 7"), 6);
        let fields = |alphas, seeds| -> Vec<String> {
            let errors = typed(alphas, seeds).unwrap_err();
            errors.into_iter().map(|error| error.field).collect()
        };
        assert_eq!(fields("a", "b"), ["alphas", "seeds"]);
        assert_eq!(fields("1000", ""), ["alphas"]);
    }
}
