//! The form that launches an experiment: presets, every field, live validation, cost.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_navigate, use_query_map};
use protocol::ExperimentSpec;
use protocol::api::{ApiError, Experiment, FormOptions};
use protocol::validate::FieldError;
use serde::{Deserialize, Serialize};

use crate::api::{self, Method};
use crate::components::{AlphaChips, Command, CommandError, Inputs, Load, use_command};
use crate::draft::Draft;

mod cost;
mod fields;

/// Said where no script runs. As text: browsers that run scripts do not parse it, so it must not be
/// hydrated.
const NO_SCRIPT: &str = r#"<p class="notice">Launching from this page needs JavaScript; the command line does not: <code>selectivity-lab run experiment.toml</code></p>"#;

/// What the form begins with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Start {
    options: FormOptions,
    /// The preset that was chosen, if one was.
    preset: Option<String>,
    spec: ExperimentSpec,
}

/// Reads what the form needs; `from` is the number of an experiment to copy.
async fn read(preset: Option<String>, from: Option<String>) -> Result<Start, ApiError> {
    let options = api::get::<FormOptions>("/options");
    let copied =
        from.map(|id| api::get::<Experiment>(&format!("/experiments/{}", api::segment(&id))));
    let options = options.await?;
    if let Some(copied) = copied {
        let mut spec = copied.await?.spec;
        spec.name = copy_name(&spec.name);
        return Ok(Start {
            options,
            preset: None,
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

/// The form's state: what was typed, and what the server said of it.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    inputs: Inputs,
    /// The draft read, or what is wrong with it.
    spec: Memo<Result<ExperimentSpec, Vec<FieldError>>>,
}

impl Form {
    fn new(spec: ExperimentSpec) -> Form {
        let draft = RwSignal::new(Draft::from(&spec));
        let spec = Memo::new(move |_| draft.with(|draft| draft.spec(&spec)));
        let own = Signal::derive(move || {
            spec.with(|spec| spec.as_ref().err().cloned().unwrap_or_default())
        });
        Form {
            inputs: Inputs::new(draft, own),
            spec,
        }
    }
}

#[component]
fn FormPage(start: Start) -> impl IntoView {
    let Start {
        options,
        preset,
        spec,
    } = start;
    let form = Form::new(spec);
    let command = use_command();
    // Without script the form cannot be sent; until it can, its button says so.
    let ready = RwSignal::new(false);
    Effect::new(move |_| ready.set(true));
    Effect::new(move |_| {
        if let Some(error) = command.error.get() {
            form.inputs.refuse(&error);
        }
    });
    let navigate = use_navigate();
    let launch = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        match form.spec.get_untracked() {
            Ok(spec) => send(command, &spec, navigate.clone()),
            Err(errors) => focus_first(&errors),
        }
    };
    let cards = options
        .presets
        .clone()
        .into_iter()
        .map(|entry| {
            let current = (preset.as_ref() == Some(&entry.id)).then_some("true");
            let href = format!("/experiments/new?preset={}", entry.id);
            view! {
                <li>
                    <a href=href class="preset" data-preset=entry.id aria-current=current>
                        <strong>{entry.title}</strong>
                        <span>{entry.description}</span>
                    </a>
                </li>
            }
        })
        .collect_view();
    let alphas = Memo::new(move |_| {
        form.inputs
            .draft
            .with(|draft| crate::parse::numbers(draft.get("alphas")).unwrap_or_default())
    });
    let wrong = move || {
        let own = form
            .spec
            .with(|spec| spec.as_ref().err().map_or(0, Vec::len));
        (own > 0).then(|| {
            crate::format::plural(own as u64, "field needs", "fields need") + " another value"
        })
    };
    view! {
        <ul class="presets" aria-label="Presets">{cards}</ul>
        <noscript inner_html=NO_SCRIPT></noscript>
        <form class="experiment-form" novalidate=true on:submit=launch>
            <fields::Fields form options />
            <aside class="launch" aria-label="Cost and launch">
                <cost::Cost form />
                <AlphaLegend alphas />
                <p class="error" aria-live="polite">{wrong}</p>
                <CommandError command />
                <button type="submit" id="launch" class="primary" disabled=move || !ready.get() || command.busy.get()>
                    {move || if command.busy.get() { "Launching …" } else { "Launch" }}
                </button>
            </aside>
        </form>
    }
}

#[component]
fn AlphaLegend(alphas: Memo<Vec<f64>>) -> impl IntoView {
    move || view! { <p class="legend"><AlphaChips alphas=alphas.get() /></p> }
}

fn send(
    command: Command,
    spec: &ExperimentSpec,
    navigate: impl Fn(&str, leptos_router::NavigateOptions) + 'static,
) {
    match serde_json::to_string(spec) {
        Ok(body) => command.send::<Experiment>(
            Method::Post,
            "/experiments".into(),
            Some(body),
            move |experiment| {
                navigate(
                    &format!("/experiments/{}", experiment.id),
                    Default::default(),
                )
            },
        ),
        Err(error) => command.error.set(Some(api::failure(error.to_string()))),
    }
}

/// Puts the focus where the first thing is wrong.
#[cfg(feature = "hydrate")]
fn focus_first(errors: &[FieldError]) {
    use crate::components::field::input_id;
    use wasm_bindgen::JsCast;

    let element = errors
        .first()
        .and_then(|error| document().get_element_by_id(&input_id(&error.field)))
        .and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(element) = element {
        // What cannot be focused is still marked.
        let _ = element.focus();
    }
}

#[cfg(not(feature = "hydrate"))]
fn focus_first(_errors: &[FieldError]) {}

#[cfg(test)]
mod tests {
    /// Broken by: a copy whose name is refused for its length.
    #[test]
    fn the_name_of_a_copy_fits() {
        assert_eq!(super::copy_name("a"), "a (copy)");
        assert_eq!(super::copy_name(&"ü".repeat(120)).chars().count(), 120);
    }
}
