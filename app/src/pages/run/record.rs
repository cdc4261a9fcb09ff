//! How a run came about: configuration, log, files.

use leptos::prelude::*;
use protocol::api::Artifact;
use protocol::event::LogLevel;
use protocol::export::ExportTable;
use protocol::{Origin, Run};

use super::PageSignals;
use crate::format;
use crate::ui::{Column, Exports, Grid, evaluation_words, fact_entries, training_facts};

/// Configuration, log, artifacts and exports.
#[component]
pub fn Record(now: PageSignals) -> impl IntoView {
    let Run {
        id,
        spec,
        queued_at,
        ..
    } = now.run.get_untracked();
    let time = move |field: fn(&Run) -> Option<i64>| {
        move || {
            now.run
                .with(field)
                .map_or("–".to_owned(), format::timestamp)
        }
    };
    let imported = spec.origin.is_some();
    let tests = Memo::new(move |_| {
        now.run
            .with(|run| evaluation_words(&run.spec.evaluation, std::slice::from_ref(run)))
    });
    let machine = move || {
        now.run.with(|run| run.started.clone()).map(|started| {
            let layers = started.layers.len();
            let units: u64 = started.layers.iter().map(|layer| u64::from(layer.units)).sum();
            view! {
                <div><dt>{if imported { "Measured on" } else { "Trained on" }}</dt><dd>{started.device}</dd></div>
                {started.check.map(|check| view! {
                    <div><dt>"Driver and compiler"</dt><dd>{format::backend(&check.backend)}</dd></div>
                    <div><dt>"Compared with the CPU"</dt><dd>{format!(
                        "largest difference in a training step: {} ({}), {}",
                        format::largest_difference(&check),
                        check.tensor,
                        format::timestamp(check.at),
                    )}</dd></div>
                })}
                <div><dt>"Parameters"</dt><dd>{format::count(started.parameters)}</dd></div>
                <div><dt>"Units"</dt><dd>{format!("{} in {layers} layers", format::count(units))}</dd></div>
                <div><dt>"Images"</dt><dd>{format!(
                    "{} training, {} validation, {} test",
                    format::count(started.train_images.into()),
                    format::count(started.validation_images.into()),
                    format::count(started.test_images.into()),
                )}</dd></div>
                <div><dt>"Engine"</dt><dd>{started.engine_version}</dd></div>
                {started.resumed_from_epoch.map(|epoch| view! { <div><dt>"Resumed from epoch"</dt><dd>{epoch}</dd></div> })}
            }
        })
    };
    view! {
        <section aria-labelledby="setup-title">
            <h2 id="setup-title">"Configuration"</h2>
            <dl class="facts">
                <div><dt>"Network"</dt><dd>{spec.network.label()}</dd></div>
                <div><dt>"Data set"</dt><dd>{spec.dataset.label()}</dd></div>
                <div><dt>"Device"</dt><dd><code>{spec.device.clone()}</code></dd></div>
                {match &spec.origin {
                    Some(origin) => origin_facts(origin, spec.training.epochs).into_any(),
                    None => training_facts(&spec.training).into_any(),
                }}
                {move || fact_entries(tests.get())}
                <div><dt>"Queued"</dt><dd>{format::timestamp(queued_at)}</dd></div>
                <div><dt>"Started"</dt><dd>{time(|run| run.started_at)}</dd></div>
                <div><dt>"Ended"</dt><dd>{time(|run| run.ended_at)}</dd></div>
                {machine}
            </dl>
            <Exports tables=ExportTable::of_runs().collect() address=move |format, table| format.of_run(id, table) />
        </section>
        <section aria-labelledby="artifacts-title">
            <h2 id="artifacts-title">"Files"</h2>
            {move || artifacts(now)}
        </section>
        <section aria-labelledby="log-title">
            <h2 id="log-title">"Log"</h2>
            {move || log(now)}
        </section>
    }
    .into_any()
}

