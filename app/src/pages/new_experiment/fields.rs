//! The form's fields.

use leptos::prelude::*;
use leptos_router::components::A;
use protocol::api::{DatasetInfo, DatasetStatus, DeviceInfo, FormOptions};
use protocol::{Augmentation, ExecutorKind};

use super::Form;
use crate::data::choice::Choice;
use crate::form::draft::Draft;
use crate::form::parse;
use crate::format;
use crate::ui::{AttackFields, CorruptionFields, Field, GeometryFields, Input, Inputs};

fn dataset_choice(dataset: &DatasetInfo) -> Choice {
    let mark = match dataset.status {
        DatasetStatus::Installed => "",
        DatasetStatus::Missing => " (not installed)",
        DatasetStatus::Broken { .. } => " (broken)",
        DatasetStatus::Fetching { .. } => " (being fetched)",
        DatasetStatus::FetchFailed { .. } => " (not installed, fetching failed)",
    };
    Choice {
        value: dataset.id.to_string(),
        label: format!("{}{mark}", dataset.label),
    }
}

fn device_choice(device: &DeviceInfo) -> Choice {
    let kind = if device.software { ", software" } else { "" };
    Choice {
        value: device.id.clone(),
        label: format!("{}: {} ({}{kind})", device.id, device.name, device.backend),
    }
}

/// The choice that the draft holds must be in the list, or the browser would show another one.
fn with_current(mut choices: Vec<Choice>, current: &str, missing: &str) -> Vec<Choice> {
    if !choices.iter().any(|choice| choice.value == current) {
        choices.push(Choice {
            value: current.to_owned(),
            label: format!("{current} ({missing})"),
        });
    }
    choices
}

/// Every field, in groups.
#[component]
pub fn Fields(
    /// The form.
    form: Form,
    /// What can be chosen.
    options: FormOptions,
) -> impl IntoView {
    let inputs = form.inputs;
    let network = Signal::derive(move || {
        let network = inputs
            .draft
            .with(|draft| draft.get("network").parse::<protocol::Network>());
        network.ok()
    });
    let seeds_hint = Signal::derive(move || inputs.draft.with(seeds_hint));
    let words = Input::Line("text");
    view! {
        <div class="groups">
            <ExperimentFields form options network />
            <fieldset id="form-comparison">
                <legend>"Comparison"</legend>
                <Field inputs path="alphas" label="Alphas" input=words.clone() hint=text("Loss = cross-entropy − α × selectivity: above 0 promotes selectivity, below 0 suppresses it, 0 is the control.") />
                <Field inputs path="seeds" label="Seeds" input=words.clone() hint=seeds_hint />
            </fieldset>
            <super::place::Cluster form />
            <Training inputs />
            <fieldset class="wide" id="form-tests">
                <legend>"Tests after training"</legend>
                <CorruptionFields inputs dataset=Signal::derive(move || inputs.get("dataset")) />
                <AttackFields inputs />
                <GeometryFields inputs network />
            </fieldset>
        </div>
    }
    .into_any()
}

