//! Where runs compute: this machine, or a Slurm cluster with the request and the exact scripts.

use leptos::prelude::*;
use protocol::ExecutorKind;
use protocol::executor::BatchScripts;

use super::Form;
use super::answer::{Answer, answer};
use crate::data::choice::Choice;
use crate::form::draft::EXECUTOR;
use crate::ui::{Field, Input};

/// The fields that say where runs compute, for places that can be used from the server's machine.
#[component]
pub fn Place(
    /// The form.
    form: Form,
    /// Whether Slurm can be used.
    slurm: bool,
    /// The devices of this machine.
    devices: Vec<Choice>,
) -> impl IntoView {
    let inputs = form.inputs;
    let local = ExecutorKind::Local.id();
    // A copied experiment from a cluster that is not here still shows its request.
    let offered = slurm || inputs.get(EXECUTOR) != local;
    let choices: Vec<Choice> = ExecutorKind::ALL
        .map(|kind| Choice::new(kind.id(), kind.label()))
        .into();
    let is_slurm = Memo::new(move |_| inputs.get(EXECUTOR) != local);
    let devices = StoredValue::new(devices);
    let device = move || match is_slurm.get() {
        true => view! {
            <Field inputs path="device" label="Device" input=Input::Line("text") hint=Signal::stored("The device on the cluster's nodes: cpu or the identifier of a GPU.".to_owned()) />
        },
        false => {
            view! { <Field inputs path="device" label="Device" input=Input::Select(devices.get_value()) /> }
        }
    };
    view! {
        {offered.then(|| view! { <Field inputs path=EXECUTOR label="Runs on" input=Input::Select(choices) /> })}
        {device}
    }
    .into_any()
}

/// The request to a cluster, if runs compute on one.
#[component]
pub fn Cluster(
    /// The form.
    form: Form,
) -> impl IntoView {
    let local = ExecutorKind::Local.id();
    let is_slurm = Memo::new(move |_| form.inputs.get(EXECUTOR) != local);
    move || is_slurm.get().then(|| view! { <Slurm form /> })
}

#[component]
fn Slurm(form: Form) -> impl IntoView {
    let inputs = form.inputs;
    let text = |hint: &str| Signal::stored(hint.to_owned());
    let (words, whole) = (Input::Line("text"), Input::Line("numeric"));
    view! {
        <fieldset class="columns" id="slurm">
            <legend>"Slurm"</legend>
            <p class="hint">"Each run is one job of a job array. Empty fields take the cluster's defaults."</p>
            <Field inputs path="executor.slurm.partition" label="Partition" input=words.clone() />
            <Field inputs path="executor.slurm.account" label="Account" input=words.clone() />
            <Field inputs path="executor.slurm.qos" label="Quality of service" input=words.clone() />
            <Field inputs path="executor.slurm.gres" label="GPUs and other resources" input=words hint=text("In the format of --gres, for example gpu:1.") />
            <Field inputs path="executor.slurm.cpus" label="CPUs per run" input=whole.clone() />
            <Field inputs path="executor.slurm.memory_mib" label="Memory per run" input=whole.clone() hint=text("In MiB.") />
            <Field inputs path="executor.slurm.time_minutes" label="Time limit" input=whole.clone() hint=text("In minutes. Before the limit is reached, a run goes back into the queue and later resumes from its checkpoint.") />
            <Field inputs path="executor.slurm.requeues" label="Maximum requeues" input=whole.clone() hint=text("Per run.") />
            <Field inputs path="executor.slurm.at_once" label="Runs at once" input=whole hint=text("The maximum. Empty: as many as the cluster allows.") />
            <Field inputs path="executor.slurm.setup" label="Set-up lines" input=Input::Lines hint=text("Shell commands that each job runs first, for example module load vulkan.") />
            <Field inputs path="executor.slurm.flags" label="Further sbatch flags" input=Input::Lines hint=text("One per line, for example --exclusive.") />
            <Scripts form />
        </fieldset>
    }
    .into_any()
}

/// The scripts for `sbatch`.
#[component]
fn Scripts(form: Form) -> impl IntoView {
    let spec = Memo::new(move |_| form.spec.with(|spec| spec.as_ref().ok().cloned()));
    let Answer { now, asking } = answer::<BatchScripts>(form, "/executors/slurm/scripts", spec);
    let texts = move || {
        now.with(|answer| match answer {
            Some(Ok(answer)) => answer.scripts.clone(),
            Some(Err(error)) => vec![error.detail.clone()],
            None => vec!["The script can be shown once every field is valid.".to_owned()],
        })
    };
    let list = move || {
        let texts = texts().into_iter();
        texts
            .map(|text| view! { <pre class="batch-script" tabindex="0">{text}</pre> })
            .collect_view()
    };
    view! {
        <details id="batch-scripts" aria-busy=move || asking.get().to_string()>
            <summary>"The exact sbatch script"</summary>
            {list}
        </details>
    }
    .into_any()
}
