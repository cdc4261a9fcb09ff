//! Everything that was measured, as CSV, Parquet and JSON.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use protocol::api::{Experiment, ExperimentSummary, RunMetrics};
use protocol::export::{ExportFormat, ExportTable};
use protocol::problem::ErrorCode;
use protocol::{Measurement, Run};

use super::experiments::summarise;
use super::json::{Id, QueryParameters, parse};
use super::{AppState, Refusal};
use crate::store::EVERY_EPOCH;
use crate::tables::Source;

/// Which table is asked for.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TableQuery {
    /// `runs` (one row a run; of experiments alone), `epochs` (one row a run and epoch), `units` (one row a run, layer and
    /// unit), `corruptions` (one row a run, corruption and severity), `attacks` (one row a run and attack), `dimensionality`
    /// (one row a run, perturbation and layer) or `input_unit_gradients` (one row a run and layer).
    #[serde(default)]
    #[param(
        pattern = "^(runs|epochs|units|corruptions|attacks|dimensionality|input_unit_gradients)?$"
    )]
    table: String,
}

/// Which table of a run is asked for.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RunTableQuery {
    /// As for experiments, except `runs`.
    #[serde(default)]
    #[param(pattern = "^(epochs|units|corruptions|attacks|dimensionality|input_unit_gradients)?$")]
    table: String,
}

impl TableQuery {
    /// The table; `runs` if none is named.
    fn table(&self) -> Result<ExportTable, Refusal> {
        match self.table.as_str() {
            "" => Ok(ExportTable::Runs),
            name => parse(name),
        }
    }
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

/// A table of an experiment as CSV; `table` is `runs` when absent.
#[utoipa::path(get, path = "/experiments/{id}/export.csv", params(("id" = i64, Path), TableQuery), responses((status = 200, content_type = "text/csv", body = String)))]
pub(super) async fn experiment_csv(
    State(state): State<AppState>,
    Id(id): Id,
    QueryParameters(query): QueryParameters<TableQuery>,
) -> Result<impl IntoResponse, Refusal> {
    of_experiment(state, id, query, ExportFormat::Csv).await
}

/// A table of an experiment as Parquet: columns have types, missing values are null; `table` is `runs` when absent.
#[utoipa::path(get, path = "/experiments/{id}/export.parquet", params(("id" = i64, Path), TableQuery), responses((status = 200, content_type = "application/vnd.apache.parquet", body = [u8])))]
pub(super) async fn experiment_parquet(
    State(state): State<AppState>,
    Id(id): Id,
    QueryParameters(query): QueryParameters<TableQuery>,
) -> Result<impl IntoResponse, Refusal> {
    of_experiment(state, id, query, ExportFormat::Parquet).await
}

/// A table of a run as CSV; `table` is `epochs` when absent.
#[utoipa::path(get, path = "/runs/{id}/export.csv", params(("id" = i64, Path), RunTableQuery), responses((status = 200, content_type = "text/csv", body = String)))]
pub(super) async fn run_csv(
    State(state): State<AppState>,
    Id(id): Id,
    QueryParameters(query): QueryParameters<RunTableQuery>,
) -> Result<impl IntoResponse, Refusal> {
    of_run(state, id, query, ExportFormat::Csv).await
}

/// A table of a run as Parquet; `table` is `epochs` when absent.
#[utoipa::path(get, path = "/runs/{id}/export.parquet", params(("id" = i64, Path), RunTableQuery), responses((status = 200, content_type = "application/vnd.apache.parquet", body = [u8])))]
pub(super) async fn run_parquet(
    State(state): State<AppState>,
    Id(id): Id,
    QueryParameters(query): QueryParameters<RunTableQuery>,
) -> Result<impl IntoResponse, Refusal> {
    of_run(state, id, query, ExportFormat::Parquet).await
}

async fn of_experiment(
    state: AppState,
    id: i64,
    query: TableQuery,
    format: ExportFormat,
) -> Result<impl IntoResponse, Refusal> {
    let table = query.table()?;
    let source = Source::of_experiment(&state.store, id, table).await?;
    file(format!("experiment-{id}-{table}"), source, table, format).await
}

async fn of_run(
    state: AppState,
    id: i64,
    RunTableQuery { table: named }: RunTableQuery,
    format: ExportFormat,
) -> Result<impl IntoResponse, Refusal> {
    let known: Vec<ExportTable> = ExportTable::of_runs().collect();
    let table = match named.as_str() {
        "" => Some(ExportTable::Epochs),
        name => name.parse().ok(),
    };
    let table = table.filter(|table| known.contains(table)).ok_or_else(|| {
        let known: Vec<&str> = known.iter().map(|table| table.id()).collect();
        Refusal::parameter(format!(
            "no table of a run is called `{}`; choose one of {}",
            named,
            known.join(", ")
        ))
    })?;
    let source = Source::of_run(&state.store, id, table).await?;
    file(format!("run-{id}-{table}"), source, table, format).await
}

/// A table as a file to download.
async fn file(
    name: String,
    source: Source,
    table: ExportTable,
    format: ExportFormat,
) -> Result<impl IntoResponse, Refusal> {
    let write = move || source.table(table).write(format);
    let written = tokio::task::spawn_blocking(write).await?;
    let written = written.map_err(|error| Refusal::new(ErrorCode::Internal, error.to_string()))?;
    let kind = match format {
        ExportFormat::Csv => "text/csv; charset=utf-8",
        ExportFormat::Parquet => "application/vnd.apache.parquet",
    };
    let disposition = format!("attachment; filename=\"{name}.{}\"", format.extension());
    Ok((
        [
            (header::CONTENT_TYPE, kind.to_owned()),
            (header::CONTENT_DISPOSITION, disposition),
        ],
        written,
    ))
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
        epochs: state.store.experiment_metrics(id, EVERY_EPOCH).await?,
        measurements: state.store.experiment_measurements(id).await?,
    };
    let disposition = format!("attachment; filename=\"experiment-{id}.json\"");
    Ok(([(header::CONTENT_DISPOSITION, disposition)], Json(export)))
}
