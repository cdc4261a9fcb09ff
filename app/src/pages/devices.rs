//! The devices that can train.

use leptos::prelude::*;
use leptos_meta::Title;
use protocol::api::{DeviceInfo, Health};
use protocol::device::DeviceCheck;
use protocol::executor::{ExecutorInfo, ExecutorKind};
use serde::de::DeserializeOwned;

use crate::data::api::{self, Method};
use crate::data::live;
use crate::format;
use crate::ui::{Column, Command, CommandError, Grid, LackingRoom, Load, use_command};

type Answer = (Vec<DeviceInfo>, Vec<ExecutorInfo>, Health);

async fn read() -> Result<Answer, protocol::api::ApiError> {
    let devices = api::get("/devices");
    let executors = api::get("/executors");
    let health = api::get("/health");
    Ok((devices.await?, executors.await?, health.await?))
}

/// The page at `/devices`.
#[component]
pub fn Devices() -> impl IntoView {
    let devices = Resource::new(|| (), |()| read());
    view! {
        <Title text="Devices" />
        <div class="heading"><h1>"Devices"</h1></div>
        <Load resource=devices render=|answer| view! { <List answer /> } />
    }
    .into_any()
}

#[component]
fn List(answer: Answer) -> impl IntoView {
    let now = RwSignal::new(answer);
    let command = use_command();
    let reread = live::at_most_every(1_000.0, move || async move {
        // Without an answer the page keeps what it shows; the stream says it is down.
        if let Ok(answer) = read().await {
            now.try_set(answer);
        }
    });
    let (on_gap, on_resume, on_cluster) = (reread.clone(), reread.clone(), reread.clone());
    let open = live::follow(
        live::Follow::All,
        move |event| {
            if live::changes_state(&event.event) {
                reread();
            }
        },
        on_gap,
    )
    .open;
    let rows = move || {
        now.with(|(devices, ..)| {
            let devices = devices.iter();
            devices
                .map(|one| device(one, command, on_resume.clone()))
                .collect_view()
        })
    };
    let clusters = move || {
        now.with(|(_, executors, _)| {
            // A cluster that cannot be used is of interest only while runs wait for it.
            let is_shown = |executor: &&ExecutorInfo| {
                executor.id != ExecutorKind::Local
                    && (executor.available || executor.queued + executor.running > 0)
            };
            let executors = executors.iter().filter(is_shown);
            executors
                .map(|one| cluster(one, command, on_cluster.clone()))
                .collect_view()
        })
    };
    view! {
        <LackingRoom reason=Signal::derive(move || now.with(|(.., health)| health.lacking_room.clone())) />
        <Grid id="devices" label="Devices" columns=vec![
            Column::words("Identifier"), Column::words("Device"), Column::words("Backend"), Column::words("Slots"), Column::number("Waiting"),
        ]>{rows}</Grid>
        <div id="clusters">{clusters}</div>
        <CommandError command />
        <p class="hint">
            "Each slot takes one run at a time; the number of slots per device is set when the server starts. "
            "The CPU is always available. A software adapter emulates a GPU and is slow; it is listed only if the server was told to use it."
        </p>
        {move || now.with(|(.., health)| (!health.gpu_support).then(|| view! {
            <p class="hint" id="no-gpu-support">"This server was built without GPU support. To build it with GPU support: " <code>"make serve GPU=yes"</code></p>
        }))}
        {move || now.with(|(devices, ..)| {
            let checks: Vec<DeviceCheck> = devices.iter().flat_map(|device| device.checks.clone()).collect();
            (!checks.is_empty()).then(|| view! { <Checks checks /> })
        })}
        <div class="foot">
            <span>{move || now.with(|(.., health)| format!("Selectivity Lab {}", health.version))}</span>
            <live::LiveMark open />
        </div>
    }
}

