//! What is compared: experiments, runs, filter, grouping, measure and scale.

use leptos::prelude::*;
use leptos_router::components::{A, Form};
use protocol::Corruption;
use protocol::api::ExperimentPage;
use protocol::comparison::{Comparison, ConfigurationField, ExperimentLabel, Grouping};
use protocol::quantity::{LayerQuantity, LayerRange, Perturbations, Quantity, Scale};

use super::{View, joined, use_kept};
use crate::data::choice::{Choice, choices};
use crate::data::corruptions::{scale_choices, scale_from};
use crate::format;
use crate::ui::Chooser;

/// The form, and the chips of fields.
#[component]
pub fn Choose(
    /// What the address says.
    view: View,
    /// Experiments that can be added.
    offered: ExperimentPage,
    /// The answer, if there was one.
    comparison: Option<Comparison>,
    /// Shows another view.
    go: Callback<View>,
) -> impl IntoView {
    let chosen = view.experiment_ids();
    let mut add = vec![Choice::new("", "Choose …")];
    add.extend(
        offered
            .experiments
            .iter()
            .filter(|experiment| !chosen.contains(&experiment.id.to_string().as_str()))
            .map(|experiment| {
                let label = format!("{}: {}", experiment.id, experiment.spec.name);
                Choice::new(experiment.id.to_string(), label)
            }),
    );
    let measures = measure_choices(comparison.as_ref(), &view.measure);
    let measured = comparison
        .as_ref()
        .and_then(|comparison| comparison.measures.first())
        .map_or_else(|| view.measure.clone(), |measure| measure.measure.clone());
    let scale = match view.share_of_clean {
        true => Scale::ShareOfClean,
        false => Scale::Raw,
    };
    let [of_add, of_measure, of_scale] = [view.clone(), view.clone(), view.clone()];
    let nothing = view.is_empty();
    let labels = comparison
        .as_ref()
        .map_or_else(Vec::new, |comparison| comparison.experiments.clone());
    view! {
        <Chosen view=view.clone() labels />
        <div class="controls">
            <Chooser
                id="add-experiment" label="Add an experiment" options=Signal::stored(add)
                value=Signal::stored(String::new())
                choose=move |id| if !id.is_empty() { go.run(of_add.with_experiment(&id)) }
            />
        </div>
        <Search view=view.clone() />
        <div hidden=nothing class="choices-of-comparison">
            <Chips view comparison />
            <div class="controls">
                <Chooser
                    id="measure" label="Measure" options=Signal::stored(measures) value=Signal::stored(measured)
                    choose=move |measure| go.run(View { measure, ..of_measure.clone() })
                />
                <Chooser
                    id="scale" label="Accuracies" options=Signal::stored(scale_choices()) value=Signal::stored(scale.id().to_owned())
                    choose=move |scale| go.run(View { share_of_clean: scale_from(&scale) == Scale::ShareOfClean, ..of_scale.clone() })
                />
            </div>
        </div>
    }
    .into_any()
}

/// What is compared, each with a way to take it out.
#[component]
fn Chosen(view: View, labels: Vec<ExperimentLabel>) -> impl IntoView {
    let kept = use_kept();
    let name_of = |id: &str| {
        let known = labels.iter().find(|label| label.id.to_string() == id);
        known.map_or_else(
            || format!("experiment {id}"),
            |label| format!("{} ({id})", label.name),
        )
    };
    let experiments = view
        .experiment_ids()
        .iter()
        .map(|id| {
            let name = name_of(id);
            let label = format!("Remove {name}");
            let without = view.without_experiment(id).address();
            view! {
                <li class="chip">
                    <A href=format!("/experiments/{id}")>{name}</A>
                    <a href=move || kept.with(|kept| joined(&without, kept)) data-noscroll="" aria-label=label>"✕"</a>
                </li>
            }
        })
        .collect_view();
    let single = view.single_runs();
    let runs = (single > 0).then(|| {
        let without = View {
            runs: String::new(),
            ..view.clone()
        }
        .address();
        view! {
            <li class="chip">
                <span>{format::plural(single as u64, "single run", "single runs")}</span>
                <a href=move || kept.with(|kept| joined(&without, kept)) data-noscroll="" aria-label="Remove the single runs">"✕"</a>
            </li>
        }
    });
    view! { <ul class="chips" id="chosen" aria-label="What is compared">{experiments}{runs}</ul> }
        .into_any()
}