/// What is trained, on what, and where.
#[component]
fn ExperimentFields(
    form: Form,
    options: FormOptions,
    network: Signal<Option<protocol::Network>>,
) -> impl IntoView {
    let inputs = form.inputs;
    let current = |path: &str| {
        inputs
            .draft
            .with_untracked(|draft| draft.get(path).to_owned())
    };
    let networks = options
        .networks
        .iter()
        .map(|network| Choice {
            value: network.id().to_owned(),
            label: network.label().to_owned(),
        })
        .collect();
    let datasets = with_current(
        options.datasets.iter().map(dataset_choice).collect(),
        &current("dataset"),
        "not here",
    );
    let devices = with_current(
        options.devices.iter().map(device_choice).collect(),
        &current("device"),
        "not here",
    );
    let slurm = options
        .executors
        .iter()
        .any(|executor| executor.id == ExecutorKind::Slurm && executor.available);
    let network_hint = Signal::derive(move || {
        network
            .get()
            .map_or_else(String::new, |network| network.description().to_owned())
    });
    let sets = StoredValue::new(options.datasets);
    let missing = move || {
        let chosen = inputs.draft.with(|draft| draft.get("dataset").to_owned());
        let absent = sets.with_value(|sets| {
            sets.iter()
                .any(|set| set.id.to_string() == chosen && set.status != DatasetStatus::Installed)
        });
        absent.then(|| view! {
            <p class="notice" id="dataset-missing">"This data set is not installed. "<A href="/datasets">"Fetch it on the data sets page"</A>"."</p>
        })
    };
    view! {
        <fieldset id="form-experiment">
            <legend>"Experiment"</legend>
            <Field inputs path="name" label="Name" input=Input::Line("text") />
            <Field inputs path="notes" label="Notes" input=Input::Lines hint=text("Why you run it. Optional.") />
            <Field inputs path="network" label="Network" input=Input::Select(networks) hint=network_hint />
            <Field inputs path="dataset" label="Data set" input=Input::Select(datasets) />
            {missing}
            <super::place::Place form slurm devices />
        </fieldset>
    }
    .into_any()
}

/// What the hint at the seeds says, with how many are typed.
fn seeds_hint(draft: &Draft) -> String {
    let count = parse::seeds(draft.get("seeds")).map_or_else(
        |_| String::new(),
        |seeds| {
            format!(
                " Now: {}.",
                format::plural(seeds.len() as u64, "seed", "seeds")
            )
        },
    );
    format!("Replicates. 0..4 is 0, 1, 2, 3, 4.{count}")
}

fn text(hint: &str) -> Signal<String> {
    Signal::stored(hint.to_owned())
}

/// How each network is trained.
#[component]
fn Training(inputs: Inputs) -> impl IntoView {
    let augmentations = Augmentation::ALL
        .into_iter()
        .map(|entry| Choice {
            value: entry.id().to_owned(),
            label: entry.label().to_owned(),
        })
        .collect();
    let (words, whole, decimal) = (
        Input::Line("text"),
        Input::Line("numeric"),
        Input::Line("decimal"),
    );
    view! {
            <fieldset class="columns" id="form-training">
                <legend>"Training"</legend>
                <Field inputs path="training.epochs" label="Epochs" input=whole.clone() />
                <Field inputs path="training.batch_size" label="Batch size" input=whole.clone() hint=text("Images per step.") />
                <Field inputs path="training.learning_rate" label="Learning rate" input=decimal.clone() hint=text("The initial rate of SGD.") />
                <Field inputs path="training.momentum" label="Momentum" input=decimal.clone() />
                <Field inputs path="training.learning_rate_milestones" label="Lower the rate after epochs" input=words.clone() hint=text("For example 100, 150. Empty: never.") />
                <Field inputs path="training.learning_rate_factor" label="Multiply the rate by" input=decimal.clone() />
                <Field inputs path="training.weight_decay" label="Weight decay" input=decimal />
                <Field inputs path="training.augmentation" label="Augmentation" input=Input::Select(augmentations) />
                <Field inputs path="training.train_images_per_class" label="Training images per class" input=whole.clone() hint=text("Empty: all remaining images.") />
                <Field inputs path="training.validation_images_per_class" label="Validation images per class" input=whole hint=text("Held out to choose the best epoch.") />
            </fieldset>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: a copied experiment whose device is gone, shown as if it used another one.
    #[test]
    fn a_choice_that_is_gone_is_still_shown() {
        let cpu = Choice {
            value: "cpu".into(),
            label: "CPU".into(),
        };
        assert_eq!(with_current(vec![cpu.clone()], "cpu", "not here").len(), 1);
        let choices = with_current(vec![cpu], "wgpu:1", "not here");
        assert_eq!(choices[1].label, "wgpu:1 (not here)");
    }
}