/// A device as a row.
fn device<F: Fn() + Clone + Send + Sync + 'static>(
    device: &DeviceInfo,
    command: Command,
    reread: F,
) -> impl IntoView + use<F> {
    let path = format!("/devices/{}/resume", api::segment(&device.id));
    let paused = device.paused.clone();
    let paused = paused.map(|reason| paused_notice::<DeviceInfo>(reason, path, command, reread));
    let share = f64::from(device.running) / f64::from(device.slots.max(1));
    view! {
        <tr data-device=device.id.clone()>
            <th scope="row"><code>{device.id.clone()}</code></th>
            <td>
                {device.name.clone()}
                {device.software.then(|| view! { <span class="tag">"software"</span> })}
                {device.note.clone().map(|note| view! { <div class="hint">{note}</div> })}
                {paused}
            </td>
            <td>{device.backend.clone()}</td>
            <td>
                <span class="meter" aria-hidden="true"><span class="fill" style:width=format!("{:.0}%", share.min(1.0) * 100.0)></span></span>
                {format!("{} of {} in use", device.running, device.slots)}
            </td>
            <td class="number">{device.queued}</td>
        </tr>
    }
}

/// A cluster, in a line.
fn cluster<F: Fn() + Clone + Send + Sync + 'static>(
    executor: &ExecutorInfo,
    command: Command,
    reread: F,
) -> impl IntoView + use<F> {
    let ExecutorInfo {
        id,
        name,
        paused,
        queued,
        running,
        ..
    } = executor.clone();
    let path = format!("/executors/{}/resume", id.id());
    let paused = paused.map(|reason| paused_notice::<ExecutorInfo>(reason, path, command, reread));
    view! {
        <p data-executor=id.id()>
            <strong>{id.label()}</strong>" ("{name}"): "
            {format!("{running} running, {queued} waiting")}
        </p>
        {paused}
    }
}

/// Why a queue is paused, with a button that lets it go on by a command to `path`, which answers with a `T`.
fn paused_notice<T: DeserializeOwned + 'static>(
    reason: String,
    path: String,
    command: Command,
    reread: impl Fn() + Clone + Send + Sync + 'static,
) -> AnyView {
    let resume = move |_| {
        let reread = reread.clone();
        command.send(Method::Post, path.clone(), None, move |_: T| reread());
    };
    view! {
        <div class="notice" data-paused>
            <p>"Paused; its queue is waiting: " {reason}</p>
            <button type="button" on:click=resume disabled=move || command.busy.get()>"Resume"</button>
        </div>
    }
    .into_any()
}

/// How GPUs compared with the CPU.
#[component]
fn Checks(checks: Vec<DeviceCheck>) -> impl IntoView {
    let row = |check: DeviceCheck| {
        let (class, verdict) = match check.passed() {
            true => ("tag good", "agrees"),
            false => ("tag bad", "computes wrong numbers"),
        };
        let [images, _, height, width] = check.shape;
        view! {
            <tr>
                <th scope="row">{check.backend.name.clone()}<div class="hint"><code>{check.device.clone()}</code></div></th>
                <td>{format::backend(&check.backend)}</td>
                <td>{format!("{}, {images} images of {height}x{width}", check.network.label())}</td>
                <td><span class=class>{verdict}</span></td>
                <td>{format::largest_difference(&check)}<div class="hint">{format!("in the {}; at most {:.0e} is accepted", check.tensor, check.tolerance)}</div></td>
                <td>{format::timestamp(check.at)}</td>
            </tr>
        }
    };
    view! {
        <section aria-labelledby="checks-title">
            <h2 id="checks-title">"Comparison with the CPU"</h2>
            <p class="hint">
                "Before a run begins on a GPU, one training step of its network is computed there and on the CPU, and the results are compared: the loss, every gradient, the running statistics and the optimiser's step. "
                "A difference is the largest deviation of a tensor's values divided by the CPU's largest value in that tensor."
            </p>
            <Grid id="device-checks" label="Device checks" columns=[
                "Device", "Driver and compiler", "Training step", "Verdict", "Largest difference", "When",
            ].map(Column::words).to_vec()>{checks.into_iter().map(row).collect_view()}</Grid>
        </section>
    }
}
