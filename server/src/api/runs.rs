//! `/runs`: one run, its epochs, its log, its files.

use axum::Json;
use axum::body::Body as ResponseBody;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use protocol::api::{Artifact, LogLine};
use protocol::{EpochMetrics, Run};
use tokio::io::AsyncReadExt;

use super::json::{Id, Named};
use super::{AppState, Refusal};

/// The files that a run may leave, with what they are. Nothing else of its folder is served.
const ARTIFACTS: [(&str, &str); 4] = [
    (
        engine::train::WEIGHTS_FILE,
        "weights of the best epoch, with PyTorch's names",
    ),
    (
        engine::train::RESULT_FILE,
        "the result, with every unit's selectivity",
    ),
    ("worker.log", "what the worker wrote to standard error"),
    (
        "checkpoint.safetensors",
        "the state after the last complete epoch, to resume from",
    ),
];

/// One run, its result with every unit.
#[utoipa::path(get, path = "/runs/{id}", params(("id" = i64, Path)), responses((status = 200, body = Run)))]
pub(super) async fn read(State(state): State<AppState>, Id(id): Id) -> Result<Json<Run>, Refusal> {
    Ok(Json(
        state.scheduler.with_progress(state.store.run(id).await?),
    ))
}

/// A run's epochs in order.
#[utoipa::path(get, path = "/runs/{id}/metrics", params(("id" = i64, Path)), responses((status = 200, body = Vec<EpochMetrics>)))]
pub(super) async fn metrics(
    State(state): State<AppState>,
    Id(id): Id,
) -> Result<Json<Vec<EpochMetrics>>, Refusal> {
    Ok(Json(state.store.run_metrics(id).await?))
}

/// A run's log, oldest first.
#[utoipa::path(get, path = "/runs/{id}/log", params(("id" = i64, Path)), responses((status = 200, body = Vec<LogLine>)))]
pub(super) async fn log(
    State(state): State<AppState>,
    Id(id): Id,
) -> Result<Json<Vec<LogLine>>, Refusal> {
    Ok(Json(state.store.log(id).await?))
}

/// The files that a run left.
#[utoipa::path(get, path = "/runs/{id}/artifacts", params(("id" = i64, Path)), responses((status = 200, body = Vec<Artifact>)))]
pub(super) async fn artifacts(
    State(state): State<AppState>,
    Id(id): Id,
) -> Result<Json<Vec<Artifact>>, Refusal> {
    state.store.run(id).await?;
    let mut artifacts = Vec::new();
    for (name, description) in ARTIFACTS {
        if let Ok(file) = tokio::fs::metadata(state.directory.run(id).join(name)).await {
            artifacts.push(Artifact {
                name: name.into(),
                description: description.into(),
                bytes: file.len(),
                url: format!("/api/v1/runs/{id}/artifacts/{name}"),
            });
        }
    }
    Ok(Json(artifacts))
}

/// One of a run's files.
#[utoipa::path(
    get,
    path = "/runs/{id}/artifacts/{name}",
    params(("id" = i64, Path), ("name" = String, Path)),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>))
)]
pub(super) async fn artifact(
    State(state): State<AppState>,
    Named((id, name)): Named<(i64, String)>,
) -> Result<impl IntoResponse, Refusal> {
    let missing = || Refusal::not_found(format!("run {id} has no file `{name}`"));
    if !ARTIFACTS.iter().any(|(known, _)| *known == name) {
        return Err(missing());
    }
    let file = tokio::fs::File::open(state.directory.run(id).join(&name))
        .await
        .map_err(|_| missing())?;
    let length = file.metadata().await.map_err(|_| missing())?.len();
    // `take`: the file may be replaced by a longer one meanwhile, but not this handle's.
    let stream = futures::stream::unfold(file.take(length), |mut file| async move {
        let mut buffer = vec![0; 1 << 16];
        match file.read(&mut buffer).await {
            Ok(0) => None,
            Ok(count) => {
                buffer.truncate(count);
                Some((Ok(bytes::Bytes::from(buffer)), file))
            }
            Err(error) => Some((Err(error), file)),
        }
    });
    let disposition = format!("attachment; filename=\"run-{id}-{name}\"");
    Ok((
        StatusCode::OK,
        [
            (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
            (header::CONTENT_LENGTH, length.to_string()),
            (header::CONTENT_DISPOSITION, disposition),
        ],
        ResponseBody::from_stream(stream),
    ))
}

/// Cancels a queued or running run; what it measured is kept.
#[utoipa::path(post, path = "/runs/{id}/cancel", params(("id" = i64, Path)), responses((status = 200, body = Run)))]
pub(super) async fn cancel(
    State(state): State<AppState>,
    Id(id): Id,
) -> Result<Json<Run>, Refusal> {
    state.store.run(id).await?;
    state.scheduler.cancel(id).await?;
    read(State(state), Id(id)).await
}

/// Queues an interrupted, cancelled or failed run again; it goes on from its checkpoint.
#[utoipa::path(post, path = "/runs/{id}/resume", params(("id" = i64, Path)), responses((status = 200, body = Run), (status = 409, body = protocol::api::ApiError)))]
pub(super) async fn resume(
    State(state): State<AppState>,
    Id(id): Id,
) -> Result<Json<Run>, Refusal> {
    let run = state.store.run(id).await?;
    if state.store.requeue(&[id]).await?.is_empty() {
        return Err(Refusal::new(
            StatusCode::CONFLICT,
            format!("run {id} is {} and cannot be resumed", run.state.id()),
        ));
    }
    state.scheduler.wake();
    read(State(state), Id(id)).await
}
