//! `/runs`: one run, its epochs, its log, its files.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use protocol::annotation::Annotation;
use protocol::api::{Artifact, Change, LogLine, RunPage};
use protocol::origin::IMPORTED_FILES;
use protocol::problem::ErrorCode;
use protocol::{EpochMetrics, Run, RunState};
use tower_http::services::ServeFile;

use super::epochs::EpochsQuery;
use super::experiments::usual_page_size;
use super::json::{self, Id, PathParameters, QueryParameters, check_page, first_page};
use super::{Answer, AppState, Refusal, annotations};
use crate::directory::remove_folder;
use crate::store::RunQuery;

/// The files that a run may leave, with what they are. Besides them only the measurements in [`FOLDERS`] are served.
const ARTIFACTS: [(&str, &str); 7] = [
    (
        engine::training::run_folder::WEIGHTS_FILE,
        "weights of the best epoch, with PyTorch's names",
    ),
    (
        engine::training::run_folder::RESULT_FILE,
        "the result, with every unit's selectivity",
    ),
    (
        engine::training::unit_selectivity::FILE,
        "every unit's selectivity after each epoch, on the validation images",
    ),
    (IMPORTED_FILES[0], "the weights as they were imported"),
    (IMPORTED_FILES[1], "the weights as they were imported"),
    ("worker.log", "what the worker wrote to standard error"),
    (
        "checkpoint.safetensors",
        "the state after the last complete epoch, to resume from",
    ),
];

/// Folders of measurements, `<folder>/<conditions>/<file>.safetensors`, with what such a file holds.
const FOLDERS: [(&str, &str); 4] = [
    ("corruptions", "predictions on corrupted images"),
    ("attacks", "predictions under attack, or adversarial images"),
    (
        "dimensionality",
        "eigenvalues, and units' mean responses to classes",
    ),
    (
        "input_unit_gradients",
        "norms of each unit's gradient for each image, and its mean gradient",
    ),
];

/// What a file of a run's folder is, if it may be served: `name` is its path there, with `/`.
fn description(name: &str) -> Option<&'static str> {
    let known = ARTIFACTS.iter().find(|(known, _)| *known == name);
    let parts: Vec<&str> = name.split('/').collect();
    let plain = |part: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-=".contains(c);
        !part.starts_with('.') && part.chars().all(allowed)
    };
    let measured = || match parts[..] {
        [folder, conditions, file]
            if plain(conditions) && plain(file) && file.ends_with(".safetensors") =>
        {
            FOLDERS.iter().find(|(known, _)| *known == folder)
        }
        _ => None,
    };
    known.or_else(measured).map(|(_, description)| *description)
}

/// Every file of a run's folder that may be served, by its path there.
fn files(run: &std::path::Path) -> Vec<String> {
    let names = |folder: &std::path::Path| -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    };
    let mut files: Vec<String> = ARTIFACTS.iter().map(|(name, _)| (*name).into()).collect();
    for (folder, _) in FOLDERS {
        for conditions in names(&run.join(folder)) {
            for file in names(&run.join(folder).join(&conditions)) {
                files.push(format!("{folder}/{conditions}/{file}"));
            }
        }
    }
    files.retain(|name| description(name).is_some() && run.join(name).is_file());
    files
}

/// Which runs are asked for.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only this experiment's.
    experiment: Option<i64>,
    /// Only runs in this state.
    state: Option<RunState>,
    /// Only runs of this regulariser strength.
    alpha: Option<f64>,
    /// Only runs of this seed.
    seed: Option<u64>,
    /// Page, from 1.
    #[serde(default = "first_page")]
    #[param(value_type = i64, minimum = 1, maximum = 4294967295_u32)]
    page: u32,
    /// Runs a page, 1 to 200.
    #[serde(default = "usual_page_size")]
    #[param(minimum = 1, maximum = 200)]
    page_size: u32,
}

/// A page of runs, newest first.
#[utoipa::path(get, path = "/runs", params(ListQuery), responses((status = 200, body = RunPage)))]
pub(super) async fn list(
    State(state): State<AppState>,
    QueryParameters(query): QueryParameters<ListQuery>,
) -> Answer<RunPage> {
    check_page(query.page, query.page_size, 200)?;
    if query.alpha.is_some_and(|alpha| !alpha.is_finite()) {
        return Err(Refusal::parameter("alpha must be a number"));
    }
    let query = RunQuery {
        experiment: query.experiment,
        state: query.state,
        alpha: query.alpha,
        seed: query.seed,
        page: query.page,
        page_size: query.page_size,
    };
    let page = state.store.run_page(&query).await?;
    Ok(Json(RunPage {
        runs: page
            .runs
            .into_iter()
            .map(|run| state.scheduler.with_progress(run))
            .collect(),
        ..page
    }))
}

