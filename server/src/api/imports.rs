//! `POST /experiments/{id}/import`: weights that were trained elsewhere, as a run of the experiment.

use axum::Json;
use axum::body::Body as RequestBody;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::Run;
use protocol::api::Change;
use protocol::origin::ImportRequest;
use protocol::problem::ErrorCode;

use super::json::{Id, QueryParameters, receive};
use super::{AppState, Refusal, launchable};
use crate::import::{ImportError, Staged, import, not_launchable, one_run, three_numbers};
use crate::store::ImportTarget;

/// What the request says about the weights.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ImportQuery {
    /// Name of the file: `.safetensors`, or a PyTorch state dict under any other extension.
    file: String,
    /// The alpha that the network was trained with.
    alpha: f64,
    /// The seed that it counts as.
    seed: u64,
    /// Epochs that it was trained for; the experiment's when absent.
    #[param(minimum = 1, maximum = 10000)]
    epochs: Option<u32>,
    /// Channel means it was trained with, on the [0, 1] scale, as `0.49,0.48,0.45`; the data set's own when absent.
    mean: Option<String>,
    /// Channel standard deviations, likewise.
    std: Option<String>,
}

/// Registers weights as a run: the body is the file, at most 2 GiB. It is checked at once (every tensor is there, of
/// the right shape, finite), measured on the clean test set by a worker, and then as the experiment's other runs are.
/// An experiment has one run for each alpha and seed.
#[utoipa::path(
    post,
    path = "/experiments/{id}/import",
    params(("id" = i64, Path), ImportQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 201, body = Run)
    )
)]
pub(super) async fn create(
    State(state): State<AppState>,
    Id(id): Id,
    QueryParameters(query): QueryParameters<ImportQuery>,
    body: RequestBody,
) -> Result<(StatusCode, Json<Run>), Refusal> {
    let spec = state.store.experiment(id).await?.spec;
    let request = ImportRequest {
        mean: channels("mean", query.mean.as_deref())?,
        std: channels("std", query.std.as_deref())?,
        file: query.file,
        alpha: query.alpha,
        seed: query.seed,
        epochs: query.epochs,
    };
    let spec = one_run(&spec, &request);
    let facts = launchable(&state.catalogue, &spec)
        .await?
        .map_err(not_launchable)?;
    let mut staged = Staged::create(&state.directory).map_err(ImportError::from)?;
    receive(body, "file", |part| {
        Ok(staged.write(part).map_err(ImportError::from)?)
    })
    .await?;
    let (_, run) = import(
        &state.store,
        &state.directory,
        ImportTarget::Experiment(id),
        (&spec, &facts),
        &request,
        staged,
    )
    .await?;
    state
        .scheduler
        .tell_change(id, vec![run], Change::RunsImported);
    state.scheduler.wake();
    Ok((StatusCode::CREATED, Json(state.store.run(run).await?)))
}

fn channels(field: &str, text: Option<&str>) -> Result<Option<[f32; 3]>, Refusal> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
        return Ok(None);
    };
    let values = three_numbers(text).ok_or_else(|| {
        let reason = format!("`{text}` is not three numbers, for example 0.49,0.48,0.45");
        Refusal::field(field, reason)
    })?;
    Ok(Some(values))
}

impl From<ImportError> for Refusal {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Fields(fields) => Refusal::fields(fields),
            ImportError::Weights { file, reason } => {
                Refusal::field("weights", format!("{file}: {reason}"))
            }
            ImportError::Store(error) => error.into(),
            ImportError::Task(error) => error.into(),
            ImportError::Io(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
                Refusal::new(ErrorCode::PayloadTooLarge, error.to_string())
            }
            error @ ImportError::Io(_) => {
                tracing::error!(%error, "weights cannot be kept");
                Refusal::new(ErrorCode::Internal, error.to_string())
            }
        }
    }
}