/// Where imported weights come from.
fn origin_facts(origin: &Origin, epochs: u32) -> impl IntoView + use<> {
    let numbers = |values: Option<[f32; 3]>| {
        values.map_or("the data set’s own".to_owned(), |values| {
            values.map(|value| value.to_string()).join(", ")
        })
    };
    view! {
        <div><dt>"Weights imported from"</dt><dd>{origin.file.clone()}</dd></div>
        <div><dt>"SHA-256 of the file"</dt><dd><code class="checksum">{origin.sha256.clone()}</code></dd></div>
        <div><dt>"Imported"</dt><dd>{format::timestamp(origin.imported_at)}</dd></div>
        <div><dt>"Trained elsewhere for"</dt><dd>{format::plural(epochs.into(), "epoch", "epochs")}", as stated at import"</dd></div>
        <div><dt>"Channel means"</dt><dd>{numbers(origin.mean)}</dd></div>
        <div><dt>"Channel standard deviations"</dt><dd>{numbers(origin.std)}</dd></div>
    }
}

fn artifacts(now: PageSignals) -> impl IntoView + use<> {
    now.artifacts.with(|artifacts| {
        if artifacts.is_empty() {
            return view! { <p class="waiting">"No files yet. The first epoch writes a checkpoint."</p> }.into_any();
        }
        let (whole, measured): (Vec<_>, Vec<_>) =
            artifacts.iter().cloned().partition(|artifact| !artifact.name.contains('/'));
        let folders = folders(&measured)
            .into_iter()
            .map(|(folder, files)| {
                let size = files.iter().map(|file| file.bytes).sum();
                let summary = format!("{folder}: {} files, {}", files.len(), format::bytes(size));
                view! {
                    <details class="files">
                        <summary>{summary}</summary>
                        {table(&files, None)}
                    </details>
                }
            })
            .collect_view();
        view! { {table(&whole, Some("artifacts"))} {folders} }.into_any()
    })
}

/// Files of measurements by their folder, in order.
fn folders(files: &[Artifact]) -> Vec<(String, Vec<Artifact>)> {
    fn folder(file: &Artifact) -> &str {
        file.name.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
    files
        .chunk_by(|one, next| folder(one) == folder(next))
        .map(|files| (folder(&files[0]).to_owned(), files.to_vec()))
        .collect()
}

fn table(files: &[Artifact], id: Option<&'static str>) -> impl IntoView + use<> {
    let rows = files
        .iter()
        .map(|artifact| {
            view! {
                <tr>
                    <th scope="row"><a href=artifact.url.clone() download="" rel="external">{artifact.name.clone()}</a></th>
                    <td>{artifact.description.clone()}</td>
                    <td class="number">{format::bytes(artifact.bytes)}</td>
                </tr>
            }
        })
        .collect_view();
    let columns = vec![
        Column::words("File"),
        Column::words("What it is"),
        Column::number("Size"),
    ];
    view! { <Grid id label="Table of files" columns>{rows}</Grid> }
}

fn log(now: PageSignals) -> impl IntoView + use<> {
    now.log.with(|log| {
        if log.is_empty() {
            return view! { <p class="waiting">"Nothing has been logged yet."</p> }.into_any();
        }
        let lines = log
            .iter()
            .map(|line| {
                let level = match line.level {
                    LogLevel::Info => "info",
                    LogLevel::Warning => "warning",
                    LogLevel::Error => "error",
                };
                view! {
                    <li data-level=level>
                        <time>{format::clock(line.at)}</time>" "
                        <span class="level">{level}</span>" "
                        {line.message.clone()}
                    </li>
                }
            })
            .collect_view();
        view! { <ol class="log" tabindex="0" role="log" aria-label="Log">{lines}</ol> }.into_any()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: a folder of a hundred files shown as a hundred rows, or files of two folders in one.
    #[test]
    fn measurements_are_grouped_by_folder() {
        let file = |name: &str| Artifact {
            name: name.into(),
            description: String::new(),
            bytes: 1,
            url: String::new(),
        };
        let files = ["attacks/0.9/a", "attacks/0.9/b", "dimensionality/x/a"].map(file);
        let grouped = folders(&files);
        let counts: Vec<_> = grouped
            .iter()
            .map(|(folder, files)| (folder.as_str(), files.len()))
            .collect();
        assert_eq!(counts, [("attacks/0.9", 2), ("dimensionality/x", 1)]);
    }
}