/// Deletes a run with all that it measured; refused while it is queued or running.
#[utoipa::path(delete, path = "/runs/{id}", params(("id" = i64, Path)), responses((status = 204)))]
pub(super) async fn delete(
    State(state): State<AppState>,
    Id(id): Id,
) -> Result<StatusCode, Refusal> {
    let experiment = state.store.delete_run(id).await?;
    state
        .scheduler
        .tell_change(experiment, vec![id], Change::RunsDeleted);
    remove_folder(&state.directory.run(id)).await;
    Ok(StatusCode::NO_CONTENT)
}

/// One run, its result with every unit.
#[utoipa::path(get, path = "/runs/{id}", params(("id" = i64, Path)), responses((status = 200, body = Run)))]
pub(super) async fn read(State(state): State<AppState>, Id(id): Id) -> Answer<Run> {
    Ok(Json(
        state.scheduler.with_progress(state.store.run(id).await?),
    ))
}

/// Changes tags and notes; what is absent stays.
#[utoipa::path(
    patch,
    path = "/runs/{id}",
    params(("id" = i64, Path)),
    request_body = Annotation,
    responses((status = 200, body = Run))
)]
pub(super) async fn annotate(
    State(state): State<AppState>,
    Id(id): Id,
    json::Body(annotation): json::Body<Annotation>,
) -> Answer<Run> {
    let annotation = annotations::checked(annotation)?;
    state.store.annotate_run(id, &annotation).await?;
    let run = state.store.run(id).await?;
    state
        .scheduler
        .tell_change(run.experiment_id, vec![id], Change::RunsAnnotated);
    Ok(Json(state.scheduler.with_progress(run)))
}

/// A run's epochs in order.
#[utoipa::path(get, path = "/runs/{id}/metrics", params(("id" = i64, Path), EpochsQuery), responses((status = 200, body = Vec<EpochMetrics>)))]
pub(super) async fn metrics(
    State(state): State<AppState>,
    Id(id): Id,
    QueryParameters(query): QueryParameters<EpochsQuery>,
) -> Answer<Vec<EpochMetrics>> {
    Ok(Json(state.store.run_metrics(id, query.epochs()?).await?))
}

/// A run's log, oldest first.
#[utoipa::path(get, path = "/runs/{id}/log", params(("id" = i64, Path)), responses((status = 200, body = Vec<LogLine>)))]
pub(super) async fn log(State(state): State<AppState>, Id(id): Id) -> Answer<Vec<LogLine>> {
    Ok(Json(state.store.log(id).await?))
}

/// The files that a run left.
#[utoipa::path(get, path = "/runs/{id}/artifacts", params(("id" = i64, Path)), responses((status = 200, body = Vec<Artifact>)))]
pub(super) async fn artifacts(State(state): State<AppState>, Id(id): Id) -> Answer<Vec<Artifact>> {
    state.store.run(id).await?;
    let directory = state.directory.run(id);
    let artifacts = tokio::task::spawn_blocking(move || {
        files(&directory)
            .into_iter()
            .filter_map(|name| {
                Some(Artifact {
                    description: description(&name)?.into(),
                    bytes: std::fs::metadata(directory.join(&name)).ok()?.len(),
                    url: format!("/api/v1/runs/{id}/artifacts/{name}"),
                    name,
                })
            })
            .collect()
    })
    .await?;
    Ok(Json(artifacts))
}

