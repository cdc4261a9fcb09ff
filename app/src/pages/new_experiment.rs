//! The form that launches an experiment: presets, every field, live validation, cost.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_navigate, use_query_map};
use protocol::ExperimentSpec;
use protocol::api::{ApiError, DatasetInfo, Experiment, FormOptions};
use protocol::field_error::FieldError;
use protocol::preset::Preset;
use serde::{Deserialize, Serialize};

use crate::data::api::{self, Method};
use crate::form::draft::Draft;
use crate::ui::field::focus_first;
use crate::ui::{AlphaChips, Ask, Command, CommandError, Contents, Inputs, Load, use_command};
use edits::Edits;

mod answer;
mod cost;
mod edits;
mod fields;
mod place;
mod warnings;

/// The form's class.
const FORM: &str = "experiment-form";

/// Shown where no script runs. As text: browsers that run scripts do not parse it, so it must not be hydrated.
const NO_SCRIPT: &str = r#"<p class="notice">Launching from this page needs JavaScript; the command line does not: <code>selectivity-lab run experiment.toml</code></p>"#;

/// What the form begins with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Start {
    options: FormOptions,
    /// The preset that was chosen, if one was.
    preset: Option<String>,
    /// What the form's edits are kept under.
    key: String,
    spec: ExperimentSpec,
}

/// Reads what the form needs; `from` is the number of an experiment to copy.
async fn read(preset: Option<String>, from: Option<String>) -> Result<Start, ApiError> {
    let options = api::get::<FormOptions>("/options");
    let copied = from
        .as_ref()
        .map(|id| api::get::<Experiment>(&format!("/experiments/{}", api::segment(id))));
    let options = options.await?;
    if let Some(copied) = copied {
        let mut spec = copied.await?.spec;
        spec.name = copy_name(&spec.name);
        return Ok(Start {
            options,
            preset: None,
            key: format!("copy of {}", from.unwrap_or_default()),
            spec,
        });
    }
    let wanted = match &preset {
        Some(id) => options.presets.iter().find(|entry| entry.id == *id),
        None => options.presets.first(),
    };
    let entry = wanted.ok_or_else(|| {
        api::failure(format!(
            "no preset is called `{}`",
            preset.unwrap_or_default()
        ))
    })?;
    let (preset, spec) = (Some(entry.id.clone()), entry.spec.clone());
    Ok(Start {
        key: format!("preset {}", entry.id),
        options,
        preset,
        spec,
    })
}

/// The name of a copy, within the 120 characters that a name may have.
fn copy_name(name: &str) -> String {
    let kept: String = name.chars().take(113).collect();
    format!("{kept} (copy)")
}

/// The page at `/experiments/new`.
#[component]
pub fn NewExperiment() -> impl IntoView {
    let query = use_query_map();
    let wanted = Memo::new(move |_| query.with(|query| (query.get("preset"), query.get("from"))));
    let start = Resource::new(move || wanted.get(), |(preset, from)| read(preset, from));
    view! {
        <Title text="New experiment" />
        <div class="heading"><h1>"New experiment"</h1></div>
        <Load resource=start render=|start| view! { <FormPage start /> } />
    }
    .into_any()
}

/// The form's state: what was typed, and the server's errors.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    inputs: Inputs,
    /// The draft's spec, or what is wrong with it.
    spec: Memo<Result<ExperimentSpec, Vec<FieldError>>>,
}

impl Form {
    fn new(spec: ExperimentSpec, datasets: Vec<DatasetInfo>) -> Form {
        let draft = RwSignal::new(Draft::from(&spec));
        let spec = Memo::new(move |_| draft.with(Draft::spec));
        let own = Signal::derive(move || {
            spec.with(|spec| spec.as_ref().err().cloned().unwrap_or_default())
        });
        let warnings = Signal::derive(move || {
            spec.with(|spec| {
                let Ok(spec) = spec else {
                    return Vec::new();
                };
                let dataset = datasets.iter().find(|dataset| dataset.id == spec.dataset);
                let facts = dataset.and_then(|dataset| dataset.facts.as_ref());
                warnings::warnings(spec, facts.map(|facts| facts.classes.len()))
            })
        });
        Form {
            inputs: Inputs::new(draft, own).with_warnings(warnings),
            spec,
        }
    }
}

