//! `/executors`: places where workers run, previews of submissions, and the submissions made.

use axum::Json;
use axum::extract::State;
use protocol::executor::{BatchScripts, ExecutorInfo, SubmissionInfo};
use protocol::{ExecutorKind, ExperimentSpec};
use tokio::task::spawn_blocking;

use super::json::{Body, Id, PathParameters};
use super::{Answer, AppState, Refusal};
use crate::executors::{SCRIPT_FILE, preview};

/// Places where workers can run, with what is there.
#[utoipa::path(get, path = "/executors", responses((status = 200, body = Vec<ExecutorInfo>)))]
pub(super) async fn list(State(state): State<AppState>) -> Answer<Vec<ExecutorInfo>> {
    Ok(Json(with_load(&state).await?))
}

/// Takes a place that was paused after failed submissions into use again; its queue goes on.
#[utoipa::path(post, path = "/executors/{id}/resume", params(("id" = String, Path)), responses((status = 200, body = ExecutorInfo)))]
pub(super) async fn resume(
    State(state): State<AppState>,
    PathParameters(id): PathParameters<String>,
) -> Answer<ExecutorInfo> {
    let missing = || Refusal::not_found(format!("there is no executor `{id}`"));
    let kind = ExecutorKind::from_id(&id).ok_or_else(missing)?;
    state.scheduler.resume_device(kind.id());
    let executors = with_load(&state).await?;
    let executor = executors.into_iter().find(|executor| executor.id == kind);
    executor.map(Json).ok_or_else(missing)
}

/// Exactly what a launch of this experiment would give to `sbatch`, one script for each job array. Nothing is launched.
#[utoipa::path(
    post,
    path = "/executors/slurm/scripts",
    request_body = ExperimentSpec,
    responses((status = 200, body = BatchScripts))
)]
pub(super) async fn scripts(
    State(state): State<AppState>,
    Body(spec): Body<ExperimentSpec>,
) -> Answer<BatchScripts> {
    Refusal::if_any(spec.validate())?;
    let Some(slurm) = spec.executor.slurm().cloned() else {
        let reason = "the experiment runs on the server's machine, so there is no batch script";
        return Err(Refusal::field("executor", reason));
    };
    let executor = state.scheduler.executors().get(ExecutorKind::Slurm).clone();
    let scripts = spawn_blocking(move || {
        preview(
            &slurm,
            spec.alphas.len() * spec.seeds.len(),
            executor.most_together(),
            &state.directory.runs(),
            state.directory.datasets(),
        )
    });
    Ok(Json(BatchScripts {
        scripts: scripts.await?,
    }))
}

/// An experiment's submissions, newest first.
#[utoipa::path(get, path = "/experiments/{id}/submissions", params(("id" = i64, Path)), responses((status = 200, body = Vec<SubmissionInfo>)))]
pub(super) async fn submissions(
    State(state): State<AppState>,
    Id(id): Id,
) -> Answer<Vec<SubmissionInfo>> {
    let mut submissions = Vec::new();
    for submission in state.store.submissions(id).await? {
        let folder = state.directory.submission(id, &submission.key);
        // A submission that was cut off early has no script.
        let script = tokio::fs::read_to_string(folder.join(SCRIPT_FILE)).await;
        submissions.push(SubmissionInfo {
            key: submission.key,
            job: submission.job,
            submitted_at: submission.submitted_at,
            script: script.unwrap_or_default(),
        });
    }
    Ok(Json(submissions))
}

/// The places with their runs.
pub(super) async fn with_load(state: &AppState) -> Result<Vec<ExecutorInfo>, Refusal> {
    let mut executors = Vec::new();
    for kind in ExecutorKind::ALL {
        let executor = state.scheduler.executors().get(kind).clone();
        let described = spawn_blocking(move || executor.describe()).await?;
        let (queued, running) = state.store.load(kind).await?;
        executors.push(ExecutorInfo {
            id: kind,
            available: described.is_ok(),
            name: described.unwrap_or_else(|reason| reason),
            paused: state.scheduler.paused(kind.id()),
            queued,
            running,
        });
    }
    Ok(executors)
}