/// One of a run's files; byte ranges (`Range`) are answered, so that a download that was cut off can go on.
#[utoipa::path(
    get,
    path = "/runs/{id}/artifacts/{name}",
    params(("id" = i64, Path), ("name" = String, Path)),
    responses(
        (status = 200, description = "the file", content(
            (Vec<u8> = "application/octet-stream"), (String = "text/plain"), (serde_json::Value = "application/json")
        )),
        (status = 206, description = "the bytes that `Range` asks for", content((Vec<u8> = "application/octet-stream"))),
        (status = 304, description = "not changed since `If-Modified-Since`"),
        (status = 416, description = "`Range` is not within the file")
    )
)]
pub(super) async fn artifact(
    State(state): State<AppState>,
    PathParameters((id, name)): PathParameters<(i64, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    send(&state, id, &name, request).await
}

/// One of the files of a run's measurements, as its list of artifacts names it; byte ranges are answered.
#[utoipa::path(
    get,
    path = "/runs/{id}/artifacts/{folder}/{conditions}/{file}",
    params(
        ("id" = i64, Path),
        ("folder" = String, Path, description = "`corruptions`, `attacks`, `dimensionality` or `input_unit_gradients`"),
        ("conditions" = String, Path),
        ("file" = String, Path)
    ),
    responses(
        (status = 200, content_type = "application/octet-stream", body = Vec<u8>),
        (status = 206, description = "the bytes that `Range` asks for", content_type = "application/octet-stream", body = Vec<u8>),
        (status = 304, description = "not changed since `If-Modified-Since`"),
        (status = 416, description = "`Range` is not within the file")
    )
)]
pub(super) async fn measured_artifact(
    State(state): State<AppState>,
    PathParameters((id, folder, conditions, file)): PathParameters<(i64, String, String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    send(
        &state,
        id,
        &format!("{folder}/{conditions}/{file}"),
        request,
    )
    .await
}

/// A file of a run's folder, if it may be served: whole, or the ranges that `request` asks for.
async fn send(
    state: &AppState,
    id: i64,
    name: &str,
    request: Request,
) -> Result<Response, Refusal> {
    let missing = || Refusal::not_found(format!("run {id} has no file `{name}`"));
    state.store.experiment_of(id).await?;
    if description(name).is_none() {
        return Err(missing());
    }
    let path = state.directory.run(id).join(name);
    let answer = ServeFile::new(path)
        .try_call(request)
        .await
        .map_err(|_| missing())?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Err(missing());
    }
    let mut answer = answer.map(Body::new);
    let disposition = format!(
        "attachment; filename=\"run-{id}-{}\"",
        name.replace('/', "-")
    );
    // `description` allows only names that a header can hold.
    if let Ok(disposition) = HeaderValue::try_from(disposition) {
        answer
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(answer)
}

/// Cancels a queued or running run; what it measured is kept.
#[utoipa::path(post, path = "/runs/{id}/cancel", params(("id" = i64, Path)), responses((status = 200, body = Run)))]
pub(super) async fn cancel(State(state): State<AppState>, Id(id): Id) -> Answer<Run> {
    state.store.run(id).await?;
    state.scheduler.cancel(id).await?;
    read(State(state), Id(id)).await
}

/// Queues an interrupted, cancelled or failed run again; it goes on from its checkpoint.
#[utoipa::path(post, path = "/runs/{id}/resume", params(("id" = i64, Path)), responses((status = 202, body = Run)))]
pub(super) async fn resume(
    State(state): State<AppState>,
    Id(id): Id,
) -> Result<(StatusCode, Json<Run>), Refusal> {
    let run = state.store.run(id).await?;
    let requeued = state.store.requeue(&[id]).await?;
    if requeued.is_empty() {
        return Err(Refusal::new(
            ErrorCode::NotResumable,
            format!("run {id} is {} and cannot be resumed", run.state.id()),
        ));
    }
    state.scheduler.queued(requeued);
    let run = read(State(state), Id(id)).await?;
    Ok((StatusCode::ACCEPTED, run))
}

#[cfg(test)]
mod tests {
    use super::description;

    /// Breaks when a file outside the measurements, or outside the run's folder, would be served.
    #[test]
    fn only_measurements_are_served() {
        assert!(description("weights.safetensors").is_some());
        assert!(description("dimensionality/generated.0.200/clean.safetensors").is_some());
        assert!(description("input_unit_gradients/64/stage1.block1.relu1.safetensors").is_some());
        for refused in [
            "",
            "secret",
            "../store.sqlite",
            "dimensionality/../weights.safetensors",
            "dimensionality/../../x.safetensors",
            "dimensionality/a/b",
            "dimensionality/a/.safetensors",
            "other/a/b.safetensors",
            "dimensionality/a\\b/c.safetensors",
        ] {
            assert!(description(refused).is_none(), "{refused}");
        }
    }
}
