//! A form for more tests of trained runs.

use leptos::prelude::*;
use protocol::api::EvaluationQueued;
use protocol::{Dataset, EvaluationSpec, Network, Run};

use super::field::Inputs;
use super::{AttackFields, Command, CommandError, CorruptionFields, GeometryFields, use_command};
use crate::data::api::Method;
use crate::form::draft::{CORRUPTION_SOURCE, Draft};
use crate::format;

/// What is evaluated again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// One run, by its number.
    Run(i64),
    /// Every trained run of an experiment, by its number.
    Experiment(i64),
}

impl Target {
    fn path(self) -> String {
        match self {
            Target::Run(id) => format!("/runs/{id}/evaluate"),
            Target::Experiment(id) => format!("/experiments/{id}/evaluate"),
        }
    }

    fn question(self) -> &'static str {
        match self {
            Target::Run(_) => "Evaluate this run again with …",
            Target::Experiment(_) => "Evaluate all trained runs again with …",
        }
    }
}

/// The outcome, in a sentence.
fn outcome(queued: EvaluationQueued) -> String {
    let EvaluationQueued { queued, skipped } = queued;
    let runs = |number: u32| format::plural(number.into(), "run", "runs");
    match (queued, skipped) {
        (0, 0) => "The experiment has no runs.".to_owned(),
        (0, _) => {
            "No run was queued: every run is already in progress, not trained yet, or without its weights here.".to_owned()
        }
        (_, 0) => format!(
            "{} queued. Results appear here as they come in.",
            runs(queued)
        ),
        _ => format!(
            "{} queued, {} skipped (already in progress, not trained, or without weights here). Results appear here as they come in.",
            runs(queued),
            runs(skipped)
        ),
    }
}

/// A small form in a fold; what was measured before is kept.
#[component]
pub fn EvaluateAgain(
    /// What is evaluated.
    target: Target,
    /// The data set that it was trained on.
    dataset: Dataset,
    /// The network that was trained.
    network: Network,
    /// What the form begins with.
    start: EvaluationSpec,
    /// Why it cannot be asked for now, if it cannot.
    blocked: Signal<Option<&'static str>>,
    /// Called once it is queued.
    after: impl Fn() + Clone + Send + Sync + 'static,
) -> impl IntoView {
    let mut first = Draft::from(&start);
    if start.is_empty() {
        first.set(CORRUPTION_SOURCE, "generated".to_owned());
    }
    let draft = RwSignal::new(first);
    let on = dataset.clone();
    let spec = Memo::new(move |_| draft.with(|draft| draft.evaluation_on(&on)));
    let own = Signal::derive(move || spec.with(|spec| spec.clone().err().unwrap_or_default()));
    let inputs = Inputs::new(draft, own);
    let command = use_command();
    Effect::new(move |_| {
        if let Some(error) = command.error.get() {
            inputs.refuse(&error);
        }
    });
    let status = RwSignal::new(String::new());
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if blocked.get_untracked().is_some() {
            return;
        }
        status.set(String::new());
        if let Ok(spec) = spec.get_untracked()
            && !spec.is_empty()
        {
            send(command, target, &spec, status, after.clone());
        }
    };
    let nothing = move || matches!(spec.get(), Ok(spec) if spec.is_empty());
    let wrong = move || nothing() || spec.with(Result::is_err);
    let why = move || {
        let nothing = nothing().then_some("Choose something to test or measure.");
        blocked.get().or(nothing)
    };
    view! {
        <details class="evaluate-again" id="evaluate-again">
            <summary>{target.question()}</summary>
            <form novalidate=true on:submit=submit>
                <CorruptionFields inputs dataset=Signal::stored(dataset.to_string()) />
                <AttackFields inputs kept="As after training" />
                <GeometryFields inputs network=Signal::stored(Some(network)) kept="As after training" />
                <CommandError command />
                <p class="hint">{why}</p>
                <p role="status">{status}</p>
                <div class="actions">
                    <button type="submit" class="primary" id="evaluate" disabled=move || command.busy.get() || blocked.get().is_some() || wrong()>
                        {move || if command.busy.get() { "Queueing …" } else { "Evaluate" }}
                    </button>
                </div>
            </form>
        </details>
    }
    .into_any()
}

fn send(
    command: Command,
    target: Target,
    spec: &EvaluationSpec,
    status: RwSignal<String>,
    after: impl Fn() + 'static,
) {
    let body = match serde_json::to_string(spec) {
        Ok(body) => Some(body),
        Err(error) => {
            return command
                .error
                .set(Some(crate::data::api::failure(error.to_string())));
        }
    };
    let tell = move |text: String| {
        status.try_set(text);
        after();
    };
    match target {
        Target::Run(_) => command.send::<Run>(Method::Post, target.path(), body, move |_| {
            tell("Queued. Results appear here as they come in.".to_owned());
        }),
        Target::Experiment(_) => {
            command.send::<EvaluationQueued>(Method::Post, target.path(), body, move |queued| {
                tell(outcome(queued));
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: skipped runs that are not mentioned, or a success reported where nothing was queued.
    #[test]
    fn skipped_runs_are_told() {
        let text = |queued, skipped| outcome(EvaluationQueued { queued, skipped });
        assert!(text(3, 1).starts_with("3 runs queued, 1 run skipped"));
        assert!(text(1, 0).starts_with("1 run queued."));
        assert!(text(0, 2).starts_with("No run was queued"));
    }
}
