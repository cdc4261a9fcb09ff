//! Archives: an experiment as one file, out of this store and into it.

use std::io::{Seek, Write};

use axum::Json;
use axum::body::Body as RequestBody;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use protocol::api::{Change, Experiment};
use protocol::problem::ErrorCode;
use tokio_util::io::ReaderStream;

use super::json::{Id, QueryParameters, parts, receive};
use super::{AppState, Refusal};
use crate::archive::{ArchiveError, Contents, Imported, export, import};

/// What goes into the archive.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ArchiveQuery {
    /// Files of the runs that go with their numbers: `numbers` (none), `weights` or `everything`.
    #[serde(default)]
    files: Contents,
    /// Take files only of the runs of these seeds, for example `0,1`; of all when absent.
    #[param(pattern = "^([0-9]{1,15}(,[0-9]{1,15})*)?$")]
    seeds: Option<String>,
}

impl ArchiveQuery {
    fn seeds(&self) -> Result<Vec<u64>, Refusal> {
        let text = self.seeds.as_deref().unwrap_or_default();
        let seeds = parts(text).map(str::parse).collect::<Result<_, _>>();
        seeds.map_err(|_| {
            Refusal::parameter(format!(
                "seeds: `{text}` is not a list of seeds such as 0,1"
            ))
        })
    }
}

/// An experiment as one file (tar, compressed with zstd) that `POST /archives` of any store takes.
#[utoipa::path(
    get,
    path = "/experiments/{id}/archive",
    params(("id" = i64, Path), ArchiveQuery),
    responses((status = 200, content_type = "application/zstd", body = Vec<u8>))
)]
pub(super) async fn read(
    State(state): State<AppState>,
    Id(id): Id,
    QueryParameters(query): QueryParameters<ArchiveQuery>,
) -> Result<impl IntoResponse, Refusal> {
    let seeds = query.seeds()?;
    let mut file = tempfile::tempfile_in(state.directory.root()).map_err(unwritten)?;
    let output = file.try_clone().map_err(unwritten)?;
    export(
        &state.store,
        &state.directory,
        id,
        query.files,
        &seeds,
        output,
    )
    .await?;
    let bytes = file.stream_position().map_err(unwritten)?;
    file.rewind().map_err(unwritten)?;
    Ok((
        [
            (header::CONTENT_TYPE, "application/zstd".to_owned()),
            (header::CONTENT_LENGTH, bytes.to_string()),
            (
                header::CONTENT_DISPOSITION,
                format!("attachment; filename=\"experiment-{id}.tar.zst\""),
            ),
        ],
        axum::body::Body::from_stream(ReaderStream::new(tokio::fs::File::from_std(file))),
    ))
}

/// Imports an archive: the body is the file. 201 with the new experiment, or 200 with the one that has its runs already.
/// Runs that were queued or running when it was written are interrupted here, and can be resumed.
#[utoipa::path(
    post,
    path = "/archives",
    request_body(content = Vec<u8>, content_type = "application/zstd"),
    responses(
        (status = 200, body = Experiment),
        (status = 201, body = Experiment)
    )
)]
pub(super) async fn create(
    State(state): State<AppState>,
    body: RequestBody,
) -> Result<(StatusCode, Json<Experiment>), Refusal> {
    let mut file = tempfile::tempfile_in(state.directory.root()).map_err(unwritten)?;
    receive(body, "archive", |part| {
        file.write_all(part).map_err(unwritten)
    })
    .await?;
    file.rewind().map_err(unwritten)?;
    let imported = import(&state.store, &state.directory, file).await?;
    let status = match imported {
        Imported::New(id) => {
            state
                .scheduler
                .tell_change(id, Vec::new(), Change::ExperimentCreated);
            StatusCode::CREATED
        }
        Imported::Already(_) => StatusCode::OK,
    };
    let experiment = state.store.experiment(imported.experiment()).await?;
    Ok((status, Json(experiment)))
}

fn unwritten(error: std::io::Error) -> Refusal {
    tracing::error!(%error, "an archive cannot be kept");
    Refusal::new(
        ErrorCode::Internal,
        format!("the archive cannot be written here: {error}"),
    )
}

impl From<ArchiveError> for Refusal {
    fn from(error: ArchiveError) -> Self {
        let code = match error {
            ArchiveError::Store(error) => return error.into(),
            ArchiveError::Task(error) => return error.into(),
            ArchiveError::Damaged(_) | ArchiveError::Newer { .. } => ErrorCode::UnusableArchive,
            ArchiveError::Overlap { .. } => ErrorCode::AlreadyThere,
            ArchiveError::File { .. } => {
                tracing::error!(%error, "an archive cannot be read or written");
                ErrorCode::Internal
            }
        };
        Refusal::new(code, error.to_string())
    }
}