#[component]
fn FormPage(start: Start) -> impl IntoView {
    let Start {
        options,
        preset,
        key,
        spec,
    } = start;
    let form = Form::new(spec, options.datasets.clone());
    let edits = Edits::keep(form.inputs.draft, key);
    let command = use_command();
    // Without script the form cannot be sent; until it can, its button says so.
    let ready = RwSignal::new(false);
    Effect::new(move |_| ready.set(true));
    Effect::new(move |_| {
        if let Some(error) = command.error.get() {
            form.inputs.refuse(&error);
            focus_first(FORM, &error.fields);
        }
    });
    let navigate = use_navigate();
    let launch = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        match form.spec.get_untracked() {
            Ok(spec) => send(command, &spec, edits, navigate.clone()),
            Err(errors) => focus_first(FORM, &errors),
        }
    };
    view! {
        <Presets presets=options.presets.clone() current=preset edits />
        <p class="notice" id="edits" role="status" hidden=move || !edits.restored.get()>
            "Your earlier changes are still here. "
            <button type="button" class="quiet" on:click=move |_| edits.discard()>"Start over"</button>
        </p>
        <noscript inner_html=NO_SCRIPT></noscript>
        <Contents parts=vec![
            ("form-experiment", "Experiment"),
            ("form-comparison", "Comparison"),
            ("form-training", "Training"),
            ("form-tests", "Tests after training"),
        ] />
        <form class=FORM novalidate=true on:submit=launch>
            <fields::Fields form options />
            <Launch form command ready />
        </form>
    }
}

/// The presets, each a link. One that would lose edits asks first.
#[component]
fn Presets(presets: Vec<Preset>, current: Option<String>, edits: Edits) -> impl IntoView {
    let navigate = use_navigate();
    // The preset that was clicked on while edits would be lost.
    let wanted = StoredValue::new(String::new());
    let confirming = RwSignal::new(false);
    let discard = move || {
        edits.discard();
        navigate(&wanted.get_value(), Default::default());
    };
    let cards = presets
        .into_iter()
        .map(|entry| {
            let current = (current.as_ref() == Some(&entry.id)).then_some("true");
            let href = format!("/experiments/new?preset={}", entry.id);
            let to = href.clone();
            let click = move |event: leptos::ev::MouseEvent| {
                // With a key held, the browser opens it elsewhere, and this form stays.
                if edits.any() && !(event.ctrl_key() || event.meta_key() || event.shift_key()) {
                    event.prevent_default();
                    wanted.set_value(to.clone());
                    confirming.set(true);
                }
            };
            view! {
                <li>
                    <a href=href class="preset" data-preset=entry.id aria-current=current on:click=click>
                        <strong>{entry.title}</strong>
                        <span>{entry.description}</span>
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        <ul class="presets" aria-label="Presets">{cards}</ul>
        <Ask label="Discard" question="Discard your changes to this form and start from this preset?".to_owned() on_confirm=discard is_open=confirming />
    }
}

/// What the launch costs, what is wrong with the form, and the button.
#[component]
fn Launch(form: Form, command: Command, ready: RwSignal<bool>) -> impl IntoView {
    let alphas = Memo::new(move |_| {
        form.inputs
            .draft
            .with(|draft| crate::form::parse::numbers(draft.get("alphas")).unwrap_or_default())
    });
    let wrong = move || {
        let own = form
            .spec
            .with(|spec| spec.as_ref().err().map_or(0, Vec::len));
        (own > 0).then(|| {
            crate::format::plural(own as u64, "field needs", "fields need") + " a different value"
        })
    };
    view! {
        <aside class="launch" aria-label="Cost and launch">
            <cost::Cost form />
            <AlphaLegend alphas />
            <p class="error" aria-live="polite">{wrong}</p>
            <CommandError command />
            <button type="submit" id="launch" class="primary" disabled=move || !ready.get() || command.busy.get()>
                {move || if command.busy.get() { "Launching …" } else { "Launch" }}
            </button>
        </aside>
    }
}

#[component]
fn AlphaLegend(alphas: Memo<Vec<f64>>) -> impl IntoView {
    move || view! { <p class="legend"><AlphaChips alphas=alphas.get() /></p> }
}

fn send(
    command: Command,
    spec: &ExperimentSpec,
    edits: Edits,
    navigate: impl Fn(&str, leptos_router::NavigateOptions) + 'static,
) {
    match serde_json::to_string(spec) {
        Ok(body) => command.send::<Experiment>(
            Method::Post,
            "/experiments".into(),
            Some(body),
            move |experiment| {
                edits.forget();
                navigate(
                    &format!("/experiments/{}", experiment.id),
                    Default::default(),
                )
            },
        ),
        Err(error) => command.error.set(Some(api::failure(error.to_string()))),
    }
}

#[cfg(test)]
mod tests {
    /// Broken by: a copy whose name is refused for its length.
    #[test]
    fn the_name_of_a_copy_fits() {
        assert_eq!(super::copy_name("a"), "a (copy)");
        assert_eq!(super::copy_name(&"ü".repeat(120)).chars().count(), 120);
    }
}