/// The form that works without a script; it keeps what is chosen elsewhere.
#[component]
fn Search(view: View) -> impl IntoView {
    let hidden = [
        ("group", view.group.clone()),
        ("group_all_but", view.group_all_but.clone()),
        (
            "measure",
            Some(view.measure.clone()).filter(|measure| !measure.is_empty()),
        ),
        (
            "scale",
            view.share_of_clean
                .then(|| Scale::ShareOfClean.id().to_owned()),
        ),
    ]
    .into_iter()
    .filter_map(|(name, value)| {
        let value = value?;
        Some(view! { <input type="hidden" name=name value=value /> })
    })
    .collect_view();
    let (experiments_text, runs_text, filter_text) = (view.experiments, view.runs, view.filter);
    view! {
        <Form method="get" action="/compare" attr:class="filter" attr:role="search">
            <label for="chosen-experiments">"Experiments"</label>
            <input id="chosen-experiments" name="experiments" type="text" inputmode="numeric" autocomplete="off" placeholder="1, 2" value=experiments_text.clone() prop:value=experiments_text />
            <label for="chosen-runs">"Runs"</label>
            <input id="chosen-runs" name="runs" type="text" inputmode="numeric" autocomplete="off" placeholder="5, 6" value=runs_text.clone() prop:value=runs_text />
            <label for="filter">"Filter"</label>
            <input id="filter" name="filter" type="search" autocomplete="off" placeholder="network:resnet20, tag:good, alpha:0" value=filter_text.clone() prop:value=filter_text />
            {hidden}
            <button type="submit">"Show"</button>
        </Form>
    }
    .into_any()
}

/// Which fields runs are grouped by: those in which they differ.
#[component]
fn Chips(view: View, comparison: Option<Comparison>) -> impl IntoView {
    let kept = use_kept();
    let grouping = view.grouping();
    let grouped_by = grouping.fields();
    let differing: Vec<ConfigurationField> = comparison
        .iter()
        .flat_map(|comparison| &comparison.differing)
        .map(|field| field.field)
        .collect();
    let named: &[ConfigurationField] = match &grouping {
        Grouping::By(fields) => fields,
        Grouping::AllBut(_) => &[],
    };
    let fields = ConfigurationField::ALL
        .into_iter()
        .filter(|field| differing.contains(field) || named.contains(field))
        .map(|field| {
            let is_in = grouped_by.contains(&field);
            let label = match is_in {
                true => format!("✓ {}", field.label()),
                false => field.label().to_owned(),
            };
            let toggled = view.toggled(field).address();
            view! {
                <li><a href=move || kept.with(|kept| joined(&toggled, kept)) data-noscroll="" class="chip" data-field=field.id() aria-current=is_in.then_some("true")>{label}</a></li>
            }
        })
        .collect_view();
    let is_default = grouping == Grouping::default();
    let default = view.grouped(&Grouping::default()).address();
    view! {
        <div class="group-by">
            <span class="hint" id="group-by-label">"Group by"</span>
            <ul class="chips" id="group-by" aria-labelledby="group-by-label">
                <li><a href=move || kept.with(|kept| joined(&default, kept)) data-noscroll="" class="chip" aria-current=is_default.then_some("true")>"All but seed"</a></li>
                {fields}
            </ul>
        </div>
    }
    .into_any()
}

/// The measures to choose from, with the chosen one if it is none of them.
fn measure_choices(comparison: Option<&Comparison>, chosen: &str) -> Vec<Choice> {
    let layers = |range, quantity| Quantity::Layers { range, quantity };
    let corruption = |corruption| Quantity::Corruption {
        corruption,
        severity: None,
    };
    let attacks = comparison
        .iter()
        .flat_map(|comparison| &comparison.known_attacks);
    let mut measures = vec![
        Quantity::Selectivity,
        Quantity::TestAccuracy,
        corruption(None),
    ];
    measures.extend(attacks.copied().map(Quantity::Attack));
    measures.extend([
        layers(
            LayerRange::Early,
            LayerQuantity::dimensionality(Perturbations::Clean),
        ),
        layers(LayerRange::All, LayerQuantity::CvAcrossSamples),
        layers(LayerRange::All, LayerQuantity::CvAcrossUnits),
    ]);
    measures.extend(Corruption::ALL.map(|one| corruption(Some(one))));
    if let Ok(chosen) = chosen.parse()
        && !measures.contains(&chosen)
    {
        measures.push(chosen);
    }
    choices(&measures, |one| one.to_string(), |one| one.label())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: an attack that was made but cannot be chosen, or a measure of the address that the list
    /// does not know, so that it would show another one.
    #[test]
    fn what_was_measured_can_be_chosen() {
        let comparison = crate::figures::comparison::tests::two_alphas();
        let chosen = "corruption:fog:3";
        let choices = measure_choices(Some(&comparison), chosen);
        let has = |value: &str| {
            choices
                .iter()
                .filter(|choice| choice.value == value)
                .count()
        };
        assert_eq!(has("attack:fgsm:linf:1/255"), 1);
        assert_eq!(has(chosen), 1);
        assert_eq!(has("selectivity"), 1);
        assert_eq!(
            measure_choices(None, "selectivity").len(),
            choices.len() - 2
        );
    }
}
