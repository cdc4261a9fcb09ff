//! Everything that was measured, as CSV and JSON.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use protocol::api::{Experiment, ExperimentSummary, RunMetrics};
use protocol::{EpochMetrics, Measurement, Run};

use super::experiments::summarise;
use super::json::{Asked, Id};
use super::{AppState, Refusal};

/// Which table is asked for.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TableQuery {
    /// `runs` (one row a run), `epochs` (one row a run and epoch), `units` (one row a run, layer and unit),
    /// `corruptions` (one row a run, corruption and severity), `attacks` (one row a run and attack), `dimensionality`
    /// (one row a run, perturbation and layer) or `input_unit_gradients` (one row a run and layer).
    #[serde(default)]
    table: String,
}

/// An experiment with all of its runs, epochs and units.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(super) struct Export {
    experiment: Experiment,
    summary: ExperimentSummary,
    /// Results with every unit.
    runs: Vec<Run>,
    epochs: Vec<RunMetrics>,
    /// What evaluations measured, by run.
    measurements: Vec<(i64, Measurement)>,
}

/// Tables that a run has as well as an experiment.
const OF_RUNS: &str = "units, corruptions, attacks, dimensionality, input_unit_gradients";

type Table = (Vec<&'static str>, Vec<Vec<String>>);

/// A table of an experiment as CSV; `table` is `runs` when absent.
#[utoipa::path(get, path = "/experiments/{id}/export.csv", params(("id" = i64, Path), TableQuery), responses((status = 200, content_type = "text/csv", body = String)))]
pub(super) async fn experiment_csv(
    State(state): State<AppState>,
    Id(id): Id,
    Asked(query): Asked<TableQuery>,
) -> Result<impl IntoResponse, Refusal> {
    let table = match query.table.as_str() {
        "" | "runs" => runs_table(&state.store.runs(id).await?),
        "epochs" => epochs_table(&state.store.experiment_metrics(id).await?),
        "units" => units_table(&state.store.trained_runs_with_units(id).await?),
        "corruptions" => corruptions_table(
            &state.store.runs(id).await?,
            &state.store.experiment_measurements(id).await?,
        ),
        "attacks" => attacks_table(
            &state.store.runs(id).await?,
            &state.store.experiment_measurements(id).await?,
        ),
        "dimensionality" => dimensionality_table(
            &state.store.runs(id).await?,
            &state.store.experiment_measurements(id).await?,
        ),
        "input_unit_gradients" => gradients_table(
            &state.store.runs(id).await?,
            &state.store.experiment_measurements(id).await?,
        ),
        other => return Err(unknown_table(other, &format!("runs, epochs, {OF_RUNS}"))),
    };
    csv(
        &format!("experiment-{id}-{}.csv", name_of(&query.table, "runs")),
        table,
    )
}

/// A table of a run as CSV; `table` is `epochs` when absent.
#[utoipa::path(get, path = "/runs/{id}/export.csv", params(("id" = i64, Path), TableQuery), responses((status = 200, content_type = "text/csv", body = String)))]
pub(super) async fn run_csv(
    State(state): State<AppState>,
    Id(id): Id,
    Asked(query): Asked<TableQuery>,
) -> Result<impl IntoResponse, Refusal> {
    let run = state.store.run(id).await?;
    let table = match query.table.as_str() {
        "" | "epochs" => epochs_table(&[RunMetrics {
            run_id: id,
            alpha: run.spec.alpha,
            seed: run.spec.seed,
            epochs: state.store.run_metrics(id).await?,
        }]),
        "units" => units_table(&[run]),
        table @ ("corruptions" | "attacks" | "dimensionality" | "input_unit_gradients") => {
            let measured = state.store.measurements(id).await?;
            let measured: Vec<_> = measured.into_iter().map(|one| (id, one)).collect();
            match table {
                "corruptions" => corruptions_table(&[run], &measured),
                "attacks" => attacks_table(&[run], &measured),
                "dimensionality" => dimensionality_table(&[run], &measured),
                _ => gradients_table(&[run], &measured),
            }
        }
        other => return Err(unknown_table(other, &format!("epochs, {OF_RUNS}"))),
    };
    csv(
        &format!("run-{id}-{}.csv", name_of(&query.table, "epochs")),
        table,
    )
}

/// An experiment with everything that it measured, as JSON.
#[utoipa::path(get, path = "/experiments/{id}/export.json", params(("id" = i64, Path)), responses((status = 200, body = Export)))]
pub(super) async fn experiment_json(
    State(state): State<AppState>,
    Id(id): Id,
) -> Result<impl IntoResponse, Refusal> {
    let mut runs = state.store.runs(id).await?;
    for with_units in state.store.trained_runs_with_units(id).await? {
        if let Some(run) = runs.iter_mut().find(|run| run.id == with_units.id) {
            *run = with_units;
        }
    }
    let export = Export {
        experiment: state.store.experiment(id).await?,
        summary: summarise(&runs),
        runs,
        epochs: state.store.experiment_metrics(id).await?,
        measurements: state.store.experiment_measurements(id).await?,
    };
    let disposition = format!("attachment; filename=\"experiment-{id}.json\"");
    Ok(([(header::CONTENT_DISPOSITION, disposition)], Json(export)))
}

fn name_of<'a>(asked: &'a str, default: &'a str) -> &'a str {
    if asked.is_empty() { default } else { asked }
}

fn unknown_table(asked: &str, known: &str) -> Refusal {
    Refusal::new(
        StatusCode::BAD_REQUEST,
        format!("no table is called `{asked}`; there are {known}"),
    )
}

fn runs_table(runs: &[Run]) -> Table {
    let header = vec![
        "run",
        "network",
        "dataset",
        "alpha",
        "seed",
        "device",
        "state",
        "reason",
        "epochs",
        "epochs_done",
        "best_epoch",
        "validation_accuracy",
        "validation_images",
        "test_accuracy",
        "test_cross_entropy_nats",
        "test_images",
        "selectivity",
    ];
    let rows = runs.iter().map(|run| {
        let spec = &run.spec;
        let mut row = vec![
            run.id.to_string(),
            spec.network.to_string(),
            spec.dataset.to_string(),
            spec.alpha.to_string(),
            spec.seed.to_string(),
            spec.device.clone(),
            run.state.id().to_owned(),
            run.reason.clone().unwrap_or_default(),
            spec.training.epochs.to_string(),
            run.epochs_done.to_string(),
        ];
        match &run.result {
            Some(result) => row.extend([
                result.best_epoch.to_string(),
                result.validation_accuracy.to_string(),
                result.validation_images.to_string(),
                result.test_accuracy.to_string(),
                result.test_cross_entropy.to_string(),
                result.test_images.to_string(),
                result.selectivity.to_string(),
            ]),
            None => row.extend(std::iter::repeat_n(String::new(), 7)),
        }
        row
    });
    (header, rows.collect())
}

fn epochs_table(runs: &[RunMetrics]) -> Table {
    let header = vec![
        "run",
        "alpha",
        "seed",
        "epoch",
        "learning_rate",
        "train_loss_nats",
        "train_cross_entropy_nats",
        "train_selectivity",
        "train_accuracy",
        "validation_cross_entropy_nats",
        "validation_accuracy",
        "validation_selectivity",
        "images_per_second",
        "seconds",
    ];
    let row = |run: &RunMetrics, epoch: &EpochMetrics| {
        let numbers = [
            epoch.learning_rate,
            epoch.train_loss,
            epoch.train_cross_entropy,
            epoch.train_selectivity,
            epoch.train_accuracy,
            epoch.validation_cross_entropy,
            epoch.validation_accuracy,
            epoch.selectivity,
            epoch.images_per_second,
            epoch.seconds,
        ];
        let mut row = vec![
            run.run_id.to_string(),
            run.alpha.to_string(),
            run.seed.to_string(),
            epoch.epoch.to_string(),
        ];
        row.extend(numbers.iter().map(f64::to_string));
        row
    };
    let rows = runs
        .iter()
        .flat_map(|run| run.epochs.iter().map(move |epoch| row(run, epoch)));
    (header, rows.collect())
}

fn units_table(runs: &[Run]) -> Table {
    let header = vec![
        "run",
        "alpha",
        "seed",
        "layer",
        "layer_name",
        "unit",
        "selectivity",
        "preferred_class",
    ];
    let mut rows = Vec::new();
    for run in runs {
        let classes = run
            .started
            .as_ref()
            .map_or(&[][..], |started| &started.classes);
        for (index, layer) in run
            .result
            .iter()
            .flat_map(|result| result.layers.iter().enumerate())
        {
            for (unit, (selectivity, class)) in
                layer.units.iter().zip(&layer.preferred_class).enumerate()
            {
                rows.push(vec![
                    run.id.to_string(),
                    run.spec.alpha.to_string(),
                    run.spec.seed.to_string(),
                    index.to_string(),
                    layer.name.clone(),
                    unit.to_string(),
                    selectivity.to_string(),
                    classes
                        .get(*class as usize)
                        .cloned()
                        .unwrap_or_else(|| class.to_string()),
                ]);
            }
        }
    }
    (header, rows)
}

fn corruptions_table(runs: &[Run], measurements: &[(i64, Measurement)]) -> Table {
    let header = vec![
        "run",
        "alpha",
        "seed",
        "selectivity",
        "source",
        "corruption_seed",
        "images",
        "corruption",
        "severity",
        "accuracy",
        "cross_entropy_nats",
        "clean_accuracy",
        "share_of_clean",
    ];
    let mut rows = Vec::new();
    for (run_id, measurement) in measurements {
        let Some(measured) = measurement.corruption() else {
            continue; // Of another table.
        };
        let Some(run) = runs.iter().find(|run| run.id == *run_id) else {
            continue; // Queued a moment ago, between the two readings.
        };
        let selectivity = run.result.as_ref().map(|result| result.selectivity);
        let optional = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
        rows.push(vec![
            run_id.to_string(),
            run.spec.alpha.to_string(),
            run.spec.seed.to_string(),
            optional(selectivity),
            measured.conditions.source.id().to_owned(),
            measured.conditions.corruption_seed.to_string(),
            measured.conditions.images.to_string(),
            measured.corruption.to_string(),
            measured.severity.to_string(),
            measured.accuracy.to_string(),
            measured.cross_entropy.to_string(),
            measured.clean_accuracy.to_string(),
            optional(measured.share_of_clean()),
        ]);
    }
    (header, rows)
}

fn attacks_table(runs: &[Run], measurements: &[(i64, Measurement)]) -> Table {
    let header = vec![
        "run",
        "alpha",
        "seed",
        "selectivity",
        "attack_seed",
        "images",
        "method",
        "norm",
        "epsilon",
        "step_size",
        "steps",
        "random_starts",
        "accuracy",
        "clean_accuracy",
        "share_of_clean",
    ];
    let optional = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let mut rows = Vec::new();
    for (run_id, measurement) in measurements {
        let Some(measured) = measurement.attack() else {
            continue; // Of another table.
        };
        let Some(run) = runs.iter().find(|run| run.id == *run_id) else {
            continue; // Queued a moment ago, between the two readings.
        };
        let attack = measured.attack;
        rows.push(vec![
            run_id.to_string(),
            run.spec.alpha.to_string(),
            run.spec.seed.to_string(),
            optional(run.result.as_ref().map(|result| result.selectivity)),
            measured.conditions.attack_seed.to_string(),
            measured.conditions.images.to_string(),
            attack.method.id().to_owned(),
            attack.norm.id().to_owned(),
            attack.epsilon.to_string(),
            optional(attack.step_size),
            attack
                .steps
                .map_or(String::new(), |steps| steps.to_string()),
            attack.random_starts.to_string(),
            measured.accuracy.to_string(),
            measured.clean_accuracy.to_string(),
            optional(measured.share_of_clean()),
        ]);
    }
    (header, rows)
}

fn dimensionality_table(runs: &[Run], measurements: &[(i64, Measurement)]) -> Table {
    let header = vec![
        "run",
        "alpha",
        "seed",
        "matrix",
        "source",
        "corruption_seed",
        "images",
        "perturbation",
        "layer",
        "layer_name",
        "columns",
        "components_90",
        "components_95",
        "components_99",
        "participation_ratio",
    ];
    let mut rows = Vec::new();
    for (run_id, measurement) in measurements {
        let Some(measured) = measurement.dimensionality() else {
            continue; // Of another table.
        };
        let Some(run) = runs.iter().find(|run| run.id == *run_id) else {
            continue; // Queued a moment ago, between the two readings.
        };
        for (layer, shape) in run.spec.network.layers().iter().enumerate() {
            let count = |of: &[u32]| of.get(layer).map_or(String::new(), u32::to_string);
            rows.push(vec![
                run_id.to_string(),
                run.spec.alpha.to_string(),
                run.spec.seed.to_string(),
                measured.matrix.id().to_owned(),
                measured.conditions.source.id().to_owned(),
                measured.conditions.corruption_seed.to_string(),
                measured.conditions.images.to_string(),
                measured.perturbation.to_string(),
                layer.to_string(),
                shape.name.clone(),
                count(&measured.columns),
                count(&measured.components_90),
                count(&measured.components_95),
                count(&measured.components_99),
                measured
                    .participation_ratio
                    .get(layer)
                    .map_or(String::new(), f64::to_string),
            ]);
        }
    }
    (header, rows)
}

fn gradients_table(runs: &[Run], measurements: &[(i64, Measurement)]) -> Table {
    let header = vec![
        "run",
        "alpha",
        "seed",
        "images",
        "layer",
        "layer_name",
        "mean_norm",
        "cv_across_samples",
        "cv_across_units",
        "units_without_gradient",
    ];
    let optional = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let mut rows = Vec::new();
    for (run_id, measurement) in measurements {
        let Some(measured) = measurement.input_unit_gradients() else {
            continue; // Of another table.
        };
        let Some(run) = runs.iter().find(|run| run.id == *run_id) else {
            continue; // Queued a moment ago, between the two readings.
        };
        for (layer, shape) in run.spec.network.layers().iter().enumerate() {
            let number = |of: &[Option<f64>]| optional(of.get(layer).copied().flatten());
            rows.push(vec![
                run_id.to_string(),
                run.spec.alpha.to_string(),
                run.spec.seed.to_string(),
                measured.images.to_string(),
                layer.to_string(),
                shape.name.clone(),
                optional(measured.mean_norm.get(layer).copied()),
                number(&measured.cv_across_samples),
                number(&measured.cv_across_units),
                measured
                    .units_without_gradient
                    .get(layer)
                    .map_or(String::new(), u32::to_string),
            ]);
        }
    }
    (header, rows)
}

fn csv(name: &str, (header, rows): Table) -> Result<impl IntoResponse + use<>, Refusal> {
    let failed = |error: String| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record(header)
        .map_err(|error| failed(error.to_string()))?;
    for row in rows {
        writer
            .write_record(row)
            .map_err(|error| failed(error.to_string()))?;
    }
    let text = writer
        .into_inner()
        .map_err(|error| failed(error.to_string()))?;
    Ok((
        [
            (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
            (
                header::CONTENT_DISPOSITION,
                format!("attachment; filename=\"{name}\""),
            ),
        ],
        text,
    ))
}
